"""An audio language model as a listener: base weights once, adapters switched on top.

Conventions: clips are mono float32 at the model's rate, |x| <= 1; anything else is refused at one
door (`check_clip`). All public methods may be called from several threads: a lock guards the
switch of adapters.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners import answer_tree, qwen2_audio
from spectcount.listeners.base import Scores
from spectcount.listeners.sequences import embed, prompt_batch
from spectcount.trials import Question, normalise

ENGINE_VERSION = 1
"""Raised when the same weights would give other scores."""

BATCH = 32
MAX_NEW_TOKENS = 24
CANARY_TOLERANCE = 1e-5
GATE_TOLERANCE = 1e-3


class LoadedModel:
    """One checkpoint in memory, with any number of adapters that share its weights."""

    def __init__(self, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32):
        """Load, then pass the audio gate. Raises `UserError` where the folder is no checkpoint
        or the model does not hear."""
        if not (folder / "config.json").is_file():
            raise UserError(
                f"{folder.name} is no model folder (no config.json); choose another or run "
                "`python -m spectcount pretrain`"
            )
        self.folder = folder
        self.dtype = dtype
        self.model, self.processor = qwen2_audio.load(str(folder), device, dtype)
        self.lock = threading.RLock()
        self._adapters: dict[str, str] = {}
        self._peft: Any = None
        self._gate()
        self._canary = self._canary_logits()

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def window_s(self) -> float:
        """Longest clip the model hears, seconds."""
        return qwen2_audio.window_s(self.processor)

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

    def check_clip(self, waveform: np.ndarray) -> np.ndarray:
        """The one door for audio: float32 mono, finite, |x| <= 1, inside the window."""
        if waveform.dtype != np.float32 or waveform.ndim != 1:
            raise UserError(
                f"the clip is {waveform.dtype} of shape {waveform.shape}; give float32 mono"
            )
        if not np.isfinite(waveform).all() or np.abs(waveform).max(initial=0.0) > 1.0 + 1e-6:
            raise UserError("the clip has samples beyond full scale or not finite; rescale it")
        rate = self.processor.feature_extractor.sampling_rate
        seconds = len(waveform) / rate
        if not 0.1 <= seconds <= self.window_s:
            raise UserError(
                f"the clip lasts {seconds:.2f} s, {self.folder.name} hears 0.10 to "
                f"{self.window_s:g} s; shorten or lengthen it"
            )
        return waveform

    def logits(
        self, prompts: Sequence[str], waveforms: np.ndarray, tree: answer_tree.AnswerTree
    ) -> torch.Tensor:
        """Logits [B, 1 + nodes, V] behind prompts on equally long clips [B, T]; call inside
        `adapted`."""
        audio = torch.from_numpy(waveforms).to(self.device)
        states = qwen2_audio.audio_states(self.model, audio, self.processor)
        states = qwen2_audio.project(self.model, states)
        batch = prompt_batch(prompts, states.shape[1], self.processor).to(self.device)
        nodes = torch.tensor(tree.tokens, dtype=torch.long, device=self.device)
        nodes = self.model.get_input_embeddings()(nodes).expand(len(prompts), -1, -1)
        hidden = self.model.model.language_model(
            inputs_embeds=torch.cat([embed(self.model, batch, states), nodes], dim=1),
            attention_mask=answer_tree.attention(tree, batch.mask, nodes.dtype),
            position_ids=answer_tree.positions(tree, batch.mask),
            use_cache=False,
        ).last_hidden_state
        return self.model.lm_head(hidden[:, -len(tree.tokens) - 1 :])

    def tree(self, answers: tuple[str, ...]) -> answer_tree.AnswerTree:
        """The answer tree of a closed set under this model's tokenizer."""
        return answer_tree.for_answers(answers, self.processor.tokenizer)

    def _gate(self) -> None:
        """Silence against a loud tone must change the answer, or no map may be drawn."""
        logits = self._canary_logits()
        change = (logits[0] - logits[1]).abs().max().item()
        if not np.isfinite(change) or change < GATE_TOLERANCE:
            raise UserError(
                f"{self.folder.name} does not hear: a loud tone and silence move its answers by "
                f"{change:.2g} (at least {GATE_TOLERANCE:g} is needed); the audio does not reach "
                "the language model, choose another checkpoint"
            )

    def _canary_logits(self) -> torch.Tensor:
        """Answer logits for silence and for a loud 1 kHz tone, [2, 1 + nodes, V]."""
        t = np.arange(16_000) / 16_000
        tone = (0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
        clips = np.stack([np.zeros_like(tone), tone])
        question = ["Is there a beep? Answer yes or no."] * 2
        with torch.inference_mode():
            return self.logits(question, clips, self.tree(("yes", "no")))


class AudioLM:
    """A listener: a loaded model, with or without one of its adapters."""

    def __init__(self, loaded: LoadedModel, name: str, adapter: Path | None = None):
        self.loaded = loaded
        self.name = name
        self.adapter = adapter
        self._digest = loaded.load_adapter(adapter) if adapter is not None else None

    @property
    def fingerprint(self) -> str:
        """Weights + adapter + dtype + engine version."""
        return f"{self.loaded.fingerprint}+{self._digest or 'base'}"

    def score(self, questions: Sequence[Question]) -> Scores:
        """See `Listener.score`; clips of one length share a forward of up to `BATCH`."""
        if not questions:
            return Scores(np.zeros((0, 0)), np.zeros(0))
        groups = defaultdict(list)
        clips = [self.loaded.check_clip(q.audio()) for q in questions]
        for i, clip in enumerate(clips):
            groups[len(clip)].append(i)
        tree = self.loaded.tree(questions[0].answers)
        raw = np.zeros((len(questions), len(questions[0].answers)))
        for members in groups.values():
            for start in range(0, len(members), BATCH):
                part = members[start : start + BATCH]
                prompts = [questions[i].prompt for i in part]
                waveforms = np.stack([clips[i] for i in part])
                with self.loaded.adapted(self._digest):
                    logits = self.loaded.logits(prompts, waveforms, tree)
                raw[part] = answer_tree.answer_log_probs(tree, logits).double().cpu().numpy()
        return Scores(normalise(raw), np.exp(raw).sum(axis=1))

    def reply(self, question: Question) -> Iterator[str]:
        """The model's own words, greedily generated by the stock code path."""
        from transformers import TextIteratorStreamer

        clip = self.loaded.check_clip(question.audio())
        processor = self.loaded.processor
        inputs = qwen2_audio.stock_inputs(question.prompt, clip, processor).to(self.loaded.device)
        streamer = TextIteratorStreamer(
            processor.tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=120
        )
        failures: list[BaseException] = []

        def generate() -> None:
            try:
                with self.loaded.adapted(self._digest) as model:
                    model.generate(
                        **inputs,
                        max_new_tokens=MAX_NEW_TOKENS,
                        do_sample=False,
                        repetition_penalty=1.0,
                        streamer=streamer,
                    )
            except BaseException as error:
                failures.append(error)
                streamer.end()

        worker = threading.Thread(target=generate, daemon=True)
        worker.start()
        text = ""
        for piece in streamer:
            text += piece
            yield text.strip()
        worker.join()
        if failures:
            raise failures[0]


def hash_files(files: Sequence[Path]) -> str:
    """First 12 hex digits of SHA-256 over the files' bytes."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]
