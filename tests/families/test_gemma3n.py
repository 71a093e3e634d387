"""Gemma 3n's own traps: 188 tokens a clip, marks from the audio's table, no sight."""

import numpy as np
import pytest
import torch

from spectcount.listeners.families import FAMILIES
from spectcount.listeners.families.gemma3n import log_mel
from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow

NAME = "gemma-3n"


def noise(samples, n=1):
    clips = np.random.default_rng(3).normal(0, 0.1, (n, samples))
    return clips.astype(np.float32).clip(-1, 1)


@pytest.mark.parametrize("samples", [1600, 24_321, 32_000, 480_000])
def test_every_clip_is_188_tokens_and_the_front_end_is_the_stock_one(model, samples):
    loaded, clips = model(NAME), noise(samples, 2)
    stock = loaded.stock_inputs(["Is there a beep?"], list(clips[:1]))
    ids = stock["input_ids"][0].tolist()
    assert ids == loaded.family.prompt_ids("Is there a beep?", 188, loaded.processor)
    assert ids.count(loaded.processor.audio_token_id) == 188
    features, mask = log_mel(torch.from_numpy(clips), loaded.processor.feature_extractor)
    torch.testing.assert_close(features[:1], stock["input_features"], atol=1e-4, rtol=1e-4)
    assert torch.equal(mask[:1], stock["input_features_mask"].bool())
    with loaded.adapted(None) as net:
        ours = loaded.prompt_logits(["Is there a beep?"] * 2, clips)
        torch.testing.assert_close(ours[:1], net(**stock).logits[:, -1], atol=1e-3, rtol=1e-3)


def test_the_mark_behind_a_clip_comes_from_the_audios_table(model):
    """As in the stock model: another embedding than the language model's own table has."""
    loaded = model(NAME)
    processor, net = loaded.processor, loaded.model
    end = torch.tensor([processor.tokenizer.convert_tokens_to_ids("<end_of_audio>")])
    width = net.config.text_config.hidden_size
    with torch.inference_mode():
        found = loaded.family.embed_tokens(net, end)[..., :width]
        expected = net.model.embed_audio(input_ids=end)
        text = net.get_input_embeddings()(end)
    torch.testing.assert_close(found, expected)
    assert (found - text).abs().max() > 1e-2


def test_padding_of_zeros_has_a_gradient(model):
    """The stock code's magnitudes have none there; two prompts of other lengths."""
    from spectcount.training.losses import answer_batch, answer_loss

    loaded = model(NAME)
    family, net, processor = loaded.family, loaded.model, loaded.processor
    batch = answer_batch(family, processor, ["?", "Is there a beep?"], ["yes", "no"], 188)
    table = net.get_input_embeddings().weight
    row = table[processor.tokenizer.pad_token_id].clone()
    try:
        with torch.no_grad():
            table[processor.tokenizer.pad_token_id] = 0
        states = torch.randn(2, 10, net.config.audio_config.hidden_size, requires_grad=True)
        answer_loss(family, net, batch, family.project(net, states)).backward()
    finally:
        with torch.no_grad():
            table[processor.tokenizer.pad_token_id] = row
        net.zero_grad()
    assert states.grad is not None and states.grad.isfinite().all()
    assert states.grad.abs().amax(dim=(1, 2)).min() > 0


def test_weights_of_the_vision_tower_are_left_where_they_are(checkpoint, tmp_path, caplog):
    """A whole checkpoint loads without timm, and is the same listener."""
    import shutil

    from safetensors.torch import load_file, save_file

    from spectcount.listeners.loaded import LoadedModel

    folder = tmp_path / "whole"
    shutil.copytree(checkpoint(NAME), folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.vision_tower.timm_model.conv_stem.conv.weight"] = torch.zeros(4, 3, 3, 3)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    loaded = LoadedModel(folder)
    assert loaded.path == "staged"
    assert not [n for n, _ in loaded.model.named_modules() if "vision_tower" in n]


def test_full_size_names_and_parameters():
    """E4B: 12 conformer blocks of 10 modules and the one before them, 1 projector, 35 layers of 7,
    of which 15 share keys and values; published as 7.85 thousand million parameters with sight."""
    from transformers import Gemma3nConfig

    family = FAMILIES[NAME]
    with torch.device("meta"):
        full = family.model_class()(Gemma3nConfig())
    found = modules_by_scope(family, full)
    assert found == {"encoder": 122, "projector": 1, "llm": 215, "both": 337}
    assert 7.4 < sum(p.numel() for p in full.parameters()) / 1e9 < 7.85
