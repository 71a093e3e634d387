"""Layers and stretches of a clip that carry the answer: patching, averaged over pairs.

*Conventions*: a share is (patched - counterpart) / (signal - counterpart) of the log odds of the
first answer, sums over pairs above sums over pairs: 1 is the whole difference, 0 nothing. Shares of
several places need not add up to 1. Intervals: percentile bootstrap over pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import spectcount
from spectcount import records
from spectcount.configs import Json, PatchConfig
from spectcount.context import RunContext
from spectcount.errors import UserError
from spectcount.listeners.base import Listener
from spectcount.probing.plan import plan_from_dict
from spectcount.psychophysics import ladder
from spectcount.psychophysics.sdt import Interval
from spectcount.stimulus import Stimulus
from spectcount.where.clips import clips_of
from spectcount.where.run import model_of, write

VERSION = f"{spectcount.__version__}/1"
FILE = "patching.json"
DRAWS = 500


@dataclass(frozen=True)
class Patching:
    """Shares [layers, columns] with the ends of their intervals; `log_odds`: the mean of signals
    and of counterparts; `difference` between them; `edges_s`: where stretches of audio begin and
    end; `clip`: the first signal as plain data, for the spectrogram."""

    version: str
    source: str
    listener: str
    fingerprint: str
    task: str
    n_pairs: int
    layers: tuple[str, ...]
    columns: tuple[str, ...]
    edges_s: tuple[float, ...]
    shares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    log_odds: tuple[float, float]
    difference: Interval
    clip: Json

    @property
    def sentence(self) -> str:
        """The place before the answer that carries most, or that there is nothing to carry."""
        if not self.difference.low > 0:
            return (
                f"{self.listener}: log odds of signal and counterpart differ by {self.difference}; "
                "there is no difference whose way could be followed"
            )
        single = self.shares[:, :-1]
        row, column = np.unravel_index(int(np.nanargmax(single)), single.shape)
        value, low, high = (float(x[row, column]) for x in (self.shares, self.low, self.high))
        share = Interval(value, low, high)
        return (
            f"{self.listener}: {self.columns[column]} at {self.layers[row]} alone brings back "
            f"{share} of the difference of {float(self.difference.value):.2f} nats between signal "
            "and counterpart"
        )

    @property
    def lines(self) -> list[str]:
        """The table and its sentence."""
        head = " | ".join(("layer", *self.columns))
        rows = [
            " | ".join([name, *("-" if math.isnan(v) else f"{v:.2f}" for v in row)])
            for name, row in zip(self.layers, self.shares, strict=True)
        ]
        return [head, *rows, self.sentence]


CLASSES: tuple[type, ...] = (Patching, Interval)


def to_json(patching: Patching) -> str:
    """A patching as the text of a file."""
    return records.dumps(patching)


def from_json(text: str) -> Patching | None:
    """The patching in a text; None where it is of another version, or none at all."""
    return records.of_version(text, Patching, CLASSES, VERSION)


def execute(context: RunContext, listeners: Mapping[str, Listener]) -> Json:
    """The work of a run of kind "patch"; its summary. Raises `UserError` for what cannot be
    patched."""
    from spectcount.listeners import patching

    config = PatchConfig.from_json(context.config)
    ((name, listener),) = listeners.items()
    model = model_of(name, listener)
    trials = context.ledger.trials(config.source)
    clips = clips_of(plan_from_dict(config.plan), trials, config.pairs, config.cells, least=1)
    if clips.counted:
        raise UserError(
            "counting has no counterpart whose states line up; take a run of another task"
        )
    pairs = patching.pairs_alike(clips.groups)
    places = patching.places_of(model, pairs[0][0], config.stretches)
    values = []
    for k, (signal, other) in enumerate(pairs):
        if context.should_stop():
            return {"done": k, "total": len(pairs), "stopped": True, "sentences": []}
        values.append(patching.patched(model, signal, other, places))
        context.progress(k + 1, len(pairs))
    shape = len(places.layers), len(places.columns)
    shares = _shares(np.array(values), shape, config.seed)
    stimulus = pairs[0][0].stimulus
    assert isinstance(stimulus, Stimulus)
    result = Patching(
        VERSION,
        config.source,
        name,
        model.fingerprint,
        clips.task,
        len(pairs),
        places.layers,
        places.columns,
        places.edges_s,
        *shares,
        stimulus.to_dict(),
    )
    write(context.folder / FILE, to_json(result).encode())
    done = len(pairs)
    return {"done": done, "total": done, "stopped": False, "sentences": [result.sentence]}


def _shares(
    values: np.ndarray, shape: tuple[int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float], Interval]:
    """(shares, low, high, mean log odds of signals and counterparts, their difference) of log odds
    [pairs, 2 + layers x columns]."""
    weights = ladder.draws_of(len(values), np.random.default_rng([seed, 13]), DRAWS)
    other, signal, patched = values[:, 0], values[:, 1], values[:, 2:]
    whole = weights @ (signal - other)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (weights @ (patched - other[:, None])) / whole[:, None]
    low, high = np.quantile(shares[1:], [0.025, 0.975], axis=0)
    difference = ladder.alone(whole / weights.sum(axis=1))
    ends = float(signal.mean()), float(other.mean())
    return shares[0].reshape(shape), low.reshape(shape), high.reshape(shape), ends, difference
