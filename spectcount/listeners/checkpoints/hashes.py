"""Hashes of weights: of their tensors by name and content, free of the files' order and cut.

A number that a narrower format holds exactly counts as the same number, so that weights saved
wider than they are keep their hash.

Conventions: hashes are the first hex digits of SHA-256. Reading large weights takes long: their
hash is remembered beside them (`.spectcount-hashes.json`) for the files' sizes and times of change.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.files import json_object, text_of

MEMORY = ".spectcount-hashes.json"
LARGE_BYTES = 500_000_000
DIGITS = 12
READERS = 4
BLOCK = 1 << 23
"""Bytes that are hashed at a time."""
INDEX = "model.safetensors.index.json"
BUNDLED = {"phi4_multimodal": "speech-lora"}
"""By model type: a folder with an adapter that belongs to the model."""


def hash_text(text: str, digits: int = DIGITS) -> str:
    """First hex digits of SHA-256 over a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def hash_files(files: Sequence[Path]) -> str:
    """Hash of the files' bytes, in their order."""
    return _remembered("files", files, _hash_bytes)


def hash_weights(folder: Path) -> str:
    """Hash of a checkpoint's tensors; an adapter that lies beside its weights counts with them."""
    return _remembered("tensors", weight_files(folder), _hash_tensors)


def hash_tensors(file: Path) -> str:
    """Hash of the tensors in one file, by the names that they have there."""
    return _remembered("named", [file], _hash_named)


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers reads weights from, in the order in which it looks for them."""
    whole, index = folder / "model.safetensors", folder / INDEX
    if whole.is_file():
        weights = [whole]
    elif index.is_file():
        weights = [folder / name for name in sorted(_shards(index))]
    else:
        weights = [f for f in sorted(folder.glob("*.safetensors")) if "adapter_" not in f.name]
    within = folder / bundled_folder(folder)
    bundled = [within / "adapter_config.json", within / "adapter_model.safetensors"]
    return weights + (bundled if all(file.is_file() for file in bundled) else [])


def _shards(index: Path) -> set[str]:
    """The files that an index names; raises `UserError` where it is none, or one is missing."""
    names = json_object(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise UserError(f"{index} names no weights (weight_map); get the model again")
    shards = {str(name) for name in names.values()}
    missing = sorted(name for name in shards if not (index.parent / name).is_file())
    if missing:
        raise UserError(f"{index.parent} lacks {missing[0]}; get the model again")
    return shards


def bundled_folder(folder: Path) -> str:
    """The folder within a checkpoint with an adapter that belongs to the model; "" for none."""
    config = folder / "config.json"
    if not config.is_file():
        return ""
    return BUNDLED.get(text_of(json_object(config), "model_type"), "")


def state_of(folder: Path) -> str:
    """Names, sizes and times of change of a folder's files: another state may be another model."""
    files = {f for f in folder.iterdir() if f.is_file() and f.name != MEMORY}
    return _state(sorted(files.union(weight_files(folder))))


