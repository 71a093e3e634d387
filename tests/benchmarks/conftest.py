"""Fixtures in the official formats."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import make_fixtures


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Name -> folder of every benchmark's fixture."""
    folder = tmp_path_factory.mktemp("benchmarks")
    make_fixtures.write(folder)
    return {name: folder / name for name in make_fixtures.MAKERS}
