"""Base of the design families, and the rules of placement that families share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from spectcount.errors import UserError
from spectcount.params import Declared
from spectcount.scales import HIGHEST_HZ, erb_number, erb_number_to_hz
from spectcount.stimulus import Event, Stimulus


@dataclass(frozen=True)
class Design(Declared):
    """A family of stimuli: declared parameters and one way of drawing from them.

    `tasks` are the questions that make sense of it, the usual one first. `basics` names the
    parameters that it is about, the foremost first; `background` names the
    parameters that change what the counterpart sounds like, `listeners` says in words which
    observer knows the answer: an ideal one, a DSP floor, or none.
    """

    family: ClassVar[str] = ""
    tasks: ClassVar[tuple[str, ...]] = ()
    basics: ClassVar[tuple[str, ...]] = ()
    background: ClassVar[tuple[str, ...]] = ()
    listeners: ClassVar[str] = ""

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """One stimulus, for which the first answer of a two-answer task is true. Raises
        `UserError` where the parameters cannot be realised."""
        raise NotImplementedError(type(self).__name__)

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same as `stimulus`, drawn from this design, were the other answer to `task_name`
        true, all else equal: the catch trial of a detection, the other order of a forced choice.
        Raises `UserError` where there is none."""
        return stimulus.without_events()


def draw(design: Design, seed: int) -> Stimulus:
    """The stimulus of `design` at `seed` (0 or more), with its provenance in `meta`."""
    stimulus = design.draw(np.random.default_rng(seed))
    for sound in stimulus.sounds:
        _refuse_folding(sound)
    return stimulus.with_meta(family=design.family, params=design.to_dict(), seed=seed)


def _refuse_folding(sound: Event) -> None:
    """Raise `UserError` for a tone so close to half the sampling rate that its ramps fold back."""
    if not sound.broadband and sound.highest_hz > HIGHEST_HZ + 1e-6:
        raise UserError(
            f"a sound ({sound.wave}) reaches {sound.highest_hz:.0f} Hz; above {HIGHEST_HZ:.0f} Hz "
            "what its ramps spread folds back at the edge of a clip of 16 kHz: lower its "
            "frequency, bandwidth, glide or number of harmonics"
        )


class Ramped(Protocol):
    """A design whose sounds rise and fall alike."""

    @property
    def ramp_ms(self) -> float: ...

    @property
    def ramp(self) -> str: ...


def event(
    design: Ramped,
    onset_s: float,
    length_ms: float,
    level_dbfs: float,
    **more: Any,
) -> Event:
    """A sound with the ramps of its design; `more` are other fields of an `Event`."""
    return Event(
        onset_s,
        length_ms / 1000,
        level_dbfs=level_dbfs,
        attack_ms=design.ramp_ms,
        release_ms=design.ramp_ms,
        ramp=design.ramp,
        **more,
    )


def roved(rove: float, rng: np.random.Generator) -> float:
    """Uniform within `rove` either way; nothing is drawn where that is 0, so that designs without
    the rove draw what they always drew."""
    return float(rng.uniform(-rove, rove)) if rove else 0.0


def moved(sounds: Iterable[Event], later_s: float) -> tuple[Event, ...]:
    """The sounds, all later by the same time."""
    return tuple(replace(e, onset_s=e.onset_s + later_s) if later_s else e for e in sounds)


def refuse_early(onset_s: float, rove_s: float) -> None:
    """Raise `UserError` where a roved onset could lie before the clip."""
    if rove_s > onset_s:
        raise UserError(
            f"onset_rove_s={rove_s:g} can put the onset {rove_s - onset_s:g} s before the clip; "
            f"lower it to {onset_s:g} or raise onset_s"
        )


def in_the_other_half(stimulus: Stimulus) -> Stimulus:
    """All events half a clip earlier or later, so that each lies in the other half; what would
    leave the clip is held at its edge."""
    half_s = stimulus.duration_s / 2
    events = []
    for event in stimulus.events:
        later = event.onset_s + event.duration_s / 2 < half_s
        onset_s = event.onset_s + half_s if later else event.onset_s - half_s
        onset_s = min(max(onset_s, 0.0), stimulus.duration_s - event.duration_s)
        events.append(replace(event, onset_s=onset_s))
    return replace(stimulus, events=tuple(events))


def spread_centres_hz(n: int, low_hz: float, high_hz: float, overlap: float) -> np.ndarray:
    """Centres of `n` neighbours on the ERB-number scale, rising, Hz [n].

    `overlap` 0 spreads them over the whole band, 1 puts all on its centre: neighbours lie
    (1 - overlap) x S apart, S being the largest equal spacing that fits.
    """
    low, high = erb_number(low_hz), erb_number(high_hz)
    half = (1 - overlap) * (high - low) / 2 if n > 1 else 0.0
    middle = (low + high) / 2
    return np.atleast_1d(erb_number_to_hz(np.linspace(middle - half, middle + half, n)))
