"""The form of a benchmark: which, from which files, who answers, how it is put; what it would ask.

Conventions: what the form says about the files is read from them at every change, so that a wrong
folder or a missing sound is told before a run is started, not by it. In demo mode nothing on the
disk is looked at.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions
from spectcount.actions.benchmarks import HUB
from spectcount.benchmarks import catalogue, prompts, questions
from spectcount.benchmarks import files as official_files
from spectcount.benchmarks.questions import Sheet, sheet_of
from spectcount.configs import BenchmarkConfig
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Store
from spectcount.ui import room
from spectcount.ui.header import Header, compared
from spectcount.ui.pieces import Updates, html, notice, refusal, render
from spectcount.ui.polling import duration_text

DEMO = "The demo reads no benchmark from its disk. To run one, run a copy of SpectCount yourself."
PAIR, BASE, TUNED, SILENCE, FIRST = "pair", "base", "tuned", "silence", "first"
WHO = {
    "Base against tuned": PAIR,
    "Base": BASE,
    "Tuned": TUNED,
    "Base, given silence": SILENCE,
    "Always the first option": FIRST,
}
MODES = {"Replies in words": questions.REPLY, "Scores of the options": questions.SCORED}


class BenchmarkForm:
    """The form; `inputs` go to `read` and `look` in their order, base and tuned at the end."""

    def __init__(self, settings: Settings, store: Store, header: Header) -> None:
        self.settings, self.store, self.header = settings, store, header
        known = actions.benchmarks(settings)
        first = known[0]["name"]
        titles = [(b["title"], b["name"]) for b in known]
        self.name = gr.Dropdown(titles, value=first, label="Benchmark", elem_id="benchmark-name")
        self.files = html("benchmark-files-needed", files_html(first))
        self.path = gr.Textbox(
            label="Official files",
            placeholder="~/data/MMAU or hf:OWNER/NAME",
            elem_id="benchmark-path",
            visible=not settings.demo,
            max_lines=1,
        )
        self.split = gr.Textbox(
            "test", label="Split on the hub", visible=False, elem_id="benchmark-split"
        )
        self._lay_out_manner(prompts_of(settings, first))
        self.cost = html("benchmark-cost", notice(DEMO) if settings.demo else "")

    def _lay_out_manner(self, prompt_names: list[str]) -> None:
        """Who answers, and how they are asked."""
        self.who = gr.Radio(
            list(WHO.items()), value=PAIR, label="Who answers", elem_id="benchmark-who"
        )
        self.mode = gr.Radio(
            list(MODES.items()),
            value=questions.REPLY,
            label="Answers as",
            elem_id="benchmark-mode",
        )
        self.prompt = gr.Dropdown(
            prompt_names,
            value=prompt_names[0],
            label="Prompt (part of the result)",
            allow_custom_value=True,
            elem_id="benchmark-prompt",
        )
        self.rotate = gr.Checkbox(
            False, label="Ask in every order of the options", elem_id="benchmark-rotate"
        )
        whole: dict[str, Any] = {"precision": 0, "min_width": 110}
        with gr.Row(elem_classes="tools"):
            self.limit = gr.Number(0, label="Items (0: all)", elem_id="benchmark-limit", **whole)
            self.seed = gr.Number(0, label="Seed of the draw", elem_id="benchmark-seed", **whole)

    @property
    def inputs(self) -> list[Any]:
        return [
            self.name,
            self.path,
            self.split,
            self.who,
            self.prompt,
            self.mode,
            self.rotate,
            self.limit,
            self.seed,
            self.header.base,
            self.header.tuned,
        ]

    @property
    def triggers(self) -> list[Any]:
        """Whatever changes what `look` says; to be bound as one event."""
        return [widget.change for widget in self.inputs if widget is not self.name]

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """Arguments of `actions.start_benchmark`, settings apart; raises `UserError`."""
        name, path, split, who, prompt, mode, rotate, limit, seed, base, tuned = values
        if self.settings.demo:
            raise UserError(DEMO)
        if not str(path or "").strip():
            raise UserError(
                f"no files are given for {catalogue.get(name).title}; give the folder that holds "
                f"{catalogue.get(name).files[0]}"
            )
        listener, second = listeners_of(who, base, tuned)
        return {
            "name": name,
            "path": str(path).strip(),
            "listener": listener,
            "tuned": second,
            "prompt": str(prompt or "").strip() or None,
            "mode": mode,
            "rotate": bool(rotate),
            "limit": _whole(limit, "the limit of items", 1) if limit else None,
            "seed": _whole(seed or 0, "the seed", 0),
            "split": str(split or "").strip() or "test",
        }

    def choose(self, name: str) -> Updates:
        """Updates for another benchmark: its files, the path used for it last, its prompts."""
        path = "" if self.settings.demo else last_path(self.store, name)
        listed = prompts_of(self.settings, name)
        prompt = gr.update(choices=listed, value=listed[0])
        return {self.files: files_html(name), self.path: path, self.prompt: prompt}

    @property
    def of_benchmark(self) -> list[Any]:
        return [self.files, self.path, self.prompt]

    def look(self, *values: Any) -> tuple[str, Any]:
        """Say what the run would ask, or why it is refused; and show the split where it matters."""
        path = str(values[1] or "").strip()
        split = gr.update(visible=path.startswith(HUB))
        if self.settings.demo:
            return notice(DEMO), gr.update(visible=False)
        if not path:
            return "", split
        try:
            request = self.read(values)
            words = _prompt_words(self.settings, request)
            if path.startswith(HUB):
                return words + notice(
                    "The rows are fetched from the hub when you press Start, once; that can take "
                    "minutes."
                ), split
            return words + self._cost(request), split
        except UserError as error:
            return refusal(error), split

    def _cost(self, request: dict[str, Any]) -> Markup:
        """Items, questions, time and missing sounds (HTML)."""
        sheet = sheet_from(self.settings, request)
        names = [name for name in (request["listener"], request["tuned"]) if name]
        n = len(sheet.units) * len(names)
        each = f" × {len(names)} listeners" if len(names) > 1 else ""
        words = f"{len(sheet.items)} of {sheet.n_file} items: {len(sheet.units)} questions{each}."
        rate = measured_rate(self.store, names, request["mode"])
        if rate is not None:
            words += f" About {duration_text(n / rate[0])}, as in {rate[1]}."
        needed = room.room_html(needs(self.settings, request))
        return notice(words) + missing_html(sheet) + needed


def listeners_of(who: str, base: str, tuned: str) -> tuple[str, str | None]:
    """(listener, second listener or None) that a choice of `WHO` means."""
    if who == PAIR:
        first, second = compared(base, tuned)
        return first, second
    if who == TUNED:
        return compared(base, tuned)[1], None
    known = {BASE: base, SILENCE: f"silence:{base}", FIRST: "first"}
    if who not in known:
        raise UserError(f"who={who!r} is not known; choose one of {', '.join(WHO.values())}")
    return known[who], None


def needs(settings: Settings, request: dict[str, Any]) -> room.Room | None:
    """The memory that the run of a form needs."""
    return room.for_scoring(settings, [s for s in (request["listener"], request["tuned"]) if s])


def prompts_of(settings: Settings, name: str) -> list[str]:
    """The prompts that can be chosen, the benchmark's own first."""
    return next(b["prompts"] for b in actions.benchmarks(settings) if b["name"] == name)


