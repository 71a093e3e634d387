"""Held-out measurements of the embedded model: what it answers, on what it fails, and where.

Everything is asked through the listener, on seeds that training never used. Procedures are asked
as curves between their ends, so that each has an easy and a hard one.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipes.tiny_lalm2 import diet
from recipes.tiny_lalm2.model import WINDOW_S
from spectcount import presets
from spectcount.errors import UserError
from spectcount.listeners.base import Listener
from spectcount.probing.grid import GridPlan
from spectcount.probing.plan import plan_from_dict
from spectcount.psychophysics import sdt
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import COUNTING, FORCED_CHOICE, SUBJECTIVE, TASKS, YES_NO
from spectcount.trials import Question

HELD_OUT_SEED = 990_001
REACH = 0.5
"""How hard the clips are on which wordings are compared: halfway to the diet's hardest end."""
ADAPTIVE = ("staircase", "quest", "surface")
CURVE_LEVELS = 6
BATCH = 64


@dataclass(frozen=True)
class CellRates:
    """What was answered at one place of a plan: `right` of `n` signal trials (of a subjective
    task, how often the first answer was given), and d' where there are two answers."""

    place: str
    right: sdt.Interval
    d_prime: float | None


@dataclass(frozen=True)
class PlanRates:
    """A plan, asked whole."""

    name: str
    task: str
    cells: tuple[CellRates, ...]

    @property
    def easiest(self) -> CellRates:
        return max(self.cells, key=_ease)

    @property
    def hardest(self) -> CellRates:
        return min(self.cells, key=_ease)

    @property
    def audible(self) -> bool:
        """Whether the easy end is answered: 90 % right, or d' of 3."""
        best = self.easiest
        return best.right.value >= 0.9 and (best.d_prime is None or best.d_prime >= 1.8)


def _ease(cell: CellRates) -> float:
    return cell.right.value if cell.d_prime is None else cell.d_prime


def aligned_clips(task: str, n: int, seed: int = HELD_OUT_SEED) -> list[Stimulus]:
    """`n` clips of the alignment diet that `task` is asked about."""
    clips: list[Stimulus] = []
    draws = [kind for kind in diet.SHARES if task in _tasks_of(kind)]
    for i in range(100 * n):
        rng = np.random.default_rng([seed, i])
        duration_s = round(float(np.exp(rng.uniform(np.log(1.2), np.log(5)))), 2)
        drawing = diet.Draw(diet.ALIGNMENT, rng, duration_s, REACH)
        kind = draws[int(rng.integers(len(draws)))]
        try:
            stimulus, tasks = kind(drawing)
        except UserError:
            continue
        if task in tasks:
            clips.append(stimulus)
        if len(clips) == n:
            break
    return clips


def _tasks_of(kind: Any) -> tuple[str, ...]:
    return {
        diet.counting: ("count",),
        diet.presence: ("detect",),
        diet.halves: ("interval",),
        diet.tone_in_noise: ("detect", "interval"),
        diet.after_noise: ("detect",),
        diet.silence: ("gap",),
        diet.fluctuation: ("modulated",),
        diet.two_tones: ("higher", "louder", "longer"),
        diet.all_differ: diet.PAIR_TASKS,
        diet.order: ("order",),
        diet.rhythm: ("jitter",),
        diet.limping: ("jitter",),
        diet.galloping: ("streams",),
        diet.cued: ("cue",),
        diet.cued_once: ("cue",),
    }[kind]


