"""You against the model in a real browser: keys, practice, a reload in the middle, results."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(300)]


def open_session(page, practice=1):
    page.get_by_role("tab", name="You", exact=True).click()
    page.locator("#you-plan > button").click()
    for name, value in (("levels", 2), ("trials", 2), ("catch_trials", 2)):
        field = page.locator(f"#you-curve-{name} input[type=number]").first
        field.fill(str(value))
        field.press("Enter")
    expect(page.locator("#you-cost")).to_contain_text("At most 6 questions")
    field = page.locator("#you-option-practice input[type=number]").first
    field.fill(str(practice))
    field.press("Enter")
    page.locator("#you-start").click()
    expect(page.locator(".you")).to_have_attribute("data-state", "ready", timeout=20_000)


def press_when_asked(page, key):
    expect(page.locator(".you")).to_have_attribute("data-state", "asking", timeout=20_000)
    place = page.locator(".you-place").inner_text()
    page.keyboard.press(key)
    expect(page.locator(".you-place")).not_to_have_text(place, timeout=20_000)


def test_a_session_with_keys_a_reload_and_results(visit):
    page = visit()
    open_session(page)
    expect(page.locator(".you-words")).to_contain_text("loud sounds can hurt")
    page.locator(".you-answers button").last.click()
    expect(page.locator(".you-place")).to_contain_text("Practice")
    press_when_asked(page, "y")
    for _ in range(2):
        press_when_asked(page, "n")

    page.reload()
    page.get_by_role("tab", name="You", exact=True).click()
    expect(page.locator(".you")).to_have_attribute("data-state", "ready", timeout=30_000)
    page.locator(".you-answers button").last.click()
    expect(page.locator(".you-place")).to_contain_text("3 of at most 6")
    for _ in range(4):
        press_when_asked(page, "y")
    expect(page.locator(".you")).to_have_attribute("data-state", "done")
    expect(page.locator("#you-results")).to_contain_text("of 6")

    page.locator("#you-models").click()
    expect(page.locator("#you-results")).to_contain_text("ideal", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
