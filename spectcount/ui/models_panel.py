"""The model picker below the header: which models there are, what fits, getting and loading one.

Conventions: whatever can take long (loading, fetching) goes on behind the page, by the `Loader`
that all pages share; the picker is looked at only while it is open. In demo mode only listed
models are shown, and a visitor can neither fetch nor unload.
"""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from spectcount import actions, listeners
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.ui import pulse
from spectcount.ui.header import Header, adapter_choices, base_choices, first_adapter
from spectcount.ui.loader import Loader, in_memory
from spectcount.ui.models_table import facts_html, memory_html, models_html
from spectcount.ui.polling import QUIET, notice, on

DEMO = "The demo fetches and unloads nothing; to do that, run a copy of SpectCount yourself."
NONE_CHOSEN = "Choose a model in the list first."
UNCHOSEN = "Choose a model to see its licence, its commit and what it needs."

_SCRIPT = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-run]');
  if (row) trigger('select', { value: row.dataset.run, index: row.dataset.run });
});
"""


def build(settings: Settings, header: Header, loader: Loader) -> None:
    """The picker, folded, inside the page's `gr.Blocks`."""
    view = ModelsView(settings, loader)
    local = not settings.demo
    with gr.Accordion("Models", open=False, elem_id="models", elem_classes="group"):
        memory = gr.HTML(elem_id="models-memory", apply_default_css=False)
        table = gr.HTML(js_on_load=_SCRIPT, elem_id="models-list", apply_default_css=False)
        with gr.Row(elem_classes="tools", elem_id="models-tools"):
            chosen = gr.Textbox(
                "", label="Model", elem_id="models-chosen", max_lines=1, interactive=local,
                placeholder="a name, path:/FOLDER or OWNER/NAME#COMMIT; @ADAPTER likewise",
                min_width=240,
            )  # fmt: skip
            use = gr.Button("Use as base", variant="primary", elem_id="models-use")
            get = gr.Button("Get", elem_id="models-get", visible=local)
            free = gr.Button("Unload", elem_id="models-unload", visible=local)
        message = gr.HTML(
            elem_id="models-message",
            apply_default_css=False,
            js_on_load="SpectCount.live(element);",
        )
        progress = gr.HTML(elem_id="models-progress", apply_default_css=False)
        facts = gr.HTML(notice(UNCHOSEN), elem_id="models-facts", apply_default_css=False)
        sent = gr.State({})
        shown = {"inputs": [chosen, sent], "outputs": [memory, table, progress, sent]}
        pulse.follow(view.look, view.poll, shown, chosen, when=[chosen.change], at_once=False)
    table.select(view.choose, None, [chosen, message], **QUIET)
    on([chosen.change], view.facts, chosen, facts)
    told = {"api_visibility": "private", "show_progress": "hidden"}
    woken = [header.base, header.tuned, message]
    use.click(view.use, chosen, woken, **told).then(view.poll, **shown, **QUIET)
    get.click(view.get, chosen, message, **told).then(view.poll, **shown, **QUIET)
    free.click(view.unload, chosen, message, **told).then(view.poll, **shown, **QUIET)


