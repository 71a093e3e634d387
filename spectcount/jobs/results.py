"""Results of runs: of an ended one the analysis that was stored when it ended, of others computed
from the trials so far.

Conventions: the analysis lies in the run's folder, beside its log. An ended run without one, with
one of another version, or of another number of trials, is analysed once and the analysis stored.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from spectcount.probing.analysis import (
    Analysis,
    Result,
    from_json,
    running,
    settled,
    to_json,
)
from spectcount.store import Run, Store
from spectcount.trials import Trial

FILE = "analysis.json"
_analysing = threading.Lock()


def result_of(store: Store, run: Run, trials: Callable[[], Iterable[Trial]]) -> Result:
    """The result of a run; `trials` gives its trials where they are needed."""
    if run.ended:
        return analysis_of(store, run, trials)
    return running(run.kind, run.config, run.lineage, trials())


def analysis_of(store: Store, run: Run, trials: Callable[[], Iterable[Trial]]) -> Analysis:
    """The analysis of an ended run, made from its `trials` where there is none; by one thread at a
    time, for several views may ask for it at once."""
    n_trials = store.n_trials_since(run.id)[1]
    known = _stored(run.folder)
    if known is None or known.n_trials != n_trials:
        with _analysing:
            known = _stored(run.folder)
            if known is None or known.n_trials != n_trials:
                known = settled(running(run.kind, run.config, run.lineage, trials()))
                if not store.read_only:
                    keep(run.folder, known)
    return known


def keep(folder: Path, analysis: Analysis) -> None:
    """Store an analysis in a run's folder, whole at once. A folder that cannot be written costs
    time at the next look and nothing else."""
    path = folder / f"{FILE}.{os.getpid()}.{threading.get_ident()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(to_json(analysis), encoding="utf-8")
        path.replace(folder / FILE)
    except OSError:
        path.unlink(missing_ok=True)


def _stored(folder: Path) -> Analysis | None:
    try:
        return from_json((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
