"""Make the embedded model from a seed.

    python recipes/tiny_lalm2/make.py [--out tiny-lalm] [--seed 0] [--steps 12000] [--threads 2]
        [--state FOLDER] [--resume]

Three objectives share each step. Answers: cross-entropy on the answer's tokens, on clips of the
alignment diet, every clip asked in several wordings that share its audio. Running: `running.py`,
on the same clips. Hearing: `hearing.py`, on clips of both diets. Every draw of step i depends on
(seed, i) alone. `--state` keeps weights, optimiser and step every few minutes; `--resume` goes on
from there.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from recipes.tiny_lalm2 import diet, hearing, running  # noqa: E402
from recipes.tiny_lalm2 import model as untrained  # noqa: E402
from recipes.tiny_lalm2.wordings import worded  # noqa: E402
from spectcount.errors import UserError  # noqa: E402
from spectcount.listeners.families import FAMILIES  # noqa: E402
from spectcount.params import Declared, param  # noqa: E402
from spectcount.stimulus import Stimulus  # noqa: E402
from spectcount.synth import synthesise  # noqa: E402
from spectcount.tasks import TASKS  # noqa: E402

FAMILY = FAMILIES["qwen2-audio"]
WEIGHTS = {
    "onset": 16.0,
    "sound": 16.0,
    "channel": 16.0,
    "level": 1.0,
    "running": 1.0,
    "pitch": 4.0,
    "loudness": 4.0,
    "interval_length": 4.0,
}
WARM_STEPS = 200
REACH_SHARE = 0.3
"""By this share of the steps the differences reach the diet's hardest end."""
DECAY_SHARE = 0.35
"""Over this last share of the steps the learning rate falls to 0."""
STATE_S = 240.0
SCALARS_FROM = 2000
"""From this step on the encoder also tells pitch and loudness, each as one number."""
LATER_FROM = 3000
"""From this step on it also tells the time since the last onset; later shares."""
LONG_SHARE = 0.08


@dataclass(frozen=True)
class MakeOptions(Declared):
    """How the embedded model is made; the defaults made the one that is shipped."""

    seed: int = param(0, "Seed of weights and data.", low=0, high=2**31 - 1)
    steps: int = param(12_000, "Optimiser steps.", low=1, high=1_000_000)
    batch: int = param(12, "Clips that are asked about, per step.", low=1, high=4096)
    wordings: int = param(3, "Questions on each of them.", low=1, high=64)
    hearing_batch: int = param(5, "Clips for the encoder only, per step.", low=0, high=4096)
    learning_rate: float = param(1.2e-3, "Peak learning rate.", low=1e-6, high=1e-1)
    hearing_weight: float = param(1.0, "Weight of the encoder's objective.", low=0, high=100)
    threads: int = param(2, "CPU threads.", low=1, high=256)
    bfloat16: bool = param(True, "Products of matrices in bfloat16, weights in float32.")


@dataclass(frozen=True)
class Asked:
    """A question in words with the answer that is taught."""

    task: str
    prompt: str
    answer: str


@dataclass(frozen=True)
class Batch:
    """One step's data: clips with questions first, then clips for the encoder only."""

    asked: list[list[Asked]]
    tasks: list[tuple[str, ...]]
    waveforms: np.ndarray
    stimuli: list[Stimulus]


def draw_batch(options: MakeOptions, step: int) -> Batch:
    """The data of one step, a function of (seed, step) alone; one clip length for all."""
    rng = np.random.default_rng([options.seed, step])
    reach = min(1.0, (step + 1) / (REACH_SHARE * options.steps))
    duration_s = _duration_s(rng, reach)
    shares = diet.LATER_SHARES if step >= LATER_FROM else diet.SHARES
    stimuli, waves, asked, all_tasks = [], [], [], []
    while len(stimuli) < options.batch + options.hearing_batch:
        answered = len(stimuli) < options.batch
        wanted = diet.ALIGNMENT if answered else diet.HEARING
        drawing = diet.Draw(wanted, rng, duration_s, reach if answered else 1.0)
        stimulus, tasks = diet.draw_clip(drawing, shares)
        try:
            waves.append(synthesise(stimulus))
        except UserError:
            continue
        stimuli.append(stimulus)
        if answered:
            asked.append(_questions(stimulus, tasks, options.wordings, rng))
            all_tasks.append(tasks)
    return Batch(asked, all_tasks, np.stack(waves), stimuli)


