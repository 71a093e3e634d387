"""The model picker, the lines about path and speed, and the room for runs, without a browser."""

from __future__ import annotations

import shutil
import threading
import time
from types import SimpleNamespace

import gradio as gr
import pytest

from spectcount import actions, listeners
from spectcount.actions.models import ModelRow
from spectcount.errors import UserError
from spectcount.settings import Settings, load_settings
from spectcount.store import Store
from spectcount.training import workload
from spectcount.ui import header, loader, models_panel, room, scoring
from spectcount.ui.models_panel import ModelsView
from spectcount.ui.tune import TuneView

NEEDS = "spectcount.listeners.checkpoints.needs"
TRAINING = {
    "curriculum": {"clip_high_s": 3.0},
    "lora": {"scope": "llm", "rank": 16},
    "train": {"batch": 16, "processes": 2, "gradient_checkpointing": True},
}


def row(name="big", **changes):
    given = {
        "name": name,
        "full_name": "The <Big>",
        "family": "qwen2-audio",
        "parameters_b": 8.3,
        "needs_gb": 36.8,
        "fits": False,
        "fits_as": "",
        "here": False,
        "usable": True,
        "licence": "Some & own",
        "licence_open": True,
        "disk_gb": 16.5,
        "link": "https://example.org/m",
        "about": "About it.",
    }
    return ModelRow(**{**given, **changes})


def in_memory(name, **changes):
    """A model in memory."""
    given = {"family": "f", "device": "cpu", "dtype": "float32", "path": "staged", "bytes": 0}
    return listeners.Resident(name, **{**given, "adapters": 0, "used_at": 0.0, **changes})


def picker(settings, loading):
    """The model picker on a page that nobody sees."""
    with gr.Blocks():
        who = header.Header(gr.Dropdown(["m"]), gr.Dropdown(["none"]))
        return ModelsView(settings, who, loading)


def click(name):
    return SimpleNamespace(value=name)


@pytest.fixture
def copied(settings):
    """A second model on this disk, `other`; nothing of it stays in memory."""
    listeners.unload("other")
    shutil.copytree(settings.models / "tiny-lalm", settings.home / "models" / "other")
    yield settings
    listeners.unload("other")


def wait(loading):
    deadline = time.monotonic() + 60
    while loading.busy:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_table_says_what_fits_by_a_sign_and_a_word_and_links_the_licence():
    rows = [
        row(),
        row("part", fits_as="bf16"),
        row("strange", usable=False),
        row("gated", licence_open=False, fits=True),
        row("here", here=True, fits=True),
    ]
    words = models_panel.models_html(rows, "part+bf16", "cuda:1")
    assert words.index('data-run="here"') < words.index('data-run="gated"')
    assert words.index('data-run="part"') < words.index('data-run="big"')
    for said in ("✔ yes", "◐ as +bf16", "✖ no", "✖ cannot be used", "no, 16 GB to get"):
        assert said in words
    assert (
        words.count('aria-pressed="true"') == 1 and 'data-run="part" aria-pressed="true"' in words
    )
    assert '<a href="https://example.org/m" target="_blank"' in words
    assert "Some &amp; own" in words and "<Big>" not in words
    assert words.count("to be accepted on the hub first") == 1 and "on cuda:1" in words


def test_sizes_are_told_in_few_digits():
    assert [models_panel.gb_text(x) for x in (0.0002, 0.005, 4.71, 36.8)] == [
        "little",
        "5 MB",
        "4.7 GB",
        "37 GB",
    ]
    assert [models_panel.parameters_text(x) for x in (0, 0.0012, 8.267)] == ["–", "1.2 M", "8.3 B"]


def test_the_picker_lists_every_card_and_own_folders_but_not_in_the_demo(copied, monkeypatch):
    monkeypatch.setattr(f"{NEEDS}.free_bytes", lambda device: int(8e9))
    view = picker(copied, loader.Loader(copied))
    new = view.poll("", {})
    memory, table, progress = new[view.memory], new[view.table], new[view.under_way]
    assert 'data-run="qwen2-audio-7b-instruct"' in table and 'data-run="other"' in table
    assert "In memory: " in memory and "Free on cpu: 8.0 GB" in memory and progress == ""
    assert view.poll("", new[view.sent]) == {view.sent: new[view.sent]}, (
        "nothing new is not sent again"
    )
    demo = load_settings(mode="demo", home=copied.home, device="cpu")
    view = picker(demo, loader.Loader(demo))
    assert 'data-run="other"' not in view.poll("", {})[view.table]
    assert "The demo fetches and unloads nothing" in view.get("qwen2-audio-7b")
    assert "The demo fetches and unloads nothing" in view.unload("tiny-lalm")
    assert "Folder" not in view.facts("tiny-lalm") and "Apache-2.0" in view.facts("tiny-lalm")
    assert 'role="alert"' in view.use("path:/etc")[view.message]
    assert header.base_choices(demo) == ["tiny-lalm"]
    assert header.base_choices(copied, "x+bf16") == ["other", "tiny-lalm", "x+bf16"]


