"""Scoring through the model's own forward: the path for families that have no other, and the
reference that the staged path is held against.

The prompt goes through once; behind its cached keys and values all answers of the question are
read in one more short forward, as one tree (`tree_log_probs`). Where a model takes no mask of its
own, each of the tree's leaves gets a row and a copy of the prompt's keys and values
(`cached_log_probs`): the copies take longer than the rest of the answers' work, and memory for
`ROWS_AT_ONCE` prompts whatever the batch. Where its cache cannot be used at all, each sequence is
appended to the whole prompt (`appended_log_probs`): slow, and right by construction.
"""

from __future__ import annotations

import copy
import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from spectcount.listeners.families import Family
from spectcount.listeners.scoring import head, packing
from spectcount.listeners.scoring.spelling import ClosedSet, Speller, Tokens, read, summed

Asked = tuple[str, ClosedSet]
"""A prompt and its closed set of answers."""
ROWS_AT_ONCE = 64
"""Most rows of a forward behind a cache: each holds a copy of the prompt's keys and values."""

LogProbs = Callable[..., torch.Tensor]


def prompt_logits(
    family: Family, model: Any, processor: Any, prompts: Sequence[str], waveforms: np.ndarray
) -> torch.Tensor:
    """Logits [B, V] behind each prompt; waveforms [B, T]."""
    inputs = inputs_on(family, model, processor, prompts, waveforms)
    return _last_logits(model, 1, **inputs, use_cache=False).logits[:, -1]


def tree_log_probs(
    family: Family,
    model: Any,
    processor: Any,
    prompts: Sequence[str],
    waveforms: np.ndarray,
    answers: ClosedSet,
    speller: Speller,
) -> torch.Tensor:
    """As `cached_log_probs`, all answers of a prompt in one row: no copy of the cache. Raises
    `ValueError` for models whose layers have masks of their own."""
    _refuse_other_masks(model)
    totals = _Totals(answers, speller, len(prompts))
    inputs, prefix = _read_prompts(family, model, processor, prompts, waveforms, totals)
    tree = packing.row([()], [answers])
    if tree.nodes:
        looks = inputs["attention_mask"].bool()
        ids = torch.tensor([tree.nodes], device=model.device).expand(len(looks), -1)
        before = looks[:, None].expand(-1, ids.shape[1], -1)
        among = tree.ancestors.to(model.device).expand(len(looks), -1, -1)
        mask = packing.additive(torch.cat([before, among], dim=2)[:, None], model.dtype)
        positions = looks.shape[1] + torch.tensor([tree.depths], device=model.device)
        logits = _behind(model, ids, mask, prefix, position_ids=positions.expand_as(ids))
        totals.take({tree.sequence(k): logits[:, k] for k in range(ids.shape[1])})
    return totals.of_answers()


