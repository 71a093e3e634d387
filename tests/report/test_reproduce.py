"""The command in a report, run again in a fresh home, gives the same numbers to the last digit."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spectcount import actions
from spectcount.report.evidence import load
from spectcount.report.reproduce import commands, input_file, needs, shell_block
from spectcount.report.rows import trial_row
from spectcount.settings import load_settings
from spectcount.store import Store

NASTY = "sim:d=1,c=0; touch hacked"


ROOT = Path(__file__).resolve().parents[2]


def shell(block, folder):
    """Run a report's block in `folder` with a home of its own; what it printed."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SPECTCOUNT_HOME": str(folder / "home"),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["bash", "-e"], input=block, text=True, capture_output=True, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def block_of(path):
    """The block to paste, out of the report's HTML."""
    found = re.search(r'<pre id="command"[^>]*><code>(.*?)</code>', path.read_text(), re.DOTALL)
    return html.unescape(found.group(1))


def untimed(evidence):
    return [{k: v for k, v in trial_row(t).items() if k != "at"} for t in evidence.trials]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "plan"), [("probe", "staircase"), ("compare", "map")])
def test_the_command_of_a_report_gives_the_same_numbers(
    make_run, plans, settings, tmp_path, kind, plan
):
    listeners = [plans.keen, plans.other][: 1 + (kind == "compare")]
    before = make_run(getattr(plans, plan), listeners, kind, seed=11)
    report = actions.write_report(settings, before.run.id, tmp_path / "report.html")
    shell(block_of(report), tmp_path / "fresh")

    store = Store(load_settings(home=tmp_path / "fresh" / "home", environ={}).database)
    (run,) = store.runs()
    after = load(run, store)
    assert run.id != before.run.id and run.kind == kind
    assert untimed(after) == untimed(before)
    assert after.trials.digest == before.trials.digest
    numbers = [
        {k: v for k, v in e.run.summary.items() if k != "listeners"} for e in (before, after)
    ]
    assert numbers[0] == numbers[1] and "overall" in numbers[0]


def test_the_digest_sees_the_last_bit_and_nothing_else(make_run, plans):
    once, again = (make_run(plans.curve, [plans.sim]) for _ in range(2))
    assert once.trials.digest == again.trials.digest
    other = make_run(plans.curve, [plans.sim], seed=4)
    assert once.trials.digest != other.trials.digest


def test_listeners_are_quoted_and_files_end_where_they_should(make_run, plans):
    evidence = make_run(plans.curve, [plans.sim])
    config = {**evidence.run.config, "listeners": [NASTY]}
    run = type(evidence.run)(**{**vars(evidence.run), "config": config, "device": "cuda:1"})
    (command,) = commands(run)
    assert shlex.split(command)[3:5] == ["--device", "cuda:1"]
    assert NASTY in shlex.split(command)
    block = shell_block(run).split("END_OF_FILE\n")
    assert len(block) == 2 or block[0].endswith("<<'END_OF_FILE'\n")
    assert input_file(run)[1] in shell_block(run)


def test_each_kind_of_run_has_its_command(settings, plans):
    store = Store(settings.database)

    def made(kind, **config):
        return store.create_run(kind, {"plan": plans.curve, "seed": 2, **config})

    tail = "plan.yaml --listener {} --seed 2"
    three = commands(made("probe", listeners=["ideal", "dsp", "first"]))
    assert [c.partition("probe ")[2] for c in three] == [
        tail.format(n) for n in ("ideal", "dsp", "first")
    ]
    (pair,) = commands(made("compare", listeners=["tiny-lalm", "tiny-lalm@example"]))
    assert pair.endswith("--base tiny-lalm --tuned tiny-lalm@example --seed 2")
    (person,) = commands(made("listen", listeners=["Ann Lee"]))
    assert "listen plan.yaml --name 'Ann Lee' --seed 2" in person
    (tune,) = commands(store.create_run("tune", {"base": "tiny-lalm", "seed": 7}))
    assert tune.endswith("tune training.yaml --listener tiny-lalm --seed 7 --wait")


def test_regions_of_a_fine_tune_stand_in_its_lines_of_python(settings, monkeypatch):
    region = {"ranges": {"frequency_hz": [6000.0, 7600.5]}, "sentence": "“high” tones' end \\n"}
    run = Store(settings.database).create_run(
        "tune", {"base": "tiny-lalm", "regions": [region], "seed": 7, "train": {"steps": 3}}
    )
    lines = commands(run)
    assignment = next(line for line in lines if line.startswith("regions = "))
    told = re.fullmatch(r"regions = json\.loads\((\".*\")\)", assignment)
    assert told and json.loads(json.loads(told.group(1))) == [region]
    compile("\n".join(lines[1:-1]), "block", "exec")
    assert "steps: 3" in input_file(run)[1]


def test_what_must_be_there_before_is_named(settings, plans):
    store = Store(settings.database)
    run = store.create_run(
        "compare", {"plan": plans.curve, "seed": 0, "listeners": ["own", "tiny-lalm@tune-1"]}
    )
    told = " ".join(needs(load(run, store)))
    assert "models/own" in told and "runs/tune-1/adapter" in told
    shipped = ["tiny-lalm", "tiny-lalm@example"]
    run = store.create_run("compare", {"plan": plans.curve, "seed": 0, "listeners": shipped})
    assert needs(load(run, store)) == []
