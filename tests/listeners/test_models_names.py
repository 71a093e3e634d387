"""What a user types for a model: cards, specs, and what is refused before anything is loaded."""

import dataclasses
import json

import pytest
import yaml

from spectcount import listeners
from spectcount.errors import UserError
from spectcount.listeners.checkpoints.cards import COMMIT, Card, cards
from spectcount.listeners.checkpoints.files import SOURCE, hub_id, revision_of
from spectcount.listeners.checkpoints.names import model_folder
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import load_settings

COMMIT_A, COMMIT_B = "a" * 40, "b" * 40
CARD = {
    "full_name": "A",
    "about": "b",
    "hub": "owner/name",
    "revision": COMMIT_A,
    "licence": "MIT",
    "family": "qwen2-audio",
    "source": "here",
    "parameters_b": 1.0,
    "disk_gb": 2.0,
}


@pytest.fixture
def demo(tmp_path):
    return load_settings(mode="demo", home=tmp_path / "home", device="cpu")


def write_card(settings, name="mine", **changes):
    folder = settings.home / "models"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in {**CARD, **changes}.items() if v is not None}))
    return path


def write_folder(settings, name, revision=""):
    folder = settings.home / "models" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    if revision:
        (folder / SOURCE).write_text(json.dumps({"hub": "owner/name", "revision": revision}))
    return folder


def test_shipped_cards_name_a_commit_or_say_why_not(settings):
    found = cards(settings)
    assert {"audio-flamingo-3", "qwen2-audio-7b-instruct", "tiny-lalm"} <= found.keys()
    for card in (c for c in found.values() if c.hub):
        assert COMMIT.fullmatch(card.revision) or card.unpinned
        assert card.link.startswith("https://huggingface.co/" + card.hub)
        assert card.disk_gb > 0 and card.parameters_b > 0 and card.needs_gb > 0 and card.config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"revison": COMMIT_A}, "unknown|no parameter 'revison'; did you mean revision"),
        ({"revision": "main"}, "'main' is no commit; give its 40 hex digits"),
        ({"revision": None}, "either 'revision'.* or 'unpinned'"),
        ({"unpinned": "lost"}, "either 'revision'.* or 'unpinned'"),
        ({"hub": "name"}, "hub='name' is no id of the hub; write OWNER/NAME"),
        ({"licence": " "}, "'licence' is missing"),
        ({"disk_gb": -1}, "disk_gb=-1 GB is below the limit 0"),
        ({"config": "big"}, "'config' is no mapping"),
    ],
)
def test_a_wrong_card_is_refused(settings, changes, words):
    with pytest.raises(UserError, match=words):
        Card.read(write_card(settings, **changes))


def test_own_cards_are_listed_but_not_in_the_demo(settings, demo):
    write_card(settings)
    write_card(demo)
    assert cards(settings)["mine"].hub == "owner/name"
    assert "mine" not in cards(demo)


@pytest.mark.parametrize(
    ("spec", "model", "words", "adapter"),
    [
        ("tiny-lalm", "tiny-lalm", (), ""),
        ("tiny-lalm@run-1", "tiny-lalm", (), "run-1"),
        ("tiny-lalm+bf16+eager@run-1", "tiny-lalm", ("bf16", "eager"), "run-1"),
        ("path:/a/b@c/d+e", "path:/a/b@c/d+e", (), ""),
        ("path:/a/b+c+4bit@run", "path:/a/b+c", ("4bit",), "run"),
        (f"o/n#{COMMIT_A}+4bit", f"o/n#{COMMIT_A}", ("4bit",), ""),
        ("tiny-lalm@path:/a/b@c+d", "tiny-lalm", (), "path:/a/b@c+d"),
        ("path:/a/b+bf16@path:/c", "path:/a/b", ("bf16",), "path:/c"),
        ("path:~/m@path:~/a", "path:~/m", (), "path:~/a"),
        (f"tiny-lalm+eager@o/n#{COMMIT_A}", "tiny-lalm", ("eager",), f"o/n#{COMMIT_A}"),
        (f"path:/a@b/c@o/n#{COMMIT_A}", "path:/a@b/c", (), f"o/n#{COMMIT_A}"),
        (f"o/m#{COMMIT_B}@o/n#{COMMIT_A}", f"o/m#{COMMIT_B}", (), f"o/n#{COMMIT_A}"),
        ("tiny-lalm@o/n", "tiny-lalm", (), "o/n"),
    ],
)
def test_a_spec_is_model_options_adapter(spec, model, words, adapter):
    for prefix in ("", "silence:"):
        found = ListenerSpec.parse(prefix + spec)
        assert (found.model, found.options, found.adapter) == (model, words, adapter)
        assert found.silenced == bool(prefix) and not found.is_formula
        assert str(found) == prefix + spec and str(found.hearing) == spec
        assert found.base == dataclasses.replace(found, adapter="")


