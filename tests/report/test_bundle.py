"""The bundle: every file in it, and numbers that can be recomputed from it by other code."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile

import numpy as np
import pytest
import soundfile
from scipy.stats import norm, rankdata

from spectcount import actions, presets
from spectcount.errors import UserError
from spectcount.probing.maps import measure_map
from spectcount.report.figures import figures_of
from spectcount.report.run_figure import slug
from spectcount.settings import load_settings
from spectcount.stimulus import Stimulus
from spectcount.store import Store
from spectcount.synth import synthesise


def members(path, run_id):
    with zipfile.ZipFile(path) as found:
        assert len(found.namelist()) == len(set(found.namelist()))
        return {n.removeprefix(f"{run_id}/"): found.read(n) for n in found.namelist()}


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text.decode())))


@pytest.fixture(scope="module")
def packed(lasting, plans, tmp_path_factory):
    """A map's evidence and the files of its bundle, clips among them."""
    evidence = lasting.make_run(plans.map, [plans.sim])
    out = tmp_path_factory.mktemp("out")
    path = actions.export(lasting.settings, evidence.run.id, out / "new", clips=True)
    return evidence, members(path, evidence.run.id)


def test_a_bundle_holds_everything(packed, settings, tmp_path):
    evidence, files = packed
    figures = [f.name for f in figures_of(evidence)]
    assert (
        len(figures) == 4 and "shortcuts" in figures and all(name == slug(name) for name in figures)
    )
    expected = {
        "report.html",
        "run.json",
        "plan.yaml",
        "trials.json",
        "trials.csv",
        "trials.jsonl",
        "stimuli.jsonl",
        "log.txt",
        *(f"figures/{n}.{kind}" for n in figures for kind in ("svg", "png", "html", "json")),
    }
    clips = {name for name in files if name.startswith("clips/")}
    assert set(files) - clips == expected
    (tmp_path / "plan.yaml").write_bytes(files["plan.yaml"])
    plan = presets.load("probes", tmp_path / "plan.yaml", settings).body["plan"]
    assert plan == evidence.plan.to_dict()


def test_d_prime_and_auc_come_out_of_the_csv(packed):
    """Hautus' rule, z and Mann-Whitney written again here, from the rows alone."""
    evidence, files = packed
    rows = rows_of(files["trials.csv"])
    assert len(rows) == evidence.plan.n_trials
    catch = [r for r in rows if r["at_role"] == "catch"]
    alarms = (sum(r["answer"] == "yes" for r in catch) + 0.5) / (len(catch) + 1)
    cells = measure_map(evidence.plan, evidence.trials)
    for i, j in evidence.plan.cells:
        mine = [
            r
            for r in rows
            if r["at_role"] == "signal" and (r["at_x"], r["at_y"]) == (str(i), str(j))
        ]
        hits = (sum(r["answer"] == "yes" for r in mine) + 0.5) / (len(mine) + 1)
        d_prime = norm.ppf(hits) - norm.ppf(alarms)
        assert d_prime == pytest.approx(cells.d_prime.value[j, i], abs=1e-12)
        scores = [float(r["log_p(yes)"]) - float(r["log_p(no)"]) for r in mine + catch]
        ranks = rankdata(scores)[: len(mine)].sum() - len(mine) * (len(mine) + 1) / 2
        area = ranks / (len(mine) * len(catch))
        assert area == pytest.approx(cells.auc.value[j, i], abs=1e-12)


def test_rows_give_the_very_numbers_back(packed):
    evidence, files = packed
    rows = rows_of(files["trials.csv"])
    lines = [json.loads(line) for line in files["trials.jsonl"].decode().splitlines()]
    for trial, row, line in zip(evidence.trials, rows, lines, strict=True):
        assert float(row["log_p(yes)"]) == trial.log_probs[0] == line["log_probs"][0]
        assert float(row["mass"]) == trial.mass
        assert row["fingerprint"] == trial.fingerprint
        assert int(row["stimulus_seed"]) == trial.stimulus["meta"]["seed"]
        assert row["family"] == "pulses"
        assert row["stimulus_hash"] == line["stimulus_hash"]


def test_the_legend_explains_every_column(packed):
    evidence, files = packed
    legend = json.loads(files["trials.json"])
    known = {c for names in legend["columns"] for c in names.split(", ")} | {
        "log_p(yes)",
        "log_p(no)",
    }
    assert set(rows_of(files["trials.csv"])[0]) <= known
    assert legend["seed"] == 3 and legend["plan"]["kind"] == "map"
    assert legend["fingerprints"] == evidence.fingerprints
    assert "Hautus" in legend["rules"]["rates"] and legend["versions"]["spectcount"]


