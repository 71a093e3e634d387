"""Tracks of procedures -> figures: level against trial number, the threshold's posterior, threshold
surfaces along a second parameter.

Conventions: states are those of `probing.replay.track_state`, one for each track, with the name
that its line gets; a trial's pick is "track.number", both from 0, "plan.track.number" in a part of
an interleaved run (`part`). Right and wrong differ by shape and colour, tracks by the colour of
their lines. Levels stand on a logarithmic axis where they are declared so.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectcount.figures.spec import Line, Spec, lines_value
from spectcount.figures.words import span_text
from spectcount.probing.base import Plan
from spectcount.probing.procedure import Procedure
from spectcount.probing.tracks import CATCH
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.psychophysics.sdt import interval_of, interval_text

State = Mapping[str, Any]
TRACK_COLOURS = (0, 3, 4, 5)
"""Of lines; the two between are those of right and wrong."""
RIGHT, WRONG, REVERSAL = 2, 1, 5
DASHES = ("solid", "dash", "dot")
LEVEL = "95 %"
"""Level of the intervals that `track_state` gives."""
_MARGIN = 0.05
UNMEASURED = "not measurable there"


def tracks_value(
    plan: Procedure, states: Mapping[str, State], title: str = "", part: int | None = None
) -> Spec:
    """Level against trial number: every presentation, reversals, and the running estimate with its
    interval where the procedure has one after every trial."""
    lines = [
        line
        for k, (name, state) in enumerate(states.items())
        for line in (*_lines(k, name, state), _estimate(k, name, state, len(states)))
    ]
    lines += _marks(plan, states, part)
    first = next(iter(states.values()))
    n = [len(state["presentations"]) for state in states.values()]
    return lines_value(
        [line for line in lines if line.x],
        x_label="trial number in the track",
        y_label=first["label"],
        y_log=first["log"],
        y_range=padded(first["range"][0], first["log"]),
        title=title,
        note=f"n = {span_text(n)} trials per track; {_rule_words(first)}",
        key=f"tracks {title} {list(states)}",
    )


def posterior_value(states: Mapping[str, State], of: str = "threshold", title: str = "") -> Spec:
    """Posterior of a parameter after the answers so far: the mass of each step of its grid."""
    first = next(iter(states.values()))
    marginals = {name: marginal_of(state, of) for name, state in states.items()}
    lines = [
        _mass(k, name, marginal) for k, (name, marginal) in enumerate(marginals.items()) if marginal
    ]
    return lines_value(
        lines,
        x_label=marginal_label(first, of),
        y_label="posterior mass per step",
        x_log=bool(of == "threshold" and first["log"]),
        y_range=(0.0, 1.08 * max((max(line.y) for line in lines), default=1.0)),
        title=title,
        note=f"n = {span_text([n_moving(s) for s in states.values()])} trials without catch trials "
        "per track; marginal of the posterior",
        key=f"posterior {of} {list(states)}",
    )


def surface_value(
    plan: Procedure, states: Mapping[str, State], title: str = "", part: int | None = None
) -> Spec | None:
    """The threshold over the second parameter by track, with the trials that it rests on; None
    where no track has a surface yet."""
    surfaces = {name: state for name, state in states.items() if state.get("kind") == "surface"}
    if not surfaces:
        return None
    first = next(iter(surfaces.values()))
    ends = padded(first["range"][0], first["log"])
    lines = [
        _surface_line(k, name, state, ends) for k, (name, state) in enumerate(surfaces.items())
    ]
    right, wrong = hits_words(plan)
    marks = [
        _trials(right, "circle", RIGHT, 6, _picked(surfaces, part, True), 1),
        _trials(wrong, "x", WRONG, 6, _picked(surfaces, part, False), 1),
        _missing(surfaces, ends),
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
        note=f"n = {span_text([n_moving(s) for s in surfaces.values()])} trials without catch "
        f"trials per track; pointwise intervals at {LEVEL}, drawn within the range of the levels; "
        f"{_measured_words(surfaces)}",
        key=f"surface {title} {list(surfaces)}",
    )


def marginal_of(state: State, of: str) -> State:
    """Grid and mass of a parameter; {} where it is fixed or there is no posterior of it."""
    other = state.get("marginals", {}).get(of) or {}
    marginal = state["posterior"] if of == "threshold" else other
    return marginal if len(marginal.get("grid", ())) > 1 else {}


def marginal_label(state: State, of: str) -> str:
    """A parameter of the function with its unit."""
    if of == "threshold":
        return f"threshold: {state['label']}"
    unit = "decades" if state["log"] else state["unit"] or "units of the level"
    return f"{of} of the function ({unit})"


def padded(ends: Sequence[float], log: bool) -> tuple[float, float]:
    """A little more than a range, so that marks on its ends are whole."""
    low, high = (float(to_axis(end, log)) for end in ends)
    gap = _MARGIN * (high - low)
    return float(from_axis(low - gap, log)), float(from_axis(high + gap, log))


def cut(values: Sequence[float | None], ends: tuple[float, float], default: float) -> list[float]:
    """Ends of an interval within a figure: what is unbounded or unknown becomes `default`."""
    known = [default if v is None or math.isnan(v) else v for v in values]
    return np.clip(known, *ends).tolist()


def moving(state: State) -> list[Mapping[str, Any]]:
    """The presentations that move a track: its reversals count these."""
    caught = "catch" in state and state["catch"][1] > 0
    return [p for p in state["presentations"] if not (caught and p["role"] == CATCH)]


def n_moving(state: State) -> int:
    """Number of the presentations that move a track."""
    return len(moving(state))


def track_colour(k: int) -> int:
    """The line colour of track number `k`."""
    return TRACK_COLOURS[k % len(TRACK_COLOURS)]


def pick_of(track: int, k: int, part: int | None) -> str:
    """Pick that selects a presentation; see the module."""
    return ".".join(str(i) for i in (part, track, k) if i is not None)


def hits_words(plan: Procedure) -> tuple[str, str]:
    """Names of success and failure of a presentation that moves the track."""
    task = plan.asked
    if not task.has_truth:
        return f"“{task.answers[0]}”", f"“{task.answers[1]}”"
    return "right", "wrong"


def share_words(plan: Plan) -> str:
    """Name of the share of successes on an axis."""
    task = plan.asked
    if task.has_alarms or not task.has_truth:
        return f"share of “{task.answers[0]}”"
    return "share of right answers"


def _lines(k: int, name: str, state: State) -> list[Line]:
    path = moving(state)
    return [
        Line(
            name or "level asked",
            [p["k"] + 1 for p in path],
            [p["level"][0] for p in path],
            colour=track_colour(k),
            mode="lines",
            width=1.2,
            dash=_dash(k),
        )
    ]


def _estimate(k: int, name: str, state: State, n_tracks: int) -> Line:
    """The running estimate; its band where it has an interval."""
    known = [(i + 1, r) for i, r in enumerate(state["running"]) if r["value"] is not None]
    ends = padded(state["range"][0], state["log"])
    banded = all(r["low"] is not None for _, r in known)
    low = cut([r["low"] for _, r in known], ends, ends[0]) if banded else None
    high = cut([r["high"] for _, r in known], ends, ends[1]) if banded else None
    words = f"running estimate with its {LEVEL} interval" if banded else "mean of the reversals"
    hover = [f"[{r['low']:.4g}, {r['high']:.4g}] at {LEVEL}" for _, r in known] if banded else None
    return Line(
        words if n_tracks == 1 else f"{name}: estimate",
        [x for x, _ in known],
        [r["value"] for _, r in known],
        low,
        high,
        hover,
        colour=track_colour(k),
        mode="lines",
        width=2.6,
        dash=_dash(k),
        named=n_tracks == 1,
    )


def _marks(plan: Procedure, states: Mapping[str, State], part: int | None) -> list[Line]:
    """One legend entry for each kind of presentation, over all tracks."""
    right, wrong = hits_words(plan)
    yes_no = plan.asked.has_alarms
    kinds: list[tuple[str, str, int, float, Any]] = [
        (right, "circle", RIGHT, 7, lambda p: p["success"] and not _caught(p, yes_no)),
        (wrong, "x", WRONG, 8, lambda p: not p["success"] and not _caught(p, yes_no)),
        (
            "catch trial, right",
            "circle-open",
            RIGHT,
            6,
            lambda p: _caught(p, yes_no) and not p["success"],
        ),
        (
            "catch trial, false alarm",
            "cross-thin-open",
            WRONG,
            9,
            lambda p: _caught(p, yes_no) and p["success"],
        ),
    ]
    presented = [
        (name, pick_of(s["track"], p["k"], part), p)
        for name, s in states.items()
        for p in s["presentations"]
    ]
    lines = [
        _trials(words, symbol, colour, size, [each for each in presented if chosen(each[2])])
        for words, symbol, colour, size, chosen in kinds
    ]
    return [line for line in (_reversals(states), *lines) if line.x]


def _trials(
    words: str,
    symbol: str,
    colour: int,
    size: float,
    picked: Sequence[tuple[str, str, Mapping[str, Any]]],
    across: int | None = None,
) -> Line:
    """Marks of presentations: over their number, or over parameter number `across` of the level."""
    x = [p["k"] + 1 if across is None else p["level"][across] for _, _, p in picked]
    return Line(
        words,
        x,
        [p["level"][0] for _, _, p in picked],
        hover=[f"{name} trial {p['k'] + 1}".strip() for name, _, p in picked],
        colour=colour,
        mode="markers",
        symbol=symbol,
        sizes=[size] * len(picked),
        picks=[pick for _, pick, _ in picked],
    )


def _reversals(states: Mapping[str, State]) -> Line:
    """Open squares round the trials after which a track turned."""
    turned = []
    for state in states.values():
        path = moving(state)
        turned += [path[i] for i in state.get("reversals", ())]
    return Line(
        "reversal",
        [p["k"] + 1 for p in turned],
        [p["level"][0] for p in turned],
        colour=REVERSAL,
        mode="markers",
        symbol="square-open",
        sizes=[13] * len(turned),
    )


def _mass(k: int, name: str, marginal: Mapping[str, Any]) -> Line:
    mass = [float(m) for m in marginal["mass"]]
    return Line(
        name or "posterior",
        list(marginal["grid"]),
        mass,
        [0.0] * len(mass),
        mass,
        colour=track_colour(k),
        mode="lines",
        dash=_dash(k),
    )


def _rule_words(state: State) -> str:
    rules = {
        "staircase": f"{state.get('rule', '')}; the mean of the reversals has no interval of its "
        "own, the fit below has",
        "quest_plus": f"QUEST+ (Watson 2017); bands: posterior median and {LEVEL} interval",
        "surface": "trials placed where they tell most about the surface (its figure has the "
        "intervals)",
    }
    return rules.get(state.get("kind", ""), "no trial answered yet")


def _caught(presented: Mapping[str, Any], yes_no: bool) -> bool:
    return yes_no and presented["role"] == CATCH


@functools.cache
def _dash(k: int) -> str:
    return DASHES[k // len(TRACK_COLOURS) % len(DASHES)]


def _surface_line(k: int, name: str, state: State, ends: tuple[float, float]) -> Line:
    low, high = cut(state["low"], ends, ends[0]), cut(state["high"], ends, ends[1])
    places = zip(state["threshold"], state["low"], state["high"], strict=True)
    hover = [f"{_place_words(*place)} at {LEVEL}" for place in places]
    name = f"threshold, {name}" if name else "threshold"
    return Line(
        name,
        state["nodes"],
        state["threshold"],
        low,
        high,
        hover,
        colour=track_colour(k),
        symbol="diamond",
        width=2.6,
    )


def _missing(states: Mapping[str, State], ends: tuple[float, float]) -> Line:
    places = [
        (place, f"{name} {reason}".strip())
        for name, s in states.items()
        for place, reason in zip(s["nodes"], s["estimate"]["reasons"], strict=True)
        if reason
    ]
    return Line(
        UNMEASURED,
        [x for x, _ in places],
        [ends[0]] * len(places),
        hover=[why for _, why in places],
        colour=REVERSAL,
        mode="markers",
        symbol="square-open",
        sizes=[11] * len(places),
    )


def _measured_words(states: Mapping[str, State]) -> str:
    counts = [(sum(map(bool, s["measurable"])), len(s["nodes"])) for s in states.values()]
    return ", ".join(f"{n} of {of} places measurable" for n, of in counts)


def _place_words(*place: float | None) -> str:
    interval = interval_of(dict(zip(("value", "low", "high"), place, strict=True)))
    return interval_text(interval, "{:.4g}".format)


def _picked(
    states: Mapping[str, State], part: int | None, success: bool
) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Presentations that move the tracks and were answered so: name, pick and presentation."""
    return [
        (name, pick_of(s["track"], p["k"], part), p)
        for name, s in states.items()
        for p in moving(s)
        if p["success"] is success
    ]
