"""Values that a curriculum never draws, so that they can be tested as never trained.

*Conventions*: names and values are those of `probing.trained`; a clip holds a value where any of
its events, or any gap between neighbours, has it. Both ends are held out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from spectcount.errors import UserError
from spectcount.probing.trained import values_of
from spectcount.stimulus import Stimulus

NOTHING = "none"
HOLDABLE = (
    "gap_ms", "frequency_hz", "level_dbfs", "event_duration_ms", "n_events", "noise_sigma",
)  # fmt: skip
"""What can be held out: parameters that vary within an optimiser step."""
CHECKS = 60
LEAST_KEPT = 0.1
ATTEMPTS = 3000


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
        """Whether the clip has a value that is held out."""
        if stimulus is None or self.low is None or self.high is None:
            return False
        return any(self.low <= v <= self.high for v in values_of(stimulus)[self.name])

    def refuse_all(self, source: str, clips: Iterable[Stimulus | None]) -> None:
        """Raise `UserError` where fewer than a tenth of the first `clips` are left."""
        if self.name == NOTHING:
            return
        kept = sum(not self.holds(clip) for clip in itertools.islice(clips, CHECKS))
        if kept < CHECKS * LEAST_KEPT:
            raise UserError(
                f"{kept} of {CHECKS} clips of the {source} source avoid "
                f"{self.name}={self.low:g}..{self.high:g}; hold out less, or count fewer events"
            )
