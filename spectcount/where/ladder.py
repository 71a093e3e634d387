"""States of clips -> the sensitivity ladder: what each stage tells, and where it is lost.

Every number is *linearly readable, a lower bound*: a stage may hold more than a linear decoder
finds with so many clips. The readout is the model's own log p(yes) - log p(no) (counting: the
expected number); the answers give d' as everywhere. Answers are no rung of the ladder: a criterion
far out lowers d' without any loss of hearing.

*Conventions*: stages in the order of the model, `READOUT` last. The AUC tells signal from
counterpart, "first" from "second", or, where the task is to count, `split` or more from fewer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import spectcount
from spectcount import records
from spectcount.psychophysics import decoding, ladder, sdt
from spectcount.psychophysics.graded import ScoreFit, auc_threshold, fit_answers
from spectcount.psychophysics.sdt import Interval
from spectcount.where.clips import Clips, Levels

VERSION = f"{spectcount.__version__}/1"
"""Raise the number behind the slash with every change of what states say."""
READOUT, ANSWERS = "readout", "answers"
PERMUTATIONS = 20
FILE = "ladder.json"


@dataclass(frozen=True)
class Heard:
    """All that one listener makes of the clips: vectors [clips, width] of each stage, and log p of the
    closed set [clips, answers], normalised."""

    fingerprint: str
    stages: tuple[str, ...]
    vectors: tuple[np.ndarray, ...]
    log_probs: np.ndarray


@dataclass(frozen=True)
class Rung:
    """One stage: d_a with its interval, d_a of each permutation of the labels, what is `lost`
    behind it (its d_a less the best of any later stage; None of the last), rank correlation with
    the number (counting), threshold (levels), d_a in each condition."""

    stage: str
    d_a: Interval
    control: tuple[float, ...]
    lost: Interval | None
    rank: Interval | None
    threshold: ScoreFit | None
    by_condition: tuple[Interval, ...]

    @property
    def control_mean(self) -> float:
        """Mean d_a of permuted labels, 0 but for chance; nan where nothing was decoded."""
        return float(np.mean(self.control)) if self.control else math.nan

    @property
    def words(self) -> str:
        """All numbers of the stage in one line."""
        parts = [f"{self.stage}: d_a {self.d_a}"]
        if self.rank is not None:
            parts.append(f"rank correlation {self.rank}")
        if self.lost is not None:
            parts.append(f"lost behind it {self.lost}")
        if self.control:
            parts.append(f"control {self.control_mean:+.2f} (largest {self.control_largest:+.2f})")
        if self.threshold is not None:
            fit = self.threshold
            parts.append(f"threshold {fit.threshold}" if fit.measurable else fit.reason)
        return ", ".join(parts)

    @property
    def control_largest(self) -> float:
        """Largest d_a of permuted labels."""
        return max(self.control, key=abs, default=math.nan)


@dataclass(frozen=True)
class ListenerLadder:
    """The rungs of one listener, its answers' d' and criterion, the level where the answers reach
    d' = 1, the sentence about its largest loss."""

    fingerprint: str
    rungs: tuple[Rung, ...]
    d_prime: Interval | None
    criterion: Interval | None
    answered: ScoreFit | None
    sentence: str
    threshold_sentence: str


