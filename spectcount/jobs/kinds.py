"""What each kind of run does. Everything heavy is imported when the work begins.

Configurations (plain data): probe {"plan", "listeners": [L], "seed"}; compare the same with two
listeners, base and tuned, asked the same questions, and "margin"; panel the same with the "parts"
of a forgetting panel, "plan" being all of them interleaved, and the weak "regions" of the adapter;
confirm {"plan" of the map, "source": its run, "targets": suspected regions, "trials" of each,
"criterion", "listeners": [L], "seed"}; wordings {"plan", "wordings": [indices], "listeners": [L]
or [base, tuned], "seed"}; benchmark
{"benchmark", "path", "digest", "prompt", "mode", "rotate", "limit", "seed", "listeners": [L] or
[base, tuned]}; tune {"base", "curriculum", "lora", "train", "regions", "seed"}. What a comparison
shares with how its adapter was made is in its lineage: "trained", "seen".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spectcount.jobs.context import JobContext
from spectcount.settings import Settings

Work = Callable[[JobContext, Settings], dict[str, Any]]


def probe(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Ask every listener of the configuration every question of its plan."""
    from spectcount import listeners
    from spectcount.probing import run

    specs = context.config["listeners"]
    context.log(f"loading {', '.join(specs)} on {settings.device}")
    return run.execute(context, {spec: listeners.load(spec, settings) for spec in specs})


def compare(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Ask two listeners the same questions; the summary begins with what may be said, and has the
    parts trained and never trained."""
    from spectcount.probing import comparison

    summary, trials = probe(context, settings), _answered(context)
    said = [verdict.to_dict() for verdict in comparison.verdicts(context.config, trials)]
    held_out = comparison.held_out(context.config, context.lineage, trials)
    return {"verdicts": said, **held_out, **summary}


def panel(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Ask two listeners a forgetting panel; the summary has its table."""
    from spectcount.probing import comparison

    summary = probe(context, settings)
    return {"panel": comparison.panel(context.config, _answered(context)).to_dict(), **summary}


def wordings(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Ask one listener, or two, a plan whose every stimulus comes in each wording."""
    from spectcount import listeners
    from spectcount.probing import comparison, run

    config = context.config
    context.log(f"loading {', '.join(config['listeners'])} on {settings.device}")
    found = {spec: listeners.load(spec, settings) for spec in config["listeners"]}
    report, trials = run.ask_all(context, comparison.crossed(config), found)
    return {**comparison.wordings(config, trials), **report}


def confirm(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Ask a listener new questions about the suspected regions of its map."""
    from spectcount import listeners
    from spectcount.probing import confirm, run

    config = context.config
    context.log(f"loading {', '.join(config['listeners'])} on {settings.device}")
    found = {spec: listeners.load(spec, settings) for spec in config["listeners"]}
    plan = confirm.Confirmation.from_config(config)
    report, trials = run.ask_all(context, plan, found)
    return {**confirm.summary(config, trials, context.run_id), **report}


def benchmark(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Ask one listener, or base and tuned, the items of a transfer benchmark."""
    from spectcount import listeners
    from spectcount.benchmarks import run

    specs = context.config["listeners"]
    context.log(f"loading {', '.join(specs)} on {settings.device}")
    return run.execute(context, {spec: listeners.load(spec, settings) for spec in specs})


def _answered(context: JobContext) -> dict[str, list[Any]]:
    """The run's trials by listener."""
    trials = context.ledger.trials(context.run_id)
    return {name: [t for t in trials if t.listener == name] for name in context.config["listeners"]}


def tune(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Fine-tune an adapter."""
    from spectcount.training import train

    return train.execute(context, settings)


KINDS: dict[str, Work] = {
    "probe": probe, "compare": compare, "panel": panel, "wordings": wordings,
    "confirm": confirm, "benchmark": benchmark, "tune": tune,
}  # fmt: skip
