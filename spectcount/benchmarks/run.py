"""Asking a benchmark's items of one or two listeners, into the ledger.

*Conventions*: listeners take turns item by item, so a sound is read once for both; answers are
stored as they come, and a run that was stopped or killed asks only what it has no answer to. What
the ledger knows from other runs of the same fingerprint is linked, not asked. An item whose sound
is missing or unreadable, or that a listener refuses, is kept with the reason; nothing is cut.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from spectcount import clips
from spectcount.benchmarks import questions, summary
from spectcount.benchmarks.items import Item
from spectcount.benchmarks.questions import ClipQuestion, Place, Sheet, place, sheet_of
from spectcount.benchmarks.result import ScoredBy, Summary
from spectcount.clips import Clip
from spectcount.configs import BenchmarkConfig
from spectcount.context import RunContext
from spectcount.errors import UserError
from spectcount.listeners.base import Listener
from spectcount.probing.run import refuse_other_listener, scored_by
from spectcount.trials import Trial

BATCH = 16


@dataclass
class Seat:
    """One listener's answers so far, by place, and what it refused, by row."""

    name: str
    listener: Listener
    fingerprint: str
    answered: dict[Place, Trial]
    refused: dict[int, tuple[str, float]] = field(default_factory=dict)
    n_asked: int = 0
    n_known: int = 0
    seconds: float = 0.0


def execute(context: RunContext, listeners: Mapping[str, Listener]) -> Summary:
    """Ask the benchmark of `context.config` of every listener (name -> who): one, or base and
    tuned. Returns the summary that `summary` describes. Raises `UserError` where the files are
    not as they should be, two listeners are the same, or nothing at all could be heard."""
    sheet = sheet_of(BenchmarkConfig.from_json(context.config))
    seats = _seats(context, listeners)
    total = len(sheet.units) * len(seats)
    context.log(
        f"{sheet.benchmark.title}: {len(sheet.items)} of {sheet.n_file} items, "
        f"{len(sheet.units)} questions for each of {len(seats)} listener(s)"
    )
    unheard: dict[int, tuple[str, str]] = {}
    stopped, done = _ask_all(context, sheet, seats, unheard)
    for seat in seats:
        _refuse_deaf(sheet, seat, unheard, stopped)
    answers = {seat.name: _report(seat) for seat in seats}
    whole = summary.summarise(sheet, answers, unheard)
    whole["done"], whole["total"], whole["stopped"] = done, total, stopped
    return whole


def _seats(context: RunContext, listeners: Mapping[str, Listener]) -> list[Seat]:
    if not listeners:
        raise UserError("no listener was given; name at least one, such as tiny-lalm")
    linked = context.ledger.trials(context.run_id)
    seats: list[Seat] = []
    for name, listener in listeners.items():
        mark = listener.fingerprint
        twin = next((seat.name for seat in seats if seat.fingerprint == mark), None)
        if twin is not None:
            raise UserError(
                f"{name} and {twin} are the same listener (fingerprint {mark}); choose another "
                "adapter, or ask one of them alone"
            )
        refuse_other_listener(name, mark, linked)
        answered = {place(t): t for t in linked if t.fingerprint == mark}
        seats.append(Seat(name, listener, mark, answered))
    return seats


def _ask_all(
    context: RunContext, sheet: Sheet, seats: list[Seat], unheard: dict[int, tuple[str, str]]
) -> tuple[bool, int]:
    """(Whether a stop was asked for, questions dealt with), batch by batch."""
    done, total = 0, len(sheet.units) * len(seats)
    for units in _batches(sheet):
        if context.should_stop():
            return True, done
        sounds: dict[int, Clip] = {}
        for seat in seats:
            open_units = [u for u in units if (u[0].row, u[1]) not in seat.answered]
            heard = [
                (item, rotation, sound)
                for item, rotation in open_units
                if (sound := _sound(item, sounds, unheard)) is not None
            ]
            _answer(context, sheet, seat, heard)
            done += len(units)
        context.progress(done, total)
    return False, done


def _batches(sheet: Sheet) -> Iterator[list[tuple[Item, int]]]:
    """Scores are asked in batches; replies item by item, so that a stop is quick."""
    units = sheet.units
    if sheet.mode == questions.SCORED:
        yield from (units[start : start + BATCH] for start in range(0, len(units), BATCH))
        return
    for _, same_item in itertools.groupby(units, key=lambda unit: unit[0].row):
        yield list(same_item)


