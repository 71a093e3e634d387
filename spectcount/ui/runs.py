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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions, jobs, rates
from spectcount.configs import CONFIGS, CompareConfig, ProbeConfig, TuneConfig
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import STATES, Run, Store
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
    can_resume,
    can_stop,
    duration_text,
    find_run,
    run_choices,
    run_duration_s,
    run_subject,
)
from spectcount.ui.run_view import RunView

EMPTY = (
    "No runs yet. Start one in Probe: choose a plan, look at its cost, press Start. It will be "
    "listed here with its state, its log and its files."
)
UNCHOSEN = "Choose a run in the list to see its configuration, its log and its files."
NONE_SUCH = "No run is of this kind, in this state and with these words; widen the filters above."
SURE = """(chosen) => confirm(`Delete ${chosen} with its answers, figures and adapter?`)
  ? chosen : ''"""
AGAIN = (ProbeConfig, CompareConfig, TuneConfig)
LOG_LINES = 30
MAX_EVENTS = 30
SHOWN_RUNS = 200
EXPORT_PREFIX = "spectcount-export-"
EXPORT_KEPT_S = 600.0


@dataclass(frozen=True)
class Wanted:
    """The runs that the list shows: of a kind and in a state ("" for all), with every word of the
    text in their name, id, subject, reason or listeners."""

    kind: str = ""
    state: str = ""
    text: str = ""

    def has(self, run: Run) -> bool:
        """True for a run that is shown."""
        words = (run.id, run.lineage.get("name", ""), run_subject(run), run.reason, *run.listeners)
        content = " ".join(map(str, words)).casefold()
        return (
            self.kind in ("", run.kind)
            and self.state in ("", run.state)
            and all(word in content for word in self.text.casefold().split())
        )


