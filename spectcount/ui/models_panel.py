"""The model picker, a drawer of the header: what there is, what fits, getting and loading one.

Conventions: whatever can take long (loading, fetching) goes on behind the page, by the `Loader`
that all pages share; the picker is looked at only while it is open. In demo mode only listed
models are shown, and a visitor can neither fetch nor unload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions, listeners
from spectcount.actions.models import ModelRow
from spectcount.errors import UserError
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings
from spectcount.ui import pulse
from spectcount.ui.header import Header, adapter_choices, base_choices, first_adapter
from spectcount.ui.loader import Loader, in_memory
from spectcount.ui.pieces import (
    PICK,
    QUIET,
    Updates,
    html,
    live,
    notice,
    on,
    refusal,
    refusing,
    render,
)

DEMO = "The demo fetches and unloads nothing; to do that, run a copy of SpectCount yourself."
NONE_CHOSEN = "Choose a model in the list first."
UNCHOSEN = "Choose a model to see its licence, its commit and what it needs."


class ModelsView:
    """The picker, folded, inside the page's `gr.Blocks`."""

    def __init__(self, settings: Settings, header: Header, loader: Loader) -> None:
        self.settings, self.header, self.loader = settings, header, loader
        local = not settings.demo
        with gr.Accordion("Models", open=False, elem_id="models", elem_classes="group"):
            self.memory = html("models-memory")
            self.table = html("models-list", script=PICK)
            with gr.Row(elem_classes="tools", elem_id="models-tools"):
                chosen = self.chosen = gr.Textbox(
                    "",
                    label="Model",
                    elem_id="models-chosen",
                    max_lines=1,
                    interactive=local,
                    placeholder="a name, path:/FOLDER or OWNER/NAME#COMMIT; @ADAPTER likewise",
                    min_width=240,
                )
                use = gr.Button("Use as base", variant="primary", elem_id="models-use")
                get = gr.Button("Get", elem_id="models-get", visible=local)
                free = gr.Button("Unload", elem_id="models-unload", visible=local)
            self.message = live("models-message")
            self.under_way = html("models-progress")
            facts = html("models-facts", notice(UNCHOSEN))
            self.sent = gr.State({})
            outputs = [self.memory, self.table, self.under_way, self.sent]
            polling = {"inputs": [chosen, self.sent], "outputs": outputs}
            pulse.follow(self.look, self.poll, polling, chosen, when=[chosen.change], at_once=False)
        self.table.select(self.choose, None, [chosen, self.message], **QUIET)
        on([chosen.change], self.facts, chosen, facts)
        quiet = {"api_visibility": "private", "show_progress": "hidden"}
        for button, act, woken in (
            (use, self.use, [header.base, header.tuned, self.message]),
            (get, self.get, self.message),
            (free, self.unload, self.message),
        ):
            button.click(act, chosen, woken, **quiet).then(self.poll, **polling, **QUIET)

    def choose(self, event: gr.SelectData) -> tuple[str, str]:
        """A click on a model: its name, with the option that makes it fit where it needs one."""
        name = str(event.value)
        row = next((row for row in actions.models(self.settings) if row.name == name), None)
        option = f"+{row.fits_as}" if row and row.fits_as else ""
        return f"{name}{option}", ""

    @refusing
    def facts(self, chosen: str) -> str:
        """All that is known of the chosen model (HTML)."""
        chosen = chosen.strip()
        if not chosen:
            return notice(UNCHOSEN)
        known = self._known(chosen)
        hidden = ("folder", "download") if self.settings.demo else ()
        public = {name: value for name, value in known.items() if name not in hidden}
        return facts_html(public, self._forecast(chosen))

    def _known(self, chosen: str) -> dict[str, Any]:
        """Of a model by path or by its hub id nothing is listed: what its folder says."""
        if "/" not in chosen:
            return actions.model_facts(self.settings, chosen)
        folder = listeners.model_folder(chosen, self.settings)
        return {
            "about": "Not in the list; it is checked when it is loaded.",
            "family": "known once loaded",
            "usable": True,
            "licence": "as on its page",
            "here": True,
            "folder": str(folder),
        }

    def _forecast(self, chosen: str) -> dict[str, Any] | None:
        """The forecast; None of a family that is not here."""
        try:
            return actions.forecast_model(self.settings, chosen)
        except UserError:
            return None

    def use(self, chosen: str) -> Updates:
        """Make the chosen model the base of every tab and load it."""
        try:
            whole = self._chosen(chosen)
            listeners.model_folder(whole, self.settings)
            actions.refuse_unknown_listener(self.settings, whole)
            named = listeners.ListenerSpec.parse(whole)
            spec, adapter = str(named.base), named.adapter
            known = adapter_choices(self.settings, spec, adapter)
            if in_memory(self.settings, spec) is None:
                self.loader.load(spec)
        except UserError as error:
            return {self.message: refusal(error)}
        return {
            self.header.base: gr.update(choices=base_choices(self.settings, spec), value=spec),
            self.header.tuned: gr.update(choices=known, value=adapter or first_adapter(known)),
            self.message: notice(f"{spec} is the base of every tab now."),
        }

    def get(self, chosen: str) -> str:
        """Begin to fetch the chosen model."""
        return self._told(
            lambda name: self.loader.get(listeners.ListenerSpec.parse(name).model), chosen, ""
        )

    def unload(self, chosen: str) -> str:
        """Free the memory of the chosen model."""

        def free(name: str) -> None:
            if in_memory(self.settings, name) is None:
                raise UserError(f"{name} is not in memory, so there is nothing to unload")
            actions.unload_models(self.settings, name)

        return self._told(
            free, chosen, "{name} is unloaded; the next question to it loads it again."
        )

    @refusing
    def _told(self, act: Any, chosen: str, words: str) -> str:
        if self.settings.demo:
            raise UserError(DEMO)
        name = self._chosen(chosen)
        act(name)
        return notice(words.format(name=name))

    def _chosen(self, chosen: str) -> str:
        if not chosen.strip():
            raise UserError(NONE_CHOSEN)
        return chosen.strip()

    def look(self, chosen: str) -> tuple[object, bool]:
        """The list as it is now, and whether something is loaded or fetched."""
        return list(self._shown(chosen).values()), self.loader.busy

    def poll(self, chosen: str, sent: dict[str, str]) -> Updates:
        """Everything that is new since `sent`."""
        now = self._shown(chosen)
        names = {component.elem_id: words for component, words in now.items()}
        fresh = {c: words for c, words in now.items() if sent.get(c.elem_id) != words}
        return {**fresh, self.sent: names}

    def _shown(self, chosen: str) -> dict[Any, str]:
        """The models in memory, the table, or the sentence about what is wrong with it, and how far
        loading is."""
        device = self.settings.device
        try:
            memory = memory_html(
                actions.models_in_memory(self.settings), device, free_gb(self.settings)
            )
            table = models_html(actions.models(self.settings), chosen, device)
        except UserError as error:
            memory, table = Markup(), refusal(error)
        return {self.memory: memory, self.table: table, self.under_way: self.progress()}

    def progress(self) -> str:
        """Progress of loading or fetching (HTML); "" where nothing is under way or went wrong."""
        words, share = self.loader.words, self.loader.share or 0.0
        if self.loader.error:
            return notice(words, "error")
        if not self.loader.busy:
            return ""
        return render("runs.progress", words=[words], name=self.loader.spec, share=share)


