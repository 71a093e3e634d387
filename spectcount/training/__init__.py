"""Training: curriculum, data, LoRA, the job."""

from collections.abc import Mapping
from typing import Any

from spectcount.params import Declared
from spectcount.training.options import Curriculum, LoraOptions, TrainOptions

OPTIONS: dict[str, type[Declared]] = {
    "curriculum": Curriculum,
    "lora": LoraOptions,
    "train": TrainOptions,
}
"""The parts of a training preset and what declares each."""


def workload(config: Mapping[str, Any]) -> dict[str, Any]:
    """A fine-tune's configuration as what it asks of the memory: fields of `forecast.Workload`."""
    lora, train = config["lora"], config["train"]
    changes = {
        "tune": True,
        "scope": lora["scope"],
        "rank": int(lora["rank"]),
        "seconds": float(config["curriculum"]["clip_high_s"]),
        "batch": max(1, int(train["batch"]) // max(1, int(train.get("processes", 1)))),
        "checkpointing": bool(train.get("gradient_checkpointing", False)),
    }
    if train.get("four_bit"):
        changes |= {"four_bit": True, "dtype": "bfloat16"}
    elif train.get("dtype", "auto") != "auto":
        changes["dtype"] = train["dtype"]
    return changes
