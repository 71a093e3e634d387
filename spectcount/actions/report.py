"""Evidence that leaves the program: bundles, reports, figures and data sets of a run.

Conventions: settings come first; `out` is a folder that is made where it is missing. In demo mode
nothing is written outside the home folder and the system's folder for temporary files, and no more
clips than `DEMO_CLIPS_MB`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Store

if TYPE_CHECKING:
    from spectcount.report.evidence import Evidence

DEMO_CLIPS_MB = 100.0


def export(settings: Settings, run_id: str, out: str | Path, clips: bool = False) -> Path:
    """Write a run's bundle as `out`/RUN_ID.zip; its path. `clips` adds every clip as WAV."""
    from spectcount.report import bundle

    folder, evidence = _folder(settings, out), _evidence(settings, run_id)
    if clips:
        _refuse_large(settings, evidence, folder)
    with _writing(folder):
        return bundle.export(evidence, folder, clips)


def write_report(settings: Settings, run_id: str, out: str | Path) -> Path:
    """Write a run's report, one self-contained HTML file: `out` where it ends in .html, else
    `out`/RUN_ID.html; its path."""
    from spectcount.report.figures import figures_of
    from spectcount.report.page import report_html

    path, evidence = Path(out), _evidence(settings, run_id)
    if path.suffix.lower() not in (".html", ".htm"):
        path = path / f"{run_id}.html"
    _folder(settings, path.parent)
    text = report_html(evidence, figures_of(evidence))
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


def figure_names(settings: Settings, run_id: str) -> list[str]:
    """The names of a run's figures, the most telling first."""
    from spectcount.report.figures import figures_of

    return [figure.name for figure in figures_of(_evidence(settings, run_id))]


def figure_files(settings: Settings, run_id: str, figure: str, out: str | Path) -> list[Path]:
    """Write one figure of a run into `out`: SVG, PNG, interactive HTML, its data sheet (JSON) and
    the trials behind it (CSV, JSONL); their paths."""
    from spectcount.report.figures import write_figure

    folder, evidence = _folder(settings, out), _evidence(settings, run_id)
    with _writing(folder):
        return write_figure(evidence, figure, folder)


def audiofolder(
    settings: Settings,
    run_id: str,
    out: str | Path,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a run's questions as a Hugging Face `audiofolder` into the new or empty folder `out`;
    that folder. `progress(done, total)` is called after each clip."""
    from spectcount.report import audiofolder as data_set

    folder, evidence = _folder(settings, out), _evidence(settings, run_id)
    _refuse_large(settings, evidence, folder)
    with _writing(folder):
        data_set.write(evidence, folder, progress)
    return folder


def _evidence(settings: Settings, run_id: str) -> Evidence:
    from spectcount.jobs import ladders
    from spectcount.report.evidence import load
    from spectcount.report.reproduce import COMMANDS

    store = Store(settings.database)
    run = store.run(run_id).whole()
    if run.kind in ladders.KINDS:  # a part of what the run says whose clips they are of
        run = store.run(run.config["source"]).whole()
    if run.kind == "benchmark":
        raise UserError(
            f"run {run_id} is a benchmark, which has a report of its own: use `benchmark report "
            f"{run_id}`, or `benchmark export {run_id} --out FOLDER`"
        )
    if run.kind not in COMMANDS:
        raise UserError(
            f"run {run_id} is of the kind {run.kind[:40]!r}, which this release does not know; use "
            "the release that made it"
        )
    return load(run, store)


def _folder(settings: Settings, out: str | Path) -> Path:
    """The folder to write into; in demo mode only one that is the program's own."""
    path = Path(out)
    allowed = (settings.home.resolve(), Path(tempfile.gettempdir()).resolve())
    if settings.demo and not any(path.resolve().is_relative_to(folder) for folder in allowed):
        raise UserError(f"{path} is outside the folders of the demo; run a copy to write there")
    return path


def _refuse_large(settings: Settings, evidence: Evidence, folder: Path) -> None:
    """Raise `UserError` where the clips are more than the mode or the disk allows."""
    size = evidence.trials.tally.audio_mb
    if settings.demo and size > DEMO_CLIPS_MB:
        raise UserError(
            f"the clips take {size:.0f} MB, the demo gives {DEMO_CLIPS_MB:.0f} MB at most; export "
            "without clips (stimuli.jsonl makes them again), or run a copy"
        )
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free / 1e6
    if size + settings.limits.min_free_mb > free:
        raise UserError(
            f"the clips take {size:.0f} MB and {free:.0f} MB are free at {there}; give another "
            "--out, or free some space"
        )


@contextmanager
def _writing(where: Path) -> Iterator[None]:
    """Say where it was that could not be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {where} ({error.strerror}); give another --out") from None
