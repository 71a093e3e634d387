"""The device that is used where none is named: a GPU where there is one that PyTorch can use.

Nothing heavy is imported to find out: PyTorch's build is read off its version file, a graphics
card off what its driver puts into the system.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

AUTO = "auto"
CARDS = ("nvidia[0-9]*", "kfd", "dxg")
"""What NVIDIA's driver, AMD's, and Windows' Linux put into /dev."""


def choose(environ: Mapping[str, str] = os.environ, devices: Path = Path("/dev")) -> str:
    """cuda, mps or cpu: the first that this machine and this PyTorch have."""
    build = _build()
    if any(build.get(name) for name in ("cuda", "hip")) and _has_card(environ, devices):
        return "cuda"
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def _build() -> dict[str, str]:
    """The accelerators that PyTorch was built for: {"cuda": "13.0"}, say."""
    spec = importlib.util.find_spec("torch")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    files = [Path(folder) / "version.py" for folder in folders]
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
    return dict(re.findall(r"^(cuda|hip)\b[^=]*= *'([^']+)'", text, re.MULTILINE))


def _has_card(environ: Mapping[str, str], devices: Path) -> bool:
    """True where a card is there and not hidden from programs."""
    if environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if platform.system() == "Windows":
        return Path(environ.get("SYSTEMROOT", "C:/Windows"), "System32/nvcuda.dll").is_file()
    return any(path for pattern in CARDS for path in devices.glob(pattern))
