"""The form of a fine-tune: whose weak regions, what the curriculum mixes, how the adapter learns.

Regions are computed from the trials of a probe, by the same function that the Probe tab shows, so
a stopped run's regions can be used too. Each says whether it is suspected or confirmed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import listeners, presets
from spectcount.clips import wav_bytes
from spectcount.errors import UserError
from spectcount.jobs.confirmations import regions_now
from spectcount.params import Declared
from spectcount.probing.weakness import NOT_CONFIRMED
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.training import OPTIONS
from spectcount.training.curriculum import Curriculum, Drawn, Sampler
from spectcount.ui import pulse
from spectcount.ui.controls import Form, form
from spectcount.ui.pieces import Updates, html, on, refusal, refusing, render
from spectcount.ui.plan_form import about_html, changes
from spectcount.ui.polling import Feed, run_label

N_PREVIEWS = 5
NO_MAP = "none"
NO_REGIONS = (
    "No weak regions to train on: choose a map above, or start one in Probe. Without regions the "
    "fine-tune follows the paper's distribution alone."
)
_PART_TITLES = {"curriculum": "Curriculum", "lora": "Adapter (LoRA)", "train": "Optimisation"}
_OPEN = ("mixture", "")


class CurriculumForm:
    """The form; `inputs` go to `read` in their order."""

    def __init__(self, settings: Settings, store: Store, feed: Feed, base: gr.Dropdown) -> None:
        self.settings, self.store, self.feed = settings, store, feed
        self.source = gr.Dropdown(
            source_choices(store, str(base.value)),
            label="Map whose weak regions to train",
            elem_id="tune-map",
            allow_custom_value=True,
        )
        self.regions = gr.CheckboxGroup([], label=NO_REGIONS, elem_id="tune-regions")
        names = presets.names("training", settings)
        first = "laptop" if "laptop" in names else names[0]
        loaded = presets.load("training", first, settings)
        self.preset = gr.Dropdown(names, value=first, label="Recipe", elem_id="tune-preset")
        self.about = html(value=about_html(loaded))
        self.forms = {n: _part(n, declared, loaded.body[n]) for n, declared in OPTIONS.items()}
        self.seed = gr.Number(
            0,
            label="Seed",
            precision=0,
            minimum=0,
            elem_id="tune-seed",
            info="The same seed draws the same clips and the same first weights of the adapter.",
        )
        self.picked, self.shown = gr.State(False), gr.State(None)
        self._connect(base)

    def _connect(self, base: gr.Dropdown) -> None:
        source, current = self.source, self.shown
        on([self.preset.input], self.show, self.preset, [self.about, *self.options])
        on([source.input], lambda: True, None, self.picked)
        maps = {"inputs": [source, base, self.picked], "outputs": source}
        look = pulse.look_at(self.store, ("probe", "confirm"))
        when = [source.focus, base.change]
        beat = pulse.follow(look, self.refresh, maps, source, when=when)
        changed = [beat.input, source.change, base.change]
        on(changed, self.renew_regions, [source, base, current], [self.regions, current])
        edits = [event for part in self.forms.values() for event in part.triggers]
        on(edits, self.describe, [self.preset, *self.options], self.about)

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [self.source, self.regions, self.preset, self.seed, *self.options]

    @property
    def chosen(self) -> list[gr.components.Component]:
        """The widgets that say whose regions are trained, and which."""
        return [self.source, self.picked, self.regions, self.shown]

    def choose(self, run: Run, base: str, sentence: str) -> Updates:
        """Updates that offer the regions of a run and choose the one of that sentence; all of
        them where there is none such."""
        names = [region["sentence"] for region in regions_of(self.feed, run, base)]
        chosen = [name for name in names if name == sentence]
        return {self.regions: self._offer(names, base, chosen or names), self.shown: names}

    @property
    def options(self) -> list[gr.components.Component]:
        """The widgets of the training's options."""
        return [widget for part in self.forms.values() for widget in part.inputs]

    @property
    def triggers(self) -> list[Any]:
        """The events of whatever changes the options of the training."""
        return [part.component.change for part in self.forms.values()]

    def read(self, base: str, values: Sequence[Any]) -> dict[str, Any]:
        """{source, regions, config, seed} that the widgets' `values` describe, validated."""
        source, picked, preset, seed, *rest = values
        config = self._config(rest)
        if not isinstance(seed, (int, float)) or seed != int(seed) or seed < 0:
            raise UserError(f"seed={seed!r} is no seed; give a whole number, 0 or more")
        known = regions_of(self.feed, source_run(self.store, source), base)
        regions = [region for region in known if region["sentence"] in (picked or [])]
        return {
            "source": source if regions else None,
            "regions": regions,
            "config": config,
            "preset": preset,
            "seed": int(seed),
        }

    def _config(self, values: Sequence[Any]) -> dict[str, dict[str, Any]]:
        """The training's options by part, validated."""
        config: dict[str, dict[str, Any]] = {}
        rest = list(values)
        for name, part in self.forms.items():
            part_values, rest = rest[: len(part.inputs)], rest[len(part.inputs) :]
            config[name] = part.declared.from_dict(part.read(part_values)).to_dict()
        return config

    def describe(self, preset: str, *options: Any) -> Any:
        """Describe the recipe: its preset's words, or how the form differs from that."""
        try:
            loaded = presets.load("training", preset, self.settings)
            config = self._config(options)
            shipped = {
                n: p.declared.from_dict(loaded.body[n]).to_dict() for n, p in self.forms.items()
            }
        except UserError:
            return gr.skip()
        changed = [words for name in config for words in changes(config[name], shipped[name])]
        return about_html(loaded, changed)

    def show(self, preset: str) -> Updates:
        """Updates that show a preset."""
        try:
            loaded = presets.load("training", preset, self.settings)
        except UserError as error:
            return {self.about: refusal(error)}
        updates: Updates = {self.about: about_html(loaded)}
        for name, part in self.forms.items():
            updates |= part.updates(loaded.body[name])
        return updates

    def refresh(self, source: str | None, base: str, picked: bool = False) -> Any:
        """The maps of `base` that there are now; the newest, unless the reader `picked` one."""
        choices = source_choices(self.store, base)
        known = [run_id for _, run_id in choices]
        stays = source == known[0] or (picked and source in known)
        return gr.update(choices=choices) if stays else gr.update(choices=choices, value=known[0])

    def renew_regions(self, source: str | None, base: str, current: list[str] | None) -> Any:
        """The weak regions of the chosen map where they are others than `current`, as they
        are while it is asked or once its regions were confirmed; and which are shown then."""
        known = regions_of(self.feed, source_run(self.store, source), base)
        names = [region["sentence"] for region in known]
        if names == current:
            return gr.skip(), gr.skip()
        return self._offer(names, base, names), names

    def _offer(self, names: list[str], base: str, chosen: list[str]) -> Any:
        label = f"Weak regions of {base} in this map" if names else NO_REGIONS
        return gr.update(choices=names, value=chosen, label=label, visible=True)

    @refusing
    def preview(self, base: str, *values: Any) -> str:
        """The first clips that training will draw, to be played (HTML)."""
        request = self.read(base, values)
        curriculum = Curriculum.from_dict(request["config"]["curriculum"])
        window_s = listeners.window_s(base, self.settings)
        sampler = Sampler(curriculum, request["regions"], request["seed"], window_s)
        return previews_html(sampler.preview(N_PREVIEWS))


