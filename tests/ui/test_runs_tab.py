"""The Runs tab without a browser: list, details, stop, resume, export."""

from __future__ import annotations

import zipfile

import gradio as gr
import pytest

from spectcount import actions, jobs
from spectcount.store import Store
from spectcount.ui.polling import duration_text, progress_html
from spectcount.ui.runs import RunsView, artefact_text, list_html


@pytest.fixture
def view(settings, monkeypatch):
    monkeypatch.setattr(jobs, "tend", lambda *_: None)
    with gr.Blocks():
        return RunsView(settings, Store(settings.database))


def test_empty_list_says_what_to_do(view):
    new = view.poll(None, {})
    assert "Probe" in new[view.table] and new[view.about] == ""


def test_failed_run_shows_reason_log_and_files(view):
    run = view.store.create_run("tune", {"base": "m"}, {"probe": "probe-1"})
    run.log_path.write_text("first\nlast <line>\n")
    view.store.add_event(run.id, "it said this")
    view.store.update(
        run.id, state="failed", reason="out of memory; lower the batch", done=3, total=9
    )
    new = view.poll(run.id, {})
    table, details, sent = new[view.table], new[view.about], new[view.sent]
    assert "out of memory" in table and "✖ failed" in table and "3 / 9" in table
    for words in ("last &lt;line&gt;", "it said this", "probe-1", "log.txt", "lower the batch"):
        assert words in details
    assert view.poll(run.id, sent) == {view.sent: sent}


def test_stop_and_resume_answer_in_words(view):
    run = view.store.create_run("probe", {"plan": {"kind": "map"}, "listeners": ["m"]})
    assert "Choose a run" in view.cancel(None)
    assert "Asked" in view.cancel(run.id)
    assert view.store.run(run.id).state == "stopped"
    assert "nothing to stop" in view.cancel(run.id)
    assert "queued again" in view.resume(run.id)
    assert "no run" in view.cancel("probe-unknown")


def test_export_is_a_zip_outside_the_run_folder(view):
    run = view.store.create_run("probe", {"plan": {"kind": "map"}, "listeners": ["m"]})
    words, files = view.export(run.id)
    path = files["value"][0] if isinstance(files, dict) else files.value[0]["path"]
    assert run.id in words and str(view.settings.home) not in path
    assert f"{run.id}/run.json" in zipfile.ZipFile(path).namelist()


def test_queue_position_is_told(view):
    first, second = (view.store.create_run("tune", {"base": "m"}) for _ in range(2))
    assert "place 2 in the queue of cpu" in progress_html(second, view.store)
    assert "place 1" in progress_html(first, view.store)


def test_list_escapes_and_marks_the_chosen(view):
    run = view.store.create_run("tune", {"base": "<b>"})
    html = list_html(view.store.runs(), run.id)
    assert "<b>" not in html.replace("<b>tune", "") and 'aria-pressed="true"' in html


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (8.4, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_in_words(seconds, words):
    assert duration_text(seconds) == words


def test_no_files_is_said(tmp_path):
    assert artefact_text(tmp_path / "none") == "No files yet."


PLAN = {"kind": "map", "nx": 2, "ny": 2, "trials": 2, "catch_trials": 4}


def test_the_list_is_narrowed_by_kind_state_listener_and_name(view):
    probe = view.store.create_run("probe", {"plan": PLAN, "listeners": ["dsp"], "seed": 1})
    tune = view.store.create_run("tune", {"base": "tiny-lalm"})
    view.store.update(probe.id, state="done")
    view.rename(probe.id, "high tones")

    def listed(**wanted):
        table = view.poll(None, {}, **wanted)[view.table]
        return [run.id for run in (probe, tune) if run.id in table]

    assert listed() == [probe.id, tune.id]
    assert listed(kind="tune") == [tune.id] and listed(state="done") == [probe.id]
    assert listed(text="DSP high") == [probe.id] and listed(text="tiny-lalm") == [tune.id]
    assert listed(text="nobody") == [] and listed(kind="tune", state="done") == []
    assert probe.id in view.poll(None, {}, None, None, None)[view.table], "boxes not filled in yet"
    assert "widen the filters" in view.poll(None, {}, text="nobody")[view.table]


def test_a_run_is_named_and_deleted_but_never_while_it_works(view):
    run = view.store.create_run("probe", {"plan": PLAN, "listeners": ["dsp"], "seed": 1})
    assert "is called low tones" in view.rename(run.id, "low tones")
    assert "low tones" in view.poll(run.id, {})[view.table]
    for state in ("queued", "running", "stopping"):
        view.store.update(run.id, state=state)
        words, chosen = view.remove(run.id)
        assert "end it first" in words and view.store.run(run.id)
        assert not view.poll(run.id, {})[view.remove_button]["visible"]
    view.store.update(run.id, state="stopped")
    assert view.poll(run.id, {})[view.remove_button]["visible"]
    assert view.remove("")[0] == "", "the reader said no"
    words, chosen = view.remove(run.id)
    assert "is removed" in words and chosen == "" and view.store.runs() == []


def test_the_same_again_is_a_new_run_of_the_same_configuration(view):
    first = actions.start_probe(view.settings, PLAN, ["dsp"], 5)
    assert "does the same again" in view.start_again(first.id)
    again = next(run for run in view.store.runs() if run.id != first.id)
    assert again.config == first.config and again.kind == "probe"
    other = view.store.create_run("listen", {"plan": PLAN, "listeners": ["human:me"]})
    assert "only a probe" in view.start_again(other.id)
    assert not view.poll(other.id, {})[view.again_button]["visible"]


def test_no_button_is_shown_before_a_run_is_chosen(view):
    new = view.poll(None, {})
    assert not any(new[button]["visible"] for button in (*view.buttons, view.name))