@dataclass(frozen=True)
class Ladder:
    """Ladders of listeners that heard the same clips. `ceiling`: largest d_a that so many clips
    tell; `ideal`: the ideal observer's d_a; `changes` from the first listener to the second, by
    stage."""

    version: str
    source: str
    task: str
    n_groups: int
    counted: bool
    split: float
    condition_words: tuple[str, ...]
    levels: Levels | None
    ceiling: float
    ideal: Interval | None
    listeners: Mapping[str, ListenerLadder]
    changes: tuple[Interval, ...]
    change_sentence: str

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the rungs."""
        return tuple(rung.stage for rung in next(iter(self.listeners.values())).rungs)

    @property
    def words(self) -> str:
        """The clips, and how to read the numbers."""
        groups = "clips" if self.counted else "pairs of signal and counterpart"
        sides = (
            f"{self.split:g} or more against fewer" if self.counted else "signal and counterpart"
        )
        return (
            f"{self.task}, {self.n_groups} {groups}: how well {sides} can be told apart, linearly "
            "readable from mean, maximum and standard deviation over tokens, a lower bound; "
            f"intervals at 95 %; more than d_a {self.ceiling:.2f} cannot be told with so many"
        )

    @property
    def sentences(self) -> list[str]:
        """All that may be said, listener by listener, the change last."""
        own = [
            f"{name}: {words}"
            for name, each in self.listeners.items()
            for words in (each.sentence, each.threshold_sentence)
            if words
        ]
        return own + ([self.change_sentence] if self.change_sentence else [])


CLASSES: tuple[type, ...] = (Ladder, ListenerLadder, Rung, Interval, ScoreFit, Levels)


def to_json(ladder_: Ladder) -> str:
    """A ladder as the text of a file."""
    return records.dumps(ladder_)


def from_json(text: str) -> Ladder | None:
    """The ladder in a text; None where it is of another version, or none at all."""
    try:
        ladder_ = records.loads(text, CLASSES)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    known = isinstance(ladder_, Ladder) and ladder_.version == VERSION
    return ladder_ if known else None


def ladder_of(
    clips: Clips, heard: Mapping[str, Heard], source: str, seed: int, ideal: np.ndarray | None
) -> Ladder:
    """The ladder of listeners (base first); `ideal` [clips]: scores of the ideal observer."""
    rng = np.random.default_rng([seed, 12])
    split = _split(clips.truths) if clips.counted else 0.0
    frame = _Frame.of(clips, split, rng)
    values = {name: frame.values(each) for name, each in heard.items()}
    listeners = {name: _listener(frame, heard[name], *values[name]) for name in heard}
    changes, sentence = _changes(list(heard), [d for d, _ in values.values()], listeners)
    return Ladder(
        VERSION,
        source,
        clips.task,
        len(clips.groups),
        clips.counted,
        split,
        clips.condition_words,
        clips.levels,
        frame.top,
        None if ideal is None else frame.interval(ladder.d_a(ideal, frame.units, frame.weights)),
        listeners,
        changes,
        sentence,
    )


def _split(numbers: np.ndarray) -> float:
    """The number that parts clips into halves as equal as they go: so many or more, and fewer."""
    known = np.unique(numbers)[1:]
    return float(min(known, key=lambda n: abs(float(np.mean(numbers >= n)) - 0.5)))


@dataclass(frozen=True)
class _Frame:
    """The parts that all stages and listeners share: clips, units and their draws, folds, targets [G, g, 1 +
    permutations], and the units of each permutation."""

    clips: Clips
    units: ladder.Units
    weights: np.ndarray
    folds: np.ndarray
    targets: np.ndarray
    shuffled: tuple[ladder.Units, ...]
    top: float

    @classmethod
    def of(cls, clips: Clips, split: float, rng: np.random.Generator) -> _Frame:
        truths = clips.truths
        targets = np.concatenate(
            [truths[:, :, None], decoding.permuted(truths, rng, PERMUTATIONS)], axis=2
        )
        unit = np.repeat(np.arange(len(truths)), clips.size)
        sides = targets.reshape(len(unit), -1) >= (split if clips.counted else 0)
        units = [
            ladder.Units(np.flatnonzero(side), np.flatnonzero(~side), unit) for side in sides.T
        ]
        weights = ladder.draws_of(len(truths), rng)
        folds = decoding.deal_folds(clips.conditions, rng)
        top = ladder.ceiling(units[0])
        return cls(clips, units[0], weights, folds, targets, tuple(units[1:]), top)

    def values(self, heard: Heard) -> tuple[np.ndarray, list[np.ndarray]]:
        """(d_a [stages, 1 + draws], scores of each stage [clips, 1 + permutations]); of the readout
        its own scores [clips, 1]."""
        scores = []
        for vectors in heard.vectors:
            features = vectors.astype(float).reshape(len(self.folds), self.clips.size, -1)
            features = decoding.centred(features, self.clips.words)
            read = decoding.out_of_fold(features, self.targets, self.folds)
            scores.append(read.reshape(len(vectors), -1))
        own = _own(self.clips, heard.log_probs).reshape(len(self.folds), self.clips.size, 1)
        scores.append(decoding.centred(own, self.clips.words).reshape(-1, 1))
        d = np.stack([ladder.d_a(s[:, 0], self.units, self.weights) for s in scores])
        return d, scores

    def interval(self, values: np.ndarray) -> Interval:
        return ladder.alone(values, top=self.top)

    def control(self, scores: np.ndarray) -> tuple[float, ...]:
        """d_a of the permuted labels."""
        once = self.weights[:1]
        return tuple(
            float(ladder.d_a(scores[:, k], units, once)[0])
            for k, units in enumerate(self.shuffled[: scores.shape[1] - 1], start=1)
        )

    def by_condition(self, scores: np.ndarray) -> tuple[Interval, ...]:
        """d_a among the clips of each condition."""
        if self.clips.counted:
            return ()
        intervals = []
        for k in range(len(self.clips.condition_words)):
            units = self.units.only(self.clips.conditions == k)
            values = ladder.d_a(scores, units, self.weights)
            intervals.append(ladder.alone(values, top=ladder.ceiling(units)))
        return tuple(intervals)


def _own(clips: Clips, log_probs: np.ndarray) -> np.ndarray:
    """The model's own score of each clip: log odds, or the expected number."""
    if clips.counted:
        numbers = np.array([float(word) for word in clips.questions[0].answers])
        return np.asarray(np.exp(log_probs) @ numbers)
    return np.asarray(log_probs[:, 0] - log_probs[:, 1])


