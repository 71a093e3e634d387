"""One checkpoint in memory: base weights once, adapters switched on top, one door for audio.

Conventions: clips are mono float32 at the model's rate, |x| <= 1; anything else is refused at one
door (`check_clip`). A lock guards the switch of adapters, so that methods may be called from
several threads. Scoring takes the staged path where it equals the stock forward on a canary, which
is checked at every load; else the stock path, with the reason in `why_stock`.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners import staged, stock
from spectcount.listeners.families import family_of
from spectcount.listeners.stock import Asked

ENGINE_VERSION = 1
"""Raised when the same weights would give other scores."""

CANARY = "Is there a beep? Answer yes or no."
CANARY_TOLERANCE = 1e-5
GATE_TOLERANCE = 1e-3
PARITY_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.25, torch.float16: 0.1}
"""Largest difference of log-probabilities between the paths, in nats, per weight type."""
LIKELY_NATS = 20.0
"""Tokens further below the likeliest are not compared: they carry no probability."""


class LoadedModel:
    """One checkpoint in memory, with any number of adapters that share its weights."""

    def __init__(self, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32):
        """Load, choose the scoring path, pass the audio gate. Raises `UserError` where the folder
        is no checkpoint, no family knows it, or the model does not hear."""
        if not (folder / "config.json").is_file():
            raise UserError(
                f"{folder.name} is no model folder (no config.json); choose another or run "
                "`python -m spectcount pretrain`"
            )
        self.folder = folder
        self.dtype = dtype
        self.family = family_of(folder)
        self.model, self.processor = self.family.load(str(folder), device, dtype)
        self.lock = threading.RLock()
        self._adapters: dict[str, str] = {}
        self._peft: Any = None
        self.path, self.why_stock = self._choose_path()
        self._canary = self._canary_logits()
        self._gate()

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def window_s(self) -> float:
        """Longest clip the model hears, seconds."""
        return self.family.window_s(self.processor)

    @cached_property
    def fingerprint(self) -> str:
        """Weights, dtype and engine version."""
        digest = hash_files(sorted(self.folder.glob("*.safetensors")))
        return f"{digest}-{str(self.dtype).removeprefix('torch.')}-e{ENGINE_VERSION}"

    def load_adapter(self, folder: Path) -> str:
        """Attach the adapter in `folder` (once) and return its hash. Raises `UserError` where it
        does not fit, changes nothing, or changes the base."""
        if not (folder / "adapter_config.json").is_file():
            raise UserError(f"{folder.name} is no adapter (no adapter_config.json); choose another")
        digest = hash_files(sorted(folder.glob("*.safetensors")))
        with self.lock:
            if digest not in self._adapters.values():
                self._attach(folder, digest)
        return digest

    def _attach(self, folder: Path, digest: str) -> None:
        from peft import PeftModel

        name = f"a{digest}"
        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self.model, str(folder), adapter_name=name)
            else:
                self._peft.load_adapter(str(folder), adapter_name=name)
        except (RuntimeError, ValueError, KeyError) as error:
            raise UserError(
                f"adapter {folder.name} does not fit {self.folder.name}: {str(error)[:200]}; "
                "choose an adapter made on this base"
            ) from error
        self._peft.eval()
        self._adapters[name] = digest
        with self.adapted(digest):
            tuned = self._canary_logits()
        with self.adapted(None):
            base = self._canary_logits()
        drift = (base - self._canary).abs().max().item()
        if drift > CANARY_TOLERANCE:
            raise UserError(
                f"with adapter {folder.name} loaded the base model's answers moved by {drift:.2g} "
                f"(limit {CANARY_TOLERANCE:g}); load it again in a fresh session"
            )
        if torch.equal(tuned, base):
            raise UserError(
                f"adapter {folder.name} changes nothing: its weights are still zero; train it for "
                "at least one step"
            )

    @contextmanager
    def adapted(self, digest: str | None) -> Iterator[Any]:
        """The model with one adapter on (or none), under the lock, in evaluation mode."""
        with self.lock, torch.inference_mode():
            if self._peft is None:
                yield self.model
            elif digest is None:
                with self._peft.disable_adapter():
                    yield self.model
            else:
                self._peft.set_adapter(f"a{digest}", inference_mode=True)
                yield self.model

    @contextmanager
    def mixed(self, digests: Sequence[str | None]) -> Iterator[Any]:
        """The model with an adapter (or none) of its own for every row of a batch of
        `len(digests)` rows, under the lock (peft's mixed batches)."""
        if self._peft is None or not any(digests):
            with self.adapted(None) as model:
                yield model
            return
        names = [f"a{d}" if d else "__base__" for d in digests]
        with self.lock, torch.inference_mode():
            first = next(d for d in digests if d)
            self._peft.set_adapter(f"a{first}", inference_mode=True)
            with self._peft.base_model._enable_peft_forward_hooks(adapter_names=names):
                yield self.model

    def adapts_hearing(self, digest: str) -> bool:
        """Whether an adapter changes anything before the language model."""
        config = self._peft.peft_config[f"a{digest}"]
        heard = re.compile(f".*({self.family.encoder}|{self.family.projector})$")
        return any(
            heard.fullmatch(name) and re.fullmatch(config.target_modules, name)
            if isinstance(config.target_modules, str)
            else heard.fullmatch(name) and name.split(".")[-1] in config.target_modules
            for name, _ in self.model.named_modules()
        )

    def check_clip(self, waveform: np.ndarray) -> np.ndarray:
        """The one door for audio: float32 mono, finite, |x| <= 1, inside the window."""
        if waveform.dtype != np.float32 or waveform.ndim != 1:
            raise UserError(
                f"the clip is {waveform.dtype} of shape {waveform.shape}; give float32 mono"
            )
        if not np.isfinite(waveform).all() or np.abs(waveform).max(initial=0.0) > 1.0 + 1e-6:
            raise UserError("the clip has samples beyond full scale or not finite; rescale it")
        rate = self.family.sample_rate(self.processor)
        seconds = len(waveform) / rate
        if not 0.1 <= seconds <= self.window_s:
            raise UserError(
                f"the clip lasts {seconds:.2f} s, {self.folder.name} hears 0.10 to "
                f"{self.window_s:g} s; shorten or lengthen it"
            )
        return waveform

    def answer_log_probs(
        self, asked: Sequence[Sequence[Asked]], waveforms: np.ndarray, heard: Any = None
    ) -> list[list[list[float]]]:
        """log p of every answer, end of turn included, [clip][question][answer], for equally long
        clips [B, T] with any number of questions each; call inside `adapted` or `mixed`. `heard`
        is what `hear` gave for them, where it was called before."""
        parts = self.family, self.model, self.processor
        if self.path == "staged":
            return staged.answer_log_probs(
                *parts, asked, self.hear(waveforms) if heard is None else heard
            )
        return stock.nested_log_probs(*parts, asked, waveforms)

    def hear(self, waveforms: np.ndarray) -> torch.Tensor:
        """The clips [B, T] as the language model gets them; staged path only."""
        audio = torch.from_numpy(waveforms).to(self.device)
        return staged.hear(self.family, self.model, self.processor, audio)

    def prompt_logits(
        self, prompts: Sequence[str], waveforms: np.ndarray, path: str = ""
    ) -> torch.Tensor:
        """Logits [B, V] behind prompts on equally long clips [B, T], by the path in use or the one
        named; call inside `adapted`."""
        if (path or self.path) == "staged":
            audio = torch.from_numpy(waveforms).to(self.device)
            return staged.prompt_logits(self.family, self.model, self.processor, prompts, audio)
        return stock.prompt_logits(self.family, self.model, self.processor, prompts, waveforms)

    def stock_inputs(self, prompts: Sequence[str], clips: Sequence[np.ndarray]) -> dict[str, Any]:
        """What the stock forward and `generate` take, on the model's device."""
        return stock.inputs_on(self.family, self.model, self.processor, prompts, clips)

    def _choose_path(self) -> tuple[str, str]:
        """("staged", "") where its logits equal the stock forward's, else ("stock", why)."""
        if not self.family.staged:
            return "stock", f"{self.family.name} has no staged path"
        try:
            fast = torch.log_softmax(self._canary_logits("staged").float(), dim=-1)
        except (RuntimeError, ValueError, AttributeError, TypeError) as error:
            return "stock", f"the staged path failed: {str(error)[:200]}"
        slow = torch.log_softmax(self._canary_logits("stock").float(), dim=-1)
        likely = slow > slow.max(dim=-1, keepdim=True).values - LIKELY_NATS
        difference = (fast - slow)[likely].abs().max().item()
        limit = PARITY_TOLERANCE[self.dtype]
        if difference <= limit:
            return "staged", ""
        return (
            "stock",
            f"staged and stock log-probabilities differ by {difference:.2g} (limit {limit})",
        )

    def _gate(self) -> None:
        """Silence against a loud tone must change the answer, or no map may be drawn."""
        change = (self._canary[0] - self._canary[1]).abs().max().item()
        if not np.isfinite(change) or change < GATE_TOLERANCE:
            raise UserError(
                f"{self.folder.name} does not hear: a loud tone and silence move its answers by "
                f"{change:.2g} (at least {GATE_TOLERANCE:g} is needed); the audio does not reach "
                "the language model, choose another checkpoint"
            )

    def _canary_logits(self, path: str = "") -> torch.Tensor:
        """Logits behind a question, for silence and for a loud 1 kHz tone, [2, V]."""
        rate = self.family.sample_rate(self.processor)
        tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)).astype(np.float32)
        clips = np.stack([np.zeros_like(tone), tone])
        with torch.inference_mode():
            return self.prompt_logits([CANARY] * 2, clips, path)


def hash_files(files: Sequence[Path]) -> str:
    """First 12 hex digits of SHA-256 over the files' bytes."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]
