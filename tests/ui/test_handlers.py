"""Handlers name what they update: nobody has to count places."""

from __future__ import annotations

import inspect
import typing

from spectcount.settings import load_settings
from spectcount.ui.app import build_app

MOST = 3


def returned(handler):
    """What a handler is declared to return; None where it does not say."""
    return typing.get_type_hints(inspect.unwrap(handler)).get("return")


def test_no_handler_returns_more_than_three_updates_by_their_place(tmp_path):
    page = build_app(load_settings(mode="local", home=tmp_path, device="cpu"))
    handlers = [fn for fn in page.fns.values() if fn.fn is not None]
    assert len(handlers) > 50
    for fn in handlers:
        result = returned(fn.fn)
        if typing.get_origin(result) is tuple:
            assert Ellipsis not in typing.get_args(result), fn.fn
            assert len(typing.get_args(result)) <= MOST, fn.fn
        elif len(fn.outputs) > MOST:
            assert result is None or typing.get_origin(result) is dict, fn.fn
