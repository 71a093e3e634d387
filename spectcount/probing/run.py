"""Asking a plan's questions of one or several listeners, into the ledger.

Conventions: listeners take turns batch by batch, so their maps fill together; a question that the
ledger has answered for the same fingerprint is linked to the run, not asked again; what a stopped
or killed run left is skipped when it is executed again, so that plans that follow the answers go
on where they were. Such plans may end before their number of trials is reached. Errors of a
listener propagate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spectcount.configs import AskConfig
from spectcount.context import RunContext
from spectcount.errors import UserError
from spectcount.listeners import may_share, score_together
from spectcount.listeners.base import LEAST_MASS, Listener, Scores
from spectcount.listeners.spec import ListenerSpec
from spectcount.probing.draws import AskedPlan, PlannedQuestion
from spectcount.probing.kinds import KINDS, Answers
from spectcount.trials import Trial

if TYPE_CHECKING:
    from spectcount.probing.analysis import Analysis

TO_WEIGH = 16
"""Trials after which the mass is looked at."""


@dataclass
class _Seat:
    """One listener's progress through the plan."""

    name: str
    listener: Listener
    fingerprint: str
    plan: Generator[list[PlannedQuestion], list[Trial], None]
    linked: dict[str, Trial]
    places: set[tuple[str, str]]
    batch: list[PlannedQuestion] | None = None
    n_asked: int = 0
    known: int = 0
    seconds: float = 0.0
    trials: list[Trial] = field(default_factory=list)
    weighed: bool = False


def execute(
    context: RunContext,
    listeners: Mapping[str, Listener],
    keep: Callable[[Analysis], None] = lambda analysis: None,
) -> dict[str, Any]:
    """Ask the plan of a run, of any kind that asks, of every listener (name -> who); `keep` stores
    what the answers say.

    Returns the run's summary: done, total, stopped, and per listener what was asked, at which
    rate, and what the answers say. Raises `UserError` before the first question where a cell
    cannot be realised or two listeners are the same.
    """
    kind = KINDS[context.kind]
    config = kind.config.from_json(context.config)
    report, trials = ask_all(context, kind.plan(config), listeners)
    from spectcount.probing.analysis import analyse

    analysis = analyse(config, context.lineage, trials)
    keep(analysis)
    answers = Answers(trials, analysis, context.lineage, context.run_id)
    return {**report, **kind.summary(config, answers)}


def ask_all(
    context: RunContext, plan: AskedPlan, listeners: Mapping[str, Listener]
) -> tuple[dict[str, Any], dict[str, list[Trial]]]:
    """Ask a plan at the run's seed of every listener: what `execute` returns of the asking
    itself, and the trials by name. Raises `UserError` as it does."""
    seed = AskConfig.from_json(context.config).seed
    plan.refuse_infeasible()
    seats = _seats(context, plan, seed, listeners)
    total = plan.n_trials * len(seats)
    most = "at most " if plan.adaptive else ""
    context.log(f"{most}{plan.n_trials} trials for each of {len(seats)} listener(s), seed {seed}")
    stopped = _run(context, seats, total, plan.low_mass)
    done = sum(len(seat.trials) for seat in seats)
    if not stopped and done < total:
        total = done
        context.progress(done, total)
    report = {
        "done": done,
        "total": total,
        "stopped": stopped,
        "listeners": {seat.name: _report(seat) for seat in seats},
    }
    return report, {seat.name: seat.trials for seat in seats}


def _seats(
    context: RunContext, plan: AskedPlan, seed: int, listeners: Mapping[str, Listener]
) -> list[_Seat]:
    if not listeners:
        raise UserError("no listener was given; name at least one, such as tiny-lalm or ideal")
    linked = context.ledger.trials(context.run_id)
    seats: list[_Seat] = []
    for name, listener in listeners.items():
        mark = listener.fingerprint
        twin = next((s.name for s in seats if s.fingerprint == mark), None)
        if twin is not None:
            raise UserError(
                f"{name} and {twin} are the same listener (fingerprint {mark}); choose another "
                "adapter, or probe one of them alone"
            )
        refuse_other_listener(name, mark, linked)
        own_trials = [t for t in linked if t.fingerprint == mark]
        places = {_place(t.key, t.coords) for t in own_trials}
        seats.append(
            _Seat(name, listener, mark, plan.ask(seed), {t.key: t for t in own_trials}, places)
        )
    for seat in seats:
        seat.batch = next(seat.plan, None)
    return seats


def refuse_other_listener(name: str, mark: str, linked: Iterable[Trial]) -> None:
    """Raise `UserError` where a run that is resumed has answers of another listener under this
    name: the model was changed meanwhile, or a new release asks it otherwise."""
    other = [t.fingerprint for t in linked if t.listener == name and t.fingerprint != mark]
    if other:
        raise UserError(
            f"this run has {len(other)} answers of {name} as it was ({other[0]}), and now it is "
            f"another listener ({mark}): the two are not mixed; start a new run"
        )


def _run(context: RunContext, seats: list[_Seat], total: int, low_mass: bool) -> bool:
    """Batches in turn until every seat is through; true when a stop was asked for before. Raises
    `UserError` for a model whose closed sets have little mass, unless `low_mass` allows it."""
    timed = False
    while any(seat.batch is not None for seat in seats):
        if context.should_stop():
            return True
        _ask_together(context, seats)
        for seat in seats:
            if seat.batch is None:
                continue
            if context.should_stop():
                return True
            answered = _answer(context, seat, seat.batch)
            seat.trials.extend(answered)
            seat.batch = _following(seat.plan, answered)
            if not low_mass:
                _refuse_low_mass(seat)
            done = sum(len(s.trials) for s in seats)
            context.progress(done, total)
            if seat.n_asked and not timed:
                timed = True
                rate = seat.n_asked / seat.seconds
                left_min = (total - done) / rate / 60
                context.log(f"{rate:.1f} clips/s with {seat.name}: about {left_min:.1f} min left")
    return False


