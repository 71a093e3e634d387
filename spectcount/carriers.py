"""Real sounds as carriers: kept by content hash in the user's home folder, never in a stimulus.

A Stimulus names a carrier by its hash, so that it stays data; whoever holds the same sound renders
the same bytes. *Conventions*: mono float32 [T] at 16 kHz, full scale 1.0; the hash is 16 hex
digits of SHA-256 over the little-endian samples. On a public page each visitor's sounds lie in a
folder of their own (`visitors`).
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from pathlib import Path

import numpy as np

from spectcount import visitors
from spectcount.errors import UserError

_folder: Path | None = None


def use_folder(folder: Path) -> None:
    """Keep and look for carriers in `folder` (made on first use)."""
    global _folder
    if folder != _folder:
        _folder = folder


def register(samples: np.ndarray) -> str:
    """Keep a sound, float32 [T] at 16 kHz; its hash. The same sound is kept once."""
    if samples.ndim != 1 or samples.dtype != np.float32 or not len(samples):
        raise UserError(
            f"the carrier is {samples.dtype} of shape {samples.shape}; give mono float32 samples"
        )
    if not np.isfinite(samples).all():
        raise UserError("the carrier has samples that are not numbers; write the file again")
    data = samples.astype("<f4").tobytes()
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = _path(digest)
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".part{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)
    return digest


def waveform(digest: str) -> np.ndarray:
    """The samples of a carrier, float32 [T], read-only; raises `UserError` where this machine does
    not hold it."""
    path = _path(digest)
    if not path.is_file():
        raise UserError(
            f"carrier {digest} is not on this machine; open the recording that has this hash on "
            "the Design page, or with `python -m spectcount carrier FILE`"
        )
    return _samples(path)


@functools.lru_cache(maxsize=8)
def _samples(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:16] != path.stem:
        raise UserError(
            f"carrier {path.stem} is damaged: {path} holds another sound than its name says; open "
            "the recording again"
        )
    samples = np.frombuffer(data, "<f4").astype(np.float32)
    samples.setflags(write=False)
    return samples


def known() -> list[str]:
    """Hashes of all carriers on this machine that who is acting may use, newest first."""
    return [path.stem for path in _newest_first(_theirs(), "*.f32")]


def forget_oldest(most: int) -> None:
    """Keep the newest `most` carriers of all visitors together."""
    if _folder is not None:
        for path in _newest_first(_folder, "**/*.f32")[most:]:
            path.unlink(missing_ok=True)


def _newest_first(folder: Path | None, pattern: str) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(folder.glob(pattern), key=lambda p: p.stat().st_mtime, reverse=True)


def _theirs() -> Path | None:
    """The folder of whoever is acting."""
    return _folder / visitors.owner() if _folder is not None else None


def _path(digest: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{16}", digest):
        raise UserError(f"carrier {digest!r} is no hash; give the 16 hex digits of a carrier")
    folder = _theirs()
    if folder is None:
        raise UserError("no folder for carriers was set; load the settings first")
    return folder / f"{digest}.f32"