def test_facts_say_the_commit_how_to_get_it_and_what_would_fit(copied, monkeypatch):
    view = picker(copied, loader.Loader(copied))
    words = view.facts("qwen2-audio-7b")
    assert "dd84470756e6277a71d4d7188773a43cde92696e" in words and "hf download" in words
    assert "float32" in words and "are free on cpu" in words
    assert "Folder" in view.facts("other") and "hf download" not in view.facts("other")
    assert 'role="alert"' in view.facts("nonsense") and "is not known" in view.facts("nonsense")
    assert 'role="alert"' in view.facts("path:/nowhere")
    monkeypatch.setattr(actions, "models", lambda settings: [row("m", fits_as="4bit")])
    assert view.choose(click("m"))[0] == "m+4bit", "the option that makes it fit is set"


def test_a_model_is_made_base_and_loaded_behind_the_page(copied):
    loading = loader.Loader(copied)
    view = picker(copied, loading)
    assert "Choose a model in the list first" in view.use(" ")[view.message]
    assert "is not on this machine" in view.use("qwen2-audio-7b")[view.message]
    new = view.use("other")
    base, tuned = new[view.header.base], new[view.header.tuned]
    told = new[view.message]
    assert base["value"] == "other" and "other" in base["choices"] and tuned["value"] == "none"
    assert "other is the base of every tab now" in told
    wait(loading)
    assert loader.status_of(copied, loading, "other") == ("ready", "other ready")
    assert loader.in_memory(copied, "silence:other@x").path == "staged"
    assert "staged path" in header.status_html(copied, loading, "other")
    assert "is unloaded" in view.unload("other") and loader.in_memory(copied, "other") is None
    assert loader.status_of(copied, loading, "other") == (
        "idle",
        "other is loaded at the first question",
    )
    assert "is not in memory" in view.unload("other")


def test_loading_tells_how_far_it_is_and_one_thing_goes_on_at_a_time(settings, monkeypatch):
    go, far = threading.Event(), threading.Event()

    def slow(spec, settings, report):
        report("loading weights of m", 3, 4)
        far.set()
        assert go.wait(30)
        raise UserError("too large")

    monkeypatch.setattr(listeners, "load", slow)
    loading = loader.Loader(settings, "m")
    assert (loading.kind, loading.words) == ("loading", "m not loaded yet")
    loading.start()
    assert far.wait(30)
    loading.start()
    view = picker(settings, loading)
    assert 'aria-valuenow="75"' in view.progress() and "loading weights of m, 75 %" in loading.words
    with pytest.raises(UserError, match="loading m is under way; wait until it is done"):
        loading.load("other")
    go.set()
    wait(loading)
    assert loading.kind == "failed" and "m not available: too large" in view.progress()


def test_getting_a_model_that_the_hub_does_not_give_is_told(settings, monkeypatch):
    def out_of_reach(settings, name, revision, report):
        report("fetching", 1, 2)
        raise UserError(f"{name} is out of reach")

    monkeypatch.setattr(actions, "get_model", out_of_reach)
    loading = loader.Loader(settings)
    view = picker(settings, loading)
    assert view.get("voxtral-mini-3b+bf16") == ""
    wait(loading)
    assert "voxtral-mini-3b is out of reach" in view.progress()


def test_a_stock_path_says_why(settings, monkeypatch):
    table = [in_memory("m+bf16", path="stock", why_stock="0.1 apart")]
    monkeypatch.setattr(actions, "models_in_memory", lambda settings: table)
    assert scoring.path_words(settings, "m+bf16@run") == "stock path (0.1 apart)"
    assert scoring.path_words(settings, "m") == "" == scoring.path_words(settings, "dsp")
    assert scoring.question_words(settings, "m+bf16", 0.042) == (
        "stock path (0.1 apart), 1 question in 42 ms"
    )
    assert scoring.question_words(settings, "ideal", 2.5) == "1 question in 2.5 s"


