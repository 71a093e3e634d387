"""The form of a probing plan: a preset, the parameters its plan declares, the clip it is asked on.

Each kind of plan has its own form, made from its declaration; only the chosen preset's is shown.
What belongs to the clip is written as lines, `name = value` or `name = low .. high`, in the
design family's own names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from spectcount import presets
from spectcount.designs import family
from spectcount.errors import UserError
from spectcount.probing.plan import CLIPS_PER_S, PLANS, Plan, plan_from_dict
from spectcount.settings import Settings
from spectcount.store import Store
from spectcount.ui.controls import Form, form
from spectcount.ui.polling import QUIET, duration_text, notice

RANGE = ".."
_CLIP_HELP = (
    "One per line, in the names of Design: level_dbfs = -20, or a range to draw from in each "
    "trial: level_dbfs = -30 .. -10. Empty: the plan's defaults."
)


@dataclass(frozen=True)
class PlanForm:
    """The widgets; `inputs` go to `read` in their order."""

    settings: Settings
    preset: gr.Dropdown
    about: gr.HTML
    groups: dict[str, gr.Column]
    forms: dict[str, Form]
    clip: gr.Textbox
    seed: gr.Number
    cost: gr.HTML
    shown: Any
    """The event after which a chosen preset is on the page."""

    @property
    def inputs(self) -> list[gr.components.Component]:
        plans = [widget for part in self.forms.values() for widget in part.inputs]
        return [self.preset, self.clip, self.seed, *plans]

    @property
    def triggers(self) -> list[Callable]:
        plans = [trigger for part in self.forms.values() for trigger in part.triggers]
        return [self.clip.change, self.seed.input, *plans]

    def read(self, values: Sequence[Any]) -> tuple[Plan, int, str]:
        """(plan, seed, preset) that the widgets' `values` describe; raises `UserError`."""
        preset, clip, seed, *rest = values
        kind = presets.load("probes", preset, self.settings).body["plan"]["kind"]
        for name, part in self.forms.items():
            mine, rest = rest[: len(part.widgets)], rest[len(part.widgets) :]
            if name == kind:
                own = part.read(mine)
        design, draw = read_clip(clip, own.get("family", "pulses"))
        plan = plan_from_dict({"kind": kind, **own, "design": design, "draw": draw})
        return plan, _seed(seed), preset

    def show(self, preset: str) -> list[Any]:
        """Updates of `outputs` that show a preset."""
        try:
            loaded = presets.load("probes", preset, self.settings)
        except UserError as error:
            return [notice(str(error), "error"), *[gr.skip()] * (len(self.outputs) - 1)]
        plan = loaded.body["plan"]
        updates: list[Any] = [about_html(loaded), clip_lines(plan)]
        for kind, part in self.forms.items():
            chosen = kind == plan["kind"]
            updates.append(gr.update(visible=chosen))
            updates += part.updates(plan) if chosen else [gr.skip()] * len(part.widgets)
        return updates

    @property
    def outputs(self) -> list[Any]:
        parts = [[self.groups[kind], *part.inputs] for kind, part in self.forms.items()]
        return [self.about, self.clip, *[one for part in parts for one in part]]


