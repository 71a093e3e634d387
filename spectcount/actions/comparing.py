"""Base against tuned: comparisons, forgetting panels, runs over wordings; what was seen before.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`. A comparison's default seed is none
that a probe or a fine-tune starts from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectcount import presets
from spectcount.actions.lineage import adapter_lineage
from spectcount.actions.runs import probe_plan
from spectcount.actions.starting import start
from spectcount.configs import CompareConfig, Json, PanelConfig, WordingsConfig
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run

Params = Mapping[str, Any]
HELD_OUT_SEED = 1000
"""Apart from the seeds that probes and fine-tunes start from."""
PARTS = ("all", "trained", "never-trained")


def start_compare(
    settings: Settings,
    plan: str | Params,
    base: str,
    tuned: str,
    seed: int = HELD_OUT_SEED,
    params: Params | None = None,
    *,
    only: str = "all",
    margin: float | None = None,
) -> Run:
    """Queue the same questions for two listeners. `only` keeps the trained or the never trained
    part of a map or curve; changes of the main measure inside ±`margin` count as equivalent."""
    body = _part(settings, probe_plan(settings, plan, params), tuned, only)
    config = CompareConfig(
        plan=body, listeners=[base, tuned], seed=seed, margin=checked_margin(margin)
    )
    lineage = {"probe": plan if isinstance(plan, str) else None, "only": only}
    return start(settings, config, lineage)


def start_panel(
    settings: Settings,
    panel: str | Sequence[Params],
    base: str,
    tuned: str,
    seed: int = HELD_OUT_SEED,
    *,
    margin: float | None = None,
) -> Run:
    """Queue a forgetting panel (a preset, or a list of parts as plain data) for two listeners."""
    from spectcount.probing.panel import Panel

    parts = panel_parts(settings, panel)
    origin = adapter_lineage(settings, tuned) or {}
    config = PanelConfig(
        plan=Panel.from_list(parts).plan.to_dict(),
        parts=parts,
        regions=[_place(region) for region in origin.get("regions", [])],
        listeners=[base, tuned],
        seed=seed,
        margin=checked_margin(margin),
    )
    return start(settings, config, {"panel": panel if isinstance(panel, str) else None})


def start_wordings(
    settings: Settings,
    plan: str | Params,
    listener: str,
    tuned: str | None = None,
    seed: int = HELD_OUT_SEED,
    params: Params | None = None,
    *,
    n_wordings: int = 5,
) -> Run:
    """Queue a plan whose every stimulus is asked in `n_wordings` wordings, held-out ones among
    them, of one listener or of two."""
    from spectcount.probing.plan import plan_from_dict
    from spectcount.probing.wordings import chosen_wordings, crossable

    body = probe_plan(settings, plan, params)
    chosen = chosen_wordings(crossable(plan_from_dict(body)).asked, n_wordings)
    specs = [listener] if tuned is None else [listener, tuned]
    config = WordingsConfig(plan=body, wordings=list(chosen), listeners=specs, seed=seed)
    return start(settings, config, {"probe": plan if isinstance(plan, str) else None})


def panel_parts(settings: Settings, panel: str | Sequence[Params]) -> list[Json]:
    """The parts of a panel preset or of plain data, checked and completed."""
    from spectcount.probing.panel import Panel

    if isinstance(panel, str):
        return list(presets.load("panels", panel, settings).body["parts"])
    return Panel.from_list(panel).to_list()


def checked_margin(margin: float | None) -> float | None:
    """An equivalence margin; raises `UserError` for one that excludes nothing."""
    if margin is None:
        return None
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin < 100:
        raise UserError(f"margin={margin!r} is no margin; give a number above 0, or leave it out")
    return float(margin)


def _part(settings: Settings, body: Json, tuned: str, only: str) -> Json:
    """The whole plan, or its trained or never trained part: one plan, or several interleaved."""
    from spectcount.probing.heldout import held_out_plans
    from spectcount.probing.plan import Interleaved, plan_from_dict

    if only not in PARTS:
        raise UserError(f"only={only!r} is no part; choose one of {', '.join(PARTS)}")
    if only == "all":
        return body
    origin = adapter_lineage(settings, tuned)
    if origin is None:
        raise UserError(
            f"{tuned} has no adapter with a lineage, so what it was trained on is not known; "
            "leave out --only"
        )
    cut = held_out_plans(origin, plan_from_dict(body))
    plans = cut.trained if only == "trained" else cut.never
    if not plans:
        raise UserError(f"no cell of this plan is wholly {only} ({cut.words}); change its range")
    if len(plans) == 1:
        return plans[0].to_dict()
    return Interleaved(tuple(plan.to_dict() for plan in plans)).to_dict()


def _place(region: Params) -> Json:
    """Where a weak region is, which is all that a panel needs of it."""
    return {"ranges": region["ranges"], "sentence": region.get("sentence", "")}