def test_a_run_says_its_speed_while_it_goes_on_and_at_its_end(settings, monkeypatch):
    monkeypatch.setattr(actions, "models_in_memory", lambda settings: [in_memory("m")])
    store = Store(settings.database)
    run = store.create_run("probe", {"listeners": ["m", "dsp"]}, state="running")
    assert scoring.speed_html(settings, run) == '<p class="run-speed">m: staged path</p>'
    store.update(run.id, done=50, total=150, started_at=100.0, heartbeat_at=110.0, rate=5.0)
    assert "5 questions/s in all" in scoring.speed_html(settings, store.run(run.id))
    summary = {"listeners": {"m": {"clips_per_s": 95.04}, "dsp": {"clips_per_s": None}}}
    store.update(run.id, state="done", ended_at=120.0, summary=summary)
    assert scoring.speed_html(settings, store.run(run.id)) == (
        '<p class="run-speed">m: staged path, 95 questions/s</p>'
    )
    assert scoring.rate_words(33_927.6) == "33,900 questions/s"
    assert scoring.rate_words(0.1234) == "0.123 questions/s"


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_what_gives_way_is_said_before_the_start(tmp_path, monkeypatch, device):
    settings = Settings("local", tmp_path, device)
    asked, live = {}, [in_memory("other"), in_memory("live", bytes=int(17e9))]

    def forecast(settings, name, changes):
        asked.update(changes)
        return {"total_gb": 30.0}

    monkeypatch.setattr(actions, "forecast_model", forecast)
    monkeypatch.setattr(actions, "models_in_memory", lambda settings: live)
    monkeypatch.setattr(room, "_free_gb", lambda settings: 20.0)
    needs = room.for_tuning(settings, f"big-{device}", TRAINING)
    assert needs.words == (
        f"Tuning big-{device} needs about 30.0 GB on {device}, 20.0 GB are free. live (17.0 GB) "
        "gives way to it, and comes back by itself when it fits again."
    )
    assert asked == {
        "tune": True,
        "scope": "llm",
        "rank": 16,
        "seconds": 3.0,
        "batch": 8,
        "checkpointing": True,
    }
    assert "live (17.0 GB) gives way" in room.room_html(needs)
    live[:] = [in_memory("live", bytes=int(9e9))]
    assert (
        "It will be refused unless something else"
        in room.for_tuning(settings, f"big-{device}", TRAINING).words
    )
    monkeypatch.setattr(room, "_free_gb", lambda settings: 40.0)
    fits = room.for_tuning(settings, f"big-{device}", TRAINING)
    assert fits.words.endswith("40.0 GB are free.")


def test_a_fine_tune_that_fits_nowhere_is_refused_and_not_queued(settings, monkeypatch, on_page):
    config = actions.training_config(settings, "laptop")
    room.refuse_too_large(settings, "tiny-lalm", config)
    monkeypatch.setattr(f"{NEEDS}.free_bytes", lambda device: int(2e9))
    view = on_page(TuneView, settings)
    asked = {"config": config, "source": None, "regions": [{"x": [0, 1]}], "seed": 0}
    view.form = SimpleNamespace(read=lambda base, values: asked)
    assert "It will be refused unless something else on cpu ends" in view.needs("qwen2-audio-7b")
    new = view.start_sure("", "qwen2-audio-7b")
    words = new[view.message]
    assert view.run not in new and "tuning qwen2-audio-7b needs" in words and "2.0 GB are" in words
    assert view.store.runs() == []


def test_small_models_and_observers_need_no_word(settings):
    assert room.for_scoring(settings, ["tiny-lalm", "tiny-lalm@example", "dsp"]) is None
    assert room.for_scoring(settings, ["sim:d=1,c=0", "nobody"]) is None
    assert room.for_tuning(settings, "nobody", TRAINING) is None
    needs = room.for_tuning(settings, "tiny-lalm", TRAINING)
    assert 0 < needs.needed_gb < 1 and room.room_html(needs) == ""
    assert room.model_of("silence:m+bf16@run") == "m+bf16" and room.model_of("first") == ""


def test_options_of_a_training_that_change_its_memory_are_asked_about():
    train = {**TRAINING["train"], "four_bit": True}
    assert workload({**TRAINING, "train": train})["dtype"] == "bfloat16"
    train = {**TRAINING["train"], "dtype": "bfloat16"}
    assert workload({**TRAINING, "train": train})["dtype"] == "bfloat16"