def asked_in(task: str, clips: Sequence[Stimulus], held_out: bool) -> list[Question]:
    """The clips with wordings of training, or with held-out ones, in turn, both orders."""
    spec, questions = TASKS[task], []
    known = len(spec.wordings)
    for i, stimulus in enumerate(clips):
        wording = known + i % len(spec.held_out) if held_out else i % known
        reverse = spec.reversible and bool(i // 2 % 2)
        questions.append(Question(stimulus, task, wording=wording, reverse=reverse))
    return questions


def best_answers(listener: Listener, questions: Sequence[Question]) -> list[str]:
    """The likeliest answer to each question; clips of one length are asked together."""
    answers = [""] * len(questions)
    places: dict[float, list[int]] = defaultdict(list)
    for i, question in enumerate(questions):
        stimulus = question.stimulus
        places[stimulus.duration_s if stimulus else 0.0].append(i)
    for group in places.values():
        for start in range(0, len(group), BATCH):
            part = group[start : start + BATCH]
            best = listener.score([questions[i] for i in part]).log_probs.argmax(axis=1)
            for i, k in zip(part, best, strict=True):
                answers[i] = questions[i].answers[int(k)]
    return answers


def accuracy(listener: Listener, questions: Sequence[Question]) -> sdt.Interval:
    """Share of right answers, Wilson interval; of a subjective task, what people would say."""
    wanted = [q.truth or _usual(q.stimulus) for q in questions]
    right = [a == w for a, w in zip(best_answers(listener, questions), wanted, strict=True)]
    return sdt.wilson(sum(right), len(right))


def _usual(stimulus: Stimulus | None) -> str:
    assert stimulus is not None
    return ("one", "two")[int(diet.two_streams(stimulus) > 0.5)]


def wordings_table(listener: Listener, n: int) -> dict[str, tuple[sdt.Interval, sdt.Interval]]:
    """Accuracy of each task in wordings of training, and in held-out ones, on the same clips."""
    table = {}
    for task in TASKS:
        clips = aligned_clips(task, n)
        trained, held_out = (
            accuracy(listener, asked_in(task, clips, which)) for which in (False, True)
        )
        table[task] = trained, held_out
    return table


def preset_plans(settings: Settings) -> dict[str, GridPlan]:
    """Every shipped probe that asks a model, procedures as curves between their ends."""
    plans: dict[str, GridPlan] = {}
    for name in presets.names("probes", settings):
        body = presets.load("probes", name, settings).body["plan"]
        for k, part in enumerate(body.get("plans", [body])):
            plan = as_grid(part)
            if plan is not None:
                plans[name if len(body.get("plans", [])) < 2 else f"{name} {k + 1}"] = plan
    return plans


def as_grid(body: Mapping[str, Any]) -> GridPlan | None:
    """A plan of cells: the plan itself, or the curve between the ends of a procedure."""
    if body["kind"] not in ADAPTIVE:
        plan = plan_from_dict(body)
        return plan if isinstance(plan, GridPlan) else None
    names = ("task", "family", "parameter", "design", "draw", "count_low", "count_high")
    curve = {name: body[name] for name in names if name in body}
    forced = TASKS[str(body.get("task", "detect"))].kind == FORCED_CHOICE
    return plan_from_dict(
        {
            "kind": "curve",
            **curve,
            "start": body["low"],
            "stop": body["high"],
            "levels": CURVE_LEVELS,
            "trials": 20,
            "catch_trials": 20 * CURVE_LEVELS if forced else 60,
        }
    )


def rates(name: str, plan: GridPlan, listener: Listener, most: int = 0) -> PlanRates:
    """A plan asked whole, or with at most `most` signal trials in each cell."""
    if most and plan.trials > most:
        catch = max(plan._n_backgrounds, plan.catch_trials * most // plan.trials)
        plan = dataclasses.replace(plan, trials=most, catch_trials=catch)
    planned = plan.questions(HELD_OUT_SEED)
    answers = best_answers(listener, [p.question for p in planned])
    task = TASKS[plan.task]
    cells: dict[tuple[int, int], list[bool]] = defaultdict(list)
    catch_first: dict[tuple[int, ...], list[bool]] = defaultdict(list)
    for p, given in zip(planned, answers, strict=True):
        cell = (p.coords["x"], p.coords.get("y", 0))
        background = tuple(cell[a] for a in plan.background_axes)
        first = given == task.answers[0]
        if task.kind in (YES_NO, FORCED_CHOICE):
            (cells[cell] if p.coords["role"] == "signal" else catch_first[background]).append(first)
        elif task.kind == SUBJECTIVE:
            cells[cell].append(first)
        elif p.coords["role"] == "signal":
            cells[cell].append(given == p.question.truth)
    values = [_cell(plan, cell, hits, catch_first) for cell, hits in sorted(cells.items())]
    return PlanRates(name, plan.task, tuple(values))


def _cell(
    plan: GridPlan,
    cell: tuple[int, int],
    hits: list[bool],
    catch_first: Mapping[tuple[int, ...], list[bool]],
) -> CellRates:
    kind = TASKS[plan.task].kind
    place = plan.cell_text(cell)
    if kind in (COUNTING, SUBJECTIVE):
        return CellRates(place, sdt.wilson(sum(hits), len(hits)), None)
    wrong = catch_first[tuple(cell[a] for a in plan.background_axes)]
    formula = sdt.d_prime_2afc if kind == FORCED_CHOICE else sdt.d_prime
    d_prime = formula(sum(hits), len(hits), sum(wrong), len(wrong))
    # both sides count alike, however many trials each has
    share = (np.mean(hits) + 1 - np.mean(wrong)) / 2
    n = len(hits) + len(wrong)
    return CellRates(place, sdt.wilson(round(share * n), n), float(d_prime.value))


PULSES = {"event_duration_jitter_ms": 15.0, "level_rove_db": 5.0}
DIRECTIONS: dict[str, dict[str, Any]] = {
    "frequency": {
        "kind": "curve",
        "task": "count",
        "parameter": "mel_channel",
        "start": 6,
        "stop": 122,
        "levels": 12,
        "trials": 24,
        "catch_trials": 0,
        "count_low": 2,
        "count_high": 8,
        "design": {**PULSES, "level_dbfs": -17.0},
    },
    "frequency, one beep": {
        "kind": "curve",
        "task": "detect",
        "parameter": "mel_channel",
        "start": 6,
        "stop": 122,
        "levels": 12,
        "trials": 16,
        "catch_trials": 60,
    },
    "level": {
        "kind": "curve",
        "task": "count",
        "parameter": "level_dbfs",
        "start": -70,
        "stop": -10,
        "levels": 7,
        "trials": 24,
        "catch_trials": 0,
        "count_low": 2,
        "count_high": 8,
        "design": {**PULSES, "noise_sigma": 2e-4},
    },
    "rate of beeps": {
        "kind": "curve",
        "task": "count",
        "parameter": "gap_ms",
        "start": 10,
        "stop": 160,
        "levels": 6,
        "trials": 24,
        "catch_trials": 0,
        "count_low": 2,
        "count_high": 8,
        "design": {**PULSES, "frequency_low_hz": 700.0},
    },
    "rate of fluctuation": {
        "kind": "curve",
        "task": "modulated",
        "family": "modulation",
        "parameter": "am_rate_hz",
        "start": 2,
        "stop": 128,
        "levels": 7,
        "trials": 20,
        "catch_trials": 60,
        "design": {"am_depth_db": 0.0, "carrier_wave": "white", "level_rove_db": 3.0},
    },
    "simultaneity": {
        "kind": "confusion",
        "trials": 20,
        "count_low": 1,
        "count_high": 6,
        "design": {
            **PULSES,
            "placement": "together",
            "frequency_order": "distinct_mel",
            "frequency_low_hz": 700.0,
            "level_dbfs": -24.0,
        },
    },
    "order": {
        "kind": "curve",
        "task": "order",
        "family": "onset_asynchrony",
        "parameter": "asynchrony_ms",
        "start": 4,
        "stop": 200,
        "levels": 6,
        "trials": 20,
        "catch_trials": 120,
        "design": {"onset_rove_s": 0.5, "frequency_low_hz": 800.0, "frequency_high_hz": 1600.0},
    },
}


def measure(listener: Listener, settings: Settings, n: int = 200, most: int = 20) -> dict[str, Any]:
    """All of the above, `n` clips for each task, at most `most` trials in each cell."""
    return {
        "n": n,
        "window_s": WINDOW_S,
        "wordings": wordings_table(listener, n),
        "presets": [
            rates(name, plan, listener, most) for name, plan in preset_plans(settings).items()
        ],
        "directions": [
            rates(name, plan_from_dict(body), listener, most)  # type: ignore[arg-type]
            for name, body in DIRECTIONS.items()
        ],
    }
