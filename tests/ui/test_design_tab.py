"""The Design tab and Ask without a browser: what they show and send, for every family."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
import soundfile

from spectcount import actions, presets, rates, visitors
from spectcount.actions import LiveAnswer
from spectcount.clips import save_clip
from spectcount.designs import FAMILIES, Pulses
from spectcount.errors import UserError
from spectcount.listeners import EMBEDDED
from spectcount.listeners.scorer import live as scorer_live
from spectcount.measure.splatter import cautions
from spectcount.pairs import Drawing
from spectcount.scales import mel_channel
from spectcount.settings import load_settings
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import TASKS, task
from spectcount.trials import Question
from spectcount.ui import ask, clip, design, link
from spectcount.ui.header import Header

DRAWN = [name for name, declared in FAMILIES.items() if "carrier" not in declared.params()]
STIMULI = sorted(path.stem for path in load_settings().presets.glob("stimuli/*.yaml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The bench of a page, with a home of its own."""
    settings = load_settings(mode="local", home=tmp_path_factory.mktemp("home"), device="cpu")
    with gr.Blocks():
        header = Header(gr.Dropdown([EMBEDDED]), gr.Dropdown(["none"]))
        first = Drawing()
        tools, shown = design.lay_out_tools(settings, first)
        panel = ask.Panel(settings, header, "pulses", shown, lambda text: None, lambda text: "")
        view = clip.clip_view("The clip")
        side = design.side_switch(first.task)
    return design.Bench(settings, tools, shown, side, view, panel)


def shown_by(made, source):
    """(clip, what the page then says) of a handler's updates."""
    updates = made.show(source, False)
    assert set(updates) <= set(made.everything)
    return json.loads(updates[made.view]), updates[made.forms]


@pytest.mark.parametrize("name", DRAWN)
def test_every_family_is_drawn_from_its_defaults(made, name):
    drawing = Drawing(FAMILIES[name](), 4)
    value, said = shown_by(made, lambda: (drawing, "", ""))
    assert not value["error"]
    assert json.loads(value["stimulus"])["meta"]["family"] == name
    assert design._current(made.settings, said).hash == value["name"] == drawing.stimulus().hash
    found, _ = link.read_query(dict(parse_qsl(value["query"])))
    assert found.stimulus().hash == value["name"]


@pytest.mark.parametrize("name", STIMULI)
def test_every_preset_can_be_opened(made, name):
    value, said = shown_by(made, lambda: design._preset(name, made.settings))
    body = presets.load("stimuli", name, made.settings).body
    assert json.loads(said)["family"] == body["family"]
    assert json.loads(said)["params"] == body["params"]
    assert value["error"] == "" or "carrier" in body["params"]


@pytest.mark.parametrize("name", DRAWN)
def test_the_task_picker_offers_the_tasks_of_the_family(made, name):
    panel = made.panel
    new = panel.updates(name, "count")
    chosen, knows, wording, guess = (
        new[widget] for widget in (panel.task, panel.knows, panel.wording, panel.guess)
    )
    assert [value for _, value in chosen["choices"]] == list(FAMILIES[name].tasks)
    assert all(words == task(value).title for words, value in chosen["choices"])
    asked = task(chosen["value"])
    assert guess["choices"] == list(asked.answers)
    assert len(wording["choices"]) == len(asked.all_wordings) + 1
    assert FAMILIES[name].listeners[:20] in knows.replace("&#39;", "'")


def test_a_recording_may_be_asked_every_task(made):
    new = made.panel.updates("", "gap")
    chosen, knows = new[made.panel.task], new[made.panel.knows]
    assert [value for _, value in chosen["choices"]] == list(TASKS)
    assert (chosen["value"], knows) == ("gap", "")


def test_the_other_side_is_the_counterpart_and_its_switch_hides_without_one(made):
    said = {**Drawing(FAMILIES["rhythm"]()).to_dict(), "side": "counterpart"}
    value = json.loads(design._live(made.settings, json.dumps(said)))
    assert task("jitter").truth(Stimulus.from_json(value["stimulus"])) == "no"
    assert design.side_update("jitter")["visible"]
    assert not design.side_update("count")["visible"]
    assert not design.side_update("streams")["visible"]


def test_a_clip_without_a_counterpart_says_so(made):
    said = Drawing(Pulses(n_events=10), task="interval").to_dict()
    value = json.loads(design._live(made.settings, json.dumps(said)))
    assert "“Which half has the beep?” no answer is true of this clip" in value["note"]
    other = json.loads(design._live(made.settings, json.dumps({**said, "side": "counterpart"})))
    assert "change the design" in other["error"]


