"""Presets: every shipped one loads and does what it says; what is unknown is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spectcount import presets
from spectcount.designs import draw
from spectcount.errors import UserError
from spectcount.settings import load_settings
from spectcount.synth import synthesise

SHIPPED = Path(__file__).resolve().parents[1] / "spectcount" / "presets"
STIMULI = sorted(p.stem for p in (SHIPPED / "stimuli").glob("*.yaml"))
PROBES = sorted(p.stem for p in (SHIPPED / "probes").glob("*.yaml"))
TRAINING = sorted(p.stem for p in (SHIPPED / "training").glob("*.yaml"))


def test_the_promised_presets_are_there():
    assert set(STIMULI) >= {
        "paper",
        "paper-frequency-axis",
        "paper-time-axis",
        "early",
        "late",
        "quiet",
        "dense",
        "close-frequencies",
        "wide",
        "masked",
        "streaming-aba",
    }
    assert set(PROBES) >= {"quick-map", "map", "gap-curve", "overlap-curve", "count-confusion"}
    assert set(TRAINING) >= {"paper", "laptop"}


@pytest.mark.parametrize("name", STIMULI)
def test_stimulus_presets_draw_at_any_seed(settings, name):
    preset = presets.load("stimuli", name, settings)
    assert preset.title and preset.about.endswith((".", "?"))
    for seed in range(12):
        stimulus = draw(preset.design, seed)
        n_events = preset.body["params"].get("n_events", len(stimulus.events))
        assert len(stimulus.events) == n_events
        synthesise(stimulus)


@pytest.mark.parametrize("name", PROBES)
def test_probe_presets_build_their_plan(settings, name):
    from spectcount.probing.plan import plan_from_dict

    preset = presets.load("probes", name, settings)
    assert plan_from_dict(preset.body["plan"]).n_trials > 0


@pytest.mark.parametrize("name", TRAINING)
def test_training_presets_fill_every_part(settings, name):
    preset = presets.load("training", name, settings)
    assert set(preset.body) == {"curriculum", "lora", "train"}
    assert preset.body["train"]["steps"] > 0


def test_what_the_paper_says(settings):
    params = presets.load("stimuli", "paper", settings).body["params"]
    assert (params["duration_s"], params["min_gap_ms"]) == (30.0, 40.0)
    assert params["event_duration_ms"] - params["event_duration_jitter_ms"] == 40
    assert params["event_duration_ms"] + params["event_duration_jitter_ms"] == 160
    assert (params["attack_ms"], params["release_ms"]) == (3.0, 10.0)
    assert 10 ** ((params["level_dbfs"] - params["level_rove_db"]) / 20) == pytest.approx(0.1)


GOOD = {
    "title": "Mine",
    "about": "Three soft ones.",
    "family": "pulses",
    "params": {"n_events": 3, "level_dbfs": -30},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parms": {}}, "unknown key 'parms'; did you mean params"),
        ({"params": {"gapms": 3}}, "no parameter 'gapms'; did you mean gap_ms"),
        ({"params": {"n_events": 99}}, "n_events=99 is above the limit 40"),
        ({"params": [1]}, "'params' is no mapping"),
        ({"family": "pulse"}, "family 'pulse' is not known"),
        ({"family": None}, "'family' is missing"),
        ({"task": "sing"}, "task 'sing' is not known"),
        ({"title": " "}, "'title' is missing"),
        ({"about": 3}, "'about' is missing"),
    ],
)
def test_bad_presets_are_refused_by_name(change, words):
    with pytest.raises(UserError, match=f"^preset mine.*{words}"):
        presets.check("stimuli", {**GOOD, **change}, name="mine")


def test_unknown_keys_deep_in_probes_and_training_are_refused():
    head = {"title": "x", "about": "y."}
    with pytest.raises(UserError, match="has no parameter 'trails'; did you mean trials"):
        presets.check("probes", {**head, "plan": {"kind": "map", "trails": 3}})
    with pytest.raises(UserError, match="has no parameter 'learning_rat'"):
        presets.check("training", {**head, "train": {"learning_rat": 1}})
    with pytest.raises(UserError, match="preset kind 'songs' is not known"):
        presets.check("songs", head)


def test_names_and_paths(settings, tmp_path):
    with pytest.raises(UserError, match="no preset 'papr' among the stimuli; did you mean paper"):
        presets.load("stimuli", "papr", settings)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    assert presets.load("stimuli", path, settings).design.n_events == 3
    demo = load_settings(mode="demo", home=tmp_path / "demo", environ={})
    with pytest.raises(UserError, match="is a path; the demo takes the names"):
        presets.load("stimuli", path, demo)
    with pytest.raises(UserError, match="there is no preset file"):
        presets.load("stimuli", tmp_path / "none.yaml", settings)
    for text in ("- a\n", "a: [\n", "!!python/object/apply:os.system ['true']\n"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"is no mapping|cannot be read as YAML"):
            presets.load("stimuli", path, settings)


def test_own_presets_are_kept_beside_the_shipped_ones(settings):
    own = settings.own_presets / "stimuli" / "three-soft.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(yaml.safe_dump(GOOD))
    names = presets.names("stimuli", settings)
    assert "three-soft" in names and "paper" in names
    assert presets.load("stimuli", "three-soft", settings).title == "Mine"


@pytest.mark.parametrize("kind", ["stimuli", "probes", "panels", "training"])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("title: another", "the key 'title' is given twice"),
        ("more: &a [*a]", "holds itself"),
        ("more: {<<: {a: 1}}", "merge key"),
        ("more: 2001-01-01", "no plain text or number"),
    ],
)
def test_files_that_are_ambiguous_or_endless_are_refused(settings, tmp_path, kind, line, words):
    shipped = sorted((SHIPPED / kind).glob("*.yaml"))[0]
    path = tmp_path / "own.yaml"
    path.write_text(shipped.read_text() + f"\n{line}\n")
    with pytest.raises(UserError, match=words):
        presets.load(kind, path, settings)
    path.write_bytes(shipped.read_text().encode("utf-16"))
    with pytest.raises(UserError, match="looks like UTF-16"):
        presets.load(kind, path, settings)
