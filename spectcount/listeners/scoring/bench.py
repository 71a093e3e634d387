"""Speed of scoring: the naive loop, the stock batched forward and ours, timed in one run
on the same questions.

Conventions: rates are questions per second, audio included (a question's clip is synthesised in
every way that is timed, as a probe does); ways take turns and the median of their turns counts;
FLOPs are those of matrix products, attention and convolutions; the peak is what a square matrix
product reaches on this device in the model's type, measured in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import psutil
import torch

from spectcount.designs import Pulses, draw
from spectcount.listeners.audio_lm import MAX_NEW_TOKENS, AudioLM
from spectcount.params import Declared, param
from spectcount.trials import Question

WAYS = {
    "naive": "stock processor and `generate`, one question at a time",
    "batched": "stock processor and one stock forward per batch, last position's logits",
    "ours": "what SpectCount does",
}
Work = tuple[Callable[[], object], int]
"""What is timed, and how many questions or clips it deals with."""
PEAK_SIZE = {"cpu": 1024, "cuda": 8192, "mps": 4096}


@dataclass(frozen=True)
class BenchOptions(Declared):
    """Questions and turns that are timed."""

    clips: int = param(16, "Clips of one turn.", low=1, high=4096)
    questions_per_clip: int = param(3, "Questions about each clip.", low=1, high=6)
    duration_s: float = param(10.0, "Length of the clips.", low=0.5, high=30, unit="s")
    batch: int = param(8, "Batch of the stock forward.", low=1, high=512)
    turns: int = param(5, "Turns of each way.", low=1, high=100)
    naive_clips: int = param(4, "Clips of one turn of the naive loop.", low=1, high=4096)


@dataclass(frozen=True)
class Way:
    """One way's result: questions per second of each turn, their median, memory of the device
    (or of the process) in MB at its highest."""

    name: str
    what: str
    per_second: list[float]
    median: float
    memory_mb: float


@dataclass(frozen=True)
class Result:
    """The measurement. `ratios`: ours over the others; `flop_per_question` and `peak_share` are
    of ours, `peak_gflops` of the device."""

    listener: str
    path: str
    device: str
    dtype: str
    torch_threads: int
    options: dict[str, Any]
    ways: dict[str, Way]
    ratios: dict[str, float]
    gflop_per_question: float
    peak_gflops: float
    peak_share: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def measure(
    listener: AudioLM, options: BenchOptions, report: Callable[[str], None] = lambda line: None
) -> Result:
    """Time the three ways on the same questions, in turns after one turn that does not count."""
    questions = make_questions(options)
    few = questions[: options.naive_clips * options.questions_per_clip]
    ways: dict[str, Work] = {
        "naive": (partial(_naive, listener, few), len(few)),
        "batched": (partial(_batched, listener, questions, options.batch), len(questions)),
        "ours": (partial(listener.score, questions), len(questions)),
    }
    timings = take_turns(ways, options.turns, listener.loaded.device, "questions", report)
    done = {
        name: Way(name, WAYS[name], t.per_second, t.median, t.memory_mb)
        for name, t in timings.items()
    }
    flop = flop_of(partial(listener.score, few)) / len(few)
    peak = matmul_peak(listener.loaded.device, listener.loaded.dtype)
    return Result(
        listener=listener.name,
        path=listener.loaded.path,
        device=device_name(listener.loaded.device),
        dtype=str(listener.loaded.dtype).removeprefix("torch."),
        torch_threads=torch.get_num_threads(),
        options=options.to_dict(),
        ways=done,
        ratios={n: done["ours"].median / done[n].median for n in ("naive", "batched")},
        gflop_per_question=flop / 1e9,
        peak_gflops=peak / 1e9,
        peak_share=done["ours"].median * flop / peak,
    )


def make_questions(options: BenchOptions) -> list[Question]:
    """`clips` clips of 0 to 7 pulses, each asked "how many" in `questions_per_clip` wordings."""
    stimuli = [
        draw(Pulses(duration_s=options.duration_s, n_events=i % 8), i) for i in range(options.clips)
    ]
    wordings = range(options.questions_per_clip)
    return [Question(s, "count", wording=w) for s in stimuli for w in wordings]


def _naive(listener: AudioLM, questions: Sequence[Question]) -> None:
    loaded = listener.loaded
    for question in questions:
        inputs = loaded.stock_inputs([question.prompt], [question.audio()])
        with listener.adapted() as model:
            model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)


def _batched(listener: AudioLM, questions: Sequence[Question], size: int) -> None:
    for start in range(0, len(questions), size):
        part = questions[start : start + size]
        inputs = listener.loaded.stock_inputs([q.prompt for q in part], [q.audio() for q in part])
        with listener.adapted() as model:
            model(**inputs, use_cache=False).logits[:, -1].float().cpu()


@dataclass(frozen=True)
class Timing:
    """One way's turns: rates per second, their median, memory of the device (or of the process)
    in MB at its highest."""

    per_second: list[float]
    median: float
    memory_mb: float


def take_turns(
    ways: Mapping[str, Work],
    turns: int,
    device: torch.device,
    unit: str,
    report: Callable[[str], None],
) -> dict[str, Timing]:
    """Time some ways in turns, after one turn that does not count; rates in `unit` per second."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    memory = dict.fromkeys(ways, 0.0)
    for turn in range(turns + 1):
        for name, (work, n) in ways.items():
            seconds, peak_mb = timed(work, device)
            if turn:
                rates[name].append(n / seconds)
                memory[name] = max(memory[name], peak_mb)
                report(f"turn {turn}: {name} {n / seconds:.2f} {unit}/s")
    return {name: Timing(r, statistics.median(r), memory[name]) for name, r in rates.items()}


def timed(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """(seconds, memory of the device or of the process in MB at its highest)."""
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    work()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    used = torch.cuda.max_memory_allocated() if cuda else psutil.Process().memory_info().rss
    return seconds, used / 1e6


def flop_of(work: Callable[[], object]) -> float:
    """Floating-point operations of `work`, forward and backward: matrix products, attention and
    convolutions."""
    from torch.utils.flop_counter import (
        FlopCounterMode,
        sdpa_backward_flop_count,
        sdpa_flop_count,
    )

    def forward(query: Any, key: Any, value: Any, *rest: Any, **more: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    def backward(grad: Any, query: Any, key: Any, value: Any, *rest: Any, **more: Any) -> int:
        return int(sdpa_backward_flop_count(grad, query, key, value))

    aten = torch.ops.aten
    on_cpu = {
        aten._scaled_dot_product_flash_attention_for_cpu: forward,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }
    with FlopCounterMode(display=False, custom_mapping=on_cpu) as counter:
        work()
    return float(counter.get_total_flops())


def matmul_peak(device: torch.device, dtype: torch.dtype, seconds: float = 0.5) -> float:
    """FLOP/s of a square matrix product: the best of the runs that fit into `seconds`."""
    n = PEAK_SIZE.get(device.type, 1024)
    a, b = torch.randn(n, n, device=device, dtype=dtype), torch.randn(n, n, device=device).to(dtype)
    best, end = 0.0, time.perf_counter() + seconds
    while best == 0.0 or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(4):
            a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 4 * 2 * n**3 / (time.perf_counter() - start))
    return best


def device_name(device: torch.device) -> str:
    """The name of a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    import platform

    return f"{platform.processor() or platform.machine()} CPU" if device.type == "cpu" else "mps"
