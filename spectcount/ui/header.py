"""The header: which base, which adapter, which device, and whether the model is ready.

The model is loaded by a background thread once the first page is up; the header says how far it
is. Its two dropdowns are what every tab reads to know whom to ask.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import listeners
from spectcount.errors import UserError
from spectcount.listeners import EMBEDDED, ListenerSpec, adapters
from spectcount.listeners.checkpoints.cards import cards
from spectcount.settings import Settings
from spectcount.ui import address, pulse
from spectcount.ui.loader import Loader, in_memory, status_of
from spectcount.ui.scoring import path_words

NO_ADAPTER = "none"
_SHARED = (
    '<p class="notice notice-hint" id="shared">A public page: what you make is yours alone, is '
    "limited, and is forgotten at a restart. Keep it with <b>Runs, Export bundle</b>; a copy of "
    "your own has no such limits.</p>"
)
_LAB_ANIMAL = "a lab animal: very small, trained on synthetic tones only"


@dataclass(frozen=True)
class Header:
    """What the tabs read: the dropdowns `base` and `tuned` (values: model name, adapter name)."""

    base: gr.Dropdown
    tuned: gr.Dropdown


def listener_spec(base: str, adapter: str | None) -> str:
    """What `listeners.load` takes: the base alone, or with an adapter."""
    return base if adapter in (None, "", NO_ADAPTER) else f"{base}@{adapter}"


def adapter_choices(
    settings: Settings, base: str, chosen: str | None = None
) -> list[tuple[str, str]]:
    """(words, name) of "none" and of every adapter for `base`: shipped ones, then finished
    tunes, newest first; and what is chosen already, where it is from elsewhere."""
    found = adapters(base, settings)
    words = {
        name: f"{name} (shipped)" if folder.is_relative_to(settings.models) else name
        for name, folder in found.items()
    }
    typed = [(chosen, chosen)] if chosen and is_place(chosen) else []
    return [("none", NO_ADAPTER), *((words[name], name) for name in found), *typed]


def is_place(adapter: str | None) -> bool:
    """Whether an adapter is written as a path or as an id of the hub."""
    return "/" in (adapter or "")


def build(settings: Settings, loader: Loader) -> Header:
    """Lay out the header and keep it current."""
    choices = adapter_choices(settings, EMBEDDED)
    with gr.Row(elem_id="header", equal_height=False):
        gr.HTML(
            "<h1>SpectCount</h1><p>where an audio language model is deaf, and how to teach it</p>",
            elem_id="brand",
            apply_default_css=False,
            js_on_load=None,
        )
        base = gr.Dropdown(
            base_choices(settings),
            value=EMBEDDED,
            label="Base",
            elem_id="base",
            min_width=130,
        )
        tuned = gr.Dropdown(
            choices,
            value=first_adapter(choices),
            label="Tuned (adapter)",
            elem_id="tuned",
            min_width=170,
            allow_custom_value=not settings.demo,
        )
        status = gr.HTML(
            status_html(settings, loader, EMBEDDED),
            elem_id="status",
            apply_default_css=False,
            js_on_load=None,
        )
    if settings.demo:
        gr.HTML(_SHARED, apply_default_css=False, js_on_load=None)
    header = Header(base, tuned)

    def look(chosen: str) -> tuple[object, bool]:
        loader.start()
        return status_html(settings, loader, chosen or EMBEDDED), loader.busy

    def choose(chosen: str, adapter: str | None) -> tuple[Any, str]:
        try:
            found = adapter_choices(settings, chosen, adapter)
        except UserError as error:
            return gr.skip(), f'<div role="alert">{html.escape(str(error))}</div>'
        return (
            gr.update(choices=found, value=adapter if is_place(adapter) else first_adapter(found)),
            status_html(settings, loader, chosen),
        )

    quiet: dict[str, Any] = {
        "queue": False, "show_progress": "hidden", "api_visibility": "private",
    }  # fmt: skip
    pulse.follow(
        look, lambda chosen: status_html(settings, loader, chosen),
        {"inputs": base, "outputs": status}, base,
    )  # fmt: skip
    base.input(choose, [base, tuned], [tuned, status], trigger_mode="always_last", **quiet)

    def come(request: gr.Request) -> tuple[Any, Any]:
        return arrive(settings, request)

    Context.root_block.load(come, None, [base, tuned], **quiet)
    address.keep("base", base)
    address.keep("adapter", tuned)
    base.focus(lambda now: gr.update(choices=base_choices(settings, now)), base, base, **quiet)
    tuned.focus(
        lambda name, now: gr.update(choices=adapter_choices(settings, name, now)),
        [base, tuned],
        tuned,
        **quiet,
    )
    return header


def arrive(settings: Settings, request: gr.Request) -> tuple[Any, Any]:
    """Updates of base and tuned: what the address names, else what a new page shows."""
    asked = address.query_of(request)
    base, adapter = asked.get("base") or EMBEDDED, asked.get("adapter") or ""
    try:
        known = base_choices(settings)
        if base not in known and (settings.demo or ListenerSpec.parse(base).model not in known):
            raise UserError(
                f"base={base!r} in the link is not on this machine; {EMBEDDED} is shown"
            )
        found = adapter_choices(settings, base, adapter if not settings.demo else None)
        missing = adapter and adapter not in [name for _, name in found]
    except UserError as error:
        gr.Warning(str(error))
        base, found, missing = EMBEDDED, adapter_choices(settings, EMBEDDED), bool(adapter)
    if missing:
        gr.Warning(f"adapter={adapter!r} in the link is not on this machine; another is shown")
    chosen = adapter if adapter and not missing else first_adapter(found)
    return (
        gr.update(choices=base_choices(settings, base), value=base),
        gr.update(choices=found, value=chosen),
    )


def base_choices(settings: Settings, chosen: str = EMBEDDED) -> list[str]:
    """The models on this machine that may be chosen, and what is chosen already (a model with
    options, or from elsewhere). Nothing heavy is imported for it."""
    here = listeners.models(settings)
    names = [name for name in here if not settings.demo or name in cards(settings)]
    return sorted({EMBEDDED, chosen or EMBEDDED, *names})


def first_adapter(choices: list[tuple[str, str]]) -> str:
    """The adapter that is chosen where nobody has chosen one: the first, or none."""
    return choices[1][1] if len(choices) > 1 else NO_ADAPTER


def status_html(settings: Settings, loader: Loader, base: str) -> str:
    """Whether the chosen base is ready, by which path it scores, and where (HTML)."""
    kind, words = status_of(settings, loader, base)
    path, _, why = (path_words(settings, base) if kind == "ready" else "").partition(" (")
    dot = f'<span class="dot {kind}" aria-hidden="true"></span>'
    facts = filter(None, [words, path, f"{settings.device}, {settings.mode} mode"])
    about = f"{EMBEDDED} is {_LAB_ANIMAL}" if base == EMBEDDED else why.removesuffix(")")
    row = in_memory(base) if kind == "ready" else None
    longest = f' data-longest-s="{row["longest_s"]:g}"' if row else ""
    return (
        f'<div role="status"{longest}>{dot}{html.escape(" · ".join(facts))}<br>'
        f"<small>{html.escape(about)}</small></div>"
    )
