"""Predictions in the form of the official scripts: the file's own rows with the script's key."""

from __future__ import annotations

import json

import make_fixtures
import pytest
from asking import Says, execute, in_turn, truth

from spectcount.benchmarks import export, files
from spectcount.benchmarks.questions import sheet_of
from spectcount.configs import BenchmarkConfig

KEYS = {
    "mmau": ("model_output", "model_prediction"),
    "mmar": ("answer_prediction",),
    "mmsu": ("response",),
    "air-bench": ("response",),
}
PASSED_OVER = {"mmau": [6], "mmar": [3], "mmsu": [], "air-bench": []}
"""Rows without a sound, or with one that is too long."""


def written(name, folder, reply, out, **options):
    _, context = execute(name, folder, Says(reply), **options)
    sheet = sheet_of(BenchmarkConfig.from_json(context.config))
    return export.write(sheet, "says", context.ledger.trials("run"), out)


@pytest.mark.parametrize("name", make_fixtures.MAKERS)
def test_the_export_is_the_official_file_with_the_reply_under_the_official_key(
    data, name, tmp_path
):
    replies = [f"reply {i}" for i in range(99)]
    found = written(name, data[name], in_turn(replies), tmp_path)
    rows = files.records(found.path)
    originals = files.records(sheet_path(name, data))
    assert found.n_rows == len(rows) and found.n_replies == len(rows) - (
        0 if name in ("mmsu", "air-bench") else len(PASSED_OVER[name])
    )
    replied = [row for row in rows if KEYS[name][0] in row]
    assert [row[KEYS[name][0]] for row in replied] == replies[: len(replied)]
    stripped = [{k: v for k, v in row.items() if k not in KEYS[name]} for row in rows]
    kept = (
        originals
        if name in ("mmau", "mmar")
        else [row for i, row in enumerate(originals) if i not in PASSED_OVER[name]]
    )
    assert stripped == kept
    assert [i for i, row in enumerate(rows) if KEYS[name][0] not in row] == (
        PASSED_OVER[name] if name in ("mmau", "mmar") else []
    )


def sheet_path(name, data):
    return sorted(data[name].rglob("*.json*"))[0]


@pytest.mark.parametrize("name", make_fixtures.MAKERS)
def test_a_file_name_ends_as_the_official_script_wants_it(data, name, tmp_path):
    found = written(name, data[name], truth, tmp_path)
    text = found.path.read_text()
    assert (found.path.suffix == ".json") == text.startswith("[")
    assert found.path.parent == tmp_path / "says"


def test_scores_are_exported_as_the_replies_that_name_the_option(data, tmp_path):
    found = written("mmau", data["mmau"], truth, tmp_path, mode="scored")
    rows = json.loads(found.path.read_text())
    assert [row["model_output"] for row in rows[:6]] == [row["answer"] for row in rows[:6]]
    found = written("mmsu", data["mmsu"], truth, tmp_path, mode="scored", prompt="options-text")
    letters = [row["response"] for row in files.records(found.path)]
    assert letters == ["D", "B", "D", "A", "C", "D"]


def test_rotations_are_not_exported(data, tmp_path):
    plain = written("mmsu", data["mmsu"], truth, tmp_path / "plain").path.read_text()
    turned = written("mmsu", data["mmsu"], truth, tmp_path / "turned", rotate=True)
    assert turned.path.read_text() == plain
