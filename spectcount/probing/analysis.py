"""What a run says: computed once, when it ends, stored, read by page, command line and report.

*Conventions*: `Running` computes each thing at its first use, from the trials so far; `analyse`
turns it into an `Analysis`, which has the same attributes and is stored. Mappings hold the
run's listeners in the order of its configuration; what a plan does not have is empty or None.
Regions are those of the map itself; what a confirmation says of them stands with the confirmation.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.resources
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import spectcount
from spectcount import records
from spectcount.configs import (
    CONFIGS,
    AskConfig,
    CompareConfig,
    ConfirmConfig,
    PanelConfig,
    WordingsConfig,
)
from spectcount.probing import comparison, heldout, panel_table, wording_table
from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, Difference, difference, under
from spectcount.probing.maps import Cells, Confusion, Pooled, confusion, measure_map, pool
from spectcount.probing.plan import PLANS, AnyPlan, Interleaved, parts_of, plan_from_dict
from spectcount.probing.procedure import Procedure
from spectcount.probing.replay import track_state
from spectcount.probing.shortcuts import Audit, Floor, audit
from spectcount.probing.threshold_changes import ThresholdChange, changes_of
from spectcount.probing.thresholds import Threshold, thresholds
from spectcount.probing.verdict import Measure, Verdict, first_named
from spectcount.probing.weakness import Confirmed, Region, find_weakness
from spectcount.psychophysics import (
    crossed,
    efficiency,
    fit,
    fit_data,
    graded,
    one_function,
    psychometric,
    roc,
    sdt,
    surface,
    surface_model,
)
from spectcount.psychophysics.adaptive import quest_plus
from spectcount.trials import Trial

SOURCES = ("psychophysics", "probing", "listeners/observers", "tasks.py", "trials.py", "records.py")
"""Folders and files of the package that decide what the trials of a run say."""
T = TypeVar("T")
Trials = Mapping[str, Sequence[Trial]]
"""Trials by listener name."""
State = Mapping[str, Any]


def digest_of(root: Traversable, names: Iterable[str]) -> str:
    """A short digest of the Python sources below `root`, whatever the ends of their lines."""
    digest = hashlib.sha256()
    for name in sorted(names):
        for path, source in _sources(root.joinpath(name), name):
            digest.update(f"{path}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()[:12]


def _sources(place: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    if place.is_dir():
        for each in sorted(place.iterdir(), key=lambda p: p.name):
            yield from _sources(each, f"{path}/{each.name}")
    elif path.endswith(".py"):
        yield path, place.read_bytes().replace(b"\r\n", b"\n")


@functools.cache
def version() -> str:
    """The release and a digest of the code that analyses: an analysis of another is made anew."""
    package = importlib.resources.files(spectcount)
    return f"{spectcount.__version__}/{digest_of(package, SOURCES)}"


class Each(Mapping[str, T]):
    """A value of each listener, computed at its first use."""

    def __init__(self, trials: Trials, compute: Callable[[Sequence[Trial]], T]) -> None:
        self._trials, self._compute = trials, compute
        self._known: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._known:
            self._known[name] = self._compute(self._trials[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._trials)

    def __len__(self) -> int:
        return len(self._trials)


@dataclass(frozen=True)
class PartAnalysis:
    """One plan of a run. `n`: trials of each listener, `n_known` those that have a right answer,
    `n_right` those that got it; `tracks` in the plan's order; of two
    listeners `change` (over all cells), `threshold_changes` and `difference` (by cell)."""

    plan: Plan
    n: Mapping[str, int]
    n_known: Mapping[str, int]
    n_right: Mapping[str, int]
    cells: Mapping[str, Cells]
    confusions: Mapping[str, Confusion]
    pooled: Mapping[str, Pooled]
    regions: Mapping[str, Sequence[Region]]
    thresholds: Mapping[str, Sequence[Threshold]]
    tracks: Mapping[str, Sequence[State]]
    shortcuts: Audit | None
    threshold_changes: Sequence[ThresholdChange]
    change: Change | None
    difference: Difference | None


class RunningPart:
    """The same of a run that goes on. `compares`: two listeners are before and after; `seeks`: the
    plan's weak regions are looked for."""

    def __init__(self, plan: Plan, trials: Trials, compares: bool, seeks: bool) -> None:
        none: Trials = {}
        procedure = plan if isinstance(plan, Procedure) else None
        self.plan, self._trials = plan, trials
        base, tuned = trials.values() if compares and len(trials) == 2 else (None, None)
        self._pair = None if base is None or tuned is None else (base, tuned)
        self.n = {name: len(mine) for name, mine in trials.items()}
        self.n_known = Each(trials, lambda mine: sum(t.correct is not None for t in mine))
        self.n_right = Each(trials, lambda mine: sum(bool(t.correct) for t in mine))
        gridded = none if plan.adaptive else trials
        self.cells = Each(gridded, lambda mine: measure_map(plan, mine))
        self.confusions = Each(trials if plan.asked.counts else none, confusion)
        self.pooled = Each(trials, lambda mine: pool(plan, mine))
        sought = trials if seeks and procedure is None else none
        self.regions = Each(sought, lambda mine: find_weakness(plan, mine))
        self.thresholds = Each(trials, lambda mine: thresholds(plan, mine))
        self.tracks = Each(
            none if procedure is None else trials, functools.partial(_tracks, procedure)
        )

    @functools.cached_property
    def shortcuts(self) -> Audit | None:
        return audit(self.plan, self._trials)

    @functools.cached_property
    def _changes(self) -> tuple[list[ThresholdChange], Change | None]:
        return changes_of(self.plan, *self._pair) if self._pair else ([], None)

    @property
    def threshold_changes(self) -> Sequence[ThresholdChange]:
        return self._changes[0]

    @property
    def change(self) -> Change | None:
        return self._changes[1]

    @functools.cached_property
    def difference(self) -> Difference | None:
        if not self._pair or self.plan.adaptive:
            return None
        return under(self.change, difference(self.plan, *self._pair))


