"""A person's results beside the models' that were asked the same plan at the same seed.

*Conventions*: a run belongs beside a session when its plan and its seed are the session's; what is
shown is read from what the runs say (`Feed.result`), stored where they ended. While a session
without feedback is open nothing is shown but how many questions were answered: results would be
feedback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from spectcount.figures.functions import functions_value
from spectcount.figures.maps import curves_value
from spectcount.figures.threshold_table import thresholds_html
from spectcount.figures.tracks import share_words, tracks_value
from spectcount.probing.analysis import AnyPart, Result
from spectcount.probing.base import Plan
from spectcount.probing.plan import AnyPlan
from spectcount.store import ACTIVE, Run, Store
from spectcount.ui.parts import Part, plans_of
from spectcount.ui.pieces import Updates, chart_box, html, joined, notice, render
from spectcount.ui.polling import Feed, duration_text
from spectcount.ui.procedures import box, states_of

Parts = Mapping[str, AnyPart]
"""One plan as each listener answered it, the person first."""
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
        results = answered(run, store, feed)
        listed = [parts_of(results, k) for k in range(len(next(iter(results.values())).parts))]
        if not any(part.n[name] for parts in listed for name, part in parts.items()):
            return self._say(notice("No answer yet."))
        if run.state == "open" and not run.config.get("feedback"):
            who = next(iter(results))
            n = sum(parts[who].n[who] for parts in listed)
            return self._say(notice(f"{n} answered. {NOT_YET}"))
        several = len(listed) > 1
        tables = joined(_tables(parts, k if several else None) for k, parts in enumerate(listed))
        return {self.words: tables, **self._drawn(listed[0], 0 if several else None)}

    def _drawn(self, parts: Parts, number: int | None) -> Updates:
        """Updates of the charts: the tracks are the person's own."""
        who, first = next(iter(parts.items()))
        plan = first.plan
        answering = {name: part for name, part in parts.items() if part.n[name]}
        if plan.procedure is not None:
            states = states_of(Part(plan, number), first.tracks[who]) if first.n[who] else {}
            tracks = (
                tracks_value(plan.procedure, states, title=who, part=number) if states else None
            )
            return self._charts(tracks=tracks, function=_functions(plan, answering))
        if len(plan.axes) != 1:
            return self._charts()
        curves = curves_value({name: part.cells[name] for name, part in answering.items()}, "rate")
        return self._charts(curves, function=_functions(plan, answering))


def minutes(plan: AnyPlan) -> str:
    """The time a person will take, in words."""
    clips = [part.plan.n_trials * (_clip_s(part.plan) + ANSWER_S) for part in plans_of(plan)]
    return duration_text(sum(clips))


def progress(run: Run, store: Store) -> tuple[object, bool]:
    """Progress of the models that are asked the same, and whether any still is."""
    others = _same(run, store)
    far = [(other.id, other.state, other.done) for other in others]
    return far, any(other.state in (*ACTIVE, "queued") for other in others)


def answered(run: Run, store: Store, feed: Feed) -> dict[str, Result]:
    """The result of each listener's run: the person's session, then every run of the same plan
    and seed, the newest where several asked one listener."""
    results = {run.config["listeners"][0]: feed.result(run)}
    for other in _same(run, store):
        for name in other.config["listeners"]:
            if name not in results:
                results[name] = feed.result(other)
    return results


def parts_of(results: Mapping[str, Result], number: int) -> dict[str, AnyPart]:
    """The result of each listener's run for plan `number`."""
    return {name: result.parts[number] for name, result in results.items()}


def table_html(parts: Parts) -> Markup:
    """One row per listener: trials, right answers, d', criterion (HTML)."""
    rows = [(name, _cells(part, name)) for name, part in parts.items() if part.n[name]]
    return render("you.table", rows=rows)


def _tables(parts: Parts, number: int | None) -> Markup:
    """Rates and thresholds of one plan, headed by its number among several (HTML)."""
    head: Markup | str = ""
    if number is not None:
        kind = next(iter(parts.values())).plan.kind
        head = Markup("<h3>Plan {}, {}</h3>").format(number + 1, kind)
    fitted = {name: part.thresholds[name] for name, part in parts.items() if part.n[name]}
    return joined([head, table_html(parts), Markup(thresholds_html(fitted))])


def _cells(part: AnyPart, name: str) -> list[str]:
    pooled, n_known = part.pooled[name], part.n_known[name]
    right = f"{part.n_right[name]} of {n_known}" if n_known else "no truth"
    rates = (pooled.rate, pooled.d_prime or "–", pooled.criterion or "–")
    return [str(part.n[name]), right, *map(str, rates)]


def _functions(plan: Plan, parts: Parts) -> Any:
    """The psychometric functions of all listeners, by track where there are several."""
    if not plan.fitted:
        return None
    named = {
        " · ".join(filter(None, (name, t.condition))): t
        for name, part in parts.items()
        for t in part.thresholds[name]
    }
    return functions_value(named, share_words(plan))


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
