"""The form of a fine-tune: whose weak regions, what the curriculum mixes, how the adapter learns.

Regions are computed from the trials of a probe or comparison, by the same function that the
Probe tab shows, so a stopped run's regions can be used too. Each says whether it is suspected or
confirmed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from spectcount import listeners, presets
from spectcount.clips import wav_bytes
from spectcount.errors import UserError
from spectcount.jobs.confirmations import regions_now
from spectcount.params import Declared
from spectcount.probing.maps import of_listener
from spectcount.probing.weakness import NOT_CONFIRMED
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.training import OPTIONS
from spectcount.training.curriculum import Drawn, Sampler
from spectcount.ui.controls import Form, form
from spectcount.ui.plan_form import about_html
from spectcount.ui.polling import QUIET, Feed, notice, run_label

N_PREVIEWS = 5
NO_MAP = "none"
NO_REGIONS = (
    "No weak regions to train on: choose a map above, or start one in Probe. Without regions the "
    "fine-tune follows the paper's distribution alone."
)
_PART_TITLES = {"curriculum": "Curriculum", "lora": "Adapter (LoRA)", "train": "Optimisation"}
_OPEN = ("mixture", "")


@dataclass(frozen=True)
class CurriculumForm:
    """The widgets; `inputs` go to `read` in their order."""

    settings: Settings
    store: Store
    feed: Feed
    source: gr.Dropdown
    regions: gr.CheckboxGroup
    preset: gr.Dropdown
    about: gr.HTML
    forms: dict[str, Form]
    seed: gr.Number

    @property
    def inputs(self) -> list[gr.components.Component]:
        parts = [widget for part in self.forms.values() for widget in part.inputs]
        return [self.source, self.regions, self.preset, self.seed, *parts]

    @property
    def triggers(self) -> list[Any]:
        """The events of whatever changes the options of the training."""
        return [part.component.change for part in self.forms.values()]

    @property
    def outputs(self) -> list[gr.components.Component]:
        """What `show` updates."""
        return [self.about, *[widget for part in self.forms.values() for widget in part.inputs]]

    def read(self, base: str, values: Sequence[Any]) -> dict[str, Any]:
        """{source, regions, config, seed} that the widgets' `values` describe, validated."""
        source, picked, preset, seed, *rest = values
        config: dict[str, dict[str, Any]] = {}
        for name, part in self.forms.items():
            mine, rest = rest[: len(part.inputs)], rest[len(part.inputs) :]
            config[name] = part.declared.from_dict(part.read(mine)).to_dict()
        if not isinstance(seed, (int, float)) or seed != int(seed) or seed < 0:
            raise UserError(f"seed={seed!r} is no seed; give a whole number, 0 or more")
        found = regions_of(self.feed, source_run(self.store, source), base)
        regions = [region for region in found if region["sentence"] in (picked or [])]
        return {
            "source": source if regions else None,
            "regions": regions,
            "config": config,
            "preset": preset,
            "seed": int(seed),
        }

    def show(self, preset: str) -> list[Any]:
        """Updates of `outputs` that show a preset."""
        try:
            loaded = presets.load("training", preset, self.settings)
        except UserError as error:
            return [notice(str(error), "error"), *[gr.skip()] * (len(self.outputs) - 1)]
        parts = [part.updates(loaded.body[name]) for name, part in self.forms.items()]
        return [about_html(loaded), *[update for part in parts for update in part]]

    def show_regions(self, source: str | None, base: str) -> Any:
        """The weak regions of the chosen map, all ticked."""
        run = source_run(self.store, source)
        names = [region["sentence"] for region in regions_of(self.feed, run, base)]
        label = f"Weak regions of {base} in this map" if names else NO_REGIONS
        return gr.update(choices=names, value=names, label=label, visible=True)

    def refresh(self, source: str | None, base: str) -> Any:
        """The maps of `base` that there are now; the newest where none of them is chosen."""
        choices = source_choices(self.store, base)
        known = [run_id for _, run_id in choices]
        value = source if source in known and source != NO_MAP else known[0]
        return gr.update(choices=choices, value=value)

    def preview(self, base: str, *values: Any) -> str:
        """The first clips that training will draw, to be played (HTML)."""
        try:
            asked = self.read(base, values)
            curriculum = OPTIONS["curriculum"].from_dict(asked["config"]["curriculum"])
            window_s = listeners.load(base, self.settings).loaded.window_s
            sampler = Sampler(curriculum, asked["regions"], asked["seed"], window_s)
            return previews_html(sampler.preview(N_PREVIEWS))
        except UserError as error:
            return notice(str(error), "error")


