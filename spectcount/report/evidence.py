"""All that a run left behind, loaded once: what figures, report and bundle are made of.

Conventions: listeners stand in the order of the run's configuration; everything is a pure function
of the trials and computed on first use. A run of interleaved plans has a part for each of them;
every other run with a plan has one part, itself.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spectcount.configs import (
    AskConfig,
    CompareConfig,
    PanelConfig,
    RunConfig,
    WordingsConfig,
)
from spectcount.jobs.confirmations import KIND, regions_again
from spectcount.probing import comparison
from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, Difference, difference, under
from spectcount.probing.heldout import Part
from spectcount.probing.maps import Cells, Confusion, Pooled, confusion, measure_map, pool
from spectcount.probing.panel_table import PanelResult
from spectcount.probing.plan import AnyPlan, CountConfusion, parts_of, plan_from_dict
from spectcount.probing.procedure import Procedure
from spectcount.probing.replay import track_state
from spectcount.probing.shortcuts import Audit, audit
from spectcount.probing.threshold_changes import ThresholdChange, changes_of
from spectcount.probing.thresholds import Threshold, thresholds
from spectcount.probing.weakness import Region, find_weakness
from spectcount.probing.wording_table import Robustness, WordedChange, robustness, worded_change
from spectcount.report.facts import evidence_digest
from spectcount.store import LogEvent, Metric, Run, Store
from spectcount.trials import Trial

COMPARED = ("compare", "panel")
"""Kinds of run whose two listeners are before and after."""


@dataclass(frozen=True)
class Evidence:
    """A run (or a part of it) with its trials, metrics and events; `plan` is None for a
    fine-tune; `label` tells the parts of a run apart ("plan 1"); `again`: the
    regions of listeners that were asked about on new seeds."""

    run: Run
    plan: AnyPlan | None
    trials: tuple[Trial, ...] = field(repr=False)
    metrics: tuple[Metric, ...] = field(repr=False)
    events: tuple[LogEvent, ...] = field(repr=False)
    label: str = ""
    again: Mapping[str, list[Region]] = field(default_factory=dict, repr=False)

    @functools.cached_property
    def parts(self) -> list[Evidence]:
        """The run's plans, each with its trials: one, or all that are interleaved."""
        if self.plan is None:
            return []
        if isinstance(self.plan, Plan):
            return [self]
        named = [part["name"] for part in PanelConfig.from_json(self.run.config).parts]
        return [
            dataclasses.replace(
                self,
                plan=plan,
                trials=tuple(mine),
                label=named[k] if named else f"plan {k + 1}",
                again={
                    name: [region for region in regions if region.part == k]
                    for name, regions in self.again.items()
                },
            )
            for k, (plan, mine) in enumerate(parts_of(self.plan, self.trials))
        ]

    @property
    def asked_plan(self) -> Plan:
        """The plan of a part."""
        assert isinstance(self.plan, Plan)
        return self.plan

    @property
    def seed(self) -> int:
        """The run's seed."""
        return RunConfig.from_json(self.run.config).seed

    @functools.cached_property
    def names(self) -> list[str]:
        """The listeners that answered at least once."""
        listed = self.run.listeners
        answered = dict.fromkeys(t.listener for t in self.trials)
        return [n for n in listed if n in answered] + [n for n in answered if n not in listed]

    @functools.cached_property
    def by_listener(self) -> dict[str, list[Trial]]:
        """Trials of each listener."""
        found: dict[str, list[Trial]] = {name: [] for name in self.names}
        for trial in self.trials:
            found[trial.listener].append(trial)
        return found

    @functools.cached_property
    def fingerprints(self) -> dict[str, str]:
        """Who exactly answered."""
        return {name: mine[0].fingerprint for name, mine in self.by_listener.items()}

    @property
    def gridded(self) -> bool:
        """Whether the plan fills cells with the same number of trials each: a map, a curve."""
        return isinstance(self.plan, Plan) and not self.plan.adaptive

    @property
    def counted(self) -> bool:
        """Whether it is a count confusion."""
        return isinstance(self.plan, CountConfusion)

    @functools.cached_property
    def digest(self) -> str:
        """The digest of its trials."""
        return evidence_digest(self.trials)

    @functools.cached_property
    def cells(self) -> dict[str, Cells]:
        """Each listener's map or curve."""
        return {n: measure_map(self.asked_plan, t) for n, t in self.by_listener.items()}

    @functools.cached_property
    def confusions(self) -> dict[str, Confusion]:
        """Each listener's confusion matrix."""
        return {n: confusion(t) for n, t in self.by_listener.items()}

    @functools.cached_property
    def pooled(self) -> dict[str, Pooled]:
        """Each listener's trials together."""
        return {n: pool(self.asked_plan, t) for n, t in self.by_listener.items()}

    @functools.cached_property
    def regions(self) -> dict[str, list[Region]]:
        """Each listener's weak regions, worst first: with what their confirmation says, where
        there is one."""
        return {
            name: self.again.get(name, []) if name in self.again or self.run.kind == KIND
            else find_weakness(self.asked_plan, mine)
            for name, mine in self.by_listener.items()
        }  # fmt: skip

    @functools.cached_property
    def thresholds(self) -> dict[str, list[Threshold]]:
        """Each listener's thresholds; none of plans that seek none."""
        found = {n: thresholds(self.asked_plan, t) for n, t in self.by_listener.items()}
        return {name: mine for name, mine in found.items() if mine}

    @functools.cached_property
    def shortcuts(self) -> Audit | None:
        """What one cue alone reaches on the clips of a part: as its run's summary has it, else
        from the trials."""
        summary = self.run.summary or {}
        parts = summary.get("plans", [])
        of_plan = self.label.removeprefix("plan ") if parts else ""
        number = int(of_plan) - 1 if of_plan.isdigit() else None
        stored = (summary if number is None else parts[number]).get("shortcuts")
        whole = isinstance(self.plan, Plan) and (number is not None or not self.label)
        return (
            Audit.from_dict(stored)
            if stored and whole
            else audit(self.asked_plan, self.by_listener)
        )

    @functools.cached_property
    def tracks(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Each listener's tracks by condition, of a procedure."""
        if not isinstance(self.plan, Procedure):
            return {}
        return {
            name: {state["condition"]: state for state in track_state(self.plan, mine)}
            for name, mine in self.by_listener.items()
        }

    @functools.cached_property
    def pair(self) -> tuple[list[Trial], list[Trial]] | None:
        """The trials of base and tuned, where the run compares two."""
        if self.run.kind not in COMPARED or len(self.names) != 2:
            return None
        base, tuned = self.by_listener.values()
        return base, tuned

    @functools.cached_property
    def difference(self) -> Difference | None:
        """What changed per cell, in a comparison."""
        if self.pair is None or not self.gridded:
            return None
        return under(self._changes[1], difference(self.asked_plan, *self.pair))

    @functools.cached_property
    def _changes(self) -> tuple[list[ThresholdChange], Change | None]:
        return changes_of(self.asked_plan, *self.pair) if self.pair else ([], None)

    @functools.cached_property
    def change(self) -> Change | None:
        """What changed over all cells, in a comparison."""
        if self.pair is None or not self.gridded:
            return None
        return self._changes[1]

    @functools.cached_property
    def threshold_changes(self) -> list[ThresholdChange]:
        """What changed of each threshold, in a comparison."""
        return self._changes[0]

    @functools.cached_property
    def panel(self) -> PanelResult | None:
        """The table of a forgetting panel."""
        if self.run.kind != "panel" or self.pair is None:
            return None
        return comparison.panel(PanelConfig.from_json(self.run.config), self.by_listener)

    @functools.cached_property
    def held_out(self) -> list[Part]:
        """A comparison in its trained and its never trained part, where the adapter tells."""
        if self.run.kind != "compare" or self.pair is None:
            return []
        config = CompareConfig.from_json(self.run.config)
        return comparison.parts_of(config, self.run.lineage, self.by_listener)

    @functools.cached_property
    def worded(self) -> dict[str, Robustness]:
        """Each listener over wordings, in a run that asks every stimulus in several."""
        if self.run.kind != "wordings":
            return {}
        crossed = comparison.crossed(WordingsConfig.from_json(self.run.config))
        found = {name: robustness(crossed, mine) for name, mine in self.by_listener.items()}
        return {name: one for name, one in found.items() if one is not None}

    @functools.cached_property
    def worded_change(self) -> WordedChange | None:
        """The change of two listeners over wordings."""
        if len(self.worded) != 2:
            return None
        crossed = comparison.crossed(WordingsConfig.from_json(self.run.config))
        return worded_change(crossed, *self.by_listener.values())

    @property
    def seen(self) -> list[str]:
        """What a comparison shares with how its adapter was made, in sentences."""
        found = (self.run.summary or {}).get("held_out", {}).get("seen")
        return list(found or self.run.lineage.get("seen", []))

    def curve(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of a metric, a step done again replaced."""
        return sorted({m.step: m.value for m in self.metrics if m.name == name}.items())


def load(run: Run, store: Store) -> Evidence:
    """Everything that `run` left in the store."""
    body = AskConfig.from_json(run.config).plan
    return Evidence(
        run,
        plan_from_dict(body) if body else None,
        tuple(store.trials(run.id)),
        tuple(store.metrics_since(run.id)[1]),
        tuple(store.events_since(run.id)[1]),
        again=regions_again(store, run),
    )
