"""Answering what is asked of models in this process, the most urgent first, batch by batch.

Conventions: who asks names the fingerprint of whom an answer is wanted; where the files behind it
have changed nothing is answered, so that no answer stands under another listener's name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spectcount import listeners
from spectcount.configs import Json
from spectcount.errors import UserError
from spectcount.listeners.base import Report, Resident, Scores
from spectcount.listeners.scorer.turns import Turns
from spectcount.listeners.scorer.wire import (
    LIVE,
    Asking,
    Facts,
    Part,
    PlainQuestion,
    Superseded,
    Target,
)
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings
from spectcount.trials import Question

if TYPE_CHECKING:
    from spectcount.listeners.audio_lm import AudioLM

MOST_S = 0.25
"""Longest batch of a model, seconds: as long a slider waits for a map at most."""
PART_ROWS = 8
"""So many clips are answered at a time where answers come batch by batch."""
_TRIES = 3
Check = Callable[[], None]


@dataclass(frozen=True)
class _Entry:
    listener: AudioLM
    state: str


class Desk:
    """The models of this process, and who asks them. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.turns = Turns()
        self._entries: dict[Target, _Entry] = {}
        self._loading = threading.RLock()
        self._newest: dict[str, int] = {}

    def open(self, targets: Sequence[Target], report: Report | None = None) -> list[Facts]:
        """Load listeners; what is known of each. Raises `UserError` where one cannot be had."""
        return [_facts(self._listener(target, report)) for target in targets]

    def check(self, target: Target, report: Report | None = None) -> Json:
        """The verdict of gate and parity check on a model; see `checkpoints.check`."""
        from spectcount.listeners.checkpoints import check

        loaded = self._listener(target, report).loaded
        with self.turns.take(LIVE):
            return check.check(loaded)

    def score(
        self, asking: Asking, questions: Sequence[PlainQuestion], check: Check = lambda: None
    ) -> Iterator[Part]:
        """Answer questions, which share a closed set, all at once or some clips at a time.
        `check` raises where nobody waits any more. Raises `Superseded` where a newer question
        came, `UserError` where a listener has changed or cannot hear a clip."""
        self.register(asking)
        marks = tuple(listener.fingerprint for listener in self._wanted(asking))
        asking = replace(asking, fingerprints=marks)
        parts = _parts(questions) if asking.parts else [list(range(len(questions)))]
        for part in parts:
            self._check(asking, check)
            some = cast(Sequence[Question], [questions[i] for i in part])
            yield Part(part, marks, self._scores(asking, some, check))

    def reply(self, asking: Asking, question: PlainQuestion, check: Check) -> Iterator[str]:
        """The answer of the first target in words, in growing prefixes."""
        self.register(asking)
        (listener,) = self._wanted(asking)[:1]
        with self.turns.take(asking.priority, lambda: self._check(asking, check)):
            yield from listener.reply(cast(Question, question))

    def register(self, asking: Asking) -> None:
        """Note the newest question of a page, and drop those that wait for it in vain."""
        if asking.page:
            known = self._newest.get(asking.page, -1)
            self._newest[asking.page] = max(known, asking.number)
            self.turns.wake()

    def table(self) -> list[Resident]:
        """The models in memory, the last used first."""
        from spectcount.listeners.checkpoints import resident

        return resident.table()

    def unload(self, name: str = "") -> list[Resident]:
        """Free the memory of a model (of all without a name); which they were."""
        gone = listeners.unload(name)
        self._forget_unloaded()
        return gone

    @contextmanager
    def held(self, needed: float, work: str) -> Iterator[list[Resident]]:
        """Give way to work in another process while open; which models were unloaded for it."""
        from spectcount.listeners.checkpoints import resident

        gone = resident.hold(needed, self.settings.device, work)
        self._forget_unloaded()
        try:
            yield gone
        finally:
            resident.let_go(work)

    def _scores(self, asking: Asking, questions: Sequence[Question], check: Check) -> list[Scores]:
        """Scores of every target; asked anew where a model was unloaded meanwhile."""

        def turn() -> AbstractContextManager[None]:
            return self.turns.take(asking.priority, lambda: self._check(asking, check))

        for k in range(_TRIES):
            wanted = self._wanted(asking)
            try:
                return _scores_of(wanted, questions, turn)
            except UserError:
                there = all(listener.loaded.in_memory for listener in wanted)
                if there or k == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    def _wanted(self, asking: Asking) -> list[AudioLM]:
        """The targets' listeners. Raises `UserError` where one is not who was meant."""
        wanted = [self._listener(target) for target in asking.targets]
        for listener, mark in zip(wanted, asking.fingerprints, strict=False):
            if listener.fingerprint != mark:
                raise UserError(
                    f"{listener.name} has changed: it was {mark} when this began, and its files "
                    f"are those of {listener.fingerprint} now; ask again, or start a new run"
                )
        return wanted

    def _check(self, asking: Asking, check: Check) -> None:
        if asking.page and self._newest.get(asking.page, -1) > asking.number:
            raise Superseded
        check()

    def _listener(self, target: Target, report: Report | None = None) -> AudioLM:
        """The listener of a target, loaded where it is not in memory or its files have changed."""
        from spectcount.listeners.audio_lm import AudioLM

        state = _state(target)
        entry = self._entries.get(target)
        if entry is None or entry.state != state or not entry.listener.loaded.in_memory:
            with self._loading:
                spec = ListenerSpec.parse(target.base)
                folder = Path(target.folder)
                loaded = listeners.load_folder(spec, folder, self.settings, report)
                adapter = Path(target.adapter) if target.adapter else None
                entry = _Entry(AudioLM(loaded, target.name, adapter), state)
                entry.listener.size.most_s = None if loaded.is_small else MOST_S
                self._entries[target] = entry
                self._forget_unloaded()
        return entry.listener

    def _forget_unloaded(self) -> None:
        for target, entry in list(self._entries.items()):
            if not entry.listener.loaded.in_memory:
                self._entries.pop(target, None)


def _facts(listener: AudioLM) -> Facts:
    from spectcount.listeners.scoring import together

    loaded = listener.loaded
    return Facts(
        listener.fingerprint,
        loaded.fingerprint,
        **loaded.facts,
        window_s=loaded.window_s,
        longest_s=loaded.longest_s,
        mixes=loaded.path == "staged" and together.mixes(listener),
    )


def _scores_of(wanted: Sequence[AudioLM], questions: Sequence[Question], turn: Any) -> list[Scores]:
    """Scores of each listener: side by side in one batch where they can be."""
    from spectcount.listeners.scoring import together

    if together.may_share(wanted):
        return together.score_together(wanted, questions, turn)
    return [listener.score(questions, turn) for listener in wanted]


def _parts(questions: Sequence[PlainQuestion]) -> list[list[int]]:
    """Indices of the questions, some clips at a time, in their order."""
    parts: list[list[int]] = []
    clips: set[str] = set()
    for i, question in enumerate(questions):
        if not parts or len(clips | {question.clip_hash}) > PART_ROWS:
            parts.append([])
            clips = set()
        clips.add(question.clip_hash)
        parts[-1].append(i)
    return parts


def _state(target: Target) -> str:
    """The state of a target's files. Raises `UserError` where they are gone."""
    from spectcount.listeners.checkpoints.hashes import state_of

    try:
        folders = [Path(folder) for folder in (target.folder, target.adapter) if folder]
        return " ".join(map(state_of, folders))
    except OSError as error:
        raise UserError(
            f"{target.name} is not there any more ({error.filename}: {error.strerror}); choose "
            "another listener, or get it again"
        ) from None