def _duration_s(rng: np.random.Generator, reach: float) -> float:
    """Short clips first, which are cheap; longer ones later, now and then a whole window."""
    if rng.random() < LONG_SHARE * reach:
        return round(float(rng.uniform(4, untrained.WINDOW_S)), 2)
    longest_s = 2.4 * (4.4 / 2.4) ** reach
    return round(float(np.exp(rng.uniform(np.log(1.2), np.log(longest_s)))), 2)


def _questions(
    stimulus: Stimulus, tasks: tuple[str, ...], n: int, rng: np.random.Generator
) -> list[Asked]:
    asked = []
    for k in range(n):
        task = tasks[k % len(tasks)]
        answer = diet.answer(stimulus, task, rng) or diet.answer(stimulus, tasks[0], rng)
        task = task if diet.answer(stimulus, task, rng) else tasks[0]
        asked.append(Asked(task, worded(TASKS[task], rng), answer or ""))
    return asked


@dataclass(frozen=True)
class Packed:
    """Questions behind the audio that they share, as one row a clip.

    `before`, `after` [1, n]: tokens around the audio. `ids` [B, K, S]: the questions with their
    answers, padded on the right; `labels` [B, K, S]: the token that follows, -100 where none is
    taught; `mask` [B, K, S], true for real tokens.
    """

    before: torch.Tensor
    after: torch.Tensor
    ids: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor


def pack(asked: list[list[Asked]], processor: Any) -> Packed:
    """The tokens of a batch."""
    audio = FAMILY.audio_token_id(processor)
    end_of_audio = processor.tokenizer.convert_tokens_to_ids("<|audio_eos|>")
    pad = FAMILY.pad_id(processor)
    heads: list[int] = []
    tails, wanted = [], []
    for questions in asked:
        for question in questions:
            ids = FAMILY.prompt_ids(question.prompt, 1, processor)
            cut = ids.index(end_of_audio) + 1
            heads, answer = ids[:cut], FAMILY.answer_ids(question.answer, processor)
            tails.append([*ids[cut:], *answer[:-1]])
            wanted.append([-100] * (len(ids) - cut - 1) + answer)
    longest = max(map(len, tails))
    shape = (len(asked), len(asked[0]), longest)
    at = heads.index(audio)
    return Packed(
        torch.tensor([heads[:at]]),
        torch.tensor([heads[at + 1 :]]),
        torch.tensor([t + [pad] * (longest - len(t)) for t in tails]).view(shape),
        torch.tensor([w + [-100] * (longest - len(w)) for w in wanted]).view(shape),
        torch.tensor([[1] * len(t) + [0] * (longest - len(t)) for t in tails]).view(shape).bool(),
    )


