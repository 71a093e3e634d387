"""Voxtral's own traps: the full window, clips as files, mistral-common's prompt and answer turns,
the full-size modules."""

import numpy as np
import pytest
import torch

from spectcount.errors import UserError
from spectcount.listeners.families import FAMILIES
from tests.families import make_voxtral
from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def full_window(tmp_path_factory):
    """A tiny model with the published window of 30 s."""
    from spectcount.listeners.loaded import LoadedModel

    folder = tmp_path_factory.mktemp("voxtral") / "30s"
    torch.manual_seed(0)
    make_voxtral.build(folder, window_s=30)
    return LoadedModel(folder)


def noise(seconds, seed=0):
    clip = np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16_000))
    return clip.astype(np.float32)


@pytest.mark.parametrize("seconds", [0.1, 2.345, 30.0])
def test_every_clip_is_375_tokens(full_window, seconds):
    loaded = full_window
    clip = noise(seconds)
    ids = loaded.stock_inputs(["?"], [clip])["input_ids"][0]
    assert (ids == 24).sum() == 375
    assert loaded.family.n_audio_tokens(len(clip), loaded.processor) == 375
    with torch.inference_mode():
        states = loaded.family.audio_states(
            loaded.model, torch.from_numpy(clip)[None], loaded.processor
        )
    assert states.shape[1] == 375
    assert loaded.path == "staged"


def test_the_loudest_frame_of_all_windows_sets_the_floor_of_each(full_window):
    """As in the stock extractor: a quiet window is another one beside a loud one."""
    loaded = full_window
    quiet, loud = noise(30.0) * np.float32(1e-6), noise(5.0)
    with torch.inference_mode():
        alone, beside = (
            loaded.family.audio_states(loaded.model, torch.from_numpy(clip)[None], loaded.processor)
            for clip in (quiet, np.concatenate([quiet, loud]))
        )
    assert (alone.shape[1], beside.shape[1]) == (375, 750)
    assert (alone - beside[:, :375]).abs().max() > 1e-3


def test_the_encoder_takes_no_less_than_its_window(full_window):
    """Why nothing is cut off: the stock encoder refuses it, and the silence is heard."""
    tower = full_window.model.model.audio_tower
    features = torch.randn(1, 128, 3000)
    with torch.inference_mode():
        with pytest.raises(ValueError, match="length 3000"):
            tower(features[:, :, :400])
        whole = tower(features).last_hidden_state
        features[:, :, 400:] = -1.5
        silent = tower(features).last_hidden_state
    assert (whole[:, :150] - silent[:, :150]).abs().max() > 1e-4


def test_no_sample_is_rounded_on_its_way_to_the_stock_processor(full_window):
    """Noise below one step of a 16-bit file is still there."""
    loaded = full_window
    clip = noise(1.0) * np.float32(1e-4)
    assert np.abs(clip).max() < 2**-14
    extract = loaded.processor.feature_extractor
    direct = extract(
        clip, sampling_rate=16_000, pad_to_multiple_of=480_000, padding=True, return_tensors="pt"
    )
    found = loaded.stock_inputs(["?"], [clip])["input_features"]
    assert torch.equal(found, direct["input_features"])
    assert found.std() > 0.01


def test_prompt_and_answers_are_those_of_mistral_common(full_window):
    """The turns that the tokenizer itself makes for a question and its answer."""
    from mistral_common.protocol.instruct.messages import AssistantMessage

    loaded = full_window
    family, processor = loaded.family, loaded.processor
    ids = family.prompt_ids("Is there a beep?", 2, processor)
    special = [1, 3, 25, 24, 24]
    assert ids[:5] == special
    assert ids[-1] == 4
    assert processor.tokenizer.decode(ids[5:-1]) == "Is there a beep?"
    clip = noise(1.0)
    stock = loaded.stock_inputs(["Is there a beep?"], [clip])["input_ids"][0].tolist()
    assert stock == family.prompt_ids("Is there a beep?", 375, processor)
    instruct = processor.tokenizer.tokenizer.instruct_tokenizer
    for answer in ("yes", "10"):
        turn = instruct.encode_assistant_message(
            AssistantMessage(content=answer), is_before_last_user_message=False
        )
        assert turn == family.answer_ids(answer, processor)


def test_without_mistral_common_it_refuses_before_the_weights_are_read(monkeypatch, tmp_path):
    from transformers.utils import import_utils

    monkeypatch.setattr(import_utils, "is_mistral_common_available", lambda: False)
    with pytest.raises(UserError, match="pip install --upgrade mistral-common"):
        FAMILIES["voxtral"].load(str(tmp_path / "nothing here"), "cpu", torch.float32)


SIZES = {
    "Mini": (
        {
            "hidden_size": 3072,
            "intermediate_size": 8192,
            "num_hidden_layers": 30,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
        },
        {"encoder": 194, "projector": 2, "llm": 210, "both": 404},
        {"encoder": 0.64, "adapter": 0.025, "decoder": 3.6, "embeddings": 0.40, "all": 4.7},
    ),
    "Small": (
        {
            "hidden_size": 5120,
            "intermediate_size": 32768,
            "num_hidden_layers": 40,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
        },
        {"encoder": 194, "projector": 2, "llm": 280, "both": 474},
        {"encoder": 0.64, "adapter": 0.052, "decoder": 22.9, "embeddings": 0.67, "all": 24.3},
    ),
}


@pytest.mark.parametrize("size", list(SIZES))
def test_full_size_names(size):
    """32 encoder layers of 6 modules, 2 of the projector, 30 or 40 layers of 7; billions of
    parameters as in Table 1 of the paper."""
    from transformers import VoxtralConfig, VoxtralForConditionalGeneration

    text, modules, billions = SIZES[size]
    config = VoxtralConfig(
        text_config={"model_type": "llama", "vocab_size": 131_072, **text},
        audio_config={"model_type": "voxtral_encoder"},
        audio_token_id=24,
    )
    with torch.device("meta"):
        full = VoxtralForConditionalGeneration(config)
    assert modules_by_scope(FAMILIES["voxtral"], full, modules) == modules
    inner = full.model
    counted = {
        "encoder": inner.audio_tower,
        "adapter": inner.multi_modal_projector,
        "embeddings": inner.language_model.embed_tokens,
        "all": full,
    }
    counts = {part: sum(p.numel() for p in m.parameters()) / 1e9 for part, m in counted.items()}
    counts["decoder"] = counts["all"] - sum(
        counts[part] for part in ("encoder", "adapter", "embeddings")
    )
    for part, value in billions.items():
        assert counts[part] == pytest.approx(value, rel=0.02), part
