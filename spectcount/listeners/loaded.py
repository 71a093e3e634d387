"""One checkpoint in memory: base weights once, adapters switched on top, one door for audio.

Conventions: clips are mono float32 at the model's rate, |x| <= 1; anything else is refused at one
door (`check_clip`). A lock guards the switch of adapters, so that methods may be called from
several threads. Scoring takes the staged path where it equals the stock forward on a canary, which
is checked at every load; else the stock path, with the reason in `why_stock`.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints import adapters, identity
from spectcount.listeners.checkpoints.adapter_plan import misfit, plan_of
from spectcount.listeners.checkpoints.hashes import hash_weights
from spectcount.listeners.checkpoints.loading import Report, check_folder, full_precision, reporting
from spectcount.listeners.families import family_of
from spectcount.listeners.scoring import gate, staged, stock
from spectcount.listeners.scoring.limits import LIMITS, widened
from spectcount.listeners.scoring.spelling import Speller

Asked = tuple[str, tuple[str, ...]]
"""A prompt and its closed set of answers."""
ENGINE_VERSION = 3
"""Raised when the same weights would give other scores."""

CANARY_TOLERANCE = 1e-5
SMALL_PARAMETERS = 20_000_000
"""A model below this is scored on one thread of the CPU."""


class LoadedModel:
    """One checkpoint in memory, with any number of adapters that share its weights."""

    def __init__(
        self,
        folder: Path,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        report: Report | None = None,
        replies: str = "whole",
        **options: Any,
    ):
        """Load, choose the scoring path, pass the audio gate. `replies`: how answers are read
        (`spelling.MODES`); `options` go to `Family.load`, how far it is to `report`. Raises
        `UserError` where the folder is no checkpoint that may be read, no family knows it, or the
        model does not hear."""
        check_folder(folder)
        self.folder = folder
        self.dtype = dtype
        self.family = family_of(folder)
        full_precision()
        with reporting(report, f"loading {folder.name}"):
            self.model, self.processor = self.family.load(
                str(folder), device, dtype, trust_remote_code=False, **options
            )
        self.device: torch.device = self.model.device
        _few_threads(self.model)
        self.four_bit = "quantization_config" in options
        self.lock = threading.RLock()
        self._adapters: dict[str, str] = {}
        self._whole: dict[str, adapters.Whole] = {}
        self._peft: Any = None
        self.speller = Speller(self.family, self.model, self.processor, replies)
        try:
            self.scoring = gate.choose_path(self)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise UserError(
                f"{folder.name} cannot be asked: its processor and its weights do not fit together "
                f"({' '.join(str(error).split())[:200]}); get the whole checkpoint again"
            ) from error
        self.path, self.why_stock = self.scoring.name, self.scoring.why_stock
        self._canary: Any = gate.canary_logits(self)
        gate.refuse_deaf(self.folder.name, self._canary)
        self.thinks = gate.thinks(self, self._canary)
        self._parts = identity.parts_of(self.family, self.model, self.processor)
        self.attention = identity.attention_of(self.model)
        print(self.words, file=sys.stderr, flush=True)

    @property
    def window_s(self) -> float:
        """Length of clip that the model hears at once, seconds."""
        return self.family.window_s(self.processor)

    @property
    def longest_s(self) -> float:
        """Longest clip the model hears whole, in one window or several, seconds."""
        return self.family.longest_s(self.processor)

    @cached_property
    def fingerprint(self) -> str:
        """Everything that could change an answer; see `identity`."""
        dtype = str(self.dtype).removeprefix("torch.") + ("+4bit" if self.four_bit else "")
        read = "" if self.speller.mode == "whole" else f"+{self.speller.mode}"
        how = self.path if self.scoring.way == "cached" else f"{self.path}+{self.scoring.way}"
        way = f"{dtype}-{self.attention}-{how}{read}-e{ENGINE_VERSION}"
        return f"{hash_weights(self.folder)}-{self._parts}-{way}"

    @property
    def words(self) -> str:
        """Name, device, number format, and how answers are scored: for logs."""
        dtype = str(self.dtype).removeprefix("torch.") + (", 4 bits" if self.four_bit else "")
        return f"{self.folder.name} on {self.device}, {dtype}: {self.scoring.words}"

    @property
    def facts(self) -> dict[str, str]:
        """The same for a run's summary."""
        return {
            "path": self.path,
            "why_stock": self.why_stock,
            "scoring": self.scoring.words,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
        }

    @property
    def bytes(self) -> int:
        """Memory of the weights, adapters included."""
        if self.model is None:
            return 0
        tensors = [*self.model.parameters(), *self.model.buffers()]
        shared = {id(t): t for t in tensors}.values()
        whole = sum(whole.bytes for whole in self._whole.values())
        return whole + sum(t.numel() * t.element_size() for t in shared)

    @property
    def in_memory(self) -> bool:
        """True while its weights are there; `unload` lets go of them."""
        return self.model is not None

    @property
    def is_small(self) -> bool:
        """True for a model on the CPU whose batches are short whatever their size."""
        return self.device.type == "cpu" and _is_small(self.model)

    @property
    def n_adapters(self) -> int:
        return len(self._adapters)

    def unload(self) -> None:
        """Let go of all weights, once nobody computes with them."""
        with self.lock:
            self.model = self._peft = self._canary = None
            self._adapters.clear()
            self._whole.clear()

    def _refuse_unloaded(self) -> None:
        if self.model is None:
            raise UserError(
                f"{self.folder.name} was unloaded to make room for another model, or its files "
                "were changed; ask again, and it is loaded anew"
            )

    def load_adapter(self, folder: Path) -> str:
        """Attach the adapter in `folder` (once) and return its hash. Raises `UserError` where it
        does not fit, changes nothing, or changes the base."""
        digest = adapters.digest_of(folder)
        with self.lock:
            self._refuse_unloaded()
            adapters.refuse_other_base(folder, self.fingerprint, self.folder)
            if digest not in self._adapters.values():
                self._attach(folder, digest)
        return digest

    def _attach(self, folder: Path, digest: str) -> None:
        """Set an adapter on the model, or leave the model as it was."""
        name, before = f"a{digest}", self._peft
        plan = plan_of(folder, self.model)
        self._whole[digest] = adapters.whole_of(plan, self.model)
        try:
            self._peft = adapters.attach(self.model, before, plan, name)
            self._check_adapter(folder.name, digest)
        except BaseException:
            del self._whole[digest]
            adapters.detach(self.model, before, name)
            self._peft = before
            self._drop_if_moved(folder.name)
            raise
        self._adapters[name] = digest

    def _check_adapter(self, name: str, digest: str) -> None:
        with self.adapted(digest):
            tuned = gate.canary_logits(self)
            self._refuse_other_forward(name, tuned)
        if (drift := self._drift()) > CANARY_TOLERANCE:
            raise UserError(
                f"with adapter {name} loaded the base model's answers moved by {drift:.2g} (limit "
                f"{CANARY_TOLERANCE:g}); choose another adapter"
            )
        if bool(tuned.isnan().any()):
            raise UserError(
                f"with adapter {name} the answers are not a number; its weights are broken, get "
                "it again or choose another"
            )
        if torch.equal(tuned, self._canary):
            raise UserError(
                f"adapter {name} changes nothing: its weights are still zero; train it for at "
                "least one step"
            )

    def _refuse_other_forward(self, name: str, tuned: torch.Tensor) -> None:
        """Raise `UserError` where the model's own forward, which replies take, fails with an
        adapter on (encoders read attributes of layers that peft's do not have, strides say), or
        where the path in use passes a layer of the adapter by."""
        try:
            whole = gate.canary_logits(self, "stock")
        except (AttributeError, RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise misfit(name, f"the model's own forward fails with it ({reason})") from error
        limit = LIMITS[self.dtype].rms_share
        known = whole.isfinite()
        share = ((tuned - whole)[known].square().mean().sqrt() / whole[known].std()).item()
        if share > limit:
            limit = widened(self.dtype, gate.rounding_floor(self)).rms_share
        if share > limit:
            raise misfit(
                name,
                f"with it the {self.path} path is not the model's own forward: logits differ by "
                f"rms {share:.2g} of their spread (limit {limit:.2g})",
            )

    def _drift(self) -> float:
        """By how much the base's logits on the canary have moved since it was loaded."""
        with self.adapted(None):
            base = gate.canary_logits(self)
        moved = (base - self._canary)[base != self._canary]
        return moved.abs().nan_to_num(math.inf).max().item() if len(moved) else 0.0

    def _drop_if_moved(self, adapter: str) -> None:
        """Let go of a base that a refused adapter has changed; raises `UserError` then."""
        if (drift := self._drift()) > CANARY_TOLERANCE:
            self.unload()
            raise UserError(
                f"adapter {adapter} was refused, but it has changed the base: its answers moved by "
                f"{drift:.2g} (limit {CANARY_TOLERANCE:g}). {self.folder.name} was thrown away; "
                "ask again, and it is loaded anew"
            )

    @contextmanager
    def adapted(self, digest: str | None) -> Iterator[Any]:
        """The model with one adapter on (or none), under the lock, in evaluation mode."""
        with self.lock, torch.inference_mode(), ExitStack() as stack:
            self._refuse_unloaded()
            if digest is not None:
                stack.enter_context(self._whole[digest].laid())
            if self._peft is not None and f"a{digest}" in self._peft.peft_config:
                self._peft.set_adapter(f"a{digest}", inference_mode=True)
            elif self._peft is not None:
                stack.enter_context(self._peft.disable_adapter())
            yield self.model

    @contextmanager
    def mixed(self, digests: Sequence[str | None]) -> Iterator[Any]:
        """The model with an adapter (or none) of its own for every row of a batch of
        `len(digests)` rows, under the lock (peft's mixed batches); for adapters that `mixes`."""
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

    def mixes(self, digest: str | None) -> bool:
        """True where rows of this adapter (or of the base) may share a batch with others: not where
        it keeps weights whole, which stand in for the base's in every row."""
        return digest is None or not self._whole[digest].places

    def check_clip(self, waveform: np.ndarray) -> np.ndarray:
        """The one door for audio: float32 mono, finite, |x| <= 1, no longer than is heard."""
        if waveform.dtype != np.float32 or waveform.ndim != 1:
            raise UserError(
                f"the clip is {waveform.dtype} of shape {waveform.shape}; give float32 mono"
            )
        if not np.isfinite(waveform).all() or np.abs(waveform).max(initial=0.0) > 1.0 + 1e-6:
            raise UserError("the clip has samples beyond full scale or not finite; rescale it")
        rate = self.family.sample_rate(self.processor)
        seconds = len(waveform) / rate
        if not 0.1 <= seconds <= self.longest_s:
            raise UserError(
                f"the clip lasts {seconds:.2f} s, {self.folder.name} hears 0.10 to "
                f"{self.longest_s:g} s; shorten or lengthen it"
            )
        return waveform

    def answer_log_probs(
        self, rows: Sequence[Sequence[Asked]], waveforms: np.ndarray, heard: Any = None
    ) -> list[list[list[float]]]:
        """log p of every answer in all its spellings, [clip][question][answer], for equally long
        clips [B, T] with any number of questions each; call inside `adapted` or `mixed`. `heard`
        is what `hear` gave for them, where it was called before."""
        if self.thinks:
            raise UserError(
                f"{self.folder.name} thinks before it answers ({self.thinks}): closed answers are "
                "not read where its thoughts belong; take its Instruct version, or benchmarks by "
                "replies in words"
            )
        parts = self.family, self.model, self.processor
        spelled = [[(p, self.speller.closed_set(a)) for p, a in row] for row in rows]
        if self.path == "staged":
            heard = self.hear(waveforms) if heard is None else heard
            return staged.answer_log_probs(*parts, spelled, heard, self.speller)
        return stock.nested_log_probs(
            *parts, spelled, waveforms, self.speller, self.scoring.log_probs
        )

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

    def stock_inputs(
        self, prompts: Sequence[str], clips: Sequence[np.ndarray]
    ) -> dict[str, torch.Tensor]:
        """The batch that the stock forward and `generate` take, on the model's device."""
        self._refuse_unloaded()
        return stock.inputs_on(self.family, self.model, self.processor, prompts, clips)


def _few_threads(model: Any) -> None:
    """One thread for a small model on the CPU: more only wait for each other, and for the page."""
    if _is_small(model) and model.device.type == "cpu":
        torch.set_num_threads(1)


def _is_small(model: Any) -> bool:
    return sum(p.numel() for p in model.parameters()) < SMALL_PARAMETERS
