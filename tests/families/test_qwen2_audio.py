"""Qwen2-Audio's own traps: the base is asked without turns and told from the chat model."""

import json
import shutil

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.files import SOURCE
from spectcount.listeners.families.qwen2_audio import chats
from spectcount.trials import Question

pytestmark = pytest.mark.slow

BASE = "<|audio_bos|><|AUDIO|><|audio_eos|>"


@pytest.fixture(scope="module")
def base(checkpoint):
    from spectcount.listeners.loaded import LoadedModel

    return LoadedModel(checkpoint("qwen2-audio-base"))


def test_the_base_is_asked_as_its_makers_ask_it(base):
    family, processor = base.family, base.processor
    clip = np.zeros(16_000, np.float32)
    stock = base.stock_inputs(["Is there a beep?"], [clip])["input_ids"][0].tolist()
    assert stock == family.prompt_ids("Is there a beep?", 25, processor)
    text = processor.tokenizer.decode(family.prompt_ids("Is there a beep?", 1, processor))
    assert text == f"{BASE}Is there a beep?"
    answer = processor.tokenizer.decode(family.answer_ids("yes", processor))
    assert answer == "yes<|endoftext|>"


def test_the_chat_model_keeps_its_template(model):
    loaded = model("qwen2-audio")
    text = loaded.processor.tokenizer.decode(loaded.family.prompt_ids("?", 1, loaded.processor))
    assert text.startswith("<|im_start|>") and text.endswith("assistant\n") and BASE in text
    assert loaded.processor.tokenizer.decode(
        loaded.family.answer_ids("yes", loaded.processor)
    ).endswith("<|im_end|>")


def test_a_clip_beyond_its_window_is_refused_in_words(base):
    clip = np.zeros(round(16_000 * base.window_s) + 1, np.float32)
    with pytest.raises(UserError, match=r"hears 0\.10 to 4 s; shorten or lengthen it"):
        from spectcount.listeners.audio_lm import AudioLM

        list(AudioLM(base, "base").reply(Question(None, "count", waveform=clip)))


@pytest.mark.parametrize(
    ("name", "hub", "template", "expected"),
    [
        ("mine", "", "{{ 'audio' }}", True),
        ("mine", "", "", False),
        ("mine", "", "{{ messages[0].content }}", False),
        ("mine", "Qwen/Qwen2-Audio-7B", "{{ 'audio' }}", False),
        ("mine", "Qwen/Qwen2-Audio-7B-Instruct", "", True),
        ("Qwen2-Audio-7B-Instruct", "", "", True),
        ("models--Qwen--Qwen2-Audio-7B/snapshots/" + "a" * 40, "", "", False),
        ("models--Qwen--Qwen2-Audio-7B-Instruct/snapshots/" + "a" * 40, "", "", True),
    ],
)
@pytest.mark.parametrize(
    "file", ["chat_template.jinja", "chat_template.json", "processor_config.json"]
)
def test_base_and_chat_are_told_apart(tmp_path, name, hub, template, expected, file):
    folder = tmp_path / name
    folder.mkdir(parents=True)
    if hub:
        (folder / SOURCE).write_text(json.dumps({"hub": hub, "revision": "a" * 40}))
    if template:
        text = template if file.endswith("jinja") else json.dumps({"chat_template": template})
        (folder / file).write_text(text)
    assert chats(folder) is expected


def test_the_embedded_model_chats(settings):
    assert chats(settings.models / "tiny-lalm")


def test_a_base_model_stays_one_when_it_is_saved_again(base, tmp_path):
    base.processor.save_pretrained(tmp_path / "again")
    shutil.copy(base.folder / "config.json", tmp_path / "again")
    assert not chats(tmp_path / "again")
