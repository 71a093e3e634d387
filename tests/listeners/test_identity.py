"""The fingerprint: moves with whatever could change an answer, and with nothing that could not."""

import json
import shutil

import numpy as np
import pytest

from spectcount import listeners
from spectcount.errors import UserError
from spectcount.listeners.checkpoints import hashes, identity, resident

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _empty():
    resident.unload()
    yield
    resident.unload()


@pytest.fixture
def placed(settings, random_model_folder):
    folder = settings.home / "models" / "own"
    shutil.copytree(random_model_folder, folder)
    return folder


def mark(settings):
    return listeners.load("own", settings).fingerprint


def changed_json(folder, name, *keys, **values):
    data = json.loads((folder / name).read_text())
    inner = data
    for key in keys:
        inner = inner[key]
    inner.update(values)
    (folder / name).write_text(json.dumps(data))


def other_template(folder):
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text().replace("<|im_start|>assistant", "<|im_start|>system"))


def system_prompt(folder):
    file = folder / "chat_template.jinja"
    file.write_text("<|im_start|>system\nAnswer no.<|im_end|>\n" + file.read_text())


def added_token(folder):
    data = json.loads((folder / "tokenizer.json").read_text())
    token = {**data["added_tokens"][0], "content": "be", "special": False}
    data["added_tokens"].append({**token, "id": data["model"]["vocab"]["be"]})
    (folder / "tokenizer.json").write_text(json.dumps(data))


