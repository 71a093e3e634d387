"""Runs that end without their analysis, for tests that look at the trials alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spectcount.probing import analysis, run


def without_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let probes end with the report of the asking alone."""
    probe = replace(run.KINDS["probe"], summary=lambda config, answers: {})
    monkeypatch.setattr(run, "KINDS", {**run.KINDS, "probe": probe})
    monkeypatch.setattr(analysis, "analyse", lambda config, lineage, trials: None)
