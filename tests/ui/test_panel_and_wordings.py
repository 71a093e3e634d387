"""The panel's and the wordings' sections without a browser: tables, figures, empty states."""

from __future__ import annotations

import pytest

from spectcount import actions, jobs
from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.store import Store
from spectcount.ui import panel_view, plan_form, wordings_view

MAP = {
    "kind": "map",
    "x": "level_dbfs",
    "x_low": -40,
    "x_high": -5,
    "nx": 2,
    "y": "mel_channel",
    "y_low": 10,
    "y_high": 90,
    "ny": 1,
    "trials": 8,
    "catch_trials": 16,
    "design": {"duration_s": 1.5},
}
PARTS = [{"name": "Detecting <it>", "plan": MAP}]
WHO = ("sim:d=5,seed=1", "sim:d=5,seed=2")


@pytest.fixture
def store(settings, monkeypatch):
    """A store whose runs are queued and not started."""
    monkeypatch.setattr(jobs, "tend", lambda store, settings: None)
    return Store(settings.database)


def finish(settings, store, run):
    store.claim(run.id)
    summary = KINDS[run.kind](JobContext(store.run(run.id), store), settings)
    store.update(run.id, summary=summary, state="done", done=summary["done"])
    return store.run(run.id)


def test_a_panels_table_reads_the_same_before_and_after_the_end(settings, store, on_page):
    view = on_page(panel_view.PanelView, settings, store=store)
    empty = view.poll(None, {})
    assert "press Start panel" in empty[view.progress]
    assert view.progress not in view.poll(None, empty[view.sent])
    run = actions.start_panel(settings, PARTS, *WHO)
    assert "fills in" in view.poll(run.id, {})[view.table]
    done = finish(settings, store, run)
    table = panel_view.result_html(done, view.feed)
    running = panel_view.result_html(run, view.feed)
    assert table == running
    assert "Detecting &lt;it&gt;" in table and "Change, at 95 %" in table
    assert 'class="said said-no-change-shown"' in table and "forgotten shown in 1 tasks" in table
    sent = view.poll(run.id, {})[view.sent]
    assert view.poll(run.id, sent) == {view.sent: sent}, "nothing new is not sent again"


def test_the_cost_of_a_panel_and_its_refusals(settings, store, on_page):
    view = on_page(panel_view.PanelView, settings, store=store)
    assert "2814 trials, 2 listeners" in view.cost("embedded", "tiny-lalm", "example")
    assert "no tuned adapter is selected" in view.cost("embedded", "tiny-lalm", "none")
    assert (
        "no tuned adapter is selected" in view.start("embedded", "tiny-lalm", "none")[view.message]
    )
    assert "Choose a run first" in view.stop(None)


def form_of(settings, values):
    """A plan's form whose widgets say `MAP`."""

    class Form:
        inputs = triggers = ()

        def read(self, given):
            assert list(given) == values
            return plan_form.plan_from_dict(MAP), 1000, "quick-map"

    return Form()


def test_runs_over_wordings_are_shown_in_words_and_figures(settings, store, on_page):
    form = form_of(settings, ["the", "plan"])
    view = on_page(wordings_view.WordingsView, settings, form, store=store)
    assert "press Start wordings" in view.poll(None, {})[view.progress]
    said = view.cost("the", "plan", 5, "both", "tiny-lalm", "example")
    assert "320 trials: 32 stimuli × 5 wordings, 2 listeners" in said
    assert "ask base alone" in view.cost("the", "plan", 5, "both", "tiny-lalm", "none")
    assert "1 listener." not in said and "160 trials" in view.cost(
        "the", "plan", 5, "base", "tiny-lalm", "none"
    )
    begun = view.start("the", "plan", 5, "base", "tiny-lalm", "none")
    assert "is queued" in begun[view.message]
    assert begun[view.run]["value"].startswith("wordings-")
    run = actions.start_wordings(settings, MAP, *WHO, n_wordings=3)
    assert "as soon as" in view.draw(run)[view.words]
    done = finish(settings, store, run)
    new = view.draw(done)
    words, chart, spread = new[view.words], new[view.chart], new[view.spread]
    assert 'class="said said-no-change-shown"' in words and "in each of 3 wordings" in words
    assert words.count("held out") == 2 and "wordings like these" in words
    assert [line["name"] for line in chart["series"]] == list(WHO)
    assert len(chart["series"][0]["x"]) == 3 and spread["z_range"] == [0.0, 0.5]
    assert "sd over 3 wordings" in spread["note"]


def test_one_listener_has_no_verdict(settings, store, on_page):
    run = finish(settings, store, actions.start_wordings(settings, MAP, WHO[0], n_wordings=2))
    view = on_page(wordings_view.WordingsView, settings, form_of(settings, []), store=store)
    new = view.draw(run)
    assert "said-" not in new[view.words].replace("said-also", "")
    assert len(new[view.chart]["series"]) == 1
