"""The figures of a comparison: both maps and what changed, both curves, both confusion matrices.

Conventions: an update for each of summary, maps with their box, difference with its box, curves
with their box; plans that follow the answers, and interleaved ones, have words only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from spectcount.errors import UserError
from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, difference_value, map_value
from spectcount.figures.roc import ROCS
from spectcount.probing.difference import difference
from spectcount.probing.maps import confusion, measure_map, of_listener
from spectcount.probing.plan import AnyPlan, CountConfusion, plan_from_dict
from spectcount.store import Run
from spectcount.trials import Trial
from spectcount.ui.header import listener_spec
from spectcount.ui.polling import notice
from spectcount.ui.probe_figures import confusion_words, roc_figure
from spectcount.ui.verdicts import comparison_html

NO_CHANGE = "The difference appears once both have answered the same questions."
N_UPDATES = 8
_HIDDEN = (gr.update(visible=False), gr.skip())


@dataclass(frozen=True)
class Pair:
    """Trials of base and of tuned, with the plan that asked for them, the run's configuration and
    its lineage."""

    plan: AnyPlan
    names: tuple[str, str]
    base: list[Trial]
    tuned: list[Trial]
    config: Mapping[str, Any]
    lineage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trials(self) -> dict[str, list[Trial]]:
        """Trials by listener, base first."""
        return dict(zip(self.names, (self.base, self.tuned), strict=True))


def compared(base: str, tuned: str) -> tuple[str, str]:
    """The two listeners; raises `UserError` where there is no adapter."""
    spec = listener_spec(base, tuned)
    if spec == base:
        raise UserError(
            "no tuned adapter is selected; choose one in the header, or make one in Tune"
        )
    return base, spec


def pair_of(run: Run, trials: list[Trial]) -> Pair:
    """A comparison's trials, apart by listener."""
    base, tuned = run.config["listeners"][:2]
    apart = of_listener(trials, base), of_listener(trials, tuned)
    return Pair(plan_from_dict(run.config["plan"]), (base, tuned), *apart, run.config, run.lineage)


def figures(pair: Pair, measure: str) -> list[Any]:
    """All updates of a comparison; see the module."""
    if not pair.base or not pair.tuned:
        return [notice(NO_CHANGE), *[gr.skip()] * (N_UPDATES - 1)]
    words = comparison_html(pair.config, pair.lineage, pair.trials)
    if pair.plan.adaptive:
        return [words, *_HIDDEN, gr.skip(), *_HIDDEN, *_HIDDEN]
    if isinstance(pair.plan, CountConfusion):
        return _confusions(pair, words)
    found = {name: measure_map(pair.plan, asked) for name, asked in pair.trials.items()}
    rocs = roc_figure(pair.plan, pair.trials, measure)
    measure = "d_prime" if measure in ROCS.values() else measure
    if len(pair.plan.axes) == 1:
        chart = rocs or curves_value(found, measure)
        return [words, *_HIDDEN, gr.skip(), *_HIDDEN, *_shown(chart)]
    base, tuned = (map_value(found[name], measure, title=name) for name in pair.names)
    changed = difference(pair.plan, pair.base, pair.tuned)
    change = difference_value(changed, measure, title="tuned − base")
    return [words, *_shown(base), tuned, *_shown(change), *(_shown(rocs) if rocs else _HIDDEN)]


def _confusions(pair: Pair, words: str) -> list[Any]:
    tables = {name: confusion(asked) for name, asked in pair.trials.items()}
    lines = "".join(f"<p>{escape(n)}: {confusion_words(t)}</p>" for n, t in tables.items())
    words += f'<div class="findings">{lines}</div>'
    base, tuned = (confusion_value(table, title=name) for name, table in tables.items())
    return [words, *_shown(base), tuned, *_HIDDEN, *_shown(accuracy_value(tables))]


def _shown(value: Any) -> tuple[Any, Any]:
    """Updates of a figure's box and of the figure."""
    return gr.update(visible=True), value
