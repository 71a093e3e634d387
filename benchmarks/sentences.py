"""How often is a sentence said when it is untrue?

    python benchmarks/sentences.py [--runs 400] [--seed 1] [--jobs 1] [--only regions.] [--write]
        [--rows FILE]

Simulated listeners whose truth is known are asked the shipped plans; every row counts how often
the project says a sentence that is untrue of them. With --write the table becomes the first part
of docs/recovery.md. With --rows every finished row is appended to a file, and rows that stand there
with the same runs and seed are not run again, so that the table may be made in pieces. Rows live in
`benchmarks/sentence_rows`, one module per kind of sentence.

*Conventions*: a row's random numbers depend on the seed and its name alone, not on the jobs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.page_parts import RECOVERY, table  # noqa: E402
from benchmarks.sentence_rows import LIMIT, Row, load_rows  # noqa: E402
from spectcount.psychophysics.sdt import Interval  # noqa: E402

TEXT = """## Sentences{about}

Made by `{command}`.

Each line simulates listeners for whom a sentence is untrue and counts how often it is said of
them, with the 95 % interval (Wilson) of that share. The limit is {limit:g} %; a line is *within*
where its interval does not lie above the limit.

{untrue}

{verdict}
"""

POWER = """
### Power

The same sentences for listeners of whom they are true: how often they are said.

{true}
"""


def measure(name: str, seed: int, runs: int) -> Row:
    """Run one row."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return load_rows()[name](rng, runs)


def _timed(name: str, seed: int, runs: int) -> tuple[Row, float]:
    start = time.perf_counter()
    return measure(name, seed, runs), time.perf_counter() - start


@dataclasses.dataclass(frozen=True)
class Rows:
    """Finished rows in a file (None: nowhere), one JSON object a line: name, seed, runs that were
    asked for, and the row."""

    path: Path | None
    seed: int
    runs: int

    def read(self) -> dict[str, Row]:
        """By name, those of this seed and number of runs."""
        if self.path is None or not self.path.exists():
            return {}
        lines = map(json.loads, self.path.read_text().splitlines())
        mine = (x for x in lines if (x["seed"], x["asked"]) == (self.seed, self.runs))
        return {x["name"]: Row(**x["row"]) for x in mine}

    def add(self, name: str, row: Row) -> None:
        """Append one."""
        if self.path is None:
            return
        line = {"name": name, "seed": self.seed, "asked": self.runs, "row": dataclasses.asdict(row)}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def page(measured: list[Row], command: str, about: str = "") -> str:
    """The part of the docs."""
    untrue = [row for row in measured if not row.power]
    beyond = [f"{row.sentence} ({row.truth})" for row in untrue if not row.holds]
    verdict = f"All {len(untrue)} lines are within the limit."
    if beyond:
        verdict = f"Beyond the limit: {'; '.join(beyond)}."
    true = [row for row in measured if row.power]
    text = TEXT.format(
        command=command,
        about=about,
        limit=100 * LIMIT,
        verdict=verdict,
        untrue=table(
            ["sentence", "when it is untrue", "how often said", "runs", "within"],
            [[*_line(row), "yes" if row.holds else "no"] for row in untrue],
        ),
    )
    if not true:
        return text
    head = ["sentence", "when it is true", "how often said", "runs"]
    return text + POWER.format(true=table(head, [_line(row) for row in true]))


def _line(row: Row) -> list[str]:
    return [row.sentence, row.truth, _percent(row.share), str(row.runs)]


def _percent(share: Interval) -> str:
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def main() -> None:
    """Run the rows, print them, and write the part of the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name begins so")
    parser.add_argument("--write", action="store_true", help="write the part of docs/recovery.md")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time")
    parser.add_argument("--rows", type=Path, help="file of finished rows, read and appended to")
    options = parser.parse_args()
    names = [name for name in load_rows() if name.startswith(options.only)]
    rows_of = options.only.rstrip(".")
    part = f"sentences_{rows_of}" if rows_of else "sentences"
    if options.write and part not in RECOVERY.parts:
        parser.error(f"{RECOVERY.path.name} has no part {part!r}, its parts: {RECOVERY.parts}")
    finished = Rows(options.rows, options.seed, options.runs)
    measured = finished.read()
    missing = [name for name in names if name not in measured]
    with ProcessPoolExecutor(options.jobs) as pool:
        timed = pool.map(partial(_timed, seed=options.seed, runs=options.runs), missing)
        for name, (row, seconds) in zip(missing, timed, strict=True):
            measured[name] = row
            finished.add(name, row)
            words = " | ".join(_line(row))
            print(f"{name}: {words} | {'' if row.holds else 'BEYOND '}{seconds:.0f} s", flush=True)
    if options.write:
        command = f"python benchmarks/sentences.py --runs {options.runs} --seed {options.seed}"
        command += f" --only {options.only}" if options.only else ""
        rows = [measured[name] for name in names]
        RECOVERY.write(part, page(rows, f"{command} --write", f": {rows_of}" if rows_of else ""))


if __name__ == "__main__":
    main()
