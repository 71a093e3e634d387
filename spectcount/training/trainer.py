"""transformers' Trainer, corrected where it would train something else than what was asked for, its
checkpoints, and the callback that reports to a run.

What is not left to Trainer: the loss (it divides some models' by the wrong number of tokens under
accumulation and over processes), the order of the questions, the device (it would spread a batch
over every GPU it sees), and adding up gradients (it would wrap the model for that, and the wrapper
does nothing for parts that are called one by one).

Trainer writes a checkpoint file by file. One counts only once a marker, made after everything
else, stands in it with the hashes of all files, so that a SIGKILL cannot spoil it; one that is not
whole, or has changed since, is removed before a run resumes, which then goes on from the one
before.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.training_args import ParallelMode

from spectcount.context import RunContext
from spectcount.errors import UserError
from spectcount.listeners.audio_lm import AudioLM
from spectcount.listeners.checkpoints import identity
from spectcount.listeners.loaded import LoadedModel
from spectcount.training import ranks
from spectcount.training.curriculum import Sampler
from spectcount.training.losses import Loss
from spectcount.training.options import TrainOptions
from spectcount.trials import Question

PATIENCE_S = 4 * 3600
"""How long the other processes wait while the first measures."""
_SCHEDULES = {
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant_with_warmup",
}


class AnswerTrainer(Trainer):
    """Loss on answer tokens only, over the number of labels in the whole step (so that neither
    accumulation nor the number of processes changes anything); questions in their order."""

    def prepare(self, loss: Loss) -> None:
        """Set the loss, and leave gradients unwrapped."""
        self.loss = loss
        self.model_accepts_loss_kwargs = True
        self._loss_shifts_labels = False
        prepare_model = self.accelerator.prepare_model
        self.accelerator.prepare_model = lambda model, **options: prepare_model(
            model, **{**options, "evaluation_mode": True}
        )

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        loss = self.loss(model.get_base_model(), inputs, num_items_in_batch)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.state.global_step + 1}"
            )
        return loss

    def training_step(self, model: Any, *given: Any, **more: Any) -> torch.Tensor:
        """One forward and backward; behind the last of a step, the sum over all processes."""
        loss = super().training_step(model, *given, **more)
        if self.accelerator.gradient_state.sync_gradients:
            ranks.add_gradients(model.parameters())
        return loss * ranks.launched()  # the log takes the mean over processes; it is their sum

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The adapter alone. The base's name is no hub address: nothing may be looked up by it."""
        self.model.save_pretrained(output_dir, save_embedding_layers=False)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset or self.train_dataset)


def arguments(options: TrainOptions, seed: int, folder: Path, device: str) -> TrainingArguments:
    """Arguments of Trainer; joins the group of processes where there are several."""
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=options.steps,
        per_device_train_batch_size=options.clips_per_process,
        gradient_accumulation_steps=options.accumulation,
        learning_rate=options.learning_rate,
        lr_scheduler_type=_SCHEDULES[options.schedule],
        warmup_steps=min(options.warmup_steps, options.steps - 1),
        max_grad_norm=1.0,
        optim="adamw_torch",
        weight_decay=0.0,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=options.save_every,
        save_total_limit=2,
        seed=seed,
        data_seed=seed,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=options.loaders,
        dataloader_pin_memory=False,
        use_cpu=device == "cpu",
        ddp_backend="gloo" if device == "cpu" and options.processes > 1 else None,
        ddp_timeout=PATIENCE_S,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )
    if args.parallel_mode is not ParallelMode.DISTRIBUTED:
        _pin(args, device)
    return args


def _pin(args: TrainingArguments, device: str) -> None:
    """One process, one device: the one asked for, not the first and not all of them."""
    if device.startswith("cuda"):
        torch.cuda.set_device(torch.device(device) if ":" in device else 0)
    args.__dict__["_setup_devices"] = torch.device(device)  # a cached property of Trainer's
    args._n_gpu = int(device != "cpu")


MARKER = "complete"
BASE = "base.txt"


def keep_to_base(folder: Path, fingerprint: str) -> None:
    """Note the base that a run begins on. Raises `UserError` where it began on another one."""
    note = folder / BASE
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(fingerprint)
    elif other := identity.other_base(note.read_text(), fingerprint):
        raise UserError(
            f"this fine-tune began on a base with other {other} ({note.read_text()}) than it has "
            f"now ({fingerprint}); start a new one, or put the base back as it was"
        )


def mark_complete(folder: Path) -> None:
    """Say that everything of the checkpoint is there, and what it is."""
    part = folder / f"{MARKER}.part"
    part.write_text(json.dumps(_hashes(folder)))
    part.rename(folder / MARKER)


def last_complete(folder: Path) -> Path | None:
    """The newest whole checkpoint under `folder`; broken ones are removed."""
    newest_last = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    for newest in reversed(newest_last):
        if _whole(newest):
            return newest
        shutil.rmtree(newest, ignore_errors=True)
    return None


def _whole(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / MARKER).read_text()) == _hashes(folder))
    except (OSError, ValueError):
        return False


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a checkpoint but its marker."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(MARKER))
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


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
        accuracies = {name: self._accuracy(questions) for name, questions in self.questions.items()}
        model.train(was_training)
        return accuracies

    def _accuracy(self, questions: list[Question]) -> float:
        best = self.listener.score(questions).log_probs.argmax(axis=1)
        right = [q.answers[k] == q.truth for q, k in zip(questions, best, strict=True)]
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
        if ranks.broadcast(ranks.leads() and self.context.should_stop(), args.device):
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
            mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def _measure(self, state: Any, model: Any) -> None:
        """Measure, report, and keep in the trainer's state, which a resumed run gets back."""
        step, accuracies = state.global_step, self.held_out.measure(model)
        state.log_history.append({"step": step, "held_out": accuracies})
        for name, value in accuracies.items():
            self.context.metric(step, f"{name}_accuracy", value)
        words = ", ".join(f"{k} {v:.0%}" for k, v in accuracies.items())
        self.context.log(f"step {step}: held-out count accuracy {words}")


def keep_recent(history: list[Mapping[str, Any]]) -> None:
    """Drop all but the last losses from the trainer's history, which every checkpoint holds."""
    losses = [entry for entry in history if "loss" in entry]
    old = {id(entry) for entry in losses[:-METRIC_EVERY]}
    history[:] = [entry for entry in history if id(entry) not in old]


def mean_loss(history: Sequence[Mapping[str, Any]]) -> float:
    """Mean loss of the last `METRIC_EVERY` steps; the same whether or not a run was resumed
    between them. NaN before the first step."""
    losses = [entry["loss"] for entry in history if "loss" in entry][-METRIC_EVERY:]
    return float(np.mean(losses)) if losses else float("nan")


def _memory_mb() -> float:
    """Peak device memory on a GPU, the process's resident memory on a CPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return psutil.Process().memory_info().rss / 1e6
