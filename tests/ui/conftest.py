"""Views without a browser: what is made behind the page is waited for."""

from __future__ import annotations

import pytest

from spectcount.ui import behind


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    monkeypatch.setattr(behind, "PATIENCE_S", 60.0)
