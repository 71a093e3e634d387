"""How long the page takes from a slider's move to new pictures, table and player, in Chromium.

    python benchmarks/slider_latency.py [--moves 60]

Starts the page on a free port with a throw-away home, moves sliders as the arrow keys do, and
prints the median and the 95th percentile in milliseconds, for clips of 4, 10 and 30 s. The time
runs from the input event to the first frame after the canvases and the player changed. It needs
playwright and a Chromium. Before that, without a browser: processor time of the server for a move,
and with what is measured in the clip, which the page asks for once the pictures stand.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from spectcount.designs import Pulses  # noqa: E402
from spectcount.pairs import Drawing  # noqa: E402
from tests.browser.page import chromium, open_page, serve  # noqa: E402

_MOVE = """async ([id, value]) => {
  const slider = document.querySelector(`#param-${id} input[type=range]`);
  const clip = document.querySelector(".clip");
  const before = clip.dataset.clip, start = performance.now();
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  set.call(slider, value);
  const done = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (clip.dataset.clip === before) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
    });
    observer.observe(clip, { attributes: true, attributeFilter: ["data-clip"] });
  });
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  return done;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=60)
    moves = parser.parse_args().moves
    pictures, whole = server_ms(moves)
    print(
        f"server, clip 4 s: pictures {pictures:.1f} ms of processor time, with the table "
        f"{whole:.1f} ms (ratio {pictures / whole:.2f})"
    )
    with serve() as url, chromium() as browser:
        for duration_s in (4, 10, 30):
            page, _ = open_page(browser, f"{url}/?design=%7B%22duration_s%22:{duration_s}%7D")
            page.wait_for_timeout(3000)
            times_ms = [page.evaluate(_MOVE, move(i)) for i in range(moves)]
            p95 = statistics.quantiles(times_ms, n=20)[-1]
            print(
                f"clip {duration_s:2d} s: median {statistics.median(times_ms):.0f} ms, "
                f"p95 {p95:.0f} ms, worst {max(times_ms):.0f} ms, {moves} moves"
            )


def server_ms(moves: int) -> tuple[float, float]:
    """Median processor time of one move of a 4 s clip, ms: pictures alone; with the table."""
    from spectcount.settings import load_settings
    from spectcount.ui import clip, design

    times_ms: list[list[float]] = [[], []]
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=Path(home))
        for i in range(moves + 5):
            shown = Drawing(Pulses(duration_s=4.0, level_dbfs=-40 + i % 60 / 2)).to_dict()
            start = time.process_time()
            value = json.loads(design._live(settings, json.dumps(shown)))
            times_ms[0].append(1e3 * (time.process_time() - start))
            clip.measured(value["stimulus"])
            times_ms[1].append(1e3 * (time.process_time() - start))
    pictures, whole = (statistics.median(found[5:]) for found in times_ms)
    return pictures, whole


def move(i: int) -> list[str]:
    """A parameter and a value it does not have yet."""
    name, low, step = (
        ("level_dbfs", -40, 0.5),
        ("frequency_low_hz", 200, 7),
        ("gap_ms", 20, 3),
    )[i % 3]
    return [name, str(low + step * i)]


if __name__ == "__main__":
    main()
