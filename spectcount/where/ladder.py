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
BOOTSTRAPPED, DRAWS_OF_CONTROL = 2, 200
"""Permutations of each stage, and draws of each, whose bootstrap is held against the control."""
FILE = "ladder.json"


@dataclass(frozen=True)
class Heard:
    """The clips in one listener: vectors [clips, width] of each stage, and log p of the closed set
    [clips, answers], normalised."""

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
    def lines(self) -> list[str]:
        """A table for each listener, then what may be said."""
        lines = [self.words]
        for name, each in self.listeners.items():
            lines += [f"{name}:", *(f"  {rung.words}" for rung in each.rungs)]
            if each.d_prime is not None:
                lines.append(f"  answers: d' {each.d_prime}, criterion {each.criterion}")
        return [*lines, *self.sentences]

    @property
    def sentences(self) -> list[str]:
        """All that may be said, listener by listener, the change last."""
        words_of_each = [
            f"{name}: {words}"
            for name, each in self.listeners.items()
            for words in (each.sentence, each.threshold_sentence)
            if words
        ]
        return words_of_each + ([self.change_sentence] if self.change_sentence else [])


CLASSES: tuple[type, ...] = (Ladder, ListenerLadder, Rung, Interval, ScoreFit, Levels)


def to_json(ladder_: Ladder) -> str:
    """A ladder as the text of a file."""
    return records.dumps(ladder_)


def from_json(text: str) -> Ladder | None:
    """The ladder in a text; None where it is of another version, or none at all."""
    return records.of_version(text, Ladder, CLASSES, VERSION)


def ladder_of(
    clips: Clips, heard: Mapping[str, Heard], source: str, seed: int, ideal: np.ndarray | None
) -> Ladder:
    """The ladder of listeners (base first); `ideal` [clips]: scores of the ideal observer."""
    rng = np.random.default_rng([seed, 12])
    split = _split(clips.truths) if clips.counted else 0.0
    frame = _Frame.of(clips, split, rng)
    reads = {name: frame.read(each) for name, each in heard.items()}
    listeners = {name: _listener(frame, heard[name], reads[name]) for name in heard}
    changes, sentence = _changes(list(heard), list(reads.values()), listeners)
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
    """Shared by all stages and listeners: clips, units and their draws, folds, targets [G, g, 1 +
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

    def read(self, heard: Heard) -> _Read:
        """The scores of all stages of a listener, and of the control."""
        scores = []
        for vectors in heard.vectors:
            features = vectors.astype(float).reshape(len(self.folds), self.clips.size, -1)
            features = decoding.centred(features, self.clips.words)
            floor = decoding.rounding(vectors)
            read = decoding.out_of_fold(features, self.targets, self.folds, floor)
            scores.append(read.reshape(len(vectors), -1))
        controls = np.array([self._control(s) for s in scores])
        some = range(1, 1 + BOOTSTRAPPED)
        drawn = [
            ladder.d_a(s[:, k], self.shuffled[k - 1], self.weights[:DRAWS_OF_CONTROL])
            for s in scores
            for k in some
        ]
        extra = np.full(len(scores) + 1, ladder.extra_variance(controls, drawn))
        extra[-1] = 0.0  # the readout is fitted to no clip
        answered = _own(self.clips, heard.log_probs).reshape(len(self.folds), self.clips.size, 1)
        scores.append(decoding.centred(answered, self.clips.words).reshape(-1, 1))
        d = np.stack([ladder.d_a(s[:, 0], self.units, self.weights) for s in scores])
        return _Read(d, tuple(s[:, 0] for s in scores), controls, extra)

    def interval(self, values: np.ndarray, extra: float = 0.0) -> Interval:
        return ladder.alone(values, extra, self.top)

    def _control(self, scores: np.ndarray) -> list[float]:
        """d_a of the permuted labels."""
        once = self.weights[:1]
        return [
            float(ladder.d_a(scores[:, k], units, once)[0])
            for k, units in enumerate(self.shuffled, start=1)
        ]

    def by_condition(self, scores: np.ndarray, extra: float) -> tuple[Interval, ...]:
        """d_a among the clips of each condition; what clips of all of them share in `extra` grows
        as they become fewer."""
        if self.clips.counted:
            return ()
        intervals = []
        for k in range(len(self.clips.condition_words)):
            units = self.units.only(self.clips.conditions == k)
            values = ladder.d_a(scores, units, self.weights)
            share = len(self.units.positive) / len(units.positive)
            intervals.append(ladder.alone(values, extra * share, ladder.ceiling(units)))
        return tuple(intervals)


@dataclass(frozen=True)
class _Read:
    """d_a [stages, 1 + draws] and scores [clips] of each stage, `controls` [stages - 1,
    permutations], `extra` variance [stages]; the readout is the last stage."""

    d: np.ndarray
    scores: tuple[np.ndarray, ...]
    controls: np.ndarray
    extra: np.ndarray

    @property
    def losses(self) -> list[Interval]:
        """The loss behind each stage but the last."""
        return ladder.together(ladder.losses(self.d), self.extra[:-1] + self.extra[0])


def _own(clips: Clips, log_probs: np.ndarray) -> np.ndarray:
    """The model's own score of each clip: log odds, or the expected number."""
    if clips.counted:
        numbers = np.array([float(word) for word in clips.questions[0].answers])
        return np.asarray(np.exp(log_probs) @ numbers)
    return np.asarray(log_probs[:, 0] - log_probs[:, 1])


def _listener(frame: _Frame, heard: Heard, read: _Read) -> ListenerLadder:
    lost: list[Interval | None] = [*read.losses, None]
    controls = [*map(tuple, read.controls.tolist()), ()]
    rungs = tuple(
        _rung(frame, name, read, k, controls[k], lost[k])
        for k, name in enumerate((*heard.stages, READOUT))
    )
    d_prime, criterion, answered = _answers(frame.clips, heard.log_probs)
    return ListenerLadder(
        heard.fingerprint,
        rungs,
        d_prime,
        criterion,
        answered,
        _loss_sentence(rungs, read),
        _threshold_sentence(rungs, answered, frame.clips.levels),
    )


def _rung(
    frame: _Frame, name: str, read: _Read, k: int, control: tuple[float, ...], lost: Interval | None
) -> Rung:
    clips, scores, extra = frame.clips, read.scores[k], float(read.extra[k])
    rank = None
    if clips.counted:
        rank = ladder.alone(
            ladder.rank_correlation(scores, clips.truths.ravel(), frame.weights), rule=ladder.RANKS
        )
    return Rung(
        name,
        frame.interval(read.d[k], extra),
        control,
        lost,
        rank,
        _threshold(clips, scores),
        frame.by_condition(scores, extra),
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


def _loss_sentence(rungs: Sequence[Rung], read: _Read) -> str:
    """The largest loss whose interval excludes 0, or that none can be named."""
    best = max(rungs, key=lambda rung: float(rung.d_a.value))
    if ladder.largest(ladder.together(read.d, read.extra)) is None:
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
    names: Sequence[str], reads: Sequence[_Read], ladders: Mapping[str, ListenerLadder]
) -> tuple[tuple[Interval, ...], str]:
    """The change of each stage from the first listener to the second, and its sentence."""
    if len(names) != 2 or reads[0].d.shape != reads[1].d.shape:
        return (), ""
    base, tuned = reads
    changes = ladder.together(tuned.d - base.d, base.extra + tuned.extra)
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
