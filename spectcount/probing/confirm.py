"""Suspected regions -> confirmed or not, on new questions that had no part in choosing them.

*Conventions*: every region gets the same number of signal trials, spread over its cells, and of
catch trials, their counterparts, in the same wordings and orders. Clips that the map asked about
are never asked again, so that a design without chance in it cannot confirm itself. One exact test
for each region against the criterion that it failed in the map, Holm's (1979, Scand. J. Stat.
6:65) correction over them: of listeners at the criterion or better, one in twenty has a confirmed
region. The estimates rest on the new questions alone. A trial's coordinate `region` says which
region it is about; `plan` says of which of several plans.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spectcount.configs import ConfirmConfig, Json
from spectcount.probing.draws import PlannedQuestion, seed_of
from spectcount.probing.grid import BATCH, GridPlan
from spectcount.probing.maps import background_of, hit
from spectcount.probing.plan import PART, parts_of, plan_from_dict
from spectcount.probing.shortfall import Criterion, Judge
from spectcount.probing.weakness import CONFIRMED, Confirmed, Region, find_weakness
from spectcount.psychophysics import sdt
from spectcount.trials import Trial

REGION = "region"
ALPHA = 0.05
TRIALS = 60
"""Signal trials of a region unless told otherwise."""
_TRIES = 4
"""Draws for each question wanted, before a design is taken to have no more new clips."""


@dataclass(frozen=True)
class Target:
    """A suspected region of a plan, `seed` being that of its map; `map_counts`: signal trials and
    hits of the map by background, against which a rate is held."""

    plan: GridPlan
    region: Region
    seed: int
    map_counts: tuple[tuple[tuple[int, ...], tuple[int, int]], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the plan aside."""
        return {
            "region": self.region.to_dict(),
            "seed": self.seed,
            "map_counts": [[list(b), list(n)] for b, n in self.map_counts],
        }


@dataclass(frozen=True)
class Confirmation:
    """New questions about suspected regions: `trials` signal trials each. The map that found them
    was asked already, so little mass stops nothing."""

    targets: tuple[Target, ...]
    trials: int = TRIALS
    adaptive: ClassVar[bool] = False
    low_mass: ClassVar[bool] = True

    @classmethod
    def from_config(cls, config: ConfirmConfig) -> Confirmation:
        """The questions of a run's configuration."""
        plans = plan_from_dict(config.plan).parts
        targets = []
        for values in config.targets:
            counts = tuple((tuple(b), tuple(n)) for b, n in values["map_counts"])
            region = dataclasses.replace(Region.from_dict(values["region"]), confirmed=None)
            targets.append(Target(plans[region.part or 0], region, values["seed"], counts))
        return cls(tuple(targets), config.trials)

    @property
    def n_trials(self) -> int:
        """Trials of the listener, at most."""
        roles = [1 + target.plan.asked.two_class for target in self.targets]
        return self.trials * sum(roles)

    def refuse_infeasible(self) -> None:
        """Nothing to refuse: the map realised these cells."""

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """The questions in batches, regions in turn; the answers change nothing."""
        streams = [
            list(self._questions(index, target, role, seed))
            for index, target in enumerate(self.targets)
            for role in (("signal", "catch") if target.plan.asked.two_class else ("signal",))
        ]
        longest = max((len(stream) for stream in streams), default=0)
        turns = [stream[k] for k in range(longest) for stream in streams if k < len(stream)]
        for start in range(0, len(turns), BATCH):
            yield turns[start : start + BATCH]

    def _questions(
        self, index: int, target: Target, role: str, seed: int
    ) -> Iterator[PlannedQuestion]:
        """Up to `trials` questions whose clips are new."""
        plan, cells = target.plan, target.region.cells
        seen, given = set(map_clips(_text(plan), target.seed)), 0
        for turn in range(_TRIES * max(self.trials, len(cells))):
            lap, place = divmod(turn, len(cells))
            order = np.random.default_rng(seed_of(seed, REGION, index, lap)).permutation(len(cells))
            i, j = cells[int(order[place])]
            planned = plan.question_at(seed, role, (i, j), turn, given)
            if planned.question.clip_hash in seen:
                continue
            seen.add(planned.question.clip_hash)
            among = {} if target.region.part is None else {PART: target.region.part}
            yield PlannedQuestion(planned.question, {**planned.coords, REGION: index, **among})
            given += 1
            if given == self.trials:
                return


