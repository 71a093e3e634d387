"""From questions to a loss, by the same two paths as scoring: in stages, or through the model's
own forward where a family has no stages or they do not hold.

Conventions: a loss collates questions of one clip length into a dict of tensors (on the CPU,
labels on answers and end of turn only) and turns such a dict into the cross-entropy summed over
its labels, divided by the labels of the whole step. Logits are computed at the answers' positions
only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from spectcount.listeners.families import Family
from spectcount.listeners.loaded import LoadedModel
from spectcount.trials import Question

IGNORED = -100


@dataclass(frozen=True)
class Sequences:
    """`ids` [B, L], `mask` [B, L] (1 = real), `n_answer`: how many last positions may carry a
    label, `labels` [B, n_answer] with `IGNORED` where a prompt token stands."""

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    audio_token_id: int

    @property
    def n_answer(self) -> int:
        return self.labels.shape[1]

    def to(self, device: Any) -> Sequences:
        return Sequences(
            self.ids.to(device), self.mask.to(device), self.labels.to(device), self.audio_token_id
        )


def answer_batch(
    family: Family, processor: Any, prompts: Sequence[str], answers: Sequence[str], n_audio: int
) -> Sequences:
    """Prompts, answers and end of turn; labels on answer and end of turn only."""
    heads = [family.prompt_ids(p, n_audio, processor) for p in prompts]
    tails = [family.answer_ids(a, processor) for a in answers]
    rows = [p + t for p, t in zip(heads, tails, strict=True)]
    length, n_answer = max(map(len, rows)), max(map(len, tails))
    pad = family.pad_id(processor)
    return Sequences(
        torch.tensor([[pad] * (length - len(r)) + r for r in rows]),
        torch.tensor([[0] * (length - len(r)) + [1] * len(r) for r in rows]),
        torch.tensor([[IGNORED] * (n_answer - len(t)) + t for t in tails]),
        family.audio_token_id(processor),
    )


def embed(family: Family, model: Any, sequences: Sequences, audio: torch.Tensor) -> torch.Tensor:
    """Input embeddings [B, L, width] with `audio` [B, tokens, width] in the placeholders."""
    text = family.embed_tokens(model, sequences.ids)
    places = (sequences.ids == sequences.audio_token_id)[..., None]
    return text.masked_scatter(places, audio.to(text.dtype))


def answer_loss(
    family: Family, model: Any, sequences: Sequences, audio: torch.Tensor, n_labels: Any = None
) -> torch.Tensor:
    """Cross-entropy summed over the labelled tokens, divided by `n_labels` (default: their number
    here, which makes it the mean); logits at the answers' positions only."""
    family.check_length(model, sequences.ids.shape[1])
    positions = (sequences.mask.cumsum(-1) - 1).clamp(min=0)
    embeds = embed(family, model, sequences, audio)
    hidden = family.hidden(model, embeds, sequences.mask, positions)
    logits = family.logits(model, hidden[:, -sequences.n_answer - 1 : -1]).float()
    total = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), sequences.labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / ((sequences.labels != IGNORED).sum() if n_labels is None else n_labels)


Batch = dict[str, torch.Tensor]


class Loss(Protocol):
    """A loss that a base model is trained by."""

    def collate(self, questions: Sequence[Question]) -> Batch:
        """Questions of one clip length -> tensors with `labels`."""

    def __call__(self, model: Any, batch: Batch, n_labels: Any = None) -> torch.Tensor:
        """The loss of the base model (its adapter inside), divided by `n_labels` or, without it,
        by the batch's own number of labels."""


def loss_of(loaded: LoadedModel, hears_frozen: bool) -> Loss:
    """The loss for the path that the model is scored by. `hears_frozen`: the encoder does not
    learn."""
    if loaded.path == "staged":
        return StagedLoss(loaded.family, loaded.processor, hears_frozen)
    return StockLoss(loaded.family, loaded.processor)


