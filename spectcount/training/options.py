"""Declared parameters of a fine-tune: curriculum, adapter, optimisation. Defaults: the SpectCount
paper's (Kim et al., 2026, arXiv 2606.06907, section 3.1 and Table 2).

*Conventions*: names and values that a curriculum holds out are those of `probing.trained`; a clip
holds a value where any of its events, or any gap between neighbours, has it. Both ends are held
out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from spectcount.designs import fields
from spectcount.designs.pulses import AMPLITUDE, LEVEL_SCALES
from spectcount.errors import UserError
from spectcount.params import Declared, param
from spectcount.probing.trained import values_of
from spectcount.stimulus import Stimulus
from spectcount.tasks import MAX_COUNT

NOTHING = "none"
HOLDABLE = ("gap_ms", "frequency_hz", "level_dbfs", "event_duration_ms", "n_events", "noise_sigma")
"""What can be held out: parameters that vary within an optimiser step."""
CHECKS = 60
LEAST_KEPT = 0.1
HOLD_OUT_ATTEMPTS = 3000
BOTH, FREQUENCY, TIME = AXES = ("both", "frequency", "time")
MAX_NOISE_SIGMAS = 5.2
"""Where the synthesis bounds its noise."""


@dataclass(frozen=True)
class HoldOut:
    """Parameter `name` from `low` to `high`; with the name "none", nothing."""

    name: str = NOTHING
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.name == NOTHING:
            if (self.low, self.high) != (None, None):
                raise UserError(
                    "held_out_low and held_out_high hold nothing out without held_out_name; "
                    f"name one of {', '.join(HOLDABLE)}, or leave both empty"
                )
        elif self.low is None or self.high is None:
            raise UserError(f"held_out_name={self.name} needs held_out_low and held_out_high")
        elif self.low > self.high:
            raise UserError(
                f"held_out_low={self.low:g} is above held_out_high={self.high:g}; swap them"
            )

    def holds(self, stimulus: Stimulus | None) -> bool:
        """True where the clip has a value that is held out."""
        if stimulus is None or self.low is None or self.high is None:
            return False
        return any(self.low <= v <= self.high for v in values_of(stimulus)[self.name])

    def refuse_all(self, source: str, clips: Iterable[Stimulus | None]) -> None:
        """Raise `UserError` where fewer than a tenth of the first `clips` are left."""
        if self.name == NOTHING:
            return
        n_left = sum(not self.holds(clip) for clip in itertools.islice(clips, CHECKS))
        if n_left < CHECKS * LEAST_KEPT:
            raise UserError(
                f"{n_left} of {CHECKS} clips of the {source} source avoid "
                f"{self.name}={self.low:g}..{self.high:g}; hold out less, or count fewer events"
            )


SCOPES = ("encoder", "projector", "llm", "both")


_share = partial(fields.share, step=0.05)
_count = partial(param, high=MAX_COUNT, step=1, group="tasks")
_clip_s = partial(param, kind=float, low=0.5, high=30, step=0.1, unit="s", group="clip")
_event_ms = partial(param, low=14, high=2000, step=1, unit="ms", group="clip")
_level_dbfs = partial(param, low=-90, high=0, step=0.5, unit="dBFS", group="clip")
_sigma = partial(param, low=1e-6, high=0.3, step=1e-4, log=True, group="clip")
_number = partial(param, low=1, step=1)


@dataclass(frozen=True)
class Curriculum(Declared):
    """Parameters of the mixture; defaults follow the paper, without any region."""

    title: ClassVar[str] = "Curriculum"

    weak_share: float = _share(
        0.5, "Share of clips drawn inside the weak regions.", "Weak regions", "mixture"
    )
    replay: float = _share(
        0.3,
        "Share of clips drawn outside the weak regions, against "
        "forgetting; the rest follows "
        "the paper's distribution over all that the map covered.",
        label="Replay",
        group="mixture",
    )
    sharpness: float = param(
        1.0,
        "How strongly the worst regions are preferred: odds are severity to this power; 0 "
        "treats all alike.",
        low=0,
        high=8,
        step=0.1,
        label="Sharpness",
        group="mixture",
    )
    detect_share: float = _share(
        0.0,
        "Share of 'is there a beep?' (half of them on noise alone).",
        label="Detection",
        group="tasks",
    )
    interval_share: float = _share(
        0.0,
        "Share of 'which half has the beep?'; the rest is counting.",
        label="Two intervals",
        group="tasks",
    )
    count_low: int = _count(1, "Fewest events to count.", low=0, label="Count from")
    count_high: int = _count(10, "Most events to count.", low=1, label="Count to")
    clip_low_s: float | None = _clip_s(
        None, "Shortest clip; empty: the model's whole window.", label="Clip from"
    )
    clip_high_s: float | None = _clip_s(
        None, "Longest clip; empty: the model's whole window.", label="Clip to"
    )
    long_share: float = _share(
        0.0,
        "Share of steps whose clips are longer, up to the model's window, so that the model does "
        "not forget how to listen to long clips.",
        label="Longer clips",
        group="clip",
    )
    axis: str = param(
        BOTH,
        "What sets the events apart. both: time and frequency; frequency: all begin at one "
        "random moment and last equally long, on mel channels at least 1 Cam apart; time: all "
        "on one mel channel, another for each clip. The last two are the paper's ablations.",
        choices=AXES,
        label="Apart in",
        group="clip",
    )
    event_low_ms: float = _event_ms(40.0, "Shortest event.", label="Event from")
    event_high_ms: float = _event_ms(160.0, "Longest event.", label="Event to")
    min_gap_ms: float = param(
        40.0,
        "Smallest gap.",
        low=0,
        high=2000,
        step=1,
        unit="ms",
        label="Smallest gap",
        group="clip",
    )
    regular_share: float = _share(
        0.0,
        "Share of clips whose events follow each other at one gap; the rest lie at random places.",
        label="Regular trains",
        group="clip",
    )
    regular_gap_high_ms: float = param(
        400.0,
        "Largest gap of a regular train.",
        low=0,
        high=5000,
        step=10,
        unit="ms",
        label="Regular gap to",
        group="clip",
    )
    spread: float = _share(
        1.0,
        "Share of the ranges of level and of length (the latter logarithmic) over which the "
        "events of one clip are drawn independently; where in the ranges that share lies is "
        "drawn for each clip. 1: each event over the whole ranges, lengths uniform in ms.",
        label="Spread within a clip",
        group="clip",
    )
    level_low_dbfs: float = _level_dbfs(
        -20.0, "Softest event (paper: amplitude 0.1).", label="Level from"
    )
    level_high_dbfs: float = _level_dbfs(
        -1.0, "Loudest event (paper: amplitude 0.9).", label="Level to"
    )
    level_scale: str = param(
        AMPLITUDE,
        "The scale on which an event's level is uniform: amplitude, in which the paper gives its "
        "range, or decibels.",
        choices=LEVEL_SCALES,
        label="Level uniform in",
        group="clip",
    )
    sigma_low: float = _sigma(
        1e-4, "Weakest noise, sigma; log-uniform from clip to clip.", label="Noise from"
    )
    sigma_high: float = _sigma(1e-3, "Strongest noise, sigma.", label="Noise to")

    held_out_name: str = param(
        NOTHING,
        "A parameter with a range that is never drawn, so that a comparison can test what was "
        "learnt on values never trained. Clips with any event (or gap) in that range are drawn "
        "again.",
        choices=(NOTHING, *HOLDABLE),
        label="Hold out",
        group="held out",
    )
    held_out_low: float | None = param(
        None, "Lowest value that is held out.", kind=float, label="Held out from", group="held out"
    )
    held_out_high: float | None = param(
        None, "Highest value that is held out.", kind=float, label="Held out to", group="held out"
    )

    def check(self) -> None:
        HoldOut(self.held_out_name, self.held_out_low, self.held_out_high)
        for low, high in (
            ("count_low", "count_high"),
            ("event_low_ms", "event_high_ms"),
            ("level_low_dbfs", "level_high_dbfs"),
            ("sigma_low", "sigma_high"),
            ("clip_low_s", "clip_high_s"),
            ("min_gap_ms", "regular_gap_high_ms"),
        ):
            self.refuse_swapped(low, high)
        for a, b in (("weak_share", "replay"), ("detect_share", "interval_share")):
            total = getattr(self, a) + getattr(self, b)
            if total > 1 + 1e-9:
                raise UserError(f"{a} + {b} = {total:g} is above 1; lower one of them")
        if self.axis == FREQUENCY:
            self._refuse_loud_chords()

    def _refuse_loud_chords(self) -> None:
        """Events that begin together add up."""
        loudest = self.count_high * 10 ** (self.level_high_dbfs / 20)
        room = 1 - MAX_NOISE_SIGMAS * self.sigma_high
        if loudest > room:
            raise UserError(
                f"{self.count_high} events at once of level_high_dbfs={self.level_high_dbfs:g} "
                f"reach {loudest:.2f} of full scale, the noise leaves {room:.3f}; lower "
                f"level_high_dbfs to {20 * math.log10(room / self.count_high):.1f} or less, or "
                "count_high"
            )

    @property
    def held_out(self) -> HoldOut:
        """The values that are never drawn."""
        return HoldOut(self.held_out_name, self.held_out_low, self.held_out_high)


@dataclass(frozen=True)
class LoraOptions(Declared):
    """Low-rank adaptation (Hu et al., 2022)."""

    scope: str = param(
        "both",
        "Which part learns: the audio encoder with its projector, the projector alone, the "
        "language model, or all of them.",
        choices=SCOPES,
        label="Scope",
    )
    rank: int = _number(
        8, "Rank of the adapter's matrices.", high=256, label="Rank", slider_high=64
    )
    alpha: float = param(
        16.0,
        "Scale: the update is multiplied by alpha / rank.",
        low=0.1,
        high=512,
        step=1,
        label="Alpha",
        slider_high=128,
    )
    dropout: float = param(
        0.05, "Dropout before the adapter.", low=0, high=0.9, step=0.01, label="Dropout"
    )


@dataclass(frozen=True)
class TrainOptions(Declared):
    """The optimisation."""

    steps: int = _number(1000, "Optimiser steps.", high=1_000_000, label="Steps", slider_high=5000)
    batch: int = _number(
        8,
        "Clips per forward, shared out over the devices.",
        high=1024,
        label="Batch",
        slider_high=64,
    )
    accumulation: int = _number(
        1, "Forwards per step.", high=1024, label="Accumulation", slider_high=16
    )
    learning_rate: float = param(
        2e-4,
        "Peak learning rate.",
        low=1e-7,
        high=1e-1,
        step=1e-5,
        label="Learning rate",
        log=True,
        slider_high=5e-3,
    )
    schedule: str = param(
        "cosine",
        "How the rate falls after the warm-up.",
        choices=("cosine", "linear", "constant"),
        label="Schedule",
    )
    warmup_steps: int = param(
        20,
        "Steps over which the rate rises.",
        low=0,
        high=100_000,
        step=1,
        label="Warm-up",
        slider_high=500,
    )
    save_every: int = _number(
        100,
        "Steps between checkpoints, from which a run resumes.",
        high=100_000,
        label="Checkpoint every",
        slider_high=1000,
    )
    evaluate_every: int = _number(
        100,
        "Steps between held-out measurements.",
        high=100_000,
        label="Measure every",
        slider_high=1000,
    )
    held_out: int = param(
        48,
        "Held-out questions per measurement, weak and strong each.",
        low=4,
        high=2000,
        step=1,
        label="Held-out questions",
        slider_high=200,
    )
    threads: int = _number(2, "CPU threads.", high=256, label="CPU threads", slider_high=16)
    dtype: str = param(
        "auto",
        "Number format of the base: bfloat16 on a CUDA device and float32 elsewhere, or as "
        "chosen. The adapter itself is always float32.",
        choices=("auto", "float32", "bfloat16"),
        label="Number format",
    )
    four_bit: bool = param(
        False,
        "Keep the language model in 4 bits (NF4), encoder and projector as they are. Needs a "
        "CUDA device and bitsandbytes.",
        label="4-bit base",
    )
    gradient_checkpointing: bool = param(
        False,
        "Recompute each layer in the backward pass instead of keeping its activations: much less "
        "memory, about a third more time, the same gradients.",
        label="Gradient checkpointing",
    )
    processes: int = _number(
        1,
        "Devices that share each forward's batch, one process each.",
        high=64,
        label="Devices",
        slider_high=8,
    )
    loaders: int = param(
        0,
        "Processes that synthesise clips ahead, per device; 0: between the steps.",
        low=0,
        high=64,
        step=1,
        label="Synthesis processes",
        slider_high=8,
    )

    def check(self) -> None:
        if self.batch % self.processes:
            raise UserError(
                f"batch={self.batch} cannot be shared by processes={self.processes}; give a "
                "batch that is a multiple of it"
            )
        if self.four_bit and self.dtype == "float32":
            raise UserError("four_bit=true goes with bfloat16 only; give dtype=auto")

    @property
    def clips_per_step(self) -> int:
        """Whatever the number of processes."""
        return self.batch * self.accumulation

    @property
    def clips_per_process(self) -> int:
        """Of one forward."""
        return self.batch // self.processes
