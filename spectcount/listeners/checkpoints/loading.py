"""From a folder to a model in memory: what is refused, what may be asked for, how far it is.

Weights are read from safetensors only and no code of a checkpoint is ever run: a pickle or a
`.py` file could do anything. A model that only its own code can build is refused.

Conventions: `report(words, done, total)` is called as loading goes on.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.files import json_object
from spectcount.listeners.checkpoints.hashes import stored_tensors, weight_files
from spectcount.listeners.families import Family, architecture
from spectcount.params import Declared, param

Report = Callable[[str, int, int], None]
DTYPES = ("auto", "float32", "bfloat16", "float16")
ATTENTION = ("auto", "sdpa", "eager", "flash_attention_2")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True)
class LoadOptions(Declared):
    """Options of a model in memory."""

    dtype: str = param(
        "auto",
        "Number format of the weights: on a CUDA device bfloat16, or float16 where it can only "
        "imitate bfloat16; float32 elsewhere; or as chosen.",
        choices=DTYPES,
        label="Number format",
    )
    four_bit: bool = param(
        False,
        "Keep the language model in 4 bits (NF4), encoder and projector as they are. Needs a CUDA "
        "device and bitsandbytes.",
        label="4-bit language model",
    )
    attention: str = param(
        "auto", "Implementation of attention.", choices=ATTENTION, label="Attention"
    )
    spread: bool = param(
        False, "Spread the layers over all devices of this machine.", label="Spread"
    )
    replies: str = param(
        "whole",
        "What counts as an answer: a reply that is the answer and no more, or one that begins with "
        "it (for models that talk on).",
        choices=("whole", "prefix"),
        label="Replies",
    )

    def check(self) -> None:
        if self.four_bit and self.dtype == "float32":
            raise UserError("4bit goes with 16 bits only; leave out float32")

    def torch_dtype(self, device: str) -> torch.dtype:
        """The number format on `device`."""
        name = self.dtype
        if name == "auto":
            name = half(device) if device.startswith("cuda") or self.four_bit else "float32"
        dtype: torch.dtype = getattr(torch, name)
        return dtype

    def keywords(self, family: Family, folder: Path, device: str) -> dict[str, Any]:
        """Options of `LoadedModel`, `Family.load` and `from_pretrained`."""
        options: dict[str, Any] = {}
        if self.attention != "auto":
            options["attn_implementation"] = self.attention
        if self.replies != "whole":
            options["replies"] = self.replies
        if self.spread:
            options["device_map"] = "auto"
        if self.four_bit:
            refuse_four_bit(device)
            options.setdefault("device_map", {"": device})
            options["quantization_config"] = four_bit(family, folder, self.torch_dtype(device))
        return options


def half(device: str) -> str:
    """The 16-bit format that `device` computes in: float16 on a CUDA device that only imitates
    bfloat16 (before Ampere), which is slow."""
    cuda = device.startswith("cuda") and torch.cuda.is_available()
    if cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "float16"
    return "bfloat16"


def full_precision() -> None:
    """float32 means float32 on CUDA too: by itself PyTorch rounds convolutions to TF32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def refuse_four_bit(device: str) -> None:
    """Raise `UserError` where nothing can be held in 4 bits."""
    if not device.startswith("cuda"):
        raise UserError(
            f"4bit needs a CUDA device and this one is {device}; leave it out, or give "
            "--device cuda"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            "4bit needs the package bitsandbytes, which is not installed; install it "
            "(pip install bitsandbytes), or leave 4bit out"
        )


def four_bit(family: Family, folder: Path, dtype: torch.dtype) -> Any:
    """A quantisation of the language model's layers in NF4 with nested scales (QLoRA; Dettmers
    et al., 2023), everything else in `dtype`."""
    from transformers import BitsAndBytesConfig

    from spectcount.listeners.checkpoints.anatomy import anatomy_of

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=list(anatomy_of(folder, family).kept_whole),
    )


def check_folder(folder: Path) -> None:
    """Raise `UserError` where `folder` is no checkpoint of safetensors that known code builds."""
    config_file = folder / "config.json"
    if not config_file.is_file():
        raise UserError(
            f"{folder.name} is no model folder (no config.json); choose another, or "
            "install the package anew where it is the embedded one"
        )
    config = json_object(config_file)
    _refuse_own_code(folder.name, config, architecture(config))
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            part = json_object(folder / name)
            named = part.get("processor_class") or part.get("tokenizer_class") or "none"
            _refuse_own_code(folder.name, part, str(named))
    _refuse_pickles(folder)
    for file in weight_files(folder):
        if file.suffix == ".safetensors":
            list(stored_tensors(file))  # its header must be whole


def _refuse_own_code(name: str, config: Mapping[str, Any], kind: str) -> None:
    """Raise where `auto_map` names classes and transformers does not have `kind` itself."""
    import transformers

    if config.get("auto_map") and not hasattr(transformers, kind):
        raise UserError(
            f"{name} ({kind}) can only be built by code of its own ({config['auto_map']}), which "
            "is never run here; use a version of it that transformers knows (often named -hf)"
        )


def _refuse_pickles(folder: Path) -> None:
    weights = [p for p in folder.glob("*.safetensors") if not p.name.startswith("adapter_")]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json_object(index).get("weight_map", {}).values())
        lost = sorted(shard for shard in shards if not (folder / shard).is_file())
        if lost:
            raise UserError(
                f"{folder.name} lacks {len(lost)} of its {len(shards)} files of weights, such as "
                f"{lost[0]}; get the model again (what is there is not fetched twice)"
            )
    if weights:
        return
    pickles = [p.name for pattern in PICKLES for p in folder.glob(pattern)]
    if pickles:
        raise UserError(
            f"{folder.name} has its weights in {pickles[0]} only, which may run code when it is "
            "read; take a revision with safetensors, or on a machine that you can spare run "
            "`model.save_pretrained(folder)`, which writes them"
        )
    raise UserError(f"{folder.name} has no weights (*.safetensors); get the model again")


@contextmanager
def reporting(report: Report | None, words: str) -> Iterator[None]:
    """While open, transformers' own progress of loading goes to `report`."""
    from transformers.utils import logging

    if report is None:
        yield
        return
    before = logging.set_tqdm_hook(lambda _, args, options: _Counted(report, words, args, options))
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


class _Counted:
    """Stands in for a progress bar of transformers: counts, and tells `report`."""

    def __init__(
        self, report: Report, words: str, args: tuple[Any, ...], options: Mapping[str, Any]
    ):
        self.report, self.words = report, words
        self.items = args[0] if args else options.get("iterable")
        self.total = int(options.get("total") or getattr(self.items, "__len__", lambda: 0)())
        self.n = 0

    def update(self, n: int = 1) -> None:
        self.n += n
        self.report(self.words, self.n, max(self.total, self.n))

    def __iter__(self) -> Iterator[Any]:
        for item in self.items or ():
            yield item
            self.update()

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Whatever else a bar can do (close, set_description...): nothing."""
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None
