"""The command line: verbs, exit codes, JSON; the real entry point in a real process once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import soundfile
import yaml

from spectcount import cli
from spectcount.psychophysics.sdt import Interval
from spectcount.settings import PACKAGE_ROOT

PROBE = {
    "title": "Tiny",
    "about": "Four cells.",
    "plan": {"kind": "map", "nx": 2, "ny": 2, "trials": 1, "catch_trials": 4},
}


@pytest.fixture
def probe_file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(PROBE))
    return path


def test_render_writes_the_three_files(call, tmp_path):
    arguments = ("render", "quiet", "--set", "n_events=2", "--seed", 5, "--out", tmp_path / "o")
    code, out, _ = call(*arguments, "--json")
    assert code == 0
    result = json.loads(out)
    assert (result["n_events"], result["seed"]) == (2, 5)
    assert {p.name for p in (tmp_path / "o").iterdir()} == {
        "clip.wav",
        "stimulus.json",
        "spectrogram.png",
    }
    assert soundfile.info(tmp_path / "o" / "clip.wav").subtype == "FLOAT"
    assert json.loads(call(*arguments, "--json")[1])["hash"] == result["hash"]


def test_ask_about_preset_stimulus_and_file(call, tmp_path):
    call("render", "early", "--out", tmp_path)
    sources = (
        ("--preset", "early"),
        ("--stimulus", tmp_path / "stimulus.json"),
        ("--wav", tmp_path / "clip.wav"),
    )
    answers = []
    for source in sources:
        code, out, _ = call("ask", "--listener", "dsp", *source, "--json")
        assert code == 0
        answers.append(json.loads(out))
    assert [a["answer"] for a in answers] == ["3", "3", "3"]
    assert [a["truth"] for a in answers] == ["3", "3", None]
    assert {"probabilities", "mass", "fingerprint", "prompt"} <= set(answers[0])
    code, out, _ = call(
        "ask",
        "--listener",
        "dsp",
        "--listener",
        "first",
        "--preset",
        "early",
        "--task",
        "detect",
        "--wording",
        1,
        "--json",
    )
    assert [(a["listener"], a["answer"]) for a in json.loads(out)] == [
        ("dsp", "yes"),
        ("first", "yes"),
    ]
    assert "Do you hear a beep" in json.loads(out)[0]["prompt"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("render", "papr"), "did you mean paper"),
        (("render", "paper", "--set", "gap_ms"), "has no '='"),
        (("render", "paper", "--set", "gap_ms=4", "--set", "gap_ms=5"), "gives gap_ms twice"),
        (("render", "paper", "--set", "gapms=3"), "did you mean gap_ms"),
        (("render", "early", "--set", "n_events=40"), "the clip is 4.00 s; lower"),
        (("render", "early", "--seed", "-1"), "--seed"),
        (("ask", "--listener", "dsp"), "give one of --preset, --family, --stimulus, --wav"),
        (("ask", "--listener", "dsp", "--preset", "early", "--task", "sing"), "task 'sing'"),
        (("ask", "--listener", "dsp", "--preset", "early", "--wording", "99"), "wording=99"),
        (("ask", "--listener", "hal", "--preset", "early"), "listener 'hal' is not known"),
        (("ask", "--listener", "dsp", "--wav", "none.wav"), "there is no file none.wav"),
        (("probe", "quick-mop"), "did you mean quick-map"),
        (("probe", "quick-map", "--listener", "tiny-lalm@x"), "adapter 'x'"),
        (("tune", "laptp"), "no preset 'laptp' among the training"),
        (("runs", "show", "probe-1"), "there is no run 'probe-1'"),
        (("runs", "resume", "probe-1"), "there is no run 'probe-1'"),
        (("--device", "gpu", "runs", "list"), "device='gpu' is not known"),
        (("dance",), "dance"),
    ],
)
def test_refused_input_is_exit_code_2_and_one_sentence(call, arguments, words):
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_probe_prints_run_id_and_summary_and_the_runs_verbs_follow(call, probe_file, tmp_path):
    code, out, err = call("probe", probe_file, "--listener", "ideal", "--seed", 1, "--json")
    assert code == 0, err
    run = json.loads(out)
    assert run["state"] == "done" and run["run"] in err
    assert (run["done"], run["total"]) == (8, 8)
    assert run["run"] in call("runs", "list")[1]
    assert [r["id"] for r in json.loads(call("runs", "list", "--json")[1])] == [run["run"]]
    shown = json.loads(call("runs", "show", run["run"], "--json")[1])
    assert shown["config"]["seed"] == 1 and "8 trials" in shown["log_tail"]
    code, out, _ = call("runs", "export", run["run"], "--out", tmp_path, "--json")
    assert code == 0 and json.loads(out)["bundle"].endswith(f"{run['run']}.zip")
    code, _, err = call("runs", "cancel", run["run"])
    assert code == 2 and "is done already" in err


def test_a_run_that_fails_is_exit_code_1(call, probe_file):
    same = ("--base", "sim:d=1,c=0,seed=1", "--tuned", "sim:d=1.0,c=0,seed=1")
    code, out, _ = call("compare", probe_file, *same, "--json")
    assert code == 1
    run = json.loads(out)
    assert run["state"] == "failed" and "same listener" in run["reason"]


def test_the_worker_verb_refuses_a_run_that_is_not_its_own(call, probe_file):
    run = json.loads(call("probe", probe_file, "--listener", "first", "--json")[1])
    code, _, err = call("run", run["run"])
    assert code == 2 and "is done and not this process's" in err


def test_the_module_is_a_program(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "spectcount", "--home", tmp_path, "runs", "list", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE_ROOT.parent,
    )
    assert json.loads(done.stdout) == []


def test_every_verb_has_help_and_json():
    from typer.main import get_command

    group = get_command(cli.app).commands
    assert set(group) >= {"render", "ask", "probe", "tune", "compare", "runs", "app", "run"}
    assert set(group["runs"].commands) == {
        "list",
        "show",
        "cancel",
        "resume",
        "export",
        "figure",
        "audiofolder",
        "rename",
        "rm",
        "again",
    }
    assert group.pop("app").help, "the page prints its address, no result"
    groups = [c for c in group.values() if hasattr(c, "commands")]
    shown = [c for c in group.values() if not c.hidden and c not in groups]
    for command in [*shown, *(c for g in groups for c in g.commands.values())]:
        assert command.help
        assert "--json" in {o for p in command.params for o in p.opts}


def test_results_are_printed_as_valid_json(capsys):
    found = {"d_prime": Interval(1.5, float("-inf"), float("nan")), "cells": [(0, 1)]}
    cli.output.show(found, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["cells"] == [[0, 1]]
    assert printed["d_prime"] == {
        "value": 1.5,
        "low": None,
        "high": None,
        "level": 0.95,
        "rule": "",
    }
    cli.output.show(found, as_json=False)
    assert "d_prime: not measurable" in capsys.readouterr().out
