"""build_app: header, seven tabs in the order of the work, and the typed functions of the API."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import gradio as gr
from gradio.state_holder import StateHolder
from markupsafe import Markup
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from spectcount import jobs, visitors
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Store
from spectcount.ui import (
    api,
    benchmark_tab,
    bodies,
    clip,
    compare,
    design,
    doors,
    header,
    loader,
    models_panel,
    probe,
    runs,
    sessions,
    signatures,
    theme,
    tune,
    you,
)

TITLE = "SpectCount"
CACHE_SWEEP_S = (3600, 24 * 3600)
DEMO_SWEEP_S = (300, 1800)
"""How often files handed to the browser or uploaded by it are looked at, and how old they get."""


def build_app(settings: Settings) -> gr.Blocks:
    """The page, ready to launch. Takes care of the jobs that an earlier app left behind; the
    embedded model loads behind the page."""
    store = Store(settings.database)
    threading.Thread(target=clip.warm_up, daemon=True).start()
    jobs.tend(store, settings)
    models = loader.Loader(settings)
    sweep = DEMO_SWEEP_S if settings.demo else CACHE_SWEEP_S
    # What is laid out here everybody gets: on a public page it may hold nothing of anybody.
    nobody = visitors.acting_for(visitors.NOBODY if settings.demo else None)
    with nobody, Page(title=TITLE, analytics_enabled=False, delete_cache=sweep) as page:
        who = header.build(settings, store, models)
        with who.row or contextlib.nullcontext():
            models_panel.ModelsView(settings, who, models)
        with gr.Tabs(elem_id="places") as places:
            with gr.Tab("Design", id="design"):
                _heading("Design")
                bench = design.build(settings, who, page)
            with gr.Tab("Probe", id="probe"):
                _heading("Probe")
                probing = probe.ProbeView(settings, store, who)
                probing.open_design(bench, places)
            with gr.Tab("Tune", id="tune"):
                _heading("Tune")
                tuning = tune.TuneView(settings, store, who)
                tuning.take_regions(probing, places)
            with gr.Tab("Compare", id="compare"):
                _heading("Compare")
                comparing = compare.CompareView(settings, store, who, tuning)
            with gr.Tab("Benchmark", id="benchmark"):
                _heading("Benchmark")
                benchmark_tab.BenchmarkView(settings, store, who)
            with gr.Tab("You", id="you"):
                _heading("You")
                you.YouView(settings, store, who)
            with gr.Tab("Runs", id="runs"):
                _heading("Runs")
                opened = {view.kind: view for view in (probing, tuning, comparing)}
                runs.RunsView(settings, store, opened).lead(places)
        api.build(settings, store)
    page.public = settings.demo
    page.queue(max_size=32, api_open=False, default_concurrency_limit=4)
    # Statistics that nobody sees, over the last 10,000 events after each event.
    page._queue.ANALYTICS_MAX_EVENTS, page._queue.ANAYLTICS_CACHE_FREQUENCY = 1, sys.maxsize
    return page


def _heading(words: str) -> None:
    """A tab's name in the order of headings; who sees the page reads it on the tab."""
    gr.HTML(
        Markup('<h2 class="heard">{}</h2>').format(words),
        apply_default_css=False,
        js_on_load=None,
        elem_classes="pulse-box",
    )


class Page(gr.Blocks):
    """Blocks whose handlers act for the visitor that pressed the button, and whose refusals are
    sentences. `public`: there are visitors to be told apart."""

    public = False

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.upload_file_set: set[str] = Uploads()
        self.temp_file_sets[0] = self.upload_file_set

    @property
    def state_holder(self) -> sessions.Sessions:
        """The sessions of browsers; the framework's own become the page's bounded ones."""
        return self._sessions

    @state_holder.setter
    def state_holder(self, holder: StateHolder) -> None:
        holder.__class__ = sessions.Sessions
        self._sessions = holder

    async def process_api(
        self, block_fn: Any, inputs: list[Any], *args: Any, **more: Any
    ) -> dict[str, Any]:
        """Answer one event. Input of a wrong type or number is refused like any other."""
        visitor = doors.visitor_of(more.get("request"))
        if self.public and visitor is None:
            raise gr.Error("this request came from nobody; open the page", print_exception=False)
        try:
            with visitors.acting_for(visitor):
                answer = await super().process_api(block_fn, inputs, *args, **more)
                for path in _paths_in(answer.get("data")):
                    visitors.hand(path)
                return answer
        except gr.Error as error:
            error.print_exception = False
            raise
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception as error:
            raise gr.Error(doors.unexpected(error, "an event"), print_exception=False) from None

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *args: Any, **more: Any
    ) -> list[Any]:
        """Read what the boxes hold; what cannot be read is refused in a sentence."""
        for path in _paths_in(inputs):
            doors.check_file(path)
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **more)
        except gr.Error:
            raise
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            raise UserError(f"what was sent cannot be read ({words}); reload the page") from None

    async def call_function(
        self,
        block_fn: Any,
        processed_input: list[Any],
        iterator: Any = None,
        requests: Any = None,
        event_id: str | None = None,
        event_data: gr.EventData | None = None,
        *args: Any,
        **more: Any,
    ) -> dict[str, Any]:
        """Call a handler with values of the types that it declares, and no others."""
        handler = (self.fns[block_fn] if isinstance(block_fn, int) else block_fn).fn
        if handler is not None and iterator is None:
            signatures.check(handler, processed_input, event_data)
        return await super().call_function(
            block_fn, processed_input, iterator, requests, event_id, event_data, *args, **more
        )


class Uploads(set[str]):
    """The uploaded files that the framework knows, each handed to the visitor who sent it."""

    def update(self, *paths: Iterable[str]) -> None:
        """Add uploaded files."""
        super().update(*paths)
        for path in itertools.chain(*paths):
            visitors.hand(path)


def _paths_in(value: Any) -> Iterator[str]:
    """The path of every file that a value of boxes names."""
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            yield value["path"]
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _paths_in(part)


def serve(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the page on `host` (None: this machine alone) and `port` (None: the first free one
    from 7860) until interrupted; prints its address."""
    policy = doors.policy(settings, host)
    page = build_app(settings)
    page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        **launch_options(settings, policy),
    )
    bodies.close_quiet_connections(page.server)
    if policy.token is not None:
        print(f"Open it with its key: {page.local_url}?token={policy.token}", flush=True)
    page.block_thread()


def launch_options(settings: Settings, policy: doors.Policy | None = None) -> dict[str, Any]:
    """Everything `launch` needs besides host and port: safe by default, nothing external."""
    policy = policy or doors.policy(settings, None)
    return {
        "app_kwargs": {
            "middleware": [
                Middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5),
                Middleware(doors.Doors, policy=policy),
            ]
        },
        "theme": theme.theme(),
        "css_paths": theme.STYLES,
        "head": theme.head(),
        "run_history": False,
        "ssr_mode": False,
        "show_error": False,
        "share": False,
        "enable_monitoring": False,
        "max_file_size": f"{settings.limits.max_upload_mb:g}mb",
        "footer_links": ["api"],
    }
