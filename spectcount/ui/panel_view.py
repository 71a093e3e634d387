"""The forgetting panel on the Compare tab: choose one, start it, read what was forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import actions, presets
from spectcount.errors import UserError
from spectcount.probing import comparison
from spectcount.probing.maps import of_listener
from spectcount.probing.panel import Panel
from spectcount.psychophysics.sdt import interval_of
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import plan_form, pulse, room
from spectcount.ui.behind import Behind
from spectcount.ui.compare_figures import compared
from spectcount.ui.header import Header
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
from spectcount.ui.verdicts import seen_html, sentence_html

KIND = "panel"
INTRO = (
    "A fine-tune can cost what was fine before. A panel asks base and tuned about that, in pairs: "
    "other tasks, strong places of the map, clip lengths, silence, other wordings."
)
WAITING = "The table is worked out; a moment."
EMPTY = (
    "No panel yet. Choose a tuned adapter in the header and a panel here, and press Start panel."
)
NO_ROWS = "The table fills in as soon as both have answered the same questions."
REDRAW_EVERY = 0.2


def build(settings: Settings, store: Store, header: Header) -> None:
    """The section, inside the Compare tab."""
    view = PanelView(settings, store)
    names = presets.names("panels", settings)
    with gr.Column(elem_id="panel-section", elem_classes="section"):
        gr.HTML(
            f"<h2>Forgetting panel</h2><p class='about'>{escape(INTRO)}</p>",
            apply_default_css=False,
        )
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320, elem_classes="panel"):
                preset = gr.Dropdown(names, value=names[0], label="Panel", elem_id="panel-preset")
                cost = gr.HTML(elem_id="panel-cost", apply_default_css=False)
                start = gr.Button("Start panel", elem_id="panel-start")
                message = gr.HTML(
                    elem_id="panel-message",
                    apply_default_css=False,
                    js_on_load="SpectCount.live(element);",
                )
            with gr.Column(scale=3, min_width=320):
                with gr.Row(equal_height=False):
                    run = run_dropdown(store, KIND)
                    stop, resume = run_buttons(KIND)
                told = gr.HTML(
                    elem_id="panel-told",
                    apply_default_css=False,
                    js_on_load="SpectCount.live(element);",
                )
                progress = gr.HTML(elem_id="panel-progress", apply_default_css=False)
                table = gr.HTML(elem_id="panel-table", apply_default_css=False)

    sent = gr.State({})
    who = [preset, header.base, header.tuned]
    opened = Context.root_block.load
    changed = [opened, preset.input, header.base.change, header.tuned.change]
    on(changed, view.cost, who, cost)
    shown = {"inputs": [run, sent], "outputs": [run, progress, table, sent]}
    start.click(view.start, who, [run, message], api_visibility="private").then(**reveal("panel"))
    pulse.follow_run(store, KIND, run, view.poll, shown, view.tables)
    stop.click(view.stop, run, told, api_visibility="private", queue=False)
    resume.click(view.resume, run, told, api_visibility="private")


class PanelView(RunHandlers):
    """The section's handlers, over one store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)
        self.tables = Behind("panel tables")

    def cost(self, preset: str, base: str, tuned: str) -> str:
        """What a panel is for and what it takes, or the sentence that refuses it."""
        try:
            loaded = presets.load("panels", preset, self.settings)
            plan = Panel.from_list(loaded.body["parts"]).plan
            names = compared(base, tuned)
        except UserError as error:
            return notice(str(error), "error")
        rate, source = plan_form.measured_rate(self.store, names)
        cost = plan.cost(len(names), rate)
        said = (
            f"{cost.n_trials} trials, 2 listeners. About {cost.minutes:.1f} min at {rate:.3g} "
            f"clips/s ({source})."
        )
        return plan_form.about_html(loaded) + notice(said)

    def start(self, preset: str, base: str, tuned: str) -> tuple[Any, str]:
        """Queue the panel for base and tuned."""
        try:
            names = compared(base, tuned)
            made = room.make(self.settings, room.for_scoring(self.settings, names))
            run = actions.start_panel(self.settings, preset, *names)
        except UserError as error:
            return gr.skip(), notice(str(error), "error")
        return gr.update(choices=run_choices(self.store, KIND), value=run.id), started(run, made)

    def poll(self, run_id: str | None, sent: dict[str, Any]) -> tuple[Any, ...]:
        """Everything about the chosen run that is new since `sent`: run, progress, table, sent."""
        run = find_run(self.store, run_id, KIND) or newest(self.store, KIND, run_id)
        if run is None:
            told = gr.skip() if sent == {"empty": EMPTY} else notice(EMPTY)
            return gr.skip(), told, gr.skip(), {"empty": EMPTY}
        choices = run_choices(self.store, KIND)
        drawn = redraw_step(self.feed.n_trials(run.id), run.total, REDRAW_EVERY, run.ended)
        made = self.tables.newest(run.id, (drawn, run.ended), lambda: result_html(run, self.feed))
        now = {
            "runs": [choices, run.id],
            "progress": progress_html(run, self.store),
            "table": [run.id, *(made.stamp if made else ["waiting"])],
        }
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        return (
            choice(choices, run, run_id) if fresh["runs"] else gr.skip(),
            now["progress"] if fresh["progress"] else gr.skip(),
            (made.value if made else notice(WAITING)) if fresh["table"] else gr.skip(),
            now,
        )


def result_html(run: Run, feed: Feed) -> str:
    """The sentence and the table of a panel's run (HTML): of an ended one from its summary."""
    found = (run.summary or {}).get("panel") if run.ended else None
    if found is None:
        base, tuned = run.config["listeners"]
        trials = feed.trials(run.id)
        by_name = {name: of_listener(trials, name) for name in (base, tuned)}
        found = comparison.panel(run.config, by_name).to_dict()
    if not found["rows"]:
        return notice(NO_ROWS)
    rows = "".join(map(_row, found["rows"]))
    level = found["rows"][0]["verdict"]["interval"]["level"]
    kind = "worse" if found["forgotten"] else "no change shown"
    return (
        f'<div class="findings verdicts"><p class="said said-{kind.replace(" ", "-")}" '
        f'role="status">{sentence_html(kind, found["sentence"])}</p>'
        f'<div class="wide"><table class="answers"><thead><tr><th>Task and range</th><th>Base</th>'
        f"<th>Tuned</th><th>Change, at {100 * level:.4g} %</th></tr></thead><tbody>{rows}</tbody>"
        "</table></div><p class='about'>Base and tuned at 95 %. The intervals of all changes are "
        f"at {100 * level:.4g} %, so that of those that exclude zero at most "
        f"{100 * found['false_coverage_rate']:g} % is expected to be wrong.</p>"
        f"{seen_html(run.lineage)}</div>"
    )


def _row(row: Mapping[str, Any]) -> str:
    verdict = row["verdict"]
    notes = [] if row["fine_before"] else ["not fine before"]
    notes += ["to be repaired"] if row["weak"] else []
    note = f"<small>{escape(', '.join(notes))}</small>" if notes else ""
    cells = "".join(
        f'<td data-name="{name}">{_value(row[name])}</td>' for name in ("base", "tuned")
    )
    said = verdict["sentence"].partition(" at ")[0]
    return (
        f"<tr><td>{escape(row['name'])} {note}</td>{cells}"
        f"<td>{sentence_html(verdict['kind'], said)}, n {verdict['n']}</td></tr>"
    )


def _value(interval: Mapping[str, Any]) -> str:
    return str(interval_of(interval))
