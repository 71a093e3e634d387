"""Is the stage that loses named? Losses are planted in the embedded model by editing its weights.

    python benchmarks/planted_losses.py [--variants 100] [--seed 1] [--write]

Each variant draws a kind of loss, its place and size, and the sounds that are asked about:

- *band*: mel bands around the sounds are taken out of the encoder's first layer, so that the
  features tell them and nothing behind does;
- *projector*: the directions in which signal and counterpart differ are projected out of what the
  projector reads;
- *head*: the rows of the answers' tokens in the output layer become one row, so that the last state
  tells the sounds and the answer cannot.

*Conventions*: edits are undone before the next variant; the ladder is the one that users get.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.page_parts import RECOVERY, table  # noqa: E402
from spectcount.probing.plan import plan_from_dict  # noqa: E402
from spectcount.psychophysics.sdt import wilson  # noqa: E402
from spectcount.trials import Trial, make_trial, normalise  # noqa: E402
from spectcount.where import ladder  # noqa: E402
from spectcount.where.clips import Clips, clips_of  # noqa: E402

PAIRS = 60
TEXT = """## Where a sound is lost

Made by `{command}`.

Losses are planted in the embedded model by editing weights: mel bands taken out of the encoder's
first layer, the directions in which signal and counterpart differ projected out of the projector,
the answers' rows of the output layer made one row. {pairs} pairs of clips each; *right* is a
sentence that names exactly the stage pair where the loss was planted.

{rows}

{verdict}
"""


def sounds(rng: np.random.Generator) -> Clips:
    """Pairs of a tone in noise and the same noise, in a band that the model hears well."""
    low = int(rng.integers(36, 62))
    body = {
        "kind": "map",
        "nx": 1,
        "ny": 1,
        "y_low": low,
        "y_high": low + 5,
        "trials": PAIRS,
        "catch_trials": 1,
        "design": {
            "duration_s": float(rng.choice([1.0, 1.25, 1.5])),
            "level_dbfs": float(rng.uniform(-34, -26)),
            "noise_sigma": float(rng.uniform(0.0008, 0.002)),
        },
    }
    plan, even = plan_from_dict(body), np.log([0.5, 0.5])
    rows: list[Trial] = [
        make_trial(p.question, even, 1.0, fingerprint="", listener="", coords=p.coords)
        for p in plan.questions(int(rng.integers(2**31)))
    ]
    return clips_of(plan, rows, PAIRS)


@contextmanager
def edited(weight: Any, value: Any) -> Iterator[None]:
    """A weight with other values, put back at the end."""
    import torch

    before = weight.detach().clone()
    with torch.no_grad():
        weight.copy_(value)
    try:
        yield
    finally:
        with torch.no_grad():
            weight.copy_(before)


@contextmanager
def band(lm: Any, clips: Clips, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Mel bands from some below the sounds to some above them are not heard."""
    first = lm.loaded.model.model.audio_tower.conv1.weight
    below, above = int(rng.integers(0, 12)), int(rng.integers(96, 128))
    value = first.detach().clone()
    value[:, below:above] = 0.0
    with edited(first, value):
        yield "input", "encoder 1/3"


