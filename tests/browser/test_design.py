"""The Design tab and Ask in a real browser. A page takes seconds to open, so each test does
several things on one."""

from __future__ import annotations

import json
import os
import re
import signal

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from spectcount.designs import FAMILIES, Pulses, draw
from spectcount.measure.splatter import cautions
from spectcount.pairs import draw_pair
from spectcount.settings import load_settings
from spectcount.synth import synthesise
from tests.browser.page import calm, open_page, serve
from tests.listeners.test_scorer import scorer_pid

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

WAIT_MS = 60_000
DRAWN = [name for name, declared in FAMILIES.items() if "carrier" not in declared.params()]


def slider(page, words):
    return page.get_by_label(f"range slider for {words}", exact=True)


def row(page, quantity):
    """Text of the table's row for a quantity: declared and measured."""
    table = page.locator(".clip-table").first
    return table.locator("tr").filter(has=page.get_by_role("rowheader", name=quantity, exact=True))


def choose(page, label, option):
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def choose_family(page, name):
    choose(page, "Family", FAMILIES[name].title)


def shown(page):
    return page.locator(".clip").first.get_attribute("data-clip")


def open_stimulus(page, path):
    with page.expect_file_chooser() as chooser:
        page.locator("#open-stimulus").click()
    chooser.value.set_files(path)


def expect_clip(page, stimulus):
    expect(page.locator(".clip").first).to_have_attribute(
        "data-clip", stimulus.hash, timeout=WAIT_MS
    )


def test_sliders_repaint_by_key_end_at_the_last_value_and_refuse_in_words(visit):
    page = visit()
    picture = page.locator(".clip-model .picture").first
    before = picture.evaluate("canvas => canvas.toDataURL()")
    slider(page, "Events").press("ArrowRight")
    stimulus = draw(Pulses(n_events=5), 0)
    expect_clip(page, stimulus)
    expect(page.locator(".clip-agree").first).to_have_text("13 of 13 agree")
    page.locator(".clip-measured summary").first.click()
    expect(row(page, "Events").locator("td").nth(0)).to_have_text("5")
    expect(row(page, "Events").locator("td").nth(1)).to_have_text("5")
    expect(page.locator(".clip").first).to_have_attribute("data-heard", stimulus.hash)
    assert picture.evaluate("canvas => canvas.toDataURL()") != before

    slider(page, "Level (dBFS)").focus()
    for _ in range(25):
        page.keyboard.press("ArrowLeft")
    expect_clip(page, draw(Pulses(n_events=5, level_dbfs=-14 - 12.5), 0))

    good = shown(page)
    page.locator("#design-form details.group:not([open]) > summary").first.click()
    slider(page, "Clip (s)").press("Home")
    refusal = page.locator(".clip-error").first
    expect(refusal).to_have_text(re.compile(r"5 events of 100 ms .* the clip is 0.50 s; lower"))
    expect(page.locator(".clip").first).to_have_class(re.compile("refused"))
    assert shown(page) == good
    slider(page, "Clip (s)").press("End")
    expect(refusal).to_be_hidden()


def test_every_family_is_drawn_and_keeps_its_values_while_another_is_shown(visit):
    page = visit()
    slider(page, "Spacing (ms)").press("ArrowRight")
    for name in DRAWN[1:]:
        choose_family(page, name)
        expect_clip(page, draw(FAMILIES[name](), 0))
        expect(page.locator("#design-form .param")).to_have_count(len(FAMILIES[name].params()))
        said = cautions(draw(FAMILIES[name](), 0))
        expect(page.locator(".clip-caution").first).to_have_text(
            " ".join(f"Caution: {words}." for words in said)
        )
    choose_family(page, "pulses")
    expect_clip(page, draw(Pulses(gap_ms=151), 0))
    choose(page, "Preset", "rhythm")
    expect(page.get_by_label("Family", exact=True)).to_have_value(FAMILIES["rhythm"].title)
    expect(page.locator(".clip-note").first).to_contain_text("Eight short tones")


