"""Granite Speech's own traps: the bundled adapter, the date in the prompt, its front end."""

import shutil

import numpy as np
import pytest
import torch

from spectcount.errors import UserError
from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow

RATE = 16_000


@pytest.fixture(scope="module")
def clips():
    noise = np.random.default_rng(3).normal(0, 0.1, (2, 24_321)).astype(np.float32)
    return np.clip(noise, -1, 1)


def stock_logits(folder, loaded, clips, adapter):
    """Of the model as transformers loads it, its adapter beside the weights."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tuned = [m for m in model.modules() if isinstance(m, BaseTunerLayer)]
    assert len(tuned) == 4
    for module in tuned:
        module.enable_adapters(adapter)
    inputs = loaded.stock_inputs(["Is there a beep?"] * 2, list(clips))
    with torch.inference_mode():
        return model(**inputs).logits[:, -1]


def test_the_bundled_adapter_is_on(checkpoint, model, clips):
    folder, loaded = checkpoint("granite-speech"), model("granite-speech")
    with loaded.adapted(None):
        ours = loaded.prompt_logits(["Is there a beep?"] * 2, clips)
    torch.testing.assert_close(
        ours, stock_logits(folder, loaded, clips, True), atol=1e-4, rtol=1e-4
    )
    assert (ours - stock_logits(folder, loaded, clips, False)).abs().max() > 0.1


def without(source, folder, file, wanted):
    """A copy of a checkpoint whose `file` keeps the weights that `wanted` names."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, folder)
    kept = {k: v for k, v in load_file(folder / file).items() if wanted(k)}
    save_file(kept, folder / file, {"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("file", "wanted", "reason"),
    [
        ("adapter_model.safetensors", lambda key: "layers.1" not in key, "bundled adapter"),
        ("model.safetensors", lambda key: "projector" not in key, "of the model's weights"),
    ],
)
def test_half_a_checkpoint_is_refused(checkpoint, tmp_path, file, wanted, reason):
    """transformers would warn, and draw what is missing at random."""
    from spectcount.listeners.loaded import LoadedModel

    folder = without(checkpoint("granite-speech"), tmp_path / "half", file, wanted)
    with pytest.raises(UserError, match=reason):
        LoadedModel(folder)


def test_a_checkpoint_without_its_adapter_is_refused(checkpoint, tmp_path):
    from spectcount.listeners.loaded import LoadedModel

    folder = tmp_path / "bare"
    shutil.copytree(
        checkpoint("granite-speech"), folder, ignore=shutil.ignore_patterns("adapter_*")
    )
    with pytest.raises(UserError, match="bundled adapter"):
        LoadedModel(folder)


def log_mel(clip):
    """torchaudio's definition in plain numpy, one frame after another."""
    n_fft, width, hop, n_mels = 512, 400, 160, 80
    hann = np.zeros(n_fft)
    hann[56:456] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)
    padded = np.pad(clip.astype(float), n_fft // 2, mode="reflect")
    starts = range(0, len(padded) - n_fft + 1, hop)
    power = np.array([np.abs(np.fft.rfft(padded[s : s + n_fft] * hann)) ** 2 for s in starts])
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, n_mels + 2) / 2595) - 1)
    hz = np.linspace(0, RATE / 2, n_fft // 2 + 1)
    filters = [np.interp(hz, edges[m : m + 3], [0, 1, 0]) for m in range(n_mels)]
    log = np.log10(np.maximum(power @ np.array(filters).T, 1e-10))
    return np.maximum(log, log.max() - 8) / 4 + 1


def test_the_front_end_is_torchaudios(model, clips):
    extractor = model("granite-speech").processor.audio_processor
    found = extractor.features(torch.from_numpy(clips))
    for clip, frames in zip(clips, found, strict=True):
        expected = log_mel(clip)[: 2 * len(frames)]
        assert len(expected) == 152
        np.testing.assert_allclose(frames.reshape(-1, 80), expected, atol=1e-4)


@pytest.mark.parametrize(("samples", "tokens"), [(16_000, 12), (24_000, 15), (160_000, 102)])
def test_token_counts(model, samples, tokens):
    """Ten a second, in whole windows of the projector: three tokens per 15 states of 20 ms."""
    processor = model("granite-speech").processor
    assert processor.audio_processor.n_tokens(samples) == tokens
    inputs = processor(text=["<|audio|>?"], audio=[np.zeros(samples, np.float32)])
    assert np.sum(np.array(inputs["input_ids"][0]) == processor.tokenizer.encode("<|audio|>")) == (
        tokens
    )


def test_the_system_text_is_the_templates_and_its_date_stands_still(model):
    loaded = model("granite-speech")
    turn = "<|start_of_role|>system<|end_of_role|>Today's Date: April 09, 2025.\nYou are Granite.<"
    assert loaded.family.text("?", loaded.processor).startswith(turn)


def test_tuning_leaves_the_batch_norms(checkpoint, clips):
    from spectcount.listeners.families import FAMILIES

    family = FAMILIES["granite-speech"]
    model, processor = family.load(str(checkpoint("granite-speech")), "cpu", torch.float32)
    before = {n: b.clone() for n, b in model.named_buffers() if "running" in n}
    assert len(before) == 4
    model.train()
    family.audio_states(model, torch.from_numpy(clips), processor)
    assert all(torch.equal(b, before[n]) for n, b in model.named_buffers() if n in before)


def test_full_size_names():
    """3.3 8B: 16 conformer blocks of 7 modules; a Q-Former of 2 layers of 10 and a linear layer;
    40 layers of 7."""
    from transformers import GraniteSpeechConfig, GraniteSpeechForConditionalGeneration

    from spectcount.listeners.families import FAMILIES

    config = GraniteSpeechConfig(
        encoder_config={"num_layers": 16, "output_dim": 348},
        projector_config={
            "model_type": "blip_2_qformer",
            "hidden_size": 1024,
            "num_hidden_layers": 2,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "cross_attention_frequency": 1,
            "encoder_hidden_size": 1024,
        },
        text_config={
            "model_type": "granite",
            "hidden_size": 4096,
            "num_hidden_layers": 40,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "intermediate_size": 12_800,
            "vocab_size": 49_160,
        },
    )
    with torch.device("meta"):
        full = GraniteSpeechForConditionalGeneration(config)
    found = modules_by_scope(FAMILIES["granite-speech"], full)
    assert found == {"encoder": 133, "projector": 21, "llm": 280, "both": 413}
