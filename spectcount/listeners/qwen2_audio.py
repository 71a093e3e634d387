"""Model family: Qwen2-Audio (and every checkpoint of its architecture, the embedded one too).

The audio tower is run over the clip's own frames instead of the whole window: past the
convolutions, the stock model masks the padding, so cutting it off changes nothing (a test holds
the two equal).
"""

from __future__ import annotations

from typing import Any

import torch

from spectcount.listeners.frontend import log_mel, n_frames

ARCHITECTURES = ("Qwen2AudioForConditionalGeneration",)

# Regular expressions over module names, per LoRA scope (the paper's ablation).
_TOWER = r"audio_tower\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|fc1|fc2)"
_LLM = r"language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
_PROJECTOR = r"multi_modal_projector\.linear"
LORA_TARGETS = {
    "encoder": rf".*({_TOWER}|{_PROJECTOR})",
    "llm": rf".*{_LLM}",
    "both": rf".*({_TOWER}|{_PROJECTOR}|{_LLM})",
}


def load(folder: str, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, processor) of a local checkpoint; safetensors only, no code from the checkpoint."""
    from transformers import AutoModelForSeq2SeqLM, AutoProcessor
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForSeq2SeqLM.from_pretrained(
        folder, dtype=dtype, use_safetensors=True, local_files_only=True
    )
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    processor.tokenizer.padding_side = "left"
    return model.to(device).eval(), processor


def window_s(processor: Any) -> float:
    """Longest clip this checkpoint hears, in seconds."""
    extractor = processor.feature_extractor
    return extractor.n_samples / extractor.sampling_rate


def n_audio_tokens(n_samples: int, processor: Any) -> int:
    """Audio tokens that a clip of `n_samples` becomes."""
    return _n_positions(n_frames(n_samples, processor.feature_extractor)) // 2


def _n_positions(frames: int) -> int:
    return (frames - 1) // 2 + 1


def conversation(prompt: str, audio: Any = None) -> list[dict[str, Any]]:
    """One user turn, audio first."""
    content: list[dict[str, Any]] = [{"type": "audio", "audio": audio}]
    return [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]


def prompt_text(prompt: str, n_tokens: int, processor: Any) -> str:
    """The chat text of a question, its audio placeholder written out to `n_tokens`."""
    text = processor.apply_chat_template(
        conversation(prompt), tokenize=False, add_generation_prompt=True
    )
    return text.replace(processor.audio_token, processor.audio_token * n_tokens)


def stock_inputs(prompt: str, waveform: Any, processor: Any) -> Any:
    """What the stock `generate` takes for one question."""
    return processor.apply_chat_template(
        [conversation(prompt, waveform)],
        tokenize=True,
        return_dict=True,
        add_generation_prompt=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )


def audio_states(model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
    """Encoder states [B, audio tokens, width] of equally long clips [B, T]."""
    tower = model.model.audio_tower
    frames = n_frames(waveforms.shape[1], processor.feature_extractor)
    window_frames = processor.feature_extractor.nb_max_frames
    padded = min(-(-(frames + 2) // 4) * 4, window_frames)
    features = log_mel(waveforms, processor.feature_extractor, padded)
    features = features.to(tower.conv1.weight.dtype)
    hidden = torch.nn.functional.gelu(tower.conv1(features))
    hidden = torch.nn.functional.gelu(tower.conv2(hidden)).permute(0, 2, 1)
    hidden = hidden[:, : _n_positions(frames)]
    hidden = hidden + tower.embed_positions.weight[: hidden.shape[1]]
    for layer in tower.layers:
        hidden = layer(hidden, None)
    hidden = tower.avg_pooler(hidden.permute(0, 2, 1)).permute(0, 2, 1)
    return tower.layer_norm(hidden)


def project(model: Any, states: torch.Tensor) -> torch.Tensor:
    """Encoder states -> the language model's input space."""
    return model.model.multi_modal_projector(states)
