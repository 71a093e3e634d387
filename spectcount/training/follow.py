"""What a fine-tune tells while it goes on: progress, losses, held-out accuracies; and its ears for
a stop. With several processes the first tells, and the others follow it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from transformers import TrainerCallback

from spectcount.context import RunContext
from spectcount.listeners.audio_lm import AudioLM
from spectcount.listeners.loaded import LoadedModel
from spectcount.training import checkpoints, ranks
from spectcount.training.curriculum import Sampler
from spectcount.training.options import TrainOptions
from spectcount.trials import Question

METRIC_EVERY = 5
"""Steps between two points of the curves, and those that a point is the mean of."""


class HeldOut:
    """Counting accuracy on questions that training never draws, weak and strong apart."""

    def __init__(self, loaded: LoadedModel, sampler: Sampler, n: int):
        self.listener = AudioLM(loaded, "training")
        self.questions: dict[str, list[Question]] = {"strong": sampler.held_out("replay", n)}
        if sampler.regions:
            self.questions["weak"] = sampler.held_out("weak", n)

    def measure(self, model: Any) -> dict[str, float]:
        """{"weak": accuracy, "strong": accuracy} with dropout off; no random number is used."""
        was_training = model.training
        model.eval()
        accuracies = {name: self._accuracy(asked) for name, asked in self.questions.items()}
        model.train(was_training)
        return accuracies

    def _accuracy(self, asked: list[Question]) -> float:
        best = self.listener.score(asked).log_probs.argmax(axis=1)
        right = [q.answers[k] == q.truth for q, k in zip(asked, best, strict=True)]
        return float(np.mean(right))


class Follower(TrainerCallback):
    """Tells the run's context what happens, and stops when asked to."""

    def __init__(self, context: RunContext, options: TrainOptions, held_out: HeldOut):
        self.context = context
        self.options = options
        self.held_out = held_out

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if ranks.leads():
            self.context.progress(state.global_step, self.options.steps)
            if state.global_step == 0:
                self._measure(state, kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step, options = state.global_step, self.options
        if ranks.leads():
            self.context.progress(step, options.steps)
            if step % options.evaluate_every == 0 or step == options.steps:
                self._measure(state, kwargs["model"])
        if ranks.told(ranks.leads() and self.context.should_stop(), args.device):
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if not ranks.leads():
            return
        keep_recent(state.log_history)
        if state.global_step % METRIC_EVERY or not logs or "loss" not in logs:
            return
        metrics = {"loss": mean_loss(state.log_history), "learning_rate": logs["learning_rate"]}
        for name, value in {**metrics, "memory_mb": _memory_mb()}.items():
            self.context.metric(state.global_step, name, value)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        ranks.wait_for_all()  # each process writes its own random state into the checkpoint
        if ranks.leads():
            checkpoints.mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def _measure(self, state: Any, model: Any) -> None:
        """Measure, report, and keep in the trainer's state, which a resumed run gets back."""
        step, found = state.global_step, self.held_out.measure(model)
        state.log_history.append({"step": step, "held_out": found})
        for name, value in found.items():
            self.context.metric(step, f"{name}_accuracy", value)
        words = ", ".join(f"{k} {v:.0%}" for k, v in found.items())
        self.context.log(f"step {step}: held-out count accuracy {words}")


def keep_recent(history: list[dict[str, Any]]) -> None:
    """Drop all but the last losses from the trainer's history, which every checkpoint holds."""
    losses = [entry for entry in history if "loss" in entry]
    old = {id(entry) for entry in losses[:-METRIC_EVERY]}
    history[:] = [entry for entry in history if id(entry) not in old]


def mean_loss(history: list[dict[str, Any]]) -> float:
    """Mean loss of the last `METRIC_EVERY` steps; the same whether or not a run was resumed
    between them. NaN before the first step."""
    losses = [entry["loss"] for entry in history if "loss" in entry][-METRIC_EVERY:]
    return float(np.mean(losses)) if losses else float("nan")


def _memory_mb() -> float:
    """Peak device memory on a GPU, the process's resident memory on a CPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return psutil.Process().memory_info().rss / 1e6
