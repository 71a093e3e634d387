"""transformers' Trainer, corrected where it would train something else than what was asked for.

What is not left to it: the loss (it divides some models' by the wrong number of tokens under
accumulation and over processes), the order of the questions, the device (it would spread a batch
over every GPU it sees), and adding up gradients (it would wrap the model for that, and the wrapper
does nothing for parts that are called one by one).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainingArguments
from transformers.training_args import ParallelMode

from spectcount.training import ranks
from spectcount.training.losses import Loss
from spectcount.training.options import TrainOptions

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
        """What the loss needs besides the model."""
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
    """What Trainer is told; joins the group of processes where there are several."""
    made = TrainingArguments(
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
    if made.parallel_mode is not ParallelMode.DISTRIBUTED:
        _pin(made, device)
    return made


def _pin(made: TrainingArguments, device: str) -> None:
    """One process, one device: the one asked for, not the first and not all of them."""
    if device.startswith("cuda"):
        torch.cuda.set_device(torch.device(device) if ":" in device else 0)
    made.__dict__["_setup_devices"] = torch.device(device)  # a cached property of Trainer's
    made._n_gpu = int(device != "cpu")
