"""A foreign page in a real browser, on another port and under a rebound name; two strangers on a
public page, and a page beyond loopback."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.page import (
    FLAGS,
    START_LIMIT_S,
    chromium_path,
    free_port,
    open_page,
    serve,
    start,
)

pytestmark = pytest.mark.browser
ATTACK = """<!doctype html><title>evil</title><iframe id="frame" src="APP/"></iframe>
<script>
const body = JSON.stringify({data: "{}", component_id: 1, session_hash: "x", fn_name: "exact_wav"});
const form = new FormData();
form.append("files", new Blob(["x".repeat(1000)]), "a.wav");
const tries = {
  plain: () => fetch("APP/gradio_api/component_server", {method: "POST", mode: "no-cors", body}),
  json: () => fetch("APP/gradio_api/queue/join", {method: "POST", body,
    headers: {"content-type": "application/json"}}),
  upload: () => fetch("APP/gradio_api/upload", {method: "POST", mode: "no-cors", body: form}),
  read: () => fetch("APP/config"),
};
(async () => {
  const outcome = {};
  for (const [name, attempt] of Object.entries(tries))
    outcome[name] = await attempt().then((answer) => answer.status, () => 0);
  document.title = JSON.stringify(outcome);
})();
</script>"""


@pytest.fixture(scope="module")
def rebinding():
    """A Chromium for which evil.example is this machine, as after DNS rebinding."""
    flags = [*FLAGS, "--host-resolver-rules=MAP evil.example 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=flags)
        yield browser
        browser.close()


@contextlib.contextmanager
def foreign_site(text):
    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def app():
    with serve() as url:
        yield url


def test_a_foreign_page_gets_nothing(rebinding, app):
    with foreign_site(ATTACK.replace("APP", app)) as site:
        page = rebinding.new_page()
        statuses = []
        page.on("response", lambda r: statuses.append((r.request.method, r.url, r.status)))
        page.goto(site)
        page.wait_for_function("document.title.startsWith('{')", timeout=60_000)
        outcome = json.loads(page.title())
        assert {outcome["read"], outcome["json"]} <= {0, 403}  # 0: the browser kept it from it
        posts = [s for method, url, s in statuses if url.startswith(app) and method == "POST"]
        assert posts
        assert set(posts) <= {403}
        framed = [frame for frame in page.frames if frame != page.main_frame]
        assert not any(frame.query_selector("#places") for frame in framed)
        page.close()


def test_a_rebound_name_reads_nothing(rebinding, app):
    page = rebinding.new_page()
    port = urlsplit(app).port
    for path in ("/", "/config", "/gradio_api/info", "/gradio_api/queue/status"):
        answer = page.goto(f"http://evil.example:{port}{path}")
        assert answer.status == 421
    page.close()


def test_two_strangers_do_not_see_each_other(rebinding):
    """A's session is not in B's list; a reload keeps A's."""
    with serve(None, "--mode", "demo") as url:
        first, _ = open_page(rebinding, url)
        first.get_by_role("tab", name="You").click()
        first.locator("#you-name input, #you-name textarea").first.fill("zorblax")
        first.locator("#you-start").click()
        session = first.locator("#you-run input")
        first.wait_for_function(
            "document.querySelector('#you-run input').value.includes('listen')", timeout=60_000
        )
        shown = session.input_value()
        first.reload()
        first.wait_for_selector(".clip[data-clip]", state="attached", timeout=60_000)
        first.get_by_role("tab", name="You").click()
        first.wait_for_function(
            f"document.querySelector('#you-run input').value === {json.dumps(shown)}",
            timeout=60_000,
        )
        second, _ = open_page(rebinding, url)
        second.get_by_role("tab", name="Runs").click()
        second.get_by_text("No runs yet").first.wait_for(timeout=60_000)
        assert "zorblax" not in second.content()
        for page in (first, second):
            page.context.close()


def test_a_page_beyond_loopback_opens_by_its_link_alone(rebinding, monkeypatch, tmp_path):
    monkeypatch.setenv("SPECTCOUNT_TOKEN", "t0ken")
    port = free_port()
    process = start(tmp_path, port, "--host", "127.0.0.2")
    url = f"http://127.0.0.2:{port}"
    try:
        assert status_once_up(url, process) == 401
        page = rebinding.new_page()
        assert page.goto(url).status == 401
        assert "the link that the terminal printed" in page.content()
        page.goto(f"{url}/?token=t0ken")
        page.wait_for_selector(".clip[data-clip]", timeout=60_000)
        assert "token" not in page.url
        page.close()
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert "?token=t0ken" in (tmp_path / "page.log").read_text()


def status_once_up(url, process):
    """The status of the first answer."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer")
