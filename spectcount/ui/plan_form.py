"""The form of a probing plan: a preset, the parameters its plan declares, the clip it is asked on.

The forms follow from the declarations of all kinds of plan; only the chosen preset's is shown, and
its tasks and axes are those of the chosen family. What belongs to the clip is written as lines,
`name = value` or `name = low .. high`, in the family's own names; a field of a plan that is no
single value (the conditions of a procedure, the plans of an interleaved one) is written as YAML.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context
from markupsafe import Markup

from spectcount import actions, documents, presets
from spectcount.designs import FAMILIES, family
from spectcount.errors import UserError
from spectcount.listeners import ListenerSpec
from spectcount.params import Declared, Param
from spectcount.probing.axes import AXIS_NAMES, declaration
from spectcount.probing.plan import CLIPS_PER_S, PLANS, AnyPlan, plan_from_dict
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import address
from spectcount.ui.controls import (
    Field,
    Group,
    describe,
    form_component,
    form_data,
    form_html,
    params_of,
)
from spectcount.ui.pieces import QUIET, Updates, html, notice, on, refusal, render
from spectcount.ui.polling import duration_text

RANGE = ".."
_CLIP_HELP = (
    "One per line, in the names of Design: name = value, or name = low .. high to draw from in "
    "each trial. Empty: the plan's defaults. Names: "
)
_CLIP_FIELDS = ("design", "draw")


@dataclass(frozen=True)
class KeptPlan:
    """A plan as a link holds it: a preset, the fields that differ from its own, the seed."""

    preset: str
    seed: int
    changed: Mapping[str, Any]

    @classmethod
    def read(cls, text: str) -> KeptPlan:
        """From the text in an address; raises `UserError` for what is none."""
        data = documents.mapping_from_json(text, "the plan in the link")
        changed = data.get("plan") or {}
        if not isinstance(changed, Mapping):
            raise UserError("the plan in the link is no mapping of names to values; copy it again")
        return cls(str(data.get("preset")), _seed(data.get("seed", 0)), changed)


class PlanForm:
    """The form; `inputs` go to `read` in their order. `where` is the tab's name, which keeps
    element ids apart, `first` the preset and the seed of a new page."""

    def __init__(self, settings: Settings, where: str, seed: int, preset: str) -> None:
        self.settings, self.where, self.first = settings, where, (preset, seed)
        loaded = presets.load("probes", preset, settings)
        plan = loaded.body["plan"]
        names = presets.names("probes", settings)
        self.preset = gr.Dropdown(names, value=preset, label="Plan", elem_id=f"{where}-preset")
        self.about = html(f"{where}-about", about_html(loaded))
        with gr.Accordion("Edit the plan", open=False, elem_id=f"{where}-plan"):
            forms = {k: {"html": form_html(f"{where}-{k}", _groups(k))} for k in PLANS}
            elem_id = f"{where}-plan-form"
            self.plan = form_component(forms, plan_value(plan), elem_id, sets=_family_sets())
            self.clip = gr.Textbox(
                clip_lines(plan),
                label="Clip",
                info=_clip_help(plan),
                lines=3,
                elem_id=f"{where}-clip",
                visible="family" in plan,
            )
            self.seed = gr.Number(
                seed,
                label="Seed",
                precision=0,
                minimum=0,
                elem_id=f"{where}-seed",
                info="The same seed asks the same questions.",
            )
        keep = f"SpectCount.keepPlan(element, watch, '{where}-plan');"
        self.cost = html(f"{where}-cost", script=keep)
        self.outputs = [self.clip, self.plan, self.about]
        self.everything = [self.preset, self.seed, *self.outputs]
        on([self.preset.input], self.show, self.preset, self.outputs)
        on([self.plan.input, self.clip.change], self.describe, self.inputs, self.about)
        Context.root_block.load(self.arrive, None, self.everything, **QUIET)
        on([self.plan.input], _follow_family, [self.plan, self.clip], self.clip)

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [self.preset, self.clip, self.seed, self.plan]

    @property
    def triggers(self) -> list[Callable]:
        """Whatever changes what `read` gives: the page's opening, a chosen preset (its
        description arrives last), an edit. To be bound as one event, so that an answer about
        what was there before never arrives after the answer about what is there now."""
        opened = Context.root_block.load
        return [opened, self.about.change, self.clip.change, self.seed.change, self.plan.input]

    def read(self, values: Sequence[Any]) -> tuple[Any, int, str]:
        """(plan, seed, preset) that the widgets' `values` describe; raises `UserError`."""
        preset, clip, seed, form_text = values
        kind, params = read_form(form_text)
        if "family" in params:
            params |= dict(zip(_CLIP_FIELDS, read_clip(clip, params["family"]), strict=True))
        plan = plan_from_dict({"kind": kind, **params})
        actions.refuse_many_trials(self.settings, plan.n_trials)
        return plan, _seed(seed), preset

    def show(self, preset: str) -> Updates:
        """Updates that show a preset."""
        try:
            loaded = presets.load("probes", preset, self.settings)
        except UserError as error:
            return {self.about: refusal(error)}
        return self._show_plan(loaded.body["plan"], about_html(loaded))

    def _show_plan(self, plan: Mapping[str, Any], about: str) -> Updates:
        return {self.clip: _clip_update(plan), self.plan: plan_value(plan), self.about: about}

    def describe(self, *values: Any) -> Any:
        """Describe the plan of the form: its preset's words, or how it differs from that."""
        try:
            plan, _, preset = self.read(values)
            loaded = presets.load("probes", preset, self.settings)
        except UserError:
            return gr.skip()
        return about_html(loaded, changes(plan.to_dict(), loaded.body["plan"]))

    def show_kept(self, linked: KeptPlan) -> Updates:
        """Updates that show a plan of the address, or of a run. Raises
        `UserError` for one that cannot be."""
        loaded = presets.load("probes", linked.preset, self.settings)
        shipped = loaded.body["plan"]
        same_kind = linked.changed.get("kind", shipped["kind"]) == shipped["kind"]
        plan = plan_from_dict({**(shipped if same_kind else {}), **linked.changed}).to_dict()
        about = about_html(loaded, changes(plan, shipped))
        chosen = {self.preset: linked.preset, self.seed: _seed(linked.seed)}
        return {**chosen, **self._show_plan(plan, about)}

    def kept(self, plan: AnyPlan, preset: str, seed: int) -> Markup:
        """The plan for the address, beside its cost: "" where a new page shows it (HTML)."""
        shipped = presets.load("probes", preset, self.settings).body["plan"]
        now = plan.to_dict()
        same_kind = now["kind"] == shipped["kind"]
        changed = {k: v for k, v in now.items() if not same_kind or v != shipped.get(k)}
        text = json.dumps(
            {"preset": preset, "seed": seed, **({"plan": changed} if changed else {})}
        )
        new = not changed and (preset, seed) == self.first
        return Markup('<span hidden data-kept="{}"></span>').format("" if new else text)

    def arrive(self, request: gr.Request) -> Updates:
        """The plan that the address names; nothing where it names none, or none that can be."""
        text = address.query_of(request).get(f"{self.where}-plan")
        if not text:
            return gr.skip()
        try:
            return self.show_kept(KeptPlan.read(text))
        except UserError as error:
            gr.Warning(f"The plan in the link cannot be shown: {error}")
            return gr.skip()


