"""Music Flamingo's own traps: markers around the clip, rotary time, the full-size modules."""

import pytest
import torch

from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow


def test_a_clip_stands_between_its_markers(model):
    loaded = model("music-flamingo")
    processor = loaded.processor
    ids = loaded.family.prompt_ids("Is there a beep?", 5, processor)
    at = ids.index(processor.audio_token_id)
    assert ids[at - 1] == processor.audio_bos_token_id
    assert ids[at : at + 5] == [processor.audio_token_id] * 5
    assert ids[at + 5] == processor.audio_eos_token_id


def test_the_same_state_means_another_thing_later(model):
    """Equal states at all times are projected to different inputs: time is turned in; the first
    stands at 0 s and is not turned."""
    loaded = model("music-flamingo")
    family, inner = loaded.family, loaded.model.model
    states = torch.ones(1, 20, inner.config.audio_config.hidden_size)
    with torch.inference_mode():
        found = family.project(loaded.model, states)[0]
        still = inner.multi_modal_projector(states[0, 0])
    torch.testing.assert_close(found[0], still)
    assert (found[5:] - still).abs().amax(dim=1).min() > 1e-4


def test_how_long_it_hears_is_what_its_processor_says(model):
    """Music Flamingo 20 minutes, Audio Flamingo Next 30; in whole windows."""
    import copy

    loaded = model("music-flamingo")
    processor = copy.copy(loaded.processor)
    for seconds, longest_s in ((1200, 1200), (1800, 1800), (1802, 1800), (2, 4)):
        processor.max_audio_len = seconds
        assert loaded.family.longest_s(processor) == longest_s


def test_full_size_names():
    """The published size: 32 encoder layers of 6 modules, 2 of the projector, 28 layers of 7."""
    from transformers import MusicFlamingoConfig, MusicFlamingoForConditionalGeneration

    from spectcount.listeners.families import FAMILIES

    config = MusicFlamingoConfig(
        audio_config={"model_type": "audioflamingo3_encoder"},
        text_config={
            "model_type": "qwen2",
            "hidden_size": 3584,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "intermediate_size": 18944,
            "vocab_size": 151_672,
        },
    )
    with torch.device("meta"):
        full = MusicFlamingoForConditionalGeneration(config)
    found = modules_by_scope(FAMILIES["music-flamingo"], full)
    assert found == {"encoder": 194, "projector": 2, "llm": 196, "both": 390}
