"""Training: curriculum, data, LoRA, the job."""

from spectcount.params import Declared
from spectcount.training.curriculum import Curriculum
from spectcount.training.options import LoraOptions, TrainOptions

OPTIONS: dict[str, type[Declared]] = {
    "curriculum": Curriculum, "lora": LoraOptions, "train": TrainOptions,
}  # fmt: skip
"""The parts of a training preset and what declares each."""