@pytest.mark.parametrize(
    ("spec", "formula", "simulated"),
    [
        ("ideal", True, False),
        ("silence", True, False),
        ("silence:first", True, False),
        ("sim:d=1,c=0", True, True),
        ("silence:sim:d=1", True, False),
        ("sim:d=1@x", True, True),
        ("ideal@x", False, False),
        ("dsp+bf16", False, False),
        ("silence:", False, False),
    ],
)
def test_a_spec_knows_formulas(spec, formula, simulated):
    found = ListenerSpec.parse(spec)
    assert (found.is_formula, found.is_simulated, str(found)) == (formula, simulated, spec)


def test_wrong_specs_are_refused():
    with pytest.raises(UserError, match="unknown option '8bit'; give some of float32, bf16, fp16"):
        ListenerSpec.parse("tiny-lalm+8bit").refuse_unknown_options()
    with pytest.raises(UserError, match="names no adapter after '@'"):
        ListenerSpec.parse("tiny-lalm@")
    with pytest.raises(UserError, match="names no adapter after '@'"):
        ListenerSpec.parse("silence:tiny-lalm@path:")
    with pytest.raises(UserError, match="'5' is no listener's name"):
        ListenerSpec.parse(5)


def write_adapter(folder):
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_an_adapter_by_path_or_hub_id(settings, cache, tmp_path, demo):
    here = write_adapter(tmp_path / "some@where" / "mine")
    named = listeners.adapter_folder
    assert named(f"tiny-lalm+bf16@path:{here}", settings) == here.resolve()
    spec = f"tiny-lalm@owner/name#{COMMIT_A}"
    with pytest.raises(UserError, match=rf"get it with `.* models get owner/name#{COMMIT_A}"):
        named(spec, settings)
    fetched = write_adapter(settings.home / "models" / f"owner--name--{COMMIT_A[:12]}")
    assert named(spec, settings) == fetched
    assert fetched.name not in listeners.models(settings)
    cached = cache("owner/name", COMMIT_B, ["adapter_config.json"])
    assert named(f"tiny-lalm@owner/name#{COMMIT_B}", settings) == cached
    for wrong, words in [
        (f"tiny-lalm@path:{tmp_path}", r"is no adapter's folder \(no adapter_config.json\)"),
        (f"tiny-lalm@path:{settings.models / 'tiny-lalm'}", "is no adapter's folder"),
        ("tiny-lalm@owner/name", "owner/name needs its commit"),
        ("tiny-lalm@nobody", r"known: example; from elsewhere: tiny-lalm@path:/FOLDER"),
    ]:
        with pytest.raises(UserError, match=words):
            named(wrong, settings)
    for place in (f"path:{here}", f"owner/name#{COMMIT_A}"):
        with pytest.raises(UserError, match="the demo takes the names of adapters only"):
            named(f"tiny-lalm@{place}", demo)


def test_a_listed_model_that_is_not_here_says_how_to_get_it(settings):
    with pytest.raises(UserError) as refused:
        model_folder("qwen2-audio-7b-instruct+4bit", settings)
    message = str(refused.value)
    for words in (
        "qwen2-audio-7b-instruct is not on this machine (Qwen/Qwen2-Audio-7B-Instruct, 16.8 GB",
        "`python -m spectcount models get qwen2-audio-7b-instruct`",
        "hf download Qwen/Qwen2-Audio-7B-Instruct --revision "
        "0a095220c30b7b31434169c3086508ef3ea5bf0a --local-dir qwen2-audio-7b-instruct",
        "copy the folder into home/models",
    ):
        assert words in message


def test_a_hub_id_needs_its_commit_and_then_its_folder(settings):
    with pytest.raises(UserError, match=r"owner/name needs its commit"):
        model_folder("owner/name", settings)
    with pytest.raises(UserError, match=r"'main' is no commit"):
        model_folder("owner/name#main", settings)
    with pytest.raises(UserError, match=rf"models get owner/name#{COMMIT_A}"):
        model_folder(f"owner/name#{COMMIT_A}", settings)
    folder = write_folder(settings, f"owner--name--{COMMIT_A[:12]}")
    assert model_folder(f"owner/name#{COMMIT_A}", settings) == folder


