"""The Runs tab: every run, running or not, with its state, reason, log tail and artefacts.

Everything shown is read from the store and the run's folder, so it is the same after a reload, in
a second tab and after a restart of the app.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from spectcount import actions, jobs, rates
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import pulse
from spectcount.ui.header import Header
from spectcount.ui.polling import (
    QUIET,
    Feed,
    badge,
    duration_text,
    find_run,
    notice,
    run_duration_s,
    run_subject,
)

EMPTY = (
    "No runs yet. Start one in Probe: choose a plan, look at its cost, press Start. It will be "
    "listed here with its state, its log and its files."
)
UNCHOSEN = "Choose a run in the list to see its configuration, its log and its files."
LOG_LINES = 30
MAX_EVENTS = 30
SHOWN_RUNS = 200
EXPORT_PREFIX = "spectcount-export-"
EXPORT_KEPT_S = 600.0

_LIST_SCRIPT = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-run]');
  if (row) trigger('select', { value: row.dataset.run, index: row.dataset.run });
});
"""


def build(settings: Settings, store: Store, header: Header) -> None:
    """The Runs tab, inside its `gr.Tab`."""
    view = RunsView(settings, store)
    chosen = gr.Textbox(visible="hidden", elem_id="runs-chosen", show_label=False)
    sent = gr.State({})
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=320):
            table = gr.HTML(
                notice(EMPTY), js_on_load=_LIST_SCRIPT, elem_id="runs-list", apply_default_css=False
            )
        with gr.Column(scale=2, min_width=320):
            message = gr.HTML(
                elem_id="runs-message",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            with gr.Row():
                cancel = gr.Button("Stop", size="sm", elem_id="runs-stop", min_width=90)
                resume = gr.Button("Resume", size="sm", elem_id="runs-resume", min_width=90)
            with gr.Row(elem_id="runs-take"):
                report = gr.Button("Report (HTML)", size="sm", elem_id="runs-report", min_width=120)
                export = gr.Button(
                    "Export bundle (zip)", size="sm", elem_id="runs-export", min_width=120
                )
                audio = gr.Button(
                    "Audiofolder (zip)", size="sm", elem_id="runs-audiofolder", min_width=120
                )
            clips = gr.Checkbox(
                False, label="Clips in the bundle too (WAV)", elem_id="runs-clips", container=False
            )
            files = gr.File(
                label="Exported files", visible=False, interactive=False, elem_id="runs-files"
            )
            details = gr.HTML(notice(UNCHOSEN), elem_id="runs-details", apply_default_css=False)

    shown = {"inputs": [chosen, sent], "outputs": [table, details, sent]}
    pulse.follow(view.look, view.poll, shown)
    table.select(view.choose, outputs=[chosen, message, files], **QUIET).then(
        view.poll, **shown, **QUIET
    )
    for button, act in ((cancel, view.cancel), (resume, view.resume)):
        button.click(
            act, inputs=chosen, outputs=message, api_visibility="private", queue=False
        ).then(view.poll, **shown, **QUIET)
    private = {"outputs": [message, files], "api_visibility": "private", "concurrency_id": "files"}
    report.click(view.report, inputs=chosen, **private)
    export.click(view.export, inputs=[chosen, clips], **private)
    audio.click(view.audiofolder, inputs=chosen, **private)


class RunsView:
    """The tab's handlers, over one store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)

    def look(self, _: str) -> tuple[object, bool]:
        """Whether any run has changed; keeps the queue going."""
        pace = self.store.pace()
        if pace.live:
            jobs.tend(self.store, self.settings)
        return pace.stamp, pace.live

    def poll(self, chosen: str | None, sent: dict[str, str]) -> tuple[Any, Any, dict[str, str]]:
        """List and details, or nothing where neither changed since it was last sent."""
        new = {"table": list_html(self.store.runs(), chosen), "details": self.details(chosen)}
        table, details = (
            gr.skip() if sent.get(name) == new[name] else new[name] for name in ("table", "details")
        )
        return table, details, new

    def details(self, chosen: str | None) -> str:
        """All that is known about the chosen run (HTML)."""
        run = find_run(self.store, chosen)
        if run is None:
            return notice(UNCHOSEN if self.store.runs() else EMPTY)
        return details_html(run, self.feed.events(run.id)[-MAX_EVENTS:])

    def choose(self, event: gr.SelectData) -> tuple[str, str, Any]:
        """A click on a row."""
        return str(getattr(event, "value", "")), "", gr.update(visible=False)

    def cancel(self, chosen: str | None) -> str:
        """Stop the chosen run: it finishes its step, saves and ends."""
        return self._act(
            chosen,
            lambda run_id: jobs.cancel(self.store, run_id),
            "Asked {id} to stop; it finishes its step first.",
        )

    def resume(self, chosen: str | None) -> str:
        """Queue the chosen run again; it continues where it was."""
        return self._act(
            chosen,
            lambda run_id: jobs.resume(self.store, self.settings, run_id),
            "{id} is queued again and continues where it was.",
        )

    def _act(self, chosen: str | None, act: Any, words: str) -> str:
        if not chosen:
            return notice(UNCHOSEN, "error")
        try:
            act(chosen)
            jobs.tend(self.store, self.settings)
        except UserError as error:
            return notice(str(error), "error")
        return notice(words.format(id=chosen))

    def export(self, chosen: str | None, clips: bool = False) -> tuple[str, Any]:
        """The chosen run as one zip."""
        return self._file(
            chosen, lambda run_id: actions.export(self.settings, run_id, fresh_folder(), clips)
        )

    def report(self, chosen: str | None) -> tuple[str, Any]:
        """The chosen run's report, one HTML file."""
        return self._file(
            chosen, lambda run_id: actions.write_report(self.settings, run_id, fresh_folder())
        )

    def audiofolder(self, chosen: str | None) -> tuple[str, Any]:
        """The chosen run's questions as a data set in one zip."""

        def pack(run_id: str) -> Path:
            folder = fresh_folder() / f"{run_id}-audiofolder"
            actions.audiofolder(self.settings, run_id, folder)
            packed = shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
            shutil.rmtree(folder)
            return Path(packed)

        return self._file(chosen, pack)

    def _file(self, chosen: str | None, make: Callable[[str], Path]) -> tuple[str, Any]:
        """What to say, and the file that `make` wrote for the chosen run."""
        if not chosen:
            return notice(UNCHOSEN, "error"), gr.update(visible=False)
        try:
            path = make(chosen)
        except UserError as error:
            return notice(str(error), "error"), gr.update(visible=False)
        size = path.stat().st_size / 1e6
        words = f"{path.name} is ready below, {size:.1f} MB."
        return notice(words), gr.update(value=[str(path)], visible=True)


def fresh_folder() -> Path:
    """A new folder for files that the page hands out. The page copies them at once into a cache of
    its own, so that folders of earlier exports can go."""
    rates.spend("exports")
    before = time.time() - EXPORT_KEPT_S
    for folder in Path(tempfile.gettempdir()).glob(f"{EXPORT_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder)
    return Path(tempfile.mkdtemp(prefix=EXPORT_PREFIX))


def list_html(runs: list[Run], chosen: str | None) -> str:
    """The list of runs, newest first; each row is a button (HTML)."""
    if not runs:
        return notice(EMPTY)
    rows = "".join(_row(run, run.id == chosen) for run in runs[:SHOWN_RUNS])
    older = len(runs) - SHOWN_RUNS
    more = notice(f"{older} older runs: python -m spectcount runs list") if older > 0 else ""
    return f'<div class="runs" role="list" aria-label="Runs">{rows}</div>{more}'


def _row(run: Run, chosen: bool) -> str:
    share = 100 * run.done / run.total if run.total else 0
    started = clock_text(run.started_at) if run.started_at else "not started"
    return (
        f'<div role="listitem"><button type="button" class="run-row" data-run="{escape(run.id)}" '
        f'aria-pressed="{str(chosen).lower()}">'
        f"<span>{badge(run)}</span>"
        f'<span class="run-name"><b>{escape(run_subject(run))}</b>'
        f"<small>{escape(run.id)}</small></span>"
        f'<span class="run-when">{started}'
        f"<small>{duration_text(run_duration_s(run))}</small></span>"
        f'<span class="run-share">{run.done} / {run.total}'
        f'<small class="run-bar"><i style="width:{share:.0f}%"></i></small></span>'
        f'<span class="run-reason">{escape(run.reason)}</span></button></div>'
    )


def details_html(run: Run, events: list[Any]) -> str:
    """State, times, what it came from, what it said, what it left (HTML)."""
    facts = {
        "State": f"{badge(run)} {escape(run.reason)}",
        "Created": clock_text(run.created_at),
        "Started": clock_text(run.started_at),
        "Ended": clock_text(run.ended_at),
        "Duration": duration_text(run_duration_s(run)),
        "Progress": f"{run.done} of {run.total}",
        "Device": escape(f"{run.device}, process {run.pid or '–'}"),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    said = "\n".join(f"{clock_text(event.at)}  {event.message}" for event in events)
    blocks = [
        _block("Events", said or "Nothing said yet."),
        _block("Log tail", run.log_tail(LOG_LINES) or "The log is empty so far."),
        _block("Files", artefact_text(run.folder)),
        _block("Summary", _json(run.summary)) if run.summary else "",
        _block("Lineage", _json(run.lineage) if run.lineage else "Made from nothing before it."),
        _block("Configuration", _json(run.config)),
    ]
    return f'<h3>{escape(run.id)}</h3><dl class="run-facts">{rows}</dl>{"".join(blocks)}'


def _block(title: str, text: str) -> str:
    return (
        f'<section class="run-block"><h4>{title}</h4>'
        f'<pre tabindex="0" aria-label="{title}">{escape(text)}</pre></section>'
    )


def artefact_text(folder: Path) -> str:
    """The files of a run's folder with their sizes, one per line."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.exists() else []
    lines = [f"{_size(p):>9}  {p.relative_to(folder)}" for p in paths]
    return "\n".join(lines) or "No files yet."


def _size(path: Path) -> str:
    try:
        n = path.stat().st_size
    except FileNotFoundError:
        return "–"
    return f"{n} B" if n < 1000 else f"{n / 1000:.1f} kB" if n < 1e6 else f"{n / 1e6:.1f} MB"


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)


def clock_text(at: float | None) -> str:
    """Local date and time; a dash where unknown."""
    return time.strftime("%d %b %H:%M:%S", time.localtime(at)) if at else "–"
