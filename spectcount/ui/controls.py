"""Forms from declarations: one `Param` becomes one widget, a declared class becomes a form.

A slider ends at the parameter's `slider_high` until a value beyond it is asked for (by a preset,
a link or the full-range switch), then at its limit. An optional parameter is a field that may be
empty. What the form sends is validated by the declared class, not by the widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import gradio as gr

from spectcount.params import Declared, Param


@dataclass(frozen=True)
class Form:
    """The widgets of a declared class, by parameter name, in the order of declaration."""

    declared: type[Declared]
    widgets: dict[str, gr.components.Component]

    @property
    def inputs(self) -> list[gr.components.Component]:
        return list(self.widgets.values())

    @property
    def triggers(self) -> list[Callable]:
        """The `input` event of every widget: what a reader does, not what a handler sets."""
        return [widget.input for widget in self.widgets.values()]

    def read(self, values: Iterable[Any]) -> dict[str, Any]:
        """The widgets' values, by parameter name, not yet validated."""
        return dict(zip(self.widgets, values, strict=True))

    def updates(self, values: Mapping[str, Any], full_range: bool = False) -> list[dict[str, Any]]:
        """One update per widget that shows `values`, with sliders long enough for them."""
        return [
            gr.update(
                value=_text(values[name]) if spec.optional else values[name],
                **_bounds(spec, values[name], full_range),
            )
            for name, spec in self.declared.params().items()
        ]


def form(
    declared: type[Declared],
    *,
    values: Mapping[str, Any] | None = None,
    open_groups: Sequence[str] | None = None,
    prefix: str = "param",
) -> Form:
    """Lay out a form for `declared`: one accordion per group, in the order of declaration.

    `values` overrides defaults; `open_groups` names the groups that start open (default: all);
    `prefix` keeps the element ids of several forms apart.
    """
    widgets: dict[str, gr.components.Component] = {}
    specs = sorted(declared.params().values(), key=lambda s: _group_order(declared).index(s.group))
    for group, members in groupby(specs, key=lambda spec: spec.group):
        is_open = open_groups is None or group in open_groups
        with gr.Accordion(group.capitalize() or "Settings", open=is_open, elem_classes="group"):
            for spec in members:
                widgets[spec.name] = widget(
                    spec, (values or {}).get(spec.name, spec.default), prefix
                )
    return Form(declared, {name: widgets[name] for name in declared.params()})


def widget(spec: Param, value: Any, prefix: str = "param") -> gr.components.Component:
    """The widget of one parameter, showing `value`."""
    common = {
        "label": spec.title,
        "info": spec.help or None,
        "elem_classes": "param",
        "elem_id": f"{prefix}-{spec.name}",
    }
    if spec.kind is bool:
        return gr.Checkbox(value=value, **common)
    if spec.choices:
        return gr.Dropdown(list(spec.choices), value=value, **common)
    if not spec.numeric:
        return gr.Textbox(value=value, **common)
    if spec.optional:  # a gr.Number cannot be empty: it would show, and send, 0
        return gr.Textbox(value=_text(value), placeholder="empty", max_lines=1, **common)
    if spec.low is None or spec.high is None:
        return gr.Number(value=value, step=spec.step or 1, **common)
    bounds = _bounds(spec, value)
    return gr.Slider(value=value, step=spec.step, buttons=[], **bounds, **common)


def _text(value: Any) -> str:
    """An optional number as text, empty for None; what a reader typed stays as it is."""
    if isinstance(value, str):
        return value
    return "" if value is None else str(value)


def _bounds(spec: Param, value: Any, full_range: bool = False) -> dict[str, float]:
    """Ends of a parameter's slider; nothing for other widgets."""
    slider = spec.numeric and not (spec.optional or spec.low is None or spec.high is None)
    if not slider:
        return {}
    usual = spec.high if spec.slider_high is None else spec.slider_high
    beyond = value is not None and value > usual
    return {"minimum": spec.low, "maximum": spec.high if full_range or beyond else usual}


def _group_order(declared: type[Declared]) -> list[str]:
    return list(dict.fromkeys(spec.group for spec in declared.params().values()))
