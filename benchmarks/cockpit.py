"""How long the Design page takes from a slider's move to new pictures and to new answers of base,
tuned, ideal and DSP observer, in Chromium.

    python benchmarks/cockpit.py [--moves 40]

Starts the page on a free port with a throw-away home, waits until the models are loaded, moves
sliders as the arrow keys do, and prints medians and 95th percentiles in milliseconds, for clips of
4 and 10 s. A time runs from the input event to the first frame after the pictures changed, and to
the first frame in which the answers are those to the new sound. Before it, as a yardstick of the
machine: the button that asks the same of the same listeners through the page's queue, replies in
words included. It needs playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page  # noqa: E402

from benchmarks.slider_latency import move  # noqa: E402
from tests.browser.page import chromium, open_page, serve  # noqa: E402

LIMIT_MS = 180_000
_MOVE = """async ([id, value]) => {
  const slider = document.querySelector(`#param-${id} input[type=range]`);
  const clip = document.querySelector(".clip"), answers = document.querySelector(".answers");
  const before = clip.dataset.clip, start = performance.now();
  const when = (element, name, holds) => new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (!holds()) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
    });
    observer.observe(element, { attributes: true, attributeFilter: [name] });
  });
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(slider, value);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  if (!("stale" in answers.dataset)) throw new Error("an answer stands beside another sound");
  const times_ms = await Promise.all([
    when(clip, "data-clip", () => clip.dataset.clip !== before),
    when(answers, "data-stale", () => !("stale" in answers.dataset))]);
  return times_ms;
}"""
_BUTTON = """async () => {
  const body = document.querySelector(".answers-body"), start = performance.now();
  const whole = () => body.querySelectorAll(".card").length === 4 && body.querySelector(".reply")
    && !document.querySelector("#answers .generating, #answers .pending");
  document.querySelector("#ask-button").click();
  while (body.querySelector("[data-ask]")?.dataset.ask === "" || !whole())
    await new Promise((resolve) => setTimeout(resolve, 5));
  return performance.now() - start;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=40)
    moves = parser.parse_args().moves
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with serve() as url, chromium() as browser:
        for duration_s in (4, 10):
            page, _ = open_page(browser, f"{url}/?design=%7B%22duration_s%22:{duration_s}%7D")
            page.set_default_timeout(LIMIT_MS)
            page.wait_for_selector(".answers-body .card")
            for i in range(3):
                page.evaluate(_MOVE, move(i))
            times_ms = [page.evaluate(_MOVE, move(3 + i)) for i in range(moves)]
            pictures, answers = map(list, zip(*times_ms, strict=True))
            print(f"clip {duration_s:2d} s: pictures {_words(pictures)}; answers {_words(answers)}")
            _yardstick(page, statistics.median(answers))
            page.context.close()


def _yardstick(page: Page, answers_ms: float) -> None:
    """Print how long the button takes, and the ratio of the live answers to it."""
    button_ms = page.evaluate(_BUTTON)
    print(
        f"           by the button, with replies: {button_ms:.0f} ms "
        f"(live is {answers_ms / button_ms:.2f} of it)"
    )


def _words(times_ms: list[float]) -> str:
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    return f"median {statistics.median(times_ms):.0f} ms, p95 {p95:.0f} ms"


if __name__ == "__main__":
    main()