class StagedLoss:
    """Mel and encoder at the clips' own length, then the language model on embeddings. A frozen
    encoder runs without a graph."""

    def __init__(self, family: Family, processor: Any, hears_frozen: bool):
        self.family, self.processor, self.hears_frozen = family, processor, hears_frozen

    def collate(self, questions: Sequence[Question]) -> Batch:
        waveforms = np.stack([q.audio() for q in questions])
        n_audio = self.family.n_audio_tokens(waveforms.shape[1], self.processor)
        prompts = [q.prompt for q in questions]
        batch = answer_batch(self.family, self.processor, prompts, _truths(questions), n_audio)
        return {
            "waveforms": torch.from_numpy(waveforms),
            "ids": batch.ids,
            "mask": batch.mask,
            "labels": batch.labels,
        }

    def __call__(self, model: Any, batch: Batch, n_labels: Any = None) -> torch.Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.hears_frozen):
            states = self.family.audio_states(model, batch["waveforms"], self.processor)
        audio = self.family.project(model, states)
        place = self.family.audio_token_id(self.processor)
        sequences = Sequences(batch["ids"], batch["mask"], batch["labels"], place)
        return answer_loss(self.family, model, sequences, audio, n_labels)


class StockLoss:
    """The stock processor's prompt with the answer behind it, through the stock forward. What
    does not learn and hears nothing that learns gets no graph from autograd itself."""

    def __init__(self, family: Family, processor: Any):
        self.family, self.processor = family, processor

    def collate(self, questions: Sequence[Question]) -> Batch:
        clips = [q.audio() for q in questions]
        prompts = [q.prompt for q in questions]
        stock = self.family.stock_inputs(prompts, clips, self.processor)
        tails = [self.family.answer_ids(a, self.processor) for a in _truths(questions)]
        return answered(dict(stock), tails, self.family.pad_id(self.processor))

    def __call__(self, model: Any, batch: Batch, n_labels: Any = None) -> torch.Tensor:
        labels = batch["labels"]
        n_last = labels.shape[1] + 1
        inputs = {
            name: value.to(model.dtype) if value.is_floating_point() else value
            for name, value in batch.items()
            if name != "labels"
        }
        with last_logits(model, n_last):
            logits = model(**inputs, use_cache=False).logits[:, -n_last:-1].float()
        total = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return total / ((labels != IGNORED).sum() if n_labels is None else n_labels)


def answered(stock: Mapping[str, Any], tails: Sequence[Sequence[int]], pad: int) -> Batch:
    """A stock batch (prompts padded on the left) with an answer's tokens behind every prompt and
    `labels` [B, K] for them; shorter answers are padded on the right, where nothing looks."""
    n = max(map(len, tails))
    ids = torch.tensor([[*tail, *[pad] * (n - len(tail))] for tail in tails])
    real = torch.tensor([[1] * len(tail) + [0] * (n - len(tail)) for tail in tails])
    shape = stock["input_ids"].shape
    fills = {"input_ids": ids, "attention_mask": real}
    batch = {}
    for name, value in stock.items():
        if isinstance(value, torch.Tensor) and value.shape == shape:
            fill = fills.get(name, torch.zeros_like(ids)).to(value.dtype)
            batch[name] = torch.cat([value, fill], dim=1)
        elif isinstance(value, torch.Tensor):
            batch[name] = value
    return {**batch, "labels": ids.masked_fill(real == 0, IGNORED)}


@contextmanager
def last_logits(model: Any, n: int) -> Iterator[None]:
    """Logits at the last `n` positions only, also of classes that ignore `logits_to_keep`."""

    def cut(_: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (given[0][:, -n:], *given[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(cut)
    try:
        yield
    finally:
        hook.remove()


def _truths(questions: Sequence[Question]) -> list[str]:
    truths = [q.truth for q in questions if q.truth is not None]
    if len(truths) < len(questions):
        raise ValueError("a training question has no true answer")
    return truths
