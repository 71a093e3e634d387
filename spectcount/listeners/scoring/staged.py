"""Scoring in stages: encoder over the clip's own frames, the language model over one packed row a
clip, logits at the answers' positions only. Equal to the stock forward (a parity check at load
holds both together), at a fraction of its work.

Conventions: waveforms float32 [B, T] of one length; one row of questions per clip.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch

from spectcount.listeners.families import Family
from spectcount.listeners.scoring import head, packing
from spectcount.listeners.scoring.spelling import Speller, read, summed
from spectcount.listeners.scoring.stock import Asked

LOGITS_AT_ONCE = 64_000_000
"""Most logits in memory at a time."""


def hear(family: Family, model: Any, processor: Any, waveforms: torch.Tensor) -> torch.Tensor:
    """Clips [B, T] -> their embeddings for the language model, [B, audio tokens, width]."""
    return family.project(model, family.audio_states(model, waveforms, processor))


def answer_log_probs(
    family: Family,
    model: Any,
    processor: Any,
    questions: Sequence[Sequence[Asked]],
    audio: torch.Tensor,
    speller: Speller,
) -> list[list[list[float]]]:
    """log p of each answer, [clip][question][answer], for clips that were heard."""
    rows = [_row(family, processor, tuple(clip), audio.shape[1]) for clip in questions]
    batch = packing.pack(
        rows, family.pad_id(processor), family.audio_token_id(processor), audio.device
    )
    hidden = _hidden(family, model, batch, audio)
    return _nested(rows, _read(family, model, hidden, packing.steps(batch), speller))


def prompt_logits(
    family: Family, model: Any, processor: Any, prompts: Sequence[str], waveforms: torch.Tensor
) -> torch.Tensor:
    """Logits [B, V] behind each prompt, one prompt per clip."""
    audio = hear(family, model, processor, waveforms)
    rows = [_row(family, processor, ((p, ()),), audio.shape[1]) for p in prompts]
    batch = packing.pack(
        rows, family.pad_id(processor), family.audio_token_id(processor), audio.device
    )
    hidden = _hidden(family, model, batch, audio)
    with head.in_float32(model):
        return family.logits(model, hidden[:, batch.n_prefix - 1])


def n_prefix(
    family: Family, processor: Any, questions: Sequence[Sequence[Asked]], n_audio: int
) -> int:
    """Where `answer_log_probs` ends the prefixes of these rows: where one question has its row, the
    place before is that of the prompt's last token."""
    return max(len(_row(family, processor, tuple(clip), n_audio).prefix) for clip in questions)


_rows: weakref.WeakKeyDictionary[Any, dict[Any, packing.Row]] = weakref.WeakKeyDictionary()
"""Rows by processor: what a model is asked again and again; gone when the model is."""
ROWS_KEPT = 4096


def _row(family: Family, processor: Any, questions: tuple[Asked, ...], n_audio: int) -> packing.Row:
    known = _rows.setdefault(processor, {})
    key = (questions, n_audio)
    if key not in known:
        family.check_words([prompt for prompt, _ in questions], processor)
        prompts = [tuple(family.prompt_ids(prompt, n_audio, processor)) for prompt, _ in questions]
        if len(known) >= ROWS_KEPT:
            known.clear()
        known[key] = packing.row(prompts, [closed for _, closed in questions])
    return known[key]


def _hidden(family: Family, model: Any, batch: packing.Pack, audio: torch.Tensor) -> torch.Tensor:
    """The language model's last hidden states [B, L, width], the audio in its places."""
    family.check_length(model, max(row.n_tokens for row in batch.rows))
    embeds = family.embed_tokens(model, batch.ids)
    places = batch.places[..., None].to(embeds.device)  # a spread model's parts lie apart
    embeds = embeds.masked_scatter(places, audio.to(embeds.device, embeds.dtype))
    mask = packing.additive(batch.mask.to(embeds.device), embeds.dtype)
    return family.hidden(model, embeds, mask, batch.positions)


def _read(
    family: Family, model: Any, hidden: torch.Tensor, steps: packing.Steps, speller: Speller
) -> torch.Tensor:
    """log p of every answer, flat [answers], float64 on the CPU; logits only where some path
    passes."""
    flat = steps.rows * hidden.shape[1] + steps.positions
    places, index = torch.unique(flat, return_inverse=True)
    wanted = hidden.flatten(0, 1)[places.to(hidden.device)]
    values = torch.zeros(len(flat), dtype=torch.float64)
    at_once = max(1, LOGITS_AT_ONCE // model.get_input_embeddings().weight.shape[0])
    with head.in_float32(model):
        for start in range(0, len(places), at_once):
            logits = family.logits(model, wanted[start : start + at_once])
            here = ((index >= start) & (index < start + at_once)).nonzero()[:, 0]
            values[here] = read(logits, index[here] - start, steps.tokens[here], speller)
    paths = torch.zeros(len(steps.owners), dtype=torch.float64).index_add_(0, steps.paths, values)
    return summed(paths, steps.owners, steps.n_answers)


def _nested(rows: Sequence[packing.Row], flat: torch.Tensor) -> list[list[list[float]]]:
    values = iter(flat.tolist())
    return [[[next(values) for _ in question] for question in row.paths] for row in rows]
