"""The record of an adapter: `lineage.json` for programs, `README.md` for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peft
import torch
import transformers

import spectcount

if TYPE_CHECKING:
    from spectcount.training.train import Job, Summary


def write(
    folder: Path,
    job: Job,
    base_fingerprint: str,
    lineage: Mapping[str, Any],
    summary: Summary,
) -> None:
    """Both files, into the adapter's folder."""
    record = {
        "base": job.base,
        "base_fingerprint": base_fingerprint,
        "curriculum": job.curriculum.to_dict(),
        "lora": job.lora.to_dict(),
        "train": job.train.to_dict(),
        "regions": job.regions,
        "seed": job.seed,
        "lineage": lineage,
        "summary": summary,
        "versions": {
            "spectcount": spectcount.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
    }
    (folder / "lineage.json").write_text(json.dumps(record, indent=2) + "\n")
    (folder / "README.md").write_text(_card(record))


def _card(r: Mapping[str, Any]) -> str:
    weak = [f"- {region.get('sentence') or region['ranges']}" for region in r["regions"]]
    return f"""---
base_model: {r["base"]}
library_name: peft
license: apache-2.0
tags: [audio, psychophysics, synthetic, lora]
---

# An adapter for {r["base"]}, tuned on counting synthetic pulses

LoRA (scope {r["lora"]["scope"]}, rank {r["lora"]["rank"]}, alpha {r["lora"]["alpha"]:g}, dropout
{r["lora"]["dropout"]:g}), {r["summary"]["steps"]} of {r["summary"]["of_steps"]} steps of
{r["train"]["batch"] * r["train"]["accumulation"]} clips, learning rate
{r["train"]["learning_rate"]:g} ({r["train"]["schedule"]}), seed {r["seed"]}. No recorded audio and
no annotation: every clip was synthesised from the seed, its answer known by construction.

Base weights: `{r["base_fingerprint"]}`. Map: {r["lineage"].get("probe") or "none"}. Run:
{r["lineage"].get("run")}. Everything else that made it is in `lineage.json`.

## Weak regions it was tuned on

{chr(10).join(weak) or "none given: the paper's counting distribution only"}

## Count accuracy on held-out draws

| | before | after |
|---|---|---|
{_rows(r["summary"])}

Load it with `PeftModel.from_pretrained(base_model, this_folder)`.
"""


def _rows(summary: Summary) -> str:
    before, after = summary["held_out_before"], summary["held_out_after"]
    names = {"weak": "weak regions", "strong": "outside them"}
    return "\n".join(
        f"| {words} | {_percent(before.get(name))} | {_percent(after.get(name))} |"
        for name, words in names.items()
        if name in after or name in before
    )


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0%}"
