"""The Benchmark tab: does a tuning on synthetic signals carry over to real sounds?

A run is a job like any other: it goes on without the page, can be stopped and resumed, and its
result fills in while it asks. The page reads what is stored and nothing else.
"""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import actions
from spectcount.benchmarks.sheet import Sheet, sheet_of
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import benchmark_form, benchmark_live, pulse, room
from spectcount.ui.benchmark_result import result_html
from spectcount.ui.header import Header
from spectcount.ui.polling import (
    QUIET,
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
from spectcount.ui.runs import fresh_folder
from spectcount.ui.scoring import speed_html

KIND = "benchmark"
EMPTY = (
    "No benchmark yet. Download the official files of one, give their folder here, and press Start "
    "benchmark: official and strict score fill in as the questions are answered."
)
NO_ANSWER = "Scores appear here as soon as everyone who is asked has answered."
DEMO_EXPORT = (
    "The demo hands out no rows of a benchmark's files; to export, run a copy of SpectCount."
)
REDRAW_EVERY = 0.1
"""Share of new answers after which a running result is made again: its bootstraps cost time."""
KEPT = 4


def build(settings: Settings, store: Store, header: Header) -> None:
    """The Benchmark tab, inside its `gr.Tab`."""
    view = BenchmarkView(settings, store)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_classes="panel"):
            form = view.form = benchmark_form.build(settings, store, header)
            start = gr.Button(
                "Start benchmark", variant="primary", elem_id="benchmark-start",
                interactive=not settings.demo,
            )  # fmt: skip
            message = gr.HTML(
                elem_id="benchmark-message",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
        with gr.Column(scale=3, min_width=320):
            with gr.Row(equal_height=False):
                run = run_dropdown(store, KIND)
                stop, resume = run_buttons(KIND)
                export = gr.Button(
                    "Export predictions", size="sm", elem_id="benchmark-export", min_width=150,
                    scale=0,
                )  # fmt: skip
            told = gr.HTML(
                elem_id="benchmark-told",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            files = gr.File(
                label="Predictions for the official script", visible=False, interactive=False,
                elem_id="benchmark-files",
            )  # fmt: skip
            progress = gr.HTML(elem_id="benchmark-progress", apply_default_css=False)
            result = gr.HTML(
                elem_id="benchmark-result",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )

    sent = gr.State({})
    opened = Context.root_block.load
    looked = {"inputs": form.inputs, "outputs": [form.cost, form.split]}
    on(form.triggers, form.look, **looked)
    on([opened, form.name.change], form.choose, form.name, form.of_benchmark).then(
        form.look, **looked, **QUIET
    )
    shown = {"inputs": [run, sent], "outputs": [run, progress, result, sent]}
    start.click(view.start, form.inputs, [run, message], api_visibility="private").then(
        **reveal("benchmark")
    )
    run.input(lambda: ("", gr.update(visible=False)), None, [told, files], **QUIET)
    pulse.follow_run(store, KIND, run, view.poll, shown, view.results)
    stop.click(view.stop, run, told, api_visibility="private", queue=False)
    resume.click(view.resume, run, told, api_visibility="private")
    export.click(view.export, run, [told, files], api_visibility="private", concurrency_id="files")


class BenchmarkView(RunHandlers):
    """The tab's handlers, over one store; `form` is set once it is laid out."""

    form: benchmark_form.BenchmarkForm

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)
        self._sheets: Kept = Kept(KEPT)
        self.results: Kept = Kept(2 * KEPT)

    def start(self, *values: Any) -> tuple[Any, str]:
        """Queue the benchmark that the form describes."""
        try:
            asked = self.form.read(values)
            made = room.make(self.settings, benchmark_form.needs(self.settings, asked))
            run = actions.start_benchmark(self.settings, **asked)
        except UserError as error:
            return gr.skip(), notice(str(error), "error")
        return gr.update(choices=run_choices(self.store, KIND), value=run.id), started(run, made)

    def export(self, run_id: str | None) -> tuple[str, Any]:
        """The chosen run's predictions as one zip, and how to run the official script on them."""
        hidden = gr.update(visible=False)
        if self.settings.demo:
            return notice(DEMO_EXPORT, "error"), hidden
        if not run_id:
            return notice("Choose a run first.", "error"), hidden
        folder = fresh_folder() / f"{run_id}-predictions"
        try:
            written = actions.export_benchmark(self.settings, run_id, folder)
        except UserError as error:
            return notice(str(error), "error"), hidden
        packed = shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
        shutil.rmtree(folder)
        said = (
            f"{one.listener}: {one.n_replies} replies in {one.n_rows} rows. In the official "
            f"folder: {one.command.replace(f'{folder.parent}/', '')}"
            for one in written
        )
        return "".join(map(notice, said)), gr.update(value=[str(Path(packed))], visible=True)

    def poll(self, run_id: str | None, sent: dict[str, Any]) -> tuple[Any, ...]:
        """Everything about the chosen run that is new since `sent`: run, progress, result, sent."""
        run = find_run(self.store, run_id, KIND) or newest(self.store, KIND, run_id)
        if run is None:
            words = f"There is no benchmark run {run_id!r}; choose a run." if run_id else EMPTY
            told = gr.skip() if sent == {"empty": words} else notice(words)
            return gr.skip(), told, gr.skip(), {"empty": words}
        n = self.feed.n_trials(run.id)
        drawn = redraw_step(n, run.total, REDRAW_EVERY, run.ended)
        choices = run_choices(self.store, KIND)
        now: dict[str, Any] = {
            "runs": [choices, run.id],
            "progress": progress_html(run, self.store) + speed_html(self.settings, run),
            "result": [run.id, drawn, n > 0, run.state],
        }
        made = self.result(run, tuple(now["result"]))
        if made is None:
            now["result"] = sent.get("result")
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        return (
            choice(choices, run, run_id) if fresh["runs"] else gr.skip(),
            now["progress"] if fresh["progress"] else gr.skip(),
            made if fresh["result"] else gr.skip(),
            now,
        )

    def result(self, run: Run, stamp: tuple[Any, ...]) -> str | None:
        """The run's result, made once for all pages that show the same state of it (HTML). The
        bootstraps of a running one take seconds, so it is made behind the page: None until then."""
        summary = run.summary or {}
        if run.ended and summary.get("listeners"):
            return self.results.get(
                stamp, lambda: result_html(summary, bool(summary.get("stopped")))
            )
        return self.results.behind(stamp, lambda: self._so_far(run))

    def _so_far(self, run: Run) -> str:
        try:
            found = benchmark_live.so_far(run, self._sheet(run), self.feed.trials(run.id))
        except UserError as error:
            return notice(str(error), "error")
        return result_html(found, True) if found else notice(NO_ANSWER)

    def _sheet(self, run: Run) -> Sheet:
        return self._sheets.get(run.id, lambda: sheet_of(run.config))


class Kept:
    """The last few things made, by key. Thread-safe; two pages never make the same at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._makers = ThreadPoolExecutor(1, "benchmark result")
        self._under_way: dict[Any, Future[Any]] = {}

    @property
    def at_work(self) -> tuple[bool, int]:
        """Whether something is made behind the page, and how much of it is ready."""
        with self._lock:
            ready = [future.done() for future in self._under_way.values()]
            return not all(ready), sum(ready)

    def behind(self, key: Any, make: Callable[[], Any]) -> Any:
        """What was made for `key`; else None, and it is made behind the page."""
        with self._lock:
            if key in self._made:
                return self._made[key]
            under_way = self._under_way.get(key)
            if under_way is None:
                self._under_way = {k: f for k, f in self._under_way.items() if not f.done()}
                self._under_way[key] = self._makers.submit(make)
                return None
        return self.get(key, under_way.result) if under_way.done() else None

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """What was made for `key`, or `make()` now."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            return self._made[key]
