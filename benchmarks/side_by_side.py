"""Two processes that score at once, as page and worker do: what waiting threads cost.

    python benchmarks/side_by_side.py [--questions 100] [--json]

Each way of waiting is tried alone and by two processes at once, in turns; a row gives the median
time of a question and its ratio to one process alone that waits as OpenMP does by default.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

WAYS = {
    "spinning": {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "infinite", "THREADS": "2"},
    "default": {"OMP_WAIT_POLICY": "", "GOMP_SPINCOUNT": "", "THREADS": "2"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "THREADS": "2"},
    "one thread": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "THREADS": "1"},
}
"""Environment of each way; an empty value means that the variable is not set."""
WORK = """
import sys, time
import os
for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
    if not os.environ.get(name):
        os.environ.pop(name, None)
import torch
from spectcount.designs import Pulses, draw
from spectcount.listeners import load_here
from spectcount.settings import load_settings
from spectcount.trials import Question
listener = load_here("tiny-lalm", load_settings())
torch.set_num_threads(int(os.environ["THREADS"]))
questions = [Question(draw(Pulses(), seed), "count") for seed in range(8)]
listener.score(questions)
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(sys.argv[1])):
    start = time.perf_counter()
    listener.score([questions[i % 8]])
    print(1000 * (time.perf_counter() - start), flush=True)
"""


def times_ms(way: str, processes: int, n_questions: int) -> list[float]:
    """Milliseconds per question of each of `processes` that score at once."""
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, **WAYS[way], "PYTHONPATH": root}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(n_questions)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(processes)
    ]
    for worker in workers:
        while worker.stdout.readline().strip() != "ready":
            if worker.poll() is not None:
                raise SystemExit("a worker did not start; run it with its environment installed")
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    lines = [worker.communicate()[0].split() for worker in workers]
    return [float(line) for text in lines for line in text]


def main() -> None:
    """Measure every way, alone and by two; print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--questions", type=int, default=100, help="questions of each process")
    parser.add_argument("--json", action="store_true", help="print JSON")
    flags = parser.parse_args()
    medians = {
        (way, n): statistics.median(times_ms(way, n, flags.questions))
        for way in WAYS
        for n in (1, 2)
    }
    alone = medians["default", 1]
    rows = [
        {"waiting": way, "processes": n, "median_ms": ms, "ratio": ms / alone}
        for (way, n), ms in medians.items()
    ]
    if flags.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'waiting':12} {'processes':>9} {'ms a question':>14} {'ratio':>7}")
    for row in rows:
        print("{waiting:12} {processes:9d} {median_ms:14.1f} {ratio:7.2f}".format(**row))


if __name__ == "__main__":
    main()
