"""What a user can do, as plain functions: the page, the command line and the API call only these.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectcount import jobs, presets, report
from spectcount.clips import read_clip, save_clip
from spectcount.designs import draw, family
from spectcount.errors import UserError
from spectcount.params import Declared
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.store import Run, Store
from spectcount.synth import synthesise
from spectcount.trials import Question, Trial, make_trial

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Rendered:
    """Files that `render` wrote."""

    clip: Path
    stimulus: Path
    spectrogram: Path


@dataclass(frozen=True)
class AskResult:
    """One listener's answer: the trial (scores over the closed set), the reply in its own words
    when asked for, what the parser made of it (None: unparsed), and how long it took."""

    trial: Trial
    reply: str | None
    parsed: str | None
    seconds: float

    @property
    def answer(self) -> str:
        """The most probable answer of the closed set."""
        return self.trial.answer

    @property
    def answers(self) -> tuple[str, ...]:
        """The closed set."""
        return self.trial.answers

    @property
    def log_probs(self) -> tuple[float, ...]:
        """Natural log-probabilities over the closed set, normalised."""
        return self.trial.log_probs

    @property
    def truth(self) -> str | None:
        """The right answer; None where unknown."""
        return self.trial.truth

    @property
    def mass(self) -> float:
        """Probability of the closed set as a whole."""
        return self.trial.mass

    @property
    def fingerprint(self) -> str:
        """Weights + adapter + dtype + engine version of who answered."""
        return self.trial.fingerprint

    @property
    def unparsed(self) -> bool:
        """A reply was given that names no single answer of the set."""
        return self.reply is not None and self.parsed is None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, JSON ready."""
        trial = self.trial
        return {
            "listener": trial.listener,
            "fingerprint": trial.fingerprint,
            "task": trial.task,
            "prompt": trial.prompt,
            "answer": trial.answer,
            "truth": trial.truth,
            "correct": trial.correct,
            "probabilities": {
                a: math.exp(p) for a, p in zip(trial.answers, trial.log_probs, strict=True)
            },
            "log_probs": dict(zip(trial.answers, trial.log_probs, strict=True)),
            "mass": trial.mass,
            "reply": self.reply,
            "parsed": self.parsed,
            "seconds": self.seconds,
            "key": trial.key,
        }


# Sounds


def draw_stimulus(
    family_name: str, params: Params, seed: int, settings: Settings | None = None
) -> Stimulus:
    """One stimulus of a family; `settings` adds the limits of its mode."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed={seed!r} is no seed; give a whole number, 0 or more")
    stimulus = draw(family(family_name).from_dict(params), seed)
    if settings is not None and len(stimulus.events) > settings.limits.max_events:
        raise UserError(
            f"{len(stimulus.events)} events are above the limit {settings.limits.max_events} of "
            f"{settings.mode} mode; lower n_events"
        )
    return stimulus


def preset_stimulus(
    settings: Settings, preset: str, params: Params | None = None, seed: int = 0
) -> Stimulus:
    """One stimulus of a preset, with some parameters overridden."""
    body = presets.load("stimuli", preset, settings).body
    return draw_stimulus(body["family"], {**body["params"], **(params or {})}, seed, settings)


def read_stimulus(path: str | Path) -> Stimulus:
    """The stimulus in a JSON file that `render` wrote."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); give a stimulus.json") from None
    return Stimulus.from_json(text)


def render(stimulus: Stimulus, out_dir: str | Path) -> Rendered:
    """Write clip.wav (32-bit float: the very samples), stimulus.json and spectrogram.png."""
    from spectcount.spectrogram import write_png

    out = Path(out_dir)
    waveform = synthesise(stimulus)
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = Rendered(out / "clip.wav", out / "stimulus.json", out / "spectrogram.png")
        save_clip(files.clip, stimulus)
        files.stimulus.write_text(stimulus.to_json() + "\n", encoding="utf-8")
        write_png(files.spectrogram, stimulus, waveform)
    except OSError as error:
        raise UserError(f"cannot write into {out} ({error.strerror}); give another --out") from None
    return files


def load_clip(path: str | Path, settings: Settings) -> tuple[np.ndarray, tuple[str, ...]]:
    """The clip in a WAV, FLAC or OGG file, float32 [T] at 16 kHz, and notes on what was done to
    it; broken and over-long files are refused."""
    limits = settings.limits
    clip = read_clip(path, limits.max_upload_s, limits.max_upload_mb)
    return clip.waveform, clip.notes


