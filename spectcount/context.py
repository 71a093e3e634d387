"""Requests of a long piece of work to whoever runs it, be it a worker process or a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from spectcount.configs import Json
from spectcount.trials import Trial


class Ledger(Protocol):
    """Where trials are kept: nothing is asked twice of the same fingerprint."""

    def known_trials(self, fingerprint: str, keys: Sequence[str]) -> Mapping[str, Trial]:
        """The trials already answered, by question key."""

    def add_trials(self, run_id: str, trials: Iterable[Trial]) -> None:
        """Store answered trials and link them, with their coords, to a run. A trial already
        known (same key and fingerprint) is linked, not stored twice."""

    def trials(self, run_id: str) -> list[Trial]:
        """Every trial linked to a run, in the order of linking."""


class RunContext(Protocol):
    """One run, seen from inside its work."""

    run_id: str
    kind: str
    config: Json
    lineage: Json
    folder: Path
    ledger: Ledger

    def progress(self, done: int, total: int) -> None:
        """Report how far the work is (also the heartbeat)."""

    def should_stop(self) -> bool:
        """True once somebody asked for a stop: finish the step, save, return."""

    def metric(self, step: int, name: str, value: float) -> None:
        """One number of a learning curve."""

    def log(self, message: str) -> None:
        """One line for the run's log and its events."""
