"""The forecast: against published numbers of parameters, against what autograd and a forward
really keep, and what its refusals say."""

import json
import weakref

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.listeners.checkpoints.cards import Card
from spectcount.trials import Question
from tests.families.checkpoints import BUILDERS, build

pytestmark = pytest.mark.slow

SECONDS = 3.5
PUBLISHED = {
    "audio-flamingo-3": 8_267_215_360,
    "music-flamingo": 8_267_215_360,
    "audio-flamingo-next": 8_267_215_360,
    "music-flamingo-think": 8_267_215_360,
    "qwen2-audio-7b": 8.4e9,
    "qwen2-audio-7b-instruct": 8.4e9,
    "qwen2.5-omni-3b": 4.70e9,
    "qwen2.5-omni-7b": 8.93e9,
    "voxtral-mini-3b": 4.68e9,
    "granite-speech-3.3-8b": 8.65e9,
    "granite-speech-3.3-2b": 3.01e9,
    "granite-4.0-1b-speech": 2.3e9,
    "granite-speech-4.1-2b": 2.3e9,
    "granite-speech-4.1-2b-plus": 2.3e9,
    "gemma-3n-e2b": 5.14e9,
    "gemma-3n-e4b": 7.55e9,
    "phi-4-multimodal": 4.74e9,
    "gemma-4-e2b": 5.1e9,
    "gemma-4-e4b": 8.0e9,
    "qwen3-omni-30b": 31.7e9,
}
"""As MTEB's list, the hub's pages and the Open ASR Leaderboard say. Of Omni the thinker: the whole
checkpoints (10.73 and 5.54 B) less talker and vocoder; of Gemma 3n (5.44 and 7.85 B) less sight; of
Phi-4 (5.57 B) less its two adapters."""
WHISPERS = ("qwen2-audio", "audio-flamingo-3", "music-flamingo", "qwen2.5-omni", "voxtral")


@pytest.fixture(scope="module")
def loaded_of(tmp_path_factory):
    """loaded_of(family) -> a fresh tiny model of it."""
    from spectcount.listeners.loaded import LoadedModel

    folder = tmp_path_factory.mktemp("memory")

    def of(family):
        if not (folder / family).is_dir():
            build(family, folder / family)
        return LoadedModel(folder / family)

    return of


def card(root, name):
    return Card.read(root / "spectcount" / "presets" / "models" / f"{name}.yaml")


