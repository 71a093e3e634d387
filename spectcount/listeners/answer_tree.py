"""All answers of a closed set scored in one forward, multi-token answers included.

The answers' tokens form a tree behind the prompt (in Qwen tokenizers "10" begins like "1"). Its
inner nodes are appended to the prompt once each; a mask lets every node see the prompt and its own
ancestors only. An answer's log-probability is the sum along its path, end of turn included, so
the probabilities of the set's members add up to the mass that the model gives to the set.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class AnswerTree:
    """`tokens` [N]: the inner nodes' tokens; `depths` [N], 0 just after the prompt; `visible`
    [N, N] true where the row's node sees the column's; `paths`: per answer, pairs (node whose
    output predicts, token predicted), node -1 being the prompt's last position."""

    tokens: tuple[int, ...]
    depths: tuple[int, ...]
    visible: tuple[tuple[bool, ...], ...]
    paths: tuple[tuple[tuple[int, int], ...], ...]


def build(answers_tokens: Sequence[Sequence[int]]) -> AnswerTree:
    """The tree of token sequences, each already ending with the end-of-turn token."""
    nodes: dict[tuple[int, ...], int] = {}
    for tokens in answers_tokens:
        for end in range(1, len(tokens)):
            nodes.setdefault(tuple(tokens[:end]), len(nodes))
    prefixes = list(nodes)
    visible = tuple(tuple(q[: len(p)] == p for p in prefixes) for q in prefixes)
    paths = tuple(
        tuple((nodes.get(tuple(tokens[:k]), -1), tokens[k]) for k in range(len(tokens)))
        for tokens in answers_tokens
    )
    return AnswerTree(
        tokens=tuple(p[-1] for p in prefixes),
        depths=tuple(len(p) - 1 for p in prefixes),
        visible=visible,
        paths=paths,
    )


@functools.lru_cache(maxsize=64)
def for_answers(answers: tuple[str, ...], tokenizer: Any) -> AnswerTree:
    """The tree of `answers` under `tokenizer`, whose end of turn closes each."""
    end = tokenizer.eos_token_id
    return build([[*tokenizer.encode(a, add_special_tokens=False), end] for a in answers])


def attention(tree: AnswerTree, prompt_mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Additive mask [B, 1, P + N, P + N] for left-padded prompts `prompt_mask` [B, P] and the
    tree's nodes behind them."""
    batch, length = prompt_mask.shape
    n = len(tree.tokens)
    allowed = torch.zeros(
        batch, length + n, length + n, dtype=torch.bool, device=prompt_mask.device
    )
    causal = torch.ones(length, length, dtype=torch.bool, device=prompt_mask.device).tril()
    keys = prompt_mask.bool()[:, None, :]
    allowed[:, :length, :length] = causal & keys
    allowed[:, length:, :length] = keys
    allowed[:, length:, length:] = torch.tensor(tree.visible, device=prompt_mask.device)
    diagonal = torch.arange(length + n, device=prompt_mask.device)
    allowed[:, diagonal, diagonal] = True
    mask = torch.zeros(allowed.shape, dtype=dtype, device=prompt_mask.device)
    return mask.masked_fill(~allowed, torch.finfo(dtype).min)[:, None]


def positions(tree: AnswerTree, prompt_mask: torch.Tensor) -> torch.Tensor:
    """Position ids [B, P + N]: padding does not count, a node follows its parent."""
    prompt = (prompt_mask.cumsum(-1) - 1).clamp(min=0)
    depths = torch.tensor(tree.depths, device=prompt_mask.device)
    return torch.cat([prompt, prompt_mask.sum(-1, keepdim=True) + depths], dim=1)


def answer_log_probs(tree: AnswerTree, logits: torch.Tensor) -> torch.Tensor:
    """log p of each answer [B, A] from logits [B, 1 + N, V]: the prompt's last position first,
    then the nodes."""
    log_p = torch.log_softmax(logits.float(), dim=-1)
    columns = [sum(log_p[:, node + 1, token] for node, token in path) for path in tree.paths]
    return torch.stack(columns, dim=1)
