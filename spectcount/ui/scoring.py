"""The path that scores a model's answers, and how fast, in a line where the model answers.

Conventions: the staged path is the fast one, taken where it was found equal to the stock forward
when the model was loaded; else the reason is told. A path is known of models in memory;
a run's summary tells that of its own once it has ended.
"""

from __future__ import annotations

from markupsafe import Markup

from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run
from spectcount.ui.loader import in_memory


def path_words(settings: Settings, spec: str) -> str:
    """ "staged path", or "stock path" and why; "" where it is not known here."""
    try:
        row = in_memory(settings, spec)
    except UserError:
        return ""
    return _path(row.path, row.why_stock) if row is not None else ""


def _path(path: str, why: str) -> str:
    return f"{path} path" + (f" ({why})" if why else "")


def speed_html(settings: Settings, run: Run) -> Markup:
    """Path and speed of every listener of a run, or of the run as a whole while it goes on
    (HTML); "" where nothing is known."""
    speeds = (run.summary or {}).get("listeners") if run.ended else None
    names = run.config.get("listeners") or []
    sentences = []
    for name in names:
        about = (speeds or {}).get(name) or {}
        rate = about.get("clips_per_s")
        path = _path(about["path"], about["why_stock"]) if "path" in about else ""
        facts = [path or path_words(settings, name), rate_words(rate) if rate else ""]
        if any(facts):
            sentences.append(f"{name}: {', '.join(filter(None, facts))}")
    rate = None if run.ended else running_rate(run)
    if rate is not None:
        sentences.append(f"{rate_words(rate)} in all")
    return (
        Markup('<p class="run-speed">{}</p>').format(" · ".join(sentences))
        if sentences
        else Markup()
    )


def rate_words(rate: float) -> str:
    """Questions per second in three digits: "5 questions/s", "33,900 questions/s"."""
    return f"{float(f'{rate:.3g}'):,.10g} questions/s"


def running_rate(run: Run) -> float | None:
    """Questions per second of a running run, from the time it says is left; None before that."""
    left = run.total - run.done
    return left / run.eta_s if run.eta_s and left > 0 else None


def question_words(settings: Settings, spec: str, seconds: float) -> str:
    """Path and time of one question, e.g. "staged path, 1 question in 42 ms"."""
    took = (
        f"1 question in {1000 * seconds:.0f} ms"
        if seconds < 1
        else f"1 question in {seconds:.1f} s"
    )
    return ", ".join(filter(None, [path_words(settings, spec), took]))
