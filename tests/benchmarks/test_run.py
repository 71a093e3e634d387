"""A run: scores, floors, what could not be heard, resuming, rotations, base against tuned."""

from __future__ import annotations

import json
import re
import shutil

import make_fixtures
import pytest
from asking import Says, config, execute, first, in_turn, truth

from spectcount.benchmarks import catalogue, words
from spectcount.errors import UserError
from spectcount.listeners.observers.observer import AlwaysFirst, Silence
from tests.ledger import Context

NAMES = tuple(make_fixtures.MAKERS)


@pytest.mark.parametrize("mode", ["reply", "scored"])
@pytest.mark.parametrize("name", NAMES)
def test_who_knows_the_answers_is_right_on_all_that_it_heard(data, name, mode):
    summary, _ = execute(name, data[name], Says(truth), mode=mode)
    one = summary["listeners"]["says"]
    heard = one["n_replied"]
    assert one["official"]["right"] == one["official"]["counted"] == heard
    assert one["official"]["score"]["value"] == 1
    assert one["strict"]["right"] == heard and one["strict"]["n"] == summary["benchmark"]["n"]
    assert one["unparsed"]["n"] == 0
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@pytest.mark.parametrize("name", NAMES)
def test_the_floor_of_always_first_is_what_always_first_scores(data, name, tmp_path):
    folder = tmp_path / "whole"
    shutil.copytree(data[name], folder)
    _, items = catalogue.get(name).load(folder)
    for item in items:
        make_fixtures.tone(item.audio, 440 + item.row)
    summary, _ = execute(name, folder, AlwaysFirst())
    floor, one = summary["floors"]["first"], summary["listeners"]["first"]
    assert floor["strict"] == one["strict"]["score"]["value"]
    assert floor["official"] == one["official"]["score"]["value"]
    assert one["positions"] == [len(items)]
    assert sum(summary["floors"]["answer_positions"]) == len(items)


def test_an_item_without_its_sound_is_listed_and_wrong_in_the_strict_score(data):
    summary, _ = execute("mmau", data["mmau"], Says(truth))
    one = summary["listeners"]["says"]
    assert [u["item"] for u in summary["unheard"]["missing"]] == [make_fixtures.MISSING]
    assert (one["strict"]["right"], one["strict"]["n"]) == (6, 7)
    assert one["official"]["counted"] == 6
    assert any("sound missing: 1 of 7" in line for line in words.lines(summary))


def test_a_sound_that_cannot_be_read_is_listed(data, tmp_path):
    shutil.copytree(data["mmau"], tmp_path / "broken")
    next((tmp_path / "broken").rglob("*-a.wav")).write_bytes(b"no sound")
    summary, _ = execute("mmau", tmp_path / "broken", Says(truth))
    assert [u["item"] for u in summary["unheard"]["unreadable"]] == ["mmau-a"]
    assert summary["listeners"]["says"]["strict"]["right"] == 5


@pytest.mark.parametrize("mode", ["reply", "scored"])
def test_a_clip_that_is_too_long_is_refused_with_words_and_never_cut(data, mode):
    says = Says(truth)
    summary, _ = execute("mmar", data["mmar"], says, mode=mode)
    one = summary["listeners"]["says"]
    assert [(r["item"], r["duration_s"]) for r in one["refused"]] == [("mmar-3", 40.0)]
    assert "lasts 40.00 s" in one["refused"][0]["why"]
    assert (one["strict"]["right"], one["strict"]["n"], one["official"]["counted"]) == (3, 4, 3)
    assert max(len(q.waveform) for q in says.asked) == 8000


@pytest.mark.slow
@pytest.mark.parametrize(("family", "refused"), [("audio-flamingo-3", 0), ("qwen2-audio", 1)])
def test_a_clip_of_several_windows_counts_as_refused_only_where_it_is(
    data, tmp_path, family, refused
):
    """One clip of 40 s, models whose windows last 4 s: one that takes many of them, one that
    takes one."""
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel
    from tests.families.checkpoints import build

    lm = AudioLM(LoadedModel(build(family, tmp_path / family)), "tiny")
    summary, _ = execute("mmar", data["mmar"], lm, mode="scored")
    one = summary["listeners"]["tiny"]
    assert len(one["refused"]) == refused
    assert all(
        "lasts 40.00 s" in r["why"] and "hears 0.10 to 4 s" in r["why"] for r in one["refused"]
    )