def free_gb(settings: Settings) -> float:
    """Memory of the device that nobody uses now, to the tenth of a GB, so that it is told again
    only where it matters."""
    from spectcount.listeners.checkpoints.needs import free_bytes

    return round(free_bytes(settings.device) / 1e9, 1)


HEADS = ("Model", "Parameters", "Needs", "Fits", "On this disk", "Licence")


def models_html(rows: Sequence[ModelRow], chosen: str, device: str) -> Markup:
    """The table, what is here and fits first; a row's name is a button (HTML)."""

    def order(row: ModelRow) -> tuple[Any, ...]:
        return not row.here, not row.usable, not row.fits, not row.fits_as, row.needs_gb

    return render(
        "models.table",
        heads=HEADS,
        rows=[(row, _cells(row)) for row in sorted(rows, key=order)],
        chosen=ListenerSpec.parse(chosen).model,
        device=device,
    )


def _cells(row: ModelRow) -> list[tuple[str, str]]:
    """(head, words) of a row's cells but for its name and its licence."""
    words = (
        parameters_text(row.parameters_b),
        gb_text(row.needs_gb) if row.usable else "–",
        fits_text(row),
        "✔ yes" if row.here else f"no, {gb_text(row.disk_gb)} to get",
    )
    return list(zip(HEADS[1:-1], words, strict=True))


