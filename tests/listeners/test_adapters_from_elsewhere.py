"""Adapters as plain peft and older versions write them: the same answers as peft's, or a refusal
that names what is wrong; the base stays as it was, whatever came before."""

import json
import shutil

import numpy as np
import pytest

from spectcount.errors import UserError

pytestmark = pytest.mark.slow

ATTENTION = ["q_proj", "v_proj", "out_proj"]
PROJECTOR = "model.multi_modal_projector"


@pytest.fixture(scope="module")
def base(random_model_folder):
    """One base for all of these adapters, in the order in which they come."""
    from spectcount.listeners.loaded import LoadedModel

    return LoadedModel(random_model_folder)


def written(random_model_folder, folder, seed=1, scale=0.1, **options):
    """An adapter that plain peft wrote, and its logits on the canary by plain peft alone."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    from spectcount.listeners.families import FAMILIES

    family = FAMILIES["qwen2-audio"]
    model, _ = family.load(str(random_model_folder), "cpu", torch.float32)
    tuned = get_peft_model(model, LoraConfig(**{"r": 4, "target_modules": ATTENTION, **options}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if weight.requires_grad and "lora_A" not in name:
                noise = torch.randn(weight.shape, generator=generator)
                weight.add_(scale * noise)
    tuned.save_pretrained(folder)
    model, processor = family.load(str(random_model_folder), "cpu", torch.float32)
    if "bias" in options or "conv1" in options.get("target_modules", ()):
        return None
    PeftModel.from_pretrained(model, str(folder)).eval()
    return logits(family, model, processor)


def logits(family, model, processor):
    import torch

    from spectcount.listeners.scoring import gate, stock

    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.float32)
    clips = np.stack([np.zeros_like(tone), tone])
    with torch.inference_mode():
        return stock.prompt_logits(family, model, processor, [gate.CANARY] * 2, clips).numpy()


def answer(base, folder):
    digest = base.load_adapter(folder)
    with base.adapted(digest) as model:
        return logits(base.family, model, base.processor)


def edited(folder, to, rename=lambda name: name, change=lambda name, tensor: tensor, **config):
    """A copy with other names, tensors (None leaves one out) and settings."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, to)
    old = load_file(folder / "adapter_model.safetensors")
    new = {rename(name): change(name, tensor) for name, tensor in old.items()}
    save_file(
        {k: v.contiguous() for k, v in new.items() if v is not None},
        to / "adapter_model.safetensors",
    )
    settings = json.loads((to / "adapter_config.json").read_text())
    (to / "adapter_config.json").write_text(json.dumps({**settings, **config}))
    return to


OPTIONS = {
    "plain": {},
    "rslora": {"use_rslora": True, "lora_alpha": 5},
    "dora": {"use_dora": True},
    "patterns": {
        "rank_pattern": {"layers.1.self_attn.q_proj": 2, r".*audio_tower.*v_proj": 3},
        "alpha_pattern": {
            "layers.0.self_attn.v_proj": 32,
            "language_model.layers.2.self_attn.q_proj": 1,
        },
    },
    "some layers": {"layers_to_transform": [0, 2], "layers_pattern": "layers"},
    "regex": {"target_modules": r"model\.audio_tower\.layers\.\d+\.(fc1|self_attn\.k_proj)"},
    "all linear": {"target_modules": "all-linear"},
    "all but": {"target_modules": "all-linear", "exclude_modules": r".*audio_tower.*"},
    "lora bias": {"lora_bias": True},
    "whole projector": {"modules_to_save": ["multi_modal_projector"]},
    "lora on the projector": {"target_modules": r".*multi_modal_projector\.linear"},
    "whole linear": {"modules_to_save": ["linear"], "target_modules": ["fc1"]},
    "embeddings": {"target_modules": ["embed_tokens", "q_proj"]},
}


@pytest.fixture(scope="module")
def adapters(random_model_folder, tmp_path_factory):
    """name -> (folder, logits by plain peft), written when asked for."""
    found = {}

    def get(name):
        if name not in found:
            folder = tmp_path_factory.mktemp("adapters") / name.replace(" ", "-")
            found[name] = folder, written(random_model_folder, folder, **OPTIONS[name])
        return found[name]

    return get


@pytest.mark.parametrize("name", OPTIONS)
def test_an_adapter_answers_as_under_plain_peft_after_any_others(base, adapters, name):
    folder, expected = adapters(name)
    np.testing.assert_allclose(answer(base, folder), expected, atol=2e-5)
    with base.adapted(None) as model:
        now = logits(base.family, model, base.processor)
    assert np.abs(now - expected).max() > 1e-3
    assert base._drift() == 0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_projector_kept_whole_and_one_adapted_go_together(random_model_folder, adapters, order):
    from spectcount.listeners.loaded import LoadedModel

    fresh = LoadedModel(random_model_folder)
    both = [adapters("whole projector"), adapters("lora on the projector")]
    for i in order:
        answer(fresh, both[i][0])
    for folder, expected in both:
        np.testing.assert_allclose(answer(fresh, folder), expected, atol=2e-5)
    assert fresh._drift() == 0


