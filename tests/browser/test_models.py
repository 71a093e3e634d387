"""The model picker in a real browser: what fits, a second model loaded and made base, its path and
speed where it answers, unloaded again; a phone scrolls down only."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

from spectcount.settings import PACKAGE_ROOT
from tests.browser.page import open_page, serve

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(300)]

WAIT_MS = 60_000
PHONE = {"width": 390, "height": 844}


def test_a_model_is_picked_loaded_asked_and_unloaded(tmp_path, browser):
    shutil.copytree(PACKAGE_ROOT / "presets/models/tiny-lalm", tmp_path / "models" / "other")
    with serve(tmp_path) as url:
        page, outside = open_page(browser, url, viewport=PHONE)
        page.set_default_timeout(WAIT_MS)
        page.locator("#models > button").click()
        table = page.locator("#models-list")
        expect(table.locator("[data-run=voxtral-mini-3b]")).to_be_visible(timeout=WAIT_MS)
        expect(table).to_contain_text("GB to get")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        expect(page.locator("#status")).to_contain_text("ready", timeout=WAIT_MS)
        page.locator("#models-list [data-run=other]").click()
        expect(page.locator("#models-facts")).to_contain_text("A folder of your own")
        page.locator("#models-use").click()
        expect(page.locator("#status")).to_contain_text("other ready · staged path")
        expect(page.locator("#models-memory")).to_contain_text("other (")
        page.locator("#models > button").click()
        card = page.locator("#answers .card").filter(has_text="Base")
        expect(card.locator(".foot")).to_contain_text("staged path, 1 question in")
        page.locator("#models > button").click()
        page.locator("#models-unload").click()
        expect(page.locator("#models-message")).to_contain_text("other is unloaded")
        expect(page.locator("#models-memory")).not_to_contain_text("other (")
        assert outside == []
        page.context.close()
