"""Patching: states of a counterpart replaced by the signal's, one layer and one stretch at a time.

Signal and counterpart are equally long, so their states line up. A patched forward is the
counterpart's, with some states replaced by those that the signal has at the same place; how far the
log odds move towards the signal's says what that place carries to the answer (Vig et al. 2020,
NeurIPS; Meng et al. 2022, NeurIPS).

*Conventions*: layers are the encoder's last states (`encoder`), the language model's input
(`projector`), and the states that enter its later layers (`LM k/n`, k layers passed). Columns are
equal stretches of audio tokens, then all further tokens of the prompt (`question`), its last
(`last token`), and everything at once (`all`). Before the language model only audio can be patched.
Staged families only; layers behind one whose keys later layers read again are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.audio_lm import AudioLM
from spectcount.listeners.scoring import batching, staged
from spectcount.trials import Question

ENCODER, PROJECTOR = "encoder", "projector"
QUESTION, LAST, ALL = "question", "last token", "all"
MOST_LAYERS = 12
"""Layers of the language model that are patched, spread over all of them."""


@dataclass(frozen=True)
class Places:
    """Rows and columns of a patching: `layers`, `columns`; `edges_s` [stretches + 1]: where each
    stretch of audio begins and ends in the clip, seconds."""

    layers: tuple[str, ...]
    columns: tuple[str, ...]
    edges_s: tuple[float, ...]


def places_of(listener: AudioLM, question: Question, stretches: int) -> Places:
    """The places to patch in clips like that of a question. Raises `UserError` for models that are
    not staged, or whose language model's layers are not known."""
    loaded = listener.loaded
    if loaded.path != "staged":
        raise UserError(
            f"{loaded.folder.name} is scored by its stock forward ({loaded.why_stock}), whose "
            "states cannot be replaced; choose a model of another family"
        )
    family, processor = loaded.family, loaded.processor
    n_samples, rate = batching.n_samples(question), family.sample_rate(processor)
    n_tokens = family.n_audio_tokens(n_samples, processor)
    seconds = n_samples / rate
    if family.n_audio_tokens(2 * n_samples, processor) == n_tokens:
        seconds = family.window_s(processor)  # a window of tokens, whatever the clip's length
    edges = np.linspace(0, n_tokens, min(stretches, n_tokens) + 1).round() / n_tokens * seconds
    names = tuple(f"{a:.2f}-{b:.2f} s" for a, b in itertools.pairwise(edges))
    layers = (ENCODER, PROJECTOR, *_llm_layers(listener).values())
    return Places(layers, (*names, QUESTION, LAST, ALL), tuple(map(float, edges)))


def patched(listener: AudioLM, signal: Question, other: Question, places: Places) -> np.ndarray:
    """Log odds of the first answer [2 + layers x columns]: of the counterpart, of the signal, then
    patched, layer by layer; nan where nothing can be patched."""
    with listener.adapted():
        return _Patching(listener, signal, other, places).log_odds()


def _llm_layers(listener: AudioLM) -> dict[int, str]:
    """Number of layers passed -> name; the first is the projector's row."""
    n = len(listener.loaded.family.layers(listener.loaded.model, "llm"))
    if not n:
        raise UserError(f"the layers of {listener.loaded.folder.name} are not known by their names")
    top = min(n - 1, _last_whole(listener.loaded.model, n))
    chosen = np.unique(np.linspace(1, top, min(MOST_LAYERS, top)).round().astype(int))
    return {int(k): f"LM {k}/{n}" for k in chosen}


def _last_whole(model: Any, n: int) -> int:
    """The last of `n` layers whose entering states are all that later layers see. In Gemma 3n and 4
    the last layers read keys and values of an earlier one, which patching behind it would miss."""
    config = model.config.get_text_config()
    unshared = n - (getattr(config, "num_kv_shared_layers", None) or 0)
    if unshared == n:
        return n
    kinds = list(getattr(config, "layer_types", None) or [""] * n)[:unshared]
    return min(unshared - 1 - kinds[::-1].index(kind) for kind in set(kinds))


