"""You as the listener: a person takes a plan, question by question, on page or terminal.

Conventions: a session is a run of kind `listen` in state `open`: no worker, it waits for a person,
and every answer is a trial of the run at once, so that it can be left and resumed. The plan hands
out the same questions as to any listener; what was answered before is replayed, so that a session
goes on where it was left, adaptive plans included. Nothing of it leaves the machine that holds the
store.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spectcount.actions.runs import Params, probe_plan
from spectcount.actions.starting import refuse_many_trials
from spectcount.configs import ListenConfig
from spectcount.errors import UserError
from spectcount.listeners.observers.observer import Human
from spectcount.params import Declared, param
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.trials import Question, Trial, make_trial

if TYPE_CHECKING:
    from spectcount.probing.base import Plan
    from spectcount.probing.draws import PlannedQuestion

KIND = "listen"
_PRACTICE_SEED = 7919
"""Added to the seed for the practice block, whose sounds are then not those of the test."""
_LONGEST_S = 86_400.0
"""Time of an answer beyond which it is refused: a day."""
_sessions: dict[str, Session] = {}
_lock = threading.RLock()


@dataclass(frozen=True)
class ListenOptions(Declared):
    """Options of a session, besides its plan."""

    practice: int = param(
        5,
        "Questions to warm up with, with feedback, not recorded.",
        low=0,
        high=50,
        step=1,
        label="Practice trials",
    )
    feedback: bool = param(
        False,
        "Say after each answer whether it was right. It changes what is measured: leave it "
        "off unless you ask for it.",
        label="Feedback",
    )
    break_every: int = param(
        40,
        "A break is offered after this many answers; 0: never.",
        low=0,
        high=500,
        step=5,
        label="Break every",
        slider_high=100,
    )


@dataclass(frozen=True)
class Asked:
    """The next thing to do: a question (with its place), or the end (`question` None)."""

    run: Run
    question: Question | None
    practice: bool
    n_answered: int
    n_at_most: int
    pause: bool = False


def start_listening(
    settings: Settings,
    plan: str | Params,
    seed: int = 0,
    params: Params | None = None,
    options: Mapping[str, Any] | None = None,
    name: str = "you",
) -> Run:
    """Open a session of a probe preset (or plain data). Raises `UserError` for what no plan or
    option is, and where the session would be longer than the mode allows."""
    from spectcount.probing.plan import plan_from_dict

    body = probe_plan(settings, plan, params)
    session_plan = plan_from_dict(body)
    refuse_many_trials(settings, session_plan.n_trials)
    session_plan.refuse_infeasible()
    chosen = ListenOptions.from_dict(options or {})
    config = ListenConfig(plan=body, listeners=[_person(name)], seed=seed, **chosen.to_dict())
    lineage = {"probe": plan if isinstance(plan, str) else None}
    store = Store(settings.database)
    n_open, most = len(store.runs(KIND, ("open",))), settings.limits.max_open_sessions
    if n_open >= most:
        raise UserError(f"{n_open} sessions of yours are open, the limit is {most}; end one first")
    return store.create_run(KIND, config.to_json(), lineage, state="open")


def next_question(settings: Settings, run_id: str, practised: int = 0) -> Asked:
    """The next question. `practised`: practice questions already taken in this sitting; the
    practice block comes before the first answer that counts."""
    with _lock:
        run, session = _open(settings, run_id)
        config = ListenConfig.from_json(run.config)
        n, most = len(session.trials), max(session.plan.n_trials, len(session.trials))
        if n == 0 and practised < config.practice and session.current is not None:
            question = _practice(session, run, practised)
            return Asked(run, question, True, practised, config.practice)
        every = config.break_every
        pause = bool(every and n and n % every == 0)
        planned = session.current
        if planned is None:
            return Asked(_finish(settings, run, session), None, False, n, n)
        return Asked(run, planned.question, False, n, most, pause)


def give_answer(
    settings: Settings, run_id: str, key: str, answer: str, seconds: float | None = None
) -> Trial:
    """Answer the current question, told by its `key` (so that a second tab or a double press
    cannot answer another one); the trial, kept."""
    with _lock:
        _, session = _open(settings, run_id)
        planned = session.current
        if planned is None or planned.question.key != key:
            raise UserError("this question was answered already; the next one is shown now")
        trial = session.answer(answer, seconds)
        store = Store(settings.database)
        store.add_trials(run_id, [trial])
        n = len(session.trials)
        total = n if session.current is None else max(session.plan.n_trials, n)
        store.update(run_id, done=n, total=total, heartbeat_at=time.time())
        return trial


def stop_listening(settings: Settings, run_id: str) -> Run:
    """End a session before its plan does: what was answered stays and is summed up."""
    with _lock:
        run, session = _open(settings, run_id)
        reason = f"ended by the listener after {len(session.trials)} answers"
        return _finish(settings, run, session, state="stopped", reason=reason)


def _person(name: str) -> str:
    text = str(name).strip() or "you"
    if len(text) > 40 or any(c in text for c in "@:<>/"):
        raise UserError(
            f"name {text[:60]!r} is not usable; give up to 40 letters without @ : < > /"
        )
    return text


def _open(settings: Settings, run_id: str) -> tuple[Run, Session]:
    """An open session, replayed from its trials where this process does not know it yet."""
    from spectcount.probing.plan import plan_from_dict

    store = Store(settings.database)
    run = store.run(run_id)
    if run.kind != KIND:
        raise UserError(f"run {run_id} is a {run.kind}, no listening session; choose another")
    run.whole()
    if run.state == "stopped":
        raise UserError(f"session {run_id} was ended; start another one")
    if run_id not in _sessions:
        config = ListenConfig.from_json(run.config)
        person = Human(run.listeners[0], run_id)
        plan = plan_from_dict(config.plan)
        _sessions[run_id] = Session(plan, config.seed, person, store.trials(run_id))
    return run, _sessions[run_id]


def _practice(session: Session, run: Run, place: int) -> Question:
    """Question number `place` of the practice block: the plan's own first ones at another seed."""
    batch = next(
        session.plan.ask(ListenConfig.from_json(run.config).seed + _PRACTICE_SEED + place // 8)
    )
    return batch[place % len(batch)].question


def _finish(
    settings: Settings, run: Run, session: Session, state: str = "done", reason: str = ""
) -> Run:
    from spectcount.jobs import results
    from spectcount.probing.analysis import analyse
    from spectcount.probing.kinds import summarise

    store = Store(settings.database)
    if run.state == "open":
        config = ListenConfig.from_json(run.config)
        analysis = analyse(config, run.lineage, {session.person.name: session.trials})
        results.keep(run.folder, analysis)
        summary = summarise(analysis)
        n = len(session.trials)
        facts: dict[str, Any] = {
            "done": n,
            "total": n,
            "summary": {"done": n, "total": n, **summary},
        }
        store.transition(
            run.id, ("open",), state=state, reason=reason, ended_at=time.time(), **facts
        )
    _sessions.pop(run.id, None)
    return store.run(run.id)


class Session:
    """One person's way through a plan at a seed; `trials` are those answered so far, in order."""

    def __init__(
        self, plan: Plan, seed: int, person: Human, answered: Iterable[Trial] = ()
    ) -> None:
        self.plan = plan
        self.person = person
        self.trials: list[Trial] = []
        self._known = {t.key: t for t in answered}
        self._asking = plan.ask(seed)
        self._batch = next(self._asking, None)
        self._taken: list[Trial] = []
        self._replay()

    @property
    def current(self) -> PlannedQuestion | None:
        """The question to be answered now; None at the end."""
        return self._batch[len(self._taken)] if self._batch else None

    def answer(self, answer: str, seconds: float | None = None) -> Trial:
        """Answer the current question, `seconds` after its sound began; the trial. Raises
        `UserError` for an answer outside the closed set, or at the end."""
        planned = self.current
        if planned is None:
            raise UserError("every question of this session is answered; start another one")
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (number and 0 <= seconds <= _LONGEST_S):
            raise UserError(
                f"seconds={seconds!r} is no time of an answer; give 0 to {_LONGEST_S:g}, or leave "
                "it out"
            )
        question = planned.question
        self.person.answer(question, answer)
        scores = self.person.score([question])
        timed = {} if seconds is None else {"seconds": round(float(seconds), 3)}
        trial = make_trial(
            question,
            scores.log_probs[0],
            float(scores.mass[0]),
            fingerprint=self.person.fingerprint,
            listener=self.person.name,
            coords={**planned.coords, **timed},
            reply=answer,
        )
        self._take(trial)
        self._replay()
        return trial

    def _take(self, trial: Trial) -> None:
        self.trials.append(trial)
        self._taken.append(trial)
        if self._batch is not None and len(self._taken) == len(self._batch):
            try:
                self._batch = self._asking.send(self._taken)
            except StopIteration:
                self._batch = None
            self._taken = []

    def _replay(self) -> None:
        """Go on through what is answered already."""
        while (planned := self.current) is not None and planned.question.key in self._known:
            self._take(self._known[planned.question.key])
