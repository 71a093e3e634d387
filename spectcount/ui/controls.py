"""Forms from declarations: one `Param` becomes one control, a declared class becomes a form.

A form is a single component of the page whose value is JSON, {form, params, full}; its controls
are HTML of the browser's own (`templates/forms.html`), read and written by `static/form.js`. So a
page of many forms loads fast, and a moved slider waits for nobody.

A slider ends at the parameter's `slider_high` until a value beyond it is asked for (by a preset,
a link or the full-range switch), then at its limit. An optional parameter is a field that may be
empty. What the form sends is validated by the declared class, not by the controls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import gradio as gr

from spectcount import documents
from spectcount.params import Declared, Param
from spectcount.ui.pieces import Updates, render


@dataclass(frozen=True)
class Field:
    """One control: its declaration, the name of the sets that limit its choices by the family
    ("": none), and whether it holds several lines of text."""

    spec: Param
    limits: str = ""
    lines: bool = False

    @property
    def usual(self) -> float | None:
        """The end of its slider; None where it has none."""
        spec = self.spec
        if not spec.numeric or spec.optional or spec.low is None or spec.high is None:
            return None
        return spec.high if spec.slider_high is None else spec.slider_high


@dataclass(frozen=True)
class Group:
    """Controls under one head."""

    title: str
    open: bool
    fields: Sequence[Field]


@dataclass(frozen=True)
class Form:
    """The form of a declared class."""

    declared: type[Declared]
    component: gr.HTML

    @property
    def inputs(self) -> list[gr.components.Component]:
        """The inputs that a handler passes to `read`."""
        return [self.component]

    @property
    def triggers(self) -> list[Callable]:
        """The events of a reader's changes, not of what a handler sets."""
        return [self.component.input]

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """The controls' values, by parameter name, not yet validated."""
        return params_of(values[0])

    def updates(self, values: Mapping[str, Any], full_range: bool = False) -> Updates:
        """The update that shows `values`, with sliders long enough."""
        names = self.declared.params()
        params = {name: values[name] for name in names if name in values}
        return {self.component: gr.update(value=form_value(params, full_range))}


def form(
    declared: type[Declared],
    *,
    values: Mapping[str, Any] | None = None,
    open_groups: Sequence[str] | None = None,
    prefix: str = "param",
) -> Form:
    """Lay out a form for `declared`: its groups in the order of declaration.

    `values` overrides defaults; `open_groups` names the groups that start open (default: all);
    `prefix` keeps the element ids of several forms apart.
    """
    params = {n: (values or {}).get(n, spec.default) for n, spec in declared.params().items()}
    forms = {"": {"html": form_html(prefix, describe(declared, open_groups))}}
    return Form(declared, form_component(forms, form_value(params), f"{prefix}-form"))


def form_component(
    forms: Mapping[str, Any],
    value: str,
    elem_id: str,
    *,
    key: str = "form",
    sets: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    script: str = "SpectCount.form(element, props, watch, trigger, %s); /* 'input' */",
) -> gr.HTML:
    """One component that shows one of several forms: that which `value` names under `key`.

    `forms`: {name: {html: as `form_html` gives}}; `sets`: which choices each family offers, by
    the name that a field's `limits` gives; `script` gets all of it as data.
    """
    data = json.dumps({"key": key, "forms": forms, "sets": sets or {}})
    return gr.HTML(
        value,
        html_template='<div class="forms"></div>',
        js_on_load=script.replace("%s", data),
        elem_id=elem_id,
        apply_default_css=False,
    )


def form_data(value: str) -> dict[str, Any]:
    """The data of a form on the page, as it was sent."""
    return documents.mapping_from_json(value, "the form")


def params_of(value: str) -> dict[str, Any]:
    """The controls' values, by parameter name, from a form's value; not yet validated."""
    return documents.mapping_from_json(form_data(value).get("params"), "the form's list of values")


def form_value(params: Mapping[str, Any], full_range: bool = False, name: str = "") -> str:
    """The value of a form, as text."""
    return json.dumps({"form": name, "params": dict(params), "full": full_range})


def form_html(prefix: str, groups: Sequence[Group]) -> str:
    """The controls of a form, showing the declared defaults; element ids begin with `prefix`."""
    return render("forms.form", prefix=prefix, groups=groups)


def describe(
    declared: type[Declared],
    open_groups: Sequence[str] | None = None,
    limits: Mapping[str, str] | None = None,
) -> list[Group]:
    """The groups of a declared class, in the order of declaration. `limits` names the set of
    choices that limits a parameter's own by the chosen family."""
    order = list(dict.fromkeys(spec.group for spec in declared.params().values()))
    specs = sorted(declared.params().values(), key=lambda spec: order.index(spec.group))
    return [
        Group(
            group.capitalize() or "Settings",
            open_groups is None or group in open_groups,
            [Field(spec, (limits or {}).get(spec.name, "")) for spec in members],
        )
        for group, members in groupby(specs, key=lambda spec: spec.group)
    ]
