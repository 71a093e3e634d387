"""Comparisons, panels and wordings through the functions behind page and command line, with
listeners that need no model; what was seen before is told."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from spectcount import actions, cli, jobs
from spectcount.actions.comparing import checked_margin
from spectcount.errors import UserError
from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.settings import load_settings
from spectcount.store import Store

SMALL_MAP = {
    "kind": "map",
    "x": "level_dbfs",
    "x_low": -65,
    "x_high": -5,
    "nx": 4,
    "y": "mel_channel",
    "y_low": 10,
    "y_high": 90,
    "ny": 1,
    "trials": 6,
    "catch_trials": 12,
    "design": {"duration_s": 1.5},
}
PANEL = [
    {"name": "Detecting", "plan": SMALL_MAP},
    {
        "name": "Counting",
        "rows": "regions",
        "plan": {**SMALL_MAP, "task": "count", "catch_trials": 0, "count_high": 3},
    },
]
EXAMPLE = "tiny-lalm@example"


@pytest.fixture
def queued(monkeypatch):
    """Runs are queued and not started: no model is loaded."""
    monkeypatch.setattr(jobs, "tend", lambda store, settings: None)


def finished(settings, run):
    """The run when its work was done in this process."""
    store = Store(settings.database)
    store.claim(run.id)
    context = JobContext(store.run(run.id), store)
    store.update(run.id, summary=KINDS[run.kind](context, settings), state="done")
    return store.run(run.id)


def test_a_comparison_ends_with_verdicts(settings, queued):
    run = actions.start_compare(settings, SMALL_MAP, "sim:d=1,seed=1", "sim:d=1,seed=2", margin=9.0)
    assert run.config["seed"] == 1000 == actions.HELD_OUT_SEED
    done = finished(settings, run)
    first, second, *_ = done.summary["verdicts"]
    assert first["sentence"].startswith("equivalent within ±9: d_a ")
    assert second["measure"] == "criterion c" and second["margin"] is None
    assert done.summary["held_out"]["parts"] == []
    assert "no adapter with a lineage" in done.summary["held_out"]["seen"][0]
    said = cli.comparing.sentences(done.summary)
    assert said[0] == first["sentence"] and any(s.startswith("of 4 cells, ") for s in said)


def test_a_panel_and_wordings_run_to_their_end(settings, queued):
    who = ("sim:d=3,seed=1", "sim:d=3,seed=2")
    panel = finished(settings, actions.start_panel(settings, PANEL, *who, margin=0.5))
    assert panel.kind == "panel"
    names = [row["name"] for row in panel.summary["panel"]["rows"]]
    assert names == ["Detecting", "Counting"]
    said = cli.comparing.sentences(panel.summary)
    assert said[0].startswith("Detecting: ") and "fine before" in said[2]
    worded = finished(settings, actions.start_wordings(settings, SMALL_MAP, *who, n_wordings=3))
    assert worded.config["wordings"] == [0, 7, 8]
    assert worded.done == worded.total == 2 * 3 * 36
    said = cli.comparing.sentences(worded.summary)
    assert said[0].startswith("sim:d=3,seed=1: d' ") and "wordings like these" in said[0]
    assert any("in each of 3 wordings" in s for s in said)


def test_what_the_adapter_was_made_from_is_in_the_lineage(settings, queued):
    run = actions.start_compare(settings, SMALL_MAP, "tiny-lalm", EXAMPLE)
    assert run.lineage["trained"]["ranges"]["level_dbfs"] == [[-35.0, -3.0]]
    (only,) = run.lineage["seen"]
    assert "cannot be checked" in only
    tuned_seed = actions.start_compare(settings, SMALL_MAP, "tiny-lalm", EXAMPLE, seed=3)
    assert "Seed 3 is the seed of the fine-tune" in tuned_seed.lineage["seen"][0]
    plain = actions.start_compare(settings, SMALL_MAP, "tiny-lalm", "ideal")
    assert "trained" not in plain.lineage and "seen" not in plain.lineage
    panel = actions.start_panel(settings, "embedded", "tiny-lalm", EXAMPLE)
    made_from = settings.models / "tiny-lalm-adapters" / "example" / "lineage.json"
    places = [r["ranges"] for r in json.loads(made_from.read_text())["regions"]]
    assert [r["ranges"] for r in panel.config["regions"]] == places and len(places) == 2
    assert panel.lineage["panel"] == "embedded" and len(panel.config["parts"]) == 8


def adapter_of(settings, probe, seed):
    """The example adapter again, as a finished run of this home folder that came from `probe`."""
    folder = settings.runs / "tune-test" / "adapter"
    shutil.copytree(settings.models / "tiny-lalm-adapters" / "example", folder)
    lineage = json.loads((folder / "lineage.json").read_text())
    lineage |= {"seed": seed, "lineage": {"probe": probe, "run": "tune-test"}}
    (folder / "lineage.json").write_text(json.dumps(lineage))
    return "tiny-lalm@tune-test"


def test_the_questions_of_the_probe_that_found_the_weakness_are_told(settings, queued):
    probe = finished(settings, actions.start_probe(settings, SMALL_MAP, "sim:d=1", seed=7))
    tuned = adapter_of(settings, probe.id, seed=0)
    trained, said = actions.seen_before(settings, tuned, 7, SMALL_MAP)
    assert trained["trained"]["probe"] == probe.id
    assert len(said) == 1 and "36 of 36 of its questions" in said[0]
    assert said[0].startswith(f"Not held out: seed 7 is that of {probe.id}")
    assert actions.seen_before(settings, tuned, 8, SMALL_MAP)[1] == []
    assert "Seed 0 is the seed of the fine-tune" in actions.seen_before(settings, tuned, 0)[1][0]


def test_one_part_of_a_plan_can_be_asked_alone(settings, queued):
    inner = actions.start_compare(settings, SMALL_MAP, "tiny-lalm", EXAMPLE, only="trained")
    assert (inner.config["plan"]["x_low"], inner.config["plan"]["nx"]) == (-35, 2)
    outer = actions.start_compare(settings, SMALL_MAP, "tiny-lalm", EXAMPLE, only="never-trained")
    assert (outer.config["plan"]["x_high"], outer.config["plan"]["nx"]) == (-35, 2)
    wide = {**SMALL_MAP, "x_high": -1, "nx": 64, "trials": 1}
    both = actions.start_compare(settings, wide, "tiny-lalm", EXAMPLE, only="never-trained")
    assert both.config["plan"]["kind"] == "interleaved" and len(both.config["plan"]["plans"]) == 2
    for only, tuned, match in (
        ("none", EXAMPLE, "choose one of all, trained"),
        ("trained", "ideal", "no adapter with a lineage"),
    ):
        with pytest.raises(UserError, match=match):
            actions.start_compare(settings, SMALL_MAP, "tiny-lalm", tuned, only=only)
    loud = {**SMALL_MAP, "x_low": -30}
    with pytest.raises(UserError, match="no cell of this plan is wholly never-trained"):
        actions.start_compare(settings, loud, "tiny-lalm", EXAMPLE, only="never-trained")


def test_limits_and_margins(settings, tmp_path):
    demo = load_settings(mode="demo", home=tmp_path / "demo", environ={})
    with pytest.raises(UserError, match=r"trials are above the limit .* of demo mode"):
        actions.start_wordings(demo, {**SMALL_MAP, "trials": 900}, "ideal", n_wordings=9)
    assert checked_margin(None) is None and checked_margin(1) == 1.0
    for margin in (0, -1, True, "1", float("nan")):
        with pytest.raises(UserError, match="is no margin"):
            checked_margin(margin)
    with pytest.raises(UserError, match=r"there is no preset 'embeded'.*embedded"):
        actions.start_panel(settings, "embeded", "ideal", "first")


@pytest.mark.slow
def test_the_command_line_ends_with_what_may_be_said(call, tmp_path):
    probe, panel = tmp_path / "map.yaml", tmp_path / "panel.yaml"
    head = {"title": "Small", "about": "For a test."}
    probe.write_text(yaml.safe_dump({**head, "plan": SMALL_MAP}))
    panel.write_text(yaml.safe_dump({**head, "parts": PANEL[:1]}))
    who = ("--base", "sim:d=2,seed=1", "--tuned", "sim:d=2,seed=1,c=1")
    code, out, _ = call("compare", probe, *who, "--set", "trials=20", "--seed", 2)
    assert code == 0 and "\nNO CHANGE SHOWN  d_a " in out and "] at 95 %, 80 paired signal" in out
    code, out, _ = call("panel", panel, *who, "--json")
    assert code == 0 and json.loads(out)["summary"]["panel"]["rows"][0]["name"] == "Detecting"
    code, out, _ = call("wordings", probe, "--listener", "sim:d=2", "--count", 2)
    assert code == 0 and "over 2 wordings" in out


def test_the_command_line_refuses_in_a_sentence(call):
    code, _, err = call("compare", "quick-map", "--only", "some")
    assert code == 2 and "choose one of all, trained, never-trained" in err
    code, _, err = call("panel", "embeded")
    assert code == 2 and "did you mean embedded?" in err
    code, _, err = call("wordings", "gap-curve", "--count", "40")
    assert code == 2 and "40 wordings of count are not to be had" in err


@pytest.mark.parametrize(
    "names", [("sim:d=2,seed=1", "sim:d=1,seed=2"), ("sim:d=1,seed=2", "sim:d=2,seed=1")]
)
def test_json_and_bundle_say_who_is_base(settings, queued, names):
    """JSON sorts by name: a reader took the first listener for the base and got the sign wrong."""
    from spectcount.cli.output import brief
    from spectcount.report.facts import describe

    run = actions.start_compare(settings, SMALL_MAP, *names)
    roles = {"base": names[0], "tuned": names[1]}
    assert brief(run)["roles"] == run.to_dict()["roles"] == describe(run)["roles"] == roles
