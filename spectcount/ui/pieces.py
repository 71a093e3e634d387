"""Pieces that every tab of the page is laid out with, and how its events are bound.

Conventions: HTML is `Markup`, from a template of `templates/` or a tag written out; every text that
is put into it is escaped there. What changes on the page is `Updates`: component -> update, and
whatever is not named stays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

import gradio as gr
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from spectcount.errors import UserError
from spectcount.ui.figures import line_chart

Updates = dict[Any, Any]
P = ParamSpec("P")
QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "queue": False,
    "trigger_mode": "always_last",
}
"""How a page's own refreshing is registered: unseen, not offered as API, cheap, and never left on
the state before the last."""
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
LIVE = "SpectCount.live(element);"
PICK = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-run]');
  if (row) trigger('select', { value: row.dataset.run, index: row.dataset.run });
});
"""
"""Makes a click on a row of a list the component's `select` event."""


def acts(*names: str) -> str:
    """A script that makes a click on a button with `data-act` the component's event of that name,
    one of `names`; the button's value is the event's."""
    return f"""/* {names!r} */
element.addEventListener('click', (event) => {{
  const button = event.target.closest('[data-act]');
  if (button) trigger(button.dataset.act, {{ value: button.value, index: button.value }});
}});
"""


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


def render(template: str, **values: Any) -> Markup:
    """The HTML of a template, `NAME` or `NAME.MACRO`, with these values in it."""
    name, _, macro = template.partition(".")
    page = _TEMPLATES.get_template(f"{name}.html")
    if not macro:
        return Markup(page.render(values))
    return Markup(getattr(page.module, macro)(**values).strip())


def joined(parts: Iterable[str]) -> Markup:
    """HTML and texts one after another; texts are escaped."""
    return Markup("").join(parts)


def notice(text: str, kind: str = "hint") -> Markup:
    """A sentence for the page: `hint` says what to do next, `error` what was refused (HTML)."""
    role = "alert" if kind == "error" else "status"
    words = Markup('<p class="notice notice-{}" role="{}">{}</p>')
    return words.format(kind, role, text) if text else Markup()


def refusal(error: Exception) -> Markup:
    """The sentence of a refused request (HTML)."""
    return notice(str(error), "error")


def refusing(handler: Callable[P, str]) -> Callable[P, str]:
    """A handler that answers with the sentence of a refusal (HTML) where `handler` raises one."""

    @functools.wraps(handler)
    def answer(*args: P.args, **named: P.kwargs) -> str:
        try:
            return handler(*args, **named)
        except UserError as error:
            return refusal(error)

    return answer


def html(
    elem_id: str | None = None,
    value: str = "",
    *,
    script: str | None = None,
    after: bool = False,
) -> gr.HTML:
    """A place for HTML of ours; `script` is run when it is laid out. On a small screen it stands
    `after` the details of the figure above it."""
    return gr.HTML(
        value,
        elem_id=elem_id,
        apply_default_css=False,
        js_on_load=script,
        elem_classes="after" if after else None,
    )


def live(elem_id: str, value: str = "") -> gr.HTML:
    """A place for HTML that is read out whenever it changes."""
    return html(elem_id, value, script=LIVE)


def section(title: str, intro: str, elem_id: str) -> gr.Accordion:
    """A part of a tab that opens, with a sentence about what it is for."""
    with gr.Accordion(title, open=False, elem_id=elem_id, elem_classes="section") as part:
        html(value=Markup("<p class='about'>{}</p>").format(intro))
    return part


def small_button(
    label: str,
    elem_id: str,
    min_width: int = 90,
    scale: int | None = 0,
    visible: bool = True,
) -> gr.Button:
    """A button beside what it is about."""
    return gr.Button(
        label, elem_id=elem_id, size="sm", min_width=min_width, scale=scale, visible=visible
    )


def files(label: str, elem_id: str) -> gr.File:
    """A place for files that the page hands out, hidden while there is none."""
    return gr.File(label=label, visible=False, interactive=False, elem_id=elem_id)


@dataclass(frozen=True)
class Box:
    """Figures in a column that can be hidden."""

    column: gr.Column
    figures: tuple[gr.HTML, ...]

    @property
    def figure(self) -> gr.HTML:
        """Its only figure, or the first."""
        return self.figures[0]

    @property
    def outputs(self) -> list[Any]:
        return [self.column, *self.figures]

    def show(self, *values: Any) -> Updates:
        """Updates that show a value in each figure; hidden where there is none."""
        if not values or values[0] is None:
            return {self.column: gr.update(visible=False)}
        return {
            self.column: gr.update(visible=True),
            **dict(zip(self.figures, values, strict=True)),
        }

    def blank(self) -> Updates:
        """Updates that leave the box as it is, without pictures."""
        return dict.fromkeys(self.figures)


def chart_box(label: str, elem_id: str, height: int = 360, empty: str = "", **column: Any) -> Box:
    """A line chart in a box that is hidden at first."""
    with gr.Column(visible=False, **column) as place:
        figure = line_chart(label, empty=empty, height=height, elem_id=elem_id)
    return Box(place, (figure,))


def on(
    triggers: Sequence[Any], call: Callable[..., Any], inputs: Any = None, outputs: Any = None
) -> gr.events.Dependency:
    """Call a handler quietly at any of some events, one call after another, the last state never
    left out. The handler follows a step that only the browser takes: the framework repeats a call
    that had to wait by repeating its event, and two that wait for each other at the same event
    would go on without end."""
    step = gr.on(triggers, None, None, None, js="() => {}", api_visibility="private")
    return step.then(call, inputs, outputs, **QUIET)
