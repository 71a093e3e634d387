"""Questions to models that may be dropped before they are answered: a slider has moved on.

Conventions: questions of one call share a closed set. Without a resident scorer this process's own
desk answers, in the same order of urgency.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spectcount.listeners.scorer import client, wire
from spectcount.listeners.scorer.wire import Asking, Part, Target
from spectcount.settings import Settings

if TYPE_CHECKING:
    from spectcount.listeners.scorer.desk import Desk


def parts(settings: Settings, asking: Asking, questions: Sequence[Any]) -> Iterator[Part]:
    """Answers to some questions after the other. Raises `Superseded` where a newer question of
    the same page came, `UserError` where a listener cannot answer."""
    door = client.door(settings)
    if door is not None:
        try:
            yield from door.parts(asking, questions)
            return
        except client.Unavailable as error:
            client.say_unavailable(error)
    plain = wire.unpack_questions(wire.pack_questions(questions, {}))
    yield from _desk(settings).score(asking, plain)


def drop(settings: Settings, page: str) -> None:
    """Drop what a page has asked and was not answered."""
    asking = Asking((), page=page, number=client.next_number())
    if (door := client.door(settings)) is not None:
        door.drop(asking)
    if _desk.cache_info().currsize:
        _desk(settings).register(asking)


def by_base(targets: Sequence[Target]) -> list[list[Target]]:
    """The targets, those of one model together."""
    groups: dict[tuple[str, tuple[str, ...]], list[Target]] = {}
    for target in targets:
        groups.setdefault((target.folder, target.options), []).append(target)
    return list(groups.values())


@functools.lru_cache(maxsize=4)
def _desk(settings: Settings) -> Desk:
    """The desk of this process, where there is no resident scorer."""
    from spectcount.listeners.scorer.desk import Desk

    return Desk(settings)
