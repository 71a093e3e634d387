"""Training: curriculum, data, LoRA, the job."""

from spectcount.params import Declared
from spectcount.training.options import Curriculum, LoraOptions, TrainOptions

OPTIONS: dict[str, type[Declared]] = {
    "curriculum": Curriculum,
    "lora": LoraOptions,
    "train": TrainOptions,
}
"""The parts of a training preset and what declares each."""