class ModelsView:
    """The picker's handlers."""

    def __init__(self, settings: Settings, loader: Loader) -> None:
        self.settings = settings
        self.loader = loader

    def choose(self, event: gr.SelectData) -> tuple[str, str]:
        """A click on a model: its name, with the option that makes it fit where it needs one."""
        name = str(event.value)
        row = next((row for row in actions.models(self.settings) if row.name == name), None)
        option = f"+{row.fits_as}" if row and row.fits_as else ""
        return f"{name}{option}", ""

    def facts(self, chosen: str) -> str:
        """All that is known of the chosen model (HTML)."""
        chosen = chosen.strip()
        if not chosen:
            return notice(UNCHOSEN)
        try:
            known = self._known(chosen)
            hidden = ("folder", "download") if self.settings.demo else ()
            shown = {name: value for name, value in known.items() if name not in hidden}
            return facts_html(shown, self._forecast(chosen))
        except UserError as error:
            return notice(str(error), "error")

    def _known(self, chosen: str) -> dict[str, Any]:
        """Of a model by path or by its hub id nothing is listed: what its folder says."""
        if "/" not in chosen:
            return actions.model_facts(self.settings, chosen)
        folder = listeners.model_folder(chosen, self.settings)
        return {"about": "Not in the list; it is put to the test when it is loaded.",
                "family": "told when loaded", "usable": True, "licence": "as on its page",
                "here": True, "folder": str(folder)}  # fmt: skip

    def _forecast(self, chosen: str) -> dict[str, Any] | None:
        """The forecast; None of a family that is not here."""
        try:
            return actions.forecast_model(self.settings, chosen)
        except UserError:
            return None

    def use(self, chosen: str) -> tuple[Any, ...]:
        """Make the chosen model the base of every tab and load it: updates of base, tuned,
        message."""
        try:
            whole = self._chosen(chosen)
            listeners.model_folder(whole, self.settings)
            actions.refuse_unknown_listener(self.settings, whole)
            spec, adapter = listeners.split_adapter(whole)
            found = adapter_choices(self.settings, spec, adapter)
            if in_memory(spec) is None:
                self.loader.load(spec)
        except UserError as error:
            return gr.skip(), gr.skip(), notice(str(error), "error")
        return (
            gr.update(choices=base_choices(self.settings, spec), value=spec),
            gr.update(choices=found, value=adapter or first_adapter(found)),
            notice(f"{spec} is the base of every tab now."),
        )

    def get(self, chosen: str) -> str:
        """Begin to fetch the chosen model."""
        return self._told(lambda name: self.loader.get(name.partition("+")[0]), chosen, "")

    def unload(self, chosen: str) -> str:
        """Free the memory of the chosen model."""

        def free(name: str) -> None:
            if in_memory(name) is None:
                raise UserError(f"{name} is not in memory, so there is nothing to unload")
            actions.unload_models(name)

        return self._told(
            free, chosen, "{name} is unloaded; the next question to it loads it again."
        )

    def _told(self, act: Any, chosen: str, words: str) -> str:
        try:
            if self.settings.demo:
                raise UserError(DEMO)
            name = self._chosen(chosen)
            act(name)
        except UserError as error:
            return notice(str(error), "error")
        return notice(words.format(name=name))

    def _chosen(self, chosen: str) -> str:
        if not chosen.strip():
            raise UserError(NONE_CHOSEN)
        return chosen.strip()

    def look(self, chosen: str) -> tuple[object, bool]:
        """The list as it is now, and whether something is loaded or fetched."""
        return {**self._list(chosen), "progress": self.progress()}, self.loader.busy

    def poll(self, chosen: str, sent: dict[str, Any]) -> tuple[Any, ...]:
        """What is new since `sent`: memory, table, progress, sent."""
        new = {
            **self._list(chosen),
            "progress": self.progress(),
        }
        fresh = (gr.skip() if sent.get(name) == value else value for name, value in new.items())
        return *fresh, new

    def _list(self, chosen: str) -> dict[str, str]:
        """What is in memory and the table, or the sentence about what is wrong with the list."""
        device = self.settings.device
        try:
            return {
                "memory": memory_html(actions.models_in_memory(), device, free_gb(self.settings)),
                "table": models_html(actions.models(self.settings), chosen, device),
            }
        except UserError as error:
            return {"memory": "", "table": notice(str(error), "error")}

    def progress(self) -> str:
        """How far loading or fetching is (HTML); "" where nothing is under way or went wrong."""
        if self.loader.error:
            return notice(self.loader.words, "error")
        if not self.loader.busy:
            return ""
        share = 100 * (self.loader.share or 0)
        return (
            f'<div class="run-progress"><p>{escape(self.loader.words)}</p>'
            f'<div class="run-bar" role="progressbar" aria-label="{escape(self.loader.spec)}" '
            f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.0f}">'
            f'<div style="width:{share:.1f}%"></div></div></div>'
        )


def free_gb(settings: Settings) -> float:
    """Memory of the device that nobody uses now, to the tenth of a GB, so that it is told again
    only where it matters."""
    from spectcount.listeners.checkpoints.fits import free_bytes

    return round(free_bytes(settings.device) / 1e9, 1)