# Questions


def ask(settings: Settings, spec: str, question: Question, *, with_reply: bool = True) -> AskResult:
    """Ask one question of one listener: scores over the closed set and, unless `with_reply` is
    false, its answer in its own words."""
    results = ask_stream(settings, spec, question)
    return [*results][-1] if with_reply else next(results)


def ask_stream(settings: Settings, spec: str, question: Question) -> Iterator[AskResult]:
    """The result as it grows: the scores first, then the reply word by word."""
    from spectcount import listeners

    refuse_unknown_listener(settings, spec)
    listener = listeners.load(spec, settings)
    start = time.perf_counter()
    scores = listener.score([question])
    trial = make_trial(
        question,
        scores.log_probs[0],
        float(scores.mass[0]),
        fingerprint=listener.fingerprint,
        listener=listener.name,
    )
    yield AskResult(trial, None, None, time.perf_counter() - start)
    for reply in listener.reply(question):
        said = dataclasses.replace(trial, reply=reply)
        yield AskResult(said, reply, question.task.parse(reply), time.perf_counter() - start)


def ask_each(
    settings: Settings, specs: Sequence[str], question: Question, *, with_reply: bool = True
) -> list[AskResult]:
    """Ask one question of several listeners, in their order."""
    return [ask(settings, spec, question, with_reply=with_reply) for spec in specs]


def refuse_foreign_model(settings: Settings, spec: str) -> None:
    """In demo mode only shipped models answer."""
    from spectcount import listeners

    name = spec.partition("@")[0].removeprefix("silence:")
    folder = listeners.models(settings).get(name)
    if settings.demo and folder is not None and not folder.is_relative_to(settings.models):
        raise UserError(f"{name} is not among the models of the demo; choose {listeners.EMBEDDED}")


# Runs


def probe_plan(
    settings: Settings, preset: str | Params, params: Params | None = None
) -> dict[str, Any]:
    """The plan of a probe preset (or plain data), checked, with `params` overriding its own
    parameters or, by name, those of its design."""
    from spectcount.probing.plan import PLANS, plan_from_dict

    plan = (
        presets.load("probes", preset, settings).body["plan"]
        if isinstance(preset, str)
        else plan_from_dict(preset).to_dict()
    )
    plan = {**plan, "design": dict(plan.get("design", {}))}
    plan_class = PLANS[plan["kind"]]
    own, designs = plan_class.params(), family(plan.get("family", "pulses"))
    for name, value in (params or {}).items():
        if name in own:
            plan[name] = plan_class.param(name).validate(value)
        elif name in designs.params():
            plan["design"][name] = designs.param(name).validate(value)
        else:
            _refuse_name(name, plan_class, designs)
    return plan_from_dict(plan).to_dict()


def start_probe(
    settings: Settings,
    plan: str | Params,
    listener: str | Sequence[str],
    seed: int = 0,
    params: Params | None = None,
) -> Run:
    """Queue a probe of one or several listeners and start it if the device is free."""
    specs = [listener] if isinstance(listener, str) else list(listener)
    return _start_probing(settings, "probe", plan, specs, seed, params)


def start_compare(
    settings: Settings,
    plan: str | Params,
    base: str,
    tuned: str,
    seed: int = 0,
    params: Params | None = None,
) -> Run:
    """Queue the same questions for two listeners."""
    return _start_probing(settings, "compare", plan, [base, tuned], seed, params)


def start_tune(
    settings: Settings,
    training: str | Params,
    base: str,
    *,
    weakness: str | None = None,
    regions: Sequence[Params] = (),
    params: Params | None = None,
    seed: int = 0,
) -> Run:
    """Queue a fine-tune of `base` with a training preset (or plain data of its form). Its weak
    regions are `regions`, or those that the probe run `weakness` found. `params` overrides
    single parameters by name, such as steps."""
    from spectcount import listeners

    folder = listeners.model_folder(base, settings)
    if settings.demo and folder != settings.models / listeners.EMBEDDED:
        raise UserError(f"the demo tunes {listeners.EMBEDDED} only; to tune {base}, run a copy")
    config = training_config(settings, training, params)
    store = Store(settings.database)
    found = list(regions) or (weak_regions(store, weakness, base) if weakness else [])
    lineage = {
        "base": base,
        "training": training if isinstance(training, str) else None,
        "probe": weakness,
    }
    full = {"base": base, **config, "regions": found, "seed": seed}
    run = jobs.submit(store, settings, "tune", full, lineage)
    jobs.tend(store, settings)
    return store.run(run.id)


