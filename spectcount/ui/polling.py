"""The results of runs so far, read in increments and shared by every open page.

Conventions: a page asks for what its chosen tab shows when that has changed (`pulse`). Whatever is
shown is a pure function of the store, so a reload, a second tab or a restarted app shows the same.
`Feed` keeps, per run, the rows already read and asks the store only for newer ones.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from spectcount.errors import UserError
from spectcount.jobs.queue import RESUMABLE
from spectcount.jobs.results import analysis_of
from spectcount.probing.analysis import Result, Running, running
from spectcount.store import LogEvent, Metric, Run, Store
from spectcount.trials import Trial
from spectcount.ui.pieces import render

KEPT_RUNS = 6
KEPT_ROWS = 400_000
"""A trial in memory has about 1.4 kB."""
STATE_MARKS = {
    "queued": "◷",
    "running": "▶",
    "stopping": "◐",
    "stopped": "■",
    "done": "✔",
    "failed": "✖",
    "interrupted": "⚠",
    "open": "◌",
}

_UNITS = {"tune": "steps", "benchmark": "questions"}


class Feed:
    """Growing lists of trials, metrics and events of the runs looked at last. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._reading: dict[tuple[str, str], threading.Lock] = {}
        self._counts: dict[str, tuple[int, int]] = {}
        self._results: OrderedDict[str, Running] = OrderedDict()
        self._rows: OrderedDict[tuple[str, str], tuple[int, list[Any]]] = OrderedDict()

    def n_trials(self, run_id: str) -> int:
        """The number of trials linked to the run so far; none is read, and only those that are new
        are counted."""
        with self._lock:
            row, n = self._counts.get(run_id, (0, 0))
        row, new = self.store.n_trials_since(run_id, row)
        with self._lock:
            self._counts[run_id] = max((row, n + new), self._counts.get(run_id, (0, 0)))
            return self._counts[run_id][1]

    def trials(self, run_id: str) -> list[Trial]:
        """Every trial linked to the run so far. The first look at a great run takes seconds: to be
        called behind the page."""
        return self._grow("trials", run_id, self.store.trials_since)

    def result(self, run: Run) -> Result:
        """A run's result: as it was stored when it ended, before computed once from the trials so
        far. To be called behind the page."""
        if run.ended:
            return analysis_of(self.store, run, lambda: self.trials(run.id))
        trials = self.trials(run.id)
        with self._lock:
            known = self._results.get(run.id)
        if known is None or known.n_trials != len(trials):
            known = running(run.kind, run.config, run.lineage, trials)
            with self._lock:
                self._results[run.id] = known
                self._results.move_to_end(run.id)
                while len(self._results) > KEPT_RUNS:
                    self._results.popitem(last=False)
        return known

    def metrics(self, run_id: str) -> dict[str, dict[int, float]]:
        """Name -> step -> value so far; a step done again replaces its value."""
        curves: dict[str, dict[int, float]] = {}
        rows: list[Metric] = self._grow("metrics", run_id, self.store.metrics_since)
        for row in rows:
            curves.setdefault(row.name, {})[row.step] = row.value
        return {name: dict(sorted(values.items())) for name, values in curves.items()}

    def events(self, run_id: str) -> list[LogEvent]:
        """Every line that the run said so far."""
        return self._grow("events", run_id, self.store.events_since)

    def _grow(self, what: str, run_id: str, since: Callable[..., tuple[int, list]]) -> list[Any]:
        key = (what, run_id)
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:  # readers of other runs do not wait
            with self._lock:
                last, rows = self._rows.get(key, (0, []))
            last, new = since(run_id, last)
            rows = rows + new if new else rows
            with self._lock:
                self._rows[key] = (last, rows)
                self._rows.move_to_end(key)
                self._forget()
            return rows

    def _forget(self) -> None:
        """Let go of what was looked at longest ago, beyond some runs or some rows."""
        n_rows = sum(len(rows) for _, rows in self._rows.values())
        while len(self._rows) > 3 * KEPT_RUNS or (n_rows > KEPT_ROWS and len(self._rows) > 1):
            key, (_, rows) = self._rows.popitem(last=False)
            n_rows -= len(rows)
            self._reading.pop(key, None)


