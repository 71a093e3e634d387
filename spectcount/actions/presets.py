"""The presets that there are, with what each costs.

Conventions: settings come first; a cost is that of one listener, before anybody is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from spectcount import presets
from spectcount.errors import UserError
from spectcount.presets import Preset
from spectcount.settings import Settings


@dataclass(frozen=True)
class PresetRow:
    """A preset of a list: `form` is the kind of its plan, its task or its family; `cost` counts
    the trials of one listener, the steps of a fine-tune, or the seconds of a clip."""

    name: str
    title: str
    form: str
    cost: str
    about: str


def preset_rows(settings: Settings, kind: str) -> tuple[list[PresetRow], list[str]]:
    """(Every preset of a kind, sentences about those that cannot be read)."""
    rows, broken = [], []
    for name in presets.names(kind, settings):
        try:
            rows.append(_row(presets.load(kind, name, settings)))
        except UserError as error:
            broken.append(str(error))
    return rows, broken


def _row(preset: Preset) -> PresetRow:
    form, cost = {"probes": _of_plan, "panels": _of_panel, "training": _of_training}.get(
        preset.kind, _of_stimulus
    )(preset)
    return PresetRow(preset.name, preset.title, form, cost, preset.about)


def _of_plan(preset: Preset) -> tuple[str, str]:
    from spectcount.probing.plan import plan_from_dict

    plan = plan_from_dict(preset.body["plan"])
    least = "at most " if plan.adaptive else ""
    return str(preset.body["plan"]["kind"]), f"{least}{plan.n_trials}"


def _of_panel(preset: Preset) -> tuple[str, str]:
    from spectcount.probing.panel import Panel

    parts = preset.body["parts"]
    return f"{len(parts)} parts", str(Panel.from_list(parts).plan.n_trials)


def _of_training(preset: Preset) -> tuple[str, str]:
    return f"LoRA, {preset.body['lora'].get('scope', 'both')}", str(preset.body["train"]["steps"])


def _of_stimulus(preset: Preset) -> tuple[str, str]:
    return str(preset.body["family"]), f"{preset.body['params'].get('duration_s', 0):g} s"