def test_what_a_control_holds_is_refused_in_words(made):
    said = Drawing().to_dict()
    said["params"]["gap_ms"] = "wide"
    value = json.loads(design._live(made.settings, json.dumps(said)))
    assert "gap_ms='wide' is not a number" in value["error"]


def test_a_recording_becomes_the_carrier_and_without_one_the_page_says_what_to_do(made, tmp_path):
    said = Drawing(FAMILIES["real_sound"]())
    value, text = shown_by(made, lambda: (said, "", ""))
    assert "open or record a sound" in value["error"]
    assert json.loads(text)["family"] == "real_sound"

    stimulus = Stimulus(0.5, (Event(0.1, 0.2, 500.0, -10.0),))
    save_clip(tmp_path / "sound.wav", stimulus)
    path = str(tmp_path / "sound.wav")
    value, text = shown_by(made, lambda: design._carrier(made.settings, path, text))
    assert not value["error"]
    digest = json.loads(text)["params"]["carrier"]
    assert [one.hash for one in actions.carriers(made.settings)] == [digest]
    assert (made.settings.home / "carriers" / f"{digest}.f32").is_file()
    assert value["hear"]["marks"].count('class="event"') == 1
    assert "top:0.0%;bottom:0.0%" in value["hear"]["marks"]

    gone = Drawing.from_dict({**json.loads(text), "params": {"carrier": "0" * 16}})
    value, text = shown_by(made, lambda: (gone, "", ""))
    assert "is not on this machine; open the recording" in value["error"]
    assert json.loads(text)["params"]["carrier"] == "0" * 16


