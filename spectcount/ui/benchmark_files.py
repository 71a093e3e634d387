"""The official files of a benchmark, for the page: where they are, how their folder looks, what is
missing in it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from spectcount.benchmarks import catalogue
from spectcount.benchmarks.sheet import Sheet
from spectcount.ui.pieces import notice

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


def files_html(name: str) -> str:
    """Where the official files are, and what the folder must look like (HTML)."""
    source, found = SOURCES[name], catalogue.get(name)
    links = ", ".join(
        f'<a href="{url}" target="_blank" rel="noreferrer">{escape(words)}</a>'
        for words, url in source.links
    )
    hub = "Or give hf:OWNER/NAME, a data set of the hub." if name in _HUB_SETS else ""
    return (
        f'<p class="about">Files of {escape(found.title)}: {links}. Give the folder that '
        "holds these:</p>"
        f'<pre class="folder">{escape(found.files[0])}\n{escape(source.sounds)}'
        f'<span>  the sounds</span></pre><p class="about">{hub}</p>'
    )


def missing_html(sheet: Sheet) -> str:
    """The sounds that are not where the annotations say (HTML); "" where all are there."""
    missing = [item for item in sheet.items if not item.audio.is_file()]
    if not missing:
        return ""
    named = ", ".join(item.id for item in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return notice(
        f"{len(missing)} of {len(sheet.items)} sounds are missing: {named}{more}. They are listed "
        f"in the result and count as wrong in the strict score. The first was looked for at "
        f"{missing[0].audio}."
    )