def test_clips_are_the_very_samples(packed):
    _, files = packed
    hashes = {row["stimulus_hash"] for row in rows_of(files["trials.csv"])}
    clips = {name for name in files if name.startswith("clips/")}
    assert clips == {f"clips/{h}.{kind}" for h in hashes for kind in ("wav", "json")}
    for mark in hashes:
        stimulus = Stimulus.from_json(files[f"clips/{mark}.json"].decode())
        assert stimulus.hash == mark
        sound = io.BytesIO(files[f"clips/{mark}.wav"])
        assert soundfile.info(sound).subtype == "FLOAT"
        sound.seek(0)
        samples, rate = soundfile.read(sound, dtype="float32")
        assert rate == 16000 and samples.tobytes() == synthesise(stimulus).tobytes()


def test_a_figure_leaves_with_its_trials(make_run, plans, settings, tmp_path):
    evidence = make_run(plans.map, [plans.sim, plans.other], "compare")
    names = actions.figure_names(settings, evidence.run.id)
    first = names[0]
    assert "difference-d-prime" in names and len(names) == len(set(names))
    files = actions.figure_files(settings, evidence.run.id, first, tmp_path / "f")
    assert {f.name.removeprefix(f"{first}.") for f in files} == {
        "svg",
        "png",
        "html",
        "json",
        "trials.csv",
        "trials.jsonl",
    }
    sheet = json.loads((tmp_path / "f" / f"{first}.json").read_text())
    rows = rows_of((tmp_path / "f" / f"{first}.trials.csv").read_bytes())
    assert {r["listener"] for r in rows} == {plans.sim} == set(sheet["listeners"])
    z = np.array(sheet["spec"]["z"], float)
    assert z == pytest.approx(evidence.cells[plans.sim].d_prime.value)
    with pytest.raises(UserError, match=f"no figure 'map'; known: {first}"):
        actions.figure_files(settings, evidence.run.id, "map", tmp_path)


def test_lines_keep_their_intervals_and_n(make_run, plans):
    evidence = make_run(plans.curve, [plans.sim, plans.other])
    spec = figures_of(evidence)[0].spec
    line, cells = spec["series"][0], evidence.cells[plans.sim]
    assert line["y"] == pytest.approx(cells.d_prime.value[0])
    assert line["n"] == [4, 4, 4] and "95 %" in spec["note"] and "6 catch" in spec["note"]
    assert all(math.isfinite(v) for v in line["low"] + line["high"])


def test_a_run_without_answers_can_be_packed(settings, plans, tmp_path):
    store = Store(settings.database)
    run = store.create_run("probe", {"plan": plans.map, "listeners": ["ideal"], "seed": 0})
    files = members(actions.export(settings, run.id, tmp_path), run.id)
    assert set(files) == {"report.html", "run.json", "plan.yaml"}


def test_clips_and_folders_are_bounded_in_demo_mode(make_run, plans, settings, monkeypatch):
    evidence = make_run(plans.map, [plans.sim])
    demo = load_settings(mode="demo", home=settings.home, environ={})
    run_id = evidence.run.id
    with pytest.raises(UserError, match="outside the folders of the demo"):
        actions.export(demo, run_id, "/var/elsewhere")
    with pytest.raises(UserError, match="outside the folders of the demo"):
        actions.write_report(demo, run_id, "/var/elsewhere/report.html")
    with pytest.raises(UserError, match="outside the folders of the demo"):
        actions.audiofolder(demo, run_id, "/tmp/../var/elsewhere")
    assert actions.export(demo, run_id, settings.home / "out", clips=True).exists()
    monkeypatch.setattr("spectcount.actions.report.DEMO_CLIPS_MB", 1.0)
    with pytest.raises(UserError, match=r"clips take 2 MB, the demo gives 1 MB at most"):
        actions.export(demo, run_id, settings.home / "out", clips=True)
    with pytest.raises(UserError, match="the demo gives 1 MB at most"):
        actions.audiofolder(demo, run_id, settings.home / "set")


def test_what_cannot_be_written_is_said(make_run, plans, settings, tmp_path, monkeypatch):
    evidence = make_run(plans.map, [plans.sim])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file .*give another --out"):
        actions.export(settings, evidence.run.id, tmp_path / "file")
    usage = type("Usage", (), {"free": 1e6})
    monkeypatch.setattr("spectcount.actions.report.shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"1 MB are free at"):
        actions.export(settings, evidence.run.id, tmp_path / "new", clips=True)


def test_counting_has_its_figures(make_run, plans):
    evidence = make_run(plans.confusion, ["dsp"])
    figures = {f.name: f for f in figures_of(evidence)}
    assert list(figures) == ["confusion-dsp", "accuracy"]
    shares = np.array(figures["confusion-dsp"].spec["z"], float)
    assert shares.sum(axis=1) == pytest.approx(1)
