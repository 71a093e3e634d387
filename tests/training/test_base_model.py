"""The base in the format that was asked for, or a refusal before anything is loaded."""

import importlib.util

import pytest
import torch

from spectcount.errors import UserError
from spectcount.training import lora
from spectcount.training.options import LoraOptions, TrainOptions
from tests.families.checkpoints import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build("qwen2-audio", tmp_path_factory.mktemp("base") / "tiny")


def load(folder, device="cpu", clip_s=2.0, **train):
    return lora.load_base(folder, device, TrainOptions(**train), LoraOptions(), clip_s)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), [("auto", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_base_has_the_format_asked_for(folder, name, dtype):
    assert load(folder, dtype=name).model.dtype == dtype


def test_four_bits_need_a_cuda_device_and_bitsandbytes(folder, monkeypatch):
    with pytest.raises(UserError, match="needs a CUDA device and this one is cpu"):
        load(folder, four_bit=True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="bitsandbytes, which is not installed"):
        load(folder, "cuda", four_bit=True)
    with pytest.raises(UserError, match="goes with bfloat16 only"):
        TrainOptions(four_bit=True, dtype="float32")


@pytest.mark.slow
def test_what_does_not_fit_is_refused_before_it_is_loaded(folder, monkeypatch):
    monkeypatch.setattr(lora, "free_bytes", lambda device: 1_000_000)
    with pytest.raises(UserError, match=r"tuning tiny needs .* GB are free"):
        load(folder, batch=8)
