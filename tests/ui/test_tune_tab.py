"""The Tune tab without a browser: live curves, the result, regions from a map, previews."""

from __future__ import annotations

import json

import gradio as gr

from spectcount import actions
from spectcount.store import Store
from spectcount.training.curriculum import Sampler
from spectcount.training.options import Curriculum
from spectcount.ui import curriculum_form
from spectcount.ui.curriculum_form import NO_MAP, previews_html, source_choices, source_run
from spectcount.ui.polling import Feed
from spectcount.ui.tune import TuneView, accuracy_value, has_adapter, loss_value, result_html

CONFIG = {"base": "m", "curriculum": {}, "train": {"held_out": 24}}


def form_of(settings, store):
    """The form of the tab, laid out on a page that nobody sees."""
    with gr.Blocks():
        base = gr.Dropdown(["tiny-lalm"], value="tiny-lalm")
        return curriculum_form.CurriculumForm(settings, store, Feed(store), base)


def test_curves_grow_and_nothing_is_sent_twice(settings, on_page):
    view = on_page(TuneView, settings)
    run = view.store.create_run("tune", CONFIG)
    view.store.add_metrics(run.id, 0, {"weak_accuracy": 0.1, "strong_accuracy": 0.9})
    view.store.add_metrics(run.id, 5, {"loss": 2.0, "memory_mb": 400})
    new = view.poll(run.id, {})
    accuracy, loss, sent = new[view.accuracy], new[view.loss], new[view.sent]
    assert [line["name"] for line in accuracy["series"]] == ["weak regions", "outside them"]
    assert loss["series"][0]["y"] == [2.0] and "400 MB" in new[view.progress]
    assert view.poll(run.id, sent) == {view.sent: sent}
    view.store.add_metrics(run.id, 10, {"loss": 1.0})
    assert view.poll(run.id, sent)[view.loss]["series"][0]["x"] == [5, 10]


def test_result_names_the_adapter(settings):
    store = Store(settings.database)
    run = store.create_run("tune", CONFIG)
    assert not has_adapter(run) and result_html(run) == ""
    (run.folder / "adapter").mkdir()
    (run.folder / "adapter" / "adapter_config.json").write_text("{}")
    summary = {
        "steps": 9,
        "of_steps": 9,
        "held_out_before": {"weak": 0.1},
        "held_out_after": {"weak": 0.9},
    }
    store.update(run.id, summary=summary, state="done")
    words = result_html(store.run(run.id))
    assert f"m@{run.id}" in words and "weak 10 % → 90 %" in words


def test_curves_without_numbers_stay_empty(settings):
    run = Store(settings.database).create_run("tune", CONFIG)
    assert accuracy_value(run, {}) is None and loss_value(run, {}) is None


def test_a_step_done_again_replaces_its_value(settings):
    store = Store(settings.database)
    run, feed = store.create_run("tune", CONFIG), Feed(store)
    store.add_metrics(run.id, 5, {"loss": 2.0})
    assert feed.metrics(run.id)["loss"] == {5: 2.0}
    store.add_metrics(run.id, 5, {"loss": 1.5})
    assert feed.metrics(run.id)["loss"] == {5: 1.5}


def test_only_maps_of_the_base_are_offered(settings):
    store = Store(settings.database)
    run = store.create_run("probe", {"listeners": ["m"], "plan": {"kind": "map"}})
    store.update(run.id, done=5)
    assert [run_id for _, run_id in source_choices(store, "m")] == [run.id, NO_MAP]
    assert [run_id for _, run_id in source_choices(store, "other")] == [NO_MAP]
    assert source_run(store, NO_MAP) is None


def test_a_comparison_is_no_source_and_the_newest_probe_is_one(settings):
    store = Store(settings.database)
    form = form_of(settings, store)
    runs = []
    for kind in ("probe", "probe", "compare"):
        runs.append(store.create_run(kind, {"listeners": ["m"], "plan": {"kind": "map"}}).id)
        store.update(runs[-1], done=5)
    old, new, _ = runs
    assert form.refresh(NO_MAP, "m")["value"] == form.refresh(old, "m")["value"] == new
    assert "value" not in form.refresh(old, "m", True), "what was picked stays"
    assert "value" not in form.refresh(NO_MAP, "m", True)
    assert [v for _, v in form.refresh(None, "m")["choices"]] == [new, old, NO_MAP]


def test_no_map_is_asked_for_twice(settings, monkeypatch, on_page):
    view = on_page(TuneView, settings)
    begun = []

    def start(settings, config, base, **more):
        begun.append((base, more["regions"]))
        return view.store.create_run("tune", CONFIG)

    monkeypatch.setattr(actions, "start_tune", start)
    values = [w.value for w in view.form.inputs]
    values[0] = NO_MAP
    new = view.start_sure("", "tiny-lalm", *values)
    assert not begun and "press Start fine-tune again" in new[view.message]
    values[3] = 7
    new = view.start_sure(new[view.unsure], "tiny-lalm", *values)
    assert not begun, "another fine-tune than the one that was asked about"
    assert "again" in new[view.message]
    new = view.start_sure(new[view.unsure], "tiny-lalm", *values)
    assert begun == [("tiny-lalm", [])]
    assert "tune-" in new[view.message] and new[view.unsure] == ""


def test_an_edited_recipe_says_what_was_changed(settings):
    form = form_of(settings, Store(settings.database))
    options = [w.value for w in form.options]
    assert "edited" not in form.describe("laptop", *options)
    said = json.loads(options[-1])
    said["params"]["steps"] = 4
    words = form.describe("laptop", *options[:-1], json.dumps(said))
    assert "edited" in words and "steps 4 (was " in words


def test_previews_play_and_tell_the_truth():
    drawn = Sampler(Curriculum(), [], 0, 4.0).preview(3)
    html = previews_html(drawn)
    assert html.count("<audio") == 3 and html.count("Truth") == 3
