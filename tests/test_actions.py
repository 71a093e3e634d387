"""The functions behind page, command line and API, with listeners that need no model."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import zipfile

import numpy as np
import pytest
import soundfile

from spectcount import actions, jobs, presets
from spectcount.errors import UserError
from spectcount.probing.grid import GridPlan
from spectcount.settings import DEMO_LIMITS, Limits, load_settings
from spectcount.stimulus import Stimulus
from spectcount.store import Store
from spectcount.synth import synthesise
from spectcount.trials import Question

SMALL_MAP = {
    "kind": "map",
    "x": "time",
    "y": "mel_channel",
    "nx": 2,
    "ny": 2,
    "trials": 2,
    "catch_trials": 6,
    "design": {"duration_s": 1.0},
}


def test_stimuli_come_from_presets_parameters_and_files(settings, tmp_path):
    stimulus = actions.preset_stimulus(settings, "early", {"n_events": "2"}, seed=3)
    assert len(stimulus.events) == 2
    assert stimulus.meta["seed"] == 3
    assert stimulus == actions.draw_stimulus("pulses", stimulus.meta["params"], 3)
    path = tmp_path / "s.json"
    path.write_text(stimulus.to_json())
    assert actions.read_stimulus(path).hash == stimulus.hash
    with pytest.raises(UserError, match="no parameter 'n_event'; did you mean n_events"):
        actions.preset_stimulus(settings, "early", {"n_event": 2})
    for seed in (-1, 1.5, True, "3"):
        with pytest.raises(UserError, match="is no seed"):
            actions.draw_stimulus("pulses", {}, seed)
    with pytest.raises(UserError, match="there is no file"):
        actions.read_stimulus(tmp_path / "none.json")


def test_demo_mode_caps_events_and_trials(tmp_path):
    demo = load_settings(mode="demo", home=tmp_path, environ={})
    many = {"n_events": 30, "event_duration_ms": 20, "gap_ms": 20}
    with pytest.raises(UserError, match="30 events are above the limit 20 of this page"):
        actions.draw_stimulus("pulses", many, 0, demo)
    with pytest.raises(UserError, match="trials are above the limit 2000 of demo mode"):
        actions.start_probe(demo, {**SMALL_MAP, "trials": 1000}, "ideal")
    assert Store(demo.database).runs() == []


def test_render_writes_what_it_says(settings, tmp_path):
    stimulus = actions.preset_stimulus(settings, "quiet", seed=1)
    files = actions.render(stimulus, tmp_path / "out")
    samples, rate = soundfile.read(files.clip, dtype="float32")
    assert rate == stimulus.sample_rate
    assert samples.tobytes() == synthesise(stimulus).tobytes()
    assert Stimulus.from_json(files.stimulus.read_text()) == stimulus
    assert files.spectrogram.read_bytes().startswith(b"\x89PNG")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write into .* give another --out"):
        actions.render(stimulus, tmp_path / "file")


def test_ask_gives_answer_truth_scores_and_fingerprint(settings):
    question = Question(actions.preset_stimulus(settings, "early"), "count")
    result, other = actions.ask_each(settings, ["dsp", "first"], question)
    assert (result.answer, result.truth) == ("3", "3")
    assert math.fsum(map(math.exp, result.log_probs)) == pytest.approx(1)
    data = json.loads(json.dumps(result.to_dict()))
    assert data["listener"] == "dsp" and data["correct"] is True
    assert data["parsed"] == "3" and data["mass"] == pytest.approx(1)
    assert other.answer == "0" and other.fingerprint != result.fingerprint
    silent = actions.ask(settings, "dsp", question, with_reply=False)
    assert silent.reply is None and silent.parsed is None


def test_an_answer_of_little_probability_carries_a_caution(settings):
    from spectcount.ui.ask import Card, _render

    question = Question(actions.preset_stimulus(settings, "early"), "count")
    sure = actions.ask(settings, "dsp", question)
    assert sure.caution == ""
    unsure = dataclasses.replace(sure, trial=dataclasses.replace(sure.trial, mass=0.03))
    assert "all answers together have 0.03 of the probability (below 0.1)" in unsure.caution
    pages = [_render(question, [Card("x", "dsp", r)], None, "1") for r in (sure, unsure)]
    assert ["all answers together" in page for page in pages] == [False, True]


def test_clips_from_files_can_be_asked_about(settings, tmp_path):
    files = actions.render(actions.preset_stimulus(settings, "early"), tmp_path)
    waveform, notes = actions.load_clip(files.clip, settings)
    assert notes == ()
    result = actions.ask(settings, "dsp", Question(None, "count", waveform=waveform))
    assert (result.answer, result.truth) == ("3", None)


def test_a_plan_takes_overrides_for_itself_and_its_design(settings):
    plan = actions.probe_plan(settings, SMALL_MAP, {"trials": "5", "level_dbfs": "-40"})
    assert plan["trials"] == 5
    assert plan["design"] == {"duration_s": 1.0, "level_dbfs": -40.0}
    with pytest.raises(UserError, match="unknown key 'levl_dbfs'; did you mean level_dbfs"):
        actions.probe_plan(settings, SMALL_MAP, {"levl_dbfs": 0})


def test_a_probe_runs_is_summed_up_and_exported(settings, tmp_path):
    run = actions.start_probe(settings, SMALL_MAP, "ideal", seed=4)
    store = Store(settings.database)
    done = jobs.wait(store, settings, run.id)
    assert done.state == "done", done.log_tail()
    assert done.done == done.total == 14
    data = store.run(run.id).to_dict()
    assert data["summary"]["listeners"]["ideal"]["asked"] == 14
    assert json.loads(json.dumps(data)) == data

    again = jobs.wait(store, settings, actions.start_probe(settings, SMALL_MAP, "ideal", 4).id)
    report = again.summary["listeners"]["ideal"]
    assert (report["asked"], report["known"]) == (0, 14)

    bundle = zipfile.ZipFile(actions.export(settings, run.id, tmp_path))
    names = {n.removeprefix(f"{run.id}/") for n in bundle.namelist()}
    assert names >= {"run.json", "trials.csv", "trials.jsonl", "stimuli.jsonl", "log.txt"}
    description = json.loads(bundle.read(f"{run.id}/run.json"))
    assert description["config"]["seed"] == 4 and "log-linear" in description["rules"]["rates"]
    rows = list(csv.DictReader(io.StringIO(bundle.read(f"{run.id}/trials.csv").decode())))
    stimuli = map(json.loads, bundle.read(f"{run.id}/stimuli.jsonl").decode().splitlines())
    by_hash = {s["hash"]: Stimulus.from_dict(s["stimulus"]) for s in stimuli}
    assert len(rows) == 14
    for row in rows:
        assert by_hash[row["stimulus_hash"]].hash == row["stimulus_hash"]
        assert (row["truth"] == "yes") == bool(by_hash[row["stimulus_hash"]].events)
        assert row["at_role"] == ("signal" if row["truth"] == "yes" else "catch")
        assert np.exp(float(row["log_p(yes)"])) + np.exp(float(row["log_p(no)"])) == pytest.approx(
            1
        )


def test_a_comparison_needs_known_listeners(settings):
    with pytest.raises(UserError, match="adapter 'nope' of tiny-lalm is not known"):
        actions.start_compare(settings, SMALL_MAP, "tiny-lalm", "tiny-lalm@nope")
    with pytest.raises(UserError, match="listener 'big' is not known"):
        actions.start_probe(settings, SMALL_MAP, "big")
    assert Store(settings.database).runs() == []


def test_a_tune_takes_its_weak_regions_from_a_probe(settings, monkeypatch):
    monkeypatch.setattr(jobs, "tend", lambda store, settings: None)
    store = Store(settings.database)
    probe = store.create_run("probe", {"plan": {"kind": "map"}, "listeners": ["tiny-lalm"]})
    region = {"ranges": {"frequency_hz": [6000.0, 7600.0]}, "sentence": "high", "severity": 1.0}
    with pytest.raises(UserError, match="has found no weak regions; give a probe of tiny-lalm"):
        actions.start_tune(settings, {}, "tiny-lalm", weakness=probe.id)
    store.update(probe.id, state="done", summary={"regions": {"tiny-lalm": [region]}})
    run = actions.start_tune(
        settings, {}, "tiny-lalm", weakness=probe.id, params={"steps": "7", "rank": 4}, seed=9
    )
    assert (run.kind, run.state) == ("tune", "queued")
    assert run.config["regions"] == [region]
    assert (run.config["train"]["steps"], run.config["lora"]["rank"]) == (7, 4)
    assert (run.config["seed"], run.lineage["probe"]) == (9, probe.id)
    with pytest.raises(UserError, match="unknown key 'stepps'; did you mean steps"):
        actions.start_tune(settings, {}, "tiny-lalm", params={"stepps": 1})


def test_a_recording_longer_than_any_window_is_read_and_the_listener_says_what_it_hears(
    settings, tmp_path
):
    """Up to ten minutes here, half a minute in the demo and for sounds that are kept."""
    demo = load_settings(mode="demo", home=tmp_path / "demo", device="cpu")
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(16_000 * 45, np.float32), 16_000)
    assert len(actions.load_clip(path, settings)[0]) == 16_000 * 45
    for refused in (
        lambda: actions.load_clip(path, demo),
        lambda: actions.add_carrier(settings, path),
    ):
        with pytest.raises(UserError, match=r"lasts 45\.00 s, the limit is 30 s"):
            refused()


def test_the_limit_of_trials_is_asked_before_a_plan_is_tried(settings, monkeypatch):
    """Trying 300 plans took a minute before their number of trials was refused."""

    def tried(plan):
        raise AssertionError("the plan was tried for feasibility")

    monkeypatch.setattr(GridPlan, "refuse_infeasible", tried)
    few = dataclasses.replace(settings, limits=Limits(max_trials=100))
    with pytest.raises(UserError, match="above the limit 100"):
        actions.start_listening(few, "map")
    plan = presets.load("probes", "quick-map", settings).body["plan"]
    with pytest.raises(UserError, match="101 plans are above the limit of 100"):
        actions.probe_plan(settings, {"kind": "interleaved", "plans": [plan] * 101})


def test_a_stimulus_file_has_the_demos_limit_of_events(settings, tmp_path):
    tone = {
        "duration_s": 0.01,
        "frequency_hz": 500,
        "level_dbfs": -30,
        "attack_ms": 0,
        "release_ms": 0,
    }
    events = [{**tone, "onset_s": i / 50} for i in range(30)]
    path = tmp_path / "stimulus.json"
    path.write_text(json.dumps({"duration_s": 1.0, "events": events}))
    assert len(actions.read_stimulus(path, settings).events) == 30
    demo = dataclasses.replace(settings, mode="demo", limits=DEMO_LIMITS)
    with pytest.raises(UserError, match="30 events are above the limit 20"):
        actions.read_stimulus(path, demo)