def build(settings: Settings, where: str, seed: int, first: str = "quick-map") -> PlanForm:
    """Lay out the form with the preset `first`, where there is such a one."""
    names = presets.names("probes", settings)
    return PlanForm(settings, where, seed, first if first in names else names[0])


def plan_value(plan: Mapping[str, Any]) -> str:
    """The form's value for a plan."""
    kind = plan["kind"]
    params = {name: plan[name] for name in PLANS[kind].params()}
    lines = {name: _yaml(plan.get(name)) for name in yaml_fields(PLANS[kind])}
    return json.dumps({"form": kind, "params": {**params, **lines}, "full": False})


def read_form(form_text: str) -> tuple[str, dict[str, Any]]:
    """(kind, parameters) that the form's value says, not yet validated but for its YAML."""
    data = form_data(form_text)
    kind, params = data["form"], data["params"]
    for name in yaml_fields(PLANS[kind]):
        written = params[name]
        params[name] = (documents.from_yaml(str(written), name) if written else None) or []
    return kind, params


def yaml_fields(declared: type[Declared]) -> list[str]:
    """Fields of a plan that are no declared parameters, the clip's aside."""
    fields = [f.name for f in dataclasses.fields(declared)]
    return [f for f in fields if f not in declared.params() and f not in _CLIP_FIELDS]


def source_of(plan: AnyPlan, preset: str, settings: Settings) -> str | dict[str, Any]:
    """The source of a run: the preset by name while the form still equals it, else the plan."""
    shipped = presets.load("probes", preset, settings).body["plan"]
    return preset if plan.to_dict() == shipped else plan.to_dict()


def about_html(preset: presets.Preset, changed: Sequence[str] = ()) -> Markup:
    """A preset's title and what it is for; of an edited one what was changed instead (HTML)."""
    return render("forms.about", title=preset.title, about=preset.about, changed=changed)


def changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Differences of values, in words: "nx 2 (was 8)"; of lists and mappings only that they do."""
    differ = [name for name in {**before, **now} if now.get(name) != before.get(name)]
    return [
        f"another {name}"
        if isinstance(now.get(name, before.get(name)), Mapping | list)
        else f"{name} {now.get(name, 'none')} (was {before.get(name, 'none')})"
        for name in differ
    ]


def cost_html(plan: AnyPlan, listeners: Sequence[str], store: Store) -> Markup:
    """The cost of a plan, in words (HTML)."""
    rate, source = measured_rate(store, listeners, plan.adaptive)
    cost = plan.cost(len(listeners), rate)
    who = f"{len(listeners)} listener{'s' if len(listeners) != 1 else ''}"
    words = (
        f"{_trials_text(plan, cost.n_trials, who)}. About "
        f"{duration_text(cost.minutes * 60)} at {rate:.3g} clips/s ({source})."
    )
    return notice(words)


def _trials_text(plan: Any, n_trials: int, who: str) -> str:
    if plan.adaptive:
        return f"At most {n_trials} trials, {who}; they end as soon as the answers tell enough"
    cells = len(plan.cells)
    return (
        f"{n_trials} trials: {cells} cells × {plan.trials}, {plan.catch_trials} catch trials, {who}"
    )


def measured_rate(store: Store, names: Sequence[str], adaptive: bool = False) -> tuple[float, str]:
    """Clips per second, and where the number is from: the slowest of `names` (adapters aside) in
    the newest finished run that asked any of them in the same manner (plans that follow the
    answers ask one clip at a time, which is slower), or the assumption."""
    models = {ListenerSpec.parse(name).base for name in names}
    for run in store.runs(states=["done"]):
        if not run.config.get("plan") or follows_answers(run) != adaptive:
            continue
        measured = (run.summary or {}).get("listeners") or {}
        rates = [
            speed["clips_per_s"]
            for name, speed in measured.items()
            if ListenerSpec.parse(name).base in models and speed.get("clips_per_s")
        ]
        if rates:
            return min(rates), f"measured in {run.id}"
    return CLIPS_PER_S, "assumed until one is measured"


def follows_answers(run: Run) -> bool:
    """True where a run's plan follows the answers; false for one that can no longer be read."""
    try:
        return bool(plan_from_dict(run.config["plan"]).adaptive)
    except UserError:
        return False


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
        if name in design or name in draw:
            raise UserError(f"{name} is given twice; leave one line out")
        low, dots, high = (part.strip() for part in value.partition(RANGE))
        if dots:
            draw[name] = [spec.parse(low), spec.parse(high)]
        else:
            design[name] = spec.parse(value)
    return design, draw


def _groups(kind: str) -> list[Group]:
    """The form of one kind of plan: its declared parameters, then its fields of YAML."""
    declared = PLANS[kind]
    limits = {
        name: "tasks" if name == "task" else "axes"
        for name, spec in declared.params().items()
        if "family" in declared.params() and (name == "task" or set(AXIS_NAMES) & set(spec.choices))
    }
    groups = describe(declared, ("design", "axes", "task"), limits)
    help_text = "YAML, a list; empty: none." if groups else "YAML: a list of plans."
    extra = [Field(Param(n, str, "", help_text), lines=True) for n in yaml_fields(declared)]
    return [*groups, *([Group("More", not groups, extra)] if extra else [])]


def _family_sets() -> dict[str, dict[str, list[str]]]:
    """The tasks and the axes of each family."""
    return {
        "tasks": {name: list(declared.tasks) for name, declared in FAMILIES.items()},
        "axes": {name: _axes_of(name) for name in FAMILIES},
    }


def _axes_of(family_name: str) -> list[str]:
    axes = []
    for name in AXIS_NAMES:
        try:
            declaration(name, family(family_name))
        except UserError:  # the family has no such axis
            continue
        axes.append(name)
    return axes


def _clip_help(plan: Mapping[str, Any]) -> str:
    return _CLIP_HELP + ", ".join(family(plan.get("family", "pulses")).params())


def _clip_update(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The lines of a plan's clip; hidden where its parts have clips of their own."""
    return gr.update(value=clip_lines(plan), info=_clip_help(plan), visible="family" in plan)


def _follow_family(form_text: str, clip: str) -> Any:
    """Once another family is chosen, its own names; lines that it does not know are dropped."""
    params = params_of(form_text)
    if "family" not in params:
        return gr.skip()
    lines = clip.splitlines()
    known = [line for line in lines if _name(line) in family(params["family"]).params()]
    foreign = {n for f in FAMILIES.values() for n in f.params()}
    remaining = [line for line in lines if line in known or _name(line) not in foreign]
    return gr.update(value="\n".join(remaining), info=_clip_help(params))


def _name(line: str) -> str:
    return line.partition("=")[0].strip()


def _yaml(value: Any) -> str:
    return documents.to_yaml(value) if value else ""


def _seed(value: Any) -> int:
    if value is None or isinstance(value, bool) or value != int(value) or value < 0:
        raise UserError(f"seed={value!r} is no seed; give a whole number, 0 or more")
    return int(value)
