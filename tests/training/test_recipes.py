"""The paper's recipe of each model, through the real entry point, on tiny checkpoints."""

import pytest

from spectcount import presets
from tests.families.checkpoints import build
from tests.training.working import settings_at, tensors, tune

RECIPES = {
    "paper-audio-flamingo-3": ("audio-flamingo-3", "73.90 -> 78.40"),
    "paper-qwen2-audio": ("qwen2-audio", "58.20 -> 63.60"),
}


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_is_the_papers_with_the_papers_numbers_beside_it(name, tmp_path):
    preset = presets.load("training", name, settings_at(tmp_path))
    lora, train = preset.body["lora"], preset.body["train"]
    assert lora == {"scope": "both", "rank": 8, "alpha": 16.0, "dropout": 0.05}
    assert (train["learning_rate"], train["batch"] * train["accumulation"]) == (2e-4, 8)
    about = " ".join(preset.about.split())
    assert RECIPES[name][1] in about and "not measured here" in about


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_tunes_its_family(name, tmp_path):
    family, _ = RECIPES[name]
    build(family, tmp_path / "models" / family)
    body = presets.load("training", name, settings_at(tmp_path)).body
    body["train"] |= {"steps": 2, "held_out": 4, "threads": 1}
    config = {"base": family, **body, "regions": [], "seed": 0}
    _, summary = tune(tmp_path, tmp_path / "run", config)
    learnt = tensors(tmp_path / "run")
    assert summary["steps"] == 2 and summary["name"].startswith(family)
    for part in ("audio_tower", "multi_modal_projector", "language_model"):
        assert any(part in n and v.abs().max() > 0 for n, v in learnt.items() if "lora_B" in n)
