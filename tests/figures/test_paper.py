"""Figures on paper: the page's colours, every label, nothing cut off, any text survives."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from spectcount.figures import paper, style
from spectcount.figures.interactive import SCRIPTS
from spectcount.figures.spec import Box, Line, heatmap_value, lines_value

NASTY = "$x_{1}$ <b>&\x07 \\frac —"


def a_map(**changes):
    values = {
        "z": [[0.0, 0.5, 1.0], [np.nan, 0.25, 0.75]],
        "x": [0.5, 1.5, 2.5],
        "y": [100, 200],
        "x_label": "Onset (s)",
        "y_label": "Frequency (Hz)",
        "z_label": "hit rate",
        "n": [[8, 8, 8], [0, 4, 8]],
        "marks": {"changed for sure": [(0, 1)], "none here": []},
        "symbols": {"changed for sure": "changed"},
        "title": "tiny-lalm",
        "regions": [Box([0, 0], [0, 1], "1")],
        "note": "n = 0 to 8 signal trials per cell; intervals at 95 %",
    }
    return heatmap_value(**{**values, **changes})


def a_chart(**changes):
    lines = [
        Line("base", [1, 10, 100], [0.1, np.nan, 0.9], [0, 0, 0.7], [0.3, 1, 1], n=[5, 0, 6]),
        Line("tuned", [1, 10, 100], [0.2, 0.6, 1.0], dash="dash", n=[5, 5, 5]),
    ]
    values = {
        "x_label": "Level (dBFS)",
        "y_label": "d′",
        "x_log": True,
        "levels": [(0.5, "chance")],
        "title": "Curve",
        "note": "intervals at 90 %",
    }
    return lines_value(lines, **{**values, **changes})


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def pixels(spec, dpi=60):
    return np.asarray(Image.open(io.BytesIO(paper.png(spec, dpi))).convert("RGB"), int)


def has_colour(image, colour, within=4):
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(image - rgb).max(axis=-1) <= within).any())


def test_a_map_says_all_that_the_page_says_on_hover():
    found = texts(paper.svg(a_map()))
    for words in ("Onset (s)", "Frequency (Hz)", "hit rate", "tiny-lalm", "changed for sure"):
        assert words in found
    assert "not measured" in found and "none here" not in found
    assert {"0.50", "0.75", "n 4", "n 8"} <= set(found), "value and n in each cell"
    assert "0.00" in found and "nan" not in " ".join(found)
    assert "intervals at 95 %" in " ".join(found)


def test_n_stands_in_the_cells_only_where_it_differs():
    found = texts(paper.svg(a_map(n=[[8] * 3] * 2)))
    assert not [t for t in found if t.startswith("n 8")]


def test_a_chart_shows_lines_levels_and_n_above_each_point():
    found = texts(paper.svg(a_chart()))
    assert {"base", "tuned", "chance", "Level (dBFS)", "d′"} <= set(found)
    assert next(t for t in found if t.startswith("n ")) == "n 5"
    assert "0–5" in found and "5–6" in found
    assert {"1", "10", "100"} <= set(found), "plain numbers on a logarithmic axis"


def test_colours_are_those_of_the_scales():
    image = pixels(a_map(z=[[0.0, 0.5, 1.0]], y=[1], n=None, marks={}, regions=[]))
    for place, key in ((0.0, style.SEQUENTIAL[0]), (1.0, style.SEQUENTIAL[-1])):
        assert key[0] == place and has_colour(image, key[1])
    change = a_map(z=[[-1.0, 0.0, 1.0]], y=[1], n=None, marks={}, z_range=(-1, 1), diverging=True)
    for _, colour in style.DIVERGING[::2]:
        assert has_colour(pixels(change), colour)
    chart = pixels(a_chart(), dpi=100)
    assert has_colour(chart, style.LINES[0]) and has_colour(chart, style.LINES[1])


def test_the_pages_scripts_and_sheets_have_no_scale_of_their_own():
    shared = {c for _, c in (*style.SEQUENTIAL, *style.DIVERGING)}
    shared |= {*style.LINES, *style.MAGMA, style.TEXT, style.FAINT, style.ACCENT}
    files = [path for path in SCRIPTS.iterdir() if path.suffix in (".js", ".css")]
    assert {c for path in files for c in shared if c in path.read_text()} == set()
    assert all(c in style.script() for c in shared)


LONG = "a title of many words that goes on and on until it would leave the picture " * 2
SHAPES = {
    "map": a_map(),
    "one row": a_map(z=[[0.1, 0.2, 0.3]], y=[0], y_ticks=[""], n=None, marks={}),
    "long words": a_map(title=LONG, note=LONG, y_ticks=["one hundred hertz", "two"], z_label=LONG),
    "large": a_map(
        z=np.linspace(0, 1, 128 * 128).reshape(128, 128),
        x=range(128),
        y=range(128),
        n=None,
        marks={"changed for sure": [(127, 127), (0, 0)]},
        regions=[],
    ),
    "chart": a_chart(),
    "empty chart": a_chart(x_log=False, y_range=(0, 1), levels=[]) | {"series": []},
}


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_cut_off(name):
    image = pixels(SHAPES[name])
    edges = (image[:3], image[-3:], image[:, :3], image[:, -3:])
    assert all((edge > 250).all() for edge in edges), "ink at the very edge"
    assert (image < 120).any()
    assert max(image.shape[:2]) < 60 * 11, "larger than a page"


def test_any_text_survives_and_is_not_mathematics():
    spec = a_map(
        title=NASTY, x_label=NASTY, note=NASTY, marks={NASTY: [(0, 0)]}, x_ticks=[NASTY] * 3
    )
    found = texts(paper.svg(spec))
    shown = NASTY.replace("\x07", " ")
    assert sum(t == shown for t in found) >= 4
    assert shown in texts(paper.svg(a_chart(title=NASTY, levels=[(0.1, NASTY)])))
    assert pixels(spec).size


def test_the_same_spec_gives_the_same_bytes():
    assert paper.svg(a_map()) == paper.svg(a_map())
    assert paper.png(a_chart(), 50) == paper.png(a_chart(), 50)


def test_drawing_leaves_no_global_state():
    import matplotlib

    before = dict(matplotlib.rcParams)
    paper.svg(a_chart())
    assert dict(matplotlib.rcParams) == before
