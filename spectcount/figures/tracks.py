"""Tracks of procedures -> figures: level against trial number, and the threshold's posterior.

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
from spectcount.probing.plan import Curve
from spectcount.probing.procedure import Procedure
from spectcount.probing.tracks import CATCH
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.tasks import SUBJECTIVE, YES_NO

State = Mapping[str, Any]
TRACK_COLOURS = (0, 3, 4, 5)
"""Of lines; the two between are those of right and wrong."""
RIGHT, WRONG, REVERSAL = 2, 1, 5
DASHES = ("solid", "dash", "dot")
LEVEL = "95 %"
"""Level of the intervals that `track_state` gives."""
_MARGIN = 0.05


def tracks_value(plan: Procedure, states: Mapping[str, State], title: str = "",
                 part: int | None = None) -> Spec:  # fmt: skip
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
    """What the answers so far say about a parameter: the mass of each step of its grid."""
    first = next(iter(states.values()))
    marginals = {name: marginal_of(state, of) for name, state in states.items()}
    lines = [_mass(k, name, found) for k, (name, found) in enumerate(marginals.items()) if found]
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


def marginal_of(state: State, of: str) -> dict[str, Any]:
    """Grid and mass of a parameter; {} where it is fixed or there is no posterior of it."""
    own = state.get("marginals", {}).get(of) or {}
    found = state["posterior"] if of == "threshold" else own
    return dict(found) if len(found.get("grid", ())) > 1 else {}


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
    found = [float(from_axis(u, log)) for u in (low - gap, high + gap)]
    return found[0], found[1]


def cut(values: Sequence[float | None], ends: tuple[float, float], default: float) -> list[float]:
    """Ends of an interval within a figure: what is unbounded or unknown becomes `default`."""
    known = [default if v is None or math.isnan(v) else v for v in values]
    return np.clip(known, *ends).tolist()


def moving(state: State) -> list[Mapping[str, Any]]:
    """The presentations that move a track: its reversals count these."""
    caught = "catch" in state and state["catch"][1] > 0
    return [p for p in state["presentations"] if not (caught and p["role"] == CATCH)]


def n_moving(state: State) -> int:
    """How many they are."""
    return len(moving(state))


def track_colour(k: int) -> int:
    """The line colour of track number `k`."""
    return TRACK_COLOURS[k % len(TRACK_COLOURS)]


def pick_of(track: int, k: int, part: int | None) -> str:
    """What selects a presentation; see the module."""
    return ".".join(str(i) for i in (part, track, k) if i is not None)


def hits_words(plan: Procedure) -> tuple[str, str]:
    """What success and failure of a presentation that moves the track are called."""
    asked = plan.asked
    if asked.kind == SUBJECTIVE:
        return f"“{asked.answers[0]}”", f"“{asked.answers[1]}”"
    return "right", "wrong"


def share_words(plan: Procedure | Curve) -> str:
    """What the share of successes is called on an axis."""
    asked = plan.asked
    if asked.kind in (YES_NO, SUBJECTIVE):
        return f"share of “{asked.answers[0]}”"
    return "share of right answers"


def _lines(k: int, name: str, state: State) -> list[Line]:
    path = moving(state)
    return [
        Line(
            name or "level asked", [p["k"] + 1 for p in path], [p["level"][0] for p in path],
            colour=track_colour(k), mode="lines", width=1.2, dash=_dash(k),
        )
    ]  # fmt: skip


def _estimate(k: int, name: str, state: State, n_tracks: int) -> Line:
    """The running estimate; its band where it has an interval."""
    found = [(i + 1, r) for i, r in enumerate(state["running"]) if r["value"] is not None]
    ends = padded(state["range"][0], state["log"])
    banded = all(r["low"] is not None for _, r in found)
    low = cut([r["low"] for _, r in found], ends, ends[0]) if banded else None
    high = cut([r["high"] for _, r in found], ends, ends[1]) if banded else None
    words = f"running estimate with its {LEVEL} interval" if banded else "mean of the reversals"
    hover = [f"[{r['low']:.4g}, {r['high']:.4g}] at {LEVEL}" for _, r in found] if banded else None
    return Line(
        words if n_tracks == 1 else f"{name}: estimate", [x for x, _ in found],
        [r["value"] for _, r in found], low, high, hover, colour=track_colour(k), mode="lines",
        width=2.6, dash=_dash(k), named=n_tracks == 1,
    )  # fmt: skip


def _marks(plan: Procedure, states: Mapping[str, State], part: int | None) -> list[Line]:
    """One legend entry for each kind of presentation, over all tracks."""
    right, wrong = hits_words(plan)
    yes_no = plan.asked.kind == YES_NO
    kinds: list[tuple[str, str, int, float, Any]] = [
        (right, "circle", RIGHT, 7, lambda p: p["success"] and not _caught(p, yes_no)),
        (wrong, "x", WRONG, 8, lambda p: not p["success"] and not _caught(p, yes_no)),
        ("catch trial, right", "circle-open", RIGHT, 6,
         lambda p: _caught(p, yes_no) and not p["success"]),
        ("catch trial, false alarm", "cross-thin-open", WRONG, 9,
         lambda p: _caught(p, yes_no) and p["success"]),
    ]  # fmt: skip
    lines = [
        _points(words, symbol, colour, size, states, chosen, part)
        for words, symbol, colour, size, chosen in kinds
    ]
    return [line for line in (_reversals(states), *lines) if line.x]


def _points(
    words: str, symbol: str, colour: int, size: float, states: Mapping[str, State], chosen: Any,
    part: int | None,
) -> Line:  # fmt: skip
    found = [
        (name, s["track"], p) for name, s in states.items() for p in s["presentations"] if chosen(p)
    ]
    return Line(
        words, [p["k"] + 1 for _, _, p in found], [p["level"][0] for _, _, p in found],
        hover=[f"{name} trial {p['k'] + 1}".strip() for name, _, p in found], colour=colour,
        mode="markers", symbol=symbol, sizes=[size] * len(found),
        picks=[pick_of(track, p["k"], part) for _, track, p in found],
    )  # fmt: skip


def _reversals(states: Mapping[str, State]) -> Line:
    """Open squares round the trials after which a track turned."""
    found = []
    for state in states.values():
        path = moving(state)
        found += [path[i] for i in state.get("reversals", ())]
    return Line(
        "reversal", [p["k"] + 1 for p in found], [p["level"][0] for p in found], colour=REVERSAL,
        mode="markers", symbol="square-open", sizes=[13] * len(found),
    )  # fmt: skip


def _mass(k: int, name: str, found: Mapping[str, Any]) -> Line:
    mass = [float(m) for m in found["mass"]]
    return Line(
        name or "posterior", list(found["grid"]), mass, [0.0] * len(mass), mass,
        colour=track_colour(k), mode="lines", dash=_dash(k),
    )  # fmt: skip


def _rule_words(state: State) -> str:
    told = {
        "staircase": f"{state.get('rule', '')}; the mean of the reversals has no interval of its "
        "own, the fit below has",
        "quest_plus": f"QUEST+ (Watson 2017); bands: posterior median and {LEVEL} interval",
        "surface": "trials placed where they tell most about the surface (its figure has the "
        "intervals)",
    }
    return told.get(state.get("kind", ""), "no trial answered yet")


def _caught(presented: Mapping[str, Any], yes_no: bool) -> bool:
    return yes_no and presented["role"] == CATCH


@functools.cache
def _dash(k: int) -> str:
    return DASHES[k // len(TRACK_COLOURS) % len(DASHES)]
