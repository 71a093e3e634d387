"""The header: which base, which adapter, which device, and whether the model is ready.

The model is loaded by a background thread once the first page is up; the header says how far it
is. Its two dropdowns are what every tab reads to know whom to ask.
"""

from __future__ import annotations

import html
import threading
import time
from dataclasses import dataclass

import gradio as gr

from spectcount.errors import UserError
from spectcount.listeners import EMBEDDED, adapters, load, models
from spectcount.settings import Settings

NO_ADAPTER = "none"
_LAB_ANIMAL = "a lab animal: very small, trained on synthetic tones only"


@dataclass(frozen=True)
class Header:
    """What the tabs read: the dropdowns `base` and `tuned` (values: model name, adapter name)."""

    base: gr.Dropdown
    tuned: gr.Dropdown


class ModelLoader:
    """Loads the base model behind the page, once per process, from the first `start` on."""

    def __init__(self, settings: Settings, spec: str = EMBEDDED) -> None:
        self.spec = spec
        self._settings = settings
        self._started_at: float | None = None
        self._error = ""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._load, name=f"load {spec}", daemon=True)

    def start(self) -> None:
        """Begin to load; nothing where that was done before."""
        with self._lock:
            if self._started_at is None:
                self._started_at = time.monotonic()
                self._thread.start()

    def _load(self) -> None:
        try:
            load(self.spec, self._settings)
        except UserError as error:
            self._error = str(error)
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"
            raise

    @property
    def loading(self) -> bool:
        """Not loaded yet, started or not."""
        return self._started_at is None or self._thread.is_alive()

    @property
    def words(self) -> str:
        """State in words, e.g. "tiny-lalm ready"."""
        if self._started_at is None:
            return f"{self.spec} not loaded yet"
        if self._thread.is_alive():
            return f"loading {self.spec}, {time.monotonic() - self._started_at:.0f} s"
        return f"{self.spec} not available: {self._error}" if self._error else f"{self.spec} ready"

    @property
    def kind(self) -> str:
        """loading, ready or failed."""
        return "loading" if self.loading else "failed" if self._error else "ready"


def listener_spec(base: str, adapter: str | None) -> str:
    """What `listeners.load` takes: the base alone, or with an adapter."""
    return base if adapter in (None, "", NO_ADAPTER) else f"{base}@{adapter}"


def adapter_choices(settings: Settings, base: str) -> list[tuple[str, str]]:
    """(words, name) of "none" and of every adapter for `base`: shipped ones, then finished
    tunes, newest first."""
    found = adapters(base, settings)
    words = {
        name: f"{name} (shipped)" if folder.is_relative_to(settings.models) else name
        for name, folder in found.items()
    }
    return [("none", NO_ADAPTER), *((words[name], name) for name in found)]


def build(settings: Settings, loader: ModelLoader) -> Header:
    """Lay out the header and keep it current."""
    choices = adapter_choices(settings, EMBEDDED)
    first = choices[1][1] if len(choices) > 1 else NO_ADAPTER
    with gr.Row(elem_id="header", equal_height=False):
        gr.HTML(
            "<h1>SpectCount</h1><p>where an audio language model is deaf, and how to teach it</p>",
            elem_id="brand",
            apply_default_css=False,
            js_on_load=None,
        )
        base = gr.Dropdown(
            sorted({EMBEDDED, *models(settings)}),
            value=EMBEDDED,
            label="Base",
            elem_id="base",
            min_width=130,
        )
        tuned = gr.Dropdown(
            choices, value=first, label="Tuned (adapter)", elem_id="tuned", min_width=170
        )
        status = gr.HTML(
            _status(settings, loader), elem_id="status", apply_default_css=False, js_on_load=None
        )
    timer = gr.Timer(1.0)

    def tick() -> tuple[str, gr.Timer]:
        loader.start()
        return _status(settings, loader), gr.Timer(1.0 if loader.loading else 10.0)

    timer.tick(
        tick, outputs=[status, timer], queue=False, show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip
    tuned.focus(
        lambda name: gr.Dropdown(choices=adapter_choices(settings, name)),
        inputs=base,
        outputs=tuned,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return Header(base, tuned)


def _status(settings: Settings, loader: ModelLoader) -> str:
    dot = f'<span class="dot {loader.kind}" aria-hidden="true"></span>'
    where = f"{settings.device}, {settings.mode} mode"
    return (
        f'<div role="status">{dot}{html.escape(loader.words)} · {html.escape(where)}<br>'
        f"<small>{html.escape(loader.spec)} is {_LAB_ANIMAL}</small></div>"
    )
