"""The whole journey in a real browser, on the embedded model: design, ask, map, tune, compare.

Plans and steps are reduced; everything else is what a researcher does, in order, on one page.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.page import chromium, open_page, serve

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1200)]

MINUTES = 60_000


def go(page, tab):
    page.get_by_role("tab", name=tab, exact=True).click()


def set_number(page, element, value):
    field = page.locator(f"#{element} input[type=number]").first
    field.fill(str(value))
    field.press("Enter")


def shrink_plan(page, tab):
    """Eight cells, four trials each: a map in seconds."""
    page.locator(f"#{tab}-plan > button").click()
    for name, value in (("nx", 2), ("ny", 4), ("trials", 4), ("catch_trials", 8)):
        set_number(page, f"{tab}-map-{name}", value)


def wait_done(page, tab, minutes=5):
    expect(page.locator(f"#{tab}-progress")).to_contain_text("done", timeout=minutes * MINUTES)


def click_cell(page, figure):
    plot = page.locator(f"#{figure} .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.6 * box["height"])


def start_again_without_regions(page):
    """So small a map may have none, and then the page asks whether that is meant."""
    expect(page.locator("#tune-message .notice")).to_be_visible()
    if page.locator("#tune-message [data-again]").count():
        page.locator("#tune-start").click()
        expect(page.locator("#tune-message [data-again]")).to_have_count(0)


def test_design_ask_map_tune_compare():
    with serve() as url, chromium() as browser:
        page, outside = open_page(browser, url)
        page.set_default_timeout(MINUTES)

        expect(page.locator("#answers")).to_contain_text("Truth", timeout=2 * MINUTES)

        go(page, "Probe")
        shrink_plan(page, "probe")
        expect(page.locator("#probe-cost")).to_contain_text("40 trials")
        page.locator("#probe-start").click()
        wait_done(page, "probe")
        click_cell(page, "probe-map")
        expect(page.locator("#probe-answers")).to_contain_text("tiny-lalm")
        expect(page.locator("#probe-clip-view canvas").first).to_be_visible()

        go(page, "Tune")
        page.locator("#tune-train > button").click()
        set_number(page, "tune-train-steps", 4)
        set_number(page, "tune-train-batch", 2)
        set_number(page, "tune-train-evaluate_every", 2)
        set_number(page, "tune-train-held_out", 4)
        page.locator("#tune-preview").click()
        expect(page.locator("#tune-previews audio")).to_have_count(5)
        page.locator("#tune-start").click()
        start_again_without_regions(page)
        wait_done(page, "tune", minutes=8)
        expect(page.locator("#tune-loss, #tune-accuracy").first).to_be_visible()
        page.locator("#tune-use").click()
        expect(page.locator("#tune-told")).to_contain_text("now the tuned listener")

        go(page, "Compare")
        expect(page.locator("#compare-who")).to_contain_text("tiny-lalm@tune-")
        shrink_plan(page, "compare")
        expect(page.locator("#compare-cost")).to_contain_text("80 trials")
        page.locator("#compare-start").click()
        wait_done(page, "compare")
        expect(page.locator("#compare-summary")).to_contain_text("32 paired")
        expect(page.locator("#compare-parts")).to_contain_text("Held out")
        click_cell(page, "compare-difference-map")
        expect(page.locator("#compare-answers tbody tr")).to_have_count(2)
        page.locator("#compare-export").click()
        expect(page.locator("#compare-files")).to_contain_text(".zip", timeout=MINUTES)

        go(page, "Runs")
        expect(page.locator("#runs-list .run-row")).to_have_count(3)
        page.locator("#runs-list .run-row").first.click()
        expect(page.locator("#runs-details")).to_contain_text("Log tail")
        assert outside == []