def test_both_sounds_of_a_task_are_heard_and_linked(visit):
    page = visit()
    choose_family(page, "gap")
    expect(page.locator("#side")).to_contain_text("Which answer is true of “Is there a gap?”")
    slider(page, "Gap (ms)").press("ArrowRight")
    design = FAMILIES["gap"](gap_ms=20.1)
    signal, counterpart = draw_pair(design, 0, "gap")
    expect_clip(page, signal)
    expect(page.locator(".legend-gap").first).to_be_visible()
    page.get_by_label("B: counterpart").click()
    expect_clip(page, counterpart)
    expect(page.locator(".clip").first).to_have_attribute("data-heard", counterpart.hash)
    expect(page.locator(".legend-gap").first).to_be_hidden()

    page.wait_for_url(f"**family=gap**clip={counterpart.hash}*")
    again = visit("/?" + page.url.partition("?")[2])
    expect_clip(again, counterpart)
    expect(again.get_by_label("B: counterpart")).to_be_checked()
    expect(slider(again, "Gap (ms)")).to_have_value("20.1")
    again.get_by_label("A: signal").click()
    expect_clip(again, signal)


def test_a_damaged_link_is_refused_in_words(browser, url):
    page = browser.new_page()
    page.goto(f"{url}/?design=%7Boops")
    expect(page.locator(".clip-error").first).to_contain_text(
        "copy the link again", timeout=WAIT_MS
    )
    page.close()


def test_downloads_are_exact_and_come_back_and_a_foreign_stimulus_is_pinned(visit, tmp_path):
    page = visit("/?design=%7B%22n_events%22:3%7D&seed=7")
    stimulus = draw(Pulses(n_events=3), 7)
    expect_clip(page, stimulus)
    with page.expect_download() as wav:
        page.locator(".clip-wav").first.click()
    wav.value.save_as(tmp_path / "clip.wav")
    samples, rate = soundfile.read(tmp_path / "clip.wav", dtype="float32")
    assert rate == 16_000
    np.testing.assert_array_equal(samples, synthesise(stimulus))

    with page.expect_download() as data:
        page.locator(".clip-json").first.click()
    data.value.save_as(tmp_path / "stimulus.json")
    slider(page, "Events").press("Home")
    open_stimulus(page, tmp_path / "stimulus.json")
    expect_clip(page, stimulus)
    expect(slider(page, "Events")).to_have_value("3")

    own = {**stimulus.to_dict(), "meta": {}}
    own["events"][0]["level_dbfs"] = -30
    (tmp_path / "own.json").write_text(json.dumps(own))
    open_stimulus(page, tmp_path / "own.json")
    expect(page.locator(".clip-note").first).to_contain_text("An uploaded stimulus")
    expect(page.locator(".clip-link").first).to_be_disabled()
    slider(page, "Events").press("ArrowLeft")
    expect_clip(page, draw(Pulses(n_events=2), 7))


def test_a_preset_sets_the_form_also_beyond_the_sliders_usual_end(visit):
    page = visit()
    choose(page, "Preset", "paper")
    expect(slider(page, "Clip (s)")).to_have_value("30", timeout=WAIT_MS)
    expect(page.locator(".clip").first).to_have_attribute("data-heard", re.compile("."))
    page.wait_for_function("document.querySelector('.clip audio').duration > 29.9")
    expect(slider(page, "Event duration (ms)")).to_have_attribute("max", "1000")
    page.get_by_label("Sliders over the full range").check()
    expect(slider(page, "Event duration (ms)")).to_have_attribute("max", "5000")


def test_a_recording_becomes_the_sound_of_the_family_that_takes_one(visit, tmp_path):
    t = np.arange(16_000) / 32_000
    soundfile.write(tmp_path / "sound.wav", 0.3 * np.sin(2 * np.pi * 700 * t), 32_000)
    page = visit()
    choose_family(page, "real_sound")
    expect(page.locator(".clip-error").first).to_contain_text("open or record a sound")
    expect(page.locator(".recorder")).to_contain_text("stays on this machine, in the home folder")
    page.locator("#recording input[type=file]").set_input_files(tmp_path / "sound.wav")
    expect(page.locator(".clip-note").first).to_contain_text("resampled", timeout=WAIT_MS)
    expect(page.locator("#param-carrier input")).to_have_value(re.compile("^[0-9a-f]{16}$"))
    expect(page.locator(".clip-error").first).to_be_hidden()


