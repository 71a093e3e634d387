"""Gemma 4's own traps: its front end, token counts, windows, every layer's own embeddings."""

import json

import numpy as np
import pytest
import torch

from spectcount.errors import UserError
from spectcount.listeners.families import family_of
from tests.families import make_gemma4
from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow

RATE = 16_000


def tone(n):
    return (0.5 * np.sin(2 * np.pi * 1000 * np.arange(n) / RATE)).astype(np.float32)


@pytest.mark.parametrize("samples", [RATE, 24_321, 30 * RATE])
def test_front_end_and_counts_are_the_stock_ones(model, samples):
    """A pure tone is the hard case: between its partials there is only rounding."""
    from spectcount.listeners.families.gemma4 import log_mel

    loaded = model("gemma-4")
    clip = tone(samples)
    inputs = loaded.stock_inputs(["?"], [clip])
    features, mask = log_mel(torch.from_numpy(clip[None]), loaded.processor.feature_extractor)
    torch.testing.assert_close(features, inputs["input_features"], atol=1e-5, rtol=0)
    assert torch.equal(mask, inputs["input_features_mask"])
    n = loaded.family.n_audio_tokens(samples, loaded.processor)
    assert n == int((inputs["input_ids"] == loaded.processor.audio_token_id).sum())
    assert n == pytest.approx(samples / RATE / 0.04, abs=1)
    assert loaded.family.prompt_ids("?", n, loaded.processor) == inputs["input_ids"][0].tolist()


def test_an_answer_ends_with_its_turn(model):
    loaded = model("gemma-4")
    tokenizer = loaded.processor.tokenizer
    assert loaded.family.end_id(loaded.processor) == tokenizer.convert_tokens_to_ids("<turn|>")
    assert loaded.family.end_id(loaded.processor) != tokenizer.eos_token_id


def test_windows_are_shorter_than_the_prompts(model):
    """So that parity holds for the windows too; without them the staged path gives other logits."""
    loaded = model("gemma-4")
    clips = np.stack([tone(RATE), tone(RATE)[::-1]])
    asked = ["Is there a beep?"] * 2
    inputs = loaded.stock_inputs(asked, list(clips))
    assert inputs["input_ids"].shape[1] > make_gemma4.SLIDING
    text = loaded.model.config.text_config
    with loaded.adapted(None):
        staged = loaded.prompt_logits(asked, clips, "staged")
        torch.testing.assert_close(
            staged, loaded.prompt_logits(asked, clips, "stock"), atol=1e-3, rtol=0
        )
        text.sliding_window = 10_000
        try:
            wide = loaded.prompt_logits(asked, clips, "staged")
        finally:
            text.sliding_window = make_gemma4.SLIDING
    assert (wide - staged).abs().max() > 1e-2


def test_logits_are_capped(model):
    loaded = model("gemma-4")
    hidden = torch.full((1, loaded.model.config.text_config.hidden_size), 1e4)
    assert loaded.family.logits(loaded.model, hidden).abs().max() <= 30


def test_a_size_that_does_not_hear_is_refused(checkpoint, tmp_path):
    config = json.loads((checkpoint("gemma-4") / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "audio_config": None}))
    with pytest.raises(UserError, match="without hearing"):
        family_of(tmp_path).load(str(tmp_path), "cpu", torch.float32)


def test_full_size_names():
    """E2B: 12 audio layers of 10 modules and the way out, a projection; 35 layers of 3 of the MLP
    and 2 of attention, and keys and values in the first 15 only, which the other 20 share."""
    from transformers import Gemma4Config, Gemma4ForConditionalGeneration

    from spectcount.listeners.families import FAMILIES

    config = Gemma4Config(
        audio_config={},
        vision_config={},
        text_config={
            "hidden_size": 1536,
            "num_hidden_layers": 35,
            "num_attention_heads": 8,
            "num_key_value_heads": 1,
            "intermediate_size": 6144,
            "num_kv_shared_layers": 20,
            "use_double_wide_mlp": True,
            "final_logit_softcapping": 30.0,
            "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
        },
    )
    with torch.device("meta"):
        full = Gemma4ForConditionalGeneration(config)
    found = modules_by_scope(FAMILIES["gemma-4"], full)
    assert found == {"encoder": 122, "projector": 1, "llm": 205, "both": 327}
