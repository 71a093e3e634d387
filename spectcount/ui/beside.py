"""A person's results beside the models' that were asked the same plan at the same seed.

*Conventions*: a run belongs beside a session when its plan and its seed are the session's; what is
shown is a pure function of the trials of both. While a session without feedback is open nothing is
shown but how many questions were answered: results would be feedback.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from spectcount.figures.functions import functions_value
from spectcount.figures.maps import curves_value
from spectcount.figures.threshold_table import thresholds_html
from spectcount.figures.tracks import share_words, tracks_value
from spectcount.probing.base import Plan
from spectcount.probing.maps import measure_map, of_listener, pool
from spectcount.probing.plan import AnyPlan, Curve, Interleaved, plan_from_dict
from spectcount.probing.procedure import Procedure
from spectcount.probing.replay import track_state
from spectcount.probing.thresholds import Threshold, thresholds
from spectcount.store import ACTIVE, Run, Store
from spectcount.trials import Trial
from spectcount.ui import parts
from spectcount.ui.parts import Part
from spectcount.ui.pieces import Updates, chart_box, html, joined, notice, render
from spectcount.ui.polling import Feed, duration_text
from spectcount.ui.procedures import box, states_of

Answers = Mapping[str, list[Trial]]
"""Trials by listener, the person first."""
ANSWER_S = 2.0
"""Time that a person is assumed to take for an answer."""
NOT_YET = (
    "Results appear when the session is over, so that they give nothing away; they would appear at "
    "once with feedback."
)
_EMPTY = "Your curve appears here after the first answers of a plan over one parameter."


class Results:
    """The table below a session, and rates of a curve, tracks and psychometric functions, each in
    a box."""

    def __init__(self, where: str) -> None:
        self.words = html(f"{where}-results")
        self.curve = chart_box("You and the models", f"{where}-chart", empty=_EMPTY)
        self.tracks = box("Your track", f"{where}-tracks", 340)
        self.function = box("Psychometric functions", f"{where}-function", 360)

    @property
    def outputs(self) -> list[Any]:
        boxes = (self.curve, self.tracks, self.function)
        return [self.words, *(c for each in boxes for c in each.outputs)]

    def _say(self, words: str) -> Updates:
        """Updates that show words alone."""
        return {self.words: words, **self._charts()}

    def _charts(self, curve: Any = None, tracks: Any = None, function: Any = None) -> Updates:
        return {
            **self.curve.show(curve),
            **self.tracks.show(tracks),
            **self.function.show(function),
        }

    def show(self, run: Run | None, store: Store, feed: Feed) -> Updates:
        """Updates of the table and of the charts."""
        if run is None:
            return self._say(notice("No session yet."))
        plan = plan_from_dict(run.config["plan"])
        answers = answered(run, store, feed)
        if not any(answers.values()):
            return self._say(notice("No answer yet."))
        if run.state == "open" and not run.config.get("feedback"):
            n = len(next(iter(answers.values())))
            return self._say(notice(f"{n} answered. {NOT_YET}"))
        split = [
            (part, {name: part.mine(trials) for name, trials in answers.items()})
            for part in parts.plans_of(plan)
        ]
        several = isinstance(plan, Interleaved)
        tables = joined(_tables(part, mine, several) for part, mine in split)
        return {self.words: tables, **self._drawn(*split[0])}

    def _drawn(self, part: Part, answers: Answers) -> Updates:
        """Updates of the charts: the tracks are the person's own."""
        plan = part.plan
        mine = {name: trials for name, trials in answers.items() if trials}
        if isinstance(plan, Procedure):
            who, own = next(iter(answers.items()))
            states = states_of(part, track_state(plan, own)) if own else {}
            tracks = tracks_value(plan, states, title=who, part=part.number) if own else None
            return self._charts(tracks=tracks, function=_functions(plan, mine))
        if len(plan.axes) != 1:
            return self._charts()
        curves = curves_value({name: measure_map(plan, t) for name, t in mine.items()}, "rate")
        return self._charts(curves, function=_functions(plan, mine))


def minutes(plan: AnyPlan) -> str:
    """How long a person will take, in words."""
    clips = [part.plan.n_trials * (_clip_s(part.plan) + ANSWER_S) for part in parts.plans_of(plan)]
    return duration_text(sum(clips))


def progress(run: Run, store: Store) -> tuple[object, bool]:
    """How far the models are that are asked the same, and whether any still is."""
    others = _same(run, store)
    far = [(other.id, other.state, other.done) for other in others]
    return far, any(other.state in (*ACTIVE, "queued") for other in others)


def answered(run: Run, store: Store, feed: Feed) -> dict[str, list[Trial]]:
    """Trials by listener: the person's own, then those of every run of the same plan and seed."""
    found = {run.config["listeners"][0]: list(feed.trials(run.id))}
    for other in _same(run, store):
        trials = feed.trials(other.id)
        for name in other.config["listeners"]:
            found.setdefault(name, of_listener(trials, name))
    return found


def table_html(plan: Plan, answers: Answers) -> Markup:
    """One row per listener: trials, right answers, d', criterion (HTML)."""
    rows = [(name, _cells(plan, trials)) for name, trials in answers.items() if trials]
    return render("you.table", rows=rows)


def _tables(part: Part, answers: Answers, several: bool) -> Markup:
    """Rates and thresholds of one plan (HTML)."""
    head = Markup("<h3>Plan {}, {}</h3>").format((part.number or 0) + 1, part.plan.kind)
    fitted = {n: thresholds_of(part.plan, trials) for n, trials in answers.items() if trials}
    below = Markup(thresholds_html(fitted))
    return joined([head if several else "", table_html(part.plan, answers), below])


def _cells(plan: Plan, trials: list[Trial]) -> list[str]:
    pooled = pool(plan, trials)
    known = [t for t in trials if t.correct is not None]
    right = f"{sum(bool(t.correct) for t in known)} of {len(known)}" if known else "no truth"
    rates = (pooled.rate, pooled.d_prime or "–", pooled.criterion or "–")
    return [str(len(trials)), right, *map(str, rates)]


def _functions(plan: Plan, found: Answers) -> Any:
    """The psychometric functions of all listeners, by track where there are several."""
    if not isinstance(plan, Procedure | Curve):
        return None
    named = {
        " · ".join(filter(None, (name, t.condition))): t
        for name, trials in found.items()
        for t in thresholds_of(plan, trials)
    }
    return functions_value(named, share_words(plan))


def thresholds_of(plan: Plan, trials: Sequence[Trial]) -> list[Threshold]:
    """`thresholds`, computed once for the same answers."""
    answers = tuple((t.key, t.log_probs) for t in trials)
    about = json.dumps(plan.to_dict(), sort_keys=True)
    return list(_thresholds(_Seen((about, answers), plan, tuple(trials))))


@dataclass(frozen=True)
class _Seen:
    """A plan with answers; equal where both are."""

    identity: tuple[Any, ...]
    plan: Plan = field(compare=False)
    trials: tuple[Trial, ...] = field(compare=False)


@functools.lru_cache(maxsize=64)
def _thresholds(seen: _Seen) -> list[Threshold]:
    return thresholds(seen.plan, seen.trials)


def _clip_s(plan: Plan) -> float:
    return float(plan.base.to_dict().get("duration_s", 4.0))


def _same(run: Run, store: Store) -> list[Run]:
    config = run.config
    runs = store.runs("probe")
    return [
        r
        for r in runs
        if r.config.get("plan") == config["plan"] and r.config.get("seed") == config["seed"]
    ]
