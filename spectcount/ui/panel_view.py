"""The forgetting panel on the Compare tab: choose one, start it, read what was forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.context import Context
from markupsafe import Markup

from spectcount import actions, presets
from spectcount.probing.panel import Panel
from spectcount.psychophysics.sdt import interval_of
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import plan_form
from spectcount.ui.header import Header, compared
from spectcount.ui.pieces import Updates, html, notice, on, refusing, render, section
from spectcount.ui.polling import Feed
from spectcount.ui.run_view import Picture, RunView
from spectcount.ui.verdicts import seen_html, sentence_html

INTRO = (
    "A fine-tune can spoil what worked before. A panel asks base and tuned the same questions "
    "about that: other tasks, strong cells of the map, clip lengths, silence, other wordings."
)
WAITING = "Computing the table."
NO_ROWS = "The table fills in as soon as both have answered the same questions."
REDRAW_EVERY = 0.2


class PanelView(RunView):
    """The section, inside the Compare tab."""

    kind = noun = "panel"
    says_speed = False
    empty = (
        "No panel yet. Choose a tuned adapter in the header and a panel here, and press Start "
        "panel."
    )

    def __init__(self, settings: Settings, store: Store, header: Header) -> None:
        super().__init__(settings, store, header)
        names = presets.names("panels", settings)
        with section("Forgetting panel", INTRO, "panel-section"), gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320, elem_classes="panel"):
                preset = gr.Dropdown(names, value=names[0], label="Panel", elem_id="panel-preset")
                cost = html("panel-cost")
                start = self.lay_out_start("Start panel")
            with gr.Column(scale=3, min_width=320):
                self.lay_out_run()
                self.table = html("panel-table")
        who = [preset, header.base, header.tuned]
        opened = Context.root_block.load
        on([opened, preset.input, header.base.change, header.tuned.change], self.cost, who, cost)
        self.starts(start, who)
        waiting = {self.table: notice(WAITING)}
        self.follow([Picture("table", self.draw, REDRAW_EVERY, waiting=waiting)], self.table)

    @refusing
    def cost(self, preset: str, base: str, tuned: str) -> str:
        """Say what a panel is for and what it takes, or the sentence that refuses it."""
        loaded = presets.load("panels", preset, self.settings)
        plan = Panel.from_list(loaded.body["parts"]).plan
        names = compared(base, tuned)
        rate, source = plan_form.measured_rate(self.store, names)
        cost = plan.cost(len(names), rate)
        words = (
            f"{cost.n_trials} trials, 2 listeners. About {cost.minutes:.1f} min at {rate:.3g} "
            f"clips/s ({source})."
        )
        return plan_form.about_html(loaded) + notice(words)

    def begin(self, preset: str, base: str, tuned: str) -> Run:
        """Queue the panel for base and tuned."""
        names = compared(base, tuned)
        return actions.start_panel(self.settings, preset, *names)

    def draw(self, run: Run) -> Updates:
        """The table."""
        return {self.table: result_html(run, self.feed)}


def result_html(run: Run, feed: Feed) -> Markup:
    """The sentence and the table of a panel's run (HTML)."""
    table = feed.result(run).panel
    result = {} if table is None else table.to_dict()
    if not result.get("rows"):
        return notice(NO_ROWS)
    kind = "worse" if result["forgotten"] else "no change shown"
    first = sentence_html(kind, result["sentence"])
    return render(
        "verdicts.panel",
        headline=render("verdicts.headline", kind=kind, first=first, others=()),
        rows=list(map(_row, result["rows"])),
        level=f"{100 * result['rows'][0]['verdict']['interval']['level']:.4g}",
        wrong=f"{100 * result['false_coverage_rate']:g}",
        seen=seen_html(run.lineage),
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    verdict = row["verdict"]
    notes = {"not fine before": not row["fine_before"], "to be repaired": row["weak"]}
    return {
        "name": row["name"],
        "notes": [words for words, holds in notes.items() if holds],
        "base": str(interval_of(row["base"])),
        "tuned": str(interval_of(row["tuned"])),
        "sentence": sentence_html(verdict["kind"], verdict["sentence"].partition(" at ")[0]),
        "n": verdict["n"],
    }
