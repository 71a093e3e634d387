"""Several questions about one clip, and all their answers, in one row of one forward.

What the questions share (the audio above all) is the row's prefix, seen once. Behind it hangs a
tree of tokens: the questions' own words, then their answers (in Qwen tokenizers "10" begins like
"1"), each in all its spellings. A mask lets every node see the prefix and its own ancestors only,
so each sequence gets the log-probability that it would get alone: the sum along its path. The
probabilities of an answer's sequences add up to the answer's, those of a closed set to the mass
that the model gives to the set.

Conventions: prefixes are padded on the left, trees on the right, so that in every row of a batch
the prefix ends at the same position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from spectcount.listeners.scoring.spelling import ClosedSet, Tokens

Path = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Row:
    """`prefix`: shared tokens. `nodes`: the tree's tokens; `parents`: of each node, -1 being the
    prefix. `paths` [question][answer][spelling]: pairs (node whose output predicts, token
    predicted)."""

    prefix: Tokens
    nodes: Tokens
    parents: Tokens
    paths: tuple[tuple[tuple[Path, ...], ...], ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of the longest sequence in the row: the prefix, a question and an answer."""
        return len(self.prefix) + max(self.depths, default=-1) + 1

    @property
    def depths(self) -> list[int]:
        """Nodes between the prefix and each node."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        return depths

    def sequence(self, node: int) -> Tokens:
        """The tokens from the prefix to a node, it included."""
        before = self.sequence(self.parents[node]) if self.parents[node] >= 0 else ()
        return (*before, self.nodes[node])

    @cached_property
    def ancestors(self) -> torch.Tensor:
        """[N, N]: whether the row's node is or descends from the column's."""
        seen = np.eye(len(self.parents), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return torch.from_numpy(seen)

    @cached_property
    def table(self) -> tuple[np.ndarray, np.ndarray, int]:
        """([S, 3]: node, token and path of every step; [paths]: the answer that each spells;
        number of answers)."""
        answers = [answer for question in self.paths for answer in question]
        owned = [(k, path) for k, answer in enumerate(answers) for path in answer]
        rows = [(node, token, i) for i, (_, path) in enumerate(owned) for node, token in path]
        owners = np.array([k for k, _ in owned], dtype=np.int64)
        return np.array(rows, dtype=np.int64).reshape(-1, 3), owners, len(answers)


def row(prompts: Sequence[Tokens], answers: Sequence[ClosedSet]) -> Row:
    """One clip's questions. `prompts`: token ids with the audio's placeholders; `answers`: the
    closed set of each."""
    n = common_length(prompts)
    nodes: dict[Tokens, int] = {}
    parents: list[int] = []

    def place(tokens: Tokens) -> int:
        """The node behind `tokens`, made where it is new."""
        at = -1
        for end in range(1, len(tokens) + 1):
            if tokens[:end] not in nodes:
                nodes[tokens[:end]] = len(nodes)
                parents.append(at)
            at = nodes[tokens[:end]]
        return at

    paths = tuple(
        tuple(
            tuple(
                tuple((place((*prompt[n:], *way[:k])), token) for k, token in enumerate(way))
                for way in answer
            )
            for answer in sets
        )
        for prompt, sets in zip(prompts, answers, strict=True)
    )
    return Row(prompts[0][:n], tuple(key[-1] for key in nodes), tuple(parents), paths)


def common_length(prompts: Sequence[Tokens]) -> int:
    """Number of first tokens that all prompts share."""
    shortest = min(map(len, prompts))
    for k in range(shortest):
        if any(prompt[k] != prompts[0][k] for prompt in prompts):
            return k
    return shortest


@dataclass(frozen=True)
class Pack:
    """A batch of rows: `ids` [B, L], `mask` [B, 1, L, L] (True = may look), `positions` [B, L],
    `places` [B, L] (True at the audio's placeholders), `n_prefix`: where the trees begin."""

    rows: tuple[Row, ...]
    ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor
    places: torch.Tensor
    n_prefix: int


def pack(rows: Sequence[Row], pad: int, audio: int, device: torch.device) -> Pack:
    """Rows -> a padded batch on `device`; `audio` is the placeholder's token."""
    n_prefix = max(len(r.prefix) for r in rows)
    n_nodes = max(len(r.nodes) for r in rows)
    length = n_prefix + n_nodes
    ids = torch.full((len(rows), length), pad)
    positions = torch.zeros(len(rows), length, dtype=torch.long)
    allowed = torch.eye(length, dtype=torch.bool).repeat(len(rows), 1, 1)
    causal = torch.ones(n_prefix, n_prefix, dtype=torch.bool).tril()
    for b, r in enumerate(rows):
        first, last = n_prefix - len(r.prefix), n_prefix + len(r.nodes)
        ids[b, first:last] = torch.tensor([*r.prefix, *r.nodes])
        positions[b, first:n_prefix] = torch.arange(len(r.prefix))
        depths = torch.tensor(r.depths, dtype=torch.long)
        positions[b, n_prefix:last] = len(r.prefix) + depths
        allowed[b, first:n_prefix, first:n_prefix] = causal[first:, first:]
        allowed[b, n_prefix:last, first:n_prefix] = True
        allowed[b, n_prefix:last, n_prefix:last] = r.ancestors
    ids, positions, allowed = ids.to(device), positions.to(device), allowed.to(device)
    return Pack(tuple(rows), ids, allowed[:, None], positions, ids == audio, n_prefix)


def additive(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A boolean mask as numbers to add to attention scores."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(
        ~mask, torch.finfo(dtype).min
    )


@dataclass(frozen=True)
class Steps:
    """Every step of every path, [S] each: row, position whose output predicts, token predicted,
    and the path that it belongs to; `owners` [paths]: the answer that a path spells (numbered by
    row, question, answer). On the CPU."""

    rows: torch.Tensor
    positions: torch.Tensor
    tokens: torch.Tensor
    paths: torch.Tensor
    owners: torch.Tensor
    n_answers: int


def steps(batch: Pack) -> Steps:
    """The steps to read off a batch's logits."""
    tables, owners = [], []
    n_paths = n_answers = 0
    for b, r in enumerate(batch.rows):
        table, whose, n = r.table
        row_of = np.full((len(table), 1), b)
        tables.append(np.hstack([row_of, table + np.array([batch.n_prefix, 0, n_paths])]))
        owners.append(whose + n_answers)
        n_paths, n_answers = n_paths + len(whose), n_answers + n
    rows, places, tokens, paths = torch.from_numpy(np.concatenate(tables).T.copy())
    whose_paths = torch.from_numpy(np.concatenate(owners))
    return Steps(rows, places, tokens, paths, whose_paths, n_answers)
