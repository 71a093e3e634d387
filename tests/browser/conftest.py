"""The app as a process of its own, and a Chromium page on it that cannot reach any other host."""

from __future__ import annotations

import pytest

from tests.browser.page import chromium, open_page, serve


@pytest.fixture(scope="module")
def url():
    """Address of an app with a throw-away home."""
    with serve() as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser, url):
    """`visit(query, **context)` opens the page and returns it; on the way out nothing may have
    been asked of another host, and the console must hold no error."""
    opened = []

    def visit(query="/?seed=0", **context):
        page, outside = open_page(browser, url + query, **context)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        opened.append((page, outside, errors))
        return page

    yield visit
    for page, outside, errors in opened:
        page.context.close()
        assert outside == []
        assert errors == []
