"""What a person reads in a terminal: answers, maps, tables, names of runs, near misses."""

from __future__ import annotations

import io
import json
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from spectcount import actions
from spectcount.cli import pictures, terminal
from spectcount.errors import UserError
from spectcount.figures.spec import Box, Line, heatmap_value, lines_value
from spectcount.settings import load_settings
from spectcount.store import Store

MAP = {"kind": "map", "task": "count", "nx": 3, "ny": 2, "trials": 10, "catch_trials": 0}
NARROW = 80


class Terminal(io.StringIO):
    """A text file that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTCOUNT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPECTCOUNT_DEVICE", "cpu")
    return load_settings()


@pytest.fixture
def on_terminal(monkeypatch):
    """Stdout as a terminal of 80 columns with colours; its text so far."""
    file = Terminal()
    monkeypatch.setattr(terminal, "sys", SimpleNamespace(stdout=file, stderr=file, argv=sys.argv))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(NARROW))
    return file.getvalue


def ended(home, kind="probe", state="done", **config):
    """A run of a kind that has ended in a state, without a worker."""
    run = Store(home.database).create_run(kind, {"listeners": ["ideal"], **config})
    Store(home.database).update(run.id, state=state)
    return run.id


def test_answers_are_a_line_for_each_listener(call):
    code, out, _ = call("ask", "--preset", "early", "--listener", "ideal", "--listener", "first")
    lines = out.splitlines()
    assert code == 0 and len(lines) <= 5
    assert "truth 3" in lines[0] and "clip " in lines[0]
    assert lines[2].split()[:5] == ["ideal", "3", "right", "...#.......", "3:"]
    assert lines[3].split()[:3] == ["first", "0", "wrong"]
    assert "\x1b" not in out
    full = call("ask", "--preset", "early", "--listener", "ideal", "--verbose")[1]
    assert "log_probs:" in full and len(full.splitlines()) > 30


def test_bars_are_digits_where_piped_and_blocks_on_a_terminal(on_terminal, monkeypatch):
    shares = [0.0, 0.5, 1.0]
    assert terminal.bars(shares) == " ▄█"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.bars(shares) == ".5#"


@pytest.fixture
def grid():
    z = np.array([[0.0, 0.1, np.nan], [0.9, 1.0, 0.5]])
    boxes = [Box([0, 0], [0, 1], "1")]
    labels = {"x_label": "Onset (s)", "y_label": "Level", "z_label": "accuracy"}
    return heatmap_value(z, [1, 2, 3], [10, 20], regions=boxes, title="me", **labels)


def test_a_map_is_a_grid_with_its_regions_in_brackets(grid, capsys):
    pictures.show_figure(grid)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("accuracy, %")
    assert lines[1].split() == ["20", "90", "100", "50"]
    assert lines[2].rstrip() == "10 [  0  10]  -"


def test_a_map_is_coloured_on_a_terminal_and_not_where_no_color_is_set(
    grid, on_terminal, monkeypatch
):
    pictures.show_figure(grid)
    coloured = on_terminal()
    assert "\x1b[" in coloured and "48;5;" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    pictures.show_figure(grid)
    assert "48;5;" not in on_terminal().removeprefix(coloured)


def test_a_map_too_wide_for_numbers_is_a_digit_a_cell(capsys):
    z = np.linspace(0, 1, 60)[None, :]
    labels = {"x_label": "x", "y_label": "y", "z_label": "accuracy"}
    pictures.show_figure(heatmap_value(z, range(60), [0], **labels))
    row = capsys.readouterr().out.splitlines()[1].split()[-1]
    assert len(row) == 60 and row[0] == "0" and row[-1] == "9" and [*row] == sorted(row)


def test_a_curve_is_a_table_of_intervals_that_rise_with_it(capsys):
    y = [0.1, 0.5, 0.9]
    low, high = ([v + d for v in y] for d in (-0.1, 0.1))
    line = Line("me", [1, 2, 3], y, low, high, n=[20, 20, 20])
    pictures.show_figure(
        lines_value([line], x_label="gap", y_label="accuracy", y_range=(-0.02, 1.02))
    )
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[1:3] for row in rows] == [["20", "0.10"], ["20", "0.50"], ["20", "0.90"]]
    places = [row.rindex("o") for row in rows]
    assert places == sorted(places) and places[0] < places[2]


def test_a_track_is_drawn_with_rights_above_wrongs(capsys):
    right = Line("right", [1, 2], [8, 4], mode="markers")
    wrong = Line("wrong", [3], [1], mode="markers", symbol="x")
    pictures.show_figure(lines_value([right, wrong], x_label="trial", y_label="gap", y_log=True))
    lines = capsys.readouterr().out.splitlines()
    rows = [k for k, line in enumerate(lines) if "|" in line and set(line) & set("ox")]
    assert len(rows) == 3 and lines[rows[-1]].endswith("x")
    assert "o right" in lines[-1] and "x wrong" in lines[-1]


def test_a_probe_prints_its_map_regions_and_the_next_command(call, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"title": "Small", "about": "For a test.", "plan": MAP}))
    code, out, err = call("probe", path, "--listener", "first", "--seed", 1)
    assert code == 0, err
    run_id = err.split()[0]
    assert out.splitlines()[0].startswith(f"{run_id}  done") and "60 trials" in out
    assert "accuracy" in out and "suspected" in out and "[" in out
    assert f"next: spectcount confirm {run_id}" in out
    assert len(out.splitlines()) < 25
    assert call("runs", "show", run_id)[1] == out
    assert "fingerprint" in call("runs", "show", run_id, "--verbose")[1]
    listed = call("runs", "list")[1].splitlines()
    head = ["run", "kind", "what", "listeners", "state", "progress", "when"]
    assert listed[0].split() == head and listed[1].split()[0] == run_id


def test_a_run_is_found_by_the_name_it_was_given(home, call):
    run_id, other = ended(home), ended(home)
    assert call("runs", "rename", run_id, "  high   tones ")[0] == 0
    assert actions.run_called(home, "high tones").id == run_id
    assert json.loads(call("runs", "show", "high tones", "--json")[1])["id"] == run_id
    assert '"high tones"' in call("runs", "list")[1]
    code, _, err = call("runs", "rename", other, "high tones")
    assert code == 2 and "is called 'high tones' already" in err
    assert call("runs", "rename", other, run_id)[0] == 2
    code, _, err = call("runs", "show", "high tone")
    assert code == 2 and "did you mean high tones?" in err
    call("runs", "rename", "high tones", "")
    with pytest.raises(UserError, match="there is no run 'high tones'"):
        actions.run_called(home, "high tones")


@pytest.mark.parametrize("name", ["-x", "a\x07b", "n" * 61])
def test_a_name_that_cannot_be_typed_is_refused(home, name):
    with pytest.raises(UserError, match="is not usable; give at most 60"):
        actions.rename_run(home, ended(home), name)


def test_rm_asks_and_removes_rows_and_folder(home, call, monkeypatch):
    run_id = ended(home)
    folder = Store(home.database).run(run_id).folder
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, _, err = call("runs", "rm", run_id)
    assert code == 2 and "give --yes" in err and folder.exists()
    assert call("runs", "rm", run_id, "--yes")[0] == 0
    assert not folder.exists() and Store(home.database).runs() == []


@pytest.mark.parametrize("state", ["queued", "running", "stopping", "open"])
def test_rm_refuses_a_run_that_has_not_ended(home, state):
    done, alive = ended(home), ended(home, state=state)
    with pytest.raises(UserError, match=f"{alive} is {state}; end it first"):
        actions.remove_runs(home, [done, alive], force=True)
    assert {run.id for run in Store(home.database).runs()} == {done, alive}
    assert not Store(home.database).delete_run(alive)


@pytest.mark.parametrize("spec", ["tiny-lalm@{}", "silence:tiny-lalm@{}", "tiny-lalm+bf16@{}"])
def test_rm_leaves_an_adapter_that_another_run_asked(home, spec):
    tuned = ended(home, "tune", base="tiny-lalm")
    asking = ended(home, listeners=["tiny-lalm", spec.format(tuned)])
    with pytest.raises(UserError, match=f"was asked in {asking}.*or give --force"):
        actions.remove_runs(home, [tuned])
    assert [run.id for run in actions.remove_runs(home, [tuned, asking])] == [tuned, asking]
    tuned = ended(home, "tune", base="tiny-lalm")
    ended(home, listeners=[spec.format(tuned)])
    assert actions.remove_runs(home, [tuned], force=True)
    tuned = ended(home, "tune", base="tiny-lalm")
    ended(home, state="running", listeners=[spec.format(tuned)])
    with pytest.raises(UserError, match="is being asked by"):
        actions.remove_runs(home, [tuned], force=True)


def test_removing_a_run_leaves_the_answers_that_another_has(home, call, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"title": "Small", "about": "For a test.", "plan": MAP}))
    first, second = (
        json.loads(call("probe", path, "--listener", "first", "--json")[1])["run"] for _ in "ab"
    )
    store = Store(home.database)
    before = store.trials(second)
    actions.remove_runs(home, [first])
    assert store.trials(second) == before and len(before) == 60
    keys, fingerprint = [trial.key for trial in before], before[0].fingerprint
    actions.remove_runs(home, [second])
    assert store.known_trials(fingerprint, keys) == {}


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("ask", "--preset", "early", "--listener", "tiny-lam"), "tiny-lalm"),
        (("ask", "--preset", "early", "--listener", "idael"), "ideal"),
        (("ask", "--preset", "early", "--listener", "tiny-lalm@exmple"), "example"),
        (("ask", "--preset", "erly", "--listener", "ideal"), "early"),
        (("ask", "--family", "pulse", "--listener", "ideal"), "pulses"),
        (("ask", "--preset", "early", "--task", "cuont", "--listener", "ideal"), "count"),
        (("families", "puls"), "pulses"),
        (("panel", "embeded"), "embedded"),
        (("tune", "laptp"), "laptop"),
        (("models", "show", "tiny-lam"), "tiny-lalm"),
    ],
)
def test_a_near_miss_is_answered_with_the_nearest_name(call, arguments, near):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert f"did you mean {near}?" in err


@pytest.mark.parametrize("verb", ["probe", "compare", "wordings", "listen", "panel", "tune"])
def test_presets_are_listed_with_their_cost(call, verb):
    code, out, _ = call(verb, "--list")
    lines = out.splitlines()
    assert code == 0 and lines[0].split()[:2] == ["preset", "title"]
    assert lines[-1].startswith(f"next: spectcount {verb} ")
    code, out, _ = call(verb, "--list", "--json")
    rows = json.loads(out)
    assert code == 0 and len(rows) == len(lines) - 2
    assert all(any(letter.isdigit() for letter in row["cost"]) for row in rows)


def test_verbs_are_in_the_order_of_the_work_with_examples(call):
    out = call("--help")[1]
    names = ("ask", "probe", "confirm", "tune", "compare", "report", "runs")
    places = [out.index(f"│ {name} ") for name in names]
    assert places == sorted(places)
    for verb in names:
        assert f"spectcount {verb}" in call(verb, "--help")[1].partition("Examples:")[2]


@pytest.mark.parametrize("arguments", [("families",), ("models",), ("benchmark", "list")])
def test_lists_are_short_tables(call, arguments):
    out = call(*arguments)[1]
    full = call(*arguments, "--verbose")[1]
    assert len(out) < len(full) and "next: " in out


def test_pace_tells_rate_and_time_left():
    clock = iter([0.0, 10.0, 10.0, 11.0])
    pace = terminal.Pace(lambda: next(clock))
    assert pace.words(100, 400) == ""
    assert pace.words(200, 400) == "10/s, 20 s left"
    assert pace.words(0, 400) == ""  # begun anew
    assert pace.words(1, 121) == "1/s, 2 min 0 s left"


def test_warnings_of_libraries_are_not_shown_unless_they_are_wanted(call, monkeypatch):
    with warnings.catch_warnings(record=True) as caught:
        monkeypatch.setattr(sys, "warnoptions", [])
        monkeypatch.delenv("PYTHONWARNINGS", raising=False)
        warnings.simplefilter("always")
        call("runs", "list")
        warnings.warn("a library's", FutureWarning, stacklevel=1)
    assert caught == []