class RunsView:
    """The tab. `opened` are the tabs, by kind, that show a chosen run."""

    def __init__(
        self, settings: Settings, store: Store, opened: Mapping[str, RunView] | None = None
    ) -> None:
        self.settings = settings
        self.store = store
        self.opened = opened or {}
        self.feed = Feed(store)
        self.chosen = gr.Textbox(visible="hidden", elem_id="runs-chosen", show_label=False)
        self.sure = gr.Textbox(visible="hidden", elem_id="runs-sure", show_label=False)
        self.sent = gr.State({})
        with gr.Row(equal_height=False, elem_classes="beside"):
            with gr.Column(scale=3, min_width=320):
                self.wanted = self._lay_out_filters()
                self.table = html("runs-list", notice(EMPTY), script=PICK)
            with gr.Column(scale=2, min_width=320, elem_classes="detail"):
                self._lay_out_chosen(self.chosen)
                self.about = html("runs-details", notice(UNCHOSEN))
        self.polling = {
            "inputs": [self.chosen, self.sent, *self.wanted],
            "outputs": [self.table, self.about, self.sent, self.name, *self.buttons],
        }
        filtered = [self.wanted[0].input, self.wanted[1].input, self.wanted[2].change]
        pulse.follow(self.look, self.poll, self.polling, when=filtered)
        after_choice = [self.chosen, self.message, self.files]
        self.table.select(self.choose, outputs=after_choice, **QUIET).then(
            self.poll, **self.polling, **QUIET
        )
        acting = {"inputs": self.chosen, "outputs": self.message, "queue": False}
        for button, act in (
            (self.stop_button, self.cancel),
            (self.resume_button, self.resume),
            (self.again_button, self.start_again),
        ):
            self._then_poll(button.click(act, **acting, **PRIVATE))
        named = {**acting, "inputs": [self.chosen, self.name]}
        self._then_poll(self.name.submit(self.rename, **named, **PRIVATE))
        self._then_poll(
            self.remove_button.click(None, self.chosen, self.sure, js=SURE, **PRIVATE).then(
                self.remove, self.sure, [self.message, self.chosen], queue=False, **PRIVATE
            )
        )

    def _then_poll(self, event: gr.events.Dependency) -> None:
        event.then(self.poll, **self.polling, **QUIET)

    def _lay_out_filters(self) -> tuple[gr.Dropdown, gr.Dropdown, gr.Textbox]:
        """Lay out what the list is narrowed by."""
        with gr.Row(elem_id="runs-filters", equal_height=False):
            kinds = [("all kinds", ""), *((kind, kind) for kind in CONFIGS)]
            states = [("all states", ""), *((state, state) for state in STATES)]
            kind = gr.Dropdown(kinds, value="", label="Kind", elem_id="runs-kind", min_width=110)
            state = gr.Dropdown(
                states, value="", label="State", elem_id="runs-state", min_width=110
            )
            text = gr.Textbox(
                label="Name, listener or text", elem_id="runs-text", min_width=160, max_lines=1
            )
        return kind, state, text

    def _lay_out_chosen(self, chosen: gr.Textbox) -> None:
        """Lay out what can be done with the chosen run."""

        def hidden(label: str, name: str, min_width: int = 90) -> gr.Button:
            return small_button(label, f"runs-{name}", min_width, None, visible=False)

        self.message = live("runs-message")
        with gr.Row(elem_id="runs-act"):
            self.open_button = hidden("Open", "open", 120)
            self.again_button = hidden("Same again", "again")
            self.stop_button = hidden("Stop", "stop")
            self.resume_button = hidden("Resume", "resume")
            self.remove_button = hidden("Delete", "remove")
        self.name = gr.Textbox(
            label="Name of this run (Enter stores it)",
            visible=False,
            elem_id="runs-name",
            max_lines=1,
        )
        with gr.Row(elem_id="runs-take"):
            report = hidden("Report (HTML)", "report", 120)
            export = hidden("Export bundle (zip)", "export", 120)
            audio = hidden("Audiofolder (zip)", "audiofolder", 120)
        clips = gr.Checkbox(
            False,
            label="Include the clips (WAV) in the bundle",
            elem_id="runs-clips",
            container=False,
            visible=False,
        )
        self.buttons: dict[Any, Callable[[Run], bool]] = {
            self.open_button: lambda run: self._tab_of(run) is not None,
            self.again_button: lambda run: run.of_kind in AGAIN,
            self.stop_button: can_stop,
            self.resume_button: can_resume,
            self.remove_button: lambda run: run.ended,
            **{each: (lambda run: True) for each in (report, export, clips)},
            audio: lambda run: bool(run.listeners),
        }
        self.files = files("Exported files", "runs-files")
        exporting = {"outputs": [self.message, self.files], "concurrency_id": "files", **PRIVATE}
        report.click(self.report, inputs=chosen, **exporting)
        export.click(self.export, inputs=[chosen, clips], **exporting)
        audio.click(self.audiofolder, inputs=chosen, **exporting)

    def _tab_of(self, run: Run | None) -> RunView | None:
        return None if run is None else self.opened.get(run.kind)

    def lead(self, places: gr.Tabs) -> None:
        """Let the button open the chosen run in the tab of its kind."""
        views = self.opened

        def take(run_id: str | None) -> Updates:
            run = find_run(self.store, run_id)
            view = self._tab_of(run)
            if run is None or view is None:
                return {self.message: notice(UNCHOSEN, "error")}
            choice = gr.update(choices=run_choices(self.store, view.kind), value=run.id)
            return {places: gr.Tabs(selected=view.kind), view.run: choice}

        outputs = [places, self.message, *(view.run for view in views.values())]
        self.open_button.click(take, self.chosen, outputs, **QUIET)

    def look(self, _: str) -> tuple[object, bool]:
        """Say if any run has changed; keeps the queue going."""
        pace = self.store.pace()
        if pace.live:
            jobs.tend(self.store, self.settings)
        return pace.stamp, pace.live

    def poll(
        self,
        chosen: str | None,
        sent: dict[str, Any],
        kind: str | None = "",
        state: str | None = "",
        text: str | None = "",
    ) -> Updates:
        """List and details, where they changed since they were last sent."""
        runs = self.store.runs()
        wanted = list(filter(Wanted(kind or "", state or "", text or "").has, runs))
        table = list_html(wanted, chosen) if wanted or not runs else notice(NONE_SUCH)
        run = find_run(self.store, chosen)
        facts: dict[str, tuple[Any, Updates]] = {
            "table": (table, {self.table: table}),
            "details": (self.details(chosen), {self.about: self.details(chosen)}),
            "buttons": ([chosen, run and run.state], self._buttons(run)),
        }
        fresh: Updates = {}
        for name, (stamp, updates) in facts.items():
            if sent.get(name) != stamp:
                fresh |= updates
        return {**fresh, self.sent: {name: stamp for name, (stamp, _) in facts.items()}}

    def _buttons(self, run: Run | None) -> Updates:
        """Updates that show what can be done with a run, and its name."""
        may = {
            button: gr.update(visible=run is not None and can(run))
            for button, can in self.buttons.items()
        }
        if view := self._tab_of(run):
            words = f"Open in {view.kind.capitalize()}"
            may[self.open_button] = gr.update(visible=True, value=words)
        name = run.lineage.get("name", "") if run else ""
        return {**may, self.name: gr.update(visible=run is not None, value=name)}

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
    def start_again(self, chosen: str | None) -> str:
        """Start the chosen run's configuration as a new run."""
        if not chosen:
            return notice(UNCHOSEN, "error")
        return notice(f"{actions.start_again(self.settings, chosen).id} does the same again.")

    @refusing
    def rename(self, chosen: str | None, name: str | None) -> str:
        """Give the chosen run a name."""
        if not chosen:
            return notice(UNCHOSEN, "error")
        run = actions.rename_run(self.settings, chosen, name or "")
        return notice(f"{run.id} is called {run.lineage.get('name') or run.id}.")

    def remove(self, chosen: str | None) -> tuple[str, Any]:
        """Remove the chosen run, which must have ended; the browser has asked before."""
        try:
            if not chosen:
                return "", gr.skip()
            actions.remove_runs(self.settings, [chosen])
        except UserError as error:
            return refusal(error), gr.skip()
        return notice(f"{chosen} is removed."), ""

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
        "subject": run.lineage.get("name") or run_subject(run),
        "about": run_subject(run) if run.lineage.get("name") else "",
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
