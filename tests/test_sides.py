"""Both sounds of a two-answer task, from actions and command line, for every family."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from spectcount import actions, carriers, cli
from spectcount.designs import FAMILIES, Pulses, draw
from spectcount.errors import UserError
from spectcount.scales import SAMPLE_RATE
from spectcount.stimulus import Stimulus
from spectcount.tasks import task

SIDED = [(name, actions.pair_tasks(name)[0]) for name in FAMILIES if actions.pair_tasks(name)]


def params_of(name):
    """Parameters that make a pair possible: one pulse, and a recording where one is needed."""
    if name == "pulses":
        return {"n_events": 1}
    if "carrier" not in FAMILIES[name].params():
        return {}
    noise = 0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE // 2)
    return {"carrier": carriers.register(noise.astype(np.float32))}


@pytest.mark.parametrize(("name", "asked"), SIDED)
def test_each_side_makes_its_answer_true(settings, name, asked):
    drawn = [
        actions.draw_stimulus(name, params_of(name), 3, settings, task_name=asked, side=side)
        for side in actions.SIDES
    ]
    assert tuple(task(asked).truth(one) for one in drawn) == task(asked).answers


def test_without_a_task_it_is_what_the_design_draws():
    assert actions.draw_stimulus("pulses", {}, 2).hash == draw(Pulses(), 2).hash


def test_a_design_without_a_pair_is_as_drawn_but_has_no_counterpart():
    both_halves = {"n_events": 10}
    drawn = actions.draw_stimulus("pulses", both_halves, 2, task_name="interval")
    assert drawn.hash == draw(Pulses(n_events=10), 2).hash
    with pytest.raises(UserError, match="'interval' would be None and None; change the design"):
        actions.draw_stimulus("pulses", both_halves, 2, task_name="interval", side="counterpart")
    with pytest.raises(UserError, match="side='other' is not known; choose one of signal"):
        actions.draw_stimulus("pulses", {}, 2, side="other")


def test_the_counterpart_of_a_preset_is_of_a_task_with_two_answers(settings):
    other = actions.preset_stimulus(settings, "early", side="counterpart")
    assert other.events == () and other.meta["template"]


def test_families_are_described_from_their_declarations():
    described = {one["family"]: one for one in actions.describe_families()}
    assert described.keys() == FAMILIES.keys()
    assert json.loads(json.dumps(described)) == described
    gap = next(p for p in described["pulses"]["parameters"] if p["name"] == "gap_ms")
    assert (gap["unit"], gap["low"], gap["high"], gap["kind"]) == ("ms", -1000, 5000, "float")


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the command line in this process; its JSON."""

    def run(*arguments):
        command = ["spectcount", "--home", str(tmp_path / "home"), *map(str, arguments), "--json"]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
        return json.loads(capsys.readouterr().out)

    return run


def test_render_writes_either_sound_of_a_family(call, tmp_path):
    made = [
        call("render", "--family", "rhythm", "--set", "n_events=5", "--out", tmp_path / side, *more)
        for side, more in (("a", []), ("b", ["--other"]))
    ]
    assert [one["truth"] for one in made] == ["yes", "no"]
    assert [one["n_events"] for one in made] == [5, 5]
    written = [Stimulus.from_json((tmp_path / side / "stimulus.json").read_text()) for side in "ab"]
    assert [one.hash for one in written] == [one["hash"] for one in made]


def test_ask_takes_the_usual_task_of_a_family_and_its_counterpart(call):
    said = [
        call("ask", "--family", "rhythm", "--listener", "ideal", *more)
        for more in ([], ["--other"])
    ]
    assert [one["task"] for one in said] == ["jitter", "jitter"]
    assert [one["truth"] for one in said] == [one["answer"] for one in said] == ["yes", "no"]


def test_families_lists_all_of_them(call):
    assert [one["family"] for one in call("families")] == list(FAMILIES)
