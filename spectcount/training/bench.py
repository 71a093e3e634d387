"""Speed of a step of a fine-tune: ours against the stock way, in one run, on the same model.

The stock way is what a user of transformers' Trainer gets: the stock processor pads to its whole
window, the model's own loss, labels over the whole sequence, logits at every position. Both ways
get the same questions, the same adapter and optimiser, and take turns.

Conventions: rates are clips per second, from finished waveforms to the optimiser's step (synthesis
is the same for both and is left out); the median of the turns counts; FLOPs are those of matrix
products, attention and convolutions, forward and backward; the peak is what a square matrix
product reaches on this device in the base's number format, measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectcount import listeners
from spectcount.designs import Pulses, draw
from spectcount.listeners.loaded import LoadedModel
from spectcount.listeners.scoring.bench import (
    Work,
    device_name,
    flop_of,
    matmul_peak,
    take_turns,
)
from spectcount.params import Declared, param
from spectcount.settings import Settings
from spectcount.training import lora
from spectcount.training.lora import load_base
from spectcount.training.losses import IGNORED, StockLoss, loss_of
from spectcount.training.options import LoraOptions, TrainOptions
from spectcount.trials import Question

WAYS = {
    "stock": "stock processor, the model's own forward and loss, logits at every position",
    "ours": "what SpectCount does",
}


@dataclass(frozen=True)
class TrainBenchOptions(Declared):
    """Steps and turns that are timed."""

    batch: int = param(8, "Clips of a step.", low=1, high=512)
    duration_s: float = param(10.0, "Length of the clips.", low=0.5, high=30, unit="s")
    turns: int = param(5, "Turns of each way.", low=1, high=100)
    steps: int = param(2, "Steps of one turn.", low=1, high=100)


@dataclass(frozen=True)
class Way:
    """One way's result: clips per second of each turn, their median, memory of the device (or of
    the process) in MB at its highest, GFLOP per clip, share of the device's measured peak."""

    what: str
    per_second: list[float]
    median: float
    memory_mb: float
    gflop_per_clip: float
    peak_share: float


