"""The header: which base, which adapter, which device, and whether the model is ready.

The model is loaded by a background thread once the first page is up; the header says how far it
is. Its two dropdowns are what every tab reads to know whom to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context
from markupsafe import Markup

from spectcount import listeners
from spectcount.errors import UserError
from spectcount.listeners import EMBEDDED, ListenerSpec, adapters
from spectcount.listeners.checkpoints.cards import cards
from spectcount.settings import Settings
from spectcount.store import Store
from spectcount.ui import address, pulse
from spectcount.ui.loader import Loader, in_memory, status_of
from spectcount.ui.pieces import QUIET, html, render
from spectcount.ui.scoring import path_words

NO_ADAPTER = "none"
_EMBEDDED_IS = "very small, for trying things out; it knows synthetic tones only"


@dataclass(frozen=True)
class Header:
    """Choices read by the tabs: dropdowns `base` and `tuned` (values: model and adapter). `row`
    holds them, and has room for more at its end."""

    base: gr.Dropdown
    tuned: gr.Dropdown
    row: gr.Row | None = None


def listener_spec(base: str, adapter: str | None) -> str:
    """The text that `listeners.load` takes: the base alone, or with an adapter."""
    return base if adapter in (None, "", NO_ADAPTER) else f"{base}@{adapter}"


def compared(base: str, tuned: str) -> tuple[str, str]:
    """The two listeners; raises `UserError` where there is no adapter."""
    spec = listener_spec(base, tuned)
    if spec == base:
        raise UserError(
            "no tuned adapter is selected; choose one in the header, or make one in Tune"
        )
    return base, spec


def adapter_choices(
    settings: Settings, base: str, chosen: str | None = None
) -> list[tuple[str, str]]:
    """(words, name) of "none" and of every adapter for `base`: shipped ones, then finished
    tunes, newest first; and what is chosen already, where it is from elsewhere."""
    folders = adapters(base, settings)
    words = {
        name: f"{name} (shipped)" if folder.is_relative_to(settings.models) else name
        for name, folder in folders.items()
    }
    typed = [(chosen, chosen)] if chosen and is_place(chosen) else []
    return [("none", NO_ADAPTER), *((words[name], name) for name in folders), *typed]


def is_place(adapter: str | None) -> bool:
    """True for an adapter written as a path or as an id of the hub."""
    return "/" in (adapter or "")


def build(settings: Settings, store: Store, loader: Loader) -> Header:
    """Lay out the header and keep it current."""
    choices = adapter_choices(settings, EMBEDDED)
    with gr.Row(elem_id="header", equal_height=False) as row:
        html("brand", render("header.brand"))
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
            label="Tuned",
            elem_id="tuned",
            min_width=170,
            allow_custom_value=not settings.demo,
        )
        status = html("status", status_html(settings, loader, EMBEDDED))
    if settings.demo:
        html(value=render("header.shared"))
    elif notes := settings.damaged_places() + store.lost_runs():
        html("damage", Markup('<p role="alert">{}</p>').format(" ".join(notes)))
    header = Header(base, tuned, row)

    def look(chosen: str) -> tuple[object, bool]:
        loader.start()
        return status_html(settings, loader, chosen or EMBEDDED), loader.busy

    def choose(chosen: str, adapter: str | None) -> tuple[Any, str]:
        try:
            choices_now = adapter_choices(settings, chosen, adapter)
        except UserError as error:
            return gr.skip(), Markup('<div role="alert">{}</div>').format(str(error))
        return (
            gr.update(
                choices=choices_now,
                value=adapter if is_place(adapter) else first_adapter(choices_now),
            ),
            status_html(settings, loader, chosen),
        )

    pulse.follow(
        look,
        lambda chosen: status_html(settings, loader, chosen),
        {"inputs": base, "outputs": status},
        base,
    )
    base.input(choose, [base, tuned], [tuned, status], **QUIET)

    def come(request: gr.Request) -> tuple[Any, Any]:
        return arrive(settings, request)

    Context.root_block.load(come, None, [base, tuned], **QUIET)
    address.keep("base", base)
    address.keep("adapter", tuned)
    base.focus(lambda now: gr.update(choices=base_choices(settings, now)), base, base, **QUIET)
    tuned.focus(
        lambda name, now: gr.update(choices=adapter_choices(settings, name, now)),
        [base, tuned],
        tuned,
        **QUIET,
    )
    return header


def arrive(settings: Settings, request: gr.Request) -> tuple[Any, Any]:
    """Updates of base and tuned: what the address names, else what a new page shows."""
    query = address.query_of(request)
    base, adapter = query.get("base") or EMBEDDED, query.get("adapter") or ""
    try:
        known = base_choices(settings)
        if base not in known and (settings.demo or ListenerSpec.parse(base).model not in known):
            raise UserError(
                f"base={base!r} in the link is not on this machine; {EMBEDDED} is shown"
            )
        offered = adapter_choices(settings, base, adapter if not settings.demo else None)
        missing = adapter and adapter not in [name for _, name in offered]
    except UserError as error:
        gr.Warning(str(error))
        base, offered, missing = EMBEDDED, adapter_choices(settings, EMBEDDED), bool(adapter)
    if missing:
        gr.Warning(f"adapter={adapter!r} in the link is not on this machine; another is shown")
    chosen = adapter if adapter and not missing else first_adapter(offered)
    return (
        gr.update(choices=base_choices(settings, base), value=base),
        gr.update(choices=offered, value=chosen),
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


def status_html(settings: Settings, loader: Loader, base: str) -> Markup:
    """State of the chosen base: ready or not, by which path it scores, and where (HTML)."""
    kind, words = status_of(settings, loader, base)
    path, _, why = (path_words(settings, base) if kind == "ready" else "").partition(" (")
    about = f"{EMBEDDED} is {_EMBEDDED_IS}" if base == EMBEDDED else why.removesuffix(")")
    row = in_memory(settings, base) if kind == "ready" else None
    return render(
        "header.status",
        kind=kind,
        facts=[words, *filter(None, [path]), f"{settings.device}, {settings.mode} mode"],
        about=about,
        longest_s=f"{row.longest_s:g}" if row else "",
    )
