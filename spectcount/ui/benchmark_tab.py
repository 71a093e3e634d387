"""The Benchmark tab: does a tuning on synthetic signals carry over to real sounds?

A run is a job like any other: it goes on without the page, can be stopped and resumed, and its
result fills in while it asks. The page reads what is stored and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import actions
from spectcount.benchmarks import summary
from spectcount.benchmarks.questions import Sheet, place, sheet_of
from spectcount.configs import BenchmarkConfig
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.trials import Trial
from spectcount.ui import benchmark_form
from spectcount.ui.benchmark_result import result_html
from spectcount.ui.header import Header
from spectcount.ui.pieces import (
    PRIVATE,
    QUIET,
    Updates,
    files,
    joined,
    live,
    notice,
    on,
    refusal,
    small_button,
)
from spectcount.ui.run_view import UNCHOSEN, Picture, RunView
from spectcount.ui.runs import fresh_folder, packed

NO_ANSWER = "Scores appear here as soon as every listener has answered."
DEMO_EXPORT = (
    "The demo hands out no rows of a benchmark's files; to export, run a copy of SpectCount."
)
REDRAW_EVERY = 0.1
"""Share of new answers after which a running result is made again: its bootstraps cost time."""
KEPT_SHEETS = 4


class BenchmarkView(RunView):
    """The tab."""

    kind = "benchmark"
    noun = "benchmark run"
    empty = (
        "No benchmark yet. Download the official files of one, give their folder here, and press "
        "Start benchmark: official and strict score fill in as the questions are answered."
    )

    def __init__(self, settings: Settings, store: Store, header: Header) -> None:
        super().__init__(settings, store, header)
        self._sheets: dict[str, Sheet] = {}
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320, elem_classes="panel"):
                form = self.form = benchmark_form.BenchmarkForm(settings, store, header)
                local = not settings.demo
                start = self.lay_out_start("Start benchmark", variant="primary", interactive=local)
            with gr.Column(scale=3, min_width=320):
                label = "Export predictions"
                (export,) = self.lay_out_run(lambda: small_button(label, "benchmark-export", 150))
                self.exported = files("Predictions for the official script", "benchmark-files")
                self.result = live("benchmark-result")
        looked = {"inputs": form.inputs, "outputs": [form.cost, form.split]}
        on(form.triggers, form.look, **looked)
        opened = Context.root_block.load
        on([opened, form.name.change], form.choose, form.name, form.of_benchmark).then(
            form.look, **looked, **QUIET
        )
        self.starts(start, form.inputs)
        export_outputs = [self.run_message, self.exported]
        self.run.input(lambda: ("", gr.update(visible=False)), None, export_outputs, **QUIET)
        also = self._state
        self.follow([Picture("result", self.draw, REDRAW_EVERY, also=also)], self.result)
        export.click(self.export, self.run, export_outputs, concurrency_id="files", **PRIVATE)

    def begin(self, *values: Any) -> Run:
        """Queue the benchmark that the form describes."""
        request = self.form.read(values)
        return actions.start_benchmark(self.settings, **request)

    def export(self, run_id: str | None) -> tuple[str, Any]:
        """The chosen run's predictions as one zip, and how to run the official script on them."""
        hidden = gr.update(visible=False)
        if self.settings.demo:
            return notice(DEMO_EXPORT, "error"), hidden
        if not run_id:
            return notice(UNCHOSEN, "error"), hidden
        folder = fresh_folder() / f"{run_id}-predictions"
        try:
            written = actions.export_benchmark(self.settings, run_id, folder)
        except UserError as error:
            return refusal(error), hidden
        sentences = (
            f"{export.listener}: {export.n_replies} replies in {export.n_rows} rows. In the "
            f"official folder: {export.command.replace(f'{folder.parent}/', '')}"
            for export in written
        )
        return joined(map(notice, sentences)), gr.update(value=[str(packed(folder))], visible=True)

    def _state(self, run: Run) -> tuple[Any, ...]:
        return self.feed.n_trials(run.id) > 0, run.state

    def draw(self, run: Run) -> Updates:
        """The run's result, from its summary once it has ended (HTML)."""
        summary = run.summary or {}
        if run.ended and summary.get("listeners"):
            return {self.result: result_html(summary, bool(summary.get("stopped")))}
        try:
            summary_now = so_far(run, self._sheet(run), self.feed.trials(run.id))
        except UserError as error:
            return {self.result: refusal(error)}
        return {self.result: result_html(summary_now, True) if summary_now else notice(NO_ANSWER)}

    def _sheet(self, run: Run) -> Sheet:
        """The sheet of a run; the last few are kept."""
        if run.id not in self._sheets:
            self._sheets[run.id] = sheet_of(BenchmarkConfig.from_json(run.config))
            for old in list(self._sheets)[:-KEPT_SHEETS]:
                del self._sheets[old]
        return self._sheets[run.id]


def so_far(run: Run, sheet: Sheet, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """The summary of what is stored; None until every listener has answered something."""
    names = run.config["listeners"]
    by_listener = {name: [t for t in trials if t.listener == name] for name in names}
    if not all(by_listener.values()):
        return None
    answers = {
        name: summary.Answers(
            answered[0].fingerprint, {place(t): t for t in answered}, {}, len(answered), 0, None
        )
        for name, answered in by_listener.items()
    }
    missing = missing_before(sheet, trials)
    whole = dataclasses.replace(sheet, benchmark=dataclasses.replace(sheet.benchmark, strata=()))
    total = len(sheet.units) * len(names)
    head = {"done": sum(map(len, by_listener.values())), "total": total, "stopped": False}
    summarised = summary.summarise(whole, answers, missing)
    known = summarised["benchmark"]["answers_known"]
    return {**head, **summarised, "strata": _strata(sheet, answers, missing) if known else {}}


def _strata(
    sheet: Sheet, answers: Mapping[str, summary.Answers], missing: summary.Unheard
) -> dict[str, Any]:
    """The rows of every kind of category without changes: each listener's own, side by side."""
    alone = [
        summary.strata(sheet, {name: summary.mark(sheet, marked, missing)})
        for name, marked in answers.items()
    ]
    merged = {
        kind: [
            {**rows[0], "listeners": {k: v for row in rows for k, v in row["listeners"].items()}}
            for rows in zip(*(rows[kind] for rows in alone), strict=True)
        ]
        for kind in sheet.benchmark.strata
    }
    return merged


def missing_before(sheet: Sheet, trials: Sequence[Trial]) -> dict[int, tuple[str, str]]:
    """Row -> (kind, why) of the items without a sound that the run has passed already."""
    answered = {place(t)[0] for t in trials}
    last = max((i for i, item in enumerate(sheet.items) if item.row in answered), default=-1)
    return {
        item.row: (summary.MISSING, f"there is no file {item.audio}")
        for item in sheet.items[: last + 1]
        if item.row not in answered and not item.audio.is_file()
    }
