"""The resident scorer against every process with a model of its own: times and memory.

    python benchmarks/live.py [--turns 3] [--page] [--json]

Each measure is taken both ways in turns, so that what else goes on falls on both; a row gives the
medians in seconds and their ratio. `first cell` is from the start of a `quick-map` to its first
stored trials, `quick-map` until its 868 trials are done; `ask` is the whole command. `live` is one
question of base and tuned over the socket while nothing and while a map goes on, `strip` 21 points
with 4 draws of both. Memory is what the processes hold alone and their share of what they hold
together (PSS). `--page` starts `app.py` as well: until it answers, and until its model is ready.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from spectcount import actions, jobs, listeners  # noqa: E402
from spectcount.listeners.scorer import client  # noqa: E402
from spectcount.settings import Settings, load_settings  # noqa: E402
from spectcount.store import Store  # noqa: E402
from spectcount.trials import Question  # noqa: E402

BOTH = ("tiny-lalm", "tiny-lalm@example")
WAYS = {"scorer": "900", "alone": "0"}
Times = dict[str, dict[str, list[float]]]


def settings_of(home: Path, way: str) -> Settings:
    """Settings of one way, which processes started from here share."""
    os.environ["SPECTCOUNT_SCORER_IDLE_S"] = WAYS[way]
    return load_settings(mode="local", home=home, device="cpu")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ask(settings: Settings) -> None:
    """The whole command, as a user types it."""
    words = ["--home", str(settings.home), "ask", "--preset", "wide", "--listener", "tiny-lalm"]
    subprocess.run(
        [sys.executable, "-m", "spectcount", *words], check=True, cwd=ROOT, capture_output=True
    )


def quick_map(settings: Settings, seed: int) -> tuple[float, float]:
    """Seconds from the start of a map to its first trials, and to its end."""
    start, first, store = time.perf_counter(), 0.0, Store(settings.database)
    run = actions.start_probe(settings, "quick-map", "tiny-lalm", seed)
    while not store.run(run.id).ended:
        if not first and store.n_trials_since(run.id)[1]:
            first = time.perf_counter() - start
        jobs.tend(store, settings)
        time.sleep(0.02)
    assert store.run(run.id).state == "done", store.run(run.id).reason
    return first, time.perf_counter() - start


def questions(settings: Settings, n: int, first: int) -> list[Question]:
    """Questions about clips that nobody has made before."""
    seeds = range(first, first + n)
    sounds = [actions.preset_stimulus(settings, "wide", {}, seed) for seed in seeds]
    return [Question(sound, "count") for sound in sounds]


def live(settings: Settings, first: int, n: int = 20) -> list[float]:
    """Seconds of single questions of base and tuned."""
    return [
        seconds(lambda q=question: actions.ask_live(settings, BOTH, q, page="slider"))
        for question in questions(settings, n, first)
    ]


def beside_a_map(settings: Settings, seed: int) -> list[float]:
    """`live` while a map goes on."""
    thread = threading.Thread(target=quick_map, args=(settings, seed))
    thread.start()
    time.sleep(2.0)
    times = live(settings, 5000 + 100 * seed)
    thread.join()
    return times


def strip(settings: Settings, first: int) -> float:
    """Seconds of 21 points with 4 draws, base and tuned."""
    points = questions(settings, 84, first)
    return seconds(lambda: [*actions.ask_strip(settings, BOTH, points, page="strip")])


def page(home: Path, way: str) -> tuple[float, float, list[psutil.Process]]:
    """Seconds until `app.py` answers and until its model is ready; its processes."""
    settings = settings_of(home, way)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.perf_counter()
    words = [sys.executable, "app.py", "--port", str(port), "--home", str(home)]
    child = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    usable = ready = 0.0
    while not (usable and ready) and time.perf_counter() < start + 120:
        if not usable:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/config") as answer:
                    answer.read()
                usable = time.perf_counter() - start
            except OSError:
                pass
        if way == "alone":  # the model is loaded when a browser looks at the page
            ready = usable
        elif listeners.in_memory(settings):
            ready = ready or time.perf_counter() - start
        time.sleep(0.02)
    return usable, ready, [psutil.Process(child.pid)]


def scorer_process(settings: Settings) -> list[psutil.Process]:
    """The resident scorer's process, where there is one."""
    at = next(client.place.places(settings))
    connection = client._connected(at)
    if connection is None:
        return []
    with connection:
        return [psutil.Process(client.wire.receive(connection).head["pid"])]


def pss_mb(process: psutil.Process) -> float:
    return process.memory_full_info().pss / 1e6


def measure(turns: int, with_page: bool) -> tuple[Times, dict[str, float]]:
    """All times by measure and way, and memory in MB."""
    times: Times = {}
    memory: dict[str, float] = {}
    for turn in range(turns):
        for way in WAYS:
            home = Path(tempfile.mkdtemp(prefix="live-"))
            settings = settings_of(home, way)

            def note(name: str, *values: float, way: str = way) -> None:
                times.setdefault(name, {}).setdefault(way, []).extend(values)

            if with_page:
                usable, ready, (app,) = page(home, way)
                note("page usable", usable)
                note("model ready behind it", ready)
                memory[f"page ({way})"] = pss_mb(app)
                app.terminate()
                app.wait()
                listeners.end_scorer(settings)
                time.sleep(1.0)
            note("ask, cold", seconds(lambda s=settings: ask(s)))
            note("ask, warm", *(seconds(lambda s=settings: ask(s)) for _ in range(3)))
            first, whole = quick_map(settings, turn)
            note("first cell", first)
            note("quick-map", whole)
            live(settings, 3000, 3)
            note("live", *live(settings, 4000 + 100 * turn))
            note("live beside a map", *beside_a_map(settings, 50 + turn))
            note("strip", strip(settings, 9000 + 100 * turn))
            for process in scorer_process(settings):
                memory["scorer"] = pss_mb(process)
            listeners.end_scorer(settings)
            listeners.free(settings)
            shutil.rmtree(home, ignore_errors=True)
    return times, memory


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    times, memory = measure(options.turns, options.page)
    if options.json:
        print(json.dumps({"seconds": times, "memory_mb": memory}))
        return
    print(f"{'':24}{'scorer':>9}{'alone':>9}{'ratio':>8}")
    for name, ways in times.items():
        served, alone = (statistics.median(ways[way]) for way in WAYS)
        print(f"{name:24}{served:9.3f}{alone:9.3f}{served / alone:8.2f}")
    for name, megabytes in memory.items():
        print(f"{name:24}{megabytes:9.0f} MB")


if __name__ == "__main__":
    main()
