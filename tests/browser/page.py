"""The real page for tests and benchmarks: start it, open it, and see what it asked the network."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, Request, Route, sync_playwright
from playwright.sync_api import TimeoutError as NothingCame

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START_LIMIT_S = 300.0
CALM = """() => new Promise((resolve) => {
  const size = () => [document.documentElement.scrollWidth, document.documentElement.scrollHeight];
  const ends = (a) => a.playState === "running" && a.effect.getComputedTiming().endTime < Infinity;
  let before = "", frames = 0;
  const look = () => {
    const now = String(size());
    frames = now === before && !document.getAnimations().some(ends) ? frames + 1 : 0;
    before = now;
    frames < 10 ? requestAnimationFrame(look) : resolve();
  };
  look();
})"""
"""Resolves when the layout is the same for ten frames and nothing fades or moves any more."""


def chromium_path() -> str | None:
    """The browser in $CHROMIUM, else one on the PATH; None lets Playwright use its own."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def serve(home: Path | None = None, *arguments: str) -> Iterator[str]:
    """The app as a process of its own on a free port; its address. Ends with the block."""
    with contextlib.ExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        process = start(folder, port, *arguments)
        try:
            yield wait_until_up(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(timeout=20)


def start(home: Path, port: int, *arguments: str) -> subprocess.Popen:
    """Start the app; its output goes to `page.log` in the home folder."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "app.py", "--port", str(port), "--home", str(home), *arguments]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    with (home / "page.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def wait_until_up(url: str, process: subprocess.Popen) -> str:
    """`url`, as soon as it answers."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"app.py ended with {process.returncode}; see page.log in its home")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return url
        time.sleep(0.1)
    process.terminate()
    raise TimeoutError(f"{url} did not answer within {START_LIMIT_S:g} s")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def open_page(browser: Browser, url: str, **context: object) -> tuple[Page, list[str]]:
    """The page at `url` with its first clip painted, and the list of requests that it made to
    other hosts, which are blocked."""
    outside: list[str] = []
    page = browser.new_context(**context).new_page()

    def guard(route: Route) -> None:
        address = route.request.url
        if address.startswith("http://127.0.0.1"):
            route.continue_()
        else:
            outside.append(address)
            route.abort()

    page.route(lambda address: address.startswith(("http:", "https:", "ws")), guard)
    page.goto(url)
    page.wait_for_selector(".clip[data-clip]", state="attached", timeout=60_000)
    return page, outside


def calm(page: Page) -> None:
    """Wait until the page's layout stands."""
    page.evaluate(CALM)


def quiet(page: Page, places: tuple[str, ...], window_s: float, limit_s: float = 120) -> list[str]:
    """Wait until nothing was asked of `places` (parts of an address) for `window_s`; every other
    request of that window. Raises `TimeoutError` where it never becomes quiet."""
    deadline = time.monotonic() + limit_s
    others: list[str] = []

    def of_these(request: Request) -> bool:
        if any(place in request.url for place in places):
            return True
        others.append(request.url)
        return False

    while time.monotonic() < deadline:
        others.clear()
        try:
            page.wait_for_event("request", of_these, timeout=1000 * window_s)
        except NothingCame:
            return others
    raise TimeoutError(f"{places} were asked again and again for {limit_s:g} s")
