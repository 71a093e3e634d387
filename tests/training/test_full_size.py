"""Checkpoints of full size with random weights, here with one layer and a small vocabulary."""

import pytest

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.cards import cards

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["audio-flamingo-3", "qwen2-audio-7b-instruct"])
def test_it_loads_and_hears_by_the_staged_path(name, settings, tmp_path):
    import torch

    from spectcount.listeners.loaded import LoadedModel
    from spectcount.training import full_size

    small = {
        "hidden_size": 256,
        "intermediate_size": 256,
        "vocab_size": 2048,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
    }
    card = full_size.with_layers(cards(settings)[name], 1, 1, **small)
    folder = full_size.write(card, tmp_path, dtype=torch.float32)
    assert folder.name == f"{name}-random"
    loaded = LoadedModel(folder)
    assert loaded.path == "staged"
    assert loaded.window_s == 30


def test_other_families_are_refused(settings, tmp_path):
    from spectcount.training import full_size

    with pytest.raises(UserError, match="cannot be made with random weights"):
        full_size.write(cards(settings)["voxtral-mini-3b"], tmp_path)
