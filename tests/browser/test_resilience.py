"""The page against what happens: reload in mid-run, the app killed and started again, a second
tab, bad input. The job goes on, the page shows it."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess

import psutil
import pytest
from playwright.sync_api import expect

from spectcount.settings import load_settings
from spectcount.store import Store
from tests.browser.page import free_port, open_page, start, wait_until_up

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(900)]

MINUTES = 60_000
LONG = 3 * MINUTES
"""For one answer of the page on a machine that does much else."""
N = 96 * 12 + 100
"""Trials of the shipped quick map with twelve per cell."""


class App:
    """The app on one port and home folder, to be killed and started again."""

    def __init__(self, home):
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self):
        self.process = start(self.home, self.port)
        wait_until_up(self.url, self.process)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=20)

    @property
    def store(self):
        return Store(load_settings(home=self.home).database)


@pytest.fixture
def app(tmp_path):
    app = App(tmp_path / "home")
    app.start()
    yield app
    app.kill()
    for run in app.store.runs(states=("running", "stopping")):
        if run.pid and psutil.pid_exists(run.pid):
            psutil.Process(run.pid).kill()


@contextlib.contextmanager
def held(app, run):
    """The run's worker stands still in the block, so that no test races with it; it is not stopped
    while it holds the store."""
    worker = psutil.Process(run.pid)
    while True:
        worker.suspend()
        try:
            with contextlib.closing(sqlite3.connect(app.store.path, timeout=1)) as db:
                db.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError:
            worker.resume()
    try:
        yield
    finally:
        worker.resume()


def open_tab(page, name):
    page.set_default_timeout(LONG)
    page.get_by_role("tab", name=name, exact=True).click()


def start_quick_map(page):
    open_tab(page, "Probe")
    page.locator("#probe-plan > button").click()
    trials = page.locator("#probe-map-trials input[type=number]").first
    trials.fill("12")
    trials.press("Enter")
    expect(page.locator("#probe-cost")).to_contain_text(f"{N} trials", timeout=LONG)
    page.locator("#probe-start").click()
    expect(page.locator("#probe-progress")).to_contain_text(f"of {N} trials", timeout=LONG)


def test_reload_and_second_tab_in_mid_run(app, browser):
    page, _ = open_page(browser, app.url)
    start_quick_map(page)
    run = app.store.runs("probe")[0]
    run_id = run.id
    with held(app, run):
        page.reload()
        open_tab(page, "Probe")
        expect(page.locator("#probe-progress")).to_contain_text(run_id, timeout=LONG)

        second, _ = open_page(browser, app.url)
        open_tab(second, "Probe")
        expect(second.locator("#probe-progress")).to_contain_text(run_id, timeout=LONG)
        second.locator("#probe-stop").click()
        expect(second.locator("#probe-progress")).to_contain_text("stopping", timeout=LONG)
    for tab in (page, second):
        expect(tab.locator("#probe-progress")).to_contain_text("stopped", timeout=LONG)
    done = app.store.run(run_id).done
    assert 0 < done < N

    second.locator("#probe-resume").click()
    expect(page.locator("#probe-progress")).to_contain_text(f"{N} of {N}", timeout=5 * MINUTES)
    trials = app.store.trials(run_id)
    assert len(trials) == len({t.key for t in trials}) == N


def test_app_killed_in_mid_run(app, browser):
    page, _ = open_page(browser, app.url)
    page.unroute_all()  # a guarded request would wait for this test while the app starts
    start_quick_map(page)
    run = app.store.runs("probe")[0]

    progress = page.locator("#probe-progress")
    with held(app, run):
        app.kill()
        assert psutil.Process(run.pid).is_running()
        expect(page.locator("#away")).to_contain_text("reconnects by itself", timeout=LONG)
        app.start()
        expect(progress).to_contain_text(run.id, timeout=LONG)
        expect(page.locator("#away")).to_have_count(0, timeout=LONG)
    expect(progress).to_contain_text(f"{N} of {N}", timeout=5 * MINUTES)
    expect(progress).to_contain_text("done", timeout=LONG)
    assert app.store.run(run.id).pid == run.pid
    page.locator("#probe-start").click()
    expect(page.locator("#probe-run input")).not_to_have_value("", timeout=LONG)
    expect(progress).not_to_contain_text(run.id, timeout=LONG)


def test_bad_input_is_answered_in_words(app, browser):
    page, _ = open_page(browser, app.url)
    open_tab(page, "Probe")
    page.locator("#probe-plan > button").click()
    clip = page.locator("#probe-clip textarea")
    clip.fill("level = -20")
    expect(page.locator("#probe-cost")).to_contain_text("did you mean", timeout=LONG)
    clip.fill("duration_s = 0.1")
    expect(page.locator("#probe-cost")).to_contain_text("below the limit 0.5 s", timeout=LONG)
    page.locator("#probe-start").click()
    expect(page.locator("#probe-message [role=alert]")).to_contain_text("0.5 s", timeout=LONG)

    open_tab(page, "Compare")
    if "@" not in page.locator("#compare-who").inner_text():
        page.locator("#compare-start").click()
        expect(page.locator("#compare-message [role=alert]")).to_contain_text(
            "no tuned adapter", timeout=LONG
        )

    open_tab(page, "Runs")
    expect(page.locator("#runs-list")).to_contain_text("No runs yet", timeout=LONG)
    expect(page.locator("#runs-stop")).to_be_hidden()
    assert app.store.runs() == []
