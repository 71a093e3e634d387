"""A figure as one interactive HTML file, drawn by the page's own scripts, without a network.

Plotly, the page's `page.js` and `figures.js` and the spec lie in the file; hovering, zooming, the
arrow keys and light or dark work as on the page. Nothing in a spec can leave the script that holds
it: every `<`, `>` and `&` is written as an escape.
"""

from __future__ import annotations

import functools
import html
import json
from pathlib import Path
from typing import Any

from spectcount.figures import style
from spectcount.figures.spec import Spec

SCRIPTS = Path(__file__).resolve().parents[1] / "ui" / "static"
"""The page's scripts, read as files."""

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 14px 16px; background: var(--figure-panel); color: var(--figure-text);
  font: 14px/1.45 Inter, system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif; }
main { max-width: 1100px; margin: 0 auto; }
.figure { width: 100%; height: min(62vh, 560px); }
.figure-cell { min-height: 1.4em; font-size: 12px; overflow-wrap: anywhere;
  color: var(--figure-faint); }
.note, .source { color: var(--figure-faint); font-size: 13px; overflow-wrap: anywhere; }
"""

_START = """
const shade = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.body.classList.toggle("dark", shade.matches);
paint();
shade.addEventListener("change", paint);
const props = { value: JSON.parse(document.getElementById("spec").textContent) };
const place = document.getElementById("place");
if ("z" in props.value) SpectCount.heatmap(place, props, () => {}, () => {});
else SpectCount.lineChart(place, props, () => {});
"""


def plotly_script() -> Path:
    """Where the plotly package keeps its browser bundle."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def html_file(spec: Spec, heading: str, source: str = "") -> str:
    """The figure as one HTML document; `heading` names it, `source` says where it comes from."""
    title = html.escape(heading)
    note = html.escape(spec["note"])
    scripts = "".join(f"<script>{_closed(text)}</script>\n" for text in _scripts())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style.css()}{_STYLE}</style>
{scripts}</head><body><main>
<h1 style="font-size: 18px">{title}</h1>
<div id="place"><div class="figure" tabindex="0" role="figure" aria-label="{title}"></div>
<div class="figure-cell" role="status" aria-live="polite"></div></div>
<p class="note">{note}</p><p class="source">{html.escape(source)}</p>
</main>
<script type="application/json" id="spec">{json_script(spec)}</script>
<script>{_START}</script>
</body></html>
"""


def json_script(data: Any) -> str:
    """JSON that may stand inside a script element, whatever texts it holds."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@functools.cache
def _scripts() -> tuple[str, ...]:
    plotly, *paths = (plotly_script(), SCRIPTS / "page.js", SCRIPTS / "figures.js")
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return plotly.read_text(encoding="utf-8"), style.script(), *texts


def _closed(script: str) -> str:
    """A script that cannot end its own element early."""
    return script.replace("</script", "<\\/script")
