"""A model outside the list: it passes the checks of `generic`, or is refused with the one that
failed and what to do."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

from spectcount.errors import UserError
from spectcount.listeners.families import family_of, generic, trial
from tests.families import checkpoints as made
from tests.families import make_generic
from tests.families.checkpoints import modules_by_scope

pytestmark = pytest.mark.slow


def load(folder):
    from spectcount.listeners.loaded import LoadedModel

    return LoadedModel(folder)


def test_its_answer_ends_where_the_template_says(model):
    loaded = model("generic")
    tokenizer = loaded.processor.tokenizer
    assert loaded.family.end_id(loaded.processor) == tokenizer.convert_tokens_to_ids("<|user|>")
    assert tokenizer.eos_token != "<|user|>"


def test_it_is_scored_by_the_stock_path(model):
    assert model("generic").path == "stock"
    assert "no staged path" in model("generic").why_stock


def test_another_architecture_passes(tmp_path):
    """Qwen3-ASR: none of its names is written down anywhere."""
    torch.manual_seed(0)
    make_generic.build_qwen3_asr(tmp_path / "asr")
    loaded = load(tmp_path / "asr")
    assert loaded.family.name == "generic"
    found = modules_by_scope(loaded.family, loaded.model, ("encoder", "projector", "llm"))
    assert found == {"encoder": 15, "projector": 2, "llm": 14}


# Refusals


def test_a_model_of_text_is_refused(tmp_path):
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = made.qwen_tokenizer()
    tokenizer.chat_template = made.template("")
    Qwen2ForCausalLM(Qwen2Config(**made.text_config(tokenizer))).save_pretrained(tmp_path / "text")
    tokenizer.save_pretrained(tmp_path / "text")
    with pytest.raises(UserError, match=r"takes no audio.*choose an audio language model"):
        load(tmp_path / "text")


def test_a_deaf_one_is_refused(tmp_path):
    torch.manual_seed(0)
    make_generic.build(tmp_path / "deaf", deaf=True)
    with pytest.raises(UserError, match=r"check of hearing.*choose another"):
        load(tmp_path / "deaf")


def test_a_template_that_drops_the_clip_is_refused(tmp_path):
    dropped = make_generic.CHAT.replace("<|begin_of_audio|><|pad|><|end_of_audio|>", "")
    make_generic.build(tmp_path / "dropped", chat=dropped)
    with pytest.raises(UserError, match=r"dropped.*(check of|no batch)"):
        load(tmp_path / "dropped")


def test_one_without_a_chat_template_is_refused(tmp_path):
    make_generic.build(tmp_path / "mute", chat=None)
    with pytest.raises(UserError, match=r"no batch of two questions.*chat template"):
        load(tmp_path / "mute")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "no_such_kind"}, "does not know.*update transformers"),
        ({"model_type": "vits", "architectures": ["VitsModel"]}, "answers questions in words"),
    ],
)
def test_an_unknown_kind_is_refused(checkpoint, tmp_path, change, reason):
    folder = tmp_path / "kind"
    shutil.copytree(checkpoint("generic"), folder)
    (folder / "config.json").write_text(json.dumps({"architectures": ["Other"], **change}))
    with pytest.raises(UserError, match=reason):
        family_of(folder)


def test_one_that_needs_a_package_is_refused(tmp_path, monkeypatch):
    """Gemma 3n's eyes come from timm."""
    from transformers import Gemma3nConfig

    def lacking(*_):
        raise ImportError("TimmWrapperModel requires the timm library")

    monkeypatch.setattr(generic, "names_of", lacking)
    Gemma3nConfig().save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"timm.*install it"):
        family_of(tmp_path)


