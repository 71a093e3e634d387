"""Make the embedded model from a seed.

    python recipes/tiny_lalm/make.py [--out tiny-lalm] [--seed 0] [--steps 4000] [--threads 2]

Two objectives share each step. Answers: cross-entropy on the answer's tokens, on clips of the
alignment diet. Hearing: for each 40 ms audio token and each of 16 mel bands, is there an onset,
is there sound (binary cross-entropy on a linear read-out of the encoder, thrown away afterwards),
on clips of both diets. Every draw of step i depends on (seed, i) alone.
"""

from __future__ import annotations

import argparse
import json
import math
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from recipes.tiny_lalm import card, diet  # noqa: E402
from recipes.tiny_lalm import model as untrained  # noqa: E402
from spectcount.errors import UserError  # noqa: E402
from spectcount.listeners.audio_lm import AudioLM  # noqa: E402
from spectcount.listeners.families import FAMILIES  # noqa: E402
from spectcount.listeners.loaded import LoadedModel  # noqa: E402
from spectcount.params import Declared, param  # noqa: E402
from spectcount.scales import N_MELS  # noqa: E402
from spectcount.stimulus import Stimulus  # noqa: E402
from spectcount.synth import synthesise  # noqa: E402
from spectcount.tasks import TASKS  # noqa: E402
from spectcount.training.losses import answer_batch, answer_loss  # noqa: E402
from spectcount.trials import Question  # noqa: E402

FAMILY = FAMILIES["qwen2-audio"]
BANDS = 16
TOKEN_S = 0.04
TASK_SHARES = {"detect": 0.3, "count": 0.5, "interval": 0.2}


@dataclass(frozen=True)
class MakeOptions(Declared):
    """How the embedded model is made; the defaults made the one that is shipped."""

    seed: int = param(0, "Seed of weights and data.", low=0, high=2**31 - 1)
    steps: int = param(4000, "Optimiser steps.", low=1, high=1_000_000)
    batch: int = param(16, "Clips with a question per step.", low=1, high=4096)
    hearing_batch: int = param(8, "Clips for the encoder only, per step.", low=0, high=4096)
    learning_rate: float = param(8e-4, "Peak learning rate (cosine).", low=1e-6, high=1e-1)
    hearing_weight: float = param(1.0, "Weight of the encoder's objective.", low=0, high=100)
    threads: int = param(2, "CPU threads.", low=1, high=256)


@dataclass(frozen=True)
class Batch:
    """One step's data: questions with answers, and clips for the encoder only."""

    questions: list[Question]
    waveforms: np.ndarray
    stimuli: list[Stimulus]


def draw_batch(options: MakeOptions, step: int) -> Batch:
    """The data of one step, a function of (seed, step) alone; one clip length for all."""
    rng = np.random.default_rng([options.seed, step])
    duration_s = round(1 + (untrained.WINDOW_S - 1) * rng.random() ** 2, 2)
    questions = [_draw_question(rng, duration_s) for _ in range(options.batch)]
    stimuli = [q.stimulus for q in questions if q.stimulus is not None]
    stimuli += [
        diet.draw_clip(diet.HEARING, rng, duration_s, int(rng.integers(0, 11)))
        for _ in range(options.hearing_batch)
    ]
    return Batch(questions, np.stack([synthesise(s) for s in stimuli]), stimuli)


def _draw_question(rng: np.random.Generator, duration_s: float) -> Question:
    name = str(rng.choice(list(TASK_SHARES), p=list(TASK_SHARES.values())))
    stimulus = diet.DRAWS[name](diet.ALIGNMENT, rng, duration_s)
    return Question(
        stimulus=stimulus,
        task_name=name,
        wording=int(rng.integers(len(TASKS[name].wordings))),
        reverse=TASKS[name].reversible and bool(rng.integers(2)),
    )


def onset_targets(stimuli: list[Stimulus], n_tokens: int) -> np.ndarray:
    """[B, tokens, 2 x BANDS]: onset in this token and band, sound in this token and band."""
    targets = np.zeros((len(stimuli), n_tokens, 2 * BANDS), np.float32)
    for b, stimulus in enumerate(stimuli):
        for event in stimulus.events:
            band = diet.channel_of(event) * BANDS // N_MELS
            first = min(int(event.onset_s / TOKEN_S), n_tokens - 1)
            last = min(int(event.offset_s / TOKEN_S), n_tokens - 1)
            targets[b, first, band] = 1
            targets[b, first : last + 1, BANDS + band] = 1
    return targets