def _sound(item: Item, sounds: dict[int, Clip], unheard: dict[int, tuple[str, str]]) -> Clip | None:
    """An item's sound, read once a batch; None, with the reason kept, where there is none."""
    if item.row not in sounds and item.row not in unheard:
        if not item.audio.is_file():
            unheard[item.row] = (summary.MISSING, f"there is no file {item.audio}")
            return None
        try:
            sounds[item.row] = clips.read(item.audio, clips.DATA_SETS)
        except UserError as error:
            unheard[item.row] = (summary.UNREADABLE, str(error))
    return sounds.get(item.row)


def _answer(
    context: RunContext, sheet: Sheet, seat: Seat, heard: Sequence[tuple[Item, int, Clip]]
) -> None:
    """Answers of one listener to some items: from the ledger, or asked now; stored at once."""
    wanted = [
        questions.make(sheet.benchmark, item, sheet.prompt, sheet.mode, rotation, sound)
        for item, rotation, sound in heard
        if item.row not in seat.refused
    ]
    known = context.ledger.known_trials(seat.fingerprint, [q.key for q in wanted])
    stored = [
        dataclasses.replace(known[q.key], listener=seat.name, coords=dict(q.coords))
        for q in wanted
        if q.key in known
    ]
    seat.n_known += len(stored)
    _keep(context, seat, stored)
    fresh = [q for q in wanted if q.key not in known]
    for group in _alike(fresh) if sheet.mode == questions.SCORED else [[q] for q in fresh]:
        _keep(context, seat, _asked(sheet, seat, group))


def _keep(context: RunContext, seat: Seat, trials: list[Trial]) -> None:
    """Store answers at once: a killed run asks only what was under way again."""
    if trials:
        context.ledger.add_trials(context.run_id, trials)
        seat.answered.update({place(trial): trial for trial in trials})


def _alike(fresh: Sequence[ClipQuestion]) -> list[list[ClipQuestion]]:
    """Questions of one closed set together: a forward scores one set."""
    groups: dict[tuple[str, ...], list[ClipQuestion]] = {}
    for question in fresh:
        groups.setdefault(question.answers, []).append(question)
    return list(groups.values())


def _asked(sheet: Sheet, seat: Seat, group: list[ClipQuestion]) -> list[Trial]:
    """Trials of one group; a refusal of one clip is kept and does not take the others with it."""
    start = time.perf_counter()
    try:
        trials = _ask(sheet, seat, group)
        seat.n_asked += len(trials)
    except UserError as error:
        if len(group) > 1:
            return [trial for question in group for trial in _asked(sheet, seat, [question])]
        coords = group[0].coords
        seat.refused[coords["row"]] = (str(error), coords["duration_s"])
        trials = []
    seat.seconds += time.perf_counter() - start
    return trials


def _ask(sheet: Sheet, seat: Seat, group: list[ClipQuestion]) -> list[Trial]:
    listener, name = seat.listener, seat.name
    if sheet.mode == questions.SCORED:
        scores = questions.scores_of(listener, group)
        rows = zip(group, scores.log_probs, scores.mass, strict=True)
        return [questions.scored(q, listener, name, p, float(mass)) for q, p, mass in rows]
    return [questions.replied(q, listener, name, questions.reply_of(listener, q)) for q in group]


def _refuse_deaf(
    sheet: Sheet, seat: Seat, unheard: dict[int, tuple[str, str]], stopped: bool
) -> None:
    """Raise where a whole run got no answer: a score of it would be a number about nothing."""
    if seat.answered or stopped:
        return
    reasons = [words for _, words in unheard.values()] + [
        words for words, _ in seat.refused.values()
    ]
    raise UserError(
        f"{seat.name} answered none of {len(sheet.items)} items of {sheet.benchmark.title}: "
        f"{len(unheard)} without a readable sound, {len(seat.refused)} refused; first: {reasons[0]}"
    )


def _report(seat: Seat) -> summary.Answers:
    rate = seat.n_asked / seat.seconds if seat.n_asked else None
    return summary.Answers(
        seat.fingerprint,
        seat.answered,
        seat.refused,
        seat.n_asked,
        seat.n_known,
        rate,
        cast(ScoredBy, scored_by(seat.listener)),
    )
