"""Fine-tune an adapter on a curriculum: transformers' Trainer over questions made on the fly.

Conventions: a run's configuration is `{"base", "curriculum", "lora", "train", "regions",
"seed"}`; the folder gets `checkpoints/` while it runs and `adapter/` at its end. Killed at any
step and resumed, it ends with the same bytes on CPU as if it had never been killed.
"""

from __future__ import annotations

import math
import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from spectcount import listeners
from spectcount.context import RunContext
from spectcount.listeners.audio_lm import AudioLM
from spectcount.listeners.loaded import LoadedModel
from spectcount.listeners.sequences import answer_loss
from spectcount.settings import Settings
from spectcount.training import OPTIONS, adapter_card, checkpoints, lora
from spectcount.training.curriculum import Curriculum, Sampler
from spectcount.training.data import Collate, Questions, sequences_of
from spectcount.training.options import LoraOptions, TrainOptions
from spectcount.trials import Question

METRIC_EVERY = 5
_SCHEDULES = {
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant_with_warmup",
}


@dataclass(frozen=True)
class Job:
    """One fine-tune, validated: what `execute` was asked to do."""

    base: str
    curriculum: Curriculum
    lora: LoraOptions
    train: TrainOptions
    regions: list[dict[str, Any]]
    seed: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Job:
        """From a run's configuration; raises `UserError` for what is not declared."""
        parts = {
            name: declared.from_dict(config.get(name, {})) for name, declared in OPTIONS.items()
        }
        regions = list(config.get("regions", []))
        return cls(config["base"], **parts, regions=regions, seed=int(config.get("seed", 0)))


def execute(context: RunContext, settings: Settings) -> dict[str, Any]:
    """Train (or go on training) the run's adapter and return its summary: adapter folder, steps,
    held-out accuracies before and after, minutes."""
    job = Job.from_config(context.config)
    _make_deterministic(job)
    folder = listeners.model_folder(job.base, settings)
    context.log(f"loading {job.base} on {settings.device}")
    loaded = LoadedModel(folder, settings.device)
    sampler = Sampler(
        job.curriculum, job.regions, job.seed, loaded.window_s, job.train.clips_per_step
    )
    tuned = lora.attach(loaded.family, loaded.model, job.lora, job.base)
    held_out = HeldOut(loaded, sampler, job.train.held_out)
    trainer = AnswerTrainer(
        model=tuned,
        args=_arguments(job, context.folder / "checkpoints", settings.device),
        train_dataset=Questions(sampler, job.train.steps * job.train.clips_per_step),
        data_collator=Collate(loaded.family, loaded.processor),
        callbacks=[Follower(context, job, held_out)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.prepare(loaded, job.lora)
    last = checkpoints.last_complete(context.folder / "checkpoints")
    context.log(f"resuming from {last.name}" if last else _opening(job))
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return _finish(context, job, loaded, tuned, trainer)


class AnswerTrainer(Trainer):
    """Loss on answer tokens only, over the number of labels in the whole step (so that
    accumulation changes nothing); questions in their order."""

    def prepare(self, loaded: LoadedModel, options: LoraOptions) -> None:
        """What the loss needs besides the model."""
        self.family, self.processor = loaded.family, loaded.processor
        self.hears_frozen = lora.hears_frozen(options)
        self.model_accepts_loss_kwargs = True
        self._loss_shifts_labels = False

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        inner = self.accelerator.unwrap_model(model).get_base_model()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.hears_frozen):
            states = self.family.audio_states(inner, inputs["waveforms"], self.processor)
        audio = self.family.project(inner, states)
        sequences = sequences_of(self.family, self.processor, inputs)
        loss = answer_loss(self.family, inner, sequences, audio, num_items_in_batch)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.state.global_step + 1}"
            )
        return loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The adapter alone. The base's name is no hub address: nothing may be looked up by it."""
        self.model.save_pretrained(output_dir, save_embedding_layers=False)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset or self.train_dataset)


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

    def __init__(self, context: RunContext, job: Job, held_out: HeldOut):
        self.context = context
        self.job = job
        self.held_out = held_out

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.context.progress(state.global_step, self.job.train.steps)
        if state.global_step == 0:
            self._measure(state, kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step, options = state.global_step, self.job.train
        self.context.progress(step, options.steps)
        if step % options.evaluate_every == 0 or step == options.steps:
            self._measure(state, kwargs["model"])
        if self.context.should_stop():
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        for name in ("loss", "learning_rate"):
            if logs and name in logs:
                self.context.metric(state.global_step, name, logs[name])
        self.context.metric(state.global_step, "memory_mb", _memory_mb())

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        checkpoints.mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def _measure(self, state: Any, model: Any) -> None:
        """Measure, report, and keep in the trainer's state, which a resumed run gets back."""
        step, found = state.global_step, self.held_out.measure(model)
        state.log_history.append({"step": step, "held_out": found})
        for name, value in found.items():
            self.context.metric(step, f"{name}_accuracy", value)
        words = ", ".join(f"{k} {v:.0%}" for k, v in found.items())
        self.context.log(f"step {step}: held-out count accuracy {words}")


def _arguments(job: Job, folder: Path, device: str) -> TrainingArguments:
    options = job.train
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=options.steps,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulation,
        learning_rate=options.learning_rate,
        lr_scheduler_type=_SCHEDULES[options.schedule],
        warmup_steps=min(options.warmup_steps, options.steps - 1),
        max_grad_norm=1.0,
        optim="adamw_torch",
        weight_decay=0.0,
        logging_steps=METRIC_EVERY,
        save_steps=options.save_every,
        save_total_limit=2,
        seed=job.seed,
        data_seed=job.seed,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        use_cpu=device == "cpu",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )


def _make_deterministic(job: Job) -> None:
    """Everything random from the run's seed, a fixed number of threads."""
    torch.set_num_threads(job.train.threads)
    torch.manual_seed(job.seed)
    np.random.seed(job.seed % 2**32)
    random.seed(job.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def _opening(job: Job) -> str:
    clips = job.train.steps * job.train.clips_per_step
    return f"{job.train.steps} steps of {job.train.clips_per_step} clips ({clips} in all)"


def _finish(
    context: RunContext,
    job: Job,
    loaded: LoadedModel,
    tuned: Any,
    trainer: AnswerTrainer,
) -> dict[str, Any]:
    """Save the adapter with its card and lineage; the run's summary."""
    step = trainer.state.global_step
    folder = context.folder / "adapter.unfinished"
    tuned.eval().save_pretrained(folder, save_embedding_layers=False)
    losses = [e["loss"] for e in trainer.state.log_history if "loss" in e]
    measured = {e["step"]: e["held_out"] for e in trainer.state.log_history if "held_out" in e}
    first, last = measured.get(0, {}), measured.get(step, {})
    summary = {
        "adapter": "adapter",
        "name": f"{job.base}@{context.run_id}",
        "steps": step,
        "of_steps": job.train.steps,
        "final_loss": losses[-1] if losses else math.nan,
        "held_out_before": first,
        "held_out_after": last,
        "finished_at": time.time(),
    }
    lineage = {**getattr(context, "lineage", {}), "run": context.run_id}
    adapter_card.write(folder, job, loaded.fingerprint, lineage, summary)
    shutil.rmtree(context.folder / "adapter", ignore_errors=True)
    folder.rename(context.folder / "adapter")
    return summary


def _memory_mb() -> float:
    """Peak device memory on a GPU, the process's resident memory on a CPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return psutil.Process().memory_info().rss / 1e6
