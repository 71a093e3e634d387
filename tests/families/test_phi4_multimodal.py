"""Phi-4-multimodal's own traps: the adapter for speech, masks that hide nothing, windows of 40 s,
its front end, the full-size modules."""

import shutil

import numpy as np
import pytest
import torch

from spectcount.errors import UserError
from spectcount.listeners.families import FAMILIES
from spectcount.listeners.families.phi4_multimodal import log_mel
from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow

NAME = "phi-4-multimodal"


def noise(seconds, n=1):
    clips = np.random.default_rng(3).normal(0, 0.1, (n, round(seconds * 16_000)))
    return clips.astype(np.float32).clip(-1, 1)


def test_the_adapter_for_speech_is_on(checkpoint, model):
    """Ours equals the stock model with it, and not the one without."""
    from transformers import AutoModelForCausalLM

    loaded, clips = model(NAME), noise(1.5)
    folder = checkpoint(NAME)
    inputs = loaded.stock_inputs(["Is there a beep?"], list(clips))
    with loaded.adapted(None):
        ours = loaded.prompt_logits(["Is there a beep?"], clips)
    stock = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        bare = stock(**inputs).logits[:, -1]
        stock.load_adapter(str(folder / "speech-lora"))
        tuned = stock(**inputs).logits[:, -1]
    torch.testing.assert_close(ours, tuned, atol=1e-4, rtol=1e-4)
    assert (ours - bare).abs().max() > 1e-2


def test_a_checkpoint_without_it_is_refused(checkpoint, tmp_path):
    from spectcount.listeners.loaded import LoadedModel

    folder = tmp_path / "bare"
    shutil.copytree(checkpoint(NAME), folder, ignore=shutil.ignore_patterns("speech-lora"))
    with pytest.raises(UserError, match="bare lacks its bundled adapter for audio"):
        LoadedModel(folder)


def test_another_adapter_is_another_listener(checkpoint, model, tmp_path):
    from safetensors.torch import load_file, save_file

    from spectcount.listeners.loaded import LoadedModel

    folder = tmp_path / "other"
    shutil.copytree(checkpoint(NAME), folder)
    file = folder / "speech-lora" / "adapter_model.safetensors"
    save_file({n: t * 1.5 for n, t in load_file(file).items()}, file, {"format": "pt"})
    assert LoadedModel(folder).fingerprint.split("-")[0] != model(NAME).fingerprint.split("-")[0]


def test_the_front_end_is_the_stock_one(model):
    extractor, clips = model(NAME).processor.audio_processor, noise(1.2345, 2)
    stock = extractor(list(clips), sampling_rate=16_000, return_tensors="pt")
    found = log_mel(torch.from_numpy(clips), extractor)
    torch.testing.assert_close(found, stock["audio_input_features"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seconds", [1.2345, 2.0, 41.7])
def test_token_counts_and_clips_beyond_a_window_of_the_encoder(model, seconds):
    """As many as the stock processor makes, and in a batch what each clip is alone: the stock
    model's mask would change clips beyond 40 s."""
    loaded, clips = model(NAME), noise(seconds, 2)
    inputs = loaded.stock_inputs(["?"], list(clips[:1]))
    n = loaded.family.n_audio_tokens(clips.shape[1], loaded.processor)
    assert int((inputs["input_ids"] == loaded.processor.audio_token_id).sum()) == n
    with loaded.adapted(None) as net:
        together = loaded.prompt_logits(["?", "?"], clips)
        alone = net(**inputs).logits[:, -1]
    torch.testing.assert_close(together[:1], alone, atol=1e-3, rtol=1e-3)


def test_full_size_names_and_parameters():
    """24 encoder blocks of 8 modules, 2 of the projector, 32 layers of 4; 5.6 thousand million
    parameters with the adapters, which are not counted here."""
    from transformers import Phi4MultimodalConfig, Phi4MultimodalForCausalLM

    with torch.device("meta"):
        full = Phi4MultimodalForCausalLM(Phi4MultimodalConfig(tie_word_embeddings=True))
    found = modules_by_scope(FAMILIES[NAME], full)
    assert found == {"encoder": 194, "projector": 2, "llm": 128, "both": 322}
    total = sum(p.numel() for p in full.parameters()) / 1e9
    assert 4.6 < total < 5.0