def make(
    options: MakeOptions,
    out: Path,
    device: str = "cpu",
    report: Callable[[int, dict[str, float]], None] = lambda step, values: None,
    n_held_out: int = 400,
) -> dict[str, Any]:
    """Train from `options.seed`, save model and processor under `out` (every 500 steps and at the
    end), measure it on `n_held_out` held-out questions per task, write the model card, and return
    what the card states. `report(step, losses)` is called every 50 steps."""
    started = time.time()
    processor = untrained.build_processor()
    model = untrained.build_model(processor, options.seed).to(device).train()
    losses = _train(model, processor, options, out, report)
    _save(model, processor, out)
    made = {
        "options": options.to_dict(),
        "alignment": diet.ALIGNMENT.to_dict(),
        "hearing": diet.HEARING.to_dict(),
        "length_spread": diet.LENGTH_SPREAD,
        "minutes": round((time.time() - started) / 60, 1),
        "device": device,
        "parameters": sum(p.numel() for p in model.parameters()),
        "final_losses": losses,
        "torch": torch.__version__,
    }
    measured = card.measure(
        AudioLM(LoadedModel(out, device), out.name), n_held_out, max(11, n_held_out // 9)
    )
    card.write(out, made, measured)
    made["held_out"] = measured
    (out / "pretraining.json").write_text(json.dumps(made, indent=2, default=_plain) + "\n")
    return made


def _train(
    model: Any,
    processor: Any,
    options: MakeOptions,
    out: Path,
    report: Callable[[int, dict[str, float]], None],
) -> dict[str, float]:
    """All steps; the mean losses of the last 50."""
    torch.set_num_threads(options.threads)
    head = torch.nn.Linear(untrained.WIDTH, 2 * BANDS).to(model.device)
    weights = [p for p in [*model.parameters(), *head.parameters()] if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=options.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _cosine(options.steps))
    history: deque[tuple[float, float]] = deque(maxlen=50)
    means: dict[str, float] = {}
    for step, batch in enumerate(_prefetch(options), start=1):
        losses = _losses(model, head, processor, batch, options)
        optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        history.append((losses["answers"].item(), losses["hearing"].item()))
        if step % 50 == 0 or step == options.steps:
            answers, hearing = np.mean(history, axis=0).tolist()
            means = {"answers": answers, "hearing": hearing}
            report(step, means)
        if step % 500 == 0:
            _save(model, processor, out)
    return means


def _plain(value: Any) -> Any:
    """Results as JSON."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else float(value)


def _save(model: Any, processor: Any, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)


def _losses(
    model: Any, head: Any, processor: Any, batch: Batch, options: MakeOptions
) -> dict[str, torch.Tensor]:
    device = model.device
    states = FAMILY.audio_states(model, torch.from_numpy(batch.waveforms).to(device), processor)
    targets = torch.from_numpy(onset_targets(batch.stimuli, states.shape[1])).to(device)
    hearing = torch.nn.functional.binary_cross_entropy_with_logits(
        head(states), targets, pos_weight=torch.tensor(4.0, device=device)
    )
    audio = FAMILY.project(model, states[: len(batch.questions)])
    truths = [q.truth or "" for q in batch.questions]
    sequences = answer_batch(
        FAMILY, processor, [q.prompt for q in batch.questions], truths, audio.shape[1]
    )
    answers = answer_loss(FAMILY, model, sequences.to(device), audio)
    total = answers + options.hearing_weight * BANDS * hearing
    return {"answers": answers, "hearing": hearing, "total": total}


def _cosine(steps: int) -> Callable[[int], float]:
    warm = min(200, max(1, steps // 10))
    return lambda i: (
        (i + 1) / warm
        if i < warm
        else 0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, (i - warm) / max(1, steps - warm)))) / 2
    )


def _prefetch(options: MakeOptions) -> Iterator[Batch]:
    """Batches in order, drawn ahead by a thread."""
    ahead: queue.Queue[Batch] = queue.Queue(maxsize=4)

    def fill() -> None:
        for step in range(options.steps):
            ahead.put(draw_batch(options, step))

    threading.Thread(target=fill, daemon=True).start()
    for _ in range(options.steps):
        yield ahead.get()


def main() -> int:
    """Make the model that the flags ask for; the exit code."""
    parser = argparse.ArgumentParser(description="Make the embedded model from a seed.")
    parser.add_argument("--out", type=Path, default=Path("tiny-lalm"), help="folder of the model")
    parser.add_argument("--device", default="cpu", help="cpu, mps, cuda or cuda:N")
    for name in ("seed", "steps", "threads"):
        declared = MakeOptions.param(name)
        parser.add_argument(
            f"--{name}",
            type=int,
            default=declared.default,
            help=f"{declared.help} ({declared.default})",
        )
    flags = parser.parse_args()
    try:
        options = MakeOptions(seed=flags.seed, steps=flags.steps, threads=flags.threads)
        make(options, flags.out, flags.device, partial(_tell, options.steps))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(flags.out)
    return 0


def _tell(steps: int, step: int, losses: dict[str, float]) -> None:
    words = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
    print(f"step {step} of {steps}: {words}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
