"""Facts behind every number: the rules by name, the versions, the marks of identity.

Conventions: a digest is 16 hex digits of SHA-256 over JSON with sorted keys; the digest of trials
covers what was asked of whom and every score, but neither times nor run ids, so that two runs that
agree exactly have the same.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib import metadata
from typing import Any

import spectcount
from spectcount.configs import Json
from spectcount.probing.difference import BY_SCORES, CHANGE_OF_D_PRIME, MCNEMAR
from spectcount.psychophysics.paired import SMOOTHED
from spectcount.stimulus import VERSION
from spectcount.store import Run
from spectcount.trials import Trial

RULES = {
    "rates": "log-linear: (k + 0.5) / (n + 1), Hautus 1995, BRMIC 27:46",
    "d_prime": "z(H) - z(F); over sqrt 2 where the task is a forced choice of two",
    "d_prime_interval": "variance of Gourevitch & Galanter 1967, Psychometrika 32:25",
    "criterion": "-(z(H) + z(F)) / 2",
    "proportions": "Wilson interval",
    "over cells and wordings": "d' and c: probit regression of all answers, each cell its own "
    "d', each wording its own criterion; AUC and d_a = sqrt 2 z(AUC), z(AUC) in a forced choice: "
    "within wordings and backgrounds; intervals for these cells and these wordings",
    "auc": "Mann-Whitney on log p(first answer) - log p(second), ties 1/2; score interval, "
    "Newcombe 2006, Stat. Med. 25:559, method 5",
    "changes": f"{SMOOTHED}, percentiles",
    "cells_changed": f"{BY_SCORES} or {CHANGE_OF_D_PRIME} where the task has a d', else {MCNEMAR}; "
    "false-discovery rate over cells, Benjamini & Hochberg 1995",
    "log_probs": "natural logarithms, normalised over the closed answer set",
    "mass": "probability of the closed set before that",
    "samples": "mono float32, 16 kHz, full scale 1.0, never normalised",
}
_PACKAGES = ("numpy", "scipy", "librosa", "torch", "transformers", "peft")


def versions() -> dict[str, str]:
    """Versions of this program, of its synthesis, and of what its numbers depend on."""
    by_package = {
        "spectcount": spectcount.__version__,
        "synthesis": str(VERSION),
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            by_package[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            by_package[package] = "not installed"
    return by_package


def describe(run: Run) -> Json:
    """run.json: the run, the rules behind its numbers, and the versions that made them."""
    return {**run.to_dict(), "folder": run.id, "rules": RULES, "versions": versions()}


def digest(data: Any) -> str:
    """16 hex digits that change with the data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


class Digest:
    """The digest of trials that come in the order of listener, fingerprint (both as JSON) and key:
    equal where two runs asked the same and got the same, to the last bit."""

    def __init__(self) -> None:
        self._total = hashlib.sha256(b"[")
        self._between = b""
        self._who: tuple[str, ...] = ()
        self._rows: list[str] = []

    def add(self, trial: Trial) -> None:
        """Take the next trial."""
        who = (trial.listener, trial.fingerprint, trial.key)
        if who != self._who:
            self._flush()
            self._who = who
        self._rows.append(_digest_row(trial))

    def _flush(self) -> None:
        """Rows of the same question stand in the order of their texts, however they were asked."""
        for row in sorted(self._rows):
            self._total.update(self._between + row.encode())
            self._between = b", "
        self._rows = []

    @property
    def text(self) -> str:
        """16 hex digits."""
        self._flush()
        total = self._total.copy()
        total.update(b"]")
        return total.hexdigest()[:16]


def _digest_row(t: Trial) -> str:
    """A trial in the digest."""
    row = [t.listener, t.fingerprint, t.key, t.coords, t.truth, list(t.log_probs), t.mass]
    return json.dumps(row, sort_keys=True)
