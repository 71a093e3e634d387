"""The Design tab and Ask in a real browser."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from spectcount.designs import FAMILIES, Pulses, draw
from spectcount.synth import synthesise

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

WAIT_MS = 60_000


def slider(page, words):
    return page.get_by_label(f"range slider for {words}")


def row(page, quantity):
    """Text of the table's row for a quantity: declared and measured."""
    table = page.locator(".clip-table").first
    return table.locator("tr").filter(has=page.get_by_role("rowheader", name=quantity, exact=True))


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


def test_moving_a_slider_by_key_repaints_table_and_player(visit):
    page = visit()
    picture = page.locator(".clip-model .picture").first
    before = picture.evaluate("canvas => canvas.toDataURL()")
    slider(page, "Events").focus()
    slider(page, "Events").press("ArrowRight")
    stimulus = draw(Pulses(n_events=5), 0)
    expect_clip(page, stimulus)
    expect(row(page, "Events").locator("td").nth(0)).to_have_text("5")
    expect(row(page, "Events").locator("td").nth(1)).to_have_text("5")
    expect(page.locator(".clip").first).to_have_attribute("data-heard", stimulus.hash)
    assert picture.evaluate("canvas => canvas.toDataURL()") != before


def test_a_held_key_ends_at_the_last_value(visit):
    page = visit()
    slider(page, "Level (dBFS)").focus()
    for _ in range(25):
        page.keyboard.press("ArrowLeft")
    expect_clip(page, draw(Pulses(level_dbfs=-14 - 12.5), 0))


def test_an_infeasible_design_says_why_and_dims_the_last_picture(visit):
    page = visit()
    good = shown(page)
    slider(page, "Clip (s)").focus()
    page.keyboard.press("Home")
    refusal = page.locator(".clip-error").first
    expect(refusal).to_have_text(re.compile("4 events of 100 ms .* the clip is 0.50 s; lower"))
    expect(page.locator(".clip").first).to_have_class(re.compile("refused"))
    assert shown(page) == good
    page.keyboard.press("End")
    expect(refusal).to_be_hidden()


def test_the_address_reproduces_the_exact_clip(visit):
    page = visit()
    slider(page, "Spacing (ms)").focus()
    page.keyboard.press("ArrowRight")
    stimulus = draw(Pulses(gap_ms=151), 0)
    expect_clip(page, stimulus)
    page.wait_for_url(f"**clip={stimulus.hash}*")
    again = visit("/?" + page.url.partition("?")[2])
    expect_clip(again, stimulus)
    expect(slider(again, "Spacing (ms)")).to_have_value("151")


def test_a_damaged_link_is_refused_in_words(browser, url):
    page = browser.new_page()
    page.goto(f"{url}/?design=%7Boops")
    expect(page.locator(".clip-error").first).to_contain_text("copy the link again")
    page.close()


def test_downloads_are_exact_and_come_back(visit, tmp_path):
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
    other = visit()
    open_stimulus(other, tmp_path / "stimulus.json")
    expect_clip(other, stimulus)
    expect(slider(other, "Events")).to_have_value("3")


def test_an_uploaded_stimulus_of_no_design_is_shown_until_a_control_moves(visit, tmp_path):
    stimulus = draw(Pulses(n_events=2), 0).to_dict()
    stimulus["meta"] = {}
    stimulus["events"][0]["level_dbfs"] = -30
    (tmp_path / "own.json").write_text(json.dumps(stimulus))
    page = visit()
    open_stimulus(page, tmp_path / "own.json")
    expect(page.locator(".clip-note").first).to_contain_text("An uploaded stimulus")
    expect(page.locator(".clip-link").first).to_be_disabled()
    slider(page, "Events").focus()
    page.keyboard.press("ArrowLeft")
    expect_clip(page, draw(Pulses(n_events=3), 0))


