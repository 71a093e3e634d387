"""Handlers are called with values of the types that they declare.

The page sends what its components hold; a stranger may send anything. What a handler's annotations
say is checked here, once for all of them, so that no handler has to.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from spectcount.errors import UserError

_WIDER: dict[type, tuple[type, ...]] = {float: (int, float)}


def check(handler: Callable[..., Any], values: Sequence[Any], event: gr.EventData | None) -> None:
    """Raise `UserError` where a value is not of the type that `handler` declares for its place, or
    where it answers a click and there was none. Places declared `Any`, and those that the
    framework fills, take everything."""
    if _clicked(handler) and "value" not in (getattr(event, "_data", None) or {}):
        raise UserError("nothing was clicked; click on a place of the picture or a row of the list")
    places, rest = _accepted(handler)
    types_of = itertools.chain(places, itertools.repeat(rest))
    for place, (accepted, value) in enumerate(zip(types_of, values, strict=False)):
        if accepted and not isinstance(value, accepted):
            names = " or ".join(sorted({t.__name__ for t in accepted}))
            raise UserError(
                f"box {place + 1} holds {type(value).__name__} {str(value)[:40]!r}, it takes "
                f"{names}; reload the page"
            )


@functools.lru_cache(maxsize=1024)
def _accepted(handler: Callable[..., Any]) -> tuple[tuple[tuple[type, ...], ...], tuple[type, ...]]:
    """The types of every positional place and of all that may follow; none where everything is
    accepted."""
    function = inspect.unwrap(handler)
    try:
        hints = typing.get_type_hints(function)
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, NameError, ValueError):
        return (), ()
    places = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    hints_in_order = [hints.get(p.name, Any) for p in places]
    more = [hints.get(p.name, Any) for p in parameters if p.kind is p.VAR_POSITIONAL]
    rest = _types(more[0]) if more else ()
    return tuple(_types(hint) for hint in hints_in_order if not _filled(hint)), rest


@functools.lru_cache(maxsize=1024)
def _clicked(handler: Callable[..., Any]) -> bool:
    hints = typing.get_type_hints(inspect.unwrap(handler)).values()
    return any(inspect.isclass(hint) and issubclass(hint, gr.SelectData) for hint in hints)


def _filled(hint: Any) -> bool:
    """True for an argument that the framework gives itself."""
    return inspect.isclass(hint) and issubclass(hint, gr.EventData | gr.Request | gr.Progress)


def _types(hint: Any) -> tuple[type, ...]:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        parts = [_types(part) for part in typing.get_args(hint)]
        return () if not all(parts) else tuple(t for part in parts for t in part)
    plain = origin or hint
    if plain is None or plain is type(None):
        return (type(None),)
    if not inspect.isclass(plain) or plain in (object, Any):
        return ()
    return _WIDER.get(plain, (plain,))
