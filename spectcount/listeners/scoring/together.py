"""Several adapters of one model asked at once: base and tuned in one batch.

Their clips are synthesised once, heard once for all listeners whose adapters leave hearing alone,
and go through the language model side by side, each row with the adapter of its listener (peft's
mixed batches). Each listener's answers equal those it gives alone.

Conventions: an adapter's reach is read off the modules that carry it, not off its configuration,
which may name them in many ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from spectcount.listeners.audio_lm import AudioLM
from spectcount.listeners.base import Scores
from spectcount.listeners.loaded import LoadedModel
from spectcount.listeners.scoring import batching
from spectcount.trials import Question, normalise


def may_share(listeners: Sequence[Any]) -> bool:
    """True where these are different adapters (or none) of one model in memory, staged, whose rows
    can be mixed."""
    first = listeners[0]
    return (
        len(listeners) > 1
        and all(isinstance(x, AudioLM) for x in listeners)
        and first.loaded.path == "staged"
        and all(x.loaded is first.loaded for x in listeners)
        and all(mixes(x) for x in listeners)
    )


def score_together(
    listeners: Sequence[AudioLM],
    questions: Sequence[Question],
    turn: batching.Turn = nullcontext,
) -> list[Scores]:
    """The scores that each listener's `score(questions)` returns; they must pass `may_share`."""
    loaded, k = listeners[0].loaded, len(listeners)
    raw = np.zeros((k, len(questions), len(questions[0].answers)))
    ears = [x.digest if _hears(x) else None for x in listeners]

    def clips(rows: Sequence[list[int]]) -> np.ndarray:
        return np.stack([listeners[0].clip_of_all([questions[i] for i in row]) for row in rows])

    def answer(rows: Sequence[list[int]], waveforms: np.ndarray) -> None:
        pairs = [[(questions[i].prompt, questions[i].answers) for i in row] for row in rows]
        heard = _heard(loaded, ears, waveforms)
        with _mixed(loaded, [x.digest for x in listeners for _ in rows]):
            scored = loaded.answer_log_probs(pairs * k, waveforms, heard)
        for place, values in enumerate(scored):
            raw[place // len(rows), rows[place % len(rows)]] = values

    size = listeners[0].size
    batching.run(batching.rows_of(questions, size.most_samples), clips, answer, size, turn)
    return [Scores(normalise(r), np.exp(r).sum(axis=1)) for r in raw]


def _heard(loaded: LoadedModel, ears: Sequence[str | None], waveforms: np.ndarray) -> torch.Tensor:
    """The clips as each listener hears them, one listener after the other. Encoders cut clips
    into blocks, so that their rows are not the batch's: adapters are not mixed in there."""
    heard = {}
    for digest in dict.fromkeys(ears):
        with loaded.adapted(digest):
            heard[digest] = loaded.hear(waveforms)
    return torch.cat([heard[digest] for digest in ears])


@contextmanager
def _mixed(loaded: LoadedModel, digests: Sequence[str | None]) -> Iterator[None]:
    """`LoadedModel.mixed`, left in order where the forward fails (memory runs out, say): peft
    takes its hooks off only where no error passes through it."""
    failure: BaseException | None = None
    with loaded.mixed(digests):
        try:
            yield
        except BaseException as error:
            failure = error
    if failure is not None:
        raise failure


def _carriers(listener: AudioLM) -> dict[str, Any]:
    """The modules that carry a part of a listener's adapter, by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    return {
        name: module
        for name, module in listener.loaded.model.named_modules()
        if listener.digest
        and isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper))
        and f"a{listener.digest}" in module._get_available_adapters()
    }


def _hears(listener: AudioLM) -> bool:
    """True where an adapter changes anything before the language model."""
    family = listener.loaded.family
    return any(re.fullmatch(family.lora_targets("encoder"), n) for n in _carriers(listener))


def mixes(listener: AudioLM) -> bool:
    """True where an adapter is plain LoRA within the family's scopes. Others (DoRA, whole modules,
    the output layer, which sees single places and not rows) are asked one after the other."""
    known, key = listener.loaded.family.lora_targets("both"), f"a{listener.digest}"
    return listener.loaded.mixes(listener.digest) and all(
        re.fullmatch(known, name)
        and key in getattr(module, "lora_A", {})
        and not module.use_dora.get(key, False)
        for name, module in _carriers(listener).items()
    )
