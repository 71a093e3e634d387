"""The Compare tab in a real browser: empty states say what to do, a small screen scrolls down only,
a panel of simulated listeners fills its table."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from spectcount import actions, jobs
from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.settings import load_settings
from spectcount.store import Store
from tests.browser.page import calm, open_page, serve

pytestmark = [pytest.mark.slow, pytest.mark.browser]

MAP = {
    "kind": "map",
    "x": "level_dbfs",
    "x_low": -40,
    "x_high": -5,
    "nx": 2,
    "ny": 2,
    "trials": 8,
    "catch_trials": 24,
    "design": {"duration_s": 1.0},
}
WHO = ("sim:d=3,seed=1", "sim:d=0.3,seed=2")
PHONE = {"width": 390, "height": 844}


def go(page):
    page.get_by_role("tab", name="Compare", exact=True).click()


def unfold(page):
    for part in ("panel", "wordings"):
        page.locator(f"#{part}-section > button").click()


def height(page):
    calm(page)
    return page.evaluate("document.documentElement.scrollHeight")


def test_empty_states_say_what_to_do_next(visit):
    page = visit()
    go(page)
    assert height(page) <= 1200, "it was 2,984 px long"
    unfold(page)
    for element, words in (
        ("compare-progress", "press Start comparison"),
        ("panel-progress", "press Start panel"),
        ("wordings-progress", "press Start wordings"),
        ("panel-cost", "2814 trials, 2 listeners"),
        ("wordings-cost", "868 stimuli × 5 wordings"),
    ):
        expect(page.locator(f"#{element}")).to_contain_text(words, timeout=60_000)


def finished(home, monkeypatch):
    """A comparison, a panel and a run over wordings of simulated listeners, done in here."""
    monkeypatch.setattr(jobs, "tend", lambda store, settings: None)
    settings = load_settings(mode="local", home=home, device="cpu")
    store = Store(settings.database)
    runs = [
        actions.start_compare(settings, MAP, *WHO),
        actions.start_panel(settings, [{"name": "Detecting", "plan": MAP}], *WHO),
        actions.start_wordings(settings, MAP, *WHO, n_wordings=3),
    ]
    for run in runs:
        store.claim(run.id)
        summary = KINDS[run.kind](JobContext(store.run(run.id), store), settings)
        ended = {"state": "done", "ended_at": run.created_at, "summary": summary}
        store.update(run.id, **ended, done=summary["done"], total=summary["total"])


@pytest.mark.timeout(600)
def test_what_may_be_said_stands_first_on_a_small_screen(tmp_path, browser, monkeypatch):
    finished(tmp_path, monkeypatch)
    with serve(tmp_path) as url:
        page, outside = open_page(browser, url, viewport=PHONE)
        go(page)
        said = page.locator("#compare-summary .said")
        expect(said).to_contain_text("worse: d_a", timeout=60_000)
        unfold(page)
        expect(page.locator("#panel-table .said")).to_contain_text("Forgotten: 1 of 1")
        expect(page.locator("#panel-table tbody tr")).to_have_count(1)
        expect(page.locator("#wordings-words tbody tr")).to_have_count(3)
        expect(page.locator("#wordings-words .said")).to_contain_text("in each of 3 wordings")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert outside == []
        page.context.close()


@pytest.mark.timeout(600)
def test_the_verdict_and_the_clicked_cell_are_in_the_first_screen(tmp_path, browser, monkeypatch):
    finished(tmp_path, monkeypatch)
    with serve(tmp_path) as url:
        page, _ = open_page(browser, url, viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        go(page)
        said = page.locator("#compare-summary .said")
        expect(said).to_contain_text("worse: d_a", timeout=60_000)
        plot = page.locator("#compare-difference-map .nsewdrag").first
        box = plot.bounding_box()
        page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
        clip = page.locator("#compare-clip-view canvas").first
        expect(clip).to_be_visible()
        assert page.evaluate("window.scrollY") == 0
        for place in (said, clip, page.locator("#compare-answers tbody tr").last):
            box = place.bounding_box()
            assert box["y"] + box["height"] <= 900
        assert clip.bounding_box()["x"] > plot.bounding_box()["x"], "side by side"
        page.context.close()