def test_a_plan_form_offers_what_its_family_has(visit):
    page = visit()
    page.get_by_role("tab", name="Probe", exact=True).click()
    page.locator("#probe-plan > button").click()
    offered = page.locator("#probe-map-task select option")
    expect(offered).to_have_text(list(Pulses.tasks), timeout=WAIT_MS)
    page.locator("#probe-map-family select").select_option("rhythm")
    expect(offered).to_have_text(list(FAMILIES["rhythm"].tasks))
    axes = page.locator("#probe-map-x select option")
    expect(axes.filter(has_text="jitter_percent")).to_have_count(1)
    expect(axes.filter(has_text="mel_channel")).to_have_count(0)
    expect(page.locator("#probe-plan")).to_contain_text("jitter_percent", timeout=WAIT_MS)


BEYOND_THE_EDGE = """[...document.querySelectorAll("body *")]
  .filter((e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.outerHTML.slice(0, 80))"""


def expect_nothing_beyond_the_edge(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(BEYOND_THE_EDGE) == []


def test_a_phone_scrolls_nothing_sideways_in_light_and_dark(visit):
    phone = {"width": 390, "height": 844}
    page = visit("/?__theme=dark&family=informational_masking", viewport=phone)
    for tab in ("Design", "Probe", "Tune", "Compare", "Benchmark", "You", "Runs"):
        page.get_by_role("tab", name=tab, exact=True).click()
        calm(page)
        expect_nothing_beyond_the_edge(page)
    light = visit("/?__theme=light&family=gap", viewport=phone)
    light.locator(".clip-measured summary").first.click()
    expect_nothing_beyond_the_edge(light)


def test_ask_shows_truth_guess_and_every_listener_then_a_recording(visit, tmp_path):
    page = visit("/?design=%7B%22n_events%22:3%7D")
    answers = page.locator("#answers")
    expect(answers.locator(".truth")).to_have_text("Truth: 3", timeout=2 * WAIT_MS)
    for title in ("Base", "Tuned", "Ideal observer", "DSP observer"):
        card = answers.locator(".card").filter(has_text=title)
        expect(card.locator(".bars tr")).to_have_count(11)
        expect(card.locator(".foot")).to_contain_text("mass")
    expect(answers.locator(".card .foot code").nth(1)).to_contain_text("staged")
    page.locator("#ask-button").click()
    expect(answers.locator(".reply").first).to_contain_text("in words", timeout=WAIT_MS)

    page.get_by_role("button", name="Ask about a recording instead").click()
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    page.locator("#ask-upload input[type=file]").set_input_files(tmp_path / "broken.wav")
    expect(page.locator(".clip-error").nth(1)).to_contain_text("broken.wav", timeout=WAIT_MS)
    page.locator("#ask-upload").get_by_label(re.compile("Clear|Remove")).first.click()
    t = np.arange(2 * 44_100) / 44_100
    tone = 0.1 * np.sin(2 * np.pi * 1000 * t) * ((t > 0.5) & (t < 0.7))
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone, tone], axis=1), 44_100)
    page.locator("#ask-upload input[type=file]").set_input_files(tmp_path / "stereo.wav")
    expect(page.locator(".clip-note").nth(1)).to_contain_text("44100", timeout=WAIT_MS)
    choose(page, "Task", "Is there a gap?")
    page.locator("#ask-button").click()
    expect(answers.locator(".truth")).to_contain_text("not known for this clip", timeout=WAIT_MS)
    expect(answers.locator(".asked")).to_contain_text("gap")


def test_a_task_without_truth_says_so(visit):
    page = visit("/?family=streaming&task=streams")
    expect(page.get_by_label("Task", exact=True)).to_have_value("One stream or two?")
    expect(page.locator("#side")).to_be_hidden()
    answers = page.locator("#answers")
    expect(answers.locator(".truth")).to_contain_text("no right answer", timeout=2 * WAIT_MS)
    ideal = answers.locator(".card").filter(has_text="Ideal observer")
    ideal.locator("summary").click()
    expect(ideal.locator(".refusal")).to_be_visible(timeout=WAIT_MS)


def asks_of(page):
    """The questions that the page has put from now on, as the browser sends them."""
    bodies = []
    page.on(
        "request",
        lambda request: (
            bodies.append(request.post_data_json["data"])
            if "component_server" in request.url
            and request.post_data_json.get("fn_name") == "live_answer"
            else None
        ),
    )
    return bodies


