"""Results of procedures: tracks, posteriors, surfaces, psychometric functions, thresholds.

Conventions: everything is a pure function of the trials in the store. Tracks are drawn at almost
every trial; fits take seconds and are made once for the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount.figures.functions import functions_value
from spectcount.figures.threshold_table import sentences_html, thresholds_html
from spectcount.figures.tracks import (
    State,
    marginal_of,
    pick_of,
    posterior_value,
    share_words,
    surface_value,
    tracks_value,
)
from spectcount.probing.procedure import Procedure
from spectcount.probing.replay import presentations
from spectcount.probing.thresholds import Threshold
from spectcount.trials import Trial
from spectcount.ui.parts import Part
from spectcount.ui.pieces import LIVE, Box, Updates, chart_box, html, notice

MARGINALS = ("width", "gradient")
"""Parameters whose posterior is shown beside the threshold's where they are free."""
_EMPTY = "Appears after the first answers."
FITTING = "Fitting the thresholds."


def box(label: str, elem_id: str, height: int) -> Box:
    """A line chart that can be hidden."""
    return chart_box(label, elem_id, height, _EMPTY, min_width=300)


class Panel:
    """The figures of procedures; `where` (the tab's name) keeps their element ids apart. `live` is
    what follows every answer, `found` what is fitted."""

    def __init__(self, where: str) -> None:
        self.tracks = box("Track", f"{where}-tracks", 380)
        self.surface = box("Threshold surface", f"{where}-surface", 400)
        self.trial = gr.Dropdown(
            [],
            label="Hear a trial",
            visible=False,
            allow_custom_value=True,
            elem_id=f"{where}-trial",
            info="Or click on a point of the track.",
        )
        self.function = box("Psychometric function", f"{where}-function", 380)
        with gr.Row(equal_height=False):
            self.threshold = box("Posterior of the threshold", f"{where}-posterior", 280)
            self.width = box("Posterior of the width", f"{where}-width", 280)
        self.words = html(f"{where}-thresholds", script=LIVE, after=True)

    @property
    def outputs(self) -> list[Any]:
        boxes = (self.tracks, self.surface, self.threshold, self.width, self.function)
        return [*(c for each in boxes for c in each.outputs), self.trial, self.words]

    def live(
        self, part: Part, tracks: Sequence[State], trials: Sequence[Trial], title: str
    ) -> Updates:
        """Updates of the tracks of one listener, of what is known after each trial, and of the
        trials to hear."""
        boxes = (self.tracks, self.surface, self.threshold, self.width)
        procedure = part.plan.procedure
        if procedure is None:
            hidden = {each.column: gr.update(visible=False) for each in boxes}
            return {**hidden, self.trial: gr.update(visible=False)}
        states = states_of(part, tracks)
        free = next((m for m in MARGINALS if any(marginal_of(s, m) for s in states.values())), "")
        known = any(s["posterior"] for s in states.values())
        return {
            **self.tracks.show(tracks_value(procedure, states, title, part.number)),
            **self.surface.show(surface_value(procedure, states, title, part.number)),
            **self.threshold.show(posterior_value(states) if known else None),
            **self.width.show(posterior_value(states, free) if free else None),
            self.trial: gr.update(choices=trial_choices(part, trials), visible=bool(trials)),
        }

    def found(
        self, part: Part, all_of: Mapping[str, Sequence[Threshold]], listener: str
    ) -> Updates:
        """Updates of the functions of a listener, and of the thresholds of all."""
        if not part.plan.fitted:
            return {**self.function.show(None), self.words: ""}
        thresholds = [t for t in all_of[listener] if part.track in (None, t.track)]
        named = {t.condition if len(thresholds) > 1 else "": t for t in thresholds}
        function = functions_value(named, share_words(part.plan), title=listener)
        words = sentences_html(listener, thresholds) + thresholds_html(all_of)
        return {**self.function.show(function), self.words: Markup(words)}

    def fitting(self) -> Updates:
        """Updates while the fits of another run are made."""
        return {**self.function.show(None), self.words: notice(FITTING)}


def states_of(part: Part, tracks: Sequence[State]) -> dict[str, State]:
    """The tracks that are looked at by the name that their lines get: "" where it is one."""
    visible = tracks if part.track is None else [tracks[part.track]]
    return {s["condition"] if len(visible) > 1 else "": s for s in visible}


def trial_choices(part: Part, trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """(words, pick) of every presentation of the tracks that are looked at, the newest first."""
    procedure = part.plan.procedure
    assert procedure is not None
    indices = range(len(procedure.tracks)) if part.track is None else [part.track]
    return [
        (_trial_words(procedure, index, trial), pick_of(index, k, part.number))
        for index in indices
        for k, trial in reversed(list(enumerate(presentations(trials, index))))
    ]


def place_of(pick: str | None) -> dict[str, Any] | None:
    """The cell panel's state for the pick of a presentation; None for what is none."""
    numbers = str(pick or "").split(".")
    if len(numbers) not in (2, 3) or not all(n.isdigit() for n in numbers):
        return None
    *part, track, trial = map(int, numbers)
    return {"track": track, "trial": trial, **({"plan": part[0]} if part else {})}


def _trial_words(plan: Procedure, index: int, trial: Trial) -> str:
    level = ", ".join(
        f"{trial.coords[name]:.4g} {axis.declared.unit}".strip()
        for name, axis in zip(("level", "second"), plan.levels, strict=False)
    )
    result = {True: "right", False: "wrong", None: trial.answer}[trial.correct]
    head = f"{plan.tracks[index].words}: " if len(plan.tracks) > 1 else ""
    return f"{head}trial {trial.coords['trial'] + 1}, {trial.coords['role']}, {level}, {result}"
