"""What is refused before weights are read, how a model may be held, and that memory comes back."""

import gc
import json
import shutil
import weakref

import numpy as np
import psutil
import pytest

from spectcount import listeners
from spectcount.errors import UserError
from spectcount.listeners.checkpoints import resident

pytestmark = pytest.mark.slow

SOUND = {"architectures": ["Qwen2AudioForConditionalGeneration"], "model_type": "qwen2_audio"}


@pytest.fixture(autouse=True)
def _empty():
    """No test leaves a model in memory, or finds one."""
    resident.unload()
    yield
    resident.unload()


@pytest.fixture
def placed(settings, random_model_folder):
    """A model of the user's own, under home/models."""
    folder = settings.home / "models" / "own"
    shutil.copytree(random_model_folder, folder)
    return folder


def write(folder, config=None, **files):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config or SOUND))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("config", "files", "words"),
    [
        (SOUND, {"pytorch_model__bin": ""}, r"pytorch_model.bin only, which may run code"),
        (SOUND, {"model__pt": ""}, r"take a revision with safetensors, or .*save_pretrained"),
        (SOUND, {}, "has no weights"),
        (SOUND, {"adapter_model__safetensors": ""}, "has no weights"),
        (
            {"architectures": ["TheirModel"], "auto_map": {"AutoModel": "theirs.TheirModel"}},
            {"model__safetensors": "", "theirs__py": "raise SystemExit"},
            r"\(TheirModel\) can only be built by code of its own .* never run here",
        ),
        (
            SOUND,
            {
                "model__safetensors": "",
                "processor_config__json": json.dumps(
                    {"processor_class": "Theirs", "auto_map": {"AutoProcessor": "theirs.P"}}
                ),
            },
            r"\(Theirs\) can only be built by code of its own",
        ),
        (
            SOUND,
            {
                "model-1__safetensors": "",
                "model__safetensors__index__json": json.dumps(
                    {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
                ),
            },
            r"lacks 1 of its 2 files of weights, such as model-2.safetensors; get the model again",
        ),
    ],
)
def test_a_folder_that_may_not_be_read_is_refused(tmp_path, config, files, words):
    from spectcount.listeners.loaded import LoadedModel

    with pytest.raises(UserError, match=words):
        LoadedModel(write(tmp_path / "m", config, **files))


def test_a_broken_configuration_is_refused(tmp_path):
    from spectcount.listeners.checkpoints.loading import check_folder

    folder = write(tmp_path / "m")
    (folder / "config.json").write_text('{"architectures": [')
    with pytest.raises(UserError, match=r"is not JSON .* it was cut short"):
        check_folder(folder)


def test_loading_is_reported_and_happens_once(settings, placed):
    seen = []
    first = listeners.load_model("own", settings, lambda *told: seen.append(told))
    words, done, total = seen[-1]
    assert words == "loading own" and done == total > 50
    assert [n for _, n, _ in seen] == list(range(1, total + 1))
    assert listeners.load_model("own", settings, lambda *told: seen.append(told)) is first
    assert len(seen) == total


def test_options_hold_the_model_otherwise_and_are_told_apart(settings, placed):
    import torch

    as_it_is = listeners.load_model("own", settings)
    halved = listeners.load_model("own+bf16+eager", settings)
    assert (as_it_is.dtype, halved.dtype) == (torch.float32, torch.bfloat16)
    assert halved.model.config._attn_implementation == "eager"
    assert halved.bytes < 0.6 * as_it_is.bytes
    assert as_it_is.fingerprint != halved.fingerprint and "bfloat16" in halved.fingerprint
    assert listeners.load("own+bf16+eager", settings).loaded is halved


def test_scores_name_the_engine(settings, placed):
    from spectcount.listeners.loaded import ENGINE_VERSION

    mark = listeners.load("own", settings).fingerprint
    assert mark.endswith(f"-float32-sdpa-staged-e{ENGINE_VERSION}+base")


