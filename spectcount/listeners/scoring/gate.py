"""Checks at load: that the fast path equals its own forward, and that it hears.

Audio that never reaches the language model is a known failure of this field: the answers are
fluent and the same for every clip. So silence and a loud tone are asked about at every load.

Conventions: log-probabilities in nats; a canary is one question about silence and about a tone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.scoring import staged, stock
from spectcount.listeners.scoring.limits import (
    CEILINGS,
    DRAWS,
    GATE_TOLERANCE,
    LIMITS,
    Limit,
    shaken,
    widened,
)
from spectcount.listeners.scoring.spelling import ClosedSet, Speller

if TYPE_CHECKING:
    from spectcount.listeners.loaded import LoadedModel

CANARY = "Is there a beep? Answer yes or no."
COUNT_CANARY = "How many beeps are there in this clip? Answer with a number."
LEAST_NATS = -1e9
THOUGHT_TOKENS = 12


@dataclass(frozen=True)
class Seen:
    """Results of a path: `logits` [2, V] behind two prompts, `answers` [3, A] of closed sets; on
    the CPU."""

    logits: torch.Tensor
    answers: torch.Tensor


WAYS: dict[str, tuple[stock.LogProbs, str]] = {
    "tree": (stock.tree_log_probs, "all answers in one row behind one cached prompt"),
    "cached": (stock.cached_log_probs, "all answers behind one cached prompt"),
    "appended": (stock.appended_log_probs, "one forward per answer"),
}
"""How the stock path reads answers, the fastest first."""


@dataclass(frozen=True)
class Path:
    """The scoring path of a model: "staged" or "stock"; `why_stock`: why not staged; `parity`: the
    check in words; `way`: how the stock path reads answers (`WAYS`)."""

    name: str
    why_stock: str
    parity: str
    way: str = "cached"

    @property
    def log_probs(self) -> stock.LogProbs:
        """The function by which the stock path reads answers."""
        return WAYS[self.way][0]

    @property
    def words(self) -> str:
        """Path and reason, for logs and reports."""
        if self.name == "staged":
            return f"staged path (equal to the stock forward: {self.parity})"
        return f"stock path, {WAYS[self.way][1]} ({self.why_stock}; {self.parity})"


def canary_logits(loaded: LoadedModel, path: str = "") -> torch.Tensor:
    """Logits behind a question, for silence and for a loud 1 kHz tone, [2, V], by the path in use
    or the one named; on the CPU, so that spread models too are compared in one place."""
    clips = canary_clips(loaded.family.sample_rate(loaded.processor))
    with torch.inference_mode():
        return loaded.prompt_logits([CANARY] * 2, clips, path).float().cpu()


def canary_clips(rate: int) -> np.ndarray:
    """Silence and a loud 1 kHz tone, 1 s each, [2, T]."""
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)).astype(np.float32)
    return np.stack([np.zeros_like(tone), tone])


@dataclass(frozen=True)
class Parity:
    """Distance between two paths. `rms_share`: rms of the difference of logits over their spread
    (standard deviation); `answers_share`: the largest difference of an answer's log-probability
    over the same spread; `answers_nats`: the same in nats; `order_kept`: the likelier of two
    answers is the same wherever they are further apart than is tolerated; `spread`: of the
    logits."""

    rms_share: float
    answers_share: float
    answers_nats: float
    order_kept: bool
    spread: float

    def within(self, limit: Limit) -> bool:
        """True where both may be taken for the same."""
        return bool(
            self.rms_share <= limit.rms_share
            and self.answers_share <= limit.answers_share
            and self.order_kept
        )

    def words(self, limit: Limit) -> str:
        """The numbers with their limits."""
        order = "" if self.order_kept else ", another order of the answers"
        return (
            f"logits differ by rms {self.rms_share:.2g} of their spread (limit "
            f"{limit.rms_share:.2g}), answers by {self.answers_nats:.2g} nats (limit "
            f"{limit.answers_share * self.spread:.2g}){order}{limit.words}"
        )


def compare(seen: Seen, other: Seen, tolerated_share: float) -> Parity:
    """Parity of what two paths saw; `other` is the reference."""
    finite = other.logits.isfinite()
    spread = other.logits[finite].std().item()
    rms = (seen.logits - other.logits)[finite].square().mean().sqrt().item()
    worst = (seen.answers - other.answers).abs().max().item()
    top = other.answers.topk(2, dim=-1)
    apart = top.values[:, 0] - top.values[:, 1] > tolerated_share * spread
    same = seen.answers.argmax(dim=-1) == top.indices[:, 0]
    return Parity(rms / spread, worst / spread, worst, bool((same | ~apart).all()), spread)


def canary_answers(loaded: LoadedModel) -> dict[str, Any]:
    """Facts to know before a map: the probability of the closed set on the canary's
    tone and on its silence, and the greedy reply to the tone."""
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.trials import Question

    rate = loaded.family.sample_rate(loaded.processor)
    asks = [Question(None, "detect", text=CANARY, waveform=clip) for clip in canary_clips(rate)]
    listener = AudioLM(loaded, loaded.folder.name)
    silent, tone = [None, None] if loaded.thinks else listener.score(asks).mass.tolist()
    reply = [*listener.reply(asks[1]), ""][-2:][0]
    return {"canary": CANARY, "mass_tone": tone, "mass_silence": silent, "reply": reply}


def choose_path(loaded: LoadedModel) -> Path:
    """The staged path where it equals the stock forward; else the stock path, by the fastest of
    `WAYS` that equals whole forwards."""
    fixed = LIMITS[loaded.dtype]
    staged, failure = _tried(loaded, "staged") if loaded.family.staged else (None, "")
    cached, no_cache = _tried(loaded, "cached")
    if staged is not None and cached is not None:
        near = compare(staged, cached, fixed.answers_share)
        if near.within(fixed):
            return Path("staged", "", near.words(fixed))
    whole = _seen(loaded, "appended")
    why = failure or f"{loaded.family.name} has no staged path"
    if staged is not None:
        limit = _limit_for(loaded, staged, whole)
        near = compare(staged, whole, limit.answers_share)
        if near.within(limit):
            return Path("staged", "", near.words(limit))
        why = f"the staged path is not the stock forward: {near.words(limit)}"
    if cached is None:
        return Path("stock", why, f"its cache cannot be used: {no_cache}", "appended")
    return _stock_path(loaded, why, _tried(loaded, "tree")[0], cached, whole)


def _stock_path(
    loaded: LoadedModel, why: str, tree: Seen | None, cached: Seen, whole: Seen
) -> Path:
    """The stock path by the fastest way that equals whole forwards."""
    for way, seen in (("tree", tree), ("cached", cached)):
        if seen is None:
            continue
        limit = _limit_for(loaded, seen, whole)
        near = compare(seen, whole, limit.answers_share)
        if near.within(limit):
            return Path("stock", why, near.words(limit), way)
    return Path("stock", why, near.words(limit), "appended")


def _limit_for(loaded: LoadedModel, seen: Seen, whole: Seen) -> Limit:
    """The number format's limit, or, where what a way gives lies between it and the ceiling, the
    limit from this model's own rounding."""
    fixed = LIMITS[loaded.dtype]
    ceiling = CEILINGS.get(loaded.dtype, fixed)
    outside = not compare(seen, whole, fixed.answers_share).within(fixed)
    if outside and compare(seen, whole, ceiling.answers_share).within(ceiling):
        return widened(loaded.dtype, rounding_floor(loaded))
    return fixed