def test_any_folder_by_path_but_not_in_the_demo(settings, demo, tmp_path):
    folder = write_folder(settings, "elsewhere")
    assert model_folder(f"path:{folder}+bf16", settings) == folder
    with pytest.raises(UserError, match=r"no config.json"):
        model_folder(f"path:{tmp_path}", settings)
    for spec, words in [
        (f"path:{folder}", "is a path; the demo takes the names of listed models only"),
        (f"owner/name#{COMMIT_A}", "owner/name is not listed; the demo takes one of"),
    ]:
        with pytest.raises(UserError, match=words):
            model_folder(spec, demo)


def test_in_the_demo_only_shipped_and_listed_folders_answer(demo):
    write_folder(demo, "foreign")
    folder = write_folder(demo, "voxtral-mini-3b")
    with pytest.raises(UserError, match="foreign is not among the models of the demo"):
        model_folder("foreign+bf16", demo)
    assert model_folder("voxtral-mini-3b", demo) == folder


def test_another_commit_than_the_listed_one_is_refused(settings):
    write_card(settings)
    folder = write_folder(settings, "mine", COMMIT_B)
    assert revision_of(folder) == COMMIT_B
    with pytest.raises(UserError, match=r"is revision bbbbbbbbbbbb, the list means aaaaaaaaaaaa"):
        model_folder("mine", settings)
    assert model_folder(f"path:{folder}", settings) == folder


def test_the_commit_of_a_folder_that_the_hubs_own_tool_made(settings):
    folder = write_folder(settings, "copied")
    assert revision_of(folder) == ""
    note = folder / ".cache" / "huggingface" / "download" / "config.json.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{COMMIT_B}\netag\n1.0\n")
    assert revision_of(folder) == COMMIT_B


def test_an_unfinished_download_is_no_model(settings):
    write_folder(settings, "half.part")
    assert "half.part" not in listeners.models(settings)


def test_adapters_are_found_whatever_the_base_is_loaded_with(settings):
    assert list(listeners.adapters("tiny-lalm+bf16", settings)) == ["example"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The hub's cache, with a function that puts a snapshot into it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def put(hub, commit, files=("config.json", "model.safetensors")):
        folder = tmp_path / "hub" / f"models--{hub.replace('/', '--')}" / "snapshots" / commit
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_text("{}")
        return folder

    return put


def test_what_the_hubs_cache_has_is_used_where_it_lies(settings, cache):
    folder = cache("owner/name", COMMIT_A)
    assert model_folder(f"owner/name#{COMMIT_A}+bf16", settings) == folder
    assert (hub_id(folder), revision_of(folder)) == ("owner/name", COMMIT_A)
    with pytest.raises(UserError, match="not on this machine"):
        model_folder(f"owner/name#{COMMIT_B}", settings)
    write_card(settings)
    assert listeners.models(settings)["mine"] == model_folder("mine", settings) == folder


def test_a_snapshot_of_another_commit_or_half_a_one_is_none(settings, cache):
    write_card(settings)
    cache("owner/name", COMMIT_B)
    index = cache("owner/name", COMMIT_A, ("config.json", "model-00001-of-00002.safetensors"))
    with pytest.raises(UserError, match="mine is not on this machine"):
        model_folder("mine", settings)
    (index / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "other"}})
    )
    assert "mine" not in listeners.models(settings)
    (index / "other").write_text("")
    assert listeners.models(settings)["mine"] == index


def test_the_only_snapshot_of_an_unpinned_model_is_meant(settings, cache):
    write_card(settings, revision=None, unpinned="lost")
    folder = cache("owner/name", COMMIT_B)
    assert model_folder("mine", settings) == folder
    cache("owner/name", COMMIT_A)
    assert "mine" not in listeners.models(settings)


def test_a_path_into_the_cache_tells_its_commit(settings, cache):
    folder = cache("owner/name", COMMIT_A)
    assert revision_of(model_folder(f"path:{folder}", settings)) == COMMIT_A


def test_the_command_for_another_machine_fetches_what_belongs_to_a_model(settings):
    from spectcount.listeners.checkpoints.names import download_command

    command = download_command("phi-4-multimodal", cards(settings)["phi-4-multimodal"], "")
    first, second = command.split(" && ")
    assert first.endswith('--exclude "*/*" --exclude "consolidated*"')
    assert second.endswith('--local-dir phi-4-multimodal --include "speech-lora/adapter_*"')
