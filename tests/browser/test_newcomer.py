"""What a newcomer must not stumble over, in a real browser: links, stale answers, idle tabs, the
buttons of figures, and axe over every tab in empty, running and finished state."""

from __future__ import annotations

import importlib.util
import json
import re
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from spectcount import actions, jobs, listeners
from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.probing.run import execute
from spectcount.settings import load_settings
from spectcount.store import Store
from tests.browser.page import calm, open_page, quiet, serve

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

LIMIT = 60_000
PLAN = {"kind": "map", "nx": 2, "ny": 3, "trials": 2, "catch_trials": 4}
DESK = {"width": 1440, "height": 900}
TABS = ("Design", "Probe", "Tune", "Compare", "Benchmark", "You", "Runs")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder with two finished probes, a comparison, and a fine-tune's curves."""
    folder = tmp_path_factory.mktemp("home")
    settings = load_settings(home=folder)
    store = Store(settings.database)
    names = ["sim:d=1,c=0,seed=0", "sim:d=3,c=0,seed=1"]
    for kind, heard, plan in (
        ("probe", names[:1], PLAN),
        ("probe", names[:1], {**PLAN, "task": "count"}),
        ("compare", names, PLAN),
    ):
        run = store.create_run(kind, {"plan": plan, "listeners": heard, "seed": 0})
        store.claim(run.id)
        summary = KINDS[kind](JobContext(store.run(run.id), store), settings)
        store.update(run.id, state="done", summary=summary, ended_at=2.0)
    tune = store.create_run("tune", {"base": "tiny-lalm", "curriculum": {}, "train": {}})
    for step in range(3):
        store.add_metrics(tune.id, step, {"loss": 2.0 - step, "weak_accuracy": 0.1 * step})
    store.update(tune.id, state="done", done=3, total=3, started_at=1.0, ended_at=2.0)
    return folder


@pytest.fixture(scope="module")
def url(home):
    """Address of an app on that home."""
    with serve(home) as address:
        yield address


def go(page, tab):
    page.get_by_role("tab", name=tab, exact=True).click()


def choose(page, dropdown, place):
    page.locator(f"{dropdown} input").click()
    page.get_by_role("option").filter(visible=True).nth(place).click()


def drawn(page, figure):
    page.wait_for_selector(f"#{figure} .figure:not(.empty) .xaxislayer-above text", timeout=LIMIT)


def axe(page):
    """What axe objects to once the page stands; asked again while it still changes."""
    deadline = time.monotonic() + LIMIT / 1000
    while True:
        calm(page)
        objections = axe_now(page)
        if not objections or time.monotonic() > deadline:
            return objections