def fewer_merges(folder):
    data = json.loads((folder / "tokenizer.json").read_text())
    data["model"]["merges"] = data["model"]["merges"][: len(data["model"]["merges"]) // 2]
    (folder / "tokenizer.json").write_text(json.dumps(data))


def one_merge_less(folder):
    """A merge that the canary's words do without."""
    data = json.loads((folder / "tokenizer.json").read_text())
    merges = data["model"]["merges"]
    unused = [m for m in merges if "".join(m).replace("Ġ", " ") not in identity.CANARY]
    merges.remove(next(m for m in unused if m[0].startswith("Ġ")))
    (folder / "tokenizer.json").write_text(json.dumps(data))


def one_weight(folder):
    tensors, meta = read(folder)
    (name,) = (n for n in tensors if n.endswith("multi_modal_projector.linear.bias"))
    tensors[name][3] += 1e-6
    write(folder, tensors, meta)


def read(folder):
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return {k: file.get_tensor(k) for k in file.keys()}, file.metadata()  # noqa: SIM118


def write(folder, tensors, meta):
    from safetensors.torch import save_file

    save_file(tensors, folder / "model.safetensors", metadata=meta)


CHANGES = {
    "rope": lambda f: changed_json(
        f, "config.json", "text_config", "rope_parameters", rope_theta=5000.0
    ),
    "norm": lambda f: changed_json(f, "config.json", "text_config", rms_norm_eps=1e-3),
    "activation": lambda f: changed_json(f, "config.json", "text_config", hidden_act="gelu"),
    "encoder": lambda f: changed_json(f, "config.json", "audio_config", activation_function="relu"),
    "n_fft": lambda f: changed_json(f, "processor_config.json", "feature_extractor", n_fft=512),
    "template": other_template,
    "system prompt": system_prompt,
    "added token": added_token,
    "merges": fewer_merges,
    "one merge": one_merge_less,
    "end of reply": lambda f: changed_json(f, "generation_config.json", eos_token_id=[2, 7]),
    "banned words": lambda f: changed_json(f, "generation_config.json", suppress_tokens=[30]),
    "weight": one_weight,
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_could_change_an_answer_changes_the_fingerprint(settings, loaded, placed, what):
    CHANGES[what](placed)
    assert mark(settings) != f"{loaded.fingerprint}+base"


def resharded(folder):
    from safetensors.torch import save_file

    tensors, meta = read(folder)
    names = sorted(tensors, reverse=True)
    shards = {
        "model-00001-of-00002.safetensors": names[::2],
        "model-00002-of-00002.safetensors": names[1::2],
    }
    for file, part in shards.items():
        save_file({n: tensors[n] for n in part}, folder / file, metadata=meta)
    (folder / "model.safetensors").unlink()
    where = {name: file for file, part in shards.items() for name in part}
    (folder / hashes.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": where}))


def resaved(folder):
    from transformers import Qwen2AudioForConditionalGeneration

    model = Qwen2AudioForConditionalGeneration.from_pretrained(folder)
    model.save_pretrained(folder, max_shard_size="500KB")
    (folder / "model.safetensors").unlink()


def resaved_words(folder):
    from transformers import AutoProcessor

    AutoProcessor.from_pretrained(folder).save_pretrained(folder)


def copied_head(folder):
    tensors, meta = read(folder)
    (name,) = (n for n in tensors if n.endswith("embed_tokens.weight"))
    write(folder, {**tensors, "lm_head.weight": tensors[name].clone()}, meta)


def sampled(folder):
    changed_json(folder, "generation_config.json", temperature=0.7, do_sample=True, top_p=0.5)


def other_words(folder):
    changed_json(folder, "config.json", transformers_version="4.57.0", torch_dtype="float32")
    changed_json(folder, "config.json", "audio_config", dropout=0.1, initializer_range=0.5)
    changed_json(folder, "config.json", "text_config", use_cache=False)
    (folder / "README.md").write_text("another card")


@pytest.mark.parametrize(
    "change",
    [resharded, resaved, resaved_words, copied_head, sampled, other_words],
    ids=lambda f: f.__name__,
)
def test_what_could_not_change_an_answer_does_not(settings, loaded, placed, change):
    change(placed)
    assert mark(settings) == f"{loaded.fingerprint}+base"


def test_a_front_end_that_does_not_fit_is_refused_in_words(settings, placed):
    changed_json(placed, "processor_config.json", "feature_extractor", hop_length=200)
    with pytest.raises(UserError, match=r"processor and its weights do not fit .* length 1000"):
        mark(settings)


def test_numbers_count_not_their_format(tmp_path):
    import torch
    from safetensors.torch import save_file

    values = torch.linspace(-3, 3, 1001).bfloat16()
    halves = torch.linspace(-3, 3, 1001).half()
    written = {
        "narrow": {"a": values, "b": halves},
        "wide": {"a": values.float(), "b": halves.float()},
        "other": {"a": values.float() + 2**-20, "b": halves.float()},
        "swapped": {"b": values, "a": halves},
    }
    found = {}
    for name, tensors in written.items():
        (tmp_path / name).mkdir()
        save_file(tensors, tmp_path / name / "model.safetensors")
        found[name] = hashes.hash_weights(tmp_path / name)
    assert found["narrow"] == found["wide"]
    assert len(set(found.values())) == 3


def test_names_of_other_versions_are_the_same_names():
    pairs = [
        (
            "language_model.model.layers.0.mlp.up_proj.weight",
            "model.language_model.layers.0.mlp.up_proj.weight",
        ),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("audio_tower.conv1.bias", "model.audio_tower.conv1.bias"),
    ]
    for old, new in pairs:
        assert hashes.common_name(old) == hashes.common_name(new)


def test_attention_and_number_format_are_part_of_it(settings, placed):
    marks = {
        listeners.load(spec, settings).fingerprint for spec in ("own", "own+eager", "own+bf16")
    }
    assert len(marks) == 3
    bases = {m.split("-")[0] for m in marks}
    assert len(bases) == 1


def test_the_features_are_robust_to_rounding_and_move_with_the_front_end(loaded):
    import torch

    features = torch.randn(128, 1000, generator=torch.Generator().manual_seed(0))
    pooled = identity._pooled(features)
    assert identity._pooled(features + 1e-6 * torch.randn(128, 1000)) == pooled
    assert identity._pooled(features.roll(50, 1)) != pooled
    assert identity._pooled(features * 1.2 + 0.1) != pooled


def test_an_adapter_goes_with_its_base_in_any_shards(settings, loaded, placed, make_adapter):
    folder = make_adapter("one", 0.05)
    own = loaded.fingerprint
    (folder / "lineage.json").write_text(json.dumps({"base_fingerprint": own}))
    resharded(placed)
    listeners.load("own", settings).loaded.load_adapter(folder)
    for change, words in ((CHANGES["rope"], "configuration"), (system_prompt, "prompt format")):
        copy = placed.with_name("copy")
        shutil.copytree(placed, copy)
        change(copy)
        other = listeners.load("copy", settings).loaded
        with pytest.raises(UserError, match=rf"made on a base with other {words}"):
            other.load_adapter(folder)
        shutil.rmtree(copy)


def test_records_of_earlier_releases_are_read(settings, placed, make_adapter):
    folder = make_adapter("one", 0.05)
    files = hashes.hash_files([placed / "model.safetensors"])
    (folder / "lineage.json").write_text(json.dumps({"base_fingerprint": f"{files}-float32-e2"}))
    loaded = listeners.load("own", settings).loaded
    loaded.load_adapter(folder)
    (folder / "lineage.json").write_text(json.dumps({"base_fingerprint": f"{'0' * 12}-float32-e2"}))
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 3}))
    with pytest.raises(UserError, match="other weights"):
        loaded.load_adapter(folder)


def test_a_run_is_not_resumed_with_another_listener():
    from spectcount.probing.run import refuse_other_listener
    from spectcount.trials import Trial

    trial = Trial.__new__(Trial)
    for name, value in (("listener", "own"), ("fingerprint", "old")):
        object.__setattr__(trial, name, value)
    refuse_other_listener("own", "old", [trial])
    refuse_other_listener("other", "new", [trial])
    with pytest.raises(UserError, match=r"1 answers of own as it was \(old\)"):
        refuse_other_listener("own", "new", [trial])


def test_a_fine_tune_is_not_resumed_on_another_base(tmp_path):
    from spectcount.training import trainer

    trainer.keep_to_base(tmp_path, "a-b-c-d-e-float32-sdpa-staged-e3")
    trainer.keep_to_base(tmp_path, "a-b-c-x-x-bfloat16-sdpa-stock-e4")
    with pytest.raises(UserError, match="began on a base with other weights"):
        trainer.keep_to_base(tmp_path, "x-b-c-d-e-float32-sdpa-staged-e3")


def test_a_changed_folder_is_loaded_anew(settings, placed):
    first = listeners.load("own", settings)
    assert listeners.load("own", settings).loaded is first.loaded
    CHANGES["rope"](placed)
    again = listeners.load("own", settings)
    assert again.loaded is not first.loaded and len(resident.table()) == 1
    assert np.isfinite(again.loaded._canary.numpy()).all()