def _refuse_low_mass(seat: _Seat) -> None:
    """Raise `UserError` where a model's first trials give the closed set less than `LEAST_MASS`
    of its probability: graded scores would rank what it never says. Once per seat."""
    if seat.weighed or not hasattr(seat.listener, "facts"):
        return
    if len(seat.trials) < TO_WEIGH and seat.batch is not None:
        return
    seat.weighed = True
    mass = sum(trial.mass for trial in seat.trials) / max(len(seat.trials), 1)
    if seat.trials and mass < LEAST_MASS:
        raise UserError(
            f"{seat.name} gives the closed answers ({', '.join(seat.trials[0].answers[:3])}…) "
            f"{mass:.2g} of its probability (mean of {len(seat.trials)} trials; at least "
            f"{LEAST_MASS:g} is needed): it would say something else. See what with `ask`; "
            f"{_read_otherwise(seat.name)}go on even so (low_mass: true in the plan, "
            "--set low_mass=true); or run a benchmark, which reads whole replies"
        )


def _read_otherwise(name: str) -> str:
    """The listener that counts replies by their beginning, as a remedy; "" where it is this one."""
    spec = ListenerSpec.parse(name)
    if "prefix" in spec.options:
        return ""
    other = replace(spec, options=(*spec.options, "prefix"))
    return f"take {other}, which counts replies that begin with an answer; "


def _following(
    plan: Generator[list[PlannedQuestion], list[Trial], None], answered: list[Trial]
) -> list[PlannedQuestion] | None:
    try:
        return plan.send(answered)
    except StopIteration:
        return None


def _answer(context: RunContext, seat: _Seat, batch: list[PlannedQuestion]) -> list[Trial]:
    """Trials of a batch, in its order: from this run, from the ledger, or asked now."""
    _recall(context, seat, batch)
    for group in _alike(p for p in batch if p.question.key not in seat.linked):
        start = time.perf_counter()
        scores = seat.listener.score([planned.question for planned in group])
        _link(seat, group, scores, time.perf_counter() - start)
    answered = [_placed(seat, planned) for planned in batch]
    fresh = [t for t in answered if _place(t.key, t.coords) not in seat.places]
    if fresh:
        context.ledger.add_trials(context.run_id, fresh)
        seat.places.update(_place(t.key, t.coords) for t in fresh)
    return answered


def _ask_together(context: RunContext, seats: list[_Seat]) -> None:
    """Ask what several adapters of one model are about to be asked of all of them at once; their
    turns then find the answers."""
    waiting = [seat for seat in seats if seat.batch]
    if len(waiting) < 2 or not may_share([seat.listener for seat in waiting]):
        return
    open_keys = []
    for seat in waiting:
        _recall(context, seat, seat.batch or [])
        open_keys.append({p.question.key for p in seat.batch or []} - set(seat.linked))
    everywhere = set.intersection(*open_keys)
    shared = [p for p in waiting[0].batch or [] if p.question.key in everywhere]
    for group in _alike(shared):
        start = time.perf_counter()
        groups = score_together([seat.listener for seat in waiting], [p.question for p in group])
        seconds = (time.perf_counter() - start) / len(waiting)
        for seat, scores in zip(waiting, groups, strict=True):
            _link(seat, group, scores, seconds)


def _recall(context: RunContext, seat: _Seat, batch: list[PlannedQuestion]) -> None:
    """Link what the ledger has answered for this listener."""
    keys = [planned.question.key for planned in batch]
    missing = [key for key in keys if key not in seat.linked]
    known = context.ledger.known_trials(seat.fingerprint, missing) if missing else {}
    seat.known += len(known)
    seat.linked.update({k: t.changed(listener=seat.name) for k, t in known.items()})


def _placed(seat: _Seat, planned: PlannedQuestion) -> Trial:
    """The answer to a question at its place in the plan."""
    return seat.linked[planned.question.key].changed(coords=planned.coords)


def _place(key: str, coords: Mapping[str, Any]) -> tuple[str, str]:
    return key, json.dumps(coords, sort_keys=True)


def _alike(batch: Iterable[PlannedQuestion]) -> list[list[PlannedQuestion]]:
    """Questions of one task and clips of one length together; each question once."""
    groups: dict[tuple[str, int], dict[str, PlannedQuestion]] = {}
    for planned in batch:
        stimulus = planned.question.stimulus
        length = 0 if stimulus is None else stimulus.n_samples
        group = groups.setdefault((planned.question.task_name, length), {})
        group.setdefault(planned.question.key, planned)
    return [list(group.values()) for group in groups.values()]


def _link(seat: _Seat, group: list[PlannedQuestion], scores: Scores, seconds: float) -> None:
    """Keep the answers to a group as trials, and how long they took."""
    seat.seconds += seconds
    seat.n_asked += len(group)
    for row, planned in enumerate(group):
        trial = scores.trial(
            row,
            planned.question,
            fingerprint=seat.fingerprint,
            listener=seat.name,
            coords=planned.coords,
        )
        seat.linked[trial.key] = trial


def _report(seat: _Seat) -> dict[str, Any]:
    rate = seat.n_asked / seat.seconds if seat.n_asked else None
    return {
        "fingerprint": seat.fingerprint,
        "asked": seat.n_asked,
        "known": seat.known,
        "clips_per_s": rate,
        **scored_by(seat.listener),
    }


def scored_by(listener: Listener) -> dict[str, str]:
    """The way a model is scored (path, reason, device, number format); nothing of other
    listeners."""
    return dict(getattr(getattr(listener, "listener", listener), "facts", {}))
