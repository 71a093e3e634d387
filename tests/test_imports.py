"""What stays unloaded until it is needed, seen in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "peft", "gradio")


SLOW = ("scipy.stats", "numba", "pandas", "matplotlib")
"""Half a second each."""


def loaded(statement: str, modules: tuple[str, ...] = HEAVY) -> list[str]:
    code = f"{statement}\nimport sys; print(*[m for m in {modules!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "module",
    ["cli", "actions", "jobs.worker", "presets", "report", "listeners", "training", "probing.run"],
)
def test_importing_is_light(module):
    assert loaded(f"import spectcount.{module}") == []


@pytest.mark.parametrize("module", ["cli", "actions", "jobs.worker", "probing.run"])
def test_who_only_asks_imports_no_statistics(module):
    assert loaded(f"import spectcount.{module}", SLOW) == []


def test_checking_every_kind_of_preset_is_light():
    statement = """
from spectcount import presets
head = {"title": "x", "about": "y."}
presets.check("stimuli", {**head, "family": "pulses"})
presets.check("probes", {**head, "plan": {"kind": "map"}})
presets.check("training", head)
"""
    assert loaded(statement) == []


def test_the_search_for_heavy_modules_finds_them():
    assert loaded("import peft") == ["torch", "transformers", "peft"]