@dataclass(frozen=True)
class Result:
    """The measurement. `ratio`: ours over stock; `losses`: of both ways on the same answers."""

    listener: str
    path: str
    device: str
    dtype: str
    torch_threads: int
    options: Mapping[str, Any]
    ways: dict[str, Way]
    ratio: float
    losses: dict[str, float]
    peak_gflops: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def bench(
    settings: Settings,
    base: str,
    values: Mapping[str, Any] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Result:
    """Time both ways on the model called `base`. `values`: parameters of `TrainBenchOptions`,
    `LoraOptions` and `TrainOptions` by name (batch, scope, dtype, gradient_checkpointing ...).
    Raises `UserError` for unknown ones and for a model that does not fit."""
    given = dict(values or {})
    options = TrainBenchOptions.from_dict(_taken(TrainBenchOptions, given))
    adapter = LoraOptions.from_dict(_taken(LoraOptions, given))
    train = TrainOptions.from_dict({**given, "batch": options.batch})
    folder = listeners.model_folder(base, settings)
    loaded = load_base(folder, settings.device, train, adapter, options.duration_s)
    return measure(loaded, base, options, adapter, train, report)


def measure(
    loaded: LoadedModel,
    name: str,
    options: TrainBenchOptions,
    adapter: LoraOptions,
    train: TrainOptions,
    report: Callable[[str], None] = lambda line: None,
) -> Result:
    """Time both ways in turns, after one turn that does not count. The model keeps its adapter."""
    tuned = lora.attach(loaded.family, loaded.model, adapter, name).train()
    if train.gradient_checkpointing:
        lora.recompute_layers(tuned)
    steps = {
        "stock": _stock_loss(loaded),
        "ours": _our_loss(loaded, lora.hears_frozen(adapter)),
    }
    questions = make_questions(options)
    losses = {way: loss(questions).item() for way, loss in steps.items()}
    learning = [p for p in tuned.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=train.learning_rate)
    works: dict[str, Work] = {
        way: (_steps(loss, questions, optimiser, options.steps), options.batch * options.steps)
        for way, loss in steps.items()
    }
    timings = take_turns(works, options.turns, loaded.device, "clips", report)
    peak = matmul_peak(loaded.device, loaded.dtype)
    ways = {}
    for way, loss in steps.items():
        per_clip = flop_of(_steps(loss, questions, optimiser, 1)) / options.batch
        timing = timings[way]
        share = timing.median * per_clip / peak
        ways[way] = Way(
            WAYS[way], timing.per_second, timing.median, timing.memory_mb, per_clip / 1e9, share
        )
    return Result(
        listener=name,
        path=loaded.path,
        device=device_name(loaded.device),
        dtype=str(loaded.dtype).removeprefix("torch."),
        torch_threads=torch.get_num_threads(),
        options={**options.to_dict(), **adapter.to_dict(), **train.to_dict()},
        ways=ways,
        ratio=ways["ours"].median / ways["stock"].median,
        losses=losses,
        peak_gflops=peak / 1e9,
    )


def make_questions(options: TrainBenchOptions) -> list[Question]:
    """`batch` clips of 0 to 7 pulses, each asked "how many"."""
    stimuli = [
        draw(Pulses(duration_s=options.duration_s, n_events=i % 8), i) for i in range(options.batch)
    ]
    return [_Ready(s, "count", wording=i % 3) for i, s in enumerate(stimuli)]


class _Ready(Question):
    """A question whose clip is synthesised once: in the turn that does not count."""

    @cached_property
    def _clip(self) -> np.ndarray:
        return super().audio()

    def audio(self) -> np.ndarray:
        return self._clip


def table(result: Result) -> str:
    """The result in words, a line each."""
    head = (
        f"{result.listener} on {result.device}, {result.dtype}, {result.torch_threads} threads, "
        f"{result.path} path, {result.options['batch']} clips of "
        f"{result.options['duration_s']:g} s a step, scope {result.options['scope']}"
    )
    rows = [
        f"{name:6} {way.median:9.2f} clips/s  {way.memory_mb:9.0f} MB  "
        f"{way.gflop_per_clip:10.1f} GFLOP/clip  {way.peak_share:6.1%} of peak"
        for name, way in result.ways.items()
    ]
    foot = f"ours / stock {result.ratio:.2f}; peak {result.peak_gflops:.0f} GFLOP/s measured"
    return "\n".join([head, *rows, foot])


Step = Callable[[list[Question]], torch.Tensor]


def _our_loss(loaded: LoadedModel, hears_frozen: bool) -> Step:
    loss = loss_of(loaded, hears_frozen)

    def step(questions: list[Question]) -> torch.Tensor:
        batch = {k: v.to(loaded.device) for k, v in loss.collate(questions).items()}
        return loss(loaded.model, batch)

    return step


def _stock_loss(loaded: LoadedModel) -> Step:
    """The model's own loss; labels on answers, as any careful user sets them."""
    collate = StockLoss(loaded.family, loaded.processor).collate

    def step(questions: list[Question]) -> torch.Tensor:
        batch = {k: v.to(loaded.device) for k, v in collate(questions).items()}
        labels = torch.full_like(batch["input_ids"], IGNORED)
        answers = batch.pop("labels")
        labels[:, -answers.shape[1] :] = answers
        inputs = {
            name: value.to(loaded.dtype) if value.is_floating_point() else value
            for name, value in batch.items()
        }
        loss: torch.Tensor = loaded.model(**inputs, labels=labels, use_cache=False).loss
        return loss

    return step


def _steps(
    loss: Step, questions: list[Question], optimiser: torch.optim.Optimizer, n: int
) -> Callable[[], None]:
    """`n` whole steps: forward, backward, update."""

    def work() -> None:
        for _ in range(n):
            loss(questions).backward()
            optimiser.step()
            optimiser.zero_grad()

    return work


def _taken(declared: type[Declared], values: dict[str, Any]) -> dict[str, Any]:
    """The parameters of `declared` among `values`, taken out of them."""
    return {name: values.pop(name) for name in list(values) if name in declared.params()}


def write(result: Result, out: Path) -> None:
    """The result as JSON."""
    import json

    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result.to_dict(), indent=2) + "\n")
