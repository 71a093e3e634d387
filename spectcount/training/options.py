"""What can be set of a fine-tune besides its curriculum. Defaults: the SpectCount paper's
(Kim et al., 2026, arXiv 2606.06907, Table 2)."""

from __future__ import annotations

from dataclasses import dataclass

from spectcount.errors import UserError
from spectcount.params import Declared, param

SCOPES = ("encoder", "projector", "llm", "both")


@dataclass(frozen=True)
class LoraOptions(Declared):
    """Low-rank adaptation (Hu et al., 2022)."""

    scope: str = param(
        "both",
        "Which part learns: the audio encoder with its projector, the projector alone, the "
        "language model, or all of them.",
        choices=SCOPES,
        label="Scope",
    )
    rank: int = param(8, "Rank of the adapter's matrices.", low=1, high=256, step=1, label="Rank",
                      slider_high=64)  # fmt: skip
    alpha: float = param(16.0, "Scale: the update is multiplied by alpha / rank.", low=0.1,
                         high=512, step=1, label="Alpha", slider_high=128)  # fmt: skip
    dropout: float = param(
        0.05, "Dropout before the adapter.", low=0, high=0.9, step=0.01, label="Dropout"
    )


@dataclass(frozen=True)
class TrainOptions(Declared):
    """The optimisation."""

    steps: int = param(
        1000, "Optimiser steps.", low=1, high=1_000_000, step=1, label="Steps", slider_high=5000
    )
    batch: int = param(
        8, "Clips per forward, shared out over the devices.", low=1, high=1024, step=1,
        label="Batch", slider_high=64,
    )  # fmt: skip
    accumulation: int = param(
        1, "Forwards per step.", low=1, high=1024, step=1, label="Accumulation", slider_high=16
    )
    learning_rate: float = param(
        2e-4, "Peak learning rate.", low=1e-7, high=1e-1, step=1e-5, label="Learning rate",
        log=True, slider_high=5e-3,
    )  # fmt: skip
    schedule: str = param(
        "cosine", "How the rate falls after the warm-up.", choices=("cosine", "linear", "constant"),
        label="Schedule",
    )  # fmt: skip
    warmup_steps: int = param(
        20, "Steps over which the rate rises.", low=0, high=100_000, step=1, label="Warm-up",
        slider_high=500,
    )  # fmt: skip
    save_every: int = param(
        100, "Steps between checkpoints, from which a run resumes.", low=1, high=100_000, step=1,
        label="Checkpoint every", slider_high=1000,
    )  # fmt: skip
    evaluate_every: int = param(
        100, "Steps between held-out measurements.", low=1, high=100_000, step=1,
        label="Measure every", slider_high=1000,
    )  # fmt: skip
    held_out: int = param(
        48, "Held-out questions per measurement, weak and strong each.", low=4, high=2000, step=1,
        label="Held-out questions", slider_high=200,
    )  # fmt: skip
    threads: int = param(2, "CPU threads.", low=1, high=256, step=1, label="CPU threads",
                         slider_high=16)  # fmt: skip
    dtype: str = param(
        "auto",
        "Number format of the base: bfloat16 on a CUDA device and float32 elsewhere, or as "
        "chosen. The adapter itself is always float32.",
        choices=("auto", "float32", "bfloat16"), label="Number format",
    )  # fmt: skip
    four_bit: bool = param(
        False,
        "Keep the language model in 4 bits (NF4), encoder and projector as they are. Needs a CUDA "
        "device and bitsandbytes.",
        label="4-bit base",
    )
    gradient_checkpointing: bool = param(
        False,
        "Compute each layer again on the way back instead of keeping its activations: much less "
        "memory, about a third more time, the same gradients.",
        label="Gradient checkpointing",
    )
    processes: int = param(
        1, "Devices that share each forward's batch, one process each.", low=1, high=64, step=1,
        label="Devices", slider_high=8,
    )  # fmt: skip
    loaders: int = param(
        0, "Processes that synthesise clips ahead, per device; 0: between the steps.", low=0,
        high=64, step=1, label="Synthesis processes", slider_high=8,
    )  # fmt: skip

    def check(self) -> None:
        if self.batch % self.processes:
            raise UserError(
                f"batch={self.batch} cannot be shared by processes={self.processes}; give a "
                "batch that is a multiple of it"
            )
        if self.four_bit and self.dtype == "float32":
            raise UserError("four_bit=true goes with bfloat16 only; give dtype=auto")

    @property
    def clips_per_step(self) -> int:
        """Whatever the number of processes."""
        return self.batch * self.accumulation

    @property
    def clips_per_process(self) -> int:
        """Of one forward."""
        return self.batch // self.processes
