"""Threshold surfaces -> figures: the threshold of one parameter along a second, with its trials.

Conventions: those of `tracks`. A place whose threshold is not measurable has a mark on the lower
edge and says why; the band keeps what is known there, cut at the figure's edge.
"""

from __future__ import annotations

from collections.abc import Mapping

from spectcount.figures.spec import Line, Spec, lines_value
from spectcount.figures.tracks import (
    LEVEL,
    REVERSAL,
    RIGHT,
    WRONG,
    State,
    cut,
    hits_words,
    moving,
    n_moving,
    padded,
    pick_of,
    track_colour,
)
from spectcount.figures.words import span_text
from spectcount.probing.procedure import Procedure
from spectcount.psychophysics.sdt import interval_of, interval_text

UNMEASURED = "not measurable there"


def surface_value(
    plan: Procedure, states: Mapping[str, State], title: str = "", part: int | None = None
) -> Spec | None:
    """The threshold over the second parameter by track, with the trials that it rests on; None
    where no track has a surface yet."""
    found = {name: state for name, state in states.items() if state.get("kind") == "surface"}
    if not found:
        return None
    first = next(iter(found.values()))
    ends = padded(first["range"][0], first["log"])
    lines = [_line(k, name, state, ends) for k, (name, state) in enumerate(found.items())]
    right, wrong = hits_words(plan)
    marks = [
        _trials(right, "circle", RIGHT, True, found, part),
        _trials(wrong, "x", WRONG, False, found, part),
        _missing(found, ends),
    ]
    second = plan.levels[1]
    return lines_value(
        [*[line for line in marks if line.x], *lines],
        x_label=second.label,
        y_label=first["label"],
        x_log=plan.is_log(1),
        y_log=first["log"],
        x_range=padded(first["range"][1], plan.is_log(1)),
        y_range=ends,
        title=title,
        note=f"n = {span_text([n_moving(s) for s in found.values()])} trials without catch trials "
        f"per track; pointwise intervals at {LEVEL}, drawn within the range of the levels; "
        f"{_measured_words(found)}",
        key=f"surface {title} {list(found)}",
    )


def _line(k: int, name: str, state: State, ends: tuple[float, float]) -> Line:
    low, high = cut(state["low"], ends, ends[0]), cut(state["high"], ends, ends[1])
    places = zip(state["threshold"], state["low"], state["high"], strict=True)
    hover = [f"{_words(*place)} at {LEVEL}" for place in places]
    name = f"threshold, {name}" if name else "threshold"
    return Line(name, state["nodes"], state["threshold"], low, high, hover, colour=track_colour(k),
                symbol="diamond", width=2.6)  # fmt: skip


def _trials(
    words: str, symbol: str, colour: int, success: bool, states: Mapping[str, State],
    part: int | None,
) -> Line:  # fmt: skip
    found = [
        (name, s["track"], p)
        for name, s in states.items() for p in moving(s) if p["success"] is success
    ]  # fmt: skip
    return Line(
        words, [p["level"][1] for _, _, p in found], [p["level"][0] for _, _, p in found],
        hover=[f"{name} trial {p['k'] + 1}".strip() for name, _, p in found], colour=colour,
        mode="markers", symbol=symbol, sizes=[6] * len(found),
        picks=[pick_of(track, p["k"], part) for _, track, p in found],
    )  # fmt: skip


def _missing(states: Mapping[str, State], ends: tuple[float, float]) -> Line:
    found = [
        (place, f"{name} {reason}".strip())
        for name, s in states.items()
        for place, reason in zip(s["nodes"], s["estimate"]["reasons"], strict=True) if reason
    ]  # fmt: skip
    return Line(
        UNMEASURED, [x for x, _ in found], [ends[0]] * len(found), hover=[why for _, why in found],
        colour=REVERSAL, mode="markers", symbol="square-open", sizes=[11] * len(found),
    )  # fmt: skip


def _measured_words(states: Mapping[str, State]) -> str:
    counts = [(sum(map(bool, s["measurable"])), len(s["nodes"])) for s in states.values()]
    return ", ".join(f"{n} of {of} places measurable" for n, of in counts)


def _words(*place: float | None) -> str:
    found = interval_of(dict(zip(("value", "low", "high"), place, strict=True)))
    return interval_text(found, "{:.4g}".format)
