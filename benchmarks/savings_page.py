"""docs/savings.md has one part per benchmark; each writes its own and leaves the other alone."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "savings.md"
PARTS = ("graded_savings", "surface_savings")
_HEAD = """# Trials saved

How many trials graded scores and adaptive surfaces save, measured. The numbers are made by two
commands, each of which writes its part of this page.
"""


def write_part(name: str, text: str, page: Path = PAGE) -> None:
    """Put `text` where the part called `name` belongs, between its marks."""
    old = page.read_text() if page.exists() else ""
    parts = {part: _part(old, part) for part in PARTS} | {name: text.strip()}
    blocks = [f"{_mark(part)}\n\n{body}\n\n{_mark(part, end=True)}" for part, body in parts.items()]
    page.write_text("\n".join([_HEAD, "\n\n".join(blocks), ""]))


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