def last_path(store: Store, name: str) -> str:
    """Where the files of a benchmark lay when it was run last; "" where it never was."""
    configs = (run.config for run in store.runs("benchmark") if run.config.get("benchmark") == name)
    return next((str(config["path"]) for config in configs if config.get("path")), "")


def sheet_from(settings: Settings, request: dict[str, Any]) -> Sheet:
    """The sheet of a form; its file is read again only where it has changed."""
    prompt = prompts.load(
        request["prompt"] or catalogue.get(request["name"]).prompts[0], prompt_folders(settings)
    )
    keys = ("mode", "rotate", "limit", "seed")
    benchmark = catalogue.get(request["name"])
    path = official_files.find(request["path"], benchmark.files, benchmark.title)
    stamp = (str(path), path.stat().st_mtime_ns, path.stat().st_size)
    options = tuple((key, request[key]) for key in keys)
    return _sheet(request["name"], stamp, tuple(prompt.to_dict().items()), options)


@functools.lru_cache(maxsize=4)
def _sheet(name: str, stamp: tuple[str, int, int], prompt: tuple, options: tuple) -> Sheet:
    stored = {"benchmark": name, "path": stamp[0], "prompt": dict(prompt), **dict(options)}
    return sheet_of(BenchmarkConfig.from_json(stored))