def test_a_listener_that_hears_nothing_gets_no_score(data):
    with pytest.raises(UserError, match="answered none of 4 items of MMAR: 0 without"):
        execute("mmar", data["mmar"], Says(truth, window_s=0.01))


def test_an_unparsed_reply_is_wrong_in_the_strict_score_and_may_leave_the_official_one(data):
    replies = ["D", "no idea", "", "A", "Answer: C", "the answer is D."]
    summary, _ = execute("mmsu", data["mmsu"], Says(in_turn(replies)))
    one = summary["listeners"]["says"]
    # in the file: None (D), two (B), female (D), calm (A), t (C), odd (D)
    assert (one["official"]["right"], one["official"]["counted"]) == (4, 5)
    assert (one["strict"]["right"], one["strict"]["n"]) == (3, 6)
    assert one["unparsed"]["n"] == 2 and one["official"]["left_out"] == 1
    assert any("letter of an earlier reply" in said for said in one["official"]["gotchas"])


def test_air_bench_averages_over_tasks_not_items(data):
    def right_on_avqa(question):
        return question.truth if "What about avqa" in question.prompt else "D"

    summary, _ = execute("air-bench", data["air-bench"], Says(right_on_avqa))
    official = summary["listeners"]["says"]["official"]
    rates = {row["name"]: row["listeners"]["says"] for row in summary["strata"]["task"]}
    assert {name: (r["right"], r["n"]) for name, r in rates.items()} == {
        "Audio_Grounding": (0, 2),
        "Music_AQA": (0, 2),
        "Sound_AQA": (3, 4),
    }
    assert official["score"]["value"] == pytest.approx((0 + 0 + 3 / 4) / 3)
    assert official["mean_over_sets"] == pytest.approx(1 / 4)
    assert official["score"]["low"] < 0.25 < official["score"]["high"]


def test_a_stopped_run_goes_on_and_asks_nothing_twice(data):
    says = Says(truth)
    asked = config("mmsu", data["mmsu"])
    stopped = Context(asked, stop_after=2)
    summary, _ = execute("mmsu", None, says, context=stopped)
    assert summary["stopped"] and len(says.asked) == 2
    assert summary["listeners"]["says"]["n_not_asked_yet"] == 4
    assert summary["listeners"]["says"]["strict"]["n"] == 2
    again = Context(asked, ledger=stopped.ledger)
    summary, _ = execute("mmsu", None, says, context=again)
    assert len(says.asked) == 6 == len({q.key for q in says.asked})
    whole, _ = execute("mmsu", data["mmsu"], Says(truth))
    for key in ("official", "strict", "positions"):
        assert summary["listeners"]["says"][key] == whole["listeners"]["says"][key]


def test_another_run_of_the_same_listener_asks_nothing_again(data):
    says = Says(truth)
    _, context = execute("mmau", data["mmau"], says)
    n = len(says.asked)
    other = Context(config("mmau", data["mmau"], rotate=True), context.ledger, "other")
    summary, _ = execute("mmau", None, says, context=other)
    assert summary["listeners"]["says"]["known"] == n
    assert len(says.asked) == 22 == len({q.key for q in says.asked})


def test_another_prompt_or_way_of_asking_is_another_question(data):
    says = Says(first)
    ledger = Context({}).ledger
    for i, (prompt, mode) in enumerate(
        [("letter", "reply"), ("letter-none", "reply"), ("letter", "scored")]
    ):
        asked = Context(config("mmsu", data["mmsu"], prompt, mode=mode), ledger, f"run{i}")
        execute("mmsu", None, says, context=asked)
    assert len(says.asked) == 3 * 6 == len({q.key for q in says.asked})


def test_rotations_tell_a_listener_that_hears_from_one_that_takes_a_place(data):
    knows, takes = Says(truth, "knows"), Says(first, "takes")
    summary, _ = execute("mmsu", data["mmsu"], takes, knows, rotate=True)
    found = {name: one["rotation"] for name, one in summary["listeners"].items()}
    assert found["knows"]["consistent"]["value"] == found["knows"]["mean_over_orders"] == 1
    assert found["takes"]["consistent"]["value"] == 0
    assert found["takes"]["right_in_every_order"]["value"] == 0
    assert found["takes"]["mean_over_orders"] == pytest.approx((5 / 4 + 1 / 2) / 6)
    assert found["takes"]["positions"] == [22]
    assert found["knows"]["positions"] == [6, 6, 5, 5]


