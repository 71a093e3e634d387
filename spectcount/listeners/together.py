"""Several adapters of one model asked at once: base and tuned in one batch.

Their clips are synthesised once and go through the model side by side, each row with the adapter
of its listener (peft's mixed batches). Where no adapter touches the encoder, the clips are also
heard once. Each listener's answers equal those it gives alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spectcount.listeners import batching
from spectcount.listeners.audio_lm import AudioLM
from spectcount.listeners.base import Scores
from spectcount.trials import Question, normalise


def may_share(listeners: Sequence[Any]) -> bool:
    """Whether these are different adapters (or none) of one model in memory, staged."""
    first = listeners[0]
    return (
        len(listeners) > 1
        and all(isinstance(x, AudioLM) for x in listeners)
        and first.loaded.path == "staged"
        and all(x.loaded is first.loaded for x in listeners)
    )


def score_together(listeners: Sequence[AudioLM], questions: Sequence[Question]) -> list[Scores]:
    """What `score(questions)` of each listener returns; they must pass `may_share`."""
    loaded, k = listeners[0].loaded, len(listeners)
    raw = np.zeros((k, len(questions), len(questions[0].answers)))
    hears_alike = not any(x.digest and loaded.adapts_hearing(x.digest) for x in listeners)

    def clips(rows: Sequence[list[int]]) -> np.ndarray:
        return np.stack([listeners[0].clip_of(questions[row[0]]) for row in rows])

    def answer(rows: Sequence[list[int]], waveforms: np.ndarray) -> None:
        asked = [[(questions[i].prompt, questions[i].answers) for i in row] for row in rows]
        heard = None
        if hears_alike:
            with loaded.adapted(None):
                heard = loaded.hear(waveforms).repeat(k, 1, 1)
        with loaded.mixed([x.digest for x in listeners for _ in rows]):
            scored = loaded.answer_log_probs(asked * k, np.tile(waveforms, (k, 1)), heard)
        for place, values in enumerate(scored):
            raw[place // len(rows), rows[place % len(rows)]] = values

    batching.run(batching.rows_of(questions), clips, answer, listeners[0].size)
    return [Scores(normalise(r), np.exp(r).sum(axis=1)) for r in raw]
