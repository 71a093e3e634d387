"""A visitor's first minute, filmed: what is seen when, from the opening of the page.

Times are printed (`pytest -s`), not judged: they are those of the machine.
"""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.browser.page import chromium, open_page, serve

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

LIMIT_MS = 120_000


class Film:
    """Prints what is seen, and how long after the first and the last time."""

    def __init__(self) -> None:
        self.start = self.last = time.perf_counter()

    def seen(self, words: str) -> None:
        """Print that something is seen now."""
        now = time.perf_counter()
        print(f"{now - self.start:6.1f} s (+{now - self.last:5.2f} s)  {words}", flush=True)
        self.last = now


def test_a_visitor_sees_where_base_fails_hears_it_and_maps_it():
    with serve() as url, chromium() as browser:
        film = Film()
        page, outside = open_page(browser, url, viewport={"width": 1440, "height": 900})
        page.set_default_timeout(LIMIT_MS)
        film.seen("the page shows a sound")
        tally = page.locator(".tally")
        expect(tally).to_have_text("truth 4 · base 3 wrong · tuned 4 right", timeout=LIMIT_MS)
        film.seen("base is wrong, tuned is right")
        assert page.evaluate("scrollY") == 0
        clicks = 0

        spacing = page.get_by_label("range slider for Spacing (ms)", exact=True)
        spacing.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        expect(page.locator(".answers[data-stale]")).to_have_count(0, timeout=LIMIT_MS)
        film.seen("twenty steps of the spacing later the answers are those to what is heard")

        page.get_by_role("tab", name="Probe", exact=True).click()
        page.locator("#probe-start").click()
        clicks += 2
        expect(page.locator("#probe-map .figure:not(.empty)")).to_be_visible(timeout=LIMIT_MS)
        film.seen(f"a map begins, {clicks} clicks from the opening")
        assert outside == []
        page.context.close()
