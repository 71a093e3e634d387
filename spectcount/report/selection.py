"""The trials of a run as a report needs them: read from the store at each pass, counted once.

Conventions: trials come in the order of asking, up to the last one that was there when the run was
loaded. A selection is a whole run, one listener of it, one of several interleaved plans, or both.
A run may have a million trials: of each, no more than some bytes are held between passes.
"""

from __future__ import annotations

import functools
import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectcount.configs import Json
from spectcount.probing.maps import parsed
from spectcount.probing.plan import PART
from spectcount.report.facts import Digest
from spectcount.store import Store
from spectcount.trials import Trial, remember, stimulus_hash

LOW_MASS = 0.5
Span = tuple[float, float]
"""Smallest and largest value; infinite where there is none."""
_NONE: Span = (np.inf, -np.inf)


def _wider(span: Span, other: Span) -> Span:
    return min(span[0], other[0]), max(span[1], other[1])


@dataclass
class Tally:
    """Counts of trials. `clip_s`, `noise_sigma`: spans over their clips; `questions`: a hash of
    each key, `clip_samples`: the lengths of their clips; `wordings`: (wording, reverse); `shapes`:
    (answers, names of coords) -> place in the run of the first such trial; `signals`: trials with
    a clip that are no catch trials, by cell (x, y)."""

    fingerprints: dict[str, str] = field(default_factory=dict)
    n: int = 0
    mass: float = 0.0
    n_low_mass: int = 0
    n_replies: int = 0
    n_unparsed: int = 0
    clip_s: Span = _NONE
    noise_sigma: Span = _NONE
    questions: array[int] = field(default_factory=lambda: array("q"), repr=False)
    clip_samples: array[int] = field(default_factory=lambda: array("q"), repr=False)
    wordings: set[tuple[int, bool]] = field(default_factory=set)
    shapes: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = field(default_factory=dict)
    carriers: set[str] = field(default_factory=set)
    signals: Counter[tuple[Any, Any]] = field(default_factory=Counter)

    def add(self, trial: Trial, place: int) -> None:
        """Count a trial, the run's number `place`."""
        self.n += 1
        self.mass += trial.mass
        self.n_low_mass += trial.mass < LOW_MASS
        if trial.reply is not None:
            self.n_replies += 1
            self.n_unparsed += parsed(trial) is None
        self.fingerprints.setdefault(trial.listener, trial.fingerprint)
        self.questions.append(hash(trial.key))
        self.wordings.add((trial.wording, trial.reverse))
        coords = trial.coords
        self.shapes.setdefault((trial.answers, tuple(coords)), place)
        stimulus = trial.stimulus
        self.clip_samples.append(0 if stimulus is None else _n_samples(stimulus))
        if stimulus is not None:
            self._add_clip(stimulus)
        if is_signal(trial):
            self.signals[cell_of(coords)] += 1

    def _add_clip(self, stimulus: Mapping[str, Any]) -> None:
        length, sigma = stimulus["duration_s"], stimulus["noise_sigma"]
        self.clip_s = _wider(self.clip_s, (length, length))
        self.noise_sigma = _wider(self.noise_sigma, (sigma, sigma))
        for sound in (*stimulus.get("events", ()), *stimulus.get("background", ())):
            if sound.get("carrier"):
                self.carriers.add(sound["carrier"])

    def join(self, other: Tally) -> None:
        """Count what another one, of later trials, has counted."""
        self.fingerprints |= other.fingerprints
        for name in ("n", "mass", "n_low_mass", "n_replies", "n_unparsed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.clip_s = _wider(self.clip_s, other.clip_s)
        self.noise_sigma = _wider(self.noise_sigma, other.noise_sigma)
        self.questions += other.questions
        self.clip_samples += other.clip_samples
        self.wordings |= other.wordings
        for shape, place in other.shapes.items():
            self.shapes[shape] = min(place, self.shapes.get(shape, place))
        self.carriers |= other.carriers
        self.signals += other.signals

    @property
    def n_questions(self) -> int:
        """Number of different questions. Two of a million share a hash once in 10^7 runs."""
        return len(self._first_asked)

    @property
    def audio_mb(self) -> float:
        """Size of the clips of all different questions as 32-bit samples, 10^6 bytes."""
        samples = np.frombuffer(self.clip_samples, np.int64)
        return float(samples[self._first_asked].sum()) * 4 / 1e6

    @property
    def _first_asked(self) -> np.ndarray:
        """Place of the first trial of each different question."""
        keys = np.frombuffer(self.questions, np.int64)
        places: np.ndarray = np.unique(keys, return_index=True)[1]
        return places

    @property
    def mean_mass(self) -> float:
        """Mean probability of the closed answer set."""
        return self.mass / self.n

    @property
    def low_mass_share(self) -> float:
        """Share of the trials with a mass below `LOW_MASS`."""
        return self.n_low_mass / self.n

    @property
    def answers(self) -> list[str]:
        """Every answer of their closed sets, in order of appearance."""
        return list(dict.fromkeys(a for answers, _ in self._in_order() for a in answers))

    @property
    def coords(self) -> list[str]:
        """Names of their coords, in order of appearance."""
        return list(dict.fromkeys(name for _, names in self._in_order() for name in names))

    def _in_order(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        return sorted(self.shapes, key=self.shapes.__getitem__)


def _n_samples(stimulus: Mapping[str, Any]) -> int:
    return round(stimulus["duration_s"] * stimulus["sample_rate"])


def is_signal(trial: Trial) -> bool:
    """True of a trial with a clip of its own that is no catch trial."""
    return bool(trial.stimulus) and trial.coords.get("role", "signal") != "catch"


def cell_of(coords: Mapping[str, Any]) -> tuple[Any, Any]:
    """Where in a plan a trial lies."""
    return coords.get("x", 0), coords.get("y", 0)


class RunTrials:
    """All trials of a run in a store; what is computed of them is computed once."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store, self.run_id = store, run_id
        self.last_row, self.n = store.n_trials_since(run_id)
        self._hashes: array[int] = array("Q")

    @functools.cached_property
    def tallies(self) -> dict[tuple[str, Any], Tally]:
        """(listener, plan) -> its counts, in order of appearance."""
        tallies: defaultdict[tuple[str, Any], Tally] = defaultdict(Tally)
        for place, trial in enumerate(self.store.each_trial(self.run_id, self.last_row)):
            tallies[trial.listener, trial.coords.get(PART)].add(trial, place)
        return dict(tallies)

    @functools.cached_property
    def digests(self) -> dict[tuple[str | None, Any], str]:
        """(listener, plan) -> its digest; None stands for all."""
        digests: defaultdict[tuple[str | None, Any], Digest] = defaultdict(Digest)
        who = {pair for tally in self.tallies.values() for pair in tally.fingerprints.items()}
        for name, fingerprint in sorted(who, key=lambda pair: [*map(json.dumps, pair)]):
            for trial in self.store.each_trial_by_key(
                self.run_id, self.last_row, name, fingerprint
            ):
                part = trial.coords.get(PART)
                for where in {(None, None), (name, None), (None, part), (name, part)}:
                    digests[where].add(trial)
        return {where: digest.text for where, digest in digests.items()}

    def held(self) -> list[Trial]:
        """All trials at once, packed: for an analysis."""
        return self.store.trials_since(self.run_id, 0, self.last_row)[1]

    def hashed(self) -> Iterator[Trial]:
        """The trials, each with the hash of its clip, which the first pass computes."""
        for k, trial in enumerate(self.store.each_trial(self.run_id, self.last_row)):
            if k == len(self._hashes):
                self._hashes.append(int(stimulus_hash(trial) or "0", 16))
            elif self._hashes[k]:
                remember(trial, stimulus_hash, f"{self._hashes[k]:016x}")
            yield trial


@dataclass(frozen=True, eq=False)
class Selection:
    """Trials of a run: of one `listener`, of the plan number `part`; of all where that is None."""

    run_trials: RunTrials
    listener: str | None = None
    part: int | None = None

    @property
    def _whole(self) -> bool:
        return self.listener is None and self.part is None

    def _holds(self, listener: str, part: Any) -> bool:
        return self.listener in (None, listener) and self.part in (None, part)

    def __iter__(self) -> Iterator[Trial]:
        return self.having()

    def having(self, cell: tuple[Any, Any] | None = None) -> Iterator[Trial]:
        """Its trials, or those in one cell (x, y) of the plan."""
        source = self.run_trials

        def wanted(listener: str, coords: Mapping[str, Any]) -> bool:
            there = cell is None or cell_of(coords) == cell
            return there and self._holds(listener, coords.get(PART))

        return source.store.each_trial(source.run_id, source.last_row, wanted)

    def hashed(self) -> Iterator[Trial]:
        """Its trials for what needs the hashes of their clips."""
        return self.run_trials.hashed() if self._whole else iter(self)

    def clips(self) -> Iterator[tuple[str, Json]]:
        """(hash, data) of every different clip."""
        known: set[int] = set()
        for trial in self.hashed():
            number = int(stimulus_hash(trial) or "0", 16)  # a third of the memory of a text
            if trial.stimulus is not None and number not in known:
                known.add(number)
                yield stimulus_hash(trial), trial.stimulus

    def __len__(self) -> int:
        return self.run_trials.n if self._whole else self.tally.n

    @functools.cached_property
    def tally(self) -> Tally:
        """Counts of its trials."""
        joined = Tally()
        for (listener, part), tally in self.run_trials.tallies.items():
            if self._holds(listener, part):
                joined.join(tally)
        return joined

    @property
    def listeners(self) -> list[str]:
        """Who answered, in order of appearance."""
        tallies = self.run_trials.tallies
        return list(dict.fromkeys(name for name, part in tallies if self._holds(name, part)))

    @property
    def digest(self) -> str:
        """The digest of its trials: equal where two runs asked the same and got the same, to the
        last bit."""
        return self.run_trials.digests.get((self.listener, self.part), Digest().text)

    def of_listener(self, name: str) -> Selection:
        """Those of one listener."""
        return Selection(self.run_trials, name, self.part)

    def of_part(self, number: int) -> Selection:
        """Those of one of several interleaved plans."""
        return Selection(self.run_trials, self.listener, number)

    def middle_signal(self) -> Trial | None:
        """The signal trial in the middle, by cell and key, of those with a clip of their own."""
        signals = self.tally.signals
        rank = signals.total() // 2
        for cell in sorted(signals):
            if rank < signals[cell]:
                key = sorted(t.key for t in self.having(cell) if is_signal(t))[rank]
                return next(t for t in self.having(cell) if is_signal(t) and t.key == key)
            rank -= signals[cell]
        return None
