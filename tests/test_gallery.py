"""The gallery: every family with a legible picture and its declarations; the page in the docs is
the one that the program writes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spectcount.designs import FAMILIES
from spectcount.pairs import draw_pair

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))

import make_gallery
from make_gallery import HEIGHT, LEFT, TITLE, WIDTH, example, gallery_text, pair_png, pictured_task


def test_the_page_in_the_docs_is_up_to_date(settings, root):
    written = (root / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert written == gallery_text(settings, "gallery"), "run `python docs/make_gallery.py`"
    pictures = {path.stem: path.stat().st_size for path in (root / "docs" / "gallery").iterdir()}
    assert set(pictures) == set(FAMILIES)
    assert max(pictures.values()) <= 60_000


@pytest.mark.parametrize("name", ["rhythm", "tone_in_noise", "real_sound"])
def test_a_picture_shows_both_sounds_with_room_for_every_label(settings, tmp_path, name):
    design = FAMILIES[name]
    asked = pictured_task(design)
    data = pair_png(draw_pair(example(settings, design), 0, asked.name), asked)
    assert len(data) <= 60_000
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    ink = 255 - np.asarray(Image.open(path).convert("L")).astype(int)
    edges = (ink[0], ink[-1], ink[:, 0], ink[:, -1])
    assert max(edge.max() for edge in edges) == 0, "nothing is cut off"
    panels = [
        ink[top + 2 : top + HEIGHT - 2, LEFT + 2 : LEFT + WIDTH - 2]
        for top in (TITLE, 2 * TITLE + HEIGHT + 4)
    ]
    assert panels[0].max() > 60
    assert np.abs(panels[0] - panels[1]).max() > 60, "the two differ"


def test_the_page_says_everything_that_is_declared(settings):
    text = gallery_text(settings, "pictures")
    for name, design in FAMILIES.items():
        section = text.split(f"(`{name}`)\n", 1)[1].split("\n## ", 1)[0]
        assert f"](pictures/{name}.png)" in section
        assert design.listeners in section
        for parameter in design.params():
            assert section.count(f"| `{parameter}` |") == 1
        for asked in design.tasks:
            assert f"`{asked}`: " in section
    assert "`streaming-limp`" in text.split("(`streaming`)")[1].split("\n## ")[0]


def test_it_is_written_where_it_is_asked_for(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(make_gallery, "FAMILIES", {"rhythm": FAMILIES["rhythm"]})
    files = make_gallery.write_gallery(settings, tmp_path / "docs" / "gallery")
    assert [f.relative_to(tmp_path).as_posix() for f in files] == [
        "docs/gallery/rhythm.png",
        "docs/gallery.md",
    ]
    assert "](gallery/rhythm.png)" in files[1].read_text()
