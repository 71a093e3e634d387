"""Great runs: seconds and peak memory of everything that reads a whole run.

    python benchmarks/great_runs.py [--trials 200000] [--listeners 1] [--home FOLDER] [--only NAMES]

A simulated yes/no listener of d' = 1.5 answers a map of 195 cells; its trials are written straight
into a store. Each row is a process of its own: what it does, how long that takes without the
imports, and the most memory that the process held.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from page_parts import table

from spectcount.probing.plan import plan_from_dict
from spectcount.settings import Settings, load_settings
from spectcount.store import Run, Store
from spectcount.trials import Trial, make_trial, normalise

if TYPE_CHECKING:
    from spectcount.ui.probe import ProbeView

PLAN = {"kind": "map", "x": "time", "y": "mel_channel", "nx": 15, "ny": 13}
CATCH_SHARE = 0.025
D_PRIME = 1.5
BATCH = 20_000


def great_run(store: Store, n_trials: int, n_listeners: int = 1) -> Run:
    """A run that is done, with `n_trials` trials of each of some simulated listeners. A few drawn
    clips stand for all: their seeds alone differ."""
    n_catch = round(CATCH_SHARE * n_trials)
    per_cell = max(1, round((n_trials - n_catch) / (PLAN["nx"] * PLAN["ny"])))
    body = {**PLAN, "trials": min(per_cell, 1000), "catch_trials": min(n_catch, 5000)}
    names = [f"sim:d={D_PRIME},c=0,seed={k}" for k in range(n_listeners)]
    run = store.create_run("probe", {"plan": body, "listeners": names, "seed": 0})
    for name in names:
        batch: list[Trial] = []
        for trial in _trials(name, n_trials, n_catch):
            batch.append(trial)
            if len(batch) == BATCH:
                store.add_trials(run.id, batch)
                batch = []
        store.add_trials(run.id, batch)
    total = n_trials * n_listeners
    store.update(run.id, state="done", done=total, total=total, started_at=1.0, ended_at=2.0)
    return store.run(run.id)


def _trials(name: str, n_trials: int, n_catch: int) -> Iterator[Trial]:
    """Answers of a Gaussian listener, signal trials of all cells in turn, then catch trials."""
    rng = random.Random(name)
    drawn = plan_from_dict({**PLAN, "trials": 1, "catch_trials": 195}).questions(0)
    by_role = {r: [p for p in drawn if p.coords["role"] == r] for r in ("signal", "catch")}
    for k in range(n_trials):
        role = "signal" if k < n_trials - n_catch else "catch"
        planned = by_role[role][k % len(by_role[role])]
        score = rng.gauss(D_PRIME / 2 if role == "signal" else -D_PRIME / 2, 1.0)
        log_probs = normalise(np.array([score * D_PRIME, 0.0]))
        trial = make_trial(
            planned.question,
            log_probs,
            0.97,
            fingerprint=name,
            listener=name,
            coords={**planned.coords, "trial": k // len(by_role[role])},
        )
        yield _another(trial, k)


def _another(trial: Trial, seed: int) -> Trial:
    """The trial with a clip of its own."""
    stimulus = dict(trial.stimulus or {})
    stimulus |= {"noise_seed": seed, "meta": {**stimulus["meta"], "seed": seed}}
    key = hashlib.sha256(f"{trial.key} {seed}".encode()).hexdigest()[:16]
    return dataclasses.replace(trial, stimulus=stimulus, key=key)


# What is measured: each in a process of its own


def summary(settings: Settings, run: Run) -> None:
    """Analyse the run as its end does, and keep it."""
    from spectcount.jobs import results
    from spectcount.probing.analysis import running, settled
    from spectcount.probing.kinds import summarise

    store = Store(settings.database)
    analysis = settled(running(run.kind, run.config, run.lineage, store.trials(run.id)))
    results.keep(run.folder, analysis)
    numbers = summarise(analysis)
    store.update(run.id, summary={"done": run.done, "total": run.total, **numbers})


def export(settings: Settings, run: Run) -> None:
    """The bundle."""
    from spectcount import actions

    with tempfile.TemporaryDirectory() as folder:
        actions.export(settings, run.id, folder)


def report(settings: Settings, run: Run) -> None:
    """The report alone."""
    from spectcount import actions

    with tempfile.TemporaryDirectory() as folder:
        actions.write_report(settings, run.id, folder)


def listing(settings: Settings, run: Run) -> None:
    """The list of runs."""
    store = Store(settings.database)
    for one in store.runs():
        one.to_dict()
    store.pace()


def probe_tab(settings: Settings) -> ProbeView:
    """The Probe tab on a page that nobody sees."""
    import gradio as gr

    from spectcount.ui.header import Header
    from spectcount.ui.probe import ProbeView

    with gr.Blocks():
        header = Header(gr.Dropdown(["tiny-lalm"]), gr.Dropdown(["none"], value="none"))
        return ProbeView(settings, Store(settings.database), header)


def picture(settings: Settings, run: Run) -> float:
    """The page's map, opened afresh."""
    view = probe_tab(settings)
    view.marks.newest = lambda *_: None  # the marks of the front end follow the map
    start = time.perf_counter()
    view.figures(run, None, "d_prime", None)
    return time.perf_counter() - start


def poll(settings: Settings, run: Run) -> Callable[[], None]:
    """A poll of the page that shows the run, nothing new."""
    view = probe_tab(settings)
    shown = (None, "d_prime", None)
    sent, quiet = {}, 0
    while quiet < 3:  # looks in a row at which everything is shown and nothing is being made
        sent = view.poll(run.id, sent, *shown)[view.sent]
        busy = any(b.at_work[0] for b in view.behind.values())
        quiet = 0 if busy else quiet + 1
        time.sleep(0.05)
    return lambda: view.poll(run.id, sent, *shown)


WORK: dict[str, Callable] = {
    f.__name__: f for f in (listing, summary, picture, poll, report, export)
}


def measure(home: Path, name: str) -> dict[str, float]:
    """Seconds and peak megabytes of one piece of work, in this process."""
    settings = load_settings(home=home, environ={})
    run = next(r for r in Store(settings.database).runs("probe"))
    if name in ("picture", "poll"):
        import spectcount.ui.probe  # noqa: F401 - imports are not what is measured

    start = time.perf_counter()
    again = WORK[name](settings, run)
    seconds = time.perf_counter() - start
    if isinstance(again, float):  # without what it needs the page for
        seconds = again
    elif again is not None:
        seconds = statistics.median(timeit.repeat(again, number=1, repeat=9))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"seconds": round(seconds, 3), "peak_mb": round(peak_mb)}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200_000)
    parser.add_argument("--listeners", type=int, default=1)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--only", nargs="*", default=list(WORK), choices=list(WORK))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.home, given.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or Path(folder)
        store = Store(load_settings(home=home, environ={}).database)
        if not store.runs("probe"):
            great_run(store, given.trials, given.listeners)
        rows = []
        for name in given.only:
            command = [sys.executable, __file__, "--home", str(home), "--child", name]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            words = (WORK[name].__doc__ or "").strip().rstrip(".").lower()
            rows.append([words, f"{found['seconds']:.3g}", f"{found['peak_mb']:.0f}"])
            print(rows[-1], flush=True)
        print(table(["what", "seconds", "peak MB"], rows))


if __name__ == "__main__":
    main()
