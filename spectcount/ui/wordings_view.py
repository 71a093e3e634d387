"""Wordings on the Compare tab: the plan above, every stimulus in several wordings."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.wordings import by_wording_value, spread_value
from spectcount.probing import comparison
from spectcount.probing.maps import of_listener
from spectcount.probing.wording_table import Robustness, robustness, worded_change
from spectcount.probing.wordings import Crossed, chosen_wordings
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.trials import Trial
from spectcount.ui import plan_form, pulse, room
from spectcount.ui.behind import Behind
from spectcount.ui.figures import heatmap, line_chart
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.polling import (
    Feed,
    find_run,
    notice,
    on,
    progress_html,
    redraw_step,
    run_choices,
)
from spectcount.ui.run_controls import (
    RunHandlers,
    choice,
    newest,
    reveal,
    run_buttons,
    run_dropdown,
    started,
)
from spectcount.ui.verdicts import seen_html, verdicts_html

KIND = "wordings"
WHO = {"Base and tuned": "both", "Base alone": "base"}
INTRO = (
    "Another wording can move a score by more than a fine-tune does. Here every stimulus of the "
    "plan above is asked in each of several wordings, held-out ones among them, in both orders of "
    "the options equally often."
)
_WAITING = [notice("The wordings are compared; a moment."), None, None]
EMPTY = (
    "No run over wordings yet. Choose a plan at the top of this page (a map of few cells: each "
    "stimulus is asked several times), the number of wordings here, and press Start wordings."
)
NO_WORDS = "The numbers appear as soon as some stimuli were answered in every wording."
NO_FIGURE = "Each wording's own number, with its interval, once a run over wordings is started."
NO_SPREAD = "How far wordings differ in each cell, once a run over wordings is started."
REDRAW_EVERY = 0.1


def build(settings: Settings, store: Store, header: Header, form: plan_form.PlanForm) -> None:
    """The section, inside the Compare tab, below the plan's form."""
    view = WordingsView(settings, store, form)
    with gr.Column(elem_id="wordings-section", elem_classes="section"):
        gr.HTML(f"<h2>Wordings</h2><p class='about'>{escape(INTRO)}</p>", apply_default_css=False)
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320, elem_classes="panel"):
                count = gr.Slider(2, 9, value=5, step=1, label="Wordings", elem_id="wordings-count")
                who = gr.Radio(
                    list(WHO.items()), value="both", label="Who answers", elem_id="wordings-who"
                )
                cost = gr.HTML(elem_id="wordings-cost", apply_default_css=False)
                start = gr.Button("Start wordings", elem_id="wordings-start")
                message = gr.HTML(
                    elem_id="wordings-message",
                    apply_default_css=False,
                    js_on_load="SpectCount.live(element);",
                )
            with gr.Column(scale=3, min_width=320):
                with gr.Row(equal_height=False):
                    run = run_dropdown(store, KIND)
                    stop, resume = run_buttons(KIND)
                told = gr.HTML(
                    elem_id="wordings-told",
                    apply_default_css=False,
                    js_on_load="SpectCount.live(element);",
                )
                progress = gr.HTML(elem_id="wordings-progress", apply_default_css=False)
                words = gr.HTML(
                    elem_id="wordings-words",
                    apply_default_css=False,
                    js_on_load="SpectCount.live(element);",
                )
                with gr.Row(equal_height=False):
                    with gr.Column(min_width=320):
                        chart = line_chart("By wording", empty=NO_FIGURE, elem_id="wordings-chart")
                    with gr.Column(min_width=320):
                        spread = heatmap(
                            "Spread over wordings", empty=NO_SPREAD, elem_id="wordings-spread"
                        )

    sent = gr.State({})
    asked = [*form.inputs, count, who, header.base, header.tuned]
    changed = [
        *form.triggers, count.change, who.input, header.base.change, header.tuned.change,
    ]  # fmt: skip
    on(changed, view.cost, asked, cost)
    shown = {"inputs": [run, sent], "outputs": [run, progress, words, chart, spread, sent]}
    start.click(view.start, asked, [run, message], api_visibility="private").then(
        **reveal("wordings")
    )
    pulse.follow_run(store, KIND, run, view.poll, shown, view.pictures)
    stop.click(view.stop, run, told, api_visibility="private", queue=False)
    resume.click(view.resume, run, told, api_visibility="private")