def prompt_folders(settings: Settings) -> tuple[Any, Any]:
    """Where prompts lie: shipped, then the user's own."""
    return settings.presets / prompts.FOLDER, settings.own_presets / prompts.FOLDER


def measured_rate(store: Store, names: list[str], mode: str) -> tuple[float, str] | None:
    """(questions per second, run) of the newest run in which one of these listeners answered in
    this way; None where none has."""
    for run in store.runs("benchmark"):
        if run.config.get("mode") != mode:
            continue
        measured = (run.summary or {}).get("listeners", {})
        rates = [
            measured[n]["clips_per_s"] for n in names if (measured.get(n) or {}).get("clips_per_s")
        ]
        if rates:
            return min(rates), run.id
    return None


def _prompt_words(settings: Settings, request: dict[str, Any]) -> Markup:
    name = request["prompt"] or catalogue.get(request["name"]).prompts[0]
    prompt = prompts.load(name, prompt_folders(settings))
    words = Markup('<p class="about">{}. {}</p>')
    return words.format(prompt.title, prompt.about)


def _whole(value: Any, words: str, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise UserError(f"{words} is {value!r}; give a whole number from {low}")
    if value < low:
        raise UserError(f"{words} is {int(value)}; give a whole number from {low}")
    return int(value)


_SHOWN = 5
_HUB_SETS = ("mmau", "mmau-test", "mmar", "mmsu")


@dataclass(frozen=True)
class Source:
    """Where the official files come from, and in which folder beside the annotations the sounds
    lie."""

    links: tuple[tuple[str, str], ...]
    sounds: str


_MMAU = (("github.com/Sakshi113/MMAU", "https://github.com/Sakshi113/MMAU"),)
SOURCES = {
    "mmau": Source(_MMAU, "test-mini-audios/"),
    "mmau-test": Source(_MMAU, "test-audios/"),
    "mmar": Source(
        (
            ("github.com/ddlBoJack/MMAR", "https://github.com/ddlBoJack/MMAR"),
            ("sounds", "https://huggingface.co/datasets/BoJack/MMAR"),
        ),
        "audio/",
    ),
    "mmsu": Source(
        (
            ("github.com/dingdongwang/MMSU", "https://github.com/dingdongwang/MMSU"),
            ("data", "https://huggingface.co/datasets/ddwang2000/MMSU"),
        ),
        "audio/",
    ),
    "air-bench": Source(
        (("github.com/OFA-Sys/AIR-Bench", "https://github.com/OFA-Sys/AIR-Bench"),),
        "Foundation/TASK_DATASET/",
    ),
}


def files_html(name: str) -> Markup:
    """Where the official files are, and what the folder must look like (HTML)."""
    source, benchmark = SOURCES[name], catalogue.get(name)
    return render(
        "benchmark.files",
        title=benchmark.title,
        links=source.links,
        annotations=benchmark.files[0],
        sounds=source.sounds,
        hub=name in _HUB_SETS,
    )


def missing_html(sheet: Sheet) -> Markup:
    """The sounds that are not where the annotations say (HTML); "" where all are there."""
    missing = [item for item in sheet.items if not item.audio.is_file()]
    if not missing:
        return Markup()
    named = ", ".join(item.id for item in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return notice(
        f"{len(missing)} of {len(sheet.items)} sounds are missing: {named}{more}. They are listed "
        f"in the result and count as wrong in the strict score. The first was looked for at "
        f"{missing[0].audio}."
    )
