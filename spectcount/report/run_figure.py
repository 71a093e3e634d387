"""One figure of a run: its spec, the trials behind it, and its files.

Conventions: a figure's name is its file name, lower-case words with hyphens; `primary` figures
stand in the report, the others in the bundle only. Files of one figure: NAME.svg, NAME.png,
NAME.html (interactive), NAME.json (the spec and where it comes from).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from spectcount.figures import interactive, paper
from spectcount.figures.spec import Spec
from spectcount.report.evidence import Evidence
from spectcount.report.rows import legend
from spectcount.report.selection import Selection


@dataclass(frozen=True)
class RunFigure:
    """See the module; `part` is the label of the part of the run that it belongs to."""

    name: str
    heading: str
    spec: Spec = field(repr=False)
    trials: Selection = field(repr=False)
    primary: bool = True
    part: str = ""

    @functools.cached_property
    def svg(self) -> str:
        """The figure as an SVG document."""
        return paper.svg(self.spec)

    def files(self, evidence: Evidence) -> Iterator[tuple[str, str | bytes]]:
        """(file name, content) of the figure itself and of its data sheet, without the trials."""
        source = source_line(evidence)
        sheet = {
            "figure": self.name,
            "heading": self.heading,
            "spec": self.spec,
            "listeners": self.trials.listeners,
            **legend(evidence.run, self.trials),
        }
        yield f"{self.name}.svg", self.svg
        yield f"{self.name}.png", paper.png(self.spec)
        yield f"{self.name}.html", interactive.html_file(self.spec, self.heading, source)
        yield f"{self.name}.json", json.dumps(sheet, indent=2, sort_keys=True) + "\n"


def source_line(evidence: Evidence) -> str:
    """Where a figure comes from, in a line."""
    who = ", ".join(f"{name} ({mark})" for name, mark in evidence.fingerprints.items())
    return f"Run {evidence.run.id}, seed {evidence.seed}" + (f"; {who}" if who else "")


def slug(text: str) -> str:
    """Lower-case letters and digits with hyphens, 60 at most."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "figure"
