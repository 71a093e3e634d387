"""Qwen3-Omni's own traps: blocks of 1 s, windows of 8 s, unpadded ends, experts, the full-size
modules."""

import numpy as np
import pytest
import torch

from spectcount.listeners.families import FAMILIES
from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow


def noise(seconds, n=1):
    clip = np.random.default_rng(3).normal(0, 0.1, (n, round(seconds * 16_000)))
    return clip.astype(np.float32)


def stock_states(loaded, clips):
    inputs = loaded.stock_inputs(["?"] * len(clips), clips)
    return loaded.model.get_audio_features(
        inputs["input_features"], inputs["feature_attention_mask"]
    ).last_hidden_state


@pytest.mark.parametrize("seconds", [0.1, 0.106, 0.995, 1.0, 1.013, 2.5, 8.0, 8.01, 9.37])
def test_every_length_equals_the_stock_encoder(model, seconds):
    """Less than a block, whole blocks, blocks and a rest, more than a window, half frames."""
    loaded = model("qwen3-omni")
    clips = noise(seconds, 2)
    with torch.inference_mode():
        stock = stock_states(loaded, clips)
        states = loaded.family.audio_states(loaded.model, torch.from_numpy(clips), loaded.processor)
        found = loaded.family.project(loaded.model, states)
    assert found.shape[1] == loaded.family.n_audio_tokens(clips.shape[1], loaded.processor)
    torch.testing.assert_close(found.flatten(0, 1), stock, atol=1e-4, rtol=1e-4)


def test_a_window_hears_nothing_of_the_others(model):
    """A change in the first 8 s leaves what comes after them as it is, and moves all before."""
    loaded = model("qwen3-omni")
    clips = np.repeat(noise(10.0), 2, axis=0)
    clips[1, 8_000:12_000] *= 0.5
    with torch.inference_mode():
        states = stock_states(loaded, clips).unflatten(0, (2, 130))
    moved = (states[0] - states[1]).abs().amax(dim=1)
    assert moved[:104].min() > 1e-7
    assert moved[104:].max() < 1e-5


def test_a_whole_checkpoint_is_loaded_as_its_thinker(model):
    loaded = model("qwen3-omni")
    assert '"thinker_config"' in (loaded.folder / "config.json").read_text()
    assert type(loaded.model).__name__ == "Qwen3OmniMoeThinkerForConditionalGeneration"
    assert not [name for name, _ in loaded.model.named_parameters() if "talker" in name]


def test_the_prompt_has_no_system_turn(model):
    loaded = model("qwen3-omni")
    ids = loaded.family.prompt_ids("Is there a beep?", 2, loaded.processor)
    assert loaded.processor.tokenizer.decode(ids) == (
        "<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_pad|><|audio_end|>"
        "Is there a beep?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_full_size_names():
    """32 encoder layers of 6 modules and 2 of the projector; 48 layers of 4 (attention), the
    experts being no modules; 30 billion parameters in the language model."""
    from transformers import (
        Qwen3OmniMoeThinkerConfig,
        Qwen3OmniMoeThinkerForConditionalGeneration,
    )

    config = Qwen3OmniMoeThinkerConfig(
        text_config={
            "hidden_size": 2048,
            "num_hidden_layers": 48,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "head_dim": 128,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 768,
            "vocab_size": 152_064,
        },
        audio_config={"output_dim": 2048},
        vision_config={"out_hidden_size": 2048},
    )
    with torch.device("meta"):
        full = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    found = modules_by_scope(FAMILIES["qwen3-omni"], full)
    assert found == {"encoder": 194, "projector": 2, "llm": 192, "both": 386}
    language = sum(p.numel() for p in full.model.language_model.parameters())
    assert language / 1e9 == pytest.approx(30, rel=0.02)