def test_four_bits_are_refused_where_they_cannot_be(settings, placed):
    with pytest.raises(UserError, match="4bit needs a CUDA device and this one is cpu"):
        listeners.load_model("own+4bit", settings)
    with pytest.raises(UserError, match="4bit goes with 16 bits only"):
        listeners.load_model("own+4bit+float32", settings)


def test_four_bits_are_for_the_language_model_only(placed):
    from transformers.quantizers.quantizers_utils import should_convert_module

    from spectcount.listeners.checkpoints.anatomy import anatomy_of, build
    from spectcount.listeners.families import family_of

    family = family_of(placed)
    kept = anatomy_of(placed, family).kept_whole
    assert kept == ("model.audio_tower", "model.multi_modal_projector", "lm_head")
    import torch

    model = build(json.loads((placed / "config.json").read_text()), family)
    linear = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    changed = [n for n in linear if should_convert_module(n, list(kept))]
    assert len(changed) == 3 * 7
    assert all(n.startswith("model.language_model.layers.") for n in changed)


def test_a_model_that_does_not_fit_is_refused_before_its_weights_are_read(
    settings, placed, monkeypatch
):
    from spectcount.listeners import loaded
    from spectcount.listeners.checkpoints import needs

    monkeypatch.setattr(needs, "free_bytes", lambda device: 2_000_000)
    monkeypatch.setattr(loaded, "LoadedModel", None)
    with pytest.raises(UserError, match=r"scoring with own needs 0.0 GB on cpu .* are free"):
        listeners.load_model("own", settings)


def test_the_table_names_models_adapters_and_sizes(settings, placed, make_adapter):
    listener = listeners.load("own", settings)
    (row,) = resident.table()
    assert (row.name, row.family, row.device, row.path) == ("own", "qwen2-audio", "cpu", "staged")
    assert row.adapters == 0 and row.bytes == listener.loaded.bytes > 4e6
    listener.loaded.load_adapter(make_adapter("one", 0.1))
    (more,) = resident.table()
    assert more.adapters == 1 and more.bytes > row.bytes


def test_unloading_frees_weights_and_adapters_though_a_listener_is_held(
    settings, placed, make_adapter
):
    listener = listeners.load("own", settings)
    loaded = listener.loaded
    loaded.load_adapter(make_adapter("one", 0.1))
    weights = [weakref.ref(p) for p in loaded.model.parameters()]
    assert [row.name for row in listeners.unload("own")] == ["own"]
    gc.collect()
    assert [ref for ref in weights if ref() is not None] == []
    assert resident.table() == [] and loaded.bytes == 0
    with (
        pytest.raises(UserError, match=r"own was unloaded to make room .* ask again"),
        loaded.adapted(None),
    ):
        pass
    again = listeners.load("own", settings).loaded
    assert again is not loaded and again.bytes > 4e6


