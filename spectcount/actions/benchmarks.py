"""Benchmarks: which there are, starting a run, its report, its predictions for the official script.

Conventions: settings come first; a prompt is a name or the path of a YAML file; bad input raises
`UserError`. A path `hf:OWNER/NAME` fetches rows from the hub first, where `datasets` is installed.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import cast

from spectcount.actions.questions import refuse_unknown_listener
from spectcount.actions.starting import queue
from spectcount.benchmarks.catalogue import BENCHMARKS, Benchmark, get
from spectcount.benchmarks.export import Exported
from spectcount.configs import BenchmarkConfig, Json
from spectcount.errors import UserError
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings
from spectcount.store import Run, Store

HUB = "hf:"
DEAF = ("ideal", "dsp")
KIND = "benchmark"


def benchmarks(settings: Settings) -> list[Json]:
    """Every benchmark as plain data: name, title, files, prompts (its own first), strata, keys,
    command of the official script, gotchas."""
    every = benchmark_prompts(settings)
    return [
        {
            "name": b.name,
            "title": b.title,
            "files": list(b.files),
            "prompts": list(dict.fromkeys([*b.prompts, *every])),
            "strata": list(b.strata),
            "keys": list(b.keys),
            "command": b.command,
            "gotchas": list(b.gotchas),
        }
        for b in BENCHMARKS.values()
    ]


def benchmark_prompts(settings: Settings) -> list[str]:
    """Names of the prompts: shipped, then the user's own."""
    from spectcount.benchmarks import prompts

    return prompts.names(_prompt_folders(settings))


def start_benchmark(
    settings: Settings,
    name: str,
    path: str | Path,
    listener: str,
    tuned: str | None = None,
    *,
    prompt: str | None = None,
    mode: str = "reply",
    rotate: bool = False,
    limit: int | None = None,
    seed: int = 0,
    split: str = "test",
) -> Run:
    """Queue a benchmark for one listener, or for base and tuned, and start it if the device is
    free. `mode`: `reply` reads generated words, `scored` the most probable option; `rotate` asks
    every item in every rotation of its options; `limit` draws so many items at `seed`. Raises
    `UserError` for unknown names and for files that are not as the official ones."""
    from spectcount.benchmarks import prompts
    from spectcount.benchmarks.questions import sheet_of

    if settings.demo:
        raise UserError("the demo reads no benchmark from its disk; to run one, run a copy")
    benchmark = get(name)
    specs = [listener] if tuned is None else [listener, tuned]
    for spec in specs:
        _refuse_listener(settings, spec)
    wording = prompts.load(prompt or benchmark.prompts[0], _prompt_folders(settings))
    config = BenchmarkConfig(
        benchmark=name,
        path=str(_local(settings, benchmark, str(path), split)),
        prompt=wording.to_dict(),
        mode=mode,
        rotate=rotate,
        limit=limit,
        seed=seed,
        listeners=specs,
    )
    sheet = sheet_of(config)
    n = len(sheet.units) * len(specs)
    if n > settings.limits.max_trials:
        raise UserError(
            f"{n} questions are above the limit {settings.limits.max_trials}; lower the limit of "
            "items, or leave out the rotations"
        )
    config = dataclasses.replace(config, path=str(sheet.path), digest=sheet.digest)
    return queue(settings, config, {"prompt": wording.name})


def benchmark_report(settings: Settings, run_id: str) -> Json:
    """The summary of a run; `docs/benchmarks.md` lists its keys."""
    run = _run(settings, run_id)
    if not (run.summary or {}).get("listeners"):
        raise UserError(f"run {run_id} is {run.state} and has no report yet; wait, or resume it")
    return dict(run.summary or {})


def benchmark_lines(settings: Settings, run_id: str) -> list[str]:
    """The report of a run in words, a line each."""
    from spectcount.benchmarks import words

    summary = benchmark_report(settings, run_id)
    try:
        return words.lines(cast(words.Summary, summary))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"run {run_id} is damaged: its summary cannot be read ({error!r}); its replies are "
            f"whole, `benchmark export {run_id} --out FOLDER` writes them"
        ) from None


def export_benchmark(settings: Settings, run_id: str, out: str | Path) -> list[Exported]:
    """Write every listener's predictions in the form that the official script reads. Needs the
    annotation file where it was; raises `UserError` where it is gone or has changed."""
    from spectcount.benchmarks import export
    from spectcount.benchmarks.questions import sheet_of

    run = _run(settings, run_id)
    sheet = sheet_of(BenchmarkConfig.from_json(run.config))
    trials = Store(settings.database).trials(run.id)
    if not trials:
        raise UserError(f"run {run_id} is {run.state} and has no reply yet; wait, or resume it")
    folder = Path(out).expanduser()
    return [export.write(sheet, name, trials, folder) for name in run.listeners]


def _run(settings: Settings, run_id: str) -> Run:
    run = Store(settings.database).run(run_id)
    if run.kind != KIND:
        raise UserError(f"run {run_id} is a {run.kind}; give the id of a {KIND} run")
    return run.whole()


def _local(settings: Settings, benchmark: Benchmark, path: str, split: str) -> Path:
    """The path as given, or where the rows of `hf:OWNER/NAME` were written."""
    from spectcount.benchmarks import hub

    if not path.startswith(HUB):
        return Path(path)
    repository = path.removeprefix(HUB)
    folder = settings.home / "benchmarks" / repository.replace("/", "--") / split
    written = folder / hub.ANNOTATIONS
    return written if written.is_file() else hub.fetch(benchmark, repository, split, folder)


def _prompt_folders(settings: Settings) -> tuple[Path, Path]:
    from spectcount.benchmarks.prompts import FOLDER

    return settings.presets / FOLDER, settings.own_presets / FOLDER


def _refuse_listener(settings: Settings, spec: str) -> None:
    """Formulas know synthetic stimuli only, and cannot be asked about a recording."""
    if spec in DEAF or ListenerSpec.parse(spec).is_simulated:
        raise UserError(
            f"{spec} answers about synthetic signals only; choose a model, silence:MODEL or first"
        )
    refuse_unknown_listener(settings, spec)