def source_choices(store: Store, base: str) -> list[tuple[str, str]]:
    """(label, id) of the probes in which `base` was mapped, newest first, then none. No
    comparison: its clips are held out, and training on what they say would end that."""
    runs = [r for r in store.runs("probe") if r.done and base in r.config.get("listeners", [])]
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
    regions = regions_now(feed.store, run, base, lambda: feed.result(run))
    return [region.to_dict() for region in regions if region.status != NOT_CONFIRMED]


def _part(name: str, declared: type[Declared], values: Mapping[str, Any]) -> Form:
    with gr.Accordion(_PART_TITLES[name], open=name == "curriculum", elem_id=f"tune-{name}"):
        return form(declared, values=values, open_groups=_OPEN, prefix=f"tune-{name}")


def previews_html(drawn: Sequence[Drawn]) -> Markup:
    """Players with what is asked and the truth of each clip (HTML)."""
    return render("forms.previews", drawn=list(map(_preview, drawn)))


def _preview(drawn: Drawn) -> tuple[str, str, str, str]:
    """Prompt, truth, source, and the sound as WAV, base64."""
    question = drawn.question
    wav = base64.b64encode(wav_bytes(question.audio(), subtype="PCM_16")).decode("ascii")
    return question.prompt, str(question.truth), drawn.source, wav