def fits_text(row: ModelRow) -> str:
    """Say if it fits what is free now, as such or with an option."""
    if not row.usable:
        return "✖ cannot be used"
    if row.fits:
        return "✔ yes"
    return f"◐ as +{row.fits_as}" if row.fits_as else "✖ no"


def facts_html(facts: Mapping[str, Any], forecast: Mapping[str, Any] | None) -> Markup:
    """List what is known of the chosen model (HTML)."""
    rows = {
        "About": facts["about"],
        "Family": facts["family"] + ("" if facts["usable"] else ", which is not here yet"),
        "Licence": facts["licence"],
        "Commit": facts.get("revision") or facts.get("unpinned") or "",
        "Also needs": facts.get("requires") or "",
        "Folder": facts.get("folder") or "",
        "Download by hand": "" if facts["here"] else facts.get("download") or "",
        "Memory": _memory(forecast) if forecast else "",
        "Source": facts.get("source") or "",
    }
    return render("runs.definitions", facts={name: v for name, v in rows.items() if v})


def _memory(forecast: Mapping[str, Any]) -> str:
    """The forecast by part, and what would fit in its place."""
    parts = {
        **forecast["weights_gb"],
        "activations": forecast["activations_gb"],
        "reserve": forecast["reserve_gb"],
    }
    named = ", ".join(f"{name} {gb_text(gb)}" for name, gb in parts.items() if gb >= 0.01)
    words = (
        f"{gb_text(forecast['total_gb'])} in {forecast['workload']['dtype']}"
        + (f" ({named})" if named else "")
        + f"; {gb_text(forecast['free_gb'])} are free on {forecast['device']}"
    )
    fitting = [
        f"{change['change']} {gb_text(change['total_gb'])}"
        for change in forecast["instead"]
        if change["fits"]
    ]
    return words + ("" if forecast["fits"] or not fitting else f"; what fits: {fitting[0]}")


def memory_html(rows: Sequence[listeners.Resident], device: str, free_gb: float) -> Markup:
    """The models in memory, and what is free (HTML)."""
    inside = ", ".join(
        f"{row.name} ({gb_text(row.bytes / 1e9)}, {row.dtype}, {row.path} path)" for row in rows
    )
    words = f"In memory: {inside or 'no model'}. Free on {device}: {gb_text(free_gb)}."
    return Markup('<p class="about">{}</p>').format(words)


def gb_text(gb: float) -> str:
    """A size: 5 MB, 4.7 GB, 33 GB."""
    if gb < 0.1:
        return f"{1000 * gb:.0f} MB" if gb >= 0.001 else "little"
    return f"{gb:.1f} GB" if gb < 10 else f"{gb:.0f} GB"


def parameters_text(billions: float) -> str:
    """A number of parameters: 1.2 M, 8.3 B."""
    if not billions:
        return "–"
    return f"{1000 * billions:.1f} M" if billions < 0.1 else f"{billions:.1f} B"