def rounding_floor(loaded: LoadedModel) -> Limit:
    """Distance of the stock forward from itself on the parity check's questions when it is
    rounded at random: rms over `DRAWS` draws, the largest difference of an answer."""
    way = "appended" if _tried(loaded, "cached")[0] is None else "cached"
    plain, draws = _seen(loaded, way), []
    for seed in range(DRAWS):
        with shaken(loaded.model, seed):
            draws.append(compare(_seen(loaded, way), plain, 0.0))
    rms = float(np.sqrt(np.mean([draw.rms_share**2 for draw in draws])))
    return Limit(rms, max(draw.answers_share for draw in draws), rms)


def _tried(loaded: LoadedModel, way: str) -> tuple[Seen | None, str]:
    """The results of a way, or None and why it fails."""
    try:
        return _seen(loaded, way), ""
    except (RuntimeError, ValueError, AttributeError, TypeError, KeyError, IndexError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return None, f"the {way} path failed: {str(error)[:200]}"


def _seen(loaded: LoadedModel, way: str) -> Seen:
    """The results of `way` ("staged", or of `WAYS`) for the parity check's questions."""
    rate = loaded.family.sample_rate(loaded.processor)
    clips = _parity_clips(rate)
    speller = loaded.speller
    sets = [_plain(speller, answers) for answers in (("yes", "no"), ("1", "3", "10"))]
    prompts = [CANARY, COUNT_CANARY]
    questions = [list(zip(prompts, sets, strict=True)), [(prompts[1], sets[1])]]
    parts = loaded.family, loaded.model, loaded.processor
    with torch.inference_mode():
        if way == "staged":
            audio = torch.from_numpy(clips).to(loaded.device)
            logits = staged.prompt_logits(*parts, prompts, audio)
            heard = staged.hear(*parts, audio)
            answers = staged.answer_log_probs(*parts, questions, heard, speller)
        else:
            logits = stock.prompt_logits(*parts, prompts, clips)
            answers = stock.nested_log_probs(*parts, questions, clips, speller, WAYS[way][0])
    flat = [values for clip in answers for values in clip]
    width = max(map(len, flat))
    table = [[*values, *[-torch.inf] * (width - len(values))] for values in flat]
    return Seen(logits.float().cpu(), torch.tensor(table).clamp(min=LEAST_NATS))


def _plain(speller: Speller, answers: Sequence[str]) -> ClosedSet:
    """One spelling of each answer: enough to compare paths by."""
    return tuple(((*speller.plain(answer), speller.ends[0]),) for answer in answers)


def _parity_clips(rate: int) -> np.ndarray:
    """Two clips [2, T] of an odd length: noise, and a tone in its second half, so that a clip that
    is cut or shifted shows."""
    n = round(0.53 * rate)
    noise = 0.1 * np.random.default_rng(0).standard_normal(n)
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(n) / rate) * (np.arange(n) > n // 2)
    return np.stack([noise, tone + 0.01 * noise]).clip(-1, 1).astype(np.float32)


THOUGHTS = ("<think>", "<thinking>", "<thought>", "<reasoning>", "[think]", "<|channel>thought")
"""Marks that open a thought, in lower case; a tokenizer may cut them into several tokens."""


def thinks(loaded: LoadedModel, canary: torch.Tensor) -> str:
    """Explain that a closed set would be read where thoughts belong, "" where it would not: the
    prompt leaves a thought open, or the likeliest reply (of `canary_logits`) opens one."""
    tokenizer = loaded.processor.tokenizer
    prompt = loaded.family.prompt_ids(CANARY, 1, loaded.processor)
    try:
        behind = tokenizer.decode(prompt[-THOUGHT_TOKENS:]).rstrip().lower()
        reply = tokenizer.decode([int(canary[1].argmax())]).strip().lower()
    except (ValueError, TypeError, KeyError):
        return ""
    if any(mark.startswith(reply) and mark != reply for mark in THOUGHTS):
        reply = _reply_to_tone(loaded).strip().lower()
    for mark in THOUGHTS:
        if behind.endswith(mark):
            return f"its prompt ends in an open {mark}"
        if reply.startswith(mark):
            return f"its reply begins with {mark}"
    return ""


def _reply_to_tone(loaded: LoadedModel) -> str:
    """The first words of the greedy reply to the canary's tone, marks included."""
    tone = canary_clips(loaded.family.sample_rate(loaded.processor))[1]
    parts = loaded.family, loaded.model, loaded.processor
    inputs = stock.inputs_on(*parts, [CANARY], tone[None])
    with torch.inference_mode():
        ids = loaded.model.generate(
            **inputs, max_new_tokens=THOUGHT_TOKENS, do_sample=False, repetition_penalty=1.0
        )
    begun: str = loaded.processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :])
    return begun


def refuse_deaf(name: str, canary: torch.Tensor) -> None:
    """Silence against a loud tone must change the answer, or no map may be drawn."""
    change = (canary[0] - canary[1]).abs().max().item()
    if not np.isfinite(change) or change < GATE_TOLERANCE:
        raise UserError(
            f"{name} does not hear: a loud tone and silence move its answers by {change:.2g} (at "
            f"least {GATE_TOLERANCE:g} is needed); the audio does not reach the language model, "
            "choose another checkpoint"
        )
