"""Does it fit? A forecast against the free memory of the device, and what would fit instead.

Nothing is ever swapped for something smaller: a model that does not fit is refused, and the
refusal names what the user may choose.

Conventions: bytes; GB are 10^9 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.anatomy import Anatomy
from spectcount.listeners.checkpoints.forecast import Forecast, Workload, forecast

CGROUP = Path("/sys/fs/cgroup")


def free_bytes(device: str) -> int:
    """Memory of `device` that nobody uses now, bytes; of a CPU or a Mac what the system can give,
    within a container's limit."""
    if device.startswith("cuda"):
        n = torch.cuda.device_count()
        if (torch.device(device).index or 0) >= n:
            raise UserError(f"device={device!r}, but this machine has {n} CUDA devices; give cpu")
        torch.cuda.empty_cache()
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    available = int(psutil.virtual_memory().available)
    return min(available, _container(CGROUP, available))


def free_everywhere() -> int:
    """Memory that a spread model may take: of all CUDA devices, and of the host, where the layers
    go that no device has room for."""
    devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return sum(map(free_bytes, [*devices, "cpu"]))


def _container(folder: Path, otherwise: int) -> int:
    """What the limit of a container leaves (cgroup v2), `otherwise` where there is none."""
    limit, used = folder / "memory.max", folder / "memory.current"
    if not limit.is_file() or not used.is_file():
        return otherwise
    text = limit.read_text().strip()
    return otherwise if text == "max" else max(0, int(text) - int(used.read_text()))


def refuse_too_large(
    name: str,
    anatomy: Anatomy,
    wanted: Forecast,
    free: int,
    device: str,
    *,
    staged: bool = True,
    listed: Mapping[str, float] | None = None,
    remedy: str = "",
) -> None:
    """Raise `UserError` where `wanted` is more than `free`, saying what would fit: other settings
    of the same model, else the largest of `listed` (name -> GB)."""
    if wanted.bytes <= free:
        return
    others = [
        f"{words}: {one.gb:.1f} GB"
        for words, one in alternatives(anatomy, wanted.workload, staged, device)
        if one.bytes <= free
    ]
    smaller = {n: gb for n, gb in (listed or {}).items() if 0 < gb * 1e9 <= free and n != name}
    if others:
        hint = "what fits: " + ", or ".join(others[:3])
    elif smaller:
        best = max(smaller, key=lambda n: smaller[n])
        hint = f"what fits of the listed models: {best} ({smaller[best]:.1f} GB)"
    else:
        hint = "free the device, or choose a smaller model"
    doing = "tuning" if wanted.workload.tune else "scoring with"
    raise UserError(
        f"{doing} {name} needs {wanted.gb:.1f} GB on {device} ({_why(wanted)}) and "
        f"{free / 1e9:.1f} GB are free; {hint}{remedy}"
    )


def _why(wanted: Forecast) -> str:
    """Where the memory goes, in words."""
    load = wanted.workload
    weights = f"weights {sum(wanted.weights.values()) / 1e9:.1f} in "
    weights += "4 bits" if load.four_bit else load.dtype
    clips = f"{load.batch} clip{'s' if load.batch > 1 else ''} of {load.seconds:g} s at once"
    return f"{weights}, {wanted.activations / 1e9:.1f} for {clips}"


def alternatives(
    anatomy: Anatomy, workload: Workload, staged: bool, device: str
) -> Iterator[tuple[str, Forecast]]:
    """(words, forecast) of other settings, the mildest change first."""
    for words, changes in _changes(workload, device):
        yield words, forecast(anatomy, workload.replace(**changes), staged=staged, device=device)


def _changes(workload: Workload, device: str) -> Iterator[tuple[str, dict[str, object]]]:
    spared: dict[str, object] = {"checkpointing": True} if workload.tune else {}
    also = " with gradient checkpointing" if workload.tune else ""
    if workload.tune and not workload.checkpointing:
        yield "gradient checkpointing", spared
    for size in (32, 16, 8, 4, 2, 1):
        if size < workload.batch:
            yield f"batch {size}{also}", {"batch": size, **spared}
    if workload.dtype == "float32":
        yield "bfloat16", {"dtype": "bfloat16"}
        yield f"bfloat16, batch 1{also}", {"dtype": "bfloat16", "batch": 1, **spared}
    if device.startswith("cuda") and not workload.four_bit:
        smaller = {"dtype": "bfloat16", "four_bit": True}
        yield "in 4 bits", {**smaller}
        yield f"in 4 bits, batch 1{also}", {**smaller, "batch": 1, **spared}
