"""States of a model at the stages between a clip and an answer, one vector a clip and stage.

Stages, in order: `input` (the log-mel features as the encoder gets them, floor included), some
layers of the encoder (the last always), `projector` (the language model's input), some layers of
the language model at the prompt's last token (the last always). A sequence of states becomes its
mean, maximum and standard deviation over time, one after the other.

*Conventions*: one question a row; clips of a batch are equally long. States are float16, clipped
at its ends: what was stored and read again decodes as what was not. Every state comes from the
forward that gives the answers, through hooks; the model is left as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.audio_lm import AudioLM
from spectcount.listeners.loaded import LoadedModel
from spectcount.listeners.scoring import batching, staged
from spectcount.trials import Question

INPUT, PROJECTOR = "input", "projector"
ENCODER, LLM = "encoder", "LM"
_SHARES = (0.25, 0.5, 0.75)
_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class States:
    """A model's `stages` in order, `vectors` of each stage [clips, width] as float16, `log_probs`
    [clips, answers] of the closed set, not normalised."""

    stages: tuple[str, ...]
    vectors: tuple[np.ndarray, ...]
    log_probs: np.ndarray


def layer_names(part: str, n: int) -> dict[int, str]:
    """Number of layers passed -> name of the stage: a quarter, half and three quarters of `n`
    layers, and all of them."""
    passed = sorted({round(share * n) for share in _SHARES} - {0, n})
    return {k: f"{part} {k}/{n}" for k in [*passed, n]}


def stage_names(loaded: LoadedModel) -> tuple[str, ...]:
    """The stages of a model, in order. Raises `UserError` where its layers are not known."""
    n_encoder, n_llm = (len(_layers(loaded, part)) for part in (ENCODER, LLM))
    encoder, llm = layer_names(ENCODER, n_encoder), layer_names(LLM, n_llm)
    return (INPUT, *encoder.values(), PROJECTOR, *llm.values())


def states_of(listener: AudioLM, questions: Sequence[Question]) -> States:
    """States and answers of questions of one task; raises `UserError` as `AudioLM.score` does."""
    loaded, names = listener.loaded, stage_names(listener.loaded)
    answers = questions[0].answers
    gathered: list[list[np.ndarray | None]] = [[None] * len(questions) for _ in names]
    raw = np.zeros((len(questions), len(answers)))

    def clips(rows: Sequence[int]) -> np.ndarray:
        return np.stack([listener.clip_of(questions[i]) for i in rows])

    def answer(rows: Sequence[int], waveforms: np.ndarray) -> None:
        pairs = [[(questions[i].prompt, answers)] for i in rows]
        with listener.adapted():
            vectors, scored = _forward(loaded, pairs, waveforms)
        for place, i in enumerate(rows):
            raw[i] = scored[place][0]
            for stage, name in enumerate(names):
                gathered[stage][i] = vectors[name][place]

    groups = batching.rows_of(questions, listener.size.most_samples)
    singles = [[i for row in group for i in row] for group in groups]
    batching.run(singles, clips, answer, listener.size)
    vectors = tuple(np.stack([v for v in of if v is not None]) for of in gathered)
    return States(names, vectors, raw)


def _layers(loaded: LoadedModel, part: str) -> list[Any]:
    layers = loaded.family.layers(loaded.model, "encoder" if part == ENCODER else "llm")
    if not layers:
        raise UserError(
            f"the layers of the {part} of {loaded.folder.name} are not known by their names, so "
            "its states cannot be read; choose a model whose family is listed by `models`"
        )
    return layers


def _forward(
    loaded: LoadedModel, pairs: list[list[Any]], waveforms: np.ndarray
) -> tuple[dict[str, np.ndarray], list[list[list[float]]]]:
    """(stage -> vectors [B, width], log p [clip][question][answer]) of a batch."""
    with _reading(loaded, len(waveforms)) as reader:
        if loaded.path != "staged":
            scored = loaded.answer_log_probs(pairs, waveforms)
            return reader.vectors(), scored
        family, model, processor = loaded.family, loaded.model, loaded.processor
        audio = torch.from_numpy(waveforms).to(loaded.device)
        states = family.audio_states(model, audio, processor)
        heard = family.project(model, states)
        spelled = [[(p, loaded.speller.closed_set(a)) for p, a in row] for row in pairs]
        reader.last_token = staged.n_prefix(family, processor, spelled, heard.shape[1]) - 1
        n = len(_layers(loaded, ENCODER))
        reader.add(layer_names(ENCODER, n)[n], states)
        reader.add(PROJECTOR, heard)
        return reader.vectors(), loaded.answer_log_probs(pairs, waveforms, heard)


class _Reader:
    """States that hooks hand over, by stage; until the language model has passed once."""

    def __init__(self, n_clips: int, mel_axis: int) -> None:
        self.n_clips, self.mel_axis = n_clips, mel_axis
        self.last_token = -1
        self.places: torch.Tensor | None = None
        self.closed = False
        self._parts: dict[str, list[torch.Tensor]] = {}
        self._single: dict[str, np.ndarray] = {}

    def add(self, stage: str, states: torch.Tensor) -> None:
        """A piece of a stage [clips x pieces, tokens, width], clip by clip."""
        if self.closed:
            return
        if len(states) % self.n_clips == 0:
            states = states.reshape(self.n_clips, -1, states.shape[-1])
        self._parts.setdefault(stage, []).append(states)

    def add_features(self, stage: str, features: torch.Tensor) -> None:
        """Features [N, mels, frames] or [N, frames, mels], a channel of 1 aside."""
        flat = features.squeeze(1) if features.ndim == 4 else features
        self.add(stage, flat.transpose(1, 2) if self.mel_axis == 1 else flat)

    def add_at_token(self, stage: str, states: torch.Tensor) -> None:
        """States [B, L, width] at the prompt's last token; of Gemma 3n's several streams the
        active one."""
        if not self.closed and stage not in self._single:
            flat = states[0] if states.ndim == 4 else states
            self._single[stage] = _stored(flat[:, self.last_token])

    def add_audio(self, stage: str, states: torch.Tensor) -> None:
        """States [B, L, width] at the places of the audio."""
        if not self.closed and self.places is not None and stage not in self._parts:
            flat = states[0] if states.ndim == 4 else states
            self.add(stage, flat[self.places.to(flat.device)].unflatten(0, (len(flat), -1)))

    def vectors(self) -> dict[str, np.ndarray]:
        """Vectors [B, width] of every stage that was met."""
        return _Vectors(self._parts, self._single, self.n_clips)


class _Vectors(dict[str, np.ndarray]):
    """Pooled when asked for, for the last stages are met after the dict is made."""

    def __init__(
        self, parts: dict[str, list[torch.Tensor]], single: dict[str, np.ndarray], n_clips: int
    ) -> None:
        super().__init__()
        self._parts, self._singles, self._n = parts, single, n_clips

    def __missing__(self, stage: str) -> np.ndarray:
        if stage in self._singles:
            return self._singles[stage]
        pieces = self._parts[stage]
        whole = torch.cat(pieces, dim=1 if len(pieces[0]) == self._n else 0)
        self[stage] = pooled(whole)
        return self[stage]


def pooled(states: torch.Tensor) -> np.ndarray:
    """Mean, maximum and standard deviation over the tokens of states [B, tokens, width]: [B, 3 x
    width] as float16."""
    wide = states.float()
    spread = wide.std(dim=1, correction=0)
    return _stored(torch.cat([wide.mean(dim=1), wide.amax(dim=1), spread], dim=1))


def _stored(vectors: torch.Tensor) -> np.ndarray:
    return vectors.float().clamp(-_HALF, _HALF).cpu().numpy().astype(np.float16)


@contextmanager
def _reading(loaded: LoadedModel, n_clips: int) -> Iterator[_Reader]:
    """Hooks on the model for one batch."""
    family, model = loaded.family, loaded.model
    reader = _Reader(n_clips, family.mel_axis)
    hooks: list[Any] = []

    def before(module: Any, take: Callable[[torch.Tensor], None]) -> None:
        def hook(_: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            take(inputs[0] if inputs else next(iter(named.values())))

        hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    try:
        _hook_encoder(loaded, reader, before)
        llm = _layers(loaded, LLM)
        for k, name in layer_names(LLM, len(llm)).items():
            if k < len(llm):
                before(llm[k], partial(reader.add_at_token, name))
        last = layer_names(LLM, len(llm))[len(llm)]
        if loaded.path == "staged":
            hooks.append(
                family.language_model(model).register_forward_hook(
                    lambda _, __, out: reader.add_at_token(last, out.last_hidden_state)
                )
            )
        else:
            _hook_stock(loaded, reader, before, hooks, last)
        yield reader
    finally:
        for hook in hooks:
            hook.remove()


def _hook_encoder(loaded: LoadedModel, reader: _Reader, before: Callable[..., None]) -> None:
    """Features, and the states behind some layers: those that enter the next."""
    family, layers = loaded.family, _layers(loaded, ENCODER)
    if family.features:
        pattern = re.compile(rf".*({family.features})")
        entry = next(m for n, m in loaded.model.named_modules() if pattern.fullmatch(n))
        before(entry, partial(reader.add_features, INPUT))
    for k, name in layer_names(ENCODER, len(layers)).items():
        if k < len(layers):
            before(layers[k], partial(reader.add, name))


def _hook_stock(
    loaded: LoadedModel, reader: _Reader, before: Callable[..., None], hooks: list[Any], last: str
) -> None:
    """Read as the staged path does: features and places of the audio from the batch, the encoder's
    last states, the language model's input, its last states; then nothing more, for the answers
    are read in forwards of their own."""
    family, model, processor = loaded.family, loaded.model, loaded.processor
    encoder, llm = _layers(loaded, ENCODER), _layers(loaded, LLM)

    def begin(_: Any, __: tuple[Any, ...], batch: dict[str, Any]) -> None:
        if reader.places is None and batch.get("input_ids") is not None:
            reader.places = batch["input_ids"] == family.audio_token_id(processor)
            floats = [v for v in batch.values() if getattr(v, "ndim", 0) >= 3]
            bands = getattr(family.extractor(processor), "feature_size", 0)
            if floats and not family.features:
                reader.mel_axis = 1 if floats[0].shape[-2] == bands else 2
                reader.add_features(INPUT, floats[0])

    def end(_: Any, inputs: tuple[Any, ...]) -> None:
        reader.add_at_token(last, inputs[0])
        reader.closed = True

    hooks.append(model.register_forward_pre_hook(begin, with_kwargs=True))
    name = layer_names(ENCODER, len(encoder))[len(encoder)]
    hooks.append(
        encoder[-1].register_forward_hook(
            lambda _, __, out: reader.add(name, out[0] if isinstance(out, tuple) else out)
        )
    )
    before(llm[0], partial(reader.add_audio, PROJECTOR))
    hooks.append(model.get_output_embeddings().register_forward_pre_hook(end))
