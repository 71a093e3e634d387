"""Pages of the docs that several benchmarks write: each its own part, leaving the others alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


@dataclass(frozen=True)
class Page:
    """A page: its head, then one part per benchmark in the order of `parts`, each between marks
    that name it."""

    path: Path
    head: str
    parts: tuple[str, ...]

    def at(self, path: Path) -> Page:
        """The same page in another file."""
        return dataclasses.replace(self, path=path)

    def write(self, name: str, text: str) -> None:
        """Put `text` where the part called `name` belongs. Raises ValueError for a part that the
        page does not have: the next to write would drop it."""
        if name not in self.parts:
            raise ValueError(f"{self.path.name} has no part {name!r}; its parts: {self.parts}")
        old = self.path.read_text() if self.path.exists() else ""
        texts = {part: _part(old, part) for part in self.parts} | {name: text.strip()}
        blocks = [
            f"{_mark(part)}\n\n{body}\n\n{_mark(part, end=True)}" for part, body in texts.items()
        ]
        self.path.write_text("\n".join([self.head, "\n\n".join(blocks), ""]))


SAVINGS = Page(
    DOCS / "savings.md",
    """# Trials saved

How many trials graded scores and adaptive surfaces save, measured. The numbers are made by two
commands, each of which writes its part of this page.
""",
    ("graded_savings", "surface_savings"),
)
RECOVERY = Page(
    DOCS / "recovery.md",
    """# Recovery of simulated listeners

How often a sentence is said when it is untrue, and how far a threshold lies off: measured on
listeners whose truth is known, by commands, each of which writes its part of this page.
""",
    ("sentences", "recovery", "planted_losses", "sentences_ladder"),
)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _part(text: str, name: str) -> str:
    _, _, rest = text.partition(_mark(name))
    body, _, _ = rest.partition(_mark(name, end=True))
    return body.strip()


def _mark(name: str, end: bool = False) -> str:
    return f"<!-- {'end of' if end else 'made by'} benchmarks/{name}.py -->"
