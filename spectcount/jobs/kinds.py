"""What each kind of run does. Everything heavy is imported when the work begins.

Configurations (plain data): probe {"plan", "listeners": [L], "seed"}; compare the same with two
listeners, base and tuned, asked the same questions; tune {"base", "curriculum", "lora", "train",
"regions", "seed"}.
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


def tune(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Fine-tune an adapter."""
    from spectcount.training import train

    return train.execute(context, settings)


KINDS: dict[str, Work] = {"probe": probe, "compare": probe, "tune": tune}
