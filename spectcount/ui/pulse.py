"""A tab's sign of life: the browser looks whether a run has changed, and asks for it only then.

Conventions: a look is a request of a few bytes that the page's framework never sees, since each of
the framework's answers costs the browser some milliseconds for every component of the page. It is
made once a second while the chosen run goes on, every `IDLE_S` while nothing does, and never from
a tab that is not shown or a window that is not seen (`static/pulse.js`). A look answers with a
stamp; another stamp than the last one is the component's `input` event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gradio as gr
from gradio.context import Context

from spectcount.store import Store
from spectcount.ui.pieces import on

UNREAD = "?"
"""What is chosen before the address was read (`static/pulse.js` knows it too)."""
IDLE_S = 5.0
LIVE_S = 1.0
Look = Callable[[str], tuple[object, bool]]
"""What is chosen, a run say ("" where nothing is) -> its stamp, and whether it goes on."""


def follow(
    look: Look,
    poll: Callable[..., Any],
    polling: dict[str, Any],
    chosen: gr.components.Component | None = None,
    *,
    when: Sequence[Any] = (),
    at_once: bool = True,
    first: str = "",
) -> gr.HTML:
    """Call `poll` (inputs and outputs in `polling`) whenever what `look` says of what is `chosen`
    has changed, at the events `when`, and when the page opens (`at_once`). To be called inside the
    layout of what must be seen for it. `first` is what a new page takes for chosen; nothing is
    looked at while it is `UNREAD`.

    All of it is one handler, whose calls go one after another: of two, the answer to the older
    could come last and stay."""

    def beat(run_id: Any) -> str:
        stamp, live = look(str(run_id or ""))
        return json.dumps([json.dumps(stamp), LIVE_S if live else IDLE_S])

    pulse = gr.HTML(
        first,
        html_template='<span class="pulse"></span>',
        js_on_load="SpectCount.pulse(element, props, watch, server, trigger); /* 'input' */",
        server_functions=[beat],
        apply_default_css=False,
        elem_classes="pulse-box",
    )
    opened = [Context.root_block.load] if at_once else []
    on([pulse.input, *when, *opened], poll, **polling)
    if chosen is not None:
        chosen.change(None, chosen, pulse, js="(now) => now ?? ''", api_visibility="private")
    return pulse


class Maker(Protocol):
    """Something that works behind the page (`Behind`)."""

    @property
    def at_work(self) -> tuple[bool, int]:
        """True while something is being made, and the number of things made so far."""


def look_at(store: Store, kinds: Sequence[str], *makers: Maker) -> Look:
    """Looks at the runs of some kinds, and at what `makers` make of them."""

    def look(run_id: str) -> tuple[object, bool]:
        making = [maker.at_work for maker in makers]
        pace = store.pace(kinds, run_id)
        return [*pace.stamp, making], pace.live or any(busy for busy, _ in making)

    return look