class Bad:
    """A family and model in one, wrong in one way."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, fault):
        self.fault = fault

    def sample_rate(self, processor):
        return 16_000

    def stock_inputs(self, prompts, waveforms, processor):
        width = max(map(len, prompts))
        fill = [width - len(p) for p in prompts]
        rows = [[0] * n + [1] * (width - n) for n in fill]
        if self.fault == "padding":
            rows = [row[::-1] for row in rows]
        return {
            "attention_mask": torch.tensor(rows),
            "input_features": torch.tensor(np.stack(waveforms)),
        }

    def __call__(self, attention_mask, input_features, use_cache):
        level = input_features.abs().mean(dim=1, keepdim=True)
        if self.fault == "batches":
            level = level + level.mean()
        if self.fault == "forward":
            raise TypeError("unexpected keyword input_features")
        logits = torch.linspace(0, 1, 8) * (1 + 10 * level)
        return type("Out", (), {"logits": logits[:, None]})


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("padding", "check of padding.*padding_side"),
        ("batches", "check of batches.*choose another"),
        ("forward", "check of its forward.*unexpected keyword"),
    ],
)
def test_a_fault_is_named(fault, reason):
    bad = Bad(fault)
    with pytest.raises(UserError, match=reason):
        trial.run(bad, "some model", bad, None)


class Rounded(torch.nn.Module):
    """A padded family and model in one, in bfloat16: deep and wide enough that rounding alone makes
    more than the fixed limit, or with padding that is heard (`leak`)."""

    device, dtype = torch.device("cpu"), torch.bfloat16
    sample_rate, stock_inputs = Bad.sample_rate, Bad.stock_inputs

    def __init__(self, leak):
        super().__init__()
        torch.manual_seed(0)
        self.fault, self.leak = "", leak
        layers = [torch.nn.Linear(64, 64, bias=False) for _ in range(24)]
        self.layers = torch.nn.ModuleList(layers).to(torch.bfloat16)
        self.norm, self.bend = torch.nn.LayerNorm(64, elementwise_affine=False), torch.nn.Tanh()
        for layer in layers:
            torch.nn.init.normal_(layer.weight, std=0.8)

    def in_halves(self, layer, states):
        """The same product, summed in two parts, as devices do for a single row."""
        return states[:, :32] @ layer.weight[:, :32].T + states[:, 32:] @ layer.weight[:, 32:].T

    def forward(self, attention_mask, input_features, use_cache):
        level = input_features.abs().mean(dim=1, keepdim=True)
        padded = (attention_mask == 0).sum(dim=1, keepdim=True).bfloat16()
        hidden = (level + 0.1 + self.leak * padded) * torch.linspace(-1, 1, 64).bfloat16()
        for layer in self.layers:
            states = self.norm(hidden)
            out = layer(states) if len(states) > 1 else self.in_halves(layer, states)
            hidden = hidden + self.bend(out)
        return type("Out", (), {"logits": hidden[:, None]})


def test_rounding_in_a_batch_is_no_missing_mask():
    sound, leaking = Rounded(0.0), Rounded(0.05)
    for model in (sound, leaking):
        batch = model.stock_inputs(trial.PROMPTS, trial.clips(16_000), None)
        assert trial._rounding("m", model, batch) > 0.03  # the fixed limit
    trial.run(sound, "some model", sound, None)
    with pytest.raises(UserError, match=r"check of batches.*rounding alone moves"):
        trial.run(leaking, "some model", leaking, None)


def test_no_fault_is_no_refusal():
    good = Bad("")
    trial.run(good, "some model", good, None)


# Targets of adapters


def counted(auto_class, config):
    import transformers

    names = generic.names_of(auto_class, config)
    with torch.device("meta"):
        full = getattr(transformers, auto_class).from_config(config)
    modules = [name for name, _ in full.named_modules()]
    return {
        scope: sum(re.fullmatch(names.targets(scope, "m"), name) is not None for name in modules)
        for scope in ("encoder", "projector", "llm")
    }


def test_targets_of_a_full_glm_asr():
    """32 encoder layers of 6 modules, 2 of the projector, 28 layers of 7."""
    from transformers import GlmAsrConfig

    found = counted("AutoModelForSeq2SeqLM", GlmAsrConfig())
    assert found == {"encoder": 194, "projector": 2, "llm": 196}


def test_targets_leave_sight_out():
    """Gemma 4 beside its vision tower: only audio and language are adapted."""
    from transformers import Gemma4Config

    config = Gemma4Config(
        audio_config={"num_hidden_layers": 2},
        vision_config={"num_hidden_layers": 2},
        text_config={"num_hidden_layers": 6},
    )
    names = generic.names_of("AutoModelForMultimodalLM", config)
    assert "vision" not in f"{names}"
    assert "audio_tower" in names.encoder
    assert "embed_audio" in names.projector


def test_a_scope_without_modules_is_refused():
    names = generic.Names(generic.NOTHING, generic.NOTHING, "x")
    assert names.targets("both", "m")
    with pytest.raises(UserError, match="scope projector"):
        names.targets("projector", "m")
