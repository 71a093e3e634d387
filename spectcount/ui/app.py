"""build_app: header, seven tabs in the order of the work, and the typed functions of the API."""

from __future__ import annotations

import threading
from typing import Any

import gradio as gr

from spectcount import jobs
from spectcount.settings import Settings
from spectcount.store import Store
from spectcount.ui import (
    api,
    benchmark_tab,
    clip,
    compare,
    design,
    header,
    loader,
    models_panel,
    polling,
    probe,
    runs,
    theme,
    tune,
    you,
)

TITLE = "SpectCount"
CACHE_SWEEP_S = (3600, 24 * 3600)


def build_app(settings: Settings) -> gr.Blocks:
    """The page, ready to launch. Takes care of the jobs that an earlier app left behind; the
    embedded model loads behind the page."""
    store = Store(settings.database)
    threading.Thread(target=clip.warm_up, daemon=True).start()
    jobs.tend(store, settings)
    models = loader.Loader(settings)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE_SWEEP_S) as page:
        who = header.build(settings, models)
        models_panel.build(settings, who, models)
        with gr.Tabs(elem_id="places"):
            with gr.Tab("Design", id="design"):
                design.build(settings, who, page)
            with gr.Tab("Probe", id="probe"):
                probe.build(settings, store, who)
            with gr.Tab("Tune", id="tune"):
                tune.build(settings, store, who)
            with gr.Tab("Compare", id="compare"):
                compare.build(settings, store, who)
            with gr.Tab("Benchmark", id="benchmark"):
                benchmark_tab.build(settings, store, who)
            with gr.Tab("You", id="you"):
                you.build(settings, store, who)
            with gr.Tab("Runs", id="runs"):
                runs.build(settings, store, who)
        polling.poll_what_is_shown(page)
        api.build(settings, store)
    page.queue(max_size=32, api_open=False, default_concurrency_limit=4)
    return page


def launch_options(settings: Settings) -> dict[str, Any]:
    """Everything `launch` needs besides host and port: safe by default, nothing external."""
    return {
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