def answer_losses(
    model: Any, packed: Packed, audio: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cross-entropy over the answer's tokens of every question, [B, K], and the states of the
    audio tokens before the last layer, [B, tokens, width]."""
    n, k, length = packed.ids.shape
    embed = model.get_input_embeddings()
    before, after = (embed(ids).expand(n, -1, -1) for ids in (packed.before, packed.after))
    text = embed(packed.ids).flatten(1, 2)
    embeds = torch.cat([before, audio.to(text.dtype), after, text], dim=1)
    prefix = embeds.shape[1] - k * length
    positions = torch.cat([torch.arange(prefix), prefix + torch.arange(length).repeat(k)]).to(
        embeds.device
    )
    mask = _tree_mask(packed.mask, prefix, embeds.dtype)
    out = FAMILY.language_model(model)(
        inputs_embeds=embeds,
        attention_mask=mask,
        position_ids=positions[None].expand(n, -1),
        use_cache=False,
        output_hidden_states=True,
    )
    start = packed.before.shape[1]
    states = out.hidden_states[-2][:, start : start + audio.shape[1]]
    hidden = out.last_hidden_state[:, prefix:].reshape(n, k, length, -1)
    taught = packed.labels != -100
    logits = FAMILY.logits(model, hidden[taught]).float()
    losses = torch.nn.functional.cross_entropy(logits, packed.labels[taught], reduction="none")
    sums = torch.zeros(n, k, device=losses.device)
    row, column, _ = taught.nonzero(as_tuple=True)
    sums = sums.index_put((row, column), losses, accumulate=True)
    return sums / taught.sum(-1), states


def _tree_mask(real: torch.Tensor, prefix: int, dtype: torch.dtype) -> torch.Tensor:
    """Additive [B, 1, L, L]: everybody sees the prefix before it, a question itself alone."""
    n, k, length = real.shape
    total = prefix + k * length
    group = torch.cat([torch.full((prefix,), -1), torch.arange(k).repeat_interleave(length)]).to(
        real.device
    )
    causal = torch.ones(total, total, dtype=torch.bool, device=real.device).tril()
    seen = causal & ((group[None] == -1) | (group[:, None] == group[None]))
    keys = torch.cat([real.new_ones(n, prefix), real.flatten(1)], dim=1)
    allowed = seen[None] & keys[:, None] | torch.eye(total, dtype=torch.bool, device=real.device)
    return torch.zeros(n, 1, total, total, dtype=dtype, device=real.device).masked_fill_(
        ~allowed[:, None], torch.finfo(dtype).min
    )


class Trainer:
    """Weights, optimiser and step of a run."""

    def __init__(self, options: MakeOptions, device: str = "cpu"):
        torch.set_num_threads(options.threads)
        self.options, self.step, self.cpu_s = options, 0, 0.0
        self.processor = untrained.build_processor()
        self.model = untrained.build_model(self.processor, options.seed).to(device).train()
        # the fused attention's backward in bfloat16 takes as long as all the rest on a CPU
        self.model.set_attn_implementation("eager")
        self.head = hearing.Head(untrained.WIDTH).to(device)
        self.running = running.Head(untrained.WIDTH).to(device)
        self.scalars = hearing.Scalars(untrained.WIDTH).to(device)
        self.intervals = hearing.Intervals(untrained.WIDTH).to(device)
        modules = (self.model, self.head, self.running, self.scalars, self.intervals)
        self.weights = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.weights, lr=options.learning_rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True
        )

    def update(self, batch: Batch) -> dict[str, float]:
        """One step; its losses by name, tasks too."""
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.options.bfloat16):
            losses, by_task = self._losses(batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * rate_at(self.step, self.options.steps)
        self.optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        self.step += 1
        return {name: value.item() for name, value in losses.items()} | by_task

    def _losses(self, batch: Batch) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        device, options = self.model.device, self.options
        waves = torch.from_numpy(batch.waveforms).to(device)
        states = FAMILY.audio_states(self.model, waves, self.processor)
        wanted = hearing.targets(batch.stimuli, states.shape[1])
        heard = self.head.losses(states, wanted)
        if self.step >= SCALARS_FROM:
            heard |= self.scalars.losses(states, hearing.loudest(batch.stimuli, states.shape[1]))
        if self.step >= LATER_FROM:
            lengths = hearing.intervals(batch.stimuli, states.shape[1])
            heard |= self.intervals.losses(states, lengths)
        audio = FAMILY.project(self.model, states[: len(batch.asked)])
        each, carried = answer_losses(self.model, pack(batch.asked, self.processor), audio)
        clips = list(zip(batch.stimuli, batch.tasks, strict=False))
        heard["running"] = self.running.loss(carried, running.targets(clips, audio.shape[1]))
        total = each.mean() + options.hearing_weight * sum(
            WEIGHTS[name] * loss for name, loss in heard.items()
        )
        by_task: dict[str, list[float]] = defaultdict(list)
        for questions, values in zip(batch.asked, each.detach().tolist(), strict=True):
            for question, value in zip(questions, values, strict=True):
                by_task[question.task].append(value)
        means = {task: float(np.mean(values)) for task, values in by_task.items()}
        return {"total": total, "answers": each.mean(), **heard}, means

    def save_state(self, folder: Path) -> None:
        """Everything to go on from, in one file that is whole or absent."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "options": self.options.to_dict(),
            "step": self.step,
            "cpu_s": self.cpu_s + time.process_time(),
            "model": self.model.state_dict(),
            "head": self.head.state_dict(),
            "running": self.running.state_dict(),
            "scalars": self.scalars.state_dict(),
            "intervals": self.intervals.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state, folder / "state.part")
        os.replace(folder / "state.part", folder / "state.pt")

    def load_state(self, folder: Path) -> None:
        """Go on from `save_state`."""
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        self.step, self.cpu_s = state["step"], state.get("cpu_s", 0.0)
        self.model.load_state_dict(state["model"])
        self.head.load_state_dict(state["head"])
        self.running.load_state_dict(state["running"])
        self.scalars.load_state_dict(state["scalars"])
        self.intervals.load_state_dict(state["intervals"])
        self.optimiser.load_state_dict(state["optimiser"])

    def save(self, out: Path) -> None:
        """Model and processor as they are loaded, and how they were made."""
        out.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(out)
        self.processor.save_pretrained(out)
        made = {
            "options": self.options.to_dict(),
            "alignment": diet.ALIGNMENT.to_dict(),
            "hearing": diet.HEARING.to_dict(),
            "step": self.step,
            "cpu_minutes": round((self.cpu_s + time.process_time()) / 60, 1),
            "device": str(self.model.device),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "torch": torch.__version__,
        }
        (out / "pretraining.json").write_text(json.dumps(made, indent=2) + "\n")


