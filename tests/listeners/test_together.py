"""Base and tuned in one batch: the same answers as one after the other."""

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.trials import Question

pytestmark = pytest.mark.slow


def questions(n=5):
    designs = [Pulses(duration_s=(2.0, 3.0)[i % 2], n_events=i % 4) for i in range(n)]
    return [Question(draw(d, i), "count", wording=i % 6) for i, d in enumerate(designs)]


@pytest.fixture(scope="module")
def three(random_model_folder, tmp_path_factory):
    """Base, an adapter on everything, an adapter on the language model alone; one model."""
    import torch
    from peft import LoraConfig, get_peft_model

    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.families import FAMILIES
    from spectcount.listeners.loaded import LoadedModel

    family = FAMILIES["qwen2-audio"]
    loaded = LoadedModel(random_model_folder)
    made = {"base": AudioLM(loaded, "base")}
    for scope in ("both", "llm"):
        model, _ = family.load(str(random_model_folder), "cpu", torch.float32)
        torch.manual_seed(7)
        tuned = get_peft_model(model, LoraConfig(r=4, target_modules=family.lora_targets(scope)))
        with torch.no_grad():
            for name, weight in tuned.named_parameters():
                if "lora_B" in name:
                    weight.normal_().mul_(0.1)
        folder = tmp_path_factory.mktemp("adapters") / scope
        tuned.save_pretrained(folder)
        made[scope] = AudioLM(loaded, scope, folder)
    return made


@pytest.mark.parametrize(
    "names", [("base", "both"), ("base", "llm"), ("both", "llm"), ("llm", "base", "both")]
)
def test_answers_equal_those_given_alone(three, names):
    from spectcount.listeners.scoring.together import may_share, score_together

    listeners, asked = [three[name] for name in names], questions()
    assert may_share(listeners)
    alone = [listener.score(asked) for listener in listeners]
    for one, both in zip(alone, score_together(listeners, asked), strict=True):
        np.testing.assert_allclose(both.log_probs, one.log_probs, atol=1e-4)
        np.testing.assert_allclose(both.mass, one.mass, rtol=1e-3)
    assert np.abs(alone[0].log_probs - alone[1].log_probs).max() > 1e-3
    again = listeners[0].score(asked).log_probs
    np.testing.assert_allclose(again, alone[0].log_probs, atol=1e-6)


def test_clips_are_heard_once_where_no_adapter_hears(three, monkeypatch):
    from spectcount.listeners.scoring.together import score_together

    loaded, heard = three["base"].loaded, []
    original = loaded.family.audio_states

    def spy(model, waveforms, processor):
        heard.append(len(waveforms))
        return original(model, waveforms, processor)

    monkeypatch.setattr(loaded.family, "audio_states", spy, raising=False)
    asked = [q for q in questions(6) if q.stimulus.n_samples == 32_000]
    score_together([three["base"], three["llm"]], asked)
    assert heard == [len(asked)]
    heard.clear()
    score_together([three["base"], three["both"]], asked)
    assert heard == [len(asked)] * 2


def test_different_models_do_not_share(three, random_model_folder):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel
    from spectcount.listeners.observers.ideal import IdealObserver
    from spectcount.listeners.scoring.together import may_share

    other = AudioLM(LoadedModel(random_model_folder), "other")
    assert not may_share([three["base"], other])
    assert not may_share([three["base"], IdealObserver()])
    assert not may_share([three["base"]])