@contextmanager
def projector(lm: Any, clips: Clips, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """What differs between signal and counterpart at the encoder's end is projected out."""
    import torch

    loaded, weight = lm.loaded, lm.loaded.model.model.multi_modal_projector.linear.weight
    with torch.no_grad():
        states = []
        for side in (0, 1):
            heard = np.stack([lm.clip_of(group[side]) for group in clips.groups])
            audio = torch.from_numpy(heard)
            states.append(loaded.family.audio_states(loaded.model, audio, loaded.processor))
        difference = (states[0] - states[1]).flatten(0, 1).double()
        _, sizes, directions = torch.linalg.svd(difference, full_matrices=False)
    left = 1 - torch.cumsum(sizes**2, 0) / torch.sum(sizes**2)
    n = int((left > 10 ** -rng.uniform(10.0, 13.0)).sum()) + 1
    gone = directions[:n].float()
    with edited(weight, weight.detach() - weight.detach() @ gone.T @ gone):
        yield "encoder 3/3", "projector"


@contextmanager
def head(lm: Any, clips: Clips, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """The words of all answers have one row, and whatever may follow a word is as good as certain:
    nothing of the state tells one answer from another."""
    import torch

    model, speller = lm.loaded.model, lm.loaded.speller
    closed = speller.closed_set(clips.groups[0][0].answers)
    words = sorted({way[0] for answer in closed for way in answer})
    rest = sorted({token for answer in closed for way in answer for token in way[1:]})
    tied = model.lm_head.weight
    value = tied.detach().clone()
    value[words] = value[words].mean(dim=0) * float(rng.uniform(0.5, 2.0))
    usual = _last_states(lm, clips).mean(dim=0)
    value[rest] = usual / usual.norm() * float(rng.uniform(300, 600))
    model.lm_head.weight = torch.nn.Parameter(value, requires_grad=False)
    try:
        yield "LM 3/3", "readout"
    finally:
        model.lm_head.weight = tied


def _last_states(lm: Any, clips: Clips) -> Any:
    """Last states [clips, width] behind the prompts of some clips."""
    import torch

    from spectcount.listeners.stages import states_of

    return torch.from_numpy(states_of(lm, clips.questions[:8]).vectors[-1].astype(np.float32))


KINDS: dict[str, Callable[..., Any]] = {"band": band, "projector": projector, "head": head}


def ladder_of(lm: Any, clips: Clips, seed: int) -> ladder.Ladder:
    """The ladder of a model as it is."""
    from spectcount.listeners.stages import states_of

    states = states_of(lm, clips.questions)
    log_probs = normalise(states.log_probs)
    heard = ladder.Heard("planted", states.stages, states.vectors, log_probs)
    return ladder.ladder_of(clips, {"model": heard}, "", seed, None)


def variant(lm: Any, kind: str, seed: int) -> tuple[bool, str]:
    """(named rightly, the sentence) of one planted loss."""
    rng = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    clips = sounds(rng)
    with KINDS[kind](lm, clips, rng) as (before, behind):
        sentence = ladder_of(lm, clips, seed).listeners["model"].sentence
    return f"between {before} and {behind}:" in sentence, sentence


def embedded() -> Any:
    """The embedded model in this process."""
    from spectcount import listeners
    from spectcount.settings import load_settings

    return listeners.load_here(listeners.EMBEDDED, load_settings(device="cpu"))


def main() -> None:
    """Run the variants, print them, and write the part of the page where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--variants", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write the part of docs/recovery.md")
    options = parser.parse_args()
    lm, right = embedded(), {kind: [0, 0] for kind in KINDS}
    for k in range(options.variants):
        kind = list(KINDS)[k % len(KINDS)]
        named, sentence = variant(lm, kind, options.seed * 1000 + k)
        right[kind][0] += named
        right[kind][1] += 1
        print(f"{k:3} {kind}: {'right' if named else 'WRONG'}: {sentence}", flush=True)
    rows = []
    for kind, (n_right, n) in right.items():
        share = wilson(n_right, n)
        rows.append(
            [kind, str(n), str(n_right), f"{100 * share.low:.0f} to {100 * share.high:.0f} %"]
        )
    total = sum(n for n, _ in right.values())
    verdict = f"{total} of {options.variants} are right (95 of 100 are asked for)."
    print(verdict)
    if options.write:
        command = f"python benchmarks/planted_losses.py --variants {options.variants} "
        command += f"--seed {options.seed} --write"
        lines = table(["planted", "variants", "right", "95 % interval"], rows)
        RECOVERY.write(
            "planted_losses",
            TEXT.format(command=command, pairs=PAIRS, rows=lines, verdict=verdict),
        )


if __name__ == "__main__":
    main()
