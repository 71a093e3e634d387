"""Visitors of a public page: who is acting, and what is theirs.

On a page that strangers share, every run, session, recording, adapter and export belongs to the
visitor who made it. The doors of the page (`ui.doors`) say who is acting; the store, the folder of
recordings and the list of adapters ask here. Where nobody is named (on one's own machine, on the
command line, in the queue) everything may be seen.

*Conventions*: a visitor is a name of letters and digits, made from the key that the browser keeps
or from the name of the account that signed in; "" belongs to the operator of the machine.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_MARK = "owner.txt"
NOBODY = "nobody"
"""A visitor to whom nothing belongs."""
_MOST_FILES = 50_000
_files: OrderedDict[tuple[str, str], None] = OrderedDict()
"""(visitor, path) of what the page handed out or took in; forgotten at a restart."""
_acting: ContextVar[str | None] = ContextVar("visitor", default=None)


def acting() -> str | None:
    """The visitor on whose behalf this code runs; None where everything may be seen."""
    return _acting.get()


def owner() -> str:
    """To whom a thing made now belongs."""
    return _acting.get() or ""


def mark(folder: Path, owner: str) -> None:
    """Note in a run's folder whose it is, for those who do not ask the store."""
    if owner:
        (folder / _MARK).write_text(owner)


def may_use(folder: Path) -> bool:
    """True if who is acting may use what lies in a run's folder."""
    visitor = acting()
    if visitor is None:
        return True
    try:
        return (folder / _MARK).read_text() == visitor
    except OSError:
        return False


def hand(path: str | Path) -> None:
    """Note that who is acting may fetch this file from the page; what `NOBODY` hands out is for
    everybody."""
    _files[owner(), os.path.realpath(path)] = None
    while len(_files) > _MOST_FILES:
        _files.popitem(last=False)


def may_fetch(path: str | Path) -> bool:
    """True if who is acting may fetch a file that lies where the page serves."""
    visitor, place = acting(), os.path.realpath(path)
    return visitor is None or any((who, place) in _files for who in (visitor, NOBODY))


@contextmanager
def acting_for(visitor: str | None) -> Iterator[None]:
    """Act for `visitor`; for None as the program itself, which keeps everybody's queue."""
    token = _acting.set(visitor)
    try:
        yield
    finally:
        _acting.reset(token)