class WordingsView(RunHandlers):
    """The section's handlers, over one store; the plan is that of the tab's form."""

    def __init__(self, settings: Settings, store: Store, form: plan_form.PlanForm) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)
        self.pictures = Behind("wordings pictures")
        self.form = form

    def cost(self, *values: Any) -> str:
        """What it would take, or the sentence that refuses it."""
        try:
            plan, _, _, count, specs = self._read(values)
            crossed = Crossed.from_config(plan.to_dict(), chosen_wordings(plan.asked, count))
        except UserError as error:
            return notice(str(error), "error")
        rate, source = plan_form.measured_rate(self.store, specs)
        cost = crossed.cost(len(specs), rate)
        return notice(
            f"{cost.n_trials} trials: {plan.n_trials} stimuli × {count} wordings, "
            f"{len(specs)} listener{'s' if len(specs) > 1 else ''}. About {cost.minutes:.1f} min "
            f"at {rate:.3g} clips/s ({source})."
        )

    def start(self, *values: Any) -> tuple[Any, str]:
        """Queue the run that the plan's form and this section describe."""
        try:
            plan, seed, preset, count, specs = self._read(values)
            source = plan_form.source_of(plan, preset, self.settings)
            made = room.make(self.settings, room.for_scoring(self.settings, specs))
            run = actions.start_wordings(self.settings, source, *specs, seed=seed, n_wordings=count)
        except UserError as error:
            return gr.skip(), notice(str(error), "error")
        return gr.update(choices=run_choices(self.store, KIND), value=run.id), started(run, made)

    def poll(self, run_id: str | None, sent: dict[str, Any]) -> tuple[Any, ...]:
        """Everything about the chosen run that is new since `sent`: run, progress, words, chart,
        spread, sent."""
        run = find_run(self.store, run_id, KIND) or newest(self.store, KIND, run_id)
        if run is None:
            told = gr.skip() if sent == {"empty": EMPTY} else notice(EMPTY)
            return gr.skip(), told, *[gr.skip()] * 3, {"empty": EMPTY}
        choices = run_choices(self.store, KIND)
        drawn = redraw_step(self.feed.n_trials(run.id), run.total, REDRAW_EVERY, run.ended)
        made = self.pictures.newest(
            run.id, (drawn, run.ended), lambda: figures(run, self.feed.trials(run.id))
        )
        now = {
            "runs": [choices, run.id],
            "progress": progress_html(run, self.store),
            "figures": [run.id, *(made.stamp if made else ["waiting"])],
        }
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        return (
            choice(choices, run, run_id) if fresh["runs"] else gr.skip(),
            now["progress"] if fresh["progress"] else gr.skip(),
            *((made.value if made else _WAITING) if fresh["figures"] else [gr.skip()] * 3),
            now,
        )

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


def figures(run: Run, trials: list[Trial]) -> list[Any]:
    """What a run over wordings says, in words and as two figures."""
    crossed = comparison.crossed(run.config)
    by_name = {name: of_listener(trials, name) for name in run.config["listeners"]}
    found = {name: robustness(crossed, mine) for name, mine in by_name.items()}
    known = {name: one for name, one in found.items() if one is not None}
    if not known:
        return [notice(NO_WORDS), gr.skip(), gr.skip()]
    change = worded_change(crossed, *by_name.values()) if len(by_name) == 2 else None
    said = verdicts_html(change.verdicts()) if change is not None else ""
    last = list(known)[-1]
    return [
        f'<div class="findings verdicts">{said}{listeners_html(known)}{table_html(known)}'
        f"{seen_html(run.lineage)}</div>",
        by_wording_value(known),
        spread_value(known[last], title=last),
    ]


def listeners_html(found: Mapping[str, Robustness]) -> str:
    """How much the wording matters to each listener (HTML)."""
    items = "".join(
        f"<li><b>{escape(name)}</b>: {escape(one.sentence)}</li>" for name, one in found.items()
    )
    return f'<ul class="said-also">{items}</ul>'


def table_html(found: Mapping[str, Robustness]) -> str:
    """The wordings themselves, with each listener's number (HTML)."""
    first = next(iter(found.values()))
    heads = "".join(
        f"<th>{escape(name)}, {escape(one.measure)}</th>" for name, one in found.items()
    )
    rows = ""
    for k, worded in enumerate(first.by_wording):
        held = " <small>held out</small>" if worded.held_out else ""
        values = "".join(
            f'<td data-name="{escape(name)}">{_main(one.by_wording[k])}</td>'
            for name, one in found.items()
        )
        rows += f"<tr><td>{k + 1}. “{escape(worded.words)}”{held}</td>{values}</tr>"
    return (
        f'<div class="wide"><table class="answers"><thead><tr><th>Wording</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _main(worded: Any) -> str:
    """d' of a wording, and its criterion; or its rate."""
    if worded.d_prime is None:
        return str(worded.rate)
    return f"{worded.d_prime}, c {worded.criterion.value:+.2f}"