def old_names(name):
    """As transformers 4 has them: the language model wrapped, nothing around it."""
    inner = name.removeprefix("base_model.model.model.")
    return "base_model.model." + inner.replace("language_model.", "language_model.model.", 1)


def encoder_only(name):
    return old_names(name) if "audio_tower" in name else name


def text_model(name):
    return name.replace("language_model", "text_model")


@pytest.mark.parametrize("rename", [old_names, encoder_only, text_model], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["plain", "patterns", "whole projector"])
def test_names_of_other_versions_find_their_places(base, adapters, tmp_path, name, rename):
    folder, expected = adapters(name)
    changes = {}
    if name == "patterns":
        pattern = json.loads((folder / "adapter_config.json").read_text())["alpha_pattern"]
        changes = {
            "alpha_pattern": {
                rename(f"base_model.model.model.{k}").removeprefix("base_model.model.")
                if "language_model" in k
                else k: v
                for k, v in pattern.items()
            }
        }
    old = edited(folder, tmp_path / "old", rename, **changes)
    np.testing.assert_allclose(answer(base, old), expected, atol=2e-5)


def test_a_regular_expression_in_old_names_is_read(base, adapters, tmp_path):
    folder, expected = adapters("regex")
    targets = r"audio_tower\.layers\.\d+\.(fc1|self_attn\.k_proj)"
    old = edited(folder, tmp_path / "old", old_names, target_modules=targets)
    np.testing.assert_allclose(answer(base, old), expected, atol=2e-5)


def test_another_number_format_is_the_same_adapter(base, adapters, tmp_path):
    folder, expected = adapters("plain")
    half = edited(folder, tmp_path / "half", change=lambda name, tensor: tensor.bfloat16())
    np.testing.assert_allclose(answer(base, half), expected, atol=0.05)


