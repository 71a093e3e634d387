"""The parts common to all sections that start and watch runs: see `RunView`.

A section says which kind of run it is about and what it shows of one; choosing, stopping and
resuming runs, their progress, the look for changes, and what is new since the last look are here.
Pictures take longer than a page may wait and are drawn behind it (`Picture`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import actions
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import address, pulse, signatures
from spectcount.ui.behind import Behind
from spectcount.ui.header import Header
from spectcount.ui.pieces import (
    PRIVATE,
    QUIET,
    Updates,
    html,
    live,
    notice,
    refusal,
    refusing,
    small_button,
)
from spectcount.ui.polling import (
    Feed,
    can_resume,
    can_stop,
    find_run,
    progress_html,
    redraw_step,
    run_choices,
)
from spectcount.ui.scoring import speed_html

UNCHOSEN = "Choose a run first."


@dataclass(frozen=True)
class Picture:
    """A picture drawn of a run behind the page: `draw(run, *values of looked)` gives its updates,
    anew whenever the share `every` of the run's trials has come in, at its end, and when `also`
    changes. `waiting` are the updates of another run than before, until it is drawn."""

    name: str
    draw: Callable[..., Updates]
    every: float
    looked: Sequence[Any] = ()
    waiting: Updates = field(default_factory=dict)
    also: Callable[..., tuple[Any, ...]] = lambda run, *looked: ()


class RunView:
    """A section of the page about the runs of one kind: its widgets and its handlers.

    `kind` begins the element ids; `noun` names a run in a sentence, `empty` says what to do before
    there is one; `confirms` are kinds of runs that change what is shown of these.
    """

    kind = ""
    noun = "run"
    empty = ""
    confirms: tuple[str, ...] = ()
    says_speed = True

    run: gr.Dropdown
    buttons: dict[gr.Button, Callable[[Run], bool]]
    message: gr.HTML
    run_message: gr.HTML
    progress: gr.HTML
    sent: gr.State

    def __init__(self, settings: Settings, store: Store, header: Header) -> None:
        self.settings = settings
        self.store = store
        self.header = header
        self.feed = Feed(store)
        self.behind: dict[str, Behind] = {}
        self.pictures: Sequence[Picture] = ()
        self._begun: list[gr.events.Dependency] = []

    # Layout

    def lay_out_start(self, label: str, **button: Any) -> gr.Button:
        """The button that starts a run, over the place for what is said of it."""
        start = gr.Button(label, elem_id=f"{self.kind}-start", **button)
        self.message = live(f"{self.kind}-message")
        return start

    def lay_out_run(self, *lay_out_more: Callable[[], Any]) -> list[Any]:
        """The choice of a run with its buttons and its progress; what `lay_out_more` put beside
        the buttons."""
        with gr.Row(equal_height=False):
            self.run = gr.Dropdown(
                run_choices(self.store, self.kind),
                value=None,
                label="Run",
                allow_custom_value=True,
                elem_id=f"{self.kind}-run",
            )
            stop = small_button("Stop", f"{self.kind}-stop", visible=False)
            resume = small_button("Resume", f"{self.kind}-resume", visible=False)
            more = [lay_out() for lay_out in lay_out_more]
        self.buttons = {stop: can_stop, resume: can_resume}
        self.run_message = live(f"{self.kind}-told")
        self.progress = html(f"{self.kind}-progress")
        stop.click(self.stop, self.run, self.run_message, queue=False, **PRIVATE)
        resume.click(self.resume, self.run, self.run_message, **PRIVATE)
        return more

    def starts(
        self, button: gr.Button, inputs: Sequence[Any], *also: Any, call: Any = None
    ) -> None:
        """Let a button start what the `inputs` describe; its progress then comes into view.
        `call` is called instead of `start`; it may update `also`."""
        outputs = [self.run, self.message, *also]
        reveal = {"fn": None, "js": f"() => SpectCount.reveal('{self.kind}')", "queue": False}
        button.click(call or self.start, inputs, outputs, **PRIVATE).then(**reveal, **PRIVATE)

    def follow(self, pictures: Sequence[Picture], *more: Any, when: Sequence[Any] = ()) -> gr.HTML:
        """Keep the section current. `more` are outputs of `facts`, which no picture names; `when`
        are further events that change what is shown."""
        self.sent = gr.State({})
        self.pictures = pictures
        self.behind |= {picture.name: Behind(f"{self.kind} {picture.name}") for picture in pictures}
        address.keep(self.kind, self.run)
        changed = [self.run.change, *when]
        beat = pulse.follow(
            pulse.look_at(self.store, (self.kind, *self.confirms), *self.behind.values()),
            self.poll,
            {
                "inputs": [self.run, self.sent, *self.looked],
                "outputs": [self.run, self.progress, self.sent, *self.buttons, *more],
            },
            self.run,
            when=changed,
            at_once=False,
            first=pulse.UNREAD,
        )
        Context.root_block.load(self.arrive, None, [self.run, beat], **QUIET)
        return beat

    @property
    def looked(self) -> list[Any]:
        """The controls besides the run that say what is looked at."""
        return list(dict.fromkeys(c for picture in self.pictures for c in picture.looked))

    # Handlers

    def arrive(self, request: gr.Request) -> tuple[Any, str]:
        """The run that the address of a new page names."""
        return address.run_of(self.store, self.kind, request)

    def begin(self, *values: Any, **_: Any) -> Run:
        """Queue what the form describes; the run. Raises `UserError`, as it does for values of
        other types than a section declares."""
        raise NotImplementedError

    def start(self, *values: Any) -> Updates:
        """Queue the run that the form describes, or say what is wrong with it."""
        try:
            signatures.check(self.begin, values, None)
            return self.started(self.begin(*values))
        except UserError as error:
            return {self.message: refusal(error)}

    def started(self, run: Run) -> Updates:
        """Updates that choose a run which was just begun."""
        words = f"{run.id} is {run.state}; its progress is shown on this page and under Runs."
        choices = run_choices(self.store, self.kind)
        return {
            self.run: gr.update(choices=choices, value=run.id),
            self.message: notice(words),
        }

    def stop(self, run_id: str | None) -> str:
        """Ask the chosen run to stop; its work is kept."""
        return self._act(actions.cancel, run_id)

    def resume(self, run_id: str | None) -> str:
        """Queue the chosen run again; it goes on where it was, and nothing is asked twice."""
        return self._act(actions.resume, run_id)

    @refusing
    def _act(self, change: Callable[[Settings, str], Any], run_id: str | None) -> str:
        if not run_id:
            return notice(UNCHOSEN, "error")
        change(self.settings, run_id)
        return ""

    def chosen(self, run_id: str | None) -> Run | None:
        """The chosen run; the newest where none is chosen."""
        newest = [] if run_id else self.store.runs(self.kind)
        return newest[0] if newest else find_run(self.store, run_id, self.kind)

    def poll(self, run_id: str | None, sent: dict[str, Any], *looked: str | None) -> Updates:
        """Everything about the chosen run that is new since `sent`."""
        run = self.chosen(run_id)
        if run is None:
            gone = f"There is no {self.noun} {run_id!r}; choose a run." if run_id else self.empty
            now: dict[str, Any] = {"empty": gone}
            return {**({self.progress: notice(gone)} if sent != now else {}), self.sent: now}
        now = {}
        updates: Updates = {}
        for name, stamp, fresh in [
            *self._common(run, run_id),
            *self.facts(run),
            *self._drawn(run, looked),
        ]:
            now[name] = stamp
            if sent.get(name) != stamp:
                updates |= fresh
        return {**updates, self.sent: now}

    def facts(self, run: Run) -> Iterator[tuple[str, Any, Updates]]:
        """(name, stamp, updates) of what is quickly known of a run: sent where the stamp is new."""
        yield from ()

    def _common(self, run: Run, run_id: str | None) -> Iterator[tuple[str, Any, Updates]]:
        choices = run_choices(self.store, self.kind)
        # What somebody has chosen is left to them, who may have chosen another meanwhile.
        update = gr.update(choices=choices, **({} if run_id else {"value": run.id}))
        yield "runs", [choices, run.id], {self.run: update}
        may = {button: gr.update(visible=can(run)) for button, can in self.buttons.items()}
        yield "buttons", [run.id, run.state], may
        words = progress_html(run, self.store) + self.progress_more(run)
        yield "progress", words, {self.progress: words}

    def progress_more(self, run: Run) -> str:
        """The words below the progress (HTML)."""
        return speed_html(self.settings, run) if self.says_speed else ""

    def _drawn(self, run: Run, looked: Sequence[Any]) -> Iterator[tuple[str, Any, Updates]]:
        values = dict(zip(self.looked, looked, strict=True))
        n = self.feed.n_trials(run.id)
        for picture in self.pictures:
            chosen = [values[component] for component in picture.looked]
            step = redraw_step(n, run.total, picture.every, run.ended)
            stamp = (step, run.ended, *picture.also(run, *chosen))
            draw = functools.partial(picture.draw, run, *chosen)
            drawn = self.behind[picture.name].newest((run.id, *chosen), stamp, draw)
            state: Sequence[Any] = drawn.stamp if drawn else ("waiting",)
            yield picture.name, [run.id, *chosen, *state], drawn.value if drawn else picture.waiting