def test_a_silent_recording_is_refused(made, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    text = design.shown_text(Drawing(FAMILIES["real_sound"]()))
    value = made.show(
        lambda: design._carrier(made.settings, str(tmp_path / "silence.wav"), text), False
    )[made.view]
    assert "silence.wav is silent" in json.loads(value)["error"]


def test_outlines_tell_events_background_and_gaps_apart():
    gap = Event(0.2, 0.5, 0.0, -20.0, "white", gap_ms=20, gap_onset_ms=100)
    masker = Event(0.1, 0.8, 1000.0, -30.0, "noise", bandwidth_hz=200)
    stimulus = Stimulus(1.0, (gap,), background=(masker,))
    first, second = clip.outlines(stimulus)
    assert (first.kind, second.kind) == ("background", "event")
    assert first.gap_s is None
    assert second.gap_s == pytest.approx(0.31)
    assert 800 < first.low_hz < 900 and 1100 < first.high_hz < 1200
    assert (second.low_hz, second.high_hz) == (0.0, 8000.0)
    marks = json.loads(clip.stimulus_value(stimulus))["model"]["marks"]
    assert re.findall('<i class="(.*?)" style="left:(.*?)%', marks) == [
        ("background", "10.0"),
        ("event", "20.0"),
    ]
    assert marks.count("<b ") == 1 and 'style="left:31.0%' in marks


def test_pictures_carry_frequencies_where_they_lie_and_round_seconds():
    view = clip._view()
    heights = dict(re.findall(r'style="--at: (.*?)">(.*?)</span>', view))
    at = {words: float(share) for share, words in heights.items()}
    assert at["4\u2009000"] == pytest.approx((mel_channel(4000) + 0.5) / 128)
    ticks = re.findall(r"--at:(.*?)\">(.*?)<", clip._time_ticks(4.0))
    assert [words for _, words in ticks] == [f"{0.5 * k:g}" for k in range(9)]
    assert [float(at) for at, _ in ticks] == [k / 8 for k in range(9)]


@pytest.mark.parametrize(
    "name,params,words",
    [
        ("pulses", {"attack_ms": 0}, "ramps down to 0 ms clicks"),
        ("forward_masking", {"ramp_ms": 2}, "sound of 20 ms with ramps down to 2 ms clicks"),
        ("gap", {"carrier_wave": "tone", "gap_ramp_ms": 1}, "the gap's edges spread energy"),
    ],
)
def test_what_edges_give_away_is_said_with_the_clip(made, name, params, words):
    drawing = Drawing(FAMILIES[name](**params), 4)
    value, _ = shown_by(made, lambda: (drawing, "", ""))
    found = json.loads(clip.measured(value["stimulus"]))
    said = cautions(drawing.stimulus())
    assert value["table"] and found["caution"] == " ".join(f"Caution: {w}." for w in said)
    assert words in said[0] and "<td" in found["table"]
    quiet, _ = shown_by(made, lambda: (Drawing(Pulses(), 4), "", ""))
    assert json.loads(clip.measured(quiet["stimulus"]))["caution"] == ""


def test_an_observer_without_an_answer_declines_on_its_card(made):
    drawing = Drawing(FAMILIES["streaming"](), task="streams")
    question = Question(drawing.stimulus(), "streams")
    (card,) = ask._cards(made.settings, "Ideal observer", "ideal", question)
    assert card.result is None and card.refusal
    html = ask._render(question, [card, card], None, "0")
    assert "this question has no right answer" in html
    assert 'class="refusal"' in html


def live_text(**changes):
    """What the browser sends to ask about the first sound."""
    values = {
        "live": True,
        "hide": False,
        "guess": None,
        "base": EMBEDDED,
        "tuned": "example",
        "task": "count",
        "wording": 0,
        "reverse": False,
        "own": "",
        "upload": None,
        "sound": json.dumps(Drawing(Pulses(n_events=2)).to_dict()),
        **changes,
    }
    return json.dumps({"page": "p", "values": [*values.values()]})


@pytest.fixture
def panel(made, monkeypatch):
    """The panel, whose models are a formula each; their fingerprints are told apart."""

    def answer(settings, specs, question, page):
        assert page == "p"
        heard = actions.ask(settings, "ideal", question, with_reply=False).trial
        return [
            LiveAnswer(spec, 0, heard.changed(fingerprint=f"print of {spec}"), "", 0.02)
            for spec in specs
        ]

    monkeypatch.setattr(actions, "ask_live", answer)
    monkeypatch.setattr(made.panel, "current", lambda text: design._current(made.settings, text))
    return made.panel


def test_a_live_answer_stands_with_truth_time_and_who_gave_it(panel):
    answers = panel.answer(live_text())
    assert 'data-tally="truth 2 · base 2 right · tuned 2 right"' in answers
    for spec in (EMBEDDED, f"{EMBEDDED}@example", "ideal", "dsp"):
        assert f"print of {spec}</code>" in answers
    assert answers.count("1 question in 20 ms") == 4
    assert "You answered <b>3</b>" in panel.answer(live_text(guess="3"))
    alone = panel.answer(live_text(tuned="none"))
    assert "tuned –" in alone and "No adapter is chosen" in alone


def test_a_live_question_that_cannot_be_is_refused_in_words(panel, monkeypatch):
    for text, words in (
        ("[]", "no JSON object"),
        (json.dumps({"page": "p", "values": [1]}), "reload the page"),
        (live_text(base=7), "reload the page"),
        (live_text(wording="0"), "reload the page"),
        (live_text(task="nope"), "nope"),
        (live_text(wording=-1), "the question is empty"),
        (live_text(sound=json.dumps({"params": {}})), "lacks its"),
    ):
        answers = panel.answer(text)
        assert 'class="refusal"' in answers and words in answers, text

    def newer(*args, **more):
        raise actions.Superseded

    monkeypatch.setattr(actions, "ask_live", newer)
    assert panel.answer(live_text()) == ""


def test_live_questions_of_a_public_page_are_limited_in_words(made, monkeypatch):
    def silent(settings, asking, questions):
        raise UserError("no model is asked here")

    monkeypatch.setattr(scorer_live, "parts", silent)
    monkeypatch.setattr(made.panel, "current", lambda text: Drawing().stimulus())
    rates.PUBLIC.forget()
    with visitors.acting_for("visitor"):
        answers = [made.panel.answer(live_text()) for _ in range(20)]
    rates.PUBLIC.forget()
    assert "no model is asked here" in answers[0] and "Ideal observer" in answers[0]
    assert "you may have questions to a model: 30 at once" in answers[-1]
    assert "Truth" not in answers[-1]


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_family_is_about_is_on_top_and_the_rest_is_folded(name):
    first, *rest = design.basics_first(FAMILIES[name])
    assert first.open and not any(group.open for group in rest)
    names = [field.spec.name for group in (first, *rest) for field in group.fields]
    assert sorted(names) == sorted(FAMILIES[name].params())
    assert 4 <= len(first.fields) <= 8
    if name == "pulses":
        assert names[:3] == ["n_events", "gap_ms", "frequency_overlap"]


def test_what_is_measured_is_told_in_one_line(made):
    value, _ = shown_by(made, lambda: (Drawing(), "", ""))
    assert json.loads(clip.measured(value["stimulus"]))["agree"] == "13 of 13 agree"


def test_demo_mode_says_where_a_recording_goes(tmp_path):
    with gr.Blocks() as page:
        design.lay_out_recorder(load_settings(mode="demo", home=tmp_path), True)
    words = " ".join(str(block.value) for block in page.blocks.values() if hasattr(block, "value"))
    assert "on the server of this page" in words


def test_a_link_that_cannot_be_read_leaves_the_form_alone(made):
    def source():
        raise UserError("damaged; copy the link again")

    updates = made.show(source, False)
    assert list(updates) == [made.view], "all else stays"
    assert json.loads(updates[made.view])["error"] == "damaged; copy the link again"