REFUSED = {
    "wrong prefix": (
        {"rename": lambda n: n.replace("base_model.model.", "module.")},
        r"none of its 30 tensors has a place: their names begin with 'module\.', not with "
        r"'base_model.model.'",
    ),
    "no prefix": (
        {"rename": lambda n: n.replace("base_model.model.", "")},
        r"none of its 30 tensors has a place: their names begin with '', not",
    ),
    "wrapped twice": (
        {"rename": lambda n: n.replace("base_model.model.", "base_model.model.net.")},
        r"begin with 'base_model\.model\.net\.', not",
    ),
    "one stray": (
        {"rename": lambda n: n.replace("tower.layers.0.self_attn.q_proj", "ear.0.q_proj")},
        r"2 of its tensors have no place in this model, the first is base_model.model.model.audio_"
        r"ear.0.q_proj.lora_A.weight",
    ),
    "a part by other names": (
        {"rename": lambda n: n.replace("language_model", "decoder")},
        r"12 of its tensors have no place .* the first is base_model.model.model.decoder.layers.0",
    ),
    "a tensor missing": (
        {"change": lambda n, t: None if "tower.layers.2.self_attn.v_proj.lora_B" in n else t},
        r"layers.2.self_attn.v_proj.lora_B.* has no tensor in its file",
    ),
    "a layer missing": (
        {"change": lambda n, t: None if "language_model.layers.1.self_attn.q_proj" in n else t},
        r"1 places that its configuration names have no tensor in its file, the first is "
        r"model.language_model.layers.1.self_attn.q_proj",
    ),
    "one transposed": (
        {"change": lambda n, t: t.T if "layers.1.self_attn.v_proj.lora_B" in n else t},
        r"layers.1.self_attn.v_proj.lora_B has shape \[4, \d+\], its place \[\d+, 4\]",
    ),
    "another rank": ({"r": 8}, r"has rank 4 in its file and 8 by its settings"),
    "biases": ({"bias": "lora_only"}, r"has bias='lora_only': it would write into the base"),
    "all biases": ({"bias": "all"}, r"has bias='all': it would write into the base"),
    "pissa": ({"init_lora_weights": "pissa_niter_4"}, r"belongs to a base that this way changed"),
    "kasa": ({"kasa_config": {"beta": 0.1}}, r"has kasa_config=.* which is not read here"),
    "copies of layers": ({"layer_replication": [[0, 2], [1, 3]]}, r"has layer_replication="),
    "of the future": ({"use_tomorrow": 1}, r"has use_tomorrow=1, which is not read here"),
    "no expression": ({"target_modules": "(q_proj"}, r"'.*\(q_proj.*' in its .* no regular expres"),
    "no pattern": ({"rank_pattern": {"q_proj[": 4}}, r"q_proj\[.* is no regular expression"),
    "another kind": ({"peft_type": "IA3"}, r"is of type IA3, and only LORA is read"),
    "all zero": (
        {"change": lambda n, t: t * 0 if "lora_B" in n else t},
        r"changes nothing: .* still zero",
    ),
    "not a number": (
        {"change": lambda n, t: t * np.nan if "layers.0.self_attn.v_proj.lora_B" in n else t},
        r"not a number",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_by_name_and_leaves_the_base(base, adapters, tmp_path, name):
    folder, _ = adapters("plain")
    changes, words = REFUSED[name]
    before = base.n_adapters
    with pytest.raises(UserError, match=words):
        base.load_adapter(edited(folder, tmp_path / "bad", **changes))
    assert base.n_adapters == before and base._drift() == 0


@pytest.mark.parametrize("bias", ["lora_only", "all"])
def test_biases_are_refused_before_they_are_written(random_model_folder, tmp_path, adapters, bias):
    from spectcount.listeners.loaded import LoadedModel

    fresh = LoadedModel(random_model_folder)
    written(random_model_folder, tmp_path / "bad", bias=bias)
    with pytest.raises(UserError, match="would write into the base's own biases"):
        fresh.load_adapter(tmp_path / "bad")
    assert fresh._drift() == 0
    folder, expected = adapters("plain")
    np.testing.assert_allclose(answer(fresh, folder), expected, atol=2e-5)


def test_layers_that_the_models_own_forward_cannot_do_without_are_refused(
    random_model_folder, base, tmp_path
):
    written(random_model_folder, tmp_path / "bad", target_modules=["conv1", "conv2"])
    with pytest.raises(UserError, match=r"own forward fails with it .* no attribute 'stride'"):
        base.load_adapter(tmp_path / "bad")
    assert base._drift() == 0


def test_own_values_of_the_base_are_refused_and_copies_are_not(base, adapters, tmp_path):
    folder, _ = adapters("embeddings")
    key = "base_model.model.model.multi_modal_projector.linear.bias"

    def with_bias(to, add):
        from safetensors.torch import load_file, save_file

        owner = base.model.get_submodule(f"{PROJECTOR}.linear")
        bias = getattr(owner, "base_layer", owner).bias
        shutil.copytree(folder, tmp_path / to)
        file = tmp_path / to / "adapter_model.safetensors"
        save_file({**load_file(file), key: bias.detach().clone() + add}, file)
        return tmp_path / to

    base.load_adapter(with_bias("copy", 0))
    with pytest.raises(UserError, match=r"other values of the base's own model.multi_modal_proj"):
        base.load_adapter(with_bias("other", 1))


def test_an_adapter_of_another_model_on_the_hub_is_refused(base, adapters, tmp_path, monkeypatch):
    from spectcount.listeners.checkpoints import files

    folder, _ = adapters("plain")
    monkeypatch.setattr(files, "hub_id", lambda folder: "Qwen/Qwen2-Audio-7B-Instruct")
    for name in ("unsloth/qwen2-audio-7b-instruct", "here/Qwen2-Audio-7B-Instruct", "/a/b", ""):
        base.load_adapter(
            edited(folder, tmp_path / f"at{name.replace('/', '-')}", base_model_name_or_path=name)
        )
    other = edited(folder, tmp_path / "x", base_model_name_or_path="Qwen/Qwen2-Audio-7B")
    with pytest.raises(UserError, match=r"made on Qwen/Qwen2-Audio-7B and .* is Qwen/Qwen2-Audio"):
        base.load_adapter(other)


def test_an_adapter_is_known_by_its_content(adapters, tmp_path):
    from spectcount.listeners.checkpoints.adapters import digest_of

    folder, _ = adapters("plain")
    written_anew = {"target_modules": ATTENTION[::-1], "lora_dropout": 0.5, "peft_version": "0.1"}
    same = edited(folder, tmp_path / "same", change=lambda n, t: t.double().float(), **written_anew)
    assert digest_of(same) == digest_of(folder)
    scales = [{"lora_alpha": 9}, {"use_rslora": True}, {"bias": "all"}]
    for n, changes in enumerate([*scales, {"change": lambda n, t: t + 1e-3}]):
        assert digest_of(edited(folder, tmp_path / f"{n}", **changes)) != digest_of(folder)


def test_weights_kept_whole_are_not_mixed_into_a_batch(base, adapters):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.scoring import together

    alone, plain, whole = (
        AudioLM(base, name, adapters(name)[0] if name else None)
        for name in ("", "plain", "whole projector")
    )
    assert together.may_share([alone, plain])
    assert not together.may_share([alone, whole])


def test_a_base_that_was_changed_all_the_same_is_thrown_away(
    random_model_folder, adapters, monkeypatch
):
    from spectcount.listeners.checkpoints import adapters as door
    from spectcount.listeners.loaded import LoadedModel

    fresh = LoadedModel(random_model_folder)

    def spoils(model, tuned, plan, name):
        model.model.multi_modal_projector.linear.bias.data += 1
        raise UserError("it does not fit")

    monkeypatch.setattr(door, "attach", spoils)
    with pytest.raises(UserError, match=r"has changed the base: .* was thrown away; ask again"):
        fresh.load_adapter(adapters("plain")[0])
    assert not fresh.in_memory