def test_answers_follow_the_slider_and_stand_back_until_they_do(visit):
    page = visit("/")
    answers, events = page.locator("#answers"), slider(page, "Events")
    expect(answers.locator(".truth")).to_have_text("Truth: 4", timeout=2 * WAIT_MS)
    expect(page.locator(".tally")).to_have_text("truth 4 · base 3 wrong · tuned 4 right")
    for key, truth in (("ArrowRight", 5), ("ArrowLeft", 4), ("Home", 0)):
        dimmed = events.evaluate(
            """(slider, key) => {
              if (key === "Home") slider.value = 0;
              else slider[key === "ArrowRight" ? "stepUp" : "stepDown"]();
              slider.dispatchEvent(new Event("input", {bubbles: true}));
              return "stale" in document.querySelector(".answers").dataset; }""",
            key,
        )
        assert dimmed
        expect(answers.locator(".truth")).to_have_text(f"Truth: {truth}", timeout=WAIT_MS)
        expect(page.locator(".answers[data-stale]")).to_have_count(0)
    bodies = asks_of(page)
    page.get_by_label("Sliders over the full range").check()
    page.get_by_role("tab", name="Probe", exact=True).click()
    page.locator("#tuned input").click()
    page.get_by_role("option", name="none", exact=True).click()
    page.wait_for_timeout(1500)
    assert bodies == [], "nothing was changed, or nothing of it is seen"
    page.get_by_role("tab", name="Design", exact=True).click()
    expect(answers).to_contain_text("No adapter is chosen", timeout=WAIT_MS)
    page.get_by_label("live", exact=True).uncheck()
    slider(page, "Events").press("ArrowRight")
    expect(answers.locator(".age")).to_contain_text("of an earlier sound or question, 1 s old")
    expect(page.locator(".answers[data-stale]")).to_have_count(1)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(answers.locator(".truth")).to_have_text("Truth: 1", timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_hidden()


def test_who_guesses_first_sees_no_answer_anywhere_until_asking_for_it(visit):
    page = visit("/?design=%7B%22n_events%22:3%7D")
    answers, show = page.locator("#answers"), page.get_by_role("button", name="Show the answers")
    expect(answers.locator(".truth")).to_have_text("Truth: 3", timeout=2 * WAIT_MS)
    page.get_by_label("I guess first").check()
    expect(show).to_be_visible()
    bodies = asks_of(page)
    slider(page, "Events").press("ArrowRight")
    expect_clip(page, draw(Pulses(n_events=4), 0))
    page.wait_for_timeout(800)
    assert bodies == [] and not re.search(
        "Truth:|class=.verdict|data-tally", page.inner_html("body")
    )
    page.locator("#ask-guess label").nth(4).click()
    show.click()
    expect(answers.locator(".truth")).to_have_text(
        re.compile("Truth: 4.*You answered 4 right"), timeout=WAIT_MS
    )
    assert len(bodies) == 1
    slider(page, "Events").press("ArrowRight")
    expect(answers.locator(".truth")).to_have_count(0)
    expect(show).to_be_visible()


@pytest.mark.parametrize("width,height", [(1440, 900), (1280, 800)])
def test_one_experiment_fits_one_screen(visit, width, height):
    page = visit("/", viewport={"width": width, "height": height})
    page.wait_for_selector(".card", timeout=2 * WAIT_MS)
    calm(page)
    box = {
        name: page.locator(place).first.bounding_box()
        for name, place in {
            "header": "#header",
            "tabs": "#places [role=tablist]",
            "bench": ".workbench",
            "controls": ".bench-controls",
            "measured": ".clip-measured",
            "cards": ".cards",
            "observers": ".observers",
        }.items()
    }
    ends = {name: b["y"] + b["height"] for name, b in box.items()}
    assert ends["header"] <= 52 and ends["tabs"] <= 93 and box["bench"]["y"] <= 101
    assert all(ends[name] <= height for name in ends if name != "bench")
    picture = page.locator(".clip .picture").first.bounding_box()
    assert 170 <= picture["height"] <= 200
    page.locator("#models > button").click()
    drawer = page.locator("#models-list").bounding_box()
    assert page.locator("#places [role=tablist]").bounding_box() == box["tabs"]
    assert drawer["x"] + drawer["width"] <= width


def test_a_phone_has_the_answers_at_its_foot(visit):
    page = visit("/", viewport={"width": 390, "height": 844})
    tally = page.locator(".tally")
    expect(tally).to_have_text("truth 4 · base 3 wrong · tuned 4 right", timeout=2 * WAIT_MS)
    box = tally.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 788, 390, 56)


