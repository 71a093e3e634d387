"""Fine-tune an adapter on a curriculum: transformers' Trainer over questions made on the fly.

Conventions: a run's configuration is a `TuneConfig`; the folder gets `checkpoints/` while it runs
and `adapter/` at its end. Killed at any step and resumed, it ends with the same bytes on CPU as if
it had never been killed. With `processes` above one it is run by `torchrun`, once per device: the
questions of a step are the same, shared out.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback

from spectcount import listeners
from spectcount.configs import TuneConfig
from spectcount.context import RunContext
from spectcount.listeners.loaded import LoadedModel
from spectcount.settings import Settings
from spectcount.training import adapter_card, lora, ranks
from spectcount.training.curriculum import Sampler
from spectcount.training.losses import loss_of
from spectcount.training.options import Curriculum, LoraOptions, TrainOptions
from spectcount.training.trainer import (
    AnswerTrainer,
    Follower,
    HeldOut,
    arguments,
    keep_to_base,
    last_complete,
    mean_loss,
)
from spectcount.trials import Question


class Questions(Dataset):
    """The first `n` questions of a sampler."""

    def __init__(self, sampler: Sampler, n: int):
        self.sampler = sampler
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Question:
        return self.sampler.question(i)


@dataclass(frozen=True)
class Job:
    """One fine-tune, validated: what `execute` was asked to do."""

    base: str
    curriculum: Curriculum
    lora: LoraOptions
    train: TrainOptions
    regions: Sequence[Mapping[str, Any]]
    seed: int

    @classmethod
    def from_config(cls, config: TuneConfig) -> Job:
        """From a run's configuration; raises `UserError` for what is not declared."""
        return cls(
            config.base,
            Curriculum.from_dict(config.curriculum),
            LoraOptions.from_dict(config.lora),
            TrainOptions.from_dict(config.train),
            list(config.regions),
            config.seed,
        )


class Summary(TypedDict):
    """A fine-tune's summary: where its adapter lies, steps, loss, counting accuracy on held-out
    draws before and after (by "weak" and "strong"), and how the base was loaded."""

    adapter: str
    name: str
    steps: int
    of_steps: int
    final_loss: float
    held_out_before: Mapping[str, float]
    held_out_after: Mapping[str, float]
    finished_at: float
    base: Mapping[str, str]


def execute(context: RunContext, settings: Settings) -> Summary | None:
    """Train (or go on training) the run's adapter and return its summary; of several processes
    only the first returns one."""
    job = Job.from_config(TuneConfig.from_json(context.config))
    device = ranks.device_of(settings.device, job.train.processes)
    _make_deterministic(job, device)
    args = arguments(job.train, job.seed, context.folder / "checkpoints", device)
    folder = listeners.model_folder(job.base, settings)
    _say(context, f"loading {job.base} on {device}")
    loaded = lora.load_base(folder, device, job.train, job.lora, job.curriculum.clip_high_s)
    if ranks.leads():
        keep_to_base(context.folder / "checkpoints", loaded.fingerprint)
    trainer = _trainer(context, job, args, loaded)
    last = _last_checkpoint(context)
    _say(context, f"resuming from {last.name}" if last else _opening(job))
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    summary = _finish(context, job, loaded, trainer.model, trainer) if ranks.leads() else None
    ranks.finish()  # not after a failure: the others would fail of it and report that instead
    return summary


def _trainer(context: RunContext, job: Job, args: Any, loaded: LoadedModel) -> AnswerTrainer:
    """Everything that training needs, with the same fresh adapter in every process."""
    sampler = Sampler(
        job.curriculum, job.regions, job.seed, loaded.window_s, job.train.clips_per_step
    )
    tuned = lora.attach(loaded.family, loaded.model, job.lora, job.base)
    ranks.share(p for p in tuned.parameters() if p.requires_grad)
    if job.train.gradient_checkpointing:
        lora.recompute_layers(tuned)
    loss = loss_of(loaded, lora.hears_frozen(job.lora))
    held_out = HeldOut(loaded, sampler, job.train.held_out)
    trainer = AnswerTrainer(
        model=tuned,
        args=args,
        train_dataset=Questions(sampler, job.train.steps * job.train.clips_per_step),
        data_collator=loss.collate,
        callbacks=[Follower(context, job.train, held_out)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.prepare(loss)
    if not ranks.leads():  # other dropout than the first process's, which is that of one alone
        torch.manual_seed(job.seed + ranks.index())
    return trainer


def _last_checkpoint(context: RunContext) -> Path | None:
    """The newest whole checkpoint; the first process removes the broken ones."""
    folder = context.folder / "checkpoints"
    if ranks.leads():
        last_complete(folder)
    ranks.wait_for_all()
    return last_complete(folder)


def _say(context: RunContext, message: str) -> None:
    if ranks.leads():
        context.log(message)


def _make_deterministic(job: Job, device: str) -> None:
    """Everything random from the run's seed, a fixed number of threads. On a GPU the fast
    attention kernels have no deterministic way back: only CPU runs promise the same bytes."""
    torch.set_num_threads(job.train.threads)
    torch.manual_seed(job.seed)
    np.random.seed(job.seed % 2**32)
    random.seed(job.seed)
    torch.use_deterministic_algorithms(device == "cpu", warn_only=True)


def _opening(job: Job) -> str:
    clips = job.train.steps * job.train.clips_per_step
    return f"{job.train.steps} steps of {job.train.clips_per_step} clips ({clips} in all)"


def _finish(
    context: RunContext,
    job: Job,
    loaded: LoadedModel,
    tuned: Any,
    trainer: AnswerTrainer,
) -> Summary:
    """Save the adapter with its card and lineage; the run's summary."""
    step = trainer.state.global_step
    folder = context.folder / "adapter.unfinished"
    tuned.eval().save_pretrained(folder, save_embedding_layers=False)
    measured = {e["step"]: e["held_out"] for e in trainer.state.log_history if "held_out" in e}
    first, last = measured.get(0, {}), measured.get(step, {})
    summary: Summary = {
        "adapter": "adapter",
        "name": f"{job.base}@{context.run_id}",
        "steps": step,
        "of_steps": job.train.steps,
        "final_loss": mean_loss(trainer.state.log_history),
        "held_out_before": first,
        "held_out_after": last,
        "finished_at": time.time(),
        "base": loaded.facts,
    }
    lineage = {**getattr(context, "lineage", {}), "run": context.run_id}
    adapter_card.write(folder, job, loaded.fingerprint, lineage, summary)
    shutil.rmtree(context.folder / "adapter", ignore_errors=True)
    folder.rename(context.folder / "adapter")
    return summary
