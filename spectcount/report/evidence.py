"""All that a run left behind: what figures, report and bundle are made of.

Conventions: listeners stand in the order of the run's configuration; everything is a pure function
of the trials, which are read one at a time, and computed on first use. A run of interleaved plans
has a part for each of them; every other run with a plan has one part, itself.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from spectcount.configs import AskConfig, PanelConfig, RunConfig
from spectcount.jobs.confirmations import regions_again
from spectcount.jobs.ladders import Made, made_of
from spectcount.jobs.results import result_of
from spectcount.probing.analysis import AnyPart, Result, State
from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, Difference
from spectcount.probing.heldout import Part
from spectcount.probing.maps import Cells, Confusion, Pooled
from spectcount.probing.panel import PanelResult
from spectcount.probing.plan import AnyPlan, plan_from_dict
from spectcount.probing.shortcuts import Audit
from spectcount.probing.threshold_changes import ThresholdChange
from spectcount.probing.thresholds import Threshold
from spectcount.probing.weakness import Region
from spectcount.probing.wordings import Robustness, WordedChange
from spectcount.report.selection import RunTrials, Selection
from spectcount.store import LogEvent, Metric, Run, Store

T = TypeVar("T")


@dataclass(frozen=True)
class Evidence:
    """A run (or a part of it) with its trials, metrics and events, and what the trials say;
    `plan` and `result` are None for a fine-tune; `label` tells the parts of a run apart
    ("plan 1"), `number` is their place; `again`: the regions of listeners that were asked about on
    new seeds; `stages`: ladders and patchings of its clips."""

    run: Run
    plan: AnyPlan | None
    trials: Selection = field(repr=False)
    metrics: tuple[Metric, ...] = field(repr=False)
    events: tuple[LogEvent, ...] = field(repr=False)
    result: Result | None = field(repr=False)
    label: str = ""
    again: Mapping[str, list[Region]] = field(default_factory=dict, repr=False)
    number: int = 0
    stages: Sequence[Made] = field(default=(), repr=False)

    @functools.cached_property
    def parts(self) -> list[Evidence]:
        """The run's plans, each with its trials: one, or all that are interleaved."""
        if self.plan is None:
            return []
        if not self.plan.interleaved:
            return [self]
        named = [part["name"] for part in PanelConfig.from_json(self.run.config).parts]
        return [
            dataclasses.replace(
                self,
                plan=plan,
                trials=self.trials.of_part(k),
                label=named[k] if named else f"plan {k + 1}",
                number=k,
                again={
                    name: [region for region in regions if region.part == k]
                    for name, regions in self.again.items()
                },
            )
            for k, plan in enumerate(self.plan.parts)
        ]

    @property
    def asked_plan(self) -> Plan:
        """The plan of a part."""
        assert self.plan is not None
        (plan,) = self.plan.parts
        return plan

    @property
    def seed(self) -> int:
        """The run's seed."""
        return RunConfig.from_json(self.run.config).seed

    @functools.cached_property
    def names(self) -> list[str]:
        """The listeners that answered at least once."""
        listed = self.run.listeners
        answered = self.trials.listeners
        return [n for n in listed if n in answered] + [n for n in answered if n not in listed]

    @functools.cached_property
    def by_listener(self) -> dict[str, Selection]:
        """Trials of each listener."""
        return {name: self.trials.of_listener(name) for name in self.names}

    @functools.cached_property
    def fingerprints(self) -> dict[str, str]:
        """Who exactly answered."""
        known = self.trials.tally.fingerprints
        return {name: known[name] for name in self.names}

    @property
    def gridded(self) -> bool:
        """True where the plan fills cells with the same number of trials each: a map, a curve."""
        return self.plan is not None and not self.plan.adaptive

    @property
    def tabled(self) -> bool:
        """True where a table of the whole run is the result, and figures are in the bundle only."""
        return self.run.of_kind.tabled

    @property
    def in_panel(self) -> bool:
        """True of the parts of a table of changes."""
        return self.tabled and self.run.of_kind.judged

    @property
    def counted(self) -> bool:
        """True of a count confusion."""
        return self.plan is not None and self.plan.matrix

    @property
    def _part(self) -> AnyPart:
        assert self.result is not None
        return self.result.parts[self.number]

    def _answered(self, by_name: Mapping[str, T]) -> dict[str, T]:
        """Values of the listeners that answered."""
        return {name: by_name[name] for name in self.names if name in by_name}

    @functools.cached_property
    def cells(self) -> dict[str, Cells]:
        """Each listener's map or curve."""
        return self._answered(self._part.cells)

    @functools.cached_property
    def confusions(self) -> dict[str, Confusion]:
        """Each listener's confusion matrix."""
        return self._answered(self._part.confusions)

    @functools.cached_property
    def pooled(self) -> dict[str, Pooled]:
        """Each listener's trials together."""
        return self._answered(self._part.pooled)

    @functools.cached_property
    def regions(self) -> dict[str, Sequence[Region]]:
        """Each listener's weak regions, worst first: with what their confirmation says, where
        there is one."""
        return {
            name: self.again.get(name, [])
            if name in self.again or self.run.of_kind.confirms
            else self._part.regions.get(name, ())
            for name in self.names
        }

    @functools.cached_property
    def thresholds(self) -> dict[str, Sequence[Threshold]]:
        """Each listener's thresholds; none of plans that seek none."""
        return {
            name: listed for name, listed in self._answered(self._part.thresholds).items() if listed
        }

    @property
    def shortcuts(self) -> Audit | None:
        """Scores of single cues on the clips of a part."""
        return self._part.shortcuts

    @functools.cached_property
    def tracks(self) -> dict[str, dict[str, State]]:
        """Each listener's tracks by condition, of a procedure."""
        return {
            name: {state["condition"]: state for state in states}
            for name, states in self._answered(self._part.tracks).items()
        }

    @property
    def compared(self) -> bool:
        """True where base and tuned have both answered."""
        return self.run.of_kind.judged and len(self.names) == 2

    @property
    def difference(self) -> Difference | None:
        """Change of each cell, in a comparison."""
        return self._part.difference if self.compared else None

    @property
    def change(self) -> Change | None:
        """Change over all cells, in a comparison."""
        return self._part.change if self.compared else None

    @property
    def threshold_changes(self) -> Sequence[ThresholdChange]:
        """Change of each threshold, in a comparison."""
        return self._part.threshold_changes if self.compared else []

    @property
    def panel(self) -> PanelResult | None:
        """The table of a forgetting panel."""
        return self.result.panel if self.result is not None and self.compared else None

    @property
    def held_out(self) -> Sequence[Part]:
        """A comparison in its trained and its never trained part, where the adapter tells."""
        return self.result.held_out if self.result is not None and self.compared else []

    @property
    def worded(self) -> Mapping[str, Robustness]:
        """Each listener over wordings, in a run that asks every stimulus in several."""
        return {} if self.result is None else self.result.worded

    @property
    def worded_change(self) -> WordedChange | None:
        """The change of two listeners over wordings."""
        if self.result is None or len(self.worded) != 2:
            return None
        return self.result.worded_change

    @property
    def seen(self) -> list[str]:
        """Sentences on what a comparison shares with the training of its adapter."""
        shared = (self.run.summary or {}).get("held_out", {}).get("seen")
        return list(shared or self.run.lineage.get("seen", []))

    def curve(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of a metric, a step done again replaced."""
        return sorted({m.step: m.value for m in self.metrics if m.name == name}.items())


def load(run: Run, store: Store) -> Evidence:
    """Everything that `run` left in the store."""
    body = AskConfig.from_json(run.config).plan
    trials = RunTrials(store, run.id)
    return Evidence(
        run,
        plan_from_dict(body) if body else None,
        Selection(trials),
        tuple(store.metrics_since(run.id)[1]),
        tuple(store.events_since(run.id)[1]),
        result_of(store, run, trials.held) if body else None,
        again=regions_again(store, run),
        stages=made_of(store, run.id),
    )
