"""Rows about the ladder: when a stage is named, when a stage is said to have changed, and the
interval of a stage. States are simulated: Gaussian, one direction of each stage tells the pairs."""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.sentence_rows import Row, row
from spectcount.probing.plan import plan_from_dict
from spectcount.trials import make_trial
from spectcount.where import ladder
from spectcount.where.clips import Clips, clips_of
from spectcount.where.ladder import Heard, ListenerLadder

STAGES = ("input", "encoder 1/2", "encoder 2/2", "projector", "LM 1/2", "LM 2/2")
PLAN = {"kind": "map", "nx": 2, "ny": 4, "trials": 12, "catch_trials": 8}
WIDTH = 40


@functools.cache
def clips() -> Clips:
    """About a hundred pairs of eight conditions."""
    plan, even = plan_from_dict(PLAN), np.log([0.5, 0.5])
    rows = [
        make_trial(p.question, even, 1.0, fingerprint="", listener="", coords=p.coords)
        for p in plan.questions(0)
    ]
    return clips_of(plan, rows, 100)


def heard(rng: np.random.Generator, sizes, latent: float, readout: float) -> Heard:
    """States whose stages share `latent` of the noise in the direction that tells the pairs; of
    every stage d' in that direction; of both clips of a pair half of all noise is the same."""
    truth = clips().truths.ravel()

    def noise(*shape: int) -> np.ndarray:
        apart = rng.standard_normal((len(truth), *shape))
        of_pair = rng.standard_normal((len(truth) // 2, *shape)).repeat(2, axis=0)
        return (apart + of_pair) / np.sqrt(2)

    common, vectors = noise(), []
    for d in (*sizes, readout):
        states = noise(WIDTH)
        shared = np.sqrt(latent) * common + np.sqrt(1 - latent) * states[:, 0]
        states[:, 0] = d / 2 * truth + shared
        vectors.append(states)
    odds = np.stack([vectors.pop()[:, 0], np.zeros(len(truth))], axis=1)
    log_probs = odds - np.log(np.exp(odds).sum(axis=1, keepdims=True))
    return Heard("", STAGES, tuple(v.astype(np.float16) for v in vectors), log_probs)


def _made(rng: np.random.Generator, *listeners: Heard) -> ladder.Ladder:
    names = ("base", "tuned")
    seed = int(rng.integers(2**31))
    return ladder.ladder_of(clips(), dict(zip(names, listeners, strict=False)), "", seed, None)


def _names(sizes, readout: float, truth: str, right: str = "", latent: float = 0.8):
    """A stage is named; where `right` is given, another one than that."""

    def of(rng: np.random.Generator, runs: int) -> Row:
        said = 0
        for _ in range(runs):
            each: ListenerLadder = _made(rng, heard(rng, sizes, latent, readout)).listeners["base"]
            named = each.sentence.startswith("the largest loss")
            said += named and (not right or right not in each.sentence)
        return Row("The largest loss lies between two stages", truth, said, runs)

    return of


def _changes(sizes, readout: float, truth: str):
    def of(rng: np.random.Generator, runs: int) -> Row:
        said = 0
        for _ in range(runs):
            both = [heard(rng, sizes, 0.0, readout) for _ in range(2)]
            said += "the first stage that changes" in _made(rng, *both).change_sentence
        return Row("From base to tuned a stage changes", truth, said, runs)

    return of


def _missed(truth: str):
    def of(rng: np.random.Generator, runs: int) -> Row:
        missed = 0
        for _ in range(runs):
            rungs = _made(rng, heard(rng, [0.0] * 6, 0.0, 0.0)).listeners["base"].rungs
            interval = rungs[int(rng.integers(len(rungs)))].d_a
            missed += not interval.low <= 0 <= interval.high
        return Row("The interval of a stage's d_a, missing it", truth, missed, runs)

    return of


def _named(name: str, function) -> None:
    function.__name__ = name
    row(function)


_named("deaf", _names([0.0] * 6, 0.0, "nothing is readable at any stage"))
_named("even", _names([2.0] * 6, 2.0, "d' 2 at all stages, the readout too"))
_named("apart", _names([2.0] * 6, 2.0, "the same, every stage with noise of its own", latent=0.0))
_named("dip", _names([2.0, 0.5, 2.0, 0.5, 2.0, 2.0], 2.0, "dips that come back"))
_named(
    "other",
    _names(
        [4.0] * 4 + [0.5] * 2,
        0.3,
        "the loss lies behind the projector, another place is named",
        "between projector and LM 1/2",
    ),
)
_named("changes", _changes([1.5] * 6, 1.5, "both hear alike, each with noise of its own"))
_named("changes_deaf", _changes([0.0] * 6, 0.0, "neither hears anything"))
_named("missed", _missed("d_a 0 at every stage, one of them looked at"))
