"""The Benchmark tab in a real browser: official files at a path, a run as a job, its verdict and
floors, files for the official script; on a phone nothing is wide."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.page import open_page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import make_fixtures

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(300)]

WAIT_MS = 60_000
PHONE = {"width": 390, "height": 844}


def go(page):
    page.get_by_role("tab", name="Benchmark", exact=True).click()


def test_a_benchmark_is_run_read_and_exported(visit, url, browser, tmp_path):
    make_fixtures.mmau(tmp_path)
    page = visit()
    page.set_default_timeout(WAIT_MS)
    go(page)
    expect(page.locator("#benchmark-progress")).to_contain_text("Download the official files")
    expect(page.locator("#benchmark-files-needed")).to_contain_text("mmau-test-mini.json")
    page.locator("#benchmark-who label").filter(has_text="Always the first").click()
    page.get_by_label("Official files").fill("/nowhere")
    expect(page.locator("#benchmark-cost [role=alert]")).to_contain_text("nothing at /nowhere")
    page.get_by_label("Official files").fill(str(tmp_path))
    expect(page.locator("#benchmark-cost")).to_contain_text("7 of 7 items: 7 questions.")
    expect(page.locator("#benchmark-cost")).to_contain_text("1 of 7 sounds are missing")
    page.locator("#benchmark-start").click()
    expect(page.locator("#benchmark-progress")).to_contain_text("done", timeout=WAIT_MS)
    result = page.locator("#benchmark-result")
    expect(result.locator(".said")).to_contain_text("first: strict score", timeout=WAIT_MS)
    expect(result.locator(".scores").first.locator("tbody tr")).to_have_count(3)
    expect(result).to_contain_text("Sound missing: 1 of 7 items")
    page.locator("#benchmark-export").click()
    expect(page.locator("#benchmark-files")).to_contain_text(".zip", timeout=WAIT_MS)
    expect(page.locator("#benchmark-told")).to_contain_text("python evaluation.py --input")

    small, outside = open_page(browser, url, viewport=PHONE)
    go(small)
    expect(small.locator("#benchmark-result .said")).to_be_visible(timeout=WAIT_MS)
    assert small.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for tab in small.get_by_role("tab").all():
        assert tab.bounding_box()["x"] + tab.bounding_box()["width"] <= PHONE["width"]
    assert outside == []
    small.context.close()
