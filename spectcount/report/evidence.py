"""All that a run left behind, loaded once: what figures, report and bundle are made of.

Conventions: listeners stand in the order of the run's configuration; everything is a pure function
of the trials and computed on first use. A run of interleaved plans has a part for each of them;
every other run with a plan has one part, itself.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any

from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, Difference, change_over, difference
from spectcount.probing.maps import Cells, Confusion, Pooled, confusion, measure_map, pool
from spectcount.probing.plan import CountConfusion, plan_from_dict
from spectcount.probing.summary import summarise
from spectcount.probing.weakness import Region, find_weakness
from spectcount.store import LogEvent, Metric, Run, Store
from spectcount.trials import Trial


@dataclass(frozen=True)
class Evidence:
    """A run (or a part of it) with its trials, metrics and events; `plan` is a Plan, several that
    are interleaved, or None for a fine-tune; `label` tells parts of a run apart ("plan 1")."""

    run: Run
    plan: Any
    trials: tuple[Trial, ...] = field(repr=False)
    metrics: tuple[Metric, ...] = field(repr=False)
    events: tuple[LogEvent, ...] = field(repr=False)
    label: str = ""

    @functools.cached_property
    def parts(self) -> list[Evidence]:
        """The run's plans, each with its trials: one, or all that are interleaved."""
        if self.plan is None:
            return []
        if isinstance(self.plan, Plan):
            return [self]
        return [
            dataclasses.replace(
                self,
                plan=plan,
                trials=tuple(t for t in self.trials if t.coords.get("plan") == k),
                label=f"plan {k + 1}",
            )
            for k, plan in enumerate(self.plan.parts)
        ]

    @property
    def asked_plan(self) -> Plan:
        """The plan of a part."""
        assert isinstance(self.plan, Plan)
        return self.plan

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.run.config.get("seed", 0))

    @functools.cached_property
    def names(self) -> list[str]:
        """The listeners that answered at least once."""
        listed = list(self.run.config.get("listeners") or [])
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
        """Each listener's weak regions, worst first."""
        return {n: find_weakness(self.asked_plan, t) for n, t in self.by_listener.items()}

    @functools.cached_property
    def difference(self) -> Difference | None:
        """What changed per cell from the first listener to the second, in a comparison."""
        if self.run.kind != "compare" or len(self.names) != 2 or not self.gridded:
            return None
        base, tuned = self.by_listener.values()
        return difference(self.asked_plan, base, tuned)

    @functools.cached_property
    def change(self) -> Change | None:
        """What changed over all of it, in a comparison."""
        if self.difference is None:
            return None
        base, tuned = self.by_listener.values()
        return change_over(self.asked_plan, base, tuned)

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        """The run's summary: as kept at its end, else of the trials there are."""
        if self.run.summary:
            return self.run.summary
        if self.plan is None or not self.trials:
            return {}
        return summarise(self.plan, self.by_listener)

    def curve(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of a metric, a step done again replaced."""
        return sorted({m.step: m.value for m in self.metrics if m.name == name}.items())


def load(run: Run, store: Store) -> Evidence:
    """Everything that `run` left in the store."""
    body = run.config.get("plan")
    return Evidence(
        run,
        plan_from_dict(body) if body else None,
        tuple(store.trials(run.id)),
        tuple(store.metrics_since(run.id)[1]),
        tuple(store.events_since(run.id)[1]),
    )
