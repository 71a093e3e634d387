"""The Benchmark tab without a browser: what the form reads and refuses, the verdict first, floors,
missing sounds, a result while the run goes on, files for the official script."""

from __future__ import annotations

import json
import sys
import time
import zipfile
from pathlib import Path

import gradio as gr
import pytest

from spectcount import jobs
from spectcount.benchmarks.catalogue import BENCHMARKS
from spectcount.benchmarks.questions import sheet_of
from spectcount.configs import BenchmarkConfig
from spectcount.errors import UserError
from spectcount.settings import load_settings
from spectcount.store import Store
from spectcount.ui import benchmark_form, benchmark_tab
from spectcount.ui.benchmark_form import SOURCES, files_html
from spectcount.ui.benchmark_result import result_html
from spectcount.ui.header import Header

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import asking
import make_fixtures


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    make_fixtures.write(folder)
    return {name: folder / name for name in make_fixtures.MAKERS}


def form_of(settings):
    with gr.Blocks():
        header = Header(gr.Dropdown(["m"]), gr.Dropdown(["a"]))
        return benchmark_form.BenchmarkForm(settings, Store(settings.database), header)


def values(path, who="first", name="mmau", mode="reply", **changes):
    """What the form's widgets send."""
    sent = {
        "name": name,
        "path": str(path),
        "split": "test",
        "who": who,
        "prompt": "",
        "mode": mode,
        "rotate": False,
        "limit": 0,
        "seed": 0,
        "base": "tiny-lalm",
        "tuned": "example",
    }
    return list({**sent, **changes}.values())


def says(name, reply):
    return asking.Says(reply, name=name)


def ran(name, folder, *listeners, **options):
    summary, context = asking.execute(name, folder, *listeners, **options)
    return summary, context