def training_config(
    settings: Settings, training: str | Params, params: Params | None = None
) -> dict[str, dict[str, Any]]:
    """{"curriculum", "lora", "train"} of a training preset or plain data, checked, with `params`
    overriding single parameters by name."""
    if isinstance(training, str):
        config = presets.load("training", training, settings).body
    else:
        head = {"title": "training", "about": "as given"}
        config = presets.check("training", {**head, **training}).body
    config = {part: dict(values) for part, values in config.items()}
    parts = presets.training_parts()
    for name, value in (params or {}).items():
        owner = next((p for p, declared in parts.items() if name in declared.params()), None)
        if owner is None:
            _refuse_name(name, *parts.values())
        else:
            config[owner][name] = parts[owner].param(name).validate(value)
    return config


def weak_regions(store: Store, run_id: str, listener: str) -> list[dict[str, Any]]:
    """The weak regions of `listener` that a probe or comparison found, as plain data."""
    run = store.run(run_id)
    found = (run.summary or {}).get("regions", {})
    if not found.get(listener):
        of = f" of {listener}" if found else ""
        raise UserError(
            f"run {run_id} ({run.kind}, {run.state}) has found no weak regions{of}; give a probe "
            f"of {listener} that has, or leave the weakness out"
        )
    return list(found[listener])


def summary(settings: Settings, run_id: str) -> dict[str, Any]:
    """A run and its summary: plain data."""
    return Store(settings.database).run(run_id).to_dict()


def cancel(settings: Settings, run_id: str) -> Run:
    """Ask a run to stop: it finishes its step, saves and ends as stopped."""
    return jobs.cancel(Store(settings.database), run_id)


def resume(settings: Settings, run_id: str) -> Run:
    """Queue a stopped, interrupted or failed run again; it goes on where it was."""
    store = Store(settings.database)
    jobs.resume(store, settings, run_id)
    jobs.tend(store, settings)
    return store.run(run_id)


def export(settings: Settings, run_id: str, out_dir: str | Path) -> Path:
    """Write a run's bundle as one zip into `out_dir`; its path."""
    store = Store(settings.database)
    return report.export(store.run(run_id), store, out_dir)


def _start_probing(
    settings: Settings,
    kind: str,
    plan: str | Params,
    specs: list[str],
    seed: int,
    params: Params | None,
) -> Run:
    from spectcount.probing.plan import plan_from_dict

    body = probe_plan(settings, plan, params)
    n_trials = plan_from_dict(body).cost(len(specs)).n_trials
    if n_trials > settings.limits.max_trials:
        raise UserError(
            f"{n_trials} trials are above the limit {settings.limits.max_trials} of "
            f"{settings.mode} mode; lower the trials or the number of cells"
        )
    for spec in specs:
        refuse_unknown_listener(settings, spec)
    lineage = {"probe": plan if isinstance(plan, str) else None}
    store = Store(settings.database)
    config = {"plan": body, "listeners": specs, "seed": seed}
    run = jobs.submit(store, settings, kind, config, lineage)
    jobs.tend(store, settings)
    return store.run(run.id)


def refuse_unknown_listener(settings: Settings, spec: str) -> None:
    """Raise `UserError` for a spec that names no listener, without loading any weights."""
    from spectcount import listeners

    refuse_foreign_model(settings, spec)
    name, _, adapter = spec.removeprefix("silence:").partition("@")
    if name in ("ideal", "dsp", "first", "silence") or name.startswith("sim:"):
        listeners.load(spec, settings)
        return
    listeners.model_folder(name, settings)
    known = listeners.adapters(name, settings)
    if "@" in spec and adapter not in known:
        listed = ", ".join(known) or "none yet: tune first"
        raise UserError(f"adapter {adapter!r} of {name} is not known; known: {listed}")


def _refuse_name(name: str, *declared: type[Declared]) -> None:
    """Raise `UserError` for a name that none of these classes declares."""
    known = [known for cls in declared for known in cls.params()]
    presets.refuse_unknown({name: None}, known, "--set")
