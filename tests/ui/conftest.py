"""Views without a browser: what is made behind the page is waited for."""

from __future__ import annotations

import gradio as gr
import pytest

from spectcount.store import Store
from spectcount.ui import behind
from spectcount.ui.header import Header


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    monkeypatch.setattr(behind, "PATIENCE_S", 60.0)


@pytest.fixture
def on_page():
    """`on_page(View, settings, ...)` lays a view out on a page that nobody sees."""

    def lay_out(view, settings, *more, store=None):
        with gr.Blocks():
            tuned = gr.Dropdown(["none", "example"], value="none")
            header = Header(gr.Dropdown(["tiny-lalm"], value="tiny-lalm"), tuned)
            return view(settings, store or Store(settings.database), header, *more)

    return lay_out