@dataclass(frozen=True)
class _Stored:
    """One tensor in a file: where its bytes lie."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    def numbers(self) -> np.ndarray:
        """Its bytes, read as they are needed."""
        if self.start == self.end:
            return np.zeros(0, np.uint8)
        size = self.end - self.start
        return np.memmap(self.file, np.uint8, "r", offset=self.start, shape=(size,))


def stored_tensors(file: Path) -> Iterator[_Stored]:
    """The tensors of a safetensors file, by its header (8 bytes of length, then JSON)."""
    size = file.stat().st_size
    try:
        with file.open("rb") as handle:
            (length,) = struct.unpack("<Q", handle.read(8))
            header = json.loads(handle.read(min(length, size)))
        facts = [(n, *_facts(f, 8 + length)) for n, f in header.items() if n != "__metadata__"]
    except (struct.error, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _damaged(file) from None
    for name, dtype, shape, start, end in facts:
        if not 8 + length <= start <= end <= size:
            raise _damaged(file)
        yield _Stored(file, name, dtype, shape, start, end)


def _facts(facts: Mapping[str, Any], first: int) -> tuple[str, tuple[int, ...], int, int]:
    """Format, shape, first and last byte of a tensor by its entry in a header."""
    start, end = facts["data_offsets"]
    return str(facts["dtype"]), tuple(map(int, facts["shape"])), first + start, first + end


def _damaged(file: Path) -> UserError:
    return UserError(
        f"{file} is no whole safetensors file ({file.stat().st_size} bytes); it was cut short or "
        "damaged: get the model or the adapter again, or remove its folder"
    )


def common_name(name: str) -> str:
    """A tensor's name without what versions of transformers put before it and within: the wrapper
    `model`, and the language model before its head."""
    parts = [part for part in name.split(".") if part != "model"]
    if "lm_head" in parts:
        parts = parts[parts.index("lm_head") :]
    return ".".join(parts)


def _rows(files: Sequence[Path]) -> set[tuple[str, tuple[int, ...], str]]:
    """(name, shape, hash of the numbers) of every tensor."""
    stored = [t for file in files if file.suffix == ".safetensors" for t in stored_tensors(file)]
    with ThreadPoolExecutor(READERS) as readers:
        contents = list(readers.map(_content, stored))
    return {(t.name, t.shape, c) for t, c in zip(stored, contents, strict=True)}


def _hash_named(files: Sequence[Path]) -> str:
    return hash_text(json.dumps(sorted(_rows(files))))


def _hash_tensors(files: Sequence[Path]) -> str:
    rows = {(common_name(name), shape, content) for name, shape, content in _rows(files)}
    inputs = {content for name, _, content in rows if name.endswith("embed_tokens.weight")}
    # A head that is tied to the input embeddings may be stored with them or left out.
    counted = sorted(r for r in rows if not (r[0] == "lm_head.weight" and r[2] in inputs))
    settings = [json_object(f) for f in files if f.suffix == ".json"]
    return hash_text(json.dumps([counted, settings], sort_keys=True))


def _content(stored: _Stored) -> str:
    """Hash of a tensor's numbers. A float is its upper half (all of a bfloat16) and, where not
    every lower half is zero, its lower half too."""
    raw = stored.numbers()
    if stored.dtype == "BF16":
        return f"float {_digest(raw)}"
    if stored.dtype not in ("F16", "F32"):
        return f"{stored.dtype} {_digest(raw)}"
    upper, lower, any_lower = hashlib.sha256(), hashlib.sha256(), False
    for start in range(0, len(raw), BLOCK):
        halves = _as_float32(raw[start : start + BLOCK], stored.dtype).view("<u2").reshape(-1, 2)
        upper.update(np.ascontiguousarray(halves[:, 1]).data)
        lower.update(np.ascontiguousarray(halves[:, 0]).data)
        any_lower = any_lower or bool(halves[:, 0].any())
    return f"float {upper.hexdigest()}{lower.hexdigest() if any_lower else ''}"


def _as_float32(raw: np.ndarray, dtype: str) -> np.ndarray:
    block = np.ascontiguousarray(raw)
    return block.view("<f4") if dtype == "F32" else block.view("<f2").astype("<f4")


def _digest(raw: np.ndarray) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(raw), BLOCK):
        digest.update(np.ascontiguousarray(raw[start : start + BLOCK]).data)
    return digest.hexdigest()


def _remembered(kind: str, files: Sequence[Path], make: Any) -> str:
    """The hash that `make(files)` gives, or gave before for files of this state."""
    if sum(file.stat().st_size for file in files) < LARGE_BYTES:
        return str(make(files))
    state = f"{kind} {_state(files)}"
    memory = files[0].parent / MEMORY
    known = _read(memory)
    if state not in known:
        known = {k: v for k, v in known.items() if not k.startswith(f"{kind} ")}
        known[state] = str(make(files))
        _write(memory, known)
    return known[state]


def _state(files: Sequence[Path]) -> str:
    return json.dumps([[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files])


def _hash_bytes(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:DIGITS]


def _read(memory: Path) -> dict[str, str]:
    """The remembered hashes; none where the file is missing or broken."""
    try:
        data = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write(memory: Path, known: dict[str, str]) -> None:
    """Remember; a folder that may not be written to is hashed again next time."""
    try:
        memory.write_text(json.dumps(known))
    except OSError:
        return