def axe_now(page):
    """What axe objects to on the page as it is."""
    folder = importlib.util.find_spec("axe_playwright_python").submodule_search_locations[0]
    page.evaluate((Path(folder) / "axe.min.js").read_text())
    found = page.evaluate(
        "rules => axe.run(document, {resultTypes: ['violations'], runOnly: rules})", RULES
    )
    return [
        (v["id"], node["target"], node["any"][:1])
        for v in found["violations"]
        for node in v["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_an_empty_page(browser, tmp_path, theme):
    with serve(tmp_path) as url:
        page, _ = open_page(browser, f"{url}?__theme={theme}", bypass_csp=True)
        page.set_default_timeout(LIMIT)
        for tab in TABS:
            go(page, tab)
            assert axe(page) == [], tab
        page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_while_runs_go_on_and_after(browser, home, url, theme):
    page, _ = open_page(browser, f"{url}?__theme={theme}", bypass_csp=True)
    page.set_default_timeout(LIMIT)
    for tab, figure in (
        ("Probe", "probe-map"),
        ("Tune", "tune-loss"),
        ("Compare", "compare-base-map"),
        ("Runs", ""),
    ):
        go(page, tab)
        if figure:
            drawn(page, figure)
        assert axe(page) == [], tab
    store = Store(load_settings(home=home).database)
    run = store.create_run("probe", {"plan": PLAN, "listeners": ["tiny-lalm"], "seed": 0})
    store.update(run.id, state="running", done=1, total=10)
    try:
        page.goto(f"{url}?__theme={theme}&tab=Probe&probe={run.id}")
        expect(page.locator("#probe-progress")).to_contain_text("1 of 10", timeout=LIMIT)
        assert axe(page) == []
    finally:
        store.update(run.id, state="stopped", ended_at=3.0)
    page.context.close()


def test_no_figure_offers_to_upload_itself(browser, url, tmp_path):
    page, outside = open_page(browser, url, accept_downloads=True)
    page.set_default_timeout(LIMIT)
    script = """() => [...document.querySelectorAll('.js-plotly-plot')].map((plot) => ({
      buttons: [...plot.querySelectorAll('.modebar-btn')].map((b) => b.dataset.title || ''),
      links: [...plot.querySelectorAll('a[href]')].map((a) => a.href),
      server: plot._context.plotlyServerURL }))"""
    seen = 0
    for tab, figure in (
        ("Probe", "probe-map"),
        ("Tune", "tune-loss"),
        ("Compare", "compare-base-map"),
    ):
        go(page, tab)
        drawn(page, figure)
        for plot in page.evaluate(script):
            seen += 1
            assert plot["server"] == "" and plot["links"] == [] and plot["buttons"]
            assert not [b for b in plot["buttons"] if "share" in b.lower() or "cloud" in b.lower()]
    assert seen >= 3
    page.locator("#compare-base-map .figure-files summary").click()
    with page.expect_download() as waiting:
        page.locator("#compare-base-map [data-save=html]").click()
    saved = tmp_path / "figure.html"
    waiting.value.save_as(saved)
    alone = browser.new_context(offline=True).new_page()
    alone.goto(saved.as_uri())
    alone.wait_for_selector("#figure .xaxislayer-above text")
    for plot in alone.evaluate(script):
        assert plot["server"] == "" and plot["links"] == []
        assert not [b for b in plot["buttons"] if "share" in b.lower() or "cloud" in b.lower()]
    alone.context.close()
    page.context.close()
    assert outside == []


def test_a_link_and_a_reload_show_the_same(browser, home, url):
    """The older run is of a task with other measures than the newest, which a new page shows."""
    store = Store(load_settings(home=home).database)
    older = [run.id for run in store.runs("probe") if run.state == "done"][-1]
    plan = json.dumps({"preset": "quick-map", "seed": 5, "plan": {"nx": 3}})
    query = urlencode({"adapter": "none", "probe": older, "tab": "Probe", "probe-plan": plan})
    page, _ = open_page(browser, f"{url}?{query}")
    page.set_default_timeout(LIMIT)
    for _ in range(2):
        expect(page.locator("#probe-progress")).to_contain_text(older, timeout=LIMIT)
        expect(page.locator("#probe-about")).to_contain_text("nx 3 (was 8)", timeout=LIMIT)
        expect(page.locator("#tuned input")).to_have_value("none", timeout=LIMIT)
        expect(page.locator("#probe-measure input")).to_have_value("Sensitivity d′")
        drawn(page, "probe-map")
        assert older[-4:] in page.locator("#probe-run input").input_value()
        assert f"probe={older}" in page.url
        page.reload()
        page.wait_for_selector("#probe-cost [data-kept]", state="attached")
        page.reload()  # the first cost may be that of a new page's plan
    page.locator("#probe-plan > button").click()
    field = page.locator("#probe-seed input")
    expect(field).to_have_value("5", timeout=LIMIT)
    field.fill("6")
    page.wait_for_function("() => /%22seed%22%3A\\+?6/.test(location.search)", timeout=LIMIT)
    page.context.close()


def test_a_choice_is_not_undone_by_an_answer_about_the_run_before(browser, home, url):
    """Whatever order the server answers in: the run that was chosen last is shown."""
    store = Store(load_settings(home=home).database)
    newest, older = (run.id for run in store.runs("probe") if run.state == "done")
    page, _ = open_page(browser, f"{url}?tab=Probe&probe={newest}")
    page.set_default_timeout(LIMIT)
    expect(page.locator("#probe-progress")).to_contain_text(newest)
    choice = page.locator("#probe-run input")

    def choose(run_id):
        choice.click()
        page.get_by_role("option").filter(has_text=run_id[-4:], visible=True).click()

    held = []
    page.route("**/run/predict*", lambda route: held.append(route))
    choose(older)
    page.wait_for_function("id => location.search.includes(id)", arg=older)
    choose(newest)
    page.wait_for_function("id => location.search.includes(id)", arg=newest)
    page.unroute("**/run/predict*")
    for route in reversed(held):
        route.continue_()
    expect(page.locator("#probe-progress")).to_contain_text(newest)
    assert newest[-4:] in choice.input_value() and f"probe={newest}" in page.url
    page.context.close()


def mapped_by_the_deaf(home, monkeypatch):
    """A map whose answers are a deaf simulated listener's, under the embedded model's name."""
    settings, plan = load_settings(home=home), {**PLAN, "trials": 12, "catch_trials": 40}
    monkeypatch.setattr(jobs, "tend", lambda *_: None)
    store = Store(settings.database)
    run = actions.start_probe(settings, plan, ["tiny-lalm"], 7)
    deaf = listeners.load("sim:d=0,c=0,seed=5", settings)
    store.claim(run.id)
    context = JobContext(store.run(run.id), store)
    summary = execute(context, {"tiny-lalm": deaf})
    store.update(run.id, state="done", summary=summary, ended_at=2.0)
    return run.id


def test_a_region_is_heard_designed_from_and_tuned_on(browser, home, url, monkeypatch):
    run = mapped_by_the_deaf(home, monkeypatch)
    page, _ = open_page(browser, f"{url}?tab=Probe&probe={run}", viewport=DESK)
    page.set_default_timeout(LIMIT)
    findings = page.locator("#probe-findings")
    drawn(page, "probe-map")

    findings.get_by_role("button", name="Hear it").first.click()
    expect(page.locator("#probe-answers .wrong").first).to_be_visible()
    expect(page.locator("#probe-clip-view canvas").first).to_be_visible()
    figure, clip = (
        page.locator(place).first.bounding_box()
        for place in ("#probe-map .figure", "#probe-clip-view canvas")
    )
    assert clip["x"] > figure["x"] + figure["width"], "side by side"
    assert clip["y"] + clip["height"] < DESK["height"], "in one screen"
    heard = page.locator("#probe-clip-view .clip").get_attribute("data-clip")

    findings.get_by_role("button", name="Tune on it").first.click()
    tune = page.get_by_role("tab", name="Tune", exact=True)
    expect(tune).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tune-map input")).to_have_value(re.compile(run[-4:]))
    expect(page.locator("#tune-regions input:checked")).to_have_count(1)

    go(page, "Probe")
    findings.get_by_role("button", name="Design from it").first.click()
    design = page.get_by_role("tab", name="Design", exact=True)
    expect(design).to_have_attribute("aria-selected", "true")
    expect(page.locator(f'[data-clip="{heard}"]').first).to_be_visible()
    page.context.close()


def test_a_form_that_is_edited_quickly_comes_to_rest(browser, url):
    page, _ = open_page(browser, f"{url}?tab=Probe")
    page.set_default_timeout(LIMIT)
    page.locator("#probe-plan > button").click()
    page.locator("#probe-map-nx input[type=range]").first.focus()
    with page.expect_request(lambda request: "/run/" in request.url):
        for _ in range(12):
            page.keyboard.press("ArrowRight")
    quiet(page, ("/run/",), 2)
    page.context.close()


def test_nothing_is_polled_of_an_ended_run_or_from_a_hidden_window(browser, url):
    page, _ = open_page(browser, f"{url}?tab=Probe")
    drawn(page, "probe-map")
    others = quiet(page, ("/queue/join", "/run/"), 12)
    assert len([a for a in others if "component_server" in a]) <= 2 * 12 / 5 + 2
    page.evaluate("() => Object.defineProperty(document, 'hidden', { get: () => true })")
    quiet(page, ("component_server", "/queue/join", "/run/"), 12)
    page.context.close()


def test_a_run_is_found_opened_named_and_deleted(browser, home, url):
    store = Store(load_settings(home=home).database)
    run = store.create_run("probe", {"plan": PLAN, "listeners": ["ideal"], "seed": 9})
    store.update(run.id, state="stopped", done=1, total=10, ended_at=2.0)
    page, _ = open_page(browser, f"{url}?tab=Runs")
    page.set_default_timeout(LIMIT)
    rows = page.locator("#runs-list .run-row")
    expect(rows.first).to_be_visible()
    page.locator("#runs-text textarea, #runs-text input").first.fill("ideal stopped-or-not")
    expect(rows).to_have_count(0)
    page.locator("#runs-text textarea, #runs-text input").first.fill(run.id)
    expect(rows).to_have_count(1)
    rows.first.click()
    name = page.locator("#runs-name textarea, #runs-name input").first
    name.fill("to be deleted")
    name.press("Enter")
    expect(rows.first).to_contain_text("to be deleted")

    page.locator("#runs-open").click()
    probe = page.get_by_role("tab", name="Probe", exact=True)
    expect(probe).to_have_attribute("aria-selected", "true")
    expect(page.locator("#probe-progress")).to_contain_text(run.id)

    go(page, "Runs")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.locator("#runs-remove").click()
    expect(rows).to_have_count(1)
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#runs-remove").click()
    expect(page.locator("#runs-message")).to_contain_text("is removed")
    expect(rows).to_have_count(0)
    page.context.close()
