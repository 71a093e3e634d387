"""The shortcut audit: how far one cue alone gets on the trials of a run.

A task that measures hearing must not be answerable by how loud, how long or how late the clip is.
The trivial observers of `listeners.observers.shortcuts` answer the same clips; what they reach is a
floor beside every listener.

*Conventions*: shares are means over the true answers of the share right of each, so that a hundred
catch trials weigh as much as a thousand signal trials and guessing is worth 1/answers. Counting is
audited on clips of two events or more: none and one are told from several by any measure (silence,
no second onset). A cue is a shortcut where it reaches more than `LIMIT` of two answers or twice
chance of more. Some cannot be taken away, because the cue is what is asked about: `THEORY`.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.listeners.observers.shortcuts import CUES, Cues, cues_of, reached
from spectcount.probing.base import Plan
from spectcount.probing.draws import PlannedQuestion
from spectcount.probing.plan import AnyPlan
from spectcount.psychophysics.sdt import Interval, interval_of, wilson
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import task
from spectcount.trials import Trial, make_trial, normalise, stimulus_hash

LIMIT = 0.65
MOST_CLIPS = 400
MOST_SECONDS = 1600.0
"""Of sound that is measured: enough for 400 clips of 4 s, 53 of 30 s."""
FEWEST_PER_ANSWER = 8
RIGHT = 0.75
SHOWN = 3
"""Cues that the sentence names besides the shortcuts."""
COUNTING_ONLY = ("energy_ratio",)
"""Cues that compare two sounds: elsewhere comparing them is the task."""

_SOUND_OR_NONE = "a sound is asked about against none, and any measure of sound tells them apart"
_SECOND_ONSET = "the sound stops and goes on, so that a second onset is the gap itself"
_PROBE = "the probe is a second sound, so that a second onset is what is asked about"
_PLACE = "the place in the clip is what is asked about"
_PEAKS = "a sound that fluctuates has higher peaks: they are a measure of the modulation"
_SPACING = "the spacing is what is tracked, and equal spacings make a time that tells the number"
THEORY: dict[str, dict[str, str]] = {
    "detect": dict.fromkeys(CUES, _SOUND_OR_NONE),
    "interval": {"last_onset": _PLACE},
    "gap": dict.fromkeys(("first_interval", "first_length", "last_onset"), _SECOND_ONSET),
    "modulated": dict.fromkeys(("kurtosis", "crest"), _PEAKS),
    "cue": dict.fromkeys(("first_interval", "last_onset"), _PROBE),
}
"""Task -> cue -> why no design can take it away."""
SPACED = dict.fromkeys(("extent", "last_onset"), _SPACING)
"""The same for counting where a procedure holds the spacing near one value."""


@dataclass(frozen=True)
class Floor:
    """One cue: its key and `words`, the share right with an approximate interval (Wilson), and why
    it cannot be taken away where that is so."""

    cue: str
    words: str
    rate: Interval
    theory: str = ""


@dataclass(frozen=True)
class Audit:
    """The accuracy that each cue reaches on `n` clips of a task, the largest first; `listeners` is
    each listener's share right, taken in the same way; `chance` and `limit` as in the module."""

    task: str
    n: int
    chance: float
    limit: float
    floors: tuple[Floor, ...]
    listeners: Mapping[str, float]

    @property
    def above(self) -> list[Floor]:
        """The shortcuts: reliably over the limit."""
        return [f for f in self.floors if f.rate.low > self.limit]

    @property
    def best(self) -> Floor:
        """The cue that gets furthest."""
        return self.floors[0]

    @property
    def sentence(self) -> str:
        """Every shortcut, or that there is none, and the next best cues."""
        verb = "counts" if task(self.task).counts else "answers"
        parts = [self._above_words(verb, theory) for theory in {f.theory: 0 for f in self.above}]
        rest = [f for f in self.floors if f not in self.above][:SHOWN]
        near = ", ".join(f"{f.words} {_percent(f.rate.value)}" for f in rest)
        head = "; ".join(parts) or f"no cue alone {verb} these clips"
        tail = f"; {'others reach' if parts else 'the best reach'} {near}" if near else ""
        return (
            f"{head}{tail} (best fixed mapping, cross-validated, {self.n} clips, chance "
            f"{_percent(self.chance)})"
        )

    def _above_words(self, verb: str, theory: str) -> str:
        """The shortcuts that share a reason, or have none."""
        first, *others = [f for f in self.above if f.theory == theory]
        words = f"{first.words} alone {verb} these clips {_percent(first.rate.value)} right"
        if others:
            listed = ", ".join(f"{f.words} {_percent(f.rate.value)}" for f in others)
            words += f", {listed}"
        return words + (f" ({theory})" if theory else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, `sentence` among it."""
        return {
            "task": self.task,
            "n": self.n,
            "chance": self.chance,
            "limit": self.limit,
            "sentence": self.sentence,
            "own": dict(self.listeners),
            "floors": [
                {"cue": f.cue, "words": f.words, "rate": vars(f.rate), "theory": f.theory}
                for f in self.floors
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Audit:
        """From what `to_dict` wrote."""
        floors = tuple(
            Floor(f["cue"], f["words"], interval_of(f["rate"]), f["theory"]) for f in data["floors"]
        )
        return cls(data["task"], data["n"], data["chance"], data["limit"], floors, data["own"])


def audit(plan: Plan, trials: Mapping[str, Sequence[Trial]]) -> Audit | None:
    """The audit of a run's trials by listener; None where there are too few clips, or no right
    answer."""
    clips: dict[str, tuple[_Asked, str]] = {}
    for listed in trials.values():
        for trial in listed:
            mark = stimulus_hash(trial)
            if mark and mark not in clips and trial.truth is not None:
                clips[mark] = (_Asked.about(trial), trial.truth)
    shares = {
        name: share for name, listed in trials.items() if not math.isnan(share := _own(listed))
    }
    return audit_clips(plan.task, clips.values(), shares, theory_of(plan))


@dataclass(frozen=True)
class _Asked:
    """The clip of a trial, made when it is measured: of many only a sample is."""

    duration_s: float
    trial: Trial

    @classmethod
    def about(cls, trial: Trial) -> _Asked:
        return cls((trial.stimulus or {})["duration_s"], trial)

    @property
    def stimulus(self) -> Stimulus:
        return Stimulus.from_dict(self.trial.stimulus or {})


Clip = Stimulus | _Asked


def audit_clips(
    task_name: str,
    clips: Iterable[tuple[Clip, str]],
    listeners: Mapping[str, float] | None = None,
    theory: Mapping[str, str] | None = None,
) -> Audit | None:
    """The audit of clips with their true answers; signal and counterpart of one draw in a row.
    `theory`: cue -> why it cannot be taken away, where that is more than the task tells."""
    of_task = task(task_name)
    if not of_task.has_truth:
        return None
    used = _some([(s, truth) for s, truth in clips if _audited(task_name, truth)])
    counts = Counter(truth for _, truth in used)
    if len(counts) < 2 or min(counts.values()) < FEWEST_PER_ANSWER:
        return None
    shares = reached([_cues(_made(s)) for s, _ in used], [truth for _, truth in used])
    theory = THEORY.get(task_name, {}) if theory is None else theory
    floors = [
        Floor(cue, words, _wilson(shares[cue], len(used)), theory.get(cue, ""))
        for cue, words in CUES.items()
        if of_task.counts or cue not in COUNTING_ONLY
    ]
    chance = 1 / len(counts)
    return Audit(
        task_name,
        len(used),
        chance,
        LIMIT if len(counts) == 2 else 2 * chance,
        tuple(sorted(floors, key=lambda f: -f.rate.value)),
        listeners or {},
    )


def theory_of(plan: Plan) -> dict[str, str]:
    """Cue -> why this plan cannot take it away."""
    spaced = plan.adaptive and getattr(plan, "parameter", "") == "gap_ms" and plan.asked.counts
    return {**THEORY.get(plan.task, {}), **(SPACED if spaced else {})}


def floor_lines(result: Audit | None) -> list[tuple[float, str]]:
    """The best cue as a reference line in a figure of accuracies."""
    return [(result.best.rate.value, f"{result.best.words} alone")] if result is not None else []


def clips_of(plan: AnyPlan, seed: int) -> Iterator[tuple[Plan, list[tuple[Stimulus, str]]]]:
    """Each plan that is asked, and its clips with their true answers. A plan that follows the
    answers gets such as are right three times in four."""
    for part in plan.parts:
        yield part, _clips_of(part, seed)


def _clips_of(plan: Plan, seed: int) -> list[tuple[Stimulus, str]]:
    rng = np.random.default_rng(seed)
    asking, clips = plan.ask(seed), []
    batch = next(asking, None)
    while batch is not None:
        questions = [planned.question for planned in batch]
        clips += [(q.stimulus, q.truth) for q in questions if q.stimulus and q.truth is not None]
        try:
            batch = asking.send([_answered(planned, rng) for planned in batch])
        except StopIteration:
            batch = None
    return clips


def _audited(task_name: str, truth: str) -> bool:
    return not task(task_name).counts or int(truth) >= 2


def _made(clip: Clip) -> Stimulus:
    return clip if isinstance(clip, Stimulus) else clip.stimulus


def _some(clips: list[tuple[Clip, str]]) -> list[tuple[Clip, str]]:
    """At most as many as are cheap to measure, evenly from all; pairs stay together."""
    seconds = sum(s.duration_s for s, _ in clips)
    most = min(MOST_CLIPS, int(len(clips) * MOST_SECONDS / max(seconds, MOST_SECONDS)))
    if most >= len(clips):
        return clips
    pairs = np.unique(np.linspace(0, (len(clips) - 1) // 2, max(most // 2, 1)).astype(int))
    return [clips[i] for k in pairs for i in (2 * k, 2 * k + 1) if i < len(clips)]


@functools.lru_cache(maxsize=4096)
def _cues(stimulus: Stimulus) -> Cues:
    return cues_of(synthesise(stimulus))


def _own(trials: Sequence[Trial]) -> float:
    """A listener's share right, the mean over the true answers."""
    right: dict[str, list[bool]] = {}
    for t in trials:
        if t.truth is not None and _audited(t.task, t.truth):
            right.setdefault(t.truth, []).append(t.answer == t.truth)
    return float(np.mean([np.mean(answers) for answers in right.values()])) if right else math.nan


def _wilson(share: float, n: int) -> Interval:
    interval = wilson(round(share * n), n)
    return Interval(
        share, float(interval.low), float(interval.high), 0.95, "Wilson score, approximate"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _answered(planned: PlannedQuestion, rng: np.random.Generator) -> Trial:
    question = planned.question
    right = [a == question.truth for a in question.answers]
    knows = True in right and rng.random() < RIGHT
    place = right.index(True) if knows else int(rng.integers(len(right)))
    scores = normalise(np.where(np.arange(len(right)) == place, 0.0, -8.0))
    return make_trial(
        question, scores, 1.0, fingerprint="audit", listener="audit", coords=planned.coords
    )