def redraw_step(n: int, total: int, share: float, ended: bool) -> int:
    """A number that changes when figures of `n` trials should be drawn again: whenever `share` of
    the total has come in, and at the end."""
    return n if ended or not total else int(n / max(1.0, share * total))


def find_run(store: Store, run_id: str | None, kind: str | None = None) -> Run | None:
    """The run, or None where nothing is chosen or it is gone."""
    if not run_id:
        return None
    try:
        run = store.run(run_id)
    except UserError:
        return None
    if kind is not None and run.damage:
        return None
    return run if kind is None or run.kind == kind else None


def can_stop(run: Run) -> bool:
    """True for a run that goes on or waits."""
    return not run.ended and run.state != "stopping"


def can_resume(run: Run) -> bool:
    """True for a run that ended before its end."""
    return run.state in RESUMABLE


def run_choices(store: Store, kind: str) -> list[tuple[str, str]]:
    """(label, id) of every run of a kind, newest first, for a dropdown."""
    return [(run_label(run), run.id) for run in store.runs(kind)]


def run_label(run: Run) -> str:
    """The run in a line: mark, what it did, when."""
    when = time.strftime("%d %b %H:%M", time.localtime(run.created_at))
    words = run.lineage.get("name") or run_subject(run)
    return f"{STATE_MARKS.get(run.state, '')} {words} · {when} · {run.id[-4:]}"


def run_subject(run: Run) -> str:
    """The subject of a run, from its configuration."""
    config = run.config
    plan = (
        run.lineage.get("probe")
        or config.get("benchmark")
        or (config.get("plan") or {}).get("kind", "")
    )
    heard = " + ".join(config.get("listeners") or [])
    if run.of_kind.trains:
        return f"tune {config.get('base', '')}".strip()
    return " · ".join(part for part in (f"{run.kind} {plan}".strip(), heard) if part)


def duration_text(seconds: float | None) -> str:
    """A duration in words: `8 s`, `3 min 20 s`, `2 h 5 min`; a dash where unknown."""
    if seconds is None or seconds < 0:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def run_duration_s(run: Run, now: float | None = None) -> float | None:
    """Seconds a run has worked in all its attempts; None before the first start."""
    if run.started_at is None:
        return None
    waits = run.state == "queued"
    latest = 0.0 if waits else (run.ended_at or now or time.time()) - run.started_at
    return run.worked_s + latest


def badge(run: Run) -> Markup:
    """The state as a mark and a word, never by colour alone (HTML)."""
    return render("runs.badge", run=run, mark=STATE_MARKS.get(run.state, ""))


def progress_html(run: Run, store: Store) -> Markup:
    """State, bar, counts, time left and reason of a run, as one HTML block."""
    words = [badge(run), run.id]
    if run.total:
        words.append(f"{run.done} of {run.total} {_UNITS.get(run.kind, 'trials')}")
    if run.state == "queued":
        words.append(_queue_words(run, store))
    if run.eta_s is not None:
        words.append(f"about {duration_text(run.eta_s)} left")
    elif run.ended:
        words.append(f"took {duration_text(run_duration_s(run))}")
    share = run.done / run.total if run.total else 0.0
    name = f"Progress of {run.id}"
    return render("runs.progress", words=words, name=name, share=share, reason=run.reason)


def _queue_words(run: Run, store: Store) -> str:
    ahead = [r.id for r in store.queue() if r.device == run.device]
    running = store.runs(states=("running", "stopping"))
    place = ahead.index(run.id) + 1 if run.id in ahead else 1
    before = f", behind {running[0].id}" if running else ""
    return f"place {place} in the queue of {run.device}{before}"