def rate_at(step: int, steps: int) -> float:
    """Share of the peak learning rate: a rise, a level stretch, a straight fall to 0."""
    rise = min(1.0, (step + 1) / min(WARM_STEPS, steps))
    return min(rise, (steps - step) / max(DECAY_SHARE * steps, 1))


def prefetch(options: MakeOptions, first: int) -> Iterator[Batch]:
    """Batches in order from step `first`, drawn ahead by a thread."""
    ahead: queue.Queue[Batch | Exception] = queue.Queue(maxsize=4)

    def fill() -> None:
        try:
            for step in range(first, options.steps):
                ahead.put(draw_batch(options, step))
        except Exception as error:
            ahead.put(error)

    threading.Thread(target=fill, daemon=True).start()
    for _ in range(first, options.steps):
        batch = ahead.get()
        if isinstance(batch, Exception):
            raise batch
        yield batch


def train(
    trainer: Trainer,
    state: Path | None = None,
    report: Callable[[int, dict[str, float]], None] = lambda step, values: None,
    every: int = 50,
) -> dict[str, float]:
    """All steps that are left; the mean losses of the last stretch."""
    sums: dict[str, list[float]] = defaultdict(list)
    means: dict[str, float] = {}
    saved = time.monotonic()
    for batch in prefetch(trainer.options, trainer.step):
        for name, value in trainer.update(batch).items():
            sums[name].append(value)
        last = trainer.step == trainer.options.steps
        if trainer.step % every == 0 or last:
            means = {name: float(np.mean(values)) for name, values in sums.items()}
            report(trainer.step, means)
            sums.clear()
        if state is not None and (last or time.monotonic() - saved > STATE_S):
            trainer.save_state(state)
            saved = time.monotonic()
    return means


def main() -> int:
    """Make the model that the flags ask for; the exit code."""
    parser = argparse.ArgumentParser(description="Make the embedded model from a seed.")
    parser.add_argument("--out", type=Path, default=Path("tiny-lalm"), help="folder of the model")
    parser.add_argument("--device", default="cpu", help="cpu, mps, cuda or cuda:N")
    parser.add_argument("--state", type=Path, help="folder for what a resumed run needs")
    parser.add_argument("--resume", action="store_true", help="go on from --state")
    parser.add_argument("--export", action="store_true", help="write what --state holds, and end")
    for name in ("seed", "steps", "threads", "batch", "wordings", "hearing_batch"):
        declared = MakeOptions.param(name)
        words = f"{declared.help} ({declared.default})"
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=int, default=declared.default, help=words)
    flags = parser.parse_args()
    names = ("seed", "steps", "threads", "batch", "wordings", "hearing_batch")
    trainer = Trainer(MakeOptions(**{n: getattr(flags, n) for n in names}), flags.device)
    if flags.resume or flags.export:
        trainer.load_state(flags.state)
    if not flags.export:
        train(trainer, flags.state, tell(trainer.options.steps))
    trainer.save(flags.out)
    print(flags.out)
    return 0


def tell(steps: int) -> Callable[[int, dict[str, float]], None]:
    """A report of progress on stderr."""
    started = time.monotonic()

    def report(step: int, losses: dict[str, float]) -> None:
        words = " ".join(f"{name} {value:.3f}" for name, value in sorted(losses.items()))
        print(
            f"{time.monotonic() - started:.0f} s, step {step} of {steps}: {words}", file=sys.stderr
        )

    return report


if __name__ == "__main__":
    sys.exit(main())
