"""A person's results beside the models': nothing while the session is open, then all of it."""

from __future__ import annotations

import gradio as gr
import pytest

from spectcount import actions
from spectcount.store import Store
from spectcount.ui import beside
from spectcount.ui.polling import Feed
from spectcount.ui.you import YouView

PLAN = {
    "kind": "staircase",
    "parameter": "level_dbfs",
    "low": -70,
    "high": -20,
    "trials": 8,
    "design": {"duration_s": 1.0},
}


def session(settings, n, plan=PLAN, **options):
    """(store, run) of a listening session in which `n` questions were answered truly."""
    run = actions.start_listening(settings, plan, 3, options={"practice": 0, **options})
    for _ in range(n):
        question = actions.next_question(settings, run.id).question
        actions.give_answer(settings, run.id, question.key, question.truth, 1.0)
    store = Store(settings.database)
    return store, store.run(run.id)


@pytest.fixture(scope="module")
def results():
    with gr.Blocks():
        return beside.Results("you")


def shown(results, run, store):
    """(words, boxes that are shown) of a session."""
    new = results.show(run, store, Feed(store))
    boxes = [results.curve, results.tracks, results.function]
    return new[results.words], [box for box in boxes if new[box.column]["visible"]]


def test_an_open_session_gives_nothing_away(settings, results):
    store, run = session(settings, 3)
    words, boxes = shown(results, run, store)
    assert words.count("3 answered") == 1 and "3 of 3" not in words
    assert boxes == []


def test_with_feedback_results_come_at_once(settings, results):
    store, run = session(settings, 3, feedback=True)
    words, boxes = shown(results, run, store)
    assert "3 of 3" in words and "Thresholds" in words
    assert boxes == [results.tracks, results.function]


def test_a_session_that_is_over_has_tracks_functions_and_thresholds(settings, results):
    store, run = session(settings, 8)
    run = actions.stop_listening(settings, run.id) if run.state == "open" else run
    new = results.show(run, store, Feed(store))
    words = new[results.words]
    picks = [p for line in new[results.tracks.figure]["series"] for p in line["picks"] or ()]
    assert len(picks) == 8
    assert "8 of 8" in words and "not measurable (1)" in words


def test_a_session_is_exported_as_one_zip(settings, on_page):
    store, run = session(settings, 8)
    view = on_page(YouView, settings, store=store)
    words, file = view.export(run.id)
    assert f"{run.id}.zip" in words and file["visible"]
    assert view.export(None)[0].count("Choose a session first") == 1
    assert view.export("listen-x")[1] == gr.update(visible=False)


@pytest.mark.parametrize("kind", ["together", "alone"])
def test_minutes_of_every_plan(kind):
    from spectcount.probing.plan import plan_from_dict

    plan = PLAN if kind == "alone" else {"kind": "interleaved", "plans": [PLAN, PLAN]}
    assert beside.minutes(plan_from_dict(plan)) == {"alone": "24 s", "together": "48 s"}[kind]
