"""The official files become items; what is not as it should be is refused with its place."""

from __future__ import annotations

import json
import subprocess
import sys

import make_fixtures
import numpy as np
import pytest
import soundfile
from asking import SHIPPED

from spectcount import clips
from spectcount.benchmarks import catalogue, files, items, prompts
from spectcount.errors import UserError


@pytest.mark.parametrize("name", make_fixtures.MAKERS)
def test_items_hold_what_the_official_file_says(data, name):
    path, found = catalogue.get(name).load(data[name])
    records = files.records(path)
    assert len(found) == len(records) > 3
    for row, (item, record) in enumerate(zip(found, records, strict=True)):
        assert item.row == row and item.question == record["question"]
        assert item.answer == record.get("answer", record.get("answer_gt"))
        assert item.answer in item.choices
        assert [kind for kind, _ in item.strata] == list(catalogue.get(name).strata)
    missing = [item.id for item in found if not item.audio.is_file()]
    assert missing == ([make_fixtures.MISSING] if name == "mmau" else [])


def test_a_category_that_is_a_list_is_read_as_its_name(data):
    _, found = catalogue.get("mmau").load(data["mmau"])
    assert {item.stratum("category") for item in found} == {"Reasoning", "Information Extraction"}


def test_grounding_sounds_are_flac_whatever_the_annotations_say(data):
    _, found = catalogue.get("air-bench").load(data["air-bench"])
    endings = {item.audio.suffix for item in found if item.stratum("task") == "Audio_Grounding"}
    assert endings == {".flac"} and all(item.audio.is_file() for item in found)


def test_the_foundation_folder_itself_may_be_given(data):
    path, found = catalogue.get("air-bench").load(data["air-bench"] / "Foundation")
    assert path.name == "Foundation_meta.json" and len(found) == 8


def test_empty_letters_stay_empty_and_the_word_none_is_an_option(data):
    _, found = catalogue.get("mmsu").load(data["mmsu"])
    assert found[2].options == (None, "male", None, "female") and found[2].slots == (1, 3)
    assert found[0].options[3] == "None" == found[0].answer


@pytest.mark.parametrize("name", make_fixtures.MAKERS)
def test_no_prompt_ever_shows_what_gives_the_answer_away(data, name):
    _, found = catalogue.get(name).load(data[name])
    for one in prompts.names([SHIPPED]):
        prompt = prompts.load(one, [SHIPPED])
        for item in found:
            text = prompt.words(item.question, item.rotated())
            assert make_fixtures.LEAK not in text + repr(item)
            assert all(choice in text for choice in item.choices) and item.question in text


def test_jsonl_may_hold_a_list_and_json_may_hold_lines(tmp_path, data):
    rows = files.records(data["mmsu"] / "MMSU.jsonl")
    (tmp_path / "mmsu.jsonl").write_text("\ufeff" + json.dumps(rows), encoding="utf-8")
    assert len(catalogue.get("mmsu").load(tmp_path)[1]) == len(rows)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mmau-test-mini.json", "[{", "broken JSON"),
        ("mmau-test-mini.json", '[{"id": "x"}]', "row 0, has no 'audio_id'"),
        ("mmau-test-mini.json", "[]", "no list of questions"),
        (
            "mmau-test-mini.json",
            '[{"id": "x", "audio_id": "x.wav", "question": "?", "choices": "a or b"}]',
            "row 0 has choices='a or b', which is no list",
        ),
        ("other.json", "[]", "no file of MMAU"),
    ],
)
def test_a_file_that_is_not_the_official_one_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        catalogue.get("mmau").load(tmp_path)


def test_an_item_with_one_option_is_refused(tmp_path):
    row = {"id": "x", "audio_id": "x.wav", "question": "?", "choices": ["a"], "answer": "a"}
    (tmp_path / "mmau-test-mini.json").write_text(json.dumps([row]))
    with pytest.raises(UserError, match="has 1 options"):
        catalogue.get("mmau").load(tmp_path)


def test_an_unknown_benchmark_gets_the_nearest():
    with pytest.raises(UserError, match="did you mean mmsu"):
        catalogue.get("mmsuu")


def test_a_limit_draws_the_same_items_at_a_seed_in_the_files_order(data):
    _, found = catalogue.get("mmau").load(data["mmau"])
    rows = [item.row for item in items.pick(found, 3, 5)]
    assert rows == sorted(rows) == [item.row for item in items.pick(found, 3, 5)]
    assert len({tuple(i.row for i in items.pick(found, 3, seed)) for seed in range(9)}) > 1


def test_rotations_show_every_option_once_at_every_filled_place(data):
    _, found = catalogue.get("mmsu").load(data["mmsu"])
    for item in found:
        shown = [item.rotated(r) for r in range(item.n_rotations)]
        assert shown[0] == item.options
        for slot in item.slots:
            assert sorted(one[slot] for one in shown) == sorted(item.choices)


def test_sounds_become_mono_at_16_khz_and_nothing_is_cut(tmp_path):
    t = np.arange(44_100 * 40) / 44_100
    stereo = 0.3 * np.stack([np.sin(2 * np.pi * 500 * t)] * 2, axis=1)
    soundfile.write(tmp_path / "x.flac", stereo, 44_100)
    sound = clips.read(tmp_path / "x.flac", clips.DATA_SETS)
    assert sound.waveform.dtype == np.float32 and sound.duration_s == pytest.approx(40)
    assert (len(sound.notes), sound.channel, sound.lowered_db) == (2, None, 0)
    spectrum = np.abs(np.fft.rfft(sound.waveform[:16_000]))
    assert np.argmax(spectrum) == 500 and np.abs(sound.waveform).max() == pytest.approx(
        0.3, abs=0.01
    )


def test_a_sound_over_full_scale_is_lowered_as_a_whole_and_says_so(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.array([0.5, -2.0, 1.0] * 400), 16_000, subtype="FLOAT")
    sound = clips.read(tmp_path / "x.wav", clips.DATA_SETS)
    assert sound.lowered_db == pytest.approx(6.02, abs=0.01)
    assert sound.waveform[:3] == pytest.approx([0.25, -1, 0.5])


@pytest.mark.parametrize("content", [b"no sound", b""])
def test_a_broken_sound_is_refused(tmp_path, content):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as audio"):
        clips.read(tmp_path / "x.wav", clips.DATA_SETS)


def test_the_fixtures_are_made_by_a_script(tmp_path):
    subprocess.run([sys.executable, make_fixtures.__file__, tmp_path], check=True)
    assert len(list(tmp_path.rglob("*.json*"))) == 4
