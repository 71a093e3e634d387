"""The results of a run: computed once, when it ends, stored, read by page, command line and report.

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
from typing import Any, ClassVar, Generic, TypeVar

import spectcount
from spectcount import records
from spectcount.configs import (
    AskConfig,
    CompareConfig,
    ConfirmConfig,
    PanelConfig,
    WordingsConfig,
    ask_config,
)
from spectcount.probing import heldout
from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, Difference, difference, under
from spectcount.probing.maps import Cells, Confusion, Pooled, confusion, measure_map, pool
from spectcount.probing.panel import Panel, PanelResult, Row, panel_result
from spectcount.probing.plan import PLANS, AnyPlan, parts_of, plan_from_dict
from spectcount.probing.procedure import Procedure
from spectcount.probing.replay import track_state
from spectcount.probing.shortcuts import Audit, Floor, audit
from spectcount.probing.threshold_changes import ThresholdChange, changes_of
from spectcount.probing.thresholds import Threshold, thresholds
from spectcount.probing.trained import Trained
from spectcount.probing.verdict import Measure, Verdict, first_named
from spectcount.probing.weakness import Confirmed, Region, find_weakness
from spectcount.probing.wordings import (
    Crossed,
    Robustness,
    Worded,
    WordedChange,
    robustness,
    worded_change,
)
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
C = TypeVar("C", bound=AskConfig)
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
        procedure = plan.procedure
        self.plan, self._trials = plan, trials
        base, tuned = trials.values() if compares and len(trials) == 2 else (None, None)
        self._pair = None if base is None or tuned is None else (base, tuned)
        self.n = {name: len(listed) for name, listed in trials.items()}
        self.n_known = Each(trials, lambda listed: sum(t.correct is not None for t in listed))
        self.n_right = Each(trials, lambda listed: sum(bool(t.correct) for t in listed))
        gridded = none if plan.adaptive else trials
        self.cells = Each(gridded, lambda listed: measure_map(plan, listed))
        self.confusions = Each(trials if plan.asked.counts else none, confusion)
        self.pooled = Each(trials, lambda listed: pool(plan, listed))
        sought = trials if seeks and procedure is None else none
        self.regions = Each(sought, lambda listed: find_weakness(plan, listed))
        self.thresholds = Each(trials, lambda listed: thresholds(plan, listed))
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
    panel: PanelResult | None
    held_out: Sequence[heldout.Part]
    worded: Mapping[str, Robustness]
    worded_change: WordedChange | None


class Running(Generic[C]):
    """The same of a run that goes on, from its configuration, lineage and trials so far."""

    compares: ClassVar[bool] = True
    """Whether two listeners of it are before and after."""
    seeks: ClassVar[bool] = True
    """Whether weak regions are looked for."""

    def __init__(self, config: C, lineage: Mapping[str, Any], trials: Trials) -> None:
        self.version = version()
        self.config, self.lineage, self.trials = config, lineage, trials
        self.n_trials = sum(map(len, trials.values()))
        self.plan: AnyPlan = plan_from_dict(config.plan)
        self.interleaved = self.plan.interleaved

    @functools.cached_property
    def parts(self) -> Sequence[RunningPart]:
        plan = self.plan
        by_name = {name: parts_of(plan, listed) for name, listed in self.trials.items()}
        return [
            RunningPart(
                part,
                {name: shares[k][1] for name, shares in by_name.items()},
                self.compares,
                self.seeks,
            )
            for k, part in enumerate(plan.parts)
        ]

    @property
    def panel(self) -> PanelResult | None:
        return None

    @property
    def held_out(self) -> Sequence[heldout.Part]:
        return []

    @property
    def worded(self) -> Mapping[str, Robustness]:
        return {}

    @property
    def worded_change(self) -> WordedChange | None:
        return None

    def of_two(self) -> list[list[Trial]]:
        """The trials of base and tuned."""
        return [[*self.trials.get(name, [])] for name in self.config.listeners[:2]]


class RunningComparison(Running[CompareConfig]):
    """Base and tuned, whose lineage may say ("trained", `Trained.to_dict`) what the adapter was
    made from."""

    @functools.cached_property
    def held_out(self) -> Sequence[heldout.Part]:
        """The trained and the never trained part, of each plan that is not led by the answers;
        none where the lineage does not tell."""
        if "trained" not in self.lineage:
            return []
        trained = Trained.from_dict(self.lineage["trained"])
        base, tuned = (parts_of(self.plan, listed) for listed in self.of_two())
        return [
            part
            for (plan, before), (_, after) in zip(base, tuned, strict=True)
            if not plan.adaptive
            for part in heldout.split(plan, before, after, trained)
        ]


class RunningPanel(Running[PanelConfig]):
    """Base and tuned on the parts of a forgetting panel."""

    @functools.cached_property
    def panel(self) -> PanelResult | None:
        config = self.config
        base, tuned = self.of_two()
        parts = Panel.from_list(config.parts)
        return panel_result(parts, base, tuned, config.regions, margin=config.margin)


class RunningWordings(Running[WordingsConfig]):
    """Every stimulus in several wordings."""

    compares = False

    @functools.cached_property
    def worded(self) -> Mapping[str, Robustness]:
        plan = crossed_plan(self.config)
        by_name = {name: robustness(plan, listed) for name, listed in self.trials.items()}
        return {name: each for name, each in by_name.items() if each is not None}

    @functools.cached_property
    def worded_change(self) -> WordedChange | None:
        if len(self.trials) != 2:
            return None
        return worded_change(crossed_plan(self.config), *self.trials.values())


class RunningConfirmation(Running[ConfirmConfig]):
    """New questions about regions that a map suspected."""

    compares = False
    seeks = False


def crossed_plan(config: WordingsConfig) -> Crossed:
    """The plan of a run over wordings."""
    return Crossed.from_config(config.plan, config.wordings)


RUNNING: dict[str, type[Running[Any]]] = {
    CompareConfig.kind: RunningComparison,
    PanelConfig.kind: RunningPanel,
    WordingsConfig.kind: RunningWordings,
    ConfirmConfig.kind: RunningConfirmation,
}
"""Kinds of run that say more than each plan does by itself."""


def running(
    kind: str, config: Mapping[str, Any], lineage: Mapping[str, Any], trials: Iterable[Trial]
) -> Running[Any]:
    """The results of the trials so far of a run of a kind, from its configuration as it is
    stored."""
    of_kind = ask_config(kind, config)
    return _running(of_kind, lineage, by_listener(of_kind, trials))


def _running(config: AskConfig, lineage: Mapping[str, Any], trials: Trials) -> Running[Any]:
    return RUNNING.get(config.kind, Running)(config, lineage, trials)


AnyPart = PartAnalysis | RunningPart
Result = Analysis | Running[Any]
"""A whole run, ended or not."""


def by_listener(config: AskConfig, trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Trials of each listener, in the order of a run's configuration."""
    by_name: dict[str, list[Trial]] = {name: [] for name in config.listeners}
    for trial in trials:
        by_name.setdefault(trial.listener, []).append(trial)
    return by_name


def analyse(config: AskConfig, lineage: Mapping[str, Any], trials: Trials) -> Analysis:
    """Everything that the trials of a run say."""
    return settled(_running(config, lineage, trials))


def settled(running: Running[Any]) -> Analysis:
    """Everything that the trials so far say, computed."""
    parts = [_settled(PartAnalysis, part) for part in running.parts]
    return dataclasses.replace(_settled(Analysis, running), parts=parts)


def _settled(whole: type[T], running: Running[Any] | RunningPart) -> T:
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
    """The sentences about a comparison: of each of its plans the changes of thresholds and the
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
    PanelResult,
    Row,
    Robustness,
    Worded,
    WordedChange,
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
    return records.of_version(text, Analysis, CLASSES, version())