def build(settings: Settings, where: str, seed: int, first: str = "quick-map") -> PlanForm:
    """Lay out the form; `where` (the tab's name) keeps its element ids apart from other tabs'."""
    names = presets.names("probes", settings)
    first = first if first in names else names[0]
    loaded = presets.load("probes", first, settings)
    plan = loaded.body["plan"]
    preset = gr.Dropdown(names, value=first, label="Plan", elem_id=f"{where}-preset")
    about = gr.HTML(about_html(loaded), elem_id=f"{where}-about", apply_default_css=False)
    groups, forms = {}, {}
    with gr.Accordion("Edit the plan", open=False, elem_id=f"{where}-plan"):
        for kind, declared in PLANS.items():
            with gr.Column(visible=kind == plan["kind"]) as groups[kind]:
                mine = {k: v for k, v in plan.items() if kind == plan["kind"]}
                forms[kind] = form(
                    declared, values=mine, open_groups=("axes", "task"), prefix=f"{where}-{kind}"
                )
        clip = gr.Textbox(
            clip_lines(plan), label="Clip", info=_CLIP_HELP, lines=3, elem_id=f"{where}-clip"
        )
        number = gr.Number(
            seed, label="Seed", precision=0, minimum=0, elem_id=f"{where}-seed",
            info="The same seed asks the same questions.",
        )  # fmt: skip
    cost = gr.HTML(elem_id=f"{where}-cost", apply_default_css=False)
    parts = [settings, preset, about, groups, forms, clip, number, cost]
    unbound = PlanForm(*parts, shown=None)
    shown = preset.input(unbound.show, preset, unbound.outputs, **QUIET)
    return PlanForm(*parts, shown=shown)


def source_of(plan: Plan, preset: str, settings: Settings) -> str | dict[str, Any]:
    """What to start: the preset by name while the form still says what it says, else the plan."""
    shipped = presets.load("probes", preset, settings).body["plan"]
    return preset if plan.to_dict() == shipped else plan.to_dict()


def about_html(preset: presets.Preset) -> str:
    """A preset's title and what it is for (HTML)."""
    return f'<p class="about"><b>{escape(preset.title)}.</b> {escape(preset.about)}</p>'


def cost_html(plan: Plan, listeners: list[str], store: Store) -> str:
    """What a plan will take, in words (HTML)."""
    rate, source = measured_rate(store, listeners)
    cost = plan.cost(len(listeners), rate)
    cells = len(plan.cells)
    words = (
        f"{cost.n_trials} trials: {cells} cells × {plan.trials}, {plan.catch_trials} catch trials, "
        f"{len(listeners)} listener{'s' if len(listeners) != 1 else ''}. About "
        f"{duration_text(cost.minutes * 60)} at {rate:.3g} clips/s ({source})."
    )
    return notice(words)


def measured_rate(store: Store, names: Sequence[str]) -> tuple[float, str]:
    """Clips per second, and where the number is from: the slowest of `names` (adapters aside) in
    the newest finished run that asked any of them, or the assumption."""
    models = {name.partition("@")[0] for name in names}
    for run in store.runs(states=["done"]):
        asked = (run.summary or {}).get("listeners") or {}
        rates = [
            found["clips_per_s"]
            for name, found in asked.items()
            if name.partition("@")[0] in models and found.get("clips_per_s")
        ]
        if rates:
            return min(rates), f"measured in {run.id}"
    return CLIPS_PER_S, "assumed until one is measured"


def clip_lines(plan: Mapping[str, Any]) -> str:
    """A plan's design and draw as lines of text."""
    fixed = [f"{name} = {value}" for name, value in plan.get("design", {}).items()]
    drawn = [f"{name} = {low} {RANGE} {high}" for name, (low, high) in plan.get("draw", {}).items()]
    return "\n".join(fixed + drawn)


def read_clip(text: str, family_name: str) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """(design, draw) from lines of text, validated; raises `UserError` naming the line."""
    design: dict[str, Any] = {}
    draw: dict[str, list[Any]] = {}
    declared = family(family_name)
    for line in filter(None, map(str.strip, (text or "").splitlines())):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise UserError(f"line {line!r} has no '='; write name = value or name = low .. high")
        spec = declared.param(name)
        low, dots, high = (part.strip() for part in value.partition(RANGE))
        if dots:
            draw[name] = [spec.parse(low), spec.parse(high)]
        else:
            design[name] = spec.parse(value)
    return design, draw


def _seed(value: Any) -> int:
    if value is None or isinstance(value, bool) or value != int(value) or value < 0:
        raise UserError(f"seed={value!r} is no seed; give a whole number, 0 or more")
    return int(value)
