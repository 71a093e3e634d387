"""Annotation files and sounds as they come: encodings, absent values, spellings, cut sounds."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
import soundfile
from asking import Says, execute, truth

from spectcount import cli
from spectcount.benchmarks import catalogue, words
from spectcount.benchmarks.items import Item, plain
from spectcount.errors import UserError

MMAU = catalogue.get("mmau")
TONE = 0.3 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16_000)


def row(name, choices=("yes", "no"), answer="no", audio=None, **more):
    return {
        "id": name,
        "audio_id": audio or f"./test-mini-audios/{name}.wav",
        "question": "Which?",
        "choices": list(choices),
        "answer": answer,
        **more,
    }


def write(folder, rows, sounds=None):
    """An MMAU folder; a sound for each row, or for the names given."""
    names = [r["audio_id"] for r in rows] if sounds is None else sounds
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, TONE * (1 - 0.1 * i), 16_000, format="WAV")
    (folder / "mmau-test-mini.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "gbk"])
@pytest.mark.parametrize("what", ["annotations", "prompt"])
def test_another_encoding_is_one_sentence_and_exit_2(
    settings, tmp_path, monkeypatch, capsys, encoding, what
):
    folder = write(tmp_path, [row("a", ["Gebäude", "Straße"], "Straße")])
    text = json.dumps([row("a", ["Gebäude 日", "Straße"], "Straße")], ensure_ascii=False)
    prompt = tmp_path / "own.yaml"
    prompt.write_text("title: t\nabout: 日 ä\ntemplate: '{question} {options}'\n", encoding="utf-8")
    broken, text = {
        "annotations": (folder / "mmau-test-mini.json", text),
        "prompt": (prompt, prompt.read_text(encoding="utf-8")),
    }[what]
    broken.write_bytes(text.encode(encoding, "replace"))
    words_given = ["--home", settings.home, "benchmark", "run", "mmau", "--path", folder]
    words_given += ["--listener", "first", "--prompt", prompt]
    monkeypatch.setattr(sys, "argv", ["spectcount", *map(str, words_given)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert "UTF-8" in said and len(said.strip().splitlines()) == 1


def test_options_and_answers_that_are_nan_are_absent(tmp_path):
    rows = [row("a", ["yes", math.nan, "no", None, " "]), row("b", answer=math.nan), row("c")]
    summary, _ = execute("mmau", write(tmp_path, rows), Says(truth))
    assert MMAU.load(tmp_path)[1][0].options == ("yes", "no")
    assert [item.answer for item in MMAU.load(tmp_path)[1]] == ["no", None, "no"]
    assert summary["benchmark"]["n"] == 2 and summary["benchmark"]["n_unanswered"] == 1
    assert summary["listeners"]["says"]["strict"]["right"] == 2
    assert "1 item has no answer in the file and is not asked" in summary["caveats"]


def test_letters_that_are_nan_are_empty_slots(tmp_path):
    record = {
        "id": "a",
        "task_name": "t",
        "audio_path": "a.wav",
        "question": "Which?",
        "choice_a": math.nan,
        "choice_b": "yes",
        "choice_c": None,
        "choice_d": "nan",
        "answer_gt": "nan",
        "category": math.nan,
    }
    (tmp_path / "MMSU.jsonl").write_text(json.dumps(record))
    (item,) = catalogue.get("mmsu").load(tmp_path)[1]
    assert item.options == (None, "yes", None, "nan") and item.right == "nan"
    assert item.stratum("category") == "none"


@pytest.mark.parametrize(
    ("answer", "options", "right"),
    [
        ("Yes", ["yes", "no"], "yes"),
        (" yes\n", ["yes", "no"], "yes"),
        ("grand  piano", ["Grand piano.", "flute"], "Grand piano."),
        ("3", ["3.0", "4.0"], "3.0"),
        ("1,000", ["1000", "100"], "1000"),
        ("1e3 Hz", ["1000 Hz", "100 Hz"], "1000 Hz"),
        ("3,5", ["3.5", "35"], "3.5"),
        ("Three times", ["3 times", "4 times"], "3 times"),
        ("0.50", [".5", "5"], ".5"),
        ("＋3", ["3", "4"], "3"),
        ("yes", ["Yes", "yes", "no"], "yes"),
        ("YES", ["Yes", "yes.", "no"], None),
        ("3", ["30", "13"], None),
        ("1.5", ["15", "1,500"], None),
        ("-3", ["3", "4"], None),
        ("maybe", ["yes", "no"], None),
    ],
)
def test_an_answer_is_the_one_option_that_is_alike(tmp_path, answer, options, right):
    item = Item(0, "a", tmp_path, "Which?", tuple(options), answer)
    assert item.right == right
    assert plain(plain(answer)) == plain(answer)


def test_answers_that_are_no_option_are_counted_in_the_open(tmp_path):
    rows = [row("a", answer="No."), row("b", answer="perhaps"), row("c", answer="never")]
    summary, _ = execute("mmau", write(tmp_path, rows), Says(lambda q: "no"))
    strict = summary["listeners"]["says"]["strict"]
    assert (strict["right"], strict["n"]) == (1, 3)
    assert summary["floors"]["answers_not_among_options"] == 2
    assert any("2 answers are none of the options" in line for line in words.lines(summary))


@pytest.mark.parametrize(
    ("names", "sounds", "expected"),
    [
        (["a/x.wav", "b/x.wav"], ["b/x.wav"], [False, True]),
        (["a/x.wav", "b/x.wav"], ["audio/x.wav"], [False, False]),
        (["a/x.wav"], ["audio/x.wav"], [False]),
        (["./audio/x.wav", "./test-audios/x.wav"], ["audio/x.wav"], [True, False]),
        (["x.wav", "./audio/x.wav"], ["audio/x.wav"], [False, True]),
        (["x.wav"], ["audio/x.wav"], [True]),
        (["a/x.wav"], ["audio/a/x.wav"], [True]),
        (["/data/test-mini-audios/x.wav"], ["test-mini-audios/x.wav"], [True]),
        (["/data/x.wav"], ["audio/x.wav"], [False]),
    ],
)
def test_no_item_gets_the_sound_of_another_of_the_same_bare_name(tmp_path, names, sounds, expected):
    folder = write(tmp_path, [row(f"i{k}", audio=n) for k, n in enumerate(names)], sounds)
    assert [item.audio.is_file() for item in MMAU.load(folder)[1]] == expected


def test_sounds_cut_short_are_listed_counted_and_never_asked(tmp_path):
    rows = [row(f"i{k}") for k in range(6)]
    folder = write(tmp_path, rows)
    sounds = sorted((folder / "test-mini-audios").iterdir())
    for path, form in zip(sounds[1:], ["WAV", "MP3", "OGG", "FLAC"], strict=False):
        soundfile.write(path, TONE, 16_000, format=form)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    says = Says(truth)
    summary, _ = execute("mmau", folder, says)
    assert [one["item"] for one in summary["unheard"]["unreadable"]] == ["i1", "i2", "i3", "i4"]
    assert all("cut short" in one["why"] for one in summary["unheard"]["unreadable"])
    assert len(says.asked) == 2 and summary["listeners"]["says"]["n_replied"] == 2


def test_channels_that_cancel_are_counted_in_the_report(tmp_path):
    folder = write(tmp_path, [row("a")])
    path = folder / "test-mini-audios" / "a.wav"
    soundfile.write(path, np.stack([TONE, -TONE], axis=1), 16_000)
    says = Says(truth)
    summary, _ = execute("mmau", folder, says)
    assert np.abs(says.asked[0].audio()).max() == pytest.approx(0.3, abs=0.01)
    assert summary["listeners"]["says"]["n_single_channel"] == 1
    assert any("channels that cancel in their mix" in line for line in words.lines(summary))


def test_a_key_given_twice_in_a_row_is_refused(tmp_path):
    text = json.dumps([row("a")]).replace('"answer": "no"', '"answer": "no", "answer": "yes"')
    (tmp_path / "mmau-test-mini.json").write_text(text)
    with pytest.raises(UserError, match="the key 'answer' is given twice"):
        MMAU.load(tmp_path)