def test_a_preset_sets_the_form_also_beyond_the_sliders_usual_end(visit):
    page = visit()
    page.get_by_label("Preset", exact=True).click()
    page.get_by_role("option", name="paper", exact=True).click()
    expect(slider(page, "Clip (s)")).to_have_value("30", timeout=WAIT_MS)
    expect(page.locator(".clip").first).to_have_attribute("data-heard", re.compile("."))
    page.wait_for_function("document.querySelector('.clip audio').duration > 29.9")


BEYOND_THE_EDGE = """[...document.querySelectorAll("body *")]
  .filter((e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_nothing_sideways(visit, scheme):
    page = visit(f"/?__theme={scheme}", viewport={"width": 390, "height": 844})
    for tab in ("Design", "Probe", "Tune", "Compare", "You", "Runs"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
        assert page.evaluate(BEYOND_THE_EDGE) == [], tab


def test_ask_shows_truth_guess_and_every_listener(visit):
    page = visit("/?design=%7B%22n_events%22:3%7D")
    page.wait_for_selector(".dot.ready", timeout=2 * WAIT_MS)
    page.locator("#ask-guess label").nth(3).click()
    page.locator("#ask-button").click()
    answers = page.locator("#answers")
    expect(answers.locator(".truth")).to_have_text(re.compile("Truth: 3.*You said 3 right"),
                                                  timeout=WAIT_MS)  # fmt: skip
    for title in ("Base", "Ideal observer", "Plain DSP"):
        card = answers.locator(".card").filter(has_text=title)
        expect(card.locator(".bars tr")).to_have_count(11, timeout=WAIT_MS)
        expect(card.locator(".foot")).to_contain_text("probability mass on the set")


def test_a_recording_is_asked_about_with_a_note_on_its_conversion(visit, tmp_path):
    t = np.arange(2 * 44_100) / 44_100
    tone = 0.1 * np.sin(2 * np.pi * 1000 * t) * ((t > 0.5) & (t < 0.7))
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone, tone], axis=1), 44_100)
    page = visit()
    page.get_by_role("button", name="Ask about a recording instead").click()
    page.locator("#ask-upload input[type=file]").set_input_files(tmp_path / "stereo.wav")
    note = page.locator(".clip-note").nth(1)
    expect(note).to_contain_text("44100", timeout=WAIT_MS)
    page.locator("#ask-button").click()
    expect(page.locator("#answers .truth")).to_contain_text(
        "not known for this clip", timeout=WAIT_MS
    )


def test_a_broken_recording_is_refused_in_words(visit, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    page = visit()
    page.get_by_role("button", name="Ask about a recording instead").click()
    page.locator("#ask-upload input[type=file]").set_input_files(tmp_path / "broken.wav")
    expect(page.locator(".clip-error").nth(1)).to_contain_text("broken.wav", timeout=WAIT_MS)


def test_the_api_answers_and_refuses_with_a_sentence(url):
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(url, verbose=False)
    made = client.predict("pulses", {"n_events": 2}, 3, api_name="/synthesise")
    assert made["hash"] == draw(Pulses(n_events=2), 3).hash
    said = client.predict("ideal", "pulses", {"n_events": 2}, 3, "count", 0, api_name="/ask")
    assert said["answer"] == said["truth"] == "2"
    other = client.predict("ideal", "rhythm", {}, 3, "jitter", 0, "counterpart", api_name="/ask")
    assert other["answer"] == other["truth"] == "no"
    known = client.predict(api_name="/families")["families"]
    assert [one["family"] for one in known] == list(FAMILIES)
    with pytest.raises(AppError, match=r"n_events=-1 is below the limit 0"):
        client.predict("pulses", {"n_events": -1}, 3, api_name="/synthesise")
    with pytest.raises(AppError, match="nope"):
        client.predict("nope", api_name="/probe_status")
    offered = client.view_api(return_format="dict")["named_endpoints"]
    assert set(offered) == {"/synthesise", "/ask", "/families", "/probe_status"}
