"""A figure is saved from the page by keyboard alone: SVG, PNG, and HTML that needs no network."""

from __future__ import annotations

import pytest

from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.settings import load_settings
from spectcount.store import Store
from tests.browser.page import chromium, open_page, serve

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(300)]

PLAN = {"kind": "map", "nx": 2, "ny": 3, "trials": 2, "catch_trials": 4}


def finish_a_run(home):
    settings = load_settings(home=home)
    store = Store(settings.database)
    config = {"plan": PLAN, "listeners": ["sim:d=1,c=0,seed=0"], "seed": 0}
    run = store.create_run("probe", config)
    store.claim(run.id)
    summary = KINDS["probe"](JobContext(store.run(run.id), store), settings)
    store.update(run.id, state="done", summary=summary)


def saved(page, folder):
    """The file that Enter on the focused button gives."""
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_figure_leaves_the_page(tmp_path):
    finish_a_run(tmp_path / "home")
    with serve(tmp_path / "home") as url, chromium() as browser:
        page, outside = open_page(browser, url, accept_downloads=True)
        page.set_default_timeout(60_000)
        page.get_by_role("tab", name="Probe", exact=True).click()
        page.wait_for_selector("#probe-map .xaxislayer-above text")
        page.locator("#probe-map .figure-files summary").focus()
        page.keyboard.press("Enter")
        files = {}
        for kind in ("svg", "png", "html"):
            page.keyboard.press("Tab")
            files[kind] = saved(page, tmp_path)
        assert [path.suffix for path in files.values()] == [".svg", ".png", ".html"]
        svg = files["svg"].read_text()
        for words in ("Mel channel", "Onset (s)", "n = 2 signal trials", "intervals at 95 %"):
            assert words in svg
        assert files["png"].read_bytes().startswith(b"\x89PNG")

        alone = browser.new_context(offline=True).new_page()
        alone.goto(files["html"].as_uri())
        alone.wait_for_selector("#figure .xaxislayer-above text")
        alone.context.close()

        assert outside == []