def test_the_api_answers_and_refuses_with_a_sentence(url):
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(url, verbose=False)
    made = client.predict("pulses", {"n_events": 2}, 3, api_name="/synthesise")
    assert made["hash"] == draw(Pulses(n_events=2), 3).hash
    side = client.predict("gap", {}, 3, "counterpart", api_name="/synthesise")
    assert side["hash"] == draw_pair(FAMILIES["gap"](), 3, "gap")[1].hash
    said = client.predict("ideal", "pulses", {"n_events": 2}, 3, "count", 0, api_name="/ask")
    assert said["answer"] == said["truth"] == "2"
    other = client.predict("ideal", "rhythm", {}, 3, "jitter", 0, "counterpart", api_name="/ask")
    assert other["answer"] == other["truth"] == "no"
    known = client.predict(api_name="/families")["families"]
    assert [one["family"] for one in known] == list(FAMILIES)
    with pytest.raises(AppError, match=r"n_events=-1 is below the limit 0"):
        client.predict("pulses", {"n_events": -1}, 3, api_name="/synthesise")
    with pytest.raises(AppError, match="side='left' is not known"):
        client.predict("pulses", {}, 3, "left", api_name="/synthesise")
    with pytest.raises(AppError, match="nope"):
        client.predict("nope", api_name="/probe_status")
    offered = client.view_api(return_format="dict")["named_endpoints"]
    assert set(offered) == {"/synthesise", "/ask", "/families", "/probe_status"}


SLOWED = """() => {
  window.asked = 0;
  const usual = window.fetch;
  window.fetch = async (place, about) => {
    if (about?.body?.includes?.('"fn_name":"live_answer"')) {
      window.asked += 1;
      await new Promise((resolve) => setTimeout(resolve, window.slow_ms));
    }
    return usual(place, about);
  };
}"""


def test_a_model_that_is_slow_is_asked_at_rest_and_one_that_is_slower_by_a_button(visit):
    page = visit()
    answers, ask = page.locator("#answers"), page.get_by_role("button", name="Ask", exact=True)
    expect(answers.locator(".truth")).to_have_text("Truth: 4", timeout=2 * WAIT_MS)
    page.evaluate(SLOWED)
    page.evaluate("window.slow_ms = 2200")
    for truth in (5, 6):  # a time that comes once may be that of loading the model
        slider(page, "Events").press("ArrowRight")
        expect(answers.locator(".truth")).to_have_text(f"Truth: {truth}", timeout=WAIT_MS)
    slider(page, "Events").press("ArrowRight")
    expect(ask).to_be_visible()
    page.wait_for_timeout(1000)
    assert page.evaluate("window.asked") == 2
    page.evaluate("window.slow_ms = 400")
    ask.click()
    expect(answers.locator(".truth")).to_have_text("Truth: 7", timeout=WAIT_MS)
    for _ in range(3):  # within the time of rest: one question
        slider(page, "Events").press("ArrowLeft")
    expect(answers.locator(".truth")).to_have_text("Truth: 4", timeout=WAIT_MS)
    assert page.evaluate("window.asked") == 4


def test_answers_come_back_when_the_scorer_is_killed_while_sliders_move(
    browser, tmp_path, monkeypatch
):
    monkeypatch.setenv("SPECTCOUNT_SCORER_IDLE_S", "60")
    with serve(tmp_path) as url:
        page, _ = open_page(browser, f"{url}/?seed=0")
        answers = page.locator("#answers")
        expect(answers.locator(".truth")).to_have_text("Truth: 4", timeout=2 * WAIT_MS)
        who = answers.locator(".card .foot code").first.text_content()
        settings = load_settings(home=tmp_path)
        pid = scorer_pid(settings)
        slider(page, "Events").press("ArrowRight")
        os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            slider(page, "Events").press("ArrowRight")
        expect(answers.locator(".truth")).to_have_text("Truth: 7", timeout=2 * WAIT_MS)
        expect(page.locator(".answers[data-stale]")).to_have_count(0)
        assert answers.locator(".card .foot code").first.text_content() == who
        page.context.close()
