"""Procedures on the Probe tab in a real browser: a staircase live, a trial heard, nothing wide."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(300)]


def start_staircase(page):
    """A short staircase of the DSP observer."""
    page.get_by_role("tab", name="Probe", exact=True).click()
    field = page.locator("#probe-preset input")
    field.click()
    page.get_by_role("option", name="level-staircase", exact=True).click()
    expect(page.locator("#probe-cost")).to_contain_text("At most 80 trials")
    page.locator("#probe-who").get_by_label("DSP observer").check()
    page.locator("#probe-who").get_by_label("Base").uncheck()
    page.locator("#probe-start").click()


def click_point(page, point):
    """A click on a mark, as a hand does it: Plotly wants to see the pointer arrive first."""
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    expect(page.locator(".hoverlayer .hovertext").first).to_be_visible(timeout=30_000)
    page.mouse.down()
    page.mouse.up()


def test_a_staircase_is_drawn_live_and_its_trials_can_be_heard(visit):
    page = visit(viewport={"width": 390, "height": 844})
    start_staircase(page)
    expect(page.locator("#probe-progress")).to_contain_text("done", timeout=90_000)
    tracks = page.locator("#probe-tracks")
    for words in ("right", "reversal", "catch trial, right"):
        expect(tracks.locator(".legend")).to_contain_text(words, timeout=30_000)
    expect(tracks.locator(".ytitle")).to_contain_text("dBFS")
    expect(page.locator("#probe-map")).not_to_be_visible()
    expect(page.locator("#probe-thresholds")).to_contain_text("at 95 %", timeout=60_000)
    expect(page.locator("#probe-thresholds table")).to_contain_text("dsp")
    expect(page.locator("#probe-function .figure-note")).to_contain_text("n = ")

    click_point(page, tracks.locator("path.point").nth(8))
    expect(page.locator("#probe-answers")).to_contain_text("dsp", timeout=30_000)
    expect(page.locator("#probe-clip-view")).to_contain_text("in track 1 of dsp")
    page.locator("#probe-trial input").click()
    page.get_by_role("option").filter(has_text="trial 1, ").click()
    expect(page.locator("#probe-clip-view")).to_contain_text("trial 1 of", timeout=30_000)
    expect(page.locator("#probe-clip-view canvas").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    page.reload()
    page.get_by_role("tab", name="Probe", exact=True).click()
    expect(tracks.locator(".legend")).to_contain_text("reversal", timeout=60_000)
