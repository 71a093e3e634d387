"""What a design family is, and the placement rules that families share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.params import Declared
from spectcount.scales import erb_number, erb_number_to_hz
from spectcount.stimulus import Stimulus


@dataclass(frozen=True)
class Design(Declared):
    """A family of stimuli: declared parameters and one way of drawing from them."""

    family: ClassVar[str] = ""

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """One stimulus. Raises `UserError` where the parameters cannot be realised."""
        raise NotImplementedError(type(self).__name__)


def draw(design: Design, seed: int) -> Stimulus:
    """The stimulus of `design` at `seed` (0 or more), with its provenance in `meta`."""
    stimulus = design.draw(np.random.default_rng(seed))
    meta = {"family": design.family, "params": design.to_dict(), "seed": seed}
    return replace(stimulus, meta=meta)


def spread_centres_hz(n: int, low_hz: float, high_hz: float, overlap: float) -> np.ndarray:
    """Centres of `n` neighbours on the ERB-number scale, rising, Hz [n].

    `overlap` 0 spreads them over the whole band, 1 puts all on its centre: neighbours lie
    (1 - overlap) x S apart, S being the largest equal spacing that fits.
    """
    low, high = erb_number(low_hz), erb_number(high_hz)
    half = (1 - overlap) * (high - low) / 2 if n > 1 else 0.0
    middle = (low + high) / 2
    return np.atleast_1d(erb_number_to_hz(np.linspace(middle - half, middle + half, n)))
