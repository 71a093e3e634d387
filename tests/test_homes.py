"""Damaged homes: what is broken is skipped and named, what is whole still works."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from spectcount import actions, jobs, listeners
from spectcount.errors import UserError
from spectcount.jobs.confirmations import confirmation_run
from spectcount.listeners.checkpoints.cards import cards
from spectcount.listeners.checkpoints.files import revision_of
from spectcount.listeners.checkpoints.hashes import stored_tensors, weight_files
from spectcount.probing.plan import plan_from_dict
from spectcount.settings import Settings, load_settings
from spectcount.store import Store, schema

BROKEN = {
    "empty": b"",
    "cut": b'{"base_model',
    "list": b"[1]",
    "deep": b"[" * 100_000,
    "noise": bytes(range(256)),
    "option": b'{"base_model_name_or_path": "tiny-lalm+nope"}',
    "no adapter": b'{"base_model_name_or_path": "tiny-lalm@"}',
    "number": b'{"base_model_name_or_path": [1]}',
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", device="cpu", environ={})


def _adapter(settings: Settings, run: str) -> Path:
    source = settings.models / "tiny-lalm-adapters" / "example"
    return Path(shutil.copytree(source, settings.runs / run / "adapter"))


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_adapter_leaves_the_others(settings: Settings, content: bytes) -> None:
    _adapter(settings, "tune-good")
    (_adapter(settings, "tune-bad") / "adapter_config.json").write_bytes(content)
    assert list(listeners.adapters("tiny-lalm", settings)) == ["example", "tune-good"]
    with pytest.raises(UserError, match="tune-bad"):
        listeners.adapter_folder("tiny-lalm@tune-bad", settings)
    assert listeners.adapter_folder("tiny-lalm@tune-good", settings)


def test_a_folder_in_place_of_a_config_is_skipped(settings: Settings) -> None:
    config = _adapter(settings, "tune-bad") / "adapter_config.json"
    config.unlink()
    config.mkdir()
    assert list(listeners.adapters("tiny-lalm", settings)) == ["example"]


@pytest.mark.parametrize("content", [b"", b"\x08", b"\xff" * 64, b"\x02" + bytes(7) + b"[]"])
def test_damaged_weights_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors is no whole safetensors"):
        list(stored_tensors(file))


def test_weights_cut_in_the_middle_are_refused(settings: Settings, tmp_path: Path) -> None:
    whole = (settings.models / "tiny-lalm" / "model.safetensors").read_bytes()
    file = tmp_path / "model.safetensors"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cut short"):
        list(stored_tensors(file))


@pytest.mark.parametrize("index", [b"[]", b"{}", b'{"weight_map": {"a": "gone.safetensors"}}'])
def test_a_broken_index_of_weights_is_refused(tmp_path: Path, index: bytes) -> None:
    (tmp_path / "model.safetensors.index.json").write_bytes(index)
    with pytest.raises(UserError, match="get"):
        weight_files(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe\x00"])
def test_a_broken_model_is_listed_with_its_reason(settings: Settings, content: bytes) -> None:
    folder = settings.home / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(content)
    (folder / "spectcount-source.json").write_bytes(b"nope")
    rows = {row.name: row for row in actions.models(settings)}
    assert not rows["mine"].usable
    assert rows["mine"].about
    assert rows["tiny-lalm"].usable
    assert revision_of(folder) == ""


def test_a_broken_card_leaves_the_others(settings: Settings) -> None:
    folder = settings.home / "models"
    folder.mkdir()
    (folder / "bad.yaml").write_bytes(b":\n - [")
    (folder / "folder.yaml").mkdir()
    assert "tiny-lalm" in cards(settings)
    assert not {"bad", "folder"} & set(cards(settings))


def test_a_full_disk_leaves_runs_to_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Store(settings.database).create_run("probe", {"plan": {}, "listeners": [], "seed": 0})

    def full(path: Path) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(schema, "_bring_up", full)
    store = Store(settings.database)
    assert store.read_only
    assert [r.id for r in store.runs()] == [run.id]
    assert "disk I/O error" in capsys.readouterr().err
    with pytest.raises(UserError, match="cannot be used"):
        store.add_event(run.id, "more")
    with pytest.raises(UserError, match="disk I/O error"):
        Store(settings.home / "new.sqlite")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("verb", [["families"], ["runs", "list"]])
def test_output_that_cannot_be_written_is_a_sentence(settings: Settings, verb: list[str]) -> None:
    Store(settings.database).create_run("probe", {"plan": {}, "listeners": [], "seed": 0})
    command = [sys.executable, "-m", "spectcount", "--home", str(settings.home), *verb]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("free some space on its disk, or give another folder")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("home", ["x" * 3700, "/tmp/" + "/".join(["x" * 180] * 20), "~nobody-9/a"])
def test_a_home_that_no_file_can_have_is_refused(home: str) -> None:
    with pytest.raises(UserError, match="path"):
        load_settings(home=home, environ={})


def test_a_run_of_half_characters_is_refused(settings: Settings) -> None:
    with pytest.raises(UserError, match="is no run's id"):
        Store(settings.database).run("a\udcff")


def test_interleaved_plans_are_not_crossed_with_wordings(settings: Settings) -> None:
    with pytest.raises(UserError, match="2 plans cannot be crossed with wordings"):
        actions.start_wordings(settings, "two-procedures", "first")


ODD_ROWS = {
    "negative pid": {"pid": -1, "pid_started_at": 0, "state": "running"},
    "pid in words": {"pid": "x", "state": "running"},
    "counts in words": {"done": "x", "total": "y"},
    "times in words": {"created_at": "yesterday", "started_at": "x", "ended_at": "y"},
    "bytes for text": {"reason": b"\xff\xfe"},
    "rate in words": {"rate": "x", "state": "running"},
    "listeners null": {"config": '{"plan": {}, "listeners": null}'},
    "listeners numbers": {"config": '{"plan": {}, "listeners": [3, null]}'},
    "plan a list": {"config": '{"plan": [1], "listeners": ["ideal"]}'},
    "seed NaN": {"config": '{"plan": {}, "listeners": ["ideal"], "seed": NaN}'},
    "summary a list": {"summary": "[1]"},
    "regions a list": {"summary": '{"regions": [1]}'},
    "confirmation of nothing": {"kind": "confirm", "config": "{}"},
    "one listener compared": {"kind": "compare"},
    "a panel of no parts": {"kind": "panel"},
    "wordings of none": {"kind": "wordings"},
    "nobody asked": {"config": '{"plan": {"kind": "map"}, "listeners": [], "seed": 0}'},
    "seen a number": {"lineage": '{"seen": 5}'},
    "notes a number": {"lineage": '{"notes": [5]}'},
    "a listener null": {"summary": '{"listeners": {"ideal": null}}'},
    "regions of numbers": {"summary": '{"regions": {"ideal": [3]}}'},
    "a benchmark of nothing": {
        "kind": "benchmark",
        "summary": '{"listeners": {}}',
        "config": '{"benchmark": "mmau", "listeners": ["first"]}',
    },
}


@pytest.mark.parametrize("row", ODD_ROWS.values(), ids=ODD_ROWS)
def test_an_odd_row_leaves_the_other_runs(settings: Settings, row: dict[str, object]) -> None:
    store = Store(settings.database)
    config = {"plan": {"kind": "map"}, "listeners": ["ideal"], "seed": 0}
    good, bad = (store.create_run("probe", config, state="done") for _ in range(2))
    sets = ", ".join(f"{name} = ?" for name in row)
    with sqlite3.connect(settings.database) as db:
        db.execute(f"UPDATE runs SET {sets} WHERE id = ?", [*row.values(), bad.id])
    jobs.tend(store, settings)
    assert {run.id for run in store.runs()} == {good.id, bad.id}
    assert store.run(bad.id).damage
    assert confirmation_run(store, good.id, "ideal") is None
    for read in (actions.figure_names, actions.start_confirm):
        with pytest.raises(UserError, match="damaged"):
            read(settings, bad.id)
    store.run(good.id).whole()


@pytest.mark.parametrize("kind", ["nonsense", ""])
def test_a_run_of_an_unknown_kind_has_no_report(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    store = Store(settings.database)
    config = {"plan": {"kind": "map"}, "listeners": ["ideal"], "seed": 0}
    run = store.create_run("probe", config, state="done")
    with sqlite3.connect(settings.database) as db:
        db.execute("UPDATE runs SET kind = ? WHERE id = ?", [kind, run.id])
    for write in (actions.write_report, actions.export):
        with pytest.raises(UserError, match="does not know"):
            write(settings, run.id, tmp_path)


@pytest.mark.parametrize("kind", ["file", "link to nowhere", "pipe"])
def test_runs_that_are_no_folder_are_named(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "runs"
    if kind == "file":
        place.write_text("x")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match=f"{place} is no folder .* rename it"):
        load_settings(home=tmp_path, environ={})


def test_another_applications_database_is_set_aside(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(settings.database) as db:
        db.execute("CREATE TABLE cookies (name)")
        db.execute("PRAGMA user_version = 7")
    assert Store(settings.database).runs() == []
    said = capsys.readouterr()
    assert "another application's" in said.err and not said.out
    (aside,) = settings.home.glob("spectcount.sqlite.damaged-*")
    with sqlite3.connect(aside) as db:
        assert db.execute("SELECT count(*) FROM cookies").fetchone() == (0,)


@pytest.mark.parametrize("kind", [[1], {"a": 1}, None, 3, "x" * 1_000_000], ids=range(5))
def test_a_plan_of_no_kind_is_a_short_sentence(kind: object) -> None:
    with pytest.raises(UserError, match="is no plan") as refused:
        plan_from_dict({"kind": kind})
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["carriers", "models", "presets", "benchmarks"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    command = [sys.executable, "-m", "spectcount", "--home", str(tmp_path), "models"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "tiny-lalm" in done.stdout
    assert re.search(f"{tmp_path / name} is no folder, so .*; rename or remove it", done.stderr)


@pytest.mark.parametrize("emptied", [True, False])
def test_a_store_that_was_emptied_says_what_it_does_not_list(
    settings: Settings, capsys: pytest.CaptureFixture[str], emptied: bool
) -> None:
    store = Store(settings.database)
    assert store.lost_runs() == []
    store.create_run("probe", {"plan": {}, "listeners": [], "seed": 0}, state="done")
    assert store.lost_runs() == []
    for file in settings.home.glob("spectcount.sqlite*"):
        file.unlink()
    if emptied:
        settings.database.touch()
    words = f"runs/ holds 1 folder(s) that the store {settings.database} does not list"
    again = Store(settings.database)
    assert words in capsys.readouterr().err
    (sentence,) = again.lost_runs()
    assert sentence.startswith(words) and "put a copy of the store back" in sentence
    assert capsys.readouterr().err == ""


def test_an_own_model_with_the_name_of_a_shipped_one_is_named(settings: Settings) -> None:
    assert settings.damaged_places() == []
    folder = settings.home / "models" / "tiny-lalm"
    folder.mkdir(parents=True)
    (sentence,) = settings.damaged_places()
    assert sentence.startswith(f"{folder} has the name of a shipped model, which is used")