@functools.lru_cache(maxsize=8)
def map_clips(plan_json: str, seed: int) -> frozenset[str]:
    """Hashes of all clips that a plan asks about at `seed`."""
    plan = plan_from_dict(json.loads(plan_json))
    return frozenset(planned.question.clip_hash for planned in plan.questions(seed))


def _text(plan: GridPlan) -> str:
    return json.dumps(plan.to_dict(), sort_keys=True)


def targets_of(
    plan: Any, trials: Sequence[Trial], seed: int, criterion: Criterion | None = None
) -> list[Target]:
    """The suspected regions of one listener's `trials` of a map (or of interleaved ones) that was
    asked at `seed`."""
    targets = []
    parts = parts_of(plan, trials)
    for number, (plan_asked, listed) in enumerate(parts):
        part = plan_asked.grid
        if part is None:
            continue
        several = plan.interleaved
        counts: dict[tuple[int, ...], list[int]] = {}
        for t in (t for t in listed if t.coords.get("role") == "signal"):
            background = background_of(part, (int(t.coords["x"]), int(t.coords["y"])))
            row = counts.setdefault(background, [0, 0])
            row[0], row[1] = row[0] + 1, row[1] + hit(t)
        by_background = tuple((b, (n[0], n[1])) for b, n in sorted(counts.items()))
        asked_at = seed_of(seed, "plan", number) if several else seed
        targets += [
            Target(
                part,
                dataclasses.replace(region, part=number if several else None),
                asked_at,
                by_background,
            )
            for region in find_weakness(part, listed, criterion)
        ]
    return targets


def confirmed_regions(
    confirmation: Confirmation,
    trials: Sequence[Trial],
    criterion: Criterion | None = None,
    run: str = "",
    alpha: float = ALPHA,
) -> list[Region]:
    """The regions with what the new `trials` of one listener say of each; a region that nothing
    was asked about stays suspected."""
    criterion = criterion or Criterion()
    measured = [
        _measure(target, [t for t in trials if t.coords.get(REGION) == i], criterion)
        for i, target in enumerate(confirmation.targets)
    ]
    adjusted = holm([estimates.p for estimates in measured])
    regions = []
    for target, estimates, p in zip(confirmation.targets, measured, adjusted, strict=True):
        new = None
        if not np.isnan(p):
            new = dataclasses.replace(estimates, p=float(p), passed=bool(p < alpha), run=run)
        regions.append(dataclasses.replace(target.region, confirmed=new))
    return regions


def _measure(target: Target, trials: Sequence[Trial], criterion: Criterion) -> Confirmed:
    """One region's new trials, before the correction."""
    signal = [t for t in trials if t.coords["role"] == "signal"]
    catch = [t for t in trials if t.coords["role"] == "catch"]
    judge = Judge(target.plan, criterion, [signal], catch, dict(target.map_counts))
    p = float(judge.test(np.ones((1, 1))).p[0]) if signal else float("nan")
    rate = sdt.wilson(sum(map(hit, signal)), len(signal))
    d_prime = judge.d_prime(0) if signal and catch else None
    return Confirmed(p, False, rate, d_prime, len(signal), len(catch))


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values after Holm's step-down correction; nan was not tested and does not count."""
    values = np.asarray(p, float)
    order = [int(i) for i in np.argsort(values) if not np.isnan(values[i])]
    adjusted, least = np.full(len(values), np.nan), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, values[i] * (len(order) - rank)))
        adjusted[i] = least
    return adjusted


def sentence(regions: Sequence[Region]) -> str:
    """The number of regions that were confirmed."""
    sure = [region for region in regions if region.status == CONFIRMED]
    many = f"{len(regions)} suspected region{'s' if len(regions) != 1 else ''}"
    return (
        f"Of {many}, {len(sure)} confirmed on new seeds (Holm's correction over the regions, "
        f"{100 * ALPHA:g} %)."
    )


def summary(config: ConfirmConfig, trials: Mapping[str, Sequence[Trial]], run: str) -> Json:
    """The result of a run of kind "confirm": plain data."""
    confirmation = Confirmation.from_config(config)
    regions = {
        name: confirmed_regions(confirmation, listed, Criterion.from_dict(config.criterion), run)
        for name, listed in trials.items()
    }
    return {
        "confirmation": {name: sentence(of_listener) for name, of_listener in regions.items()},
        "regions": {
            name: [r.to_dict() for r in of_listener] for name, of_listener in regions.items()
        },
    }