def test_base_against_tuned_is_paired(data):
    def worse(question):
        return question.truth if "clip a?" in question.prompt else "nothing"

    summary, _ = execute("mmau", data["mmau"], Says(worse, "base"), Says(truth, "tuned"))
    found = summary["comparison"]
    assert (found["base"], found["tuned"], found["n"]) == ("base", "tuned", 7)
    assert found["mcnemar"] == {"only_base_right": 0, "only_tuned_right": 5, "p": 2 * 0.5**5}
    assert found["strict"]["value"] == pytest.approx(5 / 7)
    assert found["strict"]["low"] > 0 and found["verdicts"][0]["kind"] == "improved"
    assert found["official"]["value"] == pytest.approx(5 / 6)
    assert "7 paired items" in summary["verdicts"][0]["sentence"]
    assert all(row["verdict"] for rows in summary["strata"].values() for row in rows)


def test_one_listener_twice_is_refused(data):
    with pytest.raises(UserError, match="the same listener"):
        twin = Says(truth, "twin")
        twin.fingerprint = "says-1"
        execute("mmsu", data["mmsu"], Says(truth), twin)


def test_silence_is_asked_the_same_words_about_nothing(data):
    says = Says(truth)
    says.name = "m"
    summary, _ = execute("mmsu", data["mmsu"], Silence(says))
    assert "silence:m" in summary["listeners"]
    assert all(not q.waveform.any() and len(q.waveform) == 9600 for q in says.asked)


def test_without_answers_there_are_predictions_and_no_score(data, tmp_path):
    shutil.copytree(data["mmau"], tmp_path / "test")
    path = tmp_path / "test" / "mmau-test-mini.json"
    rows = json.loads(path.read_text())
    for row in rows:
        del row["answer"]
    path.rename(path.with_name("mmau-test.json")).write_text(json.dumps(rows))
    summary, _ = execute("mmau-test", tmp_path / "test", Says(first))
    one = summary["listeners"]["says"]
    assert (one["official"], one["strict"], summary["floors"]) == (None, None, None)
    assert one["n_replied"] == 6 and "no score" in " ".join(words.lines(summary))


def test_a_file_that_changed_since_the_start_is_refused(data):
    asked = config("mmsu", data["mmsu"]) | {"digest": "0" * 16}
    with pytest.raises(UserError, match="has changed since the run was started"):
        execute("mmsu", None, Says(truth), context=Context(asked))


def test_the_report_in_words_has_every_number_and_every_gotcha(data):
    summary, _ = execute("mmsu", data["mmsu"], Says(truth, "a"), Says(first, "b"), rotate=True)
    text = "\n".join(words.lines(summary))
    for gotcha in catalogue.get("mmsu").gotchas:
        assert gotcha in text
    for part in (
        "official 100.00 %",
        "strict",
        "unparsed",
        "always the first option",
        "McNemar exact p",
        "by task_name",
        "one option in every order",
    ):
        assert part in text


def test_the_docs_name_every_key_of_the_summary(data, root):
    text = (root / "docs" / "benchmarks.md").read_text()
    summary, _ = execute("mmsu", data["mmsu"], Says(truth, "a"), Says(first, "b"), rotate=True)
    one = summary["listeners"]["a"]
    parts = [
        summary,
        summary["benchmark"],
        summary["prompt"],
        summary["unheard"],
        summary["floors"],
        one,
        one["official"],
        one["strict"],
        one["rotation"],
        summary["comparison"],
        summary["comparison"]["mcnemar"],
        summary["strata"]["category"][0],
    ]
    named = set(re.findall(r"\w+", text[text.index("## The summary") :]))
    assert {key for part in parts for key in part} <= named
    for name in catalogue.BENCHMARKS:
        assert f"`{name}`" in text
    for prompt in (root / "spectcount" / "presets" / "benchmarks").glob("*.yaml"):
        assert f"`{prompt.stem}`" in text
