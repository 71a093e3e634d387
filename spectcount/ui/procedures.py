"""What procedures have found: tracks, posteriors, surfaces, psychometric functions, thresholds.

Conventions: everything is a pure function of the trials in the store. Tracks are drawn at almost
every trial; fits take seconds and are made once for the same answers.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from spectcount.figures.functions import functions_value
from spectcount.figures.surfaces import surface_value
from spectcount.figures.threshold_table import sentences_html, thresholds_html
from spectcount.figures.tracks import (
    State,
    marginal_of,
    pick_of,
    posterior_value,
    share_words,
    tracks_value,
)
from spectcount.probing.base import Plan
from spectcount.probing.plan import Curve
from spectcount.probing.procedure import Procedure
from spectcount.probing.replay import presentations, track_state
from spectcount.probing.thresholds import Threshold, thresholds
from spectcount.trials import Trial
from spectcount.ui.figures import line_chart
from spectcount.ui.parts import Part
from spectcount.ui.polling import notice

MARGINALS = ("width", "gradient")
"""Parameters whose posterior is shown beside the threshold's where they are free."""
_EMPTY = "Fills in here after the first answers."
HIDDEN = (gr.update(visible=False), gr.skip())


@dataclass(frozen=True)
class Box:
    """A figure in a column that can be hidden."""

    column: gr.Column
    figure: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.column, self.figure]


@dataclass(frozen=True)
class Panel:
    """The figures; `live` and `found` are filled by the functions of these names."""

    tracks: Box
    surface: Box
    threshold: Box
    width: Box
    trial: gr.Dropdown
    function: Box
    words: gr.HTML

    @property
    def live(self) -> list[Any]:
        boxes = (self.tracks, self.surface, self.threshold, self.width)
        return [*(c for box in boxes for c in box.outputs), self.trial]

    @property
    def found(self) -> list[Any]:
        return [*self.function.outputs, self.words]


NOTHING_LIVE = (*HIDDEN * 4, gr.update(visible=False))
NOTHING_FOUND = (*HIDDEN, "")
FITTING = (*HIDDEN, notice("Thresholds are being fitted where the plan has any; a moment."))


def build(where: str) -> Panel:
    """Lay out the figures; `where` (the tab's name) keeps their element ids apart."""
    tracks = box("Track", f"{where}-tracks", 380)
    surface = box("Threshold surface", f"{where}-surface", 400)
    trial = gr.Dropdown(
        [], label="Hear a trial", visible=False, allow_custom_value=True, elem_id=f"{where}-trial",
        info="Or click on a point of the track.",
    )  # fmt: skip
    function = box("Psychometric function", f"{where}-function", 380)
    with gr.Row(equal_height=False):
        threshold = box("Posterior of the threshold", f"{where}-posterior", 280)
        width = box("Posterior of the width", f"{where}-width", 280)
    words = gr.HTML(
        elem_id=f"{where}-thresholds",
        apply_default_css=False,
        js_on_load="SpectCount.live(element);",
    )
    return Panel(tracks, surface, threshold, width, trial, function, words)


def box(label: str, elem_id: str, height: int) -> Box:
    """A line chart that can be hidden."""
    with gr.Column(visible=False, min_width=300) as column:
        figure = line_chart(label, empty=_EMPTY, height=height, elem_id=elem_id)
    return Box(column, figure)


def shown(value: Any) -> tuple[Any, Any]:
    """Updates of a box: hidden where there is nothing to show."""
    return (gr.update(visible=True), value) if value else HIDDEN


def live(part: Part, trials: Sequence[Trial], title: str) -> tuple[Any, ...]:
    """Updates of `Panel.live` for one listener's trials of a part."""
    if not isinstance(part.plan, Procedure):
        return NOTHING_LIVE
    states = states_of(part, trials)
    free = next((m for m in MARGINALS if any(marginal_of(s, m) for s in states.values())), "")
    surface = surface_value(part.plan, states, title, part.number)
    posterior = posterior_value(states) if any(s["posterior"] for s in states.values()) else None
    return (
        *shown(tracks_value(part.plan, states, title, part.number)),
        *shown(surface),
        *shown(posterior),
        *shown(posterior_value(states, free) if free else None),
        gr.update(choices=trial_choices(part, trials), visible=bool(trials)),
    )


def states_of(part: Part, trials: Sequence[Trial]) -> dict[str, State]:
    """The tracks that are looked at by the name that their lines get: "" where it is one."""
    assert isinstance(part.plan, Procedure)
    found = track_state(part.plan, trials)
    if part.track is not None:
        found = [found[part.track]]
    return {s["condition"] if len(found) > 1 else "": s for s in found}


def found(part: Part, by_name: Mapping[str, Sequence[Trial]], mine: str) -> tuple[Any, ...]:
    """Updates of `Panel.found`: the functions of listener `mine`, the thresholds of all."""
    if not isinstance(part.plan, Procedure | Curve):
        return NOTHING_FOUND
    all_of = {name: thresholds_of(part.plan, trials) for name, trials in by_name.items()}
    own = [t for t in all_of[mine] if part.track in (None, t.track)]
    named = {t.condition if len(own) > 1 else "": t for t in own}
    words = sentences_html(mine, own) + thresholds_html(all_of)
    return *shown(functions_value(named, share_words(part.plan), title=mine)), words


def trial_choices(part: Part, trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """(words, pick) of every presentation of the tracks that are looked at, the newest first."""
    assert isinstance(part.plan, Procedure)
    indices = range(len(part.plan.tracks)) if part.track is None else [part.track]
    return [
        (_trial_words(part.plan, index, trial), pick_of(index, k, part.number))
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


def thresholds_of(plan: Plan, trials: Sequence[Trial]) -> list[Threshold]:
    """`thresholds`, found once for the same answers."""
    answers = tuple((t.key, t.log_probs) for t in trials)
    about = json.dumps(plan.to_dict(), sort_keys=True)
    return list(_thresholds(_Seen((about, answers), plan, tuple(trials))))


@dataclass(frozen=True)
class _Seen:
    """A plan with answers; equal where both are."""

    identity: tuple[Any, ...]
    plan: Plan = field(compare=False)
    trials: tuple[Trial, ...] = field(compare=False)


@functools.lru_cache(maxsize=64)
def _thresholds(seen: _Seen) -> list[Threshold]:
    return thresholds(seen.plan, seen.trials)


def _trial_words(plan: Procedure, index: int, trial: Trial) -> str:
    level = ", ".join(
        f"{trial.coords[name]:.4g} {axis.declared.unit}".strip()
        for name, axis in zip(("level", "second"), plan.levels, strict=False)
    )
    result = {True: "right", False: "wrong", None: trial.answer}[trial.correct]
    head = f"{plan.tracks[index].words}: " if len(plan.tracks) > 1 else ""
    return f"{head}trial {trial.coords['trial'] + 1}, {trial.coords['role']}, {level}, {result}"
