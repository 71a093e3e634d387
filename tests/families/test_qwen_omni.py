"""Qwen2.5-Omni's own traps: whole checkpoints, blocks of 2 s, the system turn, where replies end,
the full-size modules."""

import re

import numpy as np
import pytest
import torch

from tests.families import make_qwen_omni

pytestmark = pytest.mark.slow


def test_a_thinker_alone_is_the_thinker_of_a_whole_checkpoint(model, tmp_path):
    """Same seed, two layouts, one model; nothing of the talker is loaded."""
    from spectcount.listeners.loaded import LoadedModel

    torch.manual_seed(0)
    make_qwen_omni.thinker(tmp_path / "thinker")
    alone, whole = LoadedModel(tmp_path / "thinker"), model("qwen2.5-omni")
    assert (whole.folder / "config.json").read_text().count("thinker_config") == 1
    assert alone.family.name == whole.family.name
    weights = dict(whole.model.named_parameters())
    assert weights.keys() == dict(alone.model.named_parameters()).keys()
    assert not [name for name in weights if "talker" in name or "token2wav" in name]
    for name, weight in alone.model.named_parameters():
        assert torch.equal(weight, weights[name]), name


@pytest.mark.parametrize("seconds", [0.1, 1.995, 2.0, 2.005, 3.1, 4.51])
def test_every_length_equals_the_stock_encoder(model, seconds):
    """Less than a block, whole blocks, blocks and a rest, odd frames."""
    loaded = model("qwen2.5-omni")
    clip = np.random.default_rng(1).normal(0, 0.1, (2, round(seconds * 16_000)))
    clip = clip.astype(np.float32)
    with torch.inference_mode():
        inputs = loaded.stock_inputs(["?"] * 2, clip)
        stock = loaded.model.get_audio_features(
            inputs["input_features"], inputs["feature_attention_mask"]
        ).last_hidden_state
        states = loaded.family.audio_states(loaded.model, torch.from_numpy(clip), loaded.processor)
        found = loaded.family.project(loaded.model, states)
    assert found.shape[1] == loaded.family.n_audio_tokens(clip.shape[1], loaded.processor)
    torch.testing.assert_close(found.flatten(0, 1), stock, atol=1e-4, rtol=1e-4)


def test_a_block_hears_nothing_of_the_others(model):
    """A change in the first 2 s leaves the tokens of the next block as they are, in the stock
    encoder; 25 tokens a second."""
    loaded = model("qwen2.5-omni")
    noise = np.random.default_rng(2).normal(0, 0.1, 4 * 16_000).astype(np.float32)
    other = noise.copy()
    other[8_000:16_000] *= 0.5
    with torch.inference_mode():
        inputs = loaded.stock_inputs(["?"] * 2, np.stack([noise, other]))
        states = loaded.model.get_audio_features(
            inputs["input_features"], inputs["feature_attention_mask"]
        ).last_hidden_state.unflatten(0, (2, 100))
    moved = (states[0] - states[1]).abs().amax(dim=1)
    assert moved[:50].max() > 1e-3
    assert moved[50:].max() < 1e-5


def test_the_prompt_has_the_templates_own_system_turn(model):
    loaded = model("qwen2.5-omni")
    ids = loaded.family.prompt_ids("Is there a beep?", 2, loaded.processor)
    assert loaded.processor.tokenizer.decode(ids) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n<|audio_bos|><|AUDIO|><|AUDIO|><|audio_eos|>Is there a beep?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_replies_end_with_the_turn_though_the_checkpoint_does_not_say_so(model):
    loaded = model("qwen2.5-omni")
    assert (loaded.folder / "generation_config.json").read_text() == "{}"
    end = loaded.processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert loaded.model.generation_config.eos_token_id == end
    assert loaded.family.answer_ids("yes", loaded.processor)[-1] == end


def test_pictures_are_not_needed(model):
    assert not hasattr(model("qwen2.5-omni").processor, "image_processor")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({}, {"encoder": 193, "projector": 1, "llm": 196, "both": 389}),
        (
            {
                "hidden_size": 2048,
                "num_hidden_layers": 36,
                "num_attention_heads": 16,
                "num_key_value_heads": 2,
                "intermediate_size": 11008,
                "vocab_size": 151_936,
            },
            {"encoder": 193, "projector": 1, "llm": 252, "both": 445},
        ),
    ],
    ids=["7B", "3B"],
)
def test_full_size_names(text, expected):
    """32 encoder layers of 6 modules and one projection; 28 or 36 layers of 7; none of the
    picture encoder's."""
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    from spectcount.listeners.families import FAMILIES

    width = text.get("hidden_size", 3584)
    config = Qwen2_5OmniThinkerConfig(
        text_config=text,
        audio_config={"output_dim": width},
        vision_config={"out_hidden_size": width},
    )
    with torch.device("meta"):
        full = Qwen2_5OmniThinkerForConditionalGeneration(config)
    family = FAMILIES["qwen2.5-omni"]
    names = [name for name, _ in full.named_modules()]
    found = {
        scope: [name for name in names if re.fullmatch(family.lora_targets(scope), name)]
        for scope in expected
    }
    assert {scope: len(hits) for scope, hits in found.items()} == expected
    assert not [name for name in found["both"] if "visual" in name]