def build(settings: Settings, store: Store, feed: Feed, base: gr.Dropdown) -> CurriculumForm:
    """Lay out the form."""
    source = gr.Dropdown(
        source_choices(store, str(base.value)), label="Map whose weak regions to train",
        elem_id="tune-map", allow_custom_value=True,
    )  # fmt: skip
    regions = gr.CheckboxGroup([], label=NO_REGIONS, elem_id="tune-regions")
    names = presets.names("training", settings)
    first = "laptop" if "laptop" in names else names[0]
    loaded = presets.load("training", first, settings)
    preset = gr.Dropdown(names, value=first, label="Recipe", elem_id="tune-preset")
    about = gr.HTML(about_html(loaded), apply_default_css=False)
    forms = {name: _part(name, declared, loaded.body[name]) for name, declared in OPTIONS.items()}
    seed = gr.Number(
        0, label="Seed", precision=0, minimum=0, elem_id="tune-seed",
        info="The same seed draws the same clips and the same first weights of the adapter.",
    )  # fmt: skip
    made = CurriculumForm(settings, store, feed, source, regions, preset, about, forms, seed)
    preset.input(made.show, preset, made.outputs, **QUIET)
    gr.on([source.focus, base.change], made.refresh, [source, base], source, **QUIET)
    return made


def source_choices(store: Store, base: str) -> list[tuple[str, str]]:
    """(label, id) of the runs in which `base` was mapped, newest first, then none."""
    mapped = [r for r in store.runs() if r.kind in ("probe", "compare") and r.done]
    runs = [r for r in mapped if base in r.config.get("listeners", [])]
    return [*((run_label(run), run.id) for run in runs), ("no map", NO_MAP)]


def source_run(store: Store, run_id: str | None) -> Run | None:
    """The run whose weak regions are asked for; raises `UserError` for an unknown one."""
    return None if run_id in (None, "", NO_MAP) else store.run(str(run_id))


def regions_of(feed: Feed, run: Run | None, base: str) -> list[dict[str, Any]]:
    """Weak regions of `base` in a run, as plain data, without those that new questions did not
    confirm; empty where it did not answer there, and for procedures, which have thresholds but no
    map."""
    if run is None or base not in run.config.get("listeners", []):
        return []
    trials = of_listener(feed.trials(run.id), base)
    found = regions_now(feed.store, run, base, trials)
    return [region.to_dict() for region in found if region.status != NOT_CONFIRMED]


def _part(name: str, declared: type[Declared], values: Mapping[str, Any]) -> Form:
    with gr.Accordion(_PART_TITLES[name], open=name == "curriculum", elem_id=f"tune-{name}"):
        return form(declared, values=values, open_groups=_OPEN, prefix=f"tune-{name}")


def previews_html(drawn: Sequence[Drawn]) -> str:
    """Players with what is asked and the truth of each clip (HTML)."""
    items = "".join(_preview_item(one) for one in drawn)
    return f'<ol class="previews">{items}</ol>'


def _preview_item(drawn: Drawn) -> str:
    question = drawn.question
    data = base64.b64encode(wav_bytes(question.audio(), subtype="PCM_16")).decode("ascii")
    return (
        f"<li><p>“{escape(question.prompt)}” Truth: <b>{escape(str(question.truth))}</b> "
        f"<small>from: {escape(drawn.source)}</small></p>"
        f'<audio controls preload="none" aria-label="Clip to be learned from" '
        f'src="data:audio/wav;base64,{data}"></audio></li>'
    )
