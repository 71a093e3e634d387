"""The page's choices, in its address: a reload shows it again, and a link shows it to others.

Conventions: the part after "?" names the base, the adapter, the tab, the chosen run of every kind
and the plan of every form where they are not what a new page shows; the browser writes it
(`SpectCount.keep`), a new page reads it here. What an address names and does not exist is said,
and what a new page shows is shown.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from spectcount.store import Store
from spectcount.ui.polling import run_choices


def keep(name: str, component: gr.components.Component) -> None:
    """Write a component's value into the address, whoever changes it."""
    component.change(
        None,
        component,
        None,
        js=f"(now) => SpectCount.keep({json.dumps(name)}, now)",
        api_visibility="private",
    )


def query_of(request: gr.Request | None) -> dict[str, str]:
    """The names and values after the "?" of a page's address."""
    return dict(request.query_params) if request is not None else {}


def run_of(store: Store, kind: str, request: gr.Request) -> tuple[Any, str]:
    """Update of a choice of run, to the one in the address, else the newest; and which it is."""
    choices = run_choices(store, kind)
    chosen = query_of(request).get(kind) or (choices[0][1] if choices else "")
    return gr.update(choices=choices, value=chosen or None), chosen
