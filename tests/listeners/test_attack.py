"""What goes wrong in the middle: memory that runs out, adapters made elsewhere."""

import gc
import weakref

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.trials import Question

pytestmark = pytest.mark.slow


def questions(n=4):
    return [Question(draw(Pulses(duration_s=2.0, n_events=i % 4), i), "count") for i in range(n)]


@pytest.fixture
def loaded(random_model_folder):
    """A model of the test's own."""
    from spectcount.listeners.loaded import LoadedModel

    return LoadedModel(random_model_folder)


@pytest.fixture
def tuned(loaded, tmp_path):
    """tuned(**LoraConfig) -> listener with an adapter of random weights."""

    def make(**config):
        import torch
        from peft import LoraConfig, get_peft_model

        from spectcount.listeners.audio_lm import AudioLM

        net, _ = loaded.family.load(str(loaded.folder), "cpu", torch.float32)
        torch.manual_seed(7)
        model = get_peft_model(net, LoraConfig(r=4, **config))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.normal_().mul_(0.1)
        model.save_pretrained(tmp_path / "adapter")
        return AudioLM(loaded, "tuned", tmp_path / "adapter")

    return make


def failing_once(work):
    """`work`, out of memory at its first call."""
    calls = []

    def once(*arguments, **more):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("CUDA out of memory")
        return work(*arguments, **more)

    return once


def test_a_mixed_batch_that_runs_out_of_memory_leaves_the_model_in_order(
    loaded, tuned, monkeypatch
):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.scoring.together import score_together

    base, other = AudioLM(loaded, "base"), tuned(target_modules=loaded.family.lora_targets("llm"))
    asked = questions()
    alone = [x.score(asked).log_probs for x in (base, other)]
    once = failing_once(loaded.family.hidden)
    monkeypatch.setattr(loaded.family, "hidden", once, raising=False)
    found = [s.log_probs for s in score_together([base, other], asked)]
    np.testing.assert_allclose(found, alone, atol=1e-4)
    after = [x.score(asked).log_probs for x in (base, other)]
    np.testing.assert_allclose(after, alone, atol=1e-4)


def test_what_did_not_fit_is_gone_before_it_is_asked_again():
    from spectcount.listeners.scoring import batching

    class Large:
        """Stands for a tensor of the batch that failed."""

    made, left = [], []

    def compute(rows, ready):
        gc.collect()
        left.append(sum(x() is not None for x in made))
        large = Large()
        made.append(weakref.ref(large))
        if len(rows) > 1:
            raise RuntimeError("CUDA out of memory")

    batching.run([[1, 2, 3, 4]], lambda rows: None, compute, batching.BatchSize("cpu"))
    assert left == [0] * 6  # batches of 4, 2, 1, 1, 1, 1: what failed is not tried again


def test_an_adapter_that_names_its_modules_in_full_hears_in_company(loaded, tuned):
    """Its configuration lists whole paths (other tools write them so)."""
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.scoring.together import may_share, score_together

    full = [f"model.audio_tower.layers.0.self_attn.{x}_proj" for x in "qkv"]
    base, other = AudioLM(loaded, "base"), tuned(target_modules=full)
    asked = questions()
    alone = [x.score(asked).log_probs for x in (base, other)]
    assert np.abs(alone[0] - alone[1]).max() > 1e-2
    assert may_share([base, other])
    found = [s.log_probs for s in score_together([base, other], asked)]
    np.testing.assert_allclose(found, alone, atol=1e-4)


@pytest.mark.parametrize(
    "config", [{"target_modules": ["q_proj"], "use_dora": True}, {"target_modules": ["lm_head"]}]
)
def test_adapters_that_cannot_be_mixed_are_asked_alone(loaded, tuned, config):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.scoring.together import may_share

    base, other = AudioLM(loaded, "base"), tuned(**config)
    assert not may_share([base, other])
    before = base.score(questions()).log_probs
    assert np.abs(other.score(questions()).log_probs - before).max() > 1e-3
    np.testing.assert_allclose(base.score(questions()).log_probs, before, atol=1e-6)


def test_a_reply_that_fails_midway_tells_why_and_ends(loaded, monkeypatch):
    from spectcount.listeners.audio_lm import AudioLM

    def broken(streamer, **inputs):
        streamer.put(inputs["input_ids"])
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(loaded.model, "generate", broken)
    with pytest.raises(RuntimeError, match="the device is gone"):
        list(AudioLM(loaded, "base").reply(questions(1)[0]))


def test_a_reply_waits_while_others_score(loaded, monkeypatch):
    """Its stream has no limit of time that another's batch could run into."""
    import transformers

    from spectcount.listeners.audio_lm import AudioLM

    made = []

    class Spy(transformers.TextIteratorStreamer):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            made.append(self)

    monkeypatch.setattr(transformers, "TextIteratorStreamer", Spy)
    list(AudioLM(loaded, "base").reply(questions(1)[0]))
    assert [streamer.timeout for streamer in made] == [None]
