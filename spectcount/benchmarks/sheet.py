"""Sheet: what a run asks, from its configuration.

*Conventions*: a configuration has its prompt whole, not by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spectcount.benchmarks import catalogue, files, prompts, questions
from spectcount.benchmarks.catalogue import Benchmark
from spectcount.benchmarks.items import Item, pick
from spectcount.benchmarks.prompts import Prompt
from spectcount.configs import BenchmarkConfig
from spectcount.errors import UserError


@dataclass(frozen=True)
class Sheet:
    """What a run asks: the items that were picked and how they are put."""

    benchmark: Benchmark
    prompt: Prompt
    mode: str
    rotate: bool
    items: tuple[Item, ...]
    n_file: int
    digest: str
    path: Path
    limit: int | None
    seed: int
    n_unanswered: int = 0

    @property
    def units(self) -> list[tuple[Item, int]]:
        """Every (item, rotation) that is asked."""
        return [(i, r) for i in self.items for r in range(i.n_rotations if self.rotate else 1)]


def sheet_of(config: BenchmarkConfig) -> Sheet:
    """The sheet of a run's configuration. Raises `UserError` where the file is not, or no longer,
    the one that the run began with."""
    benchmark = catalogue.get(config.benchmark)
    path, items = benchmark.load(config.path)
    digest = files.digest(path)
    if config.digest not in ("", digest):
        raise UserError(
            f"{path.name} has changed since the run was started (was {config.digest}, is "
            f"{digest}); put the file back, or start another run"
        )
    if config.mode not in questions.MODES:
        raise UserError(f"mode={config.mode!r} is not known; give {' or '.join(questions.MODES)}")
    answered = [item for item in items if item.answer is not None] or items
    limit, seed = config.limit, config.seed
    return Sheet(
        benchmark, prompts.from_dict(config.prompt), config.mode, config.rotate,
        tuple(pick(answered, limit, seed)), len(items), digest, path, limit, seed,
        len(items) - len(answered),
    )  # fmt: skip
