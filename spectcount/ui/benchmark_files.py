"""The official files of a benchmark, for the page: where they are, how their folder looks, what is
missing in it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from spectcount.benchmarks import catalogue
from spectcount.benchmarks.questions import Sheet
from spectcount.ui.pieces import notice, render

_SHOWN = 5
_HUB_SETS = ("mmau", "mmau-test", "mmar", "mmsu")


@dataclass(frozen=True)
class Source:
    """Where the official files come from, and in which folder beside the annotations the sounds
    lie."""

    links: tuple[tuple[str, str], ...]
    sounds: str


_MMAU = (("github.com/Sakshi113/MMAU", "https://github.com/Sakshi113/MMAU"),)
SOURCES = {
    "mmau": Source(_MMAU, "test-mini-audios/"),
    "mmau-test": Source(_MMAU, "test-audios/"),
    "mmar": Source(
        (
            ("github.com/ddlBoJack/MMAR", "https://github.com/ddlBoJack/MMAR"),
            ("sounds", "https://huggingface.co/datasets/BoJack/MMAR"),
        ),
        "audio/",
    ),
    "mmsu": Source(
        (
            ("github.com/dingdongwang/MMSU", "https://github.com/dingdongwang/MMSU"),
            ("data", "https://huggingface.co/datasets/ddwang2000/MMSU"),
        ),
        "audio/",
    ),
    "air-bench": Source(
        (("github.com/OFA-Sys/AIR-Bench", "https://github.com/OFA-Sys/AIR-Bench"),),
        "Foundation/TASK_DATASET/",
    ),
}


def files_html(name: str) -> Markup:
    """Where the official files are, and what the folder must look like (HTML)."""
    source, found = SOURCES[name], catalogue.get(name)
    return render(
        "benchmark.files",
        title=found.title,
        links=source.links,
        annotations=found.files[0],
        sounds=source.sounds,
        hub=name in _HUB_SETS,
    )


def missing_html(sheet: Sheet) -> Markup:
    """The sounds that are not where the annotations say (HTML); "" where all are there."""
    missing = [item for item in sheet.items if not item.audio.is_file()]
    if not missing:
        return Markup()
    named = ", ".join(item.id for item in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return notice(
        f"{len(missing)} of {len(sheet.items)} sounds are missing: {named}{more}. They are listed "
        f"in the result and count as wrong in the strict score. The first was looked for at "
        f"{missing[0].audio}."
    )