def test_the_systems_memory_comes_back(settings):
    """About 200 MB of weights: what the process holds falls by nearly all of it."""
    from recipes.tiny_lalm import model as tiny

    folder = settings.home / "models" / "large"
    processor = tiny.build_processor()
    model = tiny.build_model(processor, seed=1)
    config = model.config.to_dict()
    config["text_config"] |= {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
    }
    type(model)(type(model.config)(**config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    del model
    gc.collect()
    loaded = listeners.load_model("large", settings)
    size = loaded.bytes
    assert 180e6 < size < 260e6
    np.asarray([float(p.detach().sum()) for p in loaded.model.parameters()])
    before = psutil.Process().memory_info().rss
    listeners.unload("large")
    freed = before - psutil.Process().memory_info().rss
    assert freed > 0.8 * size, f"{freed / 1e6:.0f} of {size / 1e6:.0f} MB came back"


def test_room_is_made_by_the_longest_unused_first_and_only_if_it_helps(
    settings, placed, monkeypatch
):
    from spectcount.listeners.checkpoints import needs

    for spec in ("own", "own+bf16", "own"):
        listeners.load_model(spec, settings)
    sizes = {row.name: row.bytes for row in resident.table()}
    base = 1_000_000_000

    def free_bytes(device):
        return base + sum(sizes.values()) - sum(row.bytes for row in resident.table())

    monkeypatch.setattr(needs, "free_bytes", free_bytes)
    assert resident.make_room(base, "cpu") == []
    assert resident.make_room(base + 2 * sum(sizes.values()), "cpu") == []
    needed = base + sizes["own+bf16"]
    assert [row.name for row in resident.to_unload(needed, "cpu")] == ["own+bf16"]
    assert [row.name for row in resident.make_room(needed, "cpu")] == ["own+bf16"]
    assert [row.name for row in resident.table()] == ["own"]
    assert resident.make_room(needed + 1, "cuda") == []


def test_a_folder_is_checked_by_name_and_by_path(settings, placed):
    from spectcount import actions

    by_name, by_path = (actions.check_model(settings, where) for where in ("own", str(placed)))
    assert by_name["family"] == "qwen2-audio" and by_name["path"] == "staged"
    assert by_name["silence_against_tone"] > 1e-3 and by_name["hears"]
    assert by_path["fingerprint"] == by_name["fingerprint"]
    with pytest.raises(UserError, match=r"no config.json"):
        actions.check_model(settings, "/nowhere")


def test_large_weights_are_hashed_once(tmp_path, monkeypatch):
    from spectcount.listeners.checkpoints import hashes

    monkeypatch.setattr(hashes, "LARGE_BYTES", 4)
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    first = hashes.hash_files([file])
    monkeypatch.setattr(hashes, "_hash_bytes", lambda files: pytest.fail("read again"))
    assert hashes.hash_files([file]) == first
    monkeypatch.undo()
    monkeypatch.setattr(hashes, "LARGE_BYTES", 4)
    file.write_bytes(b"changed")
    assert hashes.hash_files([file]) != first


def test_float16_where_bfloat16_is_imitated(monkeypatch):
    """Cards before Ampere compute bfloat16 in software, slowly."""
    import torch

    from spectcount.listeners.checkpoints.loading import LoadOptions

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for native, dtype in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True, it=native: it
        )
        assert LoadOptions().torch_dtype("cuda") == dtype
        assert LoadOptions(four_bit=True).torch_dtype("cuda:1") == dtype
        assert LoadOptions().torch_dtype("cpu") == torch.float32
        assert LoadOptions(dtype="bfloat16").torch_dtype("cuda") == torch.bfloat16


def test_weights_go_straight_to_the_device_and_float32_is_float32(placed, monkeypatch, capsys):
    import torch
    import transformers

    from spectcount.listeners.loaded import LoadedModel

    kind, seen = transformers.AutoModelForSeq2SeqLM, []
    original = kind.from_pretrained

    def watched(folder, **options):
        seen.append(options.pop("device_map", None))
        return original(folder, **options)

    monkeypatch.setattr(kind, "from_pretrained", watched)
    torch.backends.cudnn.allow_tf32 = True
    LoadedModel(placed)
    LoadedModel(placed, device="mps")  # what it is placed on is left out here: there is none
    assert seen == [None, {"": "mps"}]
    assert not torch.backends.cudnn.allow_tf32
    assert "on cpu, float32: staged path (equal to the stock forward" in capsys.readouterr().err


def test_a_spread_model_is_forecast_over_all_memory(settings, placed, monkeypatch):
    from spectcount.listeners.checkpoints import needs

    monkeypatch.setattr(needs.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(needs, "free_bytes", lambda device: {"cpu": 5}.get(device, 2))
    assert needs.free_everywhere() == 9
    monkeypatch.setattr(needs, "free_everywhere", lambda: 9)
    with pytest.raises(UserError, match="needs"):
        listeners.load_model("own+spread", settings)
