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
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions, jobs, rates
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import pulse
from spectcount.ui.pieces import (
    PICK,
    PRIVATE,
    QUIET,
    Updates,
    files,
    html,
    joined,
    live,
    notice,
    refusal,
    refusing,
    render,
    small_button,
)
from spectcount.ui.polling import (
    STATE_MARKS,
    Feed,
    badge,
    duration_text,
    find_run,
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


class RunsView:
    """The tab."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)
        chosen = gr.Textbox(visible="hidden", elem_id="runs-chosen", show_label=False)
        self.sent = gr.State({})
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.table = html("runs-list", notice(EMPTY), script=PICK)
            with gr.Column(scale=2, min_width=320):
                self._lay_out_chosen(chosen)
                self.about = html("runs-details", notice(UNCHOSEN))
        inputs, outputs = [chosen, self.sent], [self.table, self.about, self.sent]
        polling = {"inputs": inputs, "outputs": outputs}
        pulse.follow(self.look, self.poll, polling)
        after_choice = [chosen, self.message, self.files]
        self.table.select(self.choose, outputs=after_choice, **QUIET).then(
            self.poll, **polling, **QUIET
        )
        for button, act in ((self.stop_button, self.cancel), (self.resume_button, self.resume)):
            button.click(act, chosen, self.message, queue=False, **PRIVATE).then(
                self.poll, **polling, **QUIET
            )

    def _lay_out_chosen(self, chosen: gr.Textbox) -> None:
        """Lay out what can be done with the chosen run."""
        self.message = live("runs-message")
        with gr.Row():
            self.stop_button = small_button("Stop", "runs-stop", scale=None)
            self.resume_button = small_button("Resume", "runs-resume", scale=None)
        with gr.Row(elem_id="runs-take"):
            report = small_button("Report (HTML)", "runs-report", 120, None)
            export = small_button("Export bundle (zip)", "runs-export", 120, None)
            audio = small_button("Audiofolder (zip)", "runs-audiofolder", 120, None)
        clips = gr.Checkbox(
            False,
            label="Include the clips (WAV) in the bundle",
            elem_id="runs-clips",
            container=False,
        )
        self.files = files("Exported files", "runs-files")
        exporting = {"outputs": [self.message, self.files], "concurrency_id": "files", **PRIVATE}
        report.click(self.report, inputs=chosen, **exporting)
        export.click(self.export, inputs=[chosen, clips], **exporting)
        audio.click(self.audiofolder, inputs=chosen, **exporting)

    def look(self, _: str) -> tuple[object, bool]:
        """Say if any run has changed; keeps the queue going."""
        pace = self.store.pace()
        if pace.live:
            jobs.tend(self.store, self.settings)
        return pace.stamp, pace.live

    def poll(self, chosen: str | None, sent: dict[str, str]) -> Updates:
        """List and details, where they changed since they were last sent."""
        now = {"table": list_html(self.store.runs(), chosen), "details": self.details(chosen)}
        places = {"table": self.table, "details": self.about}
        fresh = {places[name]: words for name, words in now.items() if sent.get(name) != words}
        return {**fresh, self.sent: now}

    def details(self, chosen: str | None) -> str:
        """All that is known about the chosen run (HTML)."""
        run = find_run(self.store, chosen)
        if run is None:
            return notice(UNCHOSEN) if self.store.runs() else ""
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

    @refusing
    def _act(self, chosen: str | None, act: Any, words: str) -> str:
        if not chosen:
            return notice(UNCHOSEN, "error")
        act(chosen)
        jobs.tend(self.store, self.settings)
        return notice(words.format(id=chosen))

    def export(self, chosen: str | None, clips: bool = False) -> tuple[str, Any]:
        """The chosen run as one zip."""
        return handed_out(chosen, lambda i, to: actions.export(self.settings, i, to, clips))

    def report(self, chosen: str | None) -> tuple[str, Any]:
        """The chosen run's report, one HTML file."""
        return handed_out(chosen, lambda i, to: actions.write_report(self.settings, i, to))

    def audiofolder(self, chosen: str | None) -> tuple[str, Any]:
        """The chosen run's questions as a data set in one zip."""

        def pack(run_id: str, to: Path) -> Path:
            folder = to / f"{run_id}-audiofolder"
            actions.audiofolder(self.settings, run_id, folder)
            return packed(folder)

        return handed_out(chosen, pack)


def handed_out(
    run_id: str | None, make: Callable[[str, Path], Path], noun: str = "run"
) -> tuple[str, Any]:
    """The words about the file that `make` wrote for the chosen run into a folder, and the update
    that hands it out."""
    try:
        if not run_id:
            raise UserError(f"Choose a {noun} first.")
        path = make(run_id, fresh_folder())
    except UserError as error:
        return refusal(error), gr.update(visible=False)
    words = f"{path.name} is ready below, {path.stat().st_size / 1e6:.1f} MB."
    return notice(words), gr.update(value=[str(path)], visible=True)


def packed(folder: Path) -> Path:
    """A folder as a zip beside it, in its place."""
    archive = shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
    shutil.rmtree(folder)
    return Path(archive)


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


def list_html(runs: list[Run], chosen: str | None) -> Markup:
    """The list of runs, newest first; each row is a button (HTML)."""
    if not runs:
        return notice(EMPTY)
    older = len(runs) - SHOWN_RUNS
    more = notice(f"{older} older runs: python -m spectcount runs list") if older > 0 else ""
    rows = list(map(_row, runs[:SHOWN_RUNS]))
    return render("runs.listed", rows=rows, chosen=chosen, older=more)


def _row(run: Run) -> dict[str, Any]:
    return {
        "run": run,
        "mark": STATE_MARKS.get(run.state, ""),
        "subject": run_subject(run),
        "started": clock_text(run.started_at) if run.started_at else "not started",
        "took": duration_text(run_duration_s(run)),
        "percent": f"{100 * run.done / run.total if run.total else 0:.0f}",
    }


def details_html(run: Run, events: list[Any]) -> Markup:
    """State, times, what it came from, what it said, what it left (HTML)."""
    facts = {
        "State": joined([badge(run), " ", run.reason]),
        "Created": clock_text(run.created_at),
        "Started": clock_text(run.started_at),
        "Ended": clock_text(run.ended_at),
        "Duration": duration_text(run_duration_s(run)),
        "Progress": f"{run.done} of {run.total}",
        "Device": f"{run.device}, process {run.pid or '–'}",
    }
    events_text = "\n".join(f"{clock_text(event.at)}  {event.message}" for event in events)
    blocks = [
        ("Events", events_text or "No events yet."),
        ("Log tail", run.log_tail(LOG_LINES) or "The log is empty so far."),
        ("Files", artefact_text(run.folder)),
        *([("Summary", _json(run.summary))] if run.summary else []),
        ("Lineage", _json(run.lineage) if run.lineage else "No earlier run."),
        ("Configuration", _json(run.config)),
    ]
    return render("runs.details", name=run.id, facts=facts, blocks=blocks)


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