def _listener(
    frame: _Frame, heard: Heard, d: np.ndarray, scores: list[np.ndarray]
) -> ListenerLadder:
    clips, names = frame.clips, (*heard.stages, READOUT)
    lost: list[Interval | None] = [*ladder.together(ladder.losses(d)), None]
    numbers = clips.truths.ravel()
    rungs = []
    for k, name in enumerate(names):
        score = scores[k][:, 0]
        rank = None
        if clips.counted:
            drawn = ladder.rank_correlation(score, numbers, frame.weights)
            rank = ladder.alone(drawn)
        rungs.append(
            Rung(
                name,
                frame.interval(d[k]),
                frame.control(scores[k]),
                lost[k],
                rank,
                _threshold(clips, score),
                frame.by_condition(score),
            )
        )
    d_prime, criterion, answered = _answers(clips, heard.log_probs)
    sentence = _loss_sentence(rungs, d)
    return ListenerLadder(
        heard.fingerprint,
        tuple(rungs),
        d_prime,
        criterion,
        answered,
        sentence,
        _threshold_sentence(rungs, answered, clips.levels),
    )


def _threshold(clips: Clips, scores: np.ndarray) -> ScoreFit | None:
    """The level where d_a = 1, where the run has levels."""
    levels = clips.levels
    if levels is None or clips.counted:
        return None
    x, signal = np.repeat(levels.values, clips.size), clips.truths.ravel() > 0
    return auc_threshold(x, scores, signal, log=levels.log, falling=levels.falling)


def _answers(
    clips: Clips, log_probs: np.ndarray
) -> tuple[Interval | None, Interval | None, ScoreFit | None]:
    """d' and criterion of the answers, and the level where they reach d' = 1."""
    if clips.counted:
        return None, None, None
    yes, signal = log_probs.argmax(axis=1) == 0, clips.truths.ravel() > 0
    counts = yes[signal].sum(), signal.sum(), yes[~signal].sum(), (~signal).sum()
    levels, fit = clips.levels, None
    if levels is not None:
        x = np.repeat(levels.values, clips.size)
        fit = fit_answers(x, yes, signal, log=levels.log, falling=levels.falling)
    return sdt.d_prime(*counts), sdt.criterion(*counts), fit


def _loss_sentence(rungs: Sequence[Rung], values: np.ndarray) -> str:
    """The largest loss whose interval excludes 0, or that none can be named; `values` as of
    `losses`."""
    best = max(rungs, key=lambda rung: float(rung.d_a.value))
    if ladder.largest(ladder.together(values)) is None:
        return (
            "no stage can be named: nothing is linearly readable at any stage (largest d_a "
            f"{best.d_a}, {best.stage})"
        )
    lost = [rung.lost for rung in rungs if rung.lost is not None]
    place = ladder.largest(lost)
    if place is None:
        return "no stage can be named: behind none is a loss whose interval excludes 0"
    later = max(rungs[place + 1 :], key=lambda rung: float(rung.d_a.value))
    return (
        f"the largest loss lies between {rungs[place].stage} and {rungs[place + 1].stage}: d_a "
        f"{float(rungs[place].d_a.value):.2f} there, {float(later.d_a.value):.2f} at the best "
        f"later stage ({later.stage}), {lost[place]} lost (95 % for all stages together)"
    )


def _threshold_sentence(
    rungs: Sequence[Rung], answered: ScoreFit | None, levels: Levels | None
) -> str:
    """Down to which level the best stage can be read, and from which the answers follow."""
    if levels is None or answered is None:
        return ""
    known = [r for r in rungs[:-1] if r.threshold is not None and r.threshold.measurable]
    if not known:
        return f"at no stage is a threshold of {levels.name} measurable"
    sign = -1 if levels.falling else 1
    best = min(known, key=lambda r: sign * float(r.threshold.threshold.value))  # type: ignore[union-attr]
    assert best.threshold is not None
    unit = f" {levels.unit}" if levels.unit else ""
    word = "up to" if levels.falling else "down to"
    ends = (
        f"answered {'up to' if levels.falling else 'from'} "
        f"{sdt.interval_text(answered.threshold, '{:.3g}'.format)}{unit}"
        if answered.measurable
        else f"answers {answered.reason}"
    )
    return (
        f"readable at {best.stage} {word} {levels.name} "
        f"{sdt.interval_text(best.threshold.threshold, '{:.3g}'.format)}{unit}, {ends} (d' = 1)"
    )


def _changes(
    names: Sequence[str], values: Sequence[np.ndarray], ladders: Mapping[str, ListenerLadder]
) -> tuple[tuple[Interval, ...], str]:
    """The change of each stage from the first listener to the second, and its sentence."""
    if len(names) != 2 or values[0].shape != values[1].shape:
        return (), ""
    changes = ladder.together(values[1] - values[0])
    stages = [rung.stage for rung in ladders[names[0]].rungs]
    moved = [k for k, each in enumerate(changes) if each.low > 0 or each.high < 0]
    head = f"from {names[0]} to {names[1]}"
    if not moved:
        return tuple(changes), f"{head} no stage changes by more than chance"
    most = max(moved, key=lambda k: abs(float(changes[k].value)))
    words = (
        f"{head} the first stage that changes is {stages[moved[0]]} ({changes[moved[0]]}), the "
        f"largest change is at {stages[most]} ({changes[most]}; 95 % for all stages together)"
    )
    return tuple(changes), words
