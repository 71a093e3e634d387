"""Wordings on the Compare tab: the plan above, every stimulus in several wordings."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.maps import by_wording_value, spread_value
from spectcount.probing.analysis import Result
from spectcount.probing.wordings import Crossed, chosen_wordings
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import plan_form
from spectcount.ui.figures import heatmap, line_chart
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.pieces import (
    Updates,
    html,
    live,
    notice,
    on,
    refusing,
    render,
    section,
)
from spectcount.ui.run_view import Picture, RunView
from spectcount.ui.verdicts import seen_html, verdicts_html

WHO = {"Base and tuned": "both", "Base alone": "base"}
INTRO = (
    "Another wording can move a score by more than a fine-tune does. Here every stimulus of the "
    "plan above is asked in each of several wordings, held-out ones among them, in both orders of "
    "the options equally often."
)
WORKING = "Comparing the wordings."
NO_WORDS = "The numbers appear as soon as some stimuli were answered in every wording."
NO_FIGURE = "Each wording's own number, with its interval, once a run over wordings is started."
NO_SPREAD = "How far wordings differ in each cell, once a run over wordings is started."
REDRAW_EVERY = 0.1


class WordingsView(RunView):
    """The section, inside the Compare tab, below the plan's form."""

    kind = "wordings"
    noun = "run over wordings"
    says_speed = False
    empty = (
        "No run over wordings yet. Choose a plan at the top of this page (a map of few cells: each "
        "stimulus is asked several times), the number of wordings here, and press Start wordings."
    )

    def __init__(
        self, settings: Settings, store: Store, header: Header, form: plan_form.PlanForm
    ) -> None:
        super().__init__(settings, store, header)
        self.form = form
        with section("Wordings", INTRO, "wordings-section"), gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320, elem_classes="panel"):
                self._lay_out_form()
            with gr.Column(scale=3, min_width=320):
                self.lay_out_run()
                self._lay_out_figures()
        self.starts(*self._asked)
        waiting = {self.words: notice(WORKING), self.chart: None, self.spread: None}
        self.follow([Picture("figures", self.draw, REDRAW_EVERY, waiting=waiting)], *waiting)

    def _lay_out_form(self) -> None:
        form, header = self.form, self.header
        count = gr.Slider(2, 9, value=5, step=1, label="Wordings", elem_id="wordings-count")
        who = gr.Radio(list(WHO.items()), value="both", label="Who answers", elem_id="wordings-who")
        cost = html("wordings-cost")
        start = self.lay_out_start("Start wordings")
        inputs = [*form.inputs, count, who, header.base, header.tuned]
        changes = [count.change, who.input, header.base.change, header.tuned.change]
        on([*form.triggers, *changes], self.cost, inputs, cost)
        self._asked = start, inputs

    def _lay_out_figures(self) -> None:
        self.words = live("wordings-words")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                self.chart = line_chart("By wording", empty=NO_FIGURE, elem_id="wordings-chart")
            with gr.Column(min_width=320):
                self.spread = heatmap(
                    "Spread over wordings", empty=NO_SPREAD, elem_id="wordings-spread"
                )

    @refusing
    def cost(self, *values: Any) -> str:
        """Say what it would take, or the sentence that refuses it."""
        plan, _, _, count, specs = self._read(values)
        crossed = Crossed.from_config(plan.to_dict(), chosen_wordings(plan.asked, count))
        rate, source = plan_form.measured_rate(self.store, specs)
        cost = crossed.cost(len(specs), rate)
        return notice(
            f"{cost.n_trials} trials: {plan.n_trials} stimuli × {count} wordings, "
            f"{len(specs)} listener{'s' if len(specs) > 1 else ''}. About {cost.minutes:.1f} min "
            f"at {rate:.3g} clips/s ({source})."
        )

    def begin(self, *values: Any) -> Run:
        """Queue the run that the plan's form and this section describe."""
        plan, seed, preset, count, specs = self._read(values)
        source = plan_form.source_of(plan, preset, self.settings)
        first, second = [*specs, None][:2]
        run = actions.start_wordings(
            self.settings, source, str(first), second, seed=seed, n_wordings=count
        )
        return run

    def _read(self, values: Any) -> tuple[Any, int, str, int, list[str]]:
        """(plan, seed, preset, number of wordings, listeners) that the widgets say."""
        *plan_values, count, who, base, tuned = values
        plan, seed, preset = self.form.read(plan_values)
        if plan.adaptive:
            raise UserError(
                "this plan follows the answers, so no two wordings get its stimuli; choose a map, "
                "a curve or a confusion above"
            )
        spec = listener_spec(base, tuned)
        if who == "both" and spec == base:
            raise UserError(
                "no tuned adapter is selected; choose one in the header, or ask base alone"
            )
        return plan, seed, preset, int(count), [base, spec] if who == "both" else [base]

    def draw(self, run: Run) -> Updates:
        """Updates of words and figures; of words alone while nothing is known."""
        result = self.feed.result(run)
        known = result.worded
        if not known:
            return {self.words: notice(NO_WORDS)}
        last = list(known)[-1]
        return {
            self.words: words_html(run, result),
            self.chart: by_wording_value(known),
            self.spread: spread_value(known[last], title=last),
        }


def words_html(run: Run, result: Result) -> Markup:
    """The verdict on two listeners, how much the wording matters to each, and the wordings
    themselves with each listener's number (HTML)."""
    known, change = result.worded, result.worded_change
    first = next(iter(known.values()))
    rows = [
        (worded, [(name, _main(each.by_wording[k])) for name, each in known.items()])
        for k, worded in enumerate(first.by_wording)
    ]
    return render(
        "verdicts.wordings",
        verdicts=verdicts_html(change.verdicts()) if change is not None else "",
        listeners=[(name, each.sentence) for name, each in known.items()],
        measures=[(name, each.measure) for name, each in known.items()],
        rows=rows,
        seen=seen_html(run.lineage),
    )


def _main(worded: Any) -> str:
    """d' of a wording, and its criterion; or its rate."""
    if worded.d_prime is None:
        return str(worded.rate)
    return f"{worded.d_prime}, c {worded.criterion.value:+.2f}"
