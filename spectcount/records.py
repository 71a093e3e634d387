"""Results as JSON and back, exactly: the same classes, types of arrays, and bits of each number.

*Conventions*: a dataclass is an object whose "$" names its class; arrays, NumPy numbers, tuples and
mappings whose keys are not text have a "$" of their own; nan and infinities are written as Python's
`json` does. A field declared with `field(metadata=NOT_STORED)` is left out and comes back as its
default; cached properties that take long are stored where the class names them in `STORED`. Only
classes that the reader lists are ever built.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

NOT_STORED = {"stored": False}
"""Metadata of a field that no reader of a stored result needs."""


def dumps(value: Any) -> str:
    """A result as JSON text."""
    return json.dumps(encoded(value))


def loads(text: str, classes: Iterable[type]) -> Any:
    """The result in a text of `dumps`. Raises ValueError, TypeError, KeyError or AttributeError
    where it is none of these classes."""
    return decoded(json.loads(text), {each.__name__: each for each in classes})


def of_version(text: str, kind: type[T], classes: Iterable[type], version: object) -> T | None:
    """The result of a kind in a text; None where its `version` is another, or it is none at all."""
    try:
        result = loads(text, classes)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    known = isinstance(result, kind) and getattr(result, "version", None) == version
    return result if known else None


def encoded(value: Any) -> Any:
    """A result as plain data."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        stored = [f.name for f in dataclasses.fields(value) if f.metadata.get("stored", True)]
        names = (*stored, *getattr(type(value), "STORED", ()))
        return {
            "$": type(value).__name__,
            **{name: encoded(getattr(value, name)) for name in names},
        }
    if isinstance(value, np.ndarray | np.generic):
        items = np.asarray(value)
        return {
            "$": "array" if isinstance(value, np.ndarray) else "number",
            "dtype": items.dtype.str,
            "shape": list(items.shape),
            "items": items.ravel().tolist(),
        }
    if isinstance(value, Mapping):
        if all(type(k) is str and k != "$" for k in value):
            return {k: encoded(v) for k, v in value.items()}
        return {"$": "mapping", "items": [[encoded(k), encoded(v)] for k, v in value.items()]}
    if isinstance(value, list):
        return [encoded(each) for each in value]
    if isinstance(value, tuple):
        return {"$": "tuple", "items": [encoded(each) for each in value]}
    raise TypeError(f"{type(value).__name__} is no part of a result that can be stored")


def decoded(data: Any, classes: Mapping[str, type]) -> Any:
    """The result that plain data of `encoded` stand for."""
    if isinstance(data, list):
        return [decoded(each, classes) for each in data]
    if not isinstance(data, dict):
        return data
    kind = data.get("$")
    if kind is None:
        return {k: decoded(v, classes) for k, v in data.items()}
    if kind in ("array", "number"):
        items = np.array(data["items"], np.dtype(data["dtype"])).reshape(data["shape"])
        return items if kind == "array" else items[()]
    if kind == "tuple":
        return tuple(decoded(each, classes) for each in data["items"])
    if kind == "mapping":
        return {decoded(k, classes): decoded(v, classes) for k, v in data["items"]}
    return _built(classes[kind], {k: decoded(v, classes) for k, v in data.items() if k != "$"})


def _built(kind: type, values: dict[str, Any]) -> Any:
    """A dataclass with these values of its fields and of its properties that are `STORED`."""
    known = {name: values.pop(name) for name in getattr(kind, "STORED", ())}
    result = kind(**values)
    vars(result).update(known)
    return result