class _Patching:
    """One pair: what both sides have at every layer, and the forwards that mix them."""

    def __init__(
        self, listener: AudioLM, signal: Question, other: Question, places: Places
    ) -> None:
        loaded = listener.loaded
        self.loaded, self.family, self.model = loaded, loaded.family, loaded.model
        self.places, self.chosen = places, _llm_layers(listener)
        self.layers = self.family.layers(self.model, "llm")
        self.answers, self.prompt = signal.answers, signal.prompt
        self.limit = listener.size.rows
        clips = np.stack([listener.clip_of(other), listener.clip_of(signal)])
        audio = torch.from_numpy(clips).to(loaded.device)
        self.encoded = self.family.audio_states(self.model, audio, loaded.processor)
        self.heard = self.family.project(self.model, self.encoded)
        spelled = [[(self.prompt, loaded.speller.closed_set(self.answers))]]
        n = self.heard.shape[1]
        self.last = staged.n_prefix(self.family, loaded.processor, spelled, n) - 1
        ids = self.family.prompt_ids(self.prompt, n, loaded.processor)
        first = ids.index(self.family.audio_token_id(loaded.processor))
        self.audio = slice(first, first + n)

    def log_odds(self) -> np.ndarray:
        with self._noting() as states:
            ends = self._asked(self.heard)
        rows = [self._before(ENCODER), self._before(PROJECTOR)]
        rows += [self._within(k, states[k]) for k in self.chosen]
        return np.concatenate([ends, *rows])

    def _stretches(self, n: int) -> list[slice]:
        """Audio tokens (or states of the encoder) of each stretch, of `n` in all."""
        edges = np.array(self.places.edges_s) / self.places.edges_s[-1] * n
        marks = edges.round().astype(int)
        return [slice(a, b) for a, b in itertools.pairwise(marks)]

    def _before(self, layer: str) -> np.ndarray:
        """Before the language model: stretches, two columns that are nothing there, all."""
        states = self.encoded if layer == ENCODER else self.heard
        parts = [*self._stretches(states.shape[1]), slice(None)]
        mixed = states[:1].repeat(len(parts), 1, 1)
        for row, part in enumerate(parts):
            mixed[row, part] = states[1, part]
        heard = self.family.project(self.model, mixed) if layer == ENCODER else mixed
        values = self._asked(heard)
        return np.array([*values[:-1], np.nan, np.nan, values[-1]])

    def _within(self, k: int, states: torch.Tensor) -> np.ndarray:
        """Before layer `k` of the language model: every column; states [2, L, width]."""
        length = states.shape[-2]
        groups = [torch.zeros(length, dtype=torch.bool) for _ in self.places.columns]
        start = self.audio.start
        for group, part in zip(groups, self._stretches(self.heard.shape[1]), strict=False):
            group[start + part.start : start + part.stop] = True
        groups[-3][self.audio.stop :] = True
        groups[-3][self.last] = False
        groups[-2][self.last] = True
        groups[-1][:] = True
        mask = torch.stack(groups).to(states.device)
        values = []
        for some in mask.split(self.limit):
            with self._replacing(k, states, some):
                values.append(self._asked(self.heard[:1].repeat(len(some), 1, 1)))
        return np.concatenate(values)

    def _asked(self, heard: torch.Tensor) -> np.ndarray:
        """Log odds [B] of what was heard [B, tokens, width]."""
        values = []
        for some in heard.split(self.limit):
            rows = [[(self.prompt, self.answers)]] * len(some)
            clips = np.zeros((len(some), 1), np.float32)
            log_p = self.loaded.answer_log_probs(rows, clips, some)
            values += [float(row[0][0] - row[0][1]) for row in log_p]
        return np.array(values)

    @contextmanager
    def _noting(self) -> Iterator[dict[int, torch.Tensor]]:
        """States [..., 2, L, width] that enter each chosen layer, of both sides."""
        noted: dict[int, torch.Tensor] = {}

        def note(k: int, _: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            noted[k] = (inputs[0] if inputs else named["hidden_states"]).clone()

        hooks = [
            self.layers[k].register_forward_pre_hook(partial(note, k), with_kwargs=True)
            for k in self.chosen
        ]
        try:
            yield noted
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def _replacing(self, k: int, states: torch.Tensor, mask: torch.Tensor) -> Iterator[None]:
        """While open, rows of a batch get the signal's states before layer `k` where `mask` [B, L]
        is true. Gemma 3n's several streams are replaced together."""
        signal = states[..., 1:2, :, :]

        def replace(
            _: Any, inputs: tuple[Any, ...], named: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            before = inputs[0] if inputs else named["hidden_states"]
            after = torch.where(mask[..., None], signal, before)
            if inputs:
                return (after, *inputs[1:]), named
            return inputs, {**named, "hidden_states": after}

        hook = self.layers[k].register_forward_pre_hook(replace, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()


def pairs_alike(groups: Sequence[tuple[Question, ...]]) -> list[tuple[Question, ...]]:
    """The pairs whose clips are as long as the first one's: their states line up."""
    length = batching.n_samples(groups[0][0])
    return [group for group in groups if batching.n_samples(group[0]) == length]
