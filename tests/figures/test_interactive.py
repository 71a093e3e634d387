"""A figure as one HTML file: it works from a folder, without a network, whatever its texts."""

from __future__ import annotations

import json
import re

import pytest

from spectcount.figures import interactive
from spectcount.figures.spec import Line, heatmap_value, lines_value
from tests.browser.page import chromium

NASTY = "</script><script>window.hacked = 1</script><img src=x onerror=hacked=1>"
MAP = heatmap_value(
    [[0.2, None], [0.4, 0.9]],
    [1, 2],
    [10, 20],
    x_label="Onset (s)",
    y_label=NASTY,
    z_label="d′",
    hover=[["n 8", "n 8"], [NASTY, "n 9"]],
    title=NASTY,
    note=NASTY,
)
CHART = lines_value([Line(NASTY, [1, 2], [0.1, 0.2])], x_label="x", y_label="y")


def test_the_spec_comes_back_from_the_file():
    text = interactive.html_file(MAP, "Map", "run x")
    found = re.search(r'<script type="application/json" id="spec">(.*?)</script>', text, re.DOTALL)
    assert found and json.loads(found.group(1)) == MAP
    assert "<title>Map</title>" in text and "run x" in text
    assert "window.hacked" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).replace(
        "&lt;script&gt;window.hacked", ""
    )


@pytest.mark.browser
@pytest.mark.slow
def test_it_draws_from_a_folder_without_a_network(tmp_path):
    with chromium() as browser:
        for name, spec in (("map", MAP), ("chart", CHART)):
            path = tmp_path / f"{name}.html"
            path.write_text(interactive.html_file(spec, NASTY))
            page = browser.new_context(
                offline=True, viewport={"width": 390, "height": 700}
            ).new_page()
            errors, asked = [], []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(path.as_uri())
            page.wait_for_selector(".figure .xaxislayer-above text")
            assert page.evaluate("window.hacked") is None
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
            assert errors == []
            if name == "map":
                page.locator(".figure").focus()
                page.keyboard.press("ArrowRight")
                assert "Onset (s): 1" in page.locator(".figure-cell").inner_text()
