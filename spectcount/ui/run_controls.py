"""What the tabs that start runs share: the choice of a run, its buttons, what they do."""

from __future__ import annotations

from typing import Any

import gradio as gr

from spectcount import actions
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui.polling import notice, run_choices


def run_dropdown(store: Store, kind: str) -> gr.Dropdown:
    """A choice among the runs of a kind; which is chosen the page's address says."""
    return gr.Dropdown(
        run_choices(store, kind),
        value=None,
        label="Run",
        allow_custom_value=True,
        elem_id=f"{kind}-run",
    )


def run_buttons(where: str) -> tuple[gr.Button, gr.Button]:
    """Stop and resume."""
    small: dict[str, Any] = {"size": "sm", "min_width": 90, "scale": 0}
    return (
        gr.Button("Stop", elem_id=f"{where}-stop", **small),
        gr.Button("Resume", elem_id=f"{where}-resume", **small),
    )


def started(run: Run, said: str = "") -> str:
    """What stands under a start button: which run it began, and what gave way to it (HTML)."""
    words = f"{run.id} is {run.state}; how far it is stands beside or below, and under Runs."
    return notice(f"{words} {said}".strip())


def reveal(where: str) -> dict[str, Any]:
    """The event after a start that brings the run's progress into view, unless it was refused."""
    return {"fn": None, "js": f"() => SpectCount.reveal('{where}')", "queue": False,
            "api_visibility": "private"}  # fmt: skip


def choice(choices: list[tuple[str, str]], run: Run, run_id: str | None) -> Any:
    """Update of a choice of run, from which `run_id` was chosen: `run` where it was none. What
    somebody has chosen is left to them, who may have chosen another meanwhile."""
    return gr.update(choices=choices) if run_id else gr.update(choices=choices, value=run.id)


def newest(store: Store, kind: str, run_id: str | None) -> Run | None:
    """The newest run of a kind, where none is chosen."""
    runs = [] if run_id else store.runs(kind)
    return runs[0] if runs else None


class RunHandlers:
    """Stop and resume of a chosen run, for the views of tabs that start runs."""

    settings: Settings

    def stop(self, run_id: str | None) -> str:
        """Ask the chosen run to stop; its work is kept."""
        return _act(lambda: actions.cancel(self.settings, run_id or ""), run_id)

    def resume(self, run_id: str | None) -> str:
        """Queue the chosen run again; it goes on where it was, and nothing is asked twice."""
        return _act(lambda: actions.resume(self.settings, run_id or ""), run_id)


def _act(change: Any, run_id: str | None) -> str:
    """Do something to a chosen run; the sentence to show."""
    if not run_id:
        return notice("Choose a run first.", "error")
    try:
        change()
    except UserError as error:
        return notice(str(error), "error")
    return ""