def polled(view, run_id, sent):
    """What the page gets once the result, which is made behind it, is there."""
    deadline = time.monotonic() + 30
    while view.result not in (new := view.poll(run_id, sent)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return new


def test_the_form_gives_what_the_action_takes(settings, data):
    form = form_of(settings)
    read = form.read(values(data["mmau"], "pair", rotate=True, limit=3, seed=5))
    assert (read["listener"], read["tuned"]) == ("tiny-lalm", "tiny-lalm@example")
    assert (read["limit"], read["seed"], read["rotate"], read["prompt"]) == (3, 5, True, None)
    assert form.read(values(data["mmau"], "silence"))["listener"] == "silence:tiny-lalm"
    assert form.read(values(data["mmau"], "tuned"))["tuned"] is None
    with pytest.raises(UserError, match=r"give the folder that holds mmau-test-mini\.json"):
        form.read(values("  "))
    with pytest.raises(UserError, match="limit of items is -2; give a whole number from 1"):
        form.read(values(data["mmau"], limit=-2))
    with pytest.raises(UserError, match="no tuned adapter"):
        form.read(values(data["mmau"], "pair", tuned="none"))


def test_the_form_says_before_the_start_what_is_asked_and_what_is_missing(settings, data):
    form = form_of(settings)
    words, split = form.look(*values(data["mmau"], "pair", rotate=True))
    assert "7 of 7 items: 24 questions × 2 listeners." in words and not split["visible"]
    assert "1 of 7 sounds are missing: mmau-missing" in words
    assert "Options in brackets" in words, "the prompt's own description"
    refused, _ = form.look(*values("/nowhere"))
    assert 'role="alert"' in refused and "there is nothing at /nowhere" in refused
    fetched, split = form.look(*values("hf:owner/name"))
    assert "fetched from the hub" in fetched and split["visible"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_where_its_files_are_and_how_the_folder_looks(settings, name):
    words = files_html(name)
    assert SOURCES[name].links[0][1] in words and BENCHMARKS[name].files[0] in words
    form = form_of(settings)
    new = form.choose(name)
    assert new[form.path] == "" and new[form.prompt]["value"] == BENCHMARKS[name].prompts[0]
    assert set(SOURCES) == set(BENCHMARKS)


def test_the_demo_looks_at_nothing_and_starts_nothing(tmp_path, data, on_page):
    demo = load_settings(mode="demo", home=tmp_path / "demo", device="cpu")
    view = on_page(benchmark_tab.BenchmarkView, demo)
    looked, split = view.form.look(*values("hf:some/thing"))
    assert "The demo reads no benchmark" in looked and not split["visible"]
    new = view.start(*values(data["mmau"]))
    assert view.run not in new and "The demo reads no benchmark" in new[view.message]
    assert "The demo hands out no rows" in view.export("any")[0]


def test_two_listeners_the_verdict_comes_first_then_scores_beside_their_floors(data):
    summary, _ = ran("mmau", data["mmau"], says("base", asking.first), says("tuned", asking.truth))
    words = result_html(summary)
    verdict, table = words.index('class="said said-'), words.index("<table")
    assert verdict < words.index("score on MMAU") < table
    assert "strict score on MMAU test-mini +0." in words and "So far" not in words
    for head in ("Strict", "Official", "Balanced over places", "Unparsed", "First option chosen"):
        assert f"<th>{head}</th>" in words
    assert "Always the first option" in words and "A blind guess" in words
    assert "McNemar" in words and "Sound missing: 1 of 7 items" in words
    assert "<b>mmau-missing</b>: there is no file" in words
    assert words.index("By task (3)") < words.index("By difficulty (3)"), "the benchmark's order"
    assert "<th>Base strict</th><th>Tuned strict</th>" in words and "Changes at " in words
    assert "What the official script does" in words and "The whole report as text" in words


def test_one_listener_and_every_order_and_scores(data):
    summary, _ = ran("mmsu", data["mmsu"], says("<m>", asking.first), mode="scored", rotate=True)
    words = result_html(summary)
    assert "&lt;m&gt;: strict score" in words and "<m>" not in words
    assert "a blind guess" in words and "Change of" not in words
    assert "the same option in every order" in words
    assert "100.0 %<small>6 of 6</small>" in words, "the first option is always chosen"
    low = {**summary["listeners"]["<m>"], "mean_mass": 0.001}
    cautious = result_html({**summary, "listeners": {"<m>": low}})
    assert "a mean probability of 0.001" in cautious and "a probability of 0.5" not in words


def test_a_file_without_answers_has_no_score(tmp_path, data):
    rows = json.loads((data["mmau"] / "mmau-test-mini.json").read_text())
    for row in rows:
        row.pop("answer")
    (tmp_path / "mmau-test.json").write_text(json.dumps(rows))
    (tmp_path / "test-audios").symlink_to(data["mmau"] / "test-mini-audios")
    summary, _ = ran("mmau-test", tmp_path, says("m", asking.first))
    words = result_html(summary)
    assert "The file holds no answers" in words and "Strict" not in words.split("details")[0]


def test_a_running_benchmark_shows_what_is_stored_and_ends_at_the_summary(settings, data, on_page):
    view = on_page(benchmark_tab.BenchmarkView, settings)
    store = view.store
    config = asking.config("mmau", data["mmau"], listeners=["a", "b"])
    run = store.create_run("benchmark", config, state="running")
    assert benchmark_tab.NO_ANSWER in polled(view, run.id, {})[view.result]
    summary, context = ran("mmau", data["mmau"], says("a", asking.first), says("b", asking.truth))
    trials = context.ledger.trials("run")
    store.add_trials(run.id, trials[:6])
    new = polled(view, run.id, {})
    result, sent = new[view.result], new[view.sent]
    assert "running" in new[view.progress]
    assert "So far 6 of 14 questions" in result
    assert "Sound missing" not in result, "the missing sound comes last"
    assert view.poll(run.id, sent) == {view.sent: sent}
    store.add_trials(run.id, trials[6:])
    live = benchmark_tab.so_far(store.run(run.id), view._sheet(run), store.trials(run.id))
    assert live["listeners"]["b"]["official"] == summary["listeners"]["b"]["official"]
    rows = zip(live["strata"]["task"], summary["strata"]["task"], strict=True)
    for now, end in list(rows)[:2]:
        assert now["change"] is None and {**end, "change": None, "verdict": None} == now
    store.update(run.id, state="done", summary=summary, ended_at=1.0)
    ended = polled(view, run.id, sent)[view.result]
    assert "So far" not in ended and "Sound missing: 1 of 7" in ended


def test_missing_sounds_count_only_once_they_are_passed(data):
    sheet = sheet_of(BenchmarkConfig.from_json(asking.config("mmau", data["mmau"])))
    _, context = ran("mmau", data["mmau"], says("a", asking.first))
    trials = context.ledger.trials("run")
    assert benchmark_tab.missing_before(sheet, trials) == {}
    moved = sheet.__class__(**{**vars(sheet), "items": tuple(reversed(sheet.items))})
    assert list(benchmark_tab.missing_before(moved, trials[:1])) == [sheet.items[-1].row]
    assert benchmark_tab.missing_before(moved, []) == {}


def test_started_exported_and_how_to_run_the_official_script(settings, data, monkeypatch, on_page):
    monkeypatch.setattr(jobs, "tend", lambda store, settings: None)
    view = on_page(benchmark_tab.BenchmarkView, settings)
    store = view.store
    assert "there is nothing at" in view.start(*values("/nowhere"))[view.message]
    new = view.start(*values(data["mmau"]))
    words = new[view.message]
    run = store.run(new[view.run]["value"])
    assert run.id in words and "notice-error" not in words
    assert run.config["listeners"] == ["first"]
    assert benchmark_form.last_path(store, "mmau") == run.config["path"]
    assert view.form.choose("mmau")[view.form.path] == run.config["path"], "the path is remembered"
    assert "has no reply yet" in view.export(run.id)[0] and not view.export(run.id)[1]["visible"]
    store.claim(run.id)
    jobs.kinds.benchmark(jobs.context.JobContext(store.run(run.id), store), settings)
    told, files = view.export(run.id)
    assert "6 replies in 7 rows" in told and f"--input {run.id}-predictions/first/" in told
    with zipfile.ZipFile(files["value"][0]) as packed:
        assert any(name.endswith("mmau-test-mini-predictions.json") for name in packed.namelist())
    assert "Choose a run first" in view.export(None)[0]


def test_nothing_run_yet_says_what_to_do(settings, on_page):
    view = on_page(benchmark_tab.BenchmarkView, settings)
    new = view.poll(None, {})
    assert "press Start benchmark" in new[view.progress]
    assert view.progress not in view.poll(None, new[view.sent])
    assert "There is no benchmark run" in view.poll("gone", {})[view.progress]


def test_how_long_it_will_take_comes_from_the_newest_run_of_the_same_way(settings):
    store = Store(settings.database)
    run = store.create_run("benchmark", {"mode": "reply"}, state="done")
    store.update(run.id, summary={"listeners": {"a": {"clips_per_s": 2.0}, "b": {}}})
    assert benchmark_form.measured_rate(store, ["a", "c"], "reply") == (2.0, run.id)
    assert benchmark_form.measured_rate(store, ["a"], "scored") is None
