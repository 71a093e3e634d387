"""The shortcut audit of a preset, before anybody is asked.

Conventions: settings come first; a preset is a name or the path of a YAML file, a probe's also its
plan as plain data; `params` is plain data that overrides a preset's; bad input raises `UserError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spectcount import presets
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.settings import Settings
from spectcount.tasks import task

if TYPE_CHECKING:
    from spectcount.probing.shortcuts import Audit

PAIRS = 200
"""Draws of a stimulus preset that are measured, signal and counterpart."""


def shortcuts(
    settings: Settings,
    preset: str | Mapping[str, Any],
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The accuracy of one cue alone on the clips of a probe preset at a seed, plan by plan, of a
    panel, part by part, or on the pairs of a stimulus preset of a two-answer task: plain data, see
    `Audit.to_dict`, and the `part`'s name. Raises `UserError` where there is nothing to tell apart.
    """
    from spectcount.actions.comparing import panel_parts
    from spectcount.actions.runs import probe_plan
    from spectcount.probing.shortcuts import audit_clips

    if isinstance(preset, str) and preset in presets.names("stimuli", settings):
        by_part = [("", audit_clips(*_pairs(settings, preset, seed, params or {})))]
    elif isinstance(preset, str) and preset in presets.names("panels", settings):
        parts = [
            (part["name"], probe_plan(settings, part["plan"], params))
            for part in panel_parts(settings, preset)
        ]
        by_part = [(name, audit) for name, plan in parts for audit in _of_plan(plan, seed)]
    else:
        by_part = [("", audit) for audit in _of_plan(probe_plan(settings, preset, params), seed)]
    audits = [{"part": name, **audit.to_dict()} for name, audit in by_part if audit is not None]
    if not audits:
        name = preset if isinstance(preset, str) else "this plan"
        raise UserError(
            f"{name}: fewer than two right answers with enough clips each, so no cue can tell "
            "them apart; give a plan of a task with a right answer, and more trials"
        )
    return audits


def _of_plan(plan: Mapping[str, Any], seed: int) -> list[Audit | None]:
    """An audit of each plan that is asked."""
    from spectcount.probing.plan import plan_from_dict
    from spectcount.probing.shortcuts import audit_clips, clips_of, theory_of

    return [
        audit_clips(part.task, clips, theory=theory_of(part))
        for part, clips in clips_of(plan_from_dict(plan), seed)
    ]


def _pairs(settings: Settings, preset: str, seed: int, params: Mapping[str, Any]) -> tuple:
    """(task, signals and counterparts in turn with their answers)."""
    loaded = presets.load("stimuli", preset, settings)
    wanted = task(loaded.body["task"] or loaded.design.tasks[0])
    if not wanted.two_class:
        raise UserError(
            f"{preset} asks {wanted.name!r}, which has no signal and counterpart; audit a probe "
            "preset of that task instead"
        )
    design = loaded.design.replace(**params)
    clips = [
        (side, wanted.truth(side))
        for k in range(PAIRS)
        for side in draw_pair(design, seed + k, wanted.name)
    ]
    return wanted.name, clips
