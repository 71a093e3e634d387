"""The processes of one fine-tune: one per device, started by `torchrun`, one alone without it.

The first leads: it alone measures, reports, saves. What the others do is decided by it. Gradients
are added up once a step, after the last backward: an adapter's are a few megabytes, and a model
wrapped for torch's own scheme would only add them up when called as a whole, which the staged
path never does.

Conventions: every function may be called without a process group and then concerns one process.
All processes must call the same ones in the same order.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import distributed

from spectcount.errors import UserError


def launched() -> int:
    """Processes that `torchrun` says there are; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


def index() -> int:
    """This process's number; 0 leads."""
    return int(os.environ.get("RANK", 0))


def leads() -> bool:
    return index() == 0


def device_of(device: str, processes: int) -> str:
    """The device of this process. Raises `UserError` where the processes that were started, or
    the devices here, are not what `processes` asks for."""
    if launched() != processes:
        raise UserError(
            f"processes={processes}, but {launched()} were started; start the run as a job, or "
            f"with torchrun --nproc-per-node {processes}"
        )
    if processes == 1 or device == "cpu":
        return device
    if device != "cuda":
        raise UserError(
            f"device={device} is one device and processes={processes} need one each; give "
            "--device cuda, or processes=1"
        )
    here = torch.cuda.device_count()
    local = int(os.environ.get("LOCAL_RANK", 0))
    if local >= here:
        raise UserError(f"processes={processes} need a GPU each, {here} are here; lower it")
    return f"cuda:{local}"


def wait_for_all() -> None:
    """Go on when every process is here."""
    if distributed.is_initialized():
        distributed.barrier()


def broadcast(flag: bool, device: torch.device) -> bool:
    """The leader's `flag`."""
    if not distributed.is_initialized():
        return flag
    value = torch.tensor([int(flag)], device=device)
    distributed.broadcast(value, 0)
    return bool(value.item())


def share(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give every process the leader's values."""
    if distributed.is_initialized():
        for parameter in parameters:
            distributed.broadcast(parameter.data, 0)


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give every process the sum of all gradients, in one message. A parameter that got none
    counts as zero."""
    if not distributed.is_initialized():
        return
    learning = [p for p in parameters if p.requires_grad]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
    total = torch.cat([part.flatten().float() for part in parts])
    distributed.all_reduce(total)
    pieces = total.split([p.numel() for p in learning])
    for parameter, piece in zip(learning, pieces, strict=True):
        parameter.grad = piece.view_as(parameter).to(parameter.dtype)


def finish() -> None:
    """Leave the group."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