def anatomy(root, name):
    from spectcount.listeners.checkpoints.needs import anatomy_of_card

    return anatomy_of_card(card(root, name))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_listed_model_counts_as_published_without_its_weights(root, name):
    found, family = anatomy(root, name)
    assert found.total == pytest.approx(PUBLISHED[name], rel=0.02)
    assert card(root, name).parameters_b * 1e9 == pytest.approx(found.total, rel=0.02)
    assert card(root, name).family == family.name
    assert all(found.parameters[part] > 0 for part in ("encoder", "projector", "llm", "embeddings"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_cards_state_what_is_forecast(root, name):
    from spectcount.listeners.checkpoints.forecast import Workload, forecast

    found, family = anatomy(root, name)
    for four_bit, stated in (
        (False, card(root, name).needs_gb),
        (True, card(root, name).needs_4bit_gb),
    ):
        wanted = forecast(found, Workload(four_bit=four_bit), staged=family.staged)
        assert stated == pytest.approx(wanted.gb, abs=0.1)


def test_the_parts_of_qwen2_audio_are_those_of_its_paper(root):
    found, _ = anatomy(root, "qwen2-audio-7b")
    assert found.parameters["encoder"] == pytest.approx(0.64e9, rel=0.01)
    assert found.parameters["embeddings"] == 2 * 156_032 * 4096
    assert found.n_layers("encoder") == found.n_layers("llm") == 32
    assert found.in_four_bits == 32 * (4 * 4096**2 + 3 * 4096 * 11_008)


def test_weights_count_as_loaded(loaded_of):
    from spectcount.listeners.checkpoints.anatomy import anatomy_of
    from spectcount.listeners.checkpoints.forecast import Workload, forecast

    for family in ("qwen2-audio", "audio-flamingo-3"):
        loaded = loaded_of(family)
        found = anatomy_of(loaded.folder, loaded.family)
        weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
        for dtype, size in (("float32", weights), ("bfloat16", weights / 2)):
            wanted = forecast(found, Workload(dtype=dtype), device="cpu")
            assert sum(wanted.weights.values()) == size


def kept_by_autograd(loaded, scope, checkpointing=False):
    """(bytes per clip, tokens) that one training step keeps, adapters and weights aside."""
    import torch

    from spectcount.training import lora
    from spectcount.training.losses import loss_of
    from spectcount.training.options import LoraOptions

    tuned = lora.attach(loaded.family, loaded.model, LoraOptions(scope=scope), "base").train()
    if checkpointing:
        lora.recompute_layers(tuned)
    loss = loss_of(loaded, scope in ("llm", "projector"))
    stimuli = [draw(Pulses(duration_s=SECONDS, n_events=2), seed) for seed in range(2)]
    batch = loss.collate([Question(stimulus, "count", wording=0) for stimulus in stimuli])
    weights = {p.untyped_storage().data_ptr() for p in tuned.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = loss(tuned.get_base_model(), batch)
    assert held.requires_grad
    return sum(size for size, _ in kept.values()) / len(stimuli), batch["ids"].shape[1]


def forecast_kept(loaded, scope, tokens, checkpointing=False):
    from spectcount.listeners.checkpoints.anatomy import anatomy_of
    from spectcount.listeners.checkpoints.forecast import (
        FRAMES_PER_S,
        Workload,
        kept_for_the_way_back,
    )

    whole_window = loaded.family.name == "voxtral"
    heard_s = loaded.window_s if whole_window else SECONDS
    load = Workload(dtype="float32", tune=True, scope=scope, checkpointing=checkpointing)
    found = anatomy_of(loaded.folder, loaded.family)
    return kept_for_the_way_back(found, load, heard_s * FRAMES_PER_S, tokens, 4.0)


@pytest.mark.parametrize("family", [*WHISPERS, "granite-speech"])
def test_the_forecast_of_tuning_is_what_autograd_keeps(loaded_of, family):
    loaded = loaded_of(family)
    assert family in BUILDERS and loaded.path == "staged"
    kept, tokens = kept_by_autograd(loaded, "both")
    assert forecast_kept(loaded, "both", tokens) == pytest.approx(kept, rel=0.2)


@pytest.mark.parametrize("scope", ["encoder", "llm"])
def test_so_it_is_for_every_scope(loaded_of, scope):
    loaded = loaded_of("qwen2-audio")
    kept, tokens = kept_by_autograd(loaded, scope)
    assert forecast_kept(loaded, scope, tokens) == pytest.approx(kept, rel=0.2)


def test_with_checkpointing_only_the_layers_inputs_are_kept(loaded_of):
    """The forecast counts one layer more: that which is being computed again."""
    loaded = loaded_of("qwen2-audio")
    kept, tokens = kept_by_autograd(loaded, "both", checkpointing=True)
    whole, _ = kept_by_autograd(loaded_of("qwen2-audio"), "both")
    assert kept < 0.5 * whole
    assert kept < forecast_kept(loaded, "both", tokens, checkpointing=True) < whole


def peak_of(loaded, work):
    """Bytes alive at once while `work()` runs, weights aside."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    weights = {p.untyped_storage().data_ptr() for p in loaded.model.parameters()}
    live, peak = {}, [0]

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for tensor in (t for t in tree_leaves(out) if isinstance(t, torch.Tensor)):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in live and storage.data_ptr() not in weights:
                    live[key] = storage.nbytes()
                    weakref.finalize(storage, live.pop, key, None)
                    peak[0] = max(peak[0], sum(live.values()))
            return out

    with Watch():
        work()
    return peak[0]


@pytest.mark.parametrize("batch", [1, 8])
def test_the_forecast_of_scoring_is_not_below_what_a_forward_holds(loaded_of, batch):
    from spectcount.listeners.checkpoints.anatomy import anatomy_of
    from spectcount.listeners.checkpoints.forecast import Workload, forecast

    loaded = loaded_of("audio-flamingo-3")
    stimuli = [draw(Pulses(duration_s=SECONDS, n_events=2), seed) for seed in range(batch)]
    questions = [Question(stimulus, "count", wording=0) for stimulus in stimuli]
    clips = np.stack([question.audio() for question in questions])
    asked = [[(question.prompt, question.answers)] for question in questions]
    with loaded.adapted(None):
        peak = peak_of(loaded, lambda: loaded.answer_log_probs(asked, clips))
    load = Workload(dtype="float32", batch=batch, seconds=SECONDS)
    wanted = forecast(anatomy_of(loaded.folder, loaded.family), load, device="cpu").activations
    assert peak <= wanted <= 2 * peak


def test_smaller_settings_need_less(root):
    """The order that a user relies on, for the paper's recipe on Audio Flamingo 3."""
    from spectcount.listeners.checkpoints.forecast import Workload, forecast

    found, _ = anatomy(root, "audio-flamingo-3")

    def gb(**changes):
        return forecast(found, Workload(tune=True, batch=8, **changes)).gb

    whole, spared = gb(), gb(checkpointing=True)
    assert whole > 80 > spared > gb(checkpointing=True, four_bit=True) > 10
    assert gb(seconds=10) < whole and gb(scope="encoder") < whole and gb(scope="llm") < whole
    scoring = forecast(found, Workload(four_bit=True))
    assert 6.5 < sum(scoring.weights.values()) / 1e9 < 7.5


def refusal(root, free_gb, device="cuda", listed=None, **changes):
    from spectcount.listeners.checkpoints.forecast import Workload, forecast
    from spectcount.listeners.checkpoints.needs import refuse_too_large

    found, family = anatomy(root, "audio-flamingo-3")
    wanted = forecast(found, Workload(**changes), device=device)
    with pytest.raises(UserError) as refused:
        refuse_too_large(
            "audio-flamingo-3",
            found,
            wanted,
            int(free_gb * 1e9),
            device,
            listed=listed,
            staged=family.staged,
        )
    return str(refused.value)


def test_a_refusal_says_what_would_fit(root):
    message = refusal(root, 12)
    assert message.startswith("scoring with audio-flamingo-3 needs 19.0 GB on cuda (weights 16.5")
    assert "and 12.0 GB are free; what fits: in 4 bits: 8.4 GB" in message
    tuning = refusal(root, 40, tune=True, batch=8)
    assert "tuning audio-flamingo-3 needs" in tuning
    assert "what fits: gradient checkpointing: 2" in tuning
    assert "batch 2 with gradient checkpointing" in refusal(root, 22.5, tune=True, batch=8)
    assert "bfloat16" in refusal(root, 25, device="cpu", dtype="float32")


def test_a_refusal_names_the_largest_listed_model_that_fits(root):
    listed = {"audio-flamingo-3": 1.0, "small": 2.0, "middle": 4.0, "large": 9.0, "unknown": 0.0}
    message = refusal(root, 5, listed=listed)
    assert message.endswith("what fits of the listed models: middle (4.0 GB)")
    assert refusal(root, 0.1, listed=listed).endswith("free the device, or choose a smaller model")


def test_tuning_is_refused_before_anything_is_loaded(settings, monkeypatch):
    from spectcount import actions
    from spectcount.listeners.checkpoints import needs
    from spectcount.training.options import LoraOptions, TrainOptions

    monkeypatch.setattr(needs, "free_bytes", lambda device: int(50e9))
    config = {"lora": LoraOptions().to_dict(), "train": TrainOptions().to_dict()}
    long, short = ({**config, "curriculum": {"clip_high_s": s}} for s in (30.0, 10.0))
    with pytest.raises(UserError, match=r"tuning qwen2-audio-7b needs .* what fits: .*batch"):
        actions.refuse_tuning_too_large(settings, "qwen2-audio-7b", long)
    small = actions.refuse_tuning_too_large(settings, "tiny-lalm", short)
    assert small["trained"] > 0 and small["total_gb"] < 1


def test_a_containers_limit_counts(tmp_path):
    from spectcount.listeners.checkpoints.needs import _container

    assert _container(tmp_path, 7) == 7
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("10\n")
    assert _container(tmp_path, 7) == 7
    (tmp_path / "memory.max").write_text("12\n")
    assert _container(tmp_path, 7) == 2


def test_a_device_that_is_not_there_is_refused():
    from spectcount.listeners.checkpoints.needs import free_bytes

    assert free_bytes("cpu") > 0
    with pytest.raises(UserError, match=r"'cuda:99', but this machine has \d+ CUDA devices"):
        free_bytes("cuda:99")


def test_the_command_line_lists_shows_and_forecasts(settings):
    from typer.testing import CliRunner

    from spectcount.cli import app

    def run(*words):
        result = CliRunner().invoke(app, ["--home", str(settings.home), "models", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    rows = {row["name"]: row for row in json.loads(run("--json"))}
    assert rows["tiny-lalm"]["here"] and rows["tiny-lalm"]["fits"]
    assert not rows["audio-flamingo-3"]["here"]
    table = run()
    assert "licence" in table and "NVIDIA OneWay Noncommercial" in table
    assert "hub: nvidia/audio-flamingo-3-hf" in run("show", "audio-flamingo-3")
    words = ("forecast", "audio-flamingo-3", "--tune", "--scope", "llm", "--batch", "4", "--json")
    found = json.loads(run(*words))
    assert found["workload"]["scope"] == "llm" and found["trained"] > 1e7
    assert found["instead"][0]["change"] == "gradient checkpointing"
    checked = json.loads(run("check", "tiny-lalm", "--json"))
    assert checked["path"] == "staged" and checked["hears"]
