"""One waveform is one question: what was asked again of a listener that answers alike counts once.

*Conventions*: trials of one listener. Clips with noise differ by its seed; without noise a plan may
ask about one waveform many times (a catch trial is then always the same silence), and a listener
that only depends on the waveform gives the same answer each time: a hundred of them are one
observation. Repeats are trials of one waveform in the same words; where a listener's answers never
depend on the words either, trials of one waveform. A listener that answers repeats differently
draws anew each time, and all its trials count; so do those of a person, and of the ideal observer,
which is told what it listens for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from spectcount.probing.base import Plan
from spectcount.stimulus import Stimulus
from spectcount.trials import Trial, remembered

SAME_SCORE = 0.25
"""Difference of log-odds below which two answers to one question are one: what batches change."""
_DRAWN_ANEW = ("ideal-", "human-")
_CLIPS: dict[str, str] = {}
_MOST_CLIPS = 200_000


def counted(plan: Plan | None, trials: Iterable[Trial]) -> list[Trial]:
    """The trials without repeats, in their order; see the module. Without a plan one waveform is
    one question in whatever role and cell."""
    listed = list({(t.key, _place(plan, t)): t for t in trials}.values())
    quiet = [t for t in listed if _repeatable(t)]
    if len(quiet) < 2:
        return listed
    clips = {id(t): _clip(t) for t in quiet}
    left = _once(quiet, lambda t: (clips[id(t)], t.prompt, _place(plan, t)))
    if left is None:
        return listed
    quiet = _once(left, lambda t: (clips[id(t)], _place(plan, t))) or left
    unique = {id(t) for t in quiet}
    return [t for t in listed if id(t) not in clips or id(t) in unique]


def left_out_words(n: int) -> str:
    """The number of trials left out as repeats, in a clause; empty where none was."""
    return f"{n} trials left out as repeats of one waveform" if n else ""


def _once(trials: list[Trial], alike: Callable[[Trial], Any]) -> list[Trial] | None:
    """The first of all trials that are alike; None where some of those were answered
    differently."""
    first: dict[Any, Trial] = {}
    for t in trials:
        other = first.setdefault(alike(t), t)
        if other.answer != t.answer or _far(other, t):
            return None
    return list(first.values())


def _far(first: Trial, other: Trial) -> bool:
    """True where the scores of one question differ by more than batches make them."""
    if first.prompt != other.prompt:
        return False
    pairs = zip(first.log_probs, other.log_probs, strict=True)
    return any(abs(x - y) > SAME_SCORE for x, y in pairs if max(x, y) > -5)


def _place(plan: Plan | None, trial: Trial) -> tuple[Any, ...]:
    """Role, with the cell of a signal trial or the background of a catch trial."""
    if plan is None:
        return ()
    cell = int(trial.coords.get("x", 0)), int(trial.coords.get("y", 0))
    role = trial.coords.get("role")
    if role == "catch":
        return role, *(cell[a] for a in plan.background_axes)
    return role, *cell


@remembered
def _repeatable(trial: Trial) -> bool:
    stimulus = trial.stimulus
    return (
        stimulus is not None
        and not stimulus["noise_sigma"]
        and not trial.fingerprint.startswith(_DRAWN_ANEW)
    )


def _clip(trial: Trial) -> str:
    """Content hash of a trial's clip; remembered by question."""
    mark = _CLIPS.get(trial.key)
    if mark is None:
        if len(_CLIPS) >= _MOST_CLIPS:
            _CLIPS.clear()
        mark = _CLIPS[trial.key] = Stimulus.from_dict(trial.stimulus or {}).hash
    return mark
