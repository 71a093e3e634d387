"""At which stage a weakness sits: what a linear read-out finds in the encoder, behind the
projector and in the language model, beside the answer itself.

*Conventions*: two classes of clips (signal and counterpart, or few and many events). States of
audio tokens are pooled by mean, maximum and standard deviation together; of the language model,
the state at the last prompt token is read. Every number is linearly readable, a lower bound: the
area under the ROC curve of out-of-fold scores, folds grouped by pair, shrinkage LDA.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.linalg import solve
from scipy.stats import rankdata

from spectcount.listeners.loaded import LoadedModel
from spectcount.training.losses import answer_batch, embed
from spectcount.trials import Question

FOLDS = 5
SHRINKAGE = 0.3
STAGES = ("encoder", "projector", "language model, middle", "language model, last", "answer")
BATCH = 32


@dataclass(frozen=True)
class Ladder:
    """Areas under the ROC curve by stage, of one task at one place."""

    name: str
    n: int
    areas: dict[str, float]

    @property
    def lost_at(self) -> str:
        """The stage before which the largest part of the area is lost; "nowhere" where the answer
        has as much as the encoder."""
        if self.areas["encoder"] < 0.75:
            return "encoder"
        if self.areas["encoder"] - self.areas["answer"] < 0.1:
            return "nowhere"
        drops = {
            later: self.areas[earlier] - self.areas[later]
            for earlier, later in itertools.pairwise(STAGES)
        }
        return max(drops, key=drops.__getitem__)


def ladder(
    loaded: LoadedModel, name: str, questions: Sequence[Question], second: Sequence[bool]
) -> Ladder:
    """What is readable of the class `second` of each question at every stage; neighbours
    (0, 1), (2, 3) ... are pairs and stay in one fold. All clips have one length. The answer's score
    is the log odds of the task's last answer, or the expected count."""
    states = [
        _states(loaded, questions[start : start + BATCH])
        for start in range(0, len(questions), BATCH)
    ]
    labels = np.asarray(second, bool)
    pairs = np.arange(len(questions)) // 2
    areas = {}
    for stage in STAGES[:-1]:
        values = np.concatenate([part[stage] for part in states])
        areas[stage] = area(out_of_fold(values, labels, pairs), labels)
    areas["answer"] = area(np.concatenate([part["answer"] for part in states]), labels)
    return Ladder(name, len(questions), areas)


def out_of_fold(values: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Scores [n] of shrinkage LDA fitted on the other folds; `values` [n, d]."""
    scores = np.empty(len(labels))
    fold = groups % FOLDS
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        centre, spread = values[train].mean(0), values[train].std(0) + 1e-6
        x = (values - centre) / spread
        means = [x[train & (labels == side)].mean(0) for side in (False, True)]
        residual = np.concatenate(
            [x[train & (labels == side)] - means[side] for side in (False, True)]
        )
        covariance = residual.T @ residual / len(residual)
        ridge = SHRINKAGE * np.trace(covariance) / len(covariance)
        covariance = (1 - SHRINKAGE) * covariance + ridge * np.eye(len(covariance))
        direction = solve(covariance, means[1] - means[0], assume_a="pos")
        scores[test] = (x[test] - (means[0] + means[1]) / 2) @ direction
    return scores


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve, ties 1/2 (Mann-Whitney)."""
    ranks, n = rankdata(scores), int(labels.sum())
    return float((ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n)))


def _states(loaded: LoadedModel, questions: Sequence[Question]) -> dict[str, np.ndarray]:
    """States of one batch at every stage, [B, d], and the answer's score [B]."""
    family, model, processor = loaded.family, loaded.model, loaded.processor
    waves = torch.from_numpy(np.stack([q.audio() for q in questions])).to(model.device)
    with torch.no_grad():
        heard = family.audio_states(model, waves, processor)
        audio = family.project(model, heard)
        answers = [q.answers[0] for q in questions]
        prompts = [q.prompt for q in questions]
        batch = answer_batch(family, processor, prompts, answers, audio.shape[1]).to(model.device)
        cut = batch.ids.shape[1] - batch.n_answer
        embeds = embed(family, model, batch, audio)[:, :cut]
        positions = (batch.mask.cumsum(-1) - 1).clamp(min=0)[:, :cut]
        out = family.language_model(model)(
            inputs_embeds=embeds,
            attention_mask=batch.mask[:, :cut],
            position_ids=positions,
            use_cache=False,
            output_hidden_states=True,
        )
        log_probs = _first_token(family, model, processor, questions[0], out.last_hidden_state)
    layers = out.hidden_states
    return {
        "encoder": _pooled(heard),
        "projector": _pooled(audio),
        "language model, middle": layers[len(layers) // 2][:, -1].float().cpu().numpy(),
        "language model, last": out.last_hidden_state[:, -1].float().cpu().numpy(),
        "answer": log_probs,
    }


def _first_token(
    family: Any, model: Any, processor: Any, question: Question, hidden: torch.Tensor
) -> np.ndarray:
    """Log odds of the last answer's first token against the first's; of counts (whose answers
    differ in it up to 9), the expected count."""
    firsts = [family.word_ids(a, processor)[0] for a in question.answers]
    logits = family.logits(model, hidden[:, -1])[:, firsts].float()
    if len(firsts) == 2:
        return (logits[:, 1] - logits[:, 0]).cpu().numpy()
    shares = logits[:, :10].softmax(-1).cpu().numpy()
    return shares @ np.arange(10)


def _pooled(states: torch.Tensor) -> np.ndarray:
    """Mean, maximum and standard deviation over tokens, [B, 3 d]."""
    parts = [states.mean(1), states.amax(1), states.std(1)]
    return torch.cat(parts, dim=1).float().cpu().numpy()
