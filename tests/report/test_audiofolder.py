"""The Hugging Face audiofolder, checked against its format without the `datasets` package."""

from __future__ import annotations

import json

import pytest
import soundfile
import yaml

from spectcount import actions
from spectcount.errors import UserError
from spectcount.report.audiofolder import COLUMNS
from spectcount.stimulus import Stimulus
from spectcount.store import Store
from spectcount.synth import synthesise


@pytest.fixture(scope="module")
def folder(lasting, plans, tmp_path_factory):
    """A comparison's evidence and its audiofolder."""
    evidence = lasting.make_run(plans.map, [plans.sim, plans.other], "compare")
    out = tmp_path_factory.mktemp("audio") / "set"
    return evidence, actions.audiofolder(lasting.settings, evidence.run.id, out)


def metadata(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_one_row_and_one_file_for_each_question(folder):
    evidence, path = folder
    rows = metadata(path)
    assert len(rows) == len({t.key for t in evidence.trials}) == 32
    assert all(list(row) == sorted(COLUMNS) for row in rows)
    files = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert files == {"README.md", "metadata.jsonl"} | {row["file_name"] for row in rows}


def test_every_column_has_one_type(folder):
    _, path = folder
    rows = metadata(path)
    assert len({tuple(type(value) for value in row.values()) for row in rows}) == 1
    assert all(isinstance(v, str | int | bool) for v in rows[0].values())


def test_rows_say_what_was_asked_and_answered(folder, plans):
    evidence, path = folder
    by_key = {(t.key, t.listener): t for t in evidence.trials}
    for row in metadata(path):
        trial = by_key[row["key"], plans.sim]
        assert (row["question"], row["truth"], row["answer"]) == (
            trial.prompt,
            trial.truth,
            trial.answer,
        )
        assert json.loads(row["options"])[row["label"]] == row["truth"]
        assert json.loads(row["parameters"])["duration_s"] == 1.0
        responses = json.loads(row["responses"])
        assert set(responses) == {plans.sim, plans.other}
        assert responses[plans.sim]["log_probs"] == list(trial.log_probs)
        stimulus = Stimulus.from_json(row["stimulus"])
        assert stimulus.hash == row["hash"] and row["seed"] == stimulus.meta["seed"]
        samples, rate = soundfile.read(path / row["file_name"], dtype="float32")
        assert rate == 16000 and samples.tobytes() == synthesise(stimulus).tobytes()
    assert {row["role"] for row in metadata(path)} == {"signal", "catch"}


def test_the_card_has_front_matter_columns_and_the_command(folder, plans):
    _, path = folder
    text = (path / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["task_categories"] == ["audio-classification"]
    assert all(f"| `{name}` |" in body for name in COLUMNS)
    assert "load_dataset" in body and f"--base {plans.sim}" in body


def test_a_folder_in_use_and_a_run_without_clips_are_refused(folder, lasting, tmp_path):
    evidence, path = folder
    settings = lasting.settings
    with pytest.raises(UserError, match="is not empty; give a new folder with --out"):
        actions.audiofolder(settings, evidence.run.id, path)
    run = Store(settings.database).create_run(
        "tune", {"base": "tiny-lalm", "curriculum": {}, "train": {}}
    )
    with pytest.raises(UserError, match="has no clips of its own"):
        actions.audiofolder(settings, run.id, tmp_path / "none")
    assert not (tmp_path / "none").exists()
