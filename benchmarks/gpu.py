"""Everything that only a GPU can show, in one go: `make gpu`, or `python benchmarks/gpu.py`.

A full-size Audio Flamingo 3 with random weights is written by the device itself, loaded, held
against itself in float32, timed against the naive ways, driven out of memory, adapted, quantised
and trained. No network; one line a step; every step is guarded, so that a failure hides nothing;
the figures go to a JSON file after every step. Steps come in the order of their worth, and those
that no time is left for are told as skipped.

Without a GPU: `--tiny` rehearses all steps on the CPU with a model of two narrow layers.

Conventions: seconds, GB of 10^9 bytes; differences of log-probabilities in nats, shares of the
logits' spread.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if TYPE_CHECKING:
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel
    from spectcount.settings import Settings
    from spectcount.trials import Question

Figures = dict[str, float | int | str | bool]
CARD = "audio-flamingo-3"
NAME = f"{CARD}-random"
BUDGET_S = 420.0
AGREE_NATS = 1.0
"""Closed-set log-probabilities of two ways in bfloat16, logits of std 3: about 0.1 is seen."""


@dataclass(frozen=True)
class Size:
    """How much is asked: `clips` of a turn, their lengths, training `batch`, rows of batches."""

    clips: int = 48
    long_s: float = 30.0
    short_s: float = 5.0
    turns: int = 2
    naive_clips: int = 2
    train_batch: int = 8
    rows: tuple[int, ...] = (1, 4, 16)
    dtype: str = "bfloat16"


TINY = Size(8, 4.0, 2.5, 1, 1, 2, (1, 2, 4))


@dataclass
class Check:
    """What the steps share."""

    settings: Settings
    size: Size
    tiny: bool
    results: dict[str, Figures] = field(default_factory=dict)

    @property
    def cuda(self) -> bool:
        return self.settings.device.startswith("cuda")

    @property
    def folder(self) -> Path:
        return self.settings.home / "models" / NAME

    def listener(self, options: str = "+bf16") -> AudioLM:
        """The model, in memory once."""
        from spectcount.listeners import load_here

        return load_here(NAME + options, self.settings)

    def unload(self) -> None:
        from spectcount.listeners import unload

        unload()
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def write(check: Check) -> Figures:
    """The model, made on the device and saved."""
    from spectcount.listeners.checkpoints.cards import cards
    from spectcount.training import full_size

    card, window_s = cards(check.settings)[CARD], full_size.WINDOW_S
    if check.tiny:
        window_s = 6
        card = full_size.narrow(card, 64, 2, 2, window_s)
    models, device = check.settings.home / "models", check.settings.device
    full_size.write(card, models, device, torch.bfloat16, window_s=window_s)
    check.unload()
    files = list(check.folder.glob("*.safetensors"))
    return {"files": len(files), "gb": sum(file.stat().st_size for file in files) / 1e9}


def load(check: Check) -> Figures:
    """Loading: time, memory of the device and of the host against the forecast, path taken."""
    from spectcount.listeners.checkpoints import needs
    from spectcount.listeners.checkpoints.loading import LoadOptions

    wanted = needs.scoring_forecast(
        check.folder, LoadOptions(dtype=check.size.dtype), check.settings.device
    )
    check.unload()
    before_gb, start = _host_gb(), time.perf_counter()
    loaded = check.listener().loaded
    seconds = time.perf_counter() - start
    return {
        "load_s": seconds,
        "path": loaded.scoring.words,
        "device_peak_gb": _device_gb(check),
        "weights_gb": loaded.bytes / 1e9,
        "forecast_gb": wanted.gb,
        "host_grew_gb": _host_gb() - before_gb,
        "ok": loaded.path == "staged",
    }


def parity(check: Check) -> Figures:
    """Staged and stock in bfloat16, both against the stock forward in float32: staged may be no
    further from the truth than stock is; in float32 both are one."""
    from spectcount.listeners import load_model, unload
    from spectcount.listeners.scoring import gate

    loaded = check.listener().loaded
    staged, stock = (gate._seen(loaded, way) for way in ("staged", "cached"))
    exact = load_model(f"{NAME}+float32", check.settings)
    truth, fast = (gate._seen(exact, way) for way in ("appended", "staged"))
    words = exact.scoring.words
    floor = gate.rounding_floor(loaded)
    unload(f"{NAME}+float32")
    near, of_staged, of_stock, of_fast = (
        gate.compare(one, other, 0.0)
        for one, other in ((staged, stock), (staged, truth), (stock, truth), (fast, truth))
    )
    return {
        "logit_std": truth.logits.std().item(),
        "staged_stock_rms": near.rms_share,
        "staged_stock_answers_nats": near.answers_nats,
        "staged_float32_rms": of_staged.rms_share,
        "stock_float32_rms": of_stock.rms_share,
        "float32_rms": of_fast.rms_share,
        "float32_path": words,
        "rounding_rms": floor.rms_share,
        "rounding_answers_nats": floor.answers_share * near.spread,
        "ok": of_staged.rms_share <= 1.3 * of_stock.rms_share and of_fast.rms_share < 1e-4,
    }


def scores(check: Check) -> Figures:
    """Closed-set scores over batch sizes, and staged against stock, all spellings."""
    loaded, asked = check.listener().loaded, questions(8, check.size.short_s)
    by_rows = {rows: _scored(loaded, asked, rows) for rows in check.size.rows}
    most = by_rows[max(by_rows)]
    with _path(loaded, "stock"):
        stock = _scored(loaded, asked, max(by_rows))
    apart = {f"rows_{n}_nats": _worst(found, most) for n, found in by_rows.items()}
    gap = _worst(most, stock)
    return {**apart, "staged_stock_nats": gap, "ok": max(gap, *apart.values()) < AGREE_NATS}


def speed_long(check: Check) -> Figures:
    """Questions per second on clips that fill the window, against the naive ways."""
    return _speed(check, check.size.long_s)


def speed_short(check: Check) -> Figures:
    """The same on short clips, where padding to the window costs the naive ways most."""
    return _speed(check, check.size.short_s)


def stock_speed(check: Check) -> Figures:
    """The stock path, all answers in a tree behind one cached prompt, against the naive loop."""
    from spectcount.listeners.scoring import bench

    options = _bench_options(check, check.size.long_s)
    options = options.replace(clips=max(2, options.clips // 4), turns=1)
    listener = check.listener()
    with _path(listener.loaded, "stock"):
        result = bench.measure(listener, options)
    found = {f"{name}_per_s": way.median for name, way in result.ways.items()}
    return {**found, "over_naive": result.ratios["naive"], "ok": result.ratios["naive"] > 1}


def out_of_memory(check: Check) -> Figures:
    """Batches grow until memory ends, back off, and the answers stay."""
    if not check.cuda:
        return {"skipped": "no CUDA device"}
    loaded, asked = check.listener().loaded, questions(40, check.size.long_s)
    small = _scored(loaded, asked, 4)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 4e9) / total)
    try:
        from spectcount.listeners.audio_lm import AudioLM

        listener = AudioLM(loaded, "tight")
        large = listener.score(asked).log_probs
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    size, gap = listener.size, _worst(large, small)
    return {
        "rows": size.rows,
        "limit": size.limit,
        "gap_nats": gap,
        "ok": size.limit < 512 and gap < AGREE_NATS,
    }


def adapters(check: Check) -> Figures:
    """An adapter made by plain peft: base unmoved, base and tuned in one batch as each alone."""
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.scoring import together

    loaded = check.listener().loaded
    folder = _plain_adapter(loaded, check.settings.home / "plain-adapter")
    asked = questions(8, check.size.short_s)
    base = AudioLM(loaded, "base")
    before = base.score(asked).log_probs
    tuned = AudioLM(loaded, "tuned", folder)
    alone = [base.score(asked).log_probs, tuned.score(asked).log_probs]
    shared = together.may_share([base, tuned])
    mixed = together.score_together([base, tuned], asked) if shared else []
    gap = max((_worst(s.log_probs, a) for s, a in zip(mixed, alone, strict=False)), default=-1.0)
    moved = _worst(before, alone[0])
    return {
        "tuned_moves_nats": _worst(*alone),
        "base_moves_nats": moved,
        "mixed": shared,
        "mixed_gap_nats": gap,
        "ok": shared and 0 <= gap < AGREE_NATS and moved < 1e-3,
    }


def train_step(check: Check) -> Figures:
    """A step of a LoRA fine-tune against the stock way: clips per second, one loss."""
    from spectcount.training import bench

    check.unload()
    options = {
        "batch": check.size.train_batch,
        "duration_s": check.size.long_s,
        "turns": 2,
        "steps": 1,
        "gradient_checkpointing": True,
        "dtype": check.size.dtype,
        "scope": "both",
    }
    result = bench.bench(check.settings, NAME, options)
    ours, stock = result.ways["ours"], result.ways["stock"]
    gap = abs(result.losses["ours"] - result.losses["stock"])
    check.unload()
    return {
        "path": result.path,
        "ours_clips_per_s": ours.median,
        "stock_clips_per_s": stock.median,
        "ratio": result.ratio,
        "share_of_peak": ours.peak_share,
        "ours_gb": ours.memory_mb / 1e3,
        "stock_gb": stock.memory_mb / 1e3,
        "loss_gap": gap,
        "ok": gap < 0.1,
    }


def four_bit(check: Check) -> Figures:
    """The language model in 4 bits: memory against the forecast of as many clips as go through at
    once, path, speed."""
    import importlib.util

    if not check.cuda or importlib.util.find_spec("bitsandbytes") is None:
        return {"skipped": "needs a CUDA device and bitsandbytes"}
    from spectcount.listeners.checkpoints import needs

    check.unload()
    start = time.perf_counter()
    listener = check.listener("+4bit")
    listener.size.limit = listener.size.rows
    clips = {"batch": listener.size.rows, "seconds": check.size.long_s}
    wanted = needs.forecast_for(f"{NAME}+4bit", check.settings, clips)
    load_s, asked = time.perf_counter() - start, questions(24, check.size.long_s)
    start = time.perf_counter()
    listener.score(asked)
    rate = len(asked) / (time.perf_counter() - start)
    return {
        "load_s": load_s,
        "path": listener.loaded.scoring.words,
        "questions_per_s": rate,
        "weights_gb": listener.loaded.bytes / 1e9,
        "peak_gb": _device_gb(check),
        "rows": listener.size.rows,
        "forecast_gb": wanted.gb,
        "ok": _device_gb(check) < 1.1 * wanted.gb,
    }


def resume(check: Check) -> Figures:
    """A fine-tune of the shipped model killed after a checkpoint and resumed, against one left
    alone (bits are not promised on CUDA)."""
    import safetensors.torch

    sets = {
        "steps": 6,
        "save_every": 2,
        "evaluate_every": 100,
        "held_out": 4,
        "batch": 4,
        "clip_high_s": 3,
        "clip_low_s": 2,
        "dropout": 0.0,
    }
    tune = ["tune", "paper", "--listener", "tiny-lalm"]
    tune += [part for name, value in sets.items() for part in ("--set", f"{name}={value}")]
    runs = check.settings.runs
    whole = _new_run(check, runs, *tune, "--wait")
    killed = _new_run(check, runs, *tune)
    _kill_after_a_checkpoint(killed)
    _command(check, "runs", "resume", killed.name, "--wait", "--json")
    one, other = (
        safetensors.torch.load_file(folder / "adapter" / "adapter_model.safetensors")
        for folder in (whole, killed)
    )
    gap = max((one[name] - other[name]).abs().max().item() for name in one)
    largest = max(value.abs().max().item() for value in one.values())
    return {"largest_gap": gap, "largest_weight": largest, "ok": gap < 0.02 * largest}


STEPS: dict[str, Callable[[Check], Figures]] = {
    "write": write,
    "load": load,
    "parity": parity,
    "scores": scores,
    "speed-long": speed_long,
    "speed-short": speed_short,
    "adapters": adapters,
    "out-of-memory": out_of_memory,
    "train-step": train_step,
    "four-bit": four_bit,
    "stock-speed": stock_speed,
    "resume": resume,
}


def questions(n: int, seconds: float) -> list[Question]:
    """So many clips of 0 to 7 pulses, each asked "how many"."""
    from spectcount.listeners.scoring import bench

    return bench.make_questions(
        bench.BenchOptions(clips=n, questions_per_clip=1, duration_s=seconds)
    )


def _speed(check: Check, seconds: float) -> Figures:
    from spectcount.listeners.scoring import bench

    listener = check.listener()
    result = bench.measure(listener, _bench_options(check, seconds))
    ways = {f"{name}_per_s": way.median for name, way in result.ways.items()}
    ratios = {f"over_{name}": ratio for name, ratio in result.ratios.items()}
    return {
        **ways,
        **ratios,
        "path": result.path,
        "share_of_peak": result.peak_share,
        "peak_tflops": result.peak_gflops / 1e3,
        "gflop_per_question": result.gflop_per_question,
        "ours_gb": result.ways["ours"].memory_mb / 1e3,
        "rows": listener.size.rows,
        "ok": result.ratios["naive"] > 1,
    }


def _bench_options(check: Check, seconds: float):  # type: ignore[no-untyped-def]
    from spectcount.listeners.scoring.bench import BenchOptions

    size = check.size
    return BenchOptions(
        clips=size.clips,
        questions_per_clip=3,
        duration_s=seconds,
        batch=16,
        turns=size.turns,
        naive_clips=size.naive_clips,
    )


class _path:
    """While open, a model is scored by the path named, the stock one by its tree of answers."""

    def __init__(self, loaded: LoadedModel, path: str):
        self.loaded, self.path = loaded, path
        self.before, self.scoring = loaded.path, loaded.scoring

    def __enter__(self) -> None:
        self.loaded.path = self.path
        self.loaded.scoring = dataclasses.replace(self.scoring, way="tree")

    def __exit__(self, *_: object) -> None:
        self.loaded.path, self.loaded.scoring = self.before, self.scoring


def _scored(loaded: LoadedModel, asked: Sequence[Question], rows: int) -> np.ndarray:
    from spectcount.listeners.audio_lm import AudioLM

    listener = AudioLM(loaded, "sized")
    listener.size.rows = listener.size.limit = rows
    return listener.score(asked).log_probs


def _worst(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


def _plain_adapter(loaded: LoadedModel, folder: Path) -> Path:
    """An adapter as plain peft saves it; the model is left without it."""
    from peft import LoraConfig, get_peft_model

    targets = loaded.family.lora_targets("both")
    tuned = get_peft_model(loaded.model, LoraConfig(r=8, lora_alpha=16, target_modules=targets))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.01)
    tuned.save_pretrained(folder)
    tuned.unload()
    if hasattr(loaded.model, "peft_config"):
        del loaded.model.peft_config
    return folder


def _new_run(check: Check, runs: Path, *words: str) -> Path:
    """The folder of the run that a command starts."""
    before = set(runs.iterdir())
    _command(check, *words, "--json")
    (new,) = set(runs.iterdir()) - before
    return new


def _command(check: Check, *words: str) -> str:
    program = [sys.executable, "-m", "spectcount", "--device", check.settings.device]
    done = subprocess.run(
        [*program, *words],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, **check.settings.environment()},
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:2])}: {(done.stdout + done.stderr)[-400:]}")
    return done.stdout


def _kill_after_a_checkpoint(run: Path, patience_s: float = 120.0) -> None:
    """SIGKILL to every process of the run once it has saved a checkpoint."""
    end = time.monotonic() + patience_s
    while not list(run.glob("checkpoints/*/complete")) and time.monotonic() < end:
        time.sleep(0.02)
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if run.name in words and process.pid != os.getpid():
            os.kill(process.pid, signal.SIGKILL)


def _device_gb(check: Check) -> float:
    return torch.cuda.max_memory_allocated() / 1e9 if check.cuda else _host_gb()


def _host_gb() -> float:
    return psutil.Process().memory_info().rss / 1e9


def _line(name: str, verdict: str, seconds: float, figures: Mapping[str, object]) -> str:
    words = [f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in figures.items()]
    return f"{verdict:4} {name} {seconds:.0f} s  {' '.join(words)}"


def run(check: Check, steps: Sequence[str], budget_s: float, out: Path) -> bool:
    """All steps, each guarded; whether none failed."""
    began = time.monotonic()
    for name in steps:
        if time.monotonic() - began > budget_s:
            print(_line(name, "SKIP", 0, {"skipped": f"the budget of {budget_s:g} s is spent"}))
            continue
        start = time.perf_counter()
        try:
            figures = STEPS[name](check)
        except Exception as error:  # a step's failure must not hide the others
            figures = {"ok": False, "error": f"{type(error).__name__}: {str(error)[:400]}"}
        seconds = time.perf_counter() - start
        check.results[name] = {"seconds": seconds, **figures}
        passed = bool(figures.pop("ok", True))
        verdict = "SKIP" if "skipped" in figures else "PASS" if passed else "FAIL"
        print(_line(name, verdict, seconds, figures), flush=True)
        out.write_text(json.dumps(_document(check), indent=1, default=str) + "\n")
    good = all(bool(figures.get("ok", True)) for figures in check.results.values())
    print(f"{'PASS' if good else 'FAIL'} in {time.monotonic() - began:.0f} s, figures in {out}")
    return good


def _document(check: Check) -> dict[str, object]:
    """What was measured, where, with what."""
    import transformers

    from spectcount.listeners.scoring.bench import device_name

    return {
        "card": CARD,
        "tiny": check.tiny,
        "size": dataclasses.asdict(check.size),
        "device": device_name(torch.device(check.settings.device)),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "steps": check.results,
    }


def main(words: Sequence[str] | None = None) -> int:
    """The command; 0 where no step failed, 1 where one did or there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="rehearse on the CPU")
    parser.add_argument("--steps", nargs="+", choices=STEPS, help="only these")
    parser.add_argument("--skip", nargs="+", choices=STEPS, default=[], help="all but these")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds")
    parser.add_argument("--work", type=Path, default=Path("/tmp/spectcount-gpu"))
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    given = parser.parse_args(words)
    if not given.tiny and given.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device here; `make gpu ARGS=--tiny` rehearses the check on the CPU")
        return 1
    from spectcount.settings import load_settings

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    settings = load_settings(home=given.work, device="cpu" if given.tiny else given.device)
    check = Check(settings, TINY if given.tiny else Size(), given.tiny)
    steps = [s for s in given.steps or STEPS if s not in given.skip]
    return 0 if run(check, steps, given.budget, given.out) else 1


if __name__ == "__main__":
    sys.exit(main())
