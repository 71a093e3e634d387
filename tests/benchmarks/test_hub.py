"""Rows of the hub become official files, through a stand-in for `datasets` (never the network)."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from spectcount.benchmarks import catalogue, files, hub
from spectcount.errors import UserError

MMAU = catalogue.get("mmau")


class Audio:
    def __init__(self, decode=True):
        self.decode = decode


class Rows(list):
    """What `load_dataset` gives, as far as it is used."""

    def __init__(self, rows, features):
        super().__init__(rows)
        self.features, self.cast = features, None

    def cast_column(self, name, feature):
        assert name in self.features and feature.decode is False
        return self


def stand_in(monkeypatch, rows, features):
    asked = []

    def load_dataset(name, split, revision):
        asked.append((name, split, revision))
        if isinstance(rows, Exception):
            raise rows
        return Rows(rows, features)

    monkeypatch.setitem(
        sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset, Audio=Audio)
    )
    return asked


def hub_rows(data):
    records = files.records(data["mmau"] / "mmau-test-mini.json")[:6]
    return [
        {
            "context": {"bytes": (data["mmau"] / r.pop("audio_id")).read_bytes(), "path": "x.wav"},
            "question": r.pop("question"),
            "choices": r.pop("choices"),
            "answer": r.pop("answer"),
            "other_attributes": r,
        }
        for r in records
    ]


def test_mmau_is_read_as_its_own_repository_has_it(monkeypatch, data, tmp_path):
    """gamma-lab-umd/MMAU-test-mini: context, instruction, choices and answer with their letters in
    front, other_attributes as JSON text; some sounds are MP3 whatever their name says."""
    rows = [
        {
            "context": row["context"],
            "instruction": row["question"],
            "choices": [f"({'ABCDE'[i]}) {c}" for i, c in enumerate(row["choices"])],
            "answer": f"({'ABCDE'[row['choices'].index(row['answer'])]}) {row['answer']}",
            "other_attributes": json.dumps(row["other_attributes"]),
        }
        for row in hub_rows(data)
    ]
    rows[1]["context"] = {"bytes": None, "path": None}
    rows[2]["answer"] = rows[2]["answer"][:3]
    features = {
        "context": Audio(),
        "instruction": 0,
        "choices": 0,
        "answer": 0,
        "other_attributes": 0,
    }
    stand_in(monkeypatch, rows, features)
    _, found = MMAU.load(hub.fetch(MMAU, "gamma-lab-umd/MMAU-test-mini", "test", tmp_path))
    _, local = MMAU.load(data["mmau"])
    for ours, theirs in zip(found, local, strict=False):
        assert (ours.id, ours.question, ours.options, ours.answer, ours.strata) == (
            theirs.id,
            theirs.question,
            theirs.options,
            theirs.answer,
            theirs.strata,
        )
    assert [item.audio.is_file() for item in found] == [True, False, True, True, True, True]


@pytest.mark.parametrize("write", [json.dumps, str])
def test_options_written_as_text_are_read_and_their_own_letters_stay(
    monkeypatch, data, tmp_path, write
):
    rows = hub_rows(data)
    for row in rows:
        row |= row.pop("other_attributes")
        row["sub_category"] = row.pop("sub-category")
        row["choices"] = write(row["choices"])
    rows[0]["choices"], rows[0]["answer"] = write(["A) minor", "major"]), "major"
    stand_in(monkeypatch, rows, {**dict.fromkeys(rows[0]), "context": Audio()})
    _, found = MMAU.load(hub.fetch(MMAU, "lmms-lab/mmau", "test_mini", tmp_path))
    _, local = MMAU.load(data["mmau"])
    assert found[0].options == ("A) minor", "major")
    assert [i.options for i in found[1:]] == [i.options for i in local[1:6]]
    assert [i.strata for i in found] == [i.strata for i in local[:6]]


FEATURES = {"context": Audio(), "question": 0, "choices": 0, "answer": 0, "other_attributes": 0}


def test_rows_of_the_hub_are_read_as_the_official_file_is(monkeypatch, data, tmp_path):
    rows = hub_rows(data)
    asked = stand_in(monkeypatch, rows, FEATURES)
    path = hub.fetch(MMAU, "lab/MMAU@abc", "test", tmp_path)
    assert asked == [("lab/MMAU", "test", "abc")]
    _, found = MMAU.load(path)
    _, local = MMAU.load(data["mmau"])
    for ours, theirs, row in zip(found, local, rows, strict=False):
        assert (ours.id, ours.question, ours.options, ours.answer, ours.strata) == (
            theirs.id,
            theirs.question,
            theirs.options,
            theirs.answer,
            theirs.strata,
        )
        assert ours.audio.read_bytes() == row["context"]["bytes"]
    assert len(found) == 6


@pytest.mark.parametrize(
    ("rows", "features", "message"),
    [
        (ConnectionError("no network"), {}, "could not be had from the hub .no network"),
        ([], {"question": 0}, "has 0 columns of sound"),
        (
            [{"context": {"bytes": b"x", "path": "x.wav"}, "q": "?"}],
            {"context": Audio()},
            "has no 'id'",
        ),
    ],
)
def test_what_is_not_the_benchmark_is_refused(monkeypatch, tmp_path, rows, features, message):
    stand_in(monkeypatch, rows, features)
    with pytest.raises(UserError, match=message):
        hub.fetch(MMAU, "lab/MMAU", "test", tmp_path)


def test_without_datasets_the_user_is_told_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match="pip install datasets, or give the path"):
        hub.fetch(MMAU, "lab/MMAU", "test", tmp_path)


def test_air_bench_is_files_on_the_hub_and_is_refused_as_rows(tmp_path):
    with pytest.raises(UserError, match="download its folder"):
        hub.fetch(catalogue.get("air-bench"), "lab/AIR", "test", tmp_path)