def _tracks(plan: Procedure | None, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    return [] if plan is None else track_state(plan, trials)


@dataclass(frozen=True)
class Analysis:
    """A whole run of `n_trials` trials: its plans (one, or all that are interleaved), the table of
    a forgetting panel, a comparison trained and never trained, listeners over wordings."""

    version: str
    n_trials: int
    interleaved: bool
    parts: Sequence[PartAnalysis]
    panel: panel_table.PanelResult | None
    held_out: Sequence[heldout.Part]
    worded: Mapping[str, wording_table.Robustness]
    worded_change: wording_table.WordedChange | None


class Running:
    """The same of a run that goes on, from its configuration, lineage and trials so far."""

    def __init__(self, config: AskConfig, lineage: Mapping[str, Any], trials: Trials) -> None:
        self.version = version()
        self.config, self.lineage, self.trials = config, lineage, trials
        self.n_trials = sum(map(len, trials.values()))
        self.plan: AnyPlan = plan_from_dict(config.plan)
        self.interleaved = isinstance(self.plan, Interleaved)

    @functools.cached_property
    def parts(self) -> Sequence[RunningPart]:
        plan = self.plan
        by_name = {name: parts_of(plan, mine) for name, mine in self.trials.items()}
        compares = not isinstance(self.config, WordingsConfig | ConfirmConfig)
        seeks = not isinstance(self.config, ConfirmConfig)
        return [
            RunningPart(part, {name: mine[k][1] for name, mine in by_name.items()}, compares, seeks)
            for k, (part, _) in enumerate(parts_of(plan, ()))
        ]

    @functools.cached_property
    def panel(self) -> panel_table.PanelResult | None:
        if not isinstance(self.config, PanelConfig):
            return None
        return comparison.panel(self.config, self.trials)

    @functools.cached_property
    def held_out(self) -> Sequence[heldout.Part]:
        if not isinstance(self.config, CompareConfig) or isinstance(self.config, PanelConfig):
            return []
        return comparison.parts_of(self.config, self.lineage, self.trials)

    @functools.cached_property
    def worded(self) -> Mapping[str, wording_table.Robustness]:
        if not isinstance(self.config, WordingsConfig):
            return {}
        plan = comparison.crossed(self.config)
        by_name = {name: wording_table.robustness(plan, mine) for name, mine in self.trials.items()}
        return {name: each for name, each in by_name.items() if each is not None}

    @functools.cached_property
    def worded_change(self) -> wording_table.WordedChange | None:
        if not isinstance(self.config, WordingsConfig) or len(self.trials) != 2:
            return None
        return wording_table.worded_change(comparison.crossed(self.config), *self.trials.values())


def running(
    kind: str, config: Mapping[str, Any], lineage: Mapping[str, Any], trials: Iterable[Trial]
) -> Running:
    """What the trials so far of a run of a kind say, from its configuration as it is stored."""
    made = CONFIGS[kind].from_json(config)
    assert isinstance(made, AskConfig)
    return Running(made, lineage, by_listener(made, trials))


AnyPart = PartAnalysis | RunningPart
Result = Analysis | Running
"""A whole run, ended or not."""


def by_listener(config: AskConfig, trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Trials of each listener, in the order of a run's configuration."""
    by_name: dict[str, list[Trial]] = {name: [] for name in config.listeners}
    for trial in trials:
        by_name.setdefault(trial.listener, []).append(trial)
    return by_name


def analyse(config: AskConfig, lineage: Mapping[str, Any], trials: Trials) -> Analysis:
    """Everything that the trials of a run say."""
    return settled(Running(config, lineage, trials))


def settled(running: Running) -> Analysis:
    """Everything that the trials so far say, computed."""
    parts = [_settled(PartAnalysis, part) for part in running.parts]
    return dataclasses.replace(_settled(Analysis, running), parts=parts)


def _settled(whole: type[T], running: Running | RunningPart) -> T:
    """The same as plain values."""
    values = {f.name: getattr(running, f.name) for f in dataclasses.fields(whole)}  # type: ignore[arg-type]
    return whole(**{k: dict(v) if isinstance(v, Each) else v for k, v in values.items()})


def suspected(result: Result, listener: str) -> list[Region]:
    """The suspected regions of a listener, of interleaved plans each with the plan's number."""
    parts: list[AnyPart] = [*result.parts]
    return [
        dataclasses.replace(region, part=number if result.interleaved else None)
        for number, part in enumerate(parts)
        for region in part.regions.get(listener, ())
    ]


def verdicts(result: Result, margin: float | None) -> list[Verdict]:
    """What may be said of a comparison: of each of its plans the changes of thresholds and the
    change, main measure first. The very first is the verdict named beforehand."""
    listed: list[Verdict] = []
    for part in result.parts:
        listed += [each.verdict for each in part.threshold_changes]
        listed += part.change.verdicts(margin) if part.change is not None else []
    return first_named(listed)


CLASSES: tuple[type, ...] = (
    Analysis,
    PartAnalysis,
    Cells,
    Confusion,
    Pooled,
    Region,
    Confirmed,
    Threshold,
    Audit,
    Floor,
    ThresholdChange,
    Change,
    Difference,
    Verdict,
    Measure,
    heldout.Part,
    panel_table.PanelResult,
    panel_table.Row,
    wording_table.Robustness,
    wording_table.Worded,
    wording_table.WordedChange,
    crossed.Effect,
    crossed.CochranQ,
    crossed.Shares,
    efficiency.Efficiency,
    fit.Fit,
    fit_data.Counts,
    graded.ScoreFit,
    one_function.Break,
    roc.Roc,
    psychometric.Psychometric,
    sdt.Interval,
    surface.Surface,
    surface_model.SurfaceOptions,
    quest_plus.QuestPlusEstimate,
    *PLANS.values(),
)
"""All that an analysis is made of."""


def to_json(analysis: Analysis) -> str:
    """An analysis as the text of a file."""
    return records.dumps(analysis)


def from_json(text: str) -> Analysis | None:
    """The analysis in a text; None where it is of another version, or none at all."""
    try:
        analysis = records.loads(text, CLASSES)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    known = isinstance(analysis, Analysis) and analysis.version == version()
    return analysis if known else None
