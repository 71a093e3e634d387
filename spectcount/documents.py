"""Documents that people write or send: the one door for YAML and JSON, bounded and checked.

*Conventions*: what comes out is plain data: mappings with text as keys, lists, text, finite
numbers, true, false and none, within `limits`; nothing holds itself, no key is given twice. Text is
UTF-8. Everything else is refused with a `UserError` that begins with `what`, the name of the
document for its reader.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from spectcount import limits
from spectcount.errors import UserError

_MERGE = "tag:yaml.org,2002:merge"
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_MOST_DIGITS = 100
# PyYAML's constructors raise more than its own errors for explicit tags such as `!!float ''`.
_YAML_ERRORS = (
    yaml.YAMLError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


def from_json(text: str, what: str, max_bytes: int = limits.MAX_JSON_BYTES) -> Any:
    """The plain data of a JSON text, not a number where the file says NaN refused."""
    if not isinstance(text, str):
        raise UserError(f"{what} is {type(text).__name__}, no text; send JSON as text")
    _refuse_large(len(text.encode("utf-8", "replace")), max_bytes, what)
    tree = _parsed(text, what)
    check(tree, what)
    return tree


def from_yaml(text: str, what: str) -> Any:
    """The plain data of a YAML text; an empty one is None. Merge keys (`<<`) are not taken."""
    _refuse_large(len(text.encode("utf-8", "replace")), limits.MAX_YAML_BYTES, what)
    try:
        loader = _Loader(text)
        try:
            tree = loader.get_single_data()
        finally:
            loader.dispose()
    except UserError as error:
        raise UserError(f"{what}: {error}") from None
    except _YAML_ERRORS as error:
        plain = isinstance(error, yaml.YAMLError | ValueError)
        reason = _line(error) if plain else "a value is not of the kind that its tag names"
        raise UserError(f"{what} cannot be read as YAML ({reason}); mend it") from None
    check(tree, what)
    return tree


def to_yaml(data: Any) -> str:
    """Plain data as YAML that `from_yaml` reads: in full, without aliases."""
    plain = json.loads(json.dumps(data))
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def mapping_from_json(text: Any, what: str) -> dict[str, Any]:
    """The mapping in a JSON text, such as the state of a form."""
    data = from_json(text, what) if isinstance(text, str) else text
    if not isinstance(data, dict):
        raise UserError(f"{what} is no JSON object; send names and values")
    return data


def read_yaml(path: Path, what: str) -> Any:
    """The plain data in a YAML file."""
    return from_yaml(read_text(path, what, limits.MAX_YAML_BYTES), what)


def read_rows(path: Path, what: str) -> list[Any]:
    """The rows of a JSON list or of JSON lines, whatever the file's ending says. NaN stays, since
    tables are often written so where a cell is empty."""
    text = read_text(path, what, limits.MAX_ANNOTATION_BYTES)
    if text.count("{") + text.count("[") > limits.MAX_ANNOTATION_VALUES:
        raise UserError(f"{what} holds too many values; give the official file")
    if text.lstrip().startswith("["):
        rows = _parsed(text, what, nan=True)
    else:
        lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        rows = [_parsed(line, f"{what}, line {n},", nan=True) for n, line in lines]
    check(rows, what, limits.MAX_ANNOTATION_VALUES, nan=True)
    return list(rows)


def read_text(path: Path, what: str, max_bytes: int) -> str:
    """The text of a UTF-8 file, byte-order mark dropped; refused where the file is missing, too
    large or of another encoding."""
    try:
        if not path.is_file():
            raise UserError(f"{what}: there is no file {path}; give its path")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise UserError(f"{what} cannot be read ({error.strerror}); mend the file") from None
    if len(data) > max_bytes:
        _refuse_large(path.stat().st_size, max_bytes, what)
    return decode(data, what)


def decode(data: bytes, what: str) -> str:
    """UTF-8 bytes as text; another encoding is named where it can be told."""
    wide = b"\0" in data[:4000] or data[:2] in (b"\xff\xfe", b"\xfe\xff")
    if wide:
        raise UserError(f"{what} is not UTF-8 but looks like UTF-16 or UTF-32; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{what} is not UTF-8: byte 0x{data[error.start]:02x} at {error.start}; it may be "
            "Latin-1, Windows-1252 or GBK: save it as UTF-8"
        ) from None


def check(tree: Any, what: str, max_values: int = limits.MAX_VALUES, nan: bool = False) -> None:
    """Refuse data that is too deep, too large, inside itself, or not plain."""
    left, n_values = [(tree, 1)], 0
    while left:
        value, depth = left.pop()
        n_values += 1
        if n_values > max_values:
            raise UserError(f"{what} holds more than {max_values} values; make it smaller")
        if isinstance(value, dict | list):
            left.extend((part, depth + 1) for part in _parts(value, depth, what))
        else:
            _check_leaf(value, what, nan)


def _parts(value: dict[Any, Any] | list[Any], depth: int, what: str) -> Sequence[Any]:
    if depth > limits.MAX_DEPTH:
        raise UserError(
            f"{what} is nested deeper than {limits.MAX_DEPTH} levels, or holds itself; flatten it"
        )
    if not isinstance(value, dict):
        return value
    for key in value:
        if not isinstance(key, str):
            raise UserError(f"{what} has the key {key!r}, which is no text; put it in quotes")
        _check_leaf(key, what, False)
    return list(value.values())


def _check_leaf(value: Any, what: str, nan: bool) -> None:
    """Refuse a single value that no parameter could be."""
    if isinstance(value, str):
        if _HALF_CHARACTER.search(value):
            raise UserError(f"{what} holds half a character (a lone surrogate); write it again")
    elif isinstance(value, float):
        if not math.isfinite(value) and not nan:
            raise UserError(f"{what} holds {value}, which is no finite number; give a number")
    elif isinstance(value, int):
        if abs(value) >= 10**_MOST_DIGITS:
            raise UserError(f"{what} holds a number of over {_MOST_DIGITS} digits; give a smaller")
    elif value is not None:
        raise UserError(
            f"{what} holds {str(value)[:40]!r}, which is no plain text or number; put it in quotes"
        )


def _parsed(text: str, what: str, nan: bool = False) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_without_twins, parse_constant=None if nan else _no_constant
        )
    except UserError as error:
        raise UserError(f"{what}: {error}") from None
    except RecursionError:
        raise UserError(
            f"{what} is nested deeper than {limits.MAX_DEPTH} levels; flatten it"
        ) from None
    except ValueError as error:
        raise UserError(f"{what} is broken JSON ({_line(error)}); mend it") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        _refuse_twin([key for key, _ in pairs])
    return data


def _no_constant(name: str) -> Any:
    raise UserError(f"{name} is no number that JSON knows; give a finite number")


def _refuse_twin(keys: Sequence[Hashable]) -> None:
    twin = Counter(keys).most_common(1)[0][0]
    raise UserError(f"the key {twin!r} is given twice; leave one out")


def _refuse_large(size: int, max_bytes: int, what: str) -> None:
    if size > max_bytes:
        raise UserError(
            f"{what} has {size / 1e6:.1f} MB, the limit is {max_bytes / 1e6:g} MB; make it smaller"
        )


def _line(error: Exception) -> str:
    """An exception's words in one line, cut where they are long."""
    return " ".join(str(error).split())[:300]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with bounds on depth, nodes and aliases while it reads, and without
    merge keys (which double what they name) and twin keys (of which YAML keeps the last)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._n_nodes = self._n_aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._n_nodes += 1
        self._n_aliases += self.check_event(yaml.AliasEvent)
        if self._n_aliases > limits.MAX_ALIASES:
            raise UserError(f"more than {limits.MAX_ALIASES} aliases (*name); write them out")
        if self._n_nodes > limits.MAX_VALUES:
            raise UserError(f"more than {limits.MAX_VALUES} values; make it smaller")
        self._depth += 1
        if self._depth > limits.MAX_DEPTH + 1:
            raise UserError(f"nested deeper than {limits.MAX_DEPTH} levels; flatten it")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        if any(key.tag == _MERGE for key in keys):
            raise UserError("a merge key (<<) is not taken; write its keys out")
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(keys):
            _refuse_twin([key.value for key in keys if isinstance(key.value, str)] or [""])
        return mapping
