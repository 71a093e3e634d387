"""The form of a plan: every kind of plan and every family, from declarations alone."""

from __future__ import annotations

import json
from types import SimpleNamespace

import gradio as gr
import pytest

from spectcount import actions, presets
from spectcount.designs import FAMILIES
from spectcount.errors import UserError
from spectcount.probing.plan import PLANS, plan_from_dict
from spectcount.settings import PACKAGE_ROOT, load_settings
from spectcount.store import Store
from spectcount.ui import plan_form
from spectcount.ui.probe import ProbeView

PRESETS = sorted(path.stem for path in (PACKAGE_ROOT / "presets/probes").glob("*.yaml"))
STAIRCASE = {
    "kind": "staircase",
    "parameter": "level_dbfs",
    "low": -60,
    "high": -20,
    "conditions": [{"event_duration_ms": 50}, {"event_duration_ms": 200}],
}
INTERLEAVED = {"kind": "interleaved", "plans": [{**STAIRCASE, "conditions": []}, {"kind": "map"}]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with gr.Blocks():
        home = tmp_path_factory.mktemp("home")
        return plan_form.build(load_settings(home=home), "here", 3, first=PRESETS[0])


def read(made, preset, plan, clip=None):
    """What the form gives back when it shows a plan."""
    lines = plan_form.clip_lines(plan) if clip is None else clip
    return made.read([preset, lines, 3, plan_form.plan_value(plan)])


def audit(made, settings, preset, plan):
    view = SimpleNamespace(form=made, settings=settings)
    return ProbeView.audit(view, preset, plan_form.clip_lines(plan), 3, plan_form.plan_value(plan))


def test_a_plan_is_audited_before_anybody_is_asked(made, settings):
    shipped = presets.load("probes", "count-confusion", settings).body["plan"]
    (found,) = actions.shortcuts(settings, "count-confusion", 3)
    shown = audit(made, settings, "count-confusion", shipped)
    assert found["sentence"] in shown and shown.count("<li>") == len(found["floors"])
    alike = {**shipped, "count_low": 2, "count_high": 3, "design": {}, "draw": {}}
    assert "alone counts these clips" in audit(made, settings, "count-confusion", alike)
    few = {**shipped, "trials": 1}
    assert "this plan: fewer than two right answers" in audit(
        made, settings, "count-confusion", few
    )


def described(kind):
    return {f.spec.name: f for group in plan_form._groups(kind) for f in group.fields}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_comes_back_as_it_is(made, settings, name):
    shipped = presets.load("probes", name, settings).body["plan"]
    plan, seed, preset = read(made, name, shipped)
    assert plan.to_dict() == shipped
    assert (seed, preset) == (3, name)
    assert plan_form.source_of(plan, preset, settings) == name


@pytest.mark.parametrize("values", [STAIRCASE, INTERLEAVED], ids=["staircase", "interleaved"])
def test_lists_of_a_plan_are_written_as_yaml(made, values):
    shipped = plan_from_dict(values).to_dict()
    assert read(made, PRESETS[0], shipped)[0].to_dict() == shipped


def test_broken_yaml_is_refused_in_words(made):
    said = json.loads(plan_form.plan_value(plan_from_dict(STAIRCASE).to_dict()))
    said["params"]["conditions"] = "- {gap_ms: 3"
    with pytest.raises(UserError, match=r"conditions cannot be read as YAML .*mend it"):
        made.read([PRESETS[0], "", 3, json.dumps(said)])


@pytest.mark.parametrize("kind", PLANS)
def test_every_field_of_a_plan_is_in_its_form(kind):
    declared = PLANS[kind]
    assert described(kind).keys() == {*declared.params(), *plan_form.yaml_fields(declared)}


def test_tasks_and_axes_follow_the_family():
    assert described("map")["task"].limits == "tasks"
    assert described("map")["x"].limits == described("curve")["parameter"].limits == "axes"
    assert described("curve")["levels"].limits == ""
    sets = plan_form._family_sets()
    assert sets["tasks"] == {name: list(declared.tasks) for name, declared in FAMILIES.items()}
    assert {"time", "mel_channel", "level_dbfs"} <= set(sets["axes"]["pulses"])
    assert not {"time", "mel_channel"} & set(sets["axes"]["rhythm"])
    assert all(
        set(sets["axes"][n]) <= set(d.params()) | {"time", "frequency", "mel_channel"}
        for n, d in FAMILIES.items()
    )


def test_another_family_keeps_the_lines_that_it_knows_and_names_its_own():
    said = json.dumps({"form": "curve", "params": {"family": "rhythm"}, "full": False})
    update = plan_form._follow_family(said, "level_dbfs = -20\nmin_gap_ms = 40\nlevle = 3")
    assert update["value"] == "level_dbfs = -20\nlevle = 3"
    assert "jitter_percent" in update["info"]


def test_a_clip_line_of_another_family_is_refused_with_the_nearest_name(made, settings):
    shipped = presets.load("probes", "rhythm-jitter-curve", settings).body["plan"]
    with pytest.raises(UserError, match="Rhythm has no parameter 'level_db'; did you mean"):
        read(made, "rhythm-jitter-curve", shipped, clip="level_db = 3")


def test_the_cost_of_a_plan_that_follows_the_answers_is_an_upper_bound(settings):
    store = Store(settings.database)
    words = plan_form.cost_html(plan_from_dict(STAIRCASE), ["ideal"], store)
    assert "At most 160 trials, 1 listener" in words
    grid = plan_form.cost_html(plan_from_dict({"kind": "map", "nx": 2, "ny": 2}), ["a", "b"], store)
    assert "264 trials: 4 cells × 8, 100 catch trials, 2 listeners" in grid
