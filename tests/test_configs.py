"""Configurations of runs: stored and read as they always were."""

from __future__ import annotations

import json

import pytest

from spectcount.configs import CONFIGS
from spectcount.jobs.kinds import KINDS

STORED = {
    "probe": "listeners plan seed",
    "compare": "listeners margin plan seed",
    "panel": "listeners margin parts plan regions seed",
    "wordings": "listeners plan seed wordings",
    "confirm": "criterion listeners map_seed plan seed source targets trials",
    "listen": "break_every feedback listeners plan practice seed",
    "benchmark": "benchmark digest limit listeners mode path prompt rotate seed",
    "tune": "base curriculum lora regions seed train",
    "ladder": "cells keep listeners pairs place plan seed source",
    "patch": "cells listeners pairs place plan seed source stretches",
}
"""Names in the JSON of each kind, as of the release that brought it."""


def test_every_kind_of_run_has_a_configuration():
    assert set(CONFIGS) == set(STORED) == {*KINDS, "listen"}


@pytest.mark.parametrize("kind", STORED)
def test_a_stored_configuration_is_read_and_written_the_same(kind):
    names = STORED[kind].split()
    stored = {name: f"value of {name}" for name in names}
    config = CONFIGS[kind].from_json(json.loads(json.dumps(stored)))
    assert config.to_json() == stored
    assert [getattr(config, name) for name in names] == list(stored.values())


@pytest.mark.parametrize("kind", STORED)
def test_what_is_not_stored_has_a_default(kind):
    config = CONFIGS[kind].from_json({"of_a_later_release": 1})
    assert config.seed == 0 and not hasattr(config, "of_a_later_release")


def test_nothing_is_the_default():
    assert CONFIGS["panel"].from_json({"regions": None, "margin": None}) == CONFIGS["panel"]()