def cached_log_probs(
    family: Family,
    model: Any,
    processor: Any,
    prompts: Sequence[str],
    waveforms: np.ndarray,
    answers: ClosedSet,
    speller: Speller,
) -> torch.Tensor:
    """log p of each answer, [B, A], float64 on the CPU: one forward of the prompts, one of all
    answers behind it."""
    totals = _Totals(answers, speller, len(prompts))
    inputs, prefix = _read_prompts(family, model, processor, prompts, waveforms, totals)
    leaves = _leaves(answers)
    size = max(1, ROWS_AT_ONCE // len(prompts))
    for start in range(0, len(leaves), size):
        some = leaves[start : start + size]
        cache = copy.deepcopy(prefix)
        cache.batch_repeat_interleave(len(some))
        ids = _padded(some, model.device).repeat(len(prompts), 1)
        mask = inputs["attention_mask"].repeat_interleave(len(some), dim=0)
        mask = torch.cat([mask, mask.new_ones(ids.shape)], dim=1)
        totals.take(_by_beginning(some, _behind(model, ids, mask, cache), len(prompts)))
    return totals.of_answers()


def appended_log_probs(
    family: Family,
    model: Any,
    processor: Any,
    prompts: Sequence[str],
    waveforms: np.ndarray,
    answers: ClosedSet,
    speller: Speller,
) -> torch.Tensor:
    """As `cached_log_probs`, one whole forward per sequence of tokens."""
    inputs = inputs_on(family, model, processor, prompts, waveforms)
    totals = _Totals(answers, speller, len(prompts))
    for leaf in _leaves(answers) or [()]:
        tokens = torch.tensor([leaf], device=model.device, dtype=torch.long)
        longer = _appended(inputs, tokens)
        logits = _last_logits(model, len(leaf) + 1, **longer, use_cache=False).logits
        logits = logits[:, -len(leaf) - 1 :]
        totals.take({leaf[:k]: logits[:, k] for k in range(len(leaf) + 1)})
    return totals.of_answers()


def nested_log_probs(
    family: Family,
    model: Any,
    processor: Any,
    rows: Sequence[Sequence[Asked]],
    waveforms: np.ndarray,
    speller: Speller,
    log_probs: LogProbs = cached_log_probs,
) -> list[list[list[float]]]:
    """As `staged.answer_log_probs`: [clip][question][answer]; questions that share a closed set
    share its forwards."""
    sets: dict[ClosedSet, list[tuple[int, int]]] = defaultdict(list)
    for b, questions in enumerate(rows):
        for k, (_, answers) in enumerate(questions):
            sets[answers].append((b, k))
    nested: list[list[list[float]]] = [[[] for _ in questions] for questions in rows]
    for answers, members in sets.items():
        prompts = [rows[b][k][0] for b, k in members]
        clips = waveforms[[b for b, _ in members]]
        parts = family, model, processor, prompts, clips, answers, speller
        for (b, k), row in zip(members, log_probs(*parts).tolist(), strict=True):
            nested[b][k] = row
    return nested


def inputs_on(
    family: Family, model: Any, processor: Any, prompts: Sequence[str], waveforms: Any
) -> dict[str, torch.Tensor]:
    """The stock batch on the model's device, floats in the model's type. Raises `UserError` for
    prompts with a mark of the model's own format in them, or too long ones."""
    family.check_words(prompts, processor)
    batch = family.stock_inputs(prompts, list(waveforms), processor)
    family.check_length(model, batch["input_ids"].shape[1])
    return {
        name: value.to(model.device, model.dtype if value.is_floating_point() else value.dtype)
        for name, value in batch.items()
        if isinstance(value, torch.Tensor)
    }


def _read_prompts(
    family: Family,
    model: Any,
    processor: Any,
    prompts: Sequence[str],
    waveforms: np.ndarray,
    totals: _Totals,
) -> tuple[dict[str, torch.Tensor], Any]:
    """One forward of the prompts, whose last logits `totals` takes: the batch, and its cache."""
    inputs = inputs_on(family, model, processor, prompts, waveforms)
    seen = _last_logits(model, 1, **inputs, use_cache=True)
    totals.take({(): seen.logits[:, -1]})
    return inputs, _cache_of(seen)


def _last_logits(model: Any, n: int, **inputs: Any) -> Any:
    """The model's output, logits of the last `n` positions (or of more) in float32."""
    with head.in_float32(model, n):
        return model(**inputs)


def _cache_of(seen: Any) -> Any:
    """Keys and values of a forward: the field was renamed in transformers 5.24."""
    return seen.cache if "cache" in seen else seen.past_key_values


def _refuse_other_masks(model: Any) -> None:
    """Raise `ValueError` where a mask given for all layers would be wrong for some: a window that
    slides shows only in clips longer than those of the check at load."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds - {"full_attention"}:
        raise ValueError(f"layers of {', '.join(sorted(kinds))} take no common mask")
    if not kinds and getattr(config, "sliding_window", None):
        raise ValueError("layers with a sliding window take no common mask")


def _behind(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, cache: Any, **more: torch.Tensor
) -> torch.Tensor:
    """Logits [N, K, V] of tokens [N, K] behind a cache of N prompts."""
    takes = inspect.signature(model.forward).parameters
    behind = {"cache" if "cache" in takes else "past_key_values": cache}
    out = _last_logits(
        model, ids.shape[1], input_ids=ids, attention_mask=mask, use_cache=True, **behind, **more
    )
    return out.logits[:, -ids.shape[1] :]


def _leaves(answers: ClosedSet) -> list[Tokens]:
    """The tokens that have to be seen to read every sequence: all beginnings lie on these."""
    heads = {way[:-1] for answer in answers for way in answer}
    begun = {head_[:k] for head_ in heads for k in range(len(head_))}
    return sorted(heads - begun - {()})


def _padded(leaves: Sequence[Tokens], device: Any) -> torch.Tensor:
    """[N, K] token ids, the last token repeated: what stands behind changes nothing before."""
    longest = max(map(len, leaves))
    return torch.tensor([[*t, *t[-1:] * (longest - len(t))] for t in leaves], device=device)


def _by_beginning(
    leaves: Sequence[Tokens], logits: torch.Tensor, n_prompts: int
) -> dict[Tokens, torch.Tensor]:
    """Beginning of a sequence -> logits [B, V] behind it; logits [B x leaves, K, V]."""
    each = logits.unflatten(0, (n_prompts, len(leaves)))
    return {
        leaf[: k + 1]: each[:, place, k]
        for place, leaf in enumerate(leaves)
        for k in range(len(leaf))
    }


class _Totals:
    """log p of every sequence of a closed set, gathered beginning by beginning."""

    def __init__(self, answers: ClosedSet, speller: Speller, n_prompts: int):
        ways = [(a, way) for a, answer in enumerate(answers) for way in answer]
        self.n_answers, self.speller = len(answers), speller
        self.owners = torch.tensor([a for a, _ in ways])
        self.values = torch.zeros(n_prompts, len(ways), dtype=torch.float64)
        self.steps: dict[Tokens, list[tuple[int, int]]] = defaultdict(list)
        for i, (_, way) in enumerate(ways):
            for k, token in enumerate(way):
                self.steps[way[:k]].append((i, token))

    def take(self, logits_behind: dict[Tokens, torch.Tensor]) -> None:
        """Read what follows each beginning, once, from the logits [B, V] behind it."""
        for beginning, logits in logits_behind.items():
            steps = self.steps.pop(beginning, None)
            if steps is None:
                continue
            ways, tokens = (torch.tensor(column) for column in zip(*steps, strict=True))
            rows = torch.arange(len(logits)).repeat_interleave(len(steps))
            log_p = read(logits, rows, tokens.repeat(len(logits)), self.speller)
            self.values.index_add_(1, ways, log_p.unflatten(0, (len(logits), -1)))

    def of_answers(self) -> torch.Tensor:
        """log p of each answer [B, A], float64 on the CPU."""
        each = [summed(values, self.owners, self.n_answers) for values in self.values]
        return torch.stack(each)


def _appended(inputs: Mapping[str, torch.Tensor], tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    """The batch with `tokens` [1, K] behind every prompt."""
    tails = tokens.expand(len(inputs["input_ids"]), -1)
    fills = {
        "input_ids": tails,
        "attention_mask": torch.ones_like(tails),
        "token_type_ids": torch.zeros_like(tails),
        "mm_token_type_ids": torch.zeros_like(tails),
    }
    longer = {
        name: torch.cat([inputs[name], fill.to(inputs[name].dtype)], dim=1)
        for name, fill in fills.items()
        if name in inputs
    }
    return {**inputs, **longer}
