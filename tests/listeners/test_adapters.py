"""Adapters that do not belong: refused, and the base answers as before."""

import json
import shutil

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.trials import Question

pytestmark = pytest.mark.slow


def questions(n=3):
    return [Question(draw(Pulses(duration_s=2.0, n_events=i % 4), i), "count") for i in range(n)]


@pytest.fixture
def base(random_model_folder):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel

    return AudioLM(LoadedModel(random_model_folder), "base")


def edited(folder, to, **changes):
    """A copy of an adapter with another configuration."""
    shutil.copytree(folder, to)
    config = json.loads((to / "adapter_config.json").read_text())
    (to / "adapter_config.json").write_text(json.dumps({**config, **changes}))
    return to


def reshaped(folder, to, change):
    """A copy of an adapter with `change(name, tensor)` as tensors; None leaves one out."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, to)
    old = load_file(folder / "adapter_model.safetensors")
    new = {name: change(name, tensor) for name, tensor in old.items()}
    kept = {name: tensor.contiguous() for name, tensor in new.items() if tensor is not None}
    save_file(kept, to / "adapter_model.safetensors")
    return to


def of_another_width(name, tensor):
    return tensor[:, :-1] if "audio_tower" in name and "lora_A" in name else tensor


def of_another_architecture(name, tensor):
    return None if "multi_modal_projector" in name else tensor


def of_none(name, tensor):
    return tensor * 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (of_another_width, "does not fit"),
        (of_another_architecture, "does not fit"),
        (of_none, "changes nothing"),
    ],
)
@pytest.mark.parametrize("beside_another", [False, True])
def test_a_refused_adapter_leaves_nothing_behind(
    base, make_adapter, tmp_path, change, reason, beside_another
):
    from spectcount.listeners.audio_lm import AudioLM

    good = make_adapter("good", 0.1)
    bad, asked = reshaped(good, tmp_path / "bad", change), questions()
    before = base.score(asked).log_probs
    if beside_another:
        first = AudioLM(base.loaded, "first", make_adapter("first", 0.05))
        kept = first.score(asked).log_probs
    for _ in range(2):
        with pytest.raises(UserError, match=reason):
            AudioLM(base.loaded, "bad", bad)
        np.testing.assert_allclose(base.score(asked).log_probs, before, atol=1e-6)
    assert base.loaded.n_adapters == int(beside_another)
    if beside_another:
        np.testing.assert_allclose(first.score(asked).log_probs, kept, atol=1e-6)
    tuned = AudioLM(base.loaded, "good", good)
    assert np.abs(tuned.score(asked).log_probs - before).max() > 1e-3


def test_the_same_weights_at_another_scale_are_another_adapter(base, make_adapter, tmp_path):
    from spectcount.listeners.audio_lm import AudioLM

    folder = make_adapter("one", 0.05)
    one = AudioLM(base.loaded, "one", folder)
    two = AudioLM(base.loaded, "two", edited(folder, tmp_path / "two", lora_alpha=64))
    assert one.fingerprint != two.fingerprint
    asked = questions()
    assert np.abs(one.score(asked).log_probs - two.score(asked).log_probs).max() > 1e-3


def test_an_adapter_made_on_other_weights_is_refused(base, make_adapter, tmp_path):
    folder = make_adapter("one", 0.05)
    own = base.loaded.fingerprint.replace("float32", "bfloat16")
    (folder / "lineage.json").write_text(json.dumps({"base_fingerprint": own}))
    base.loaded.load_adapter(folder)
    other = edited(folder, tmp_path / "other", lora_alpha=64)
    (other / "lineage.json").write_text(json.dumps({"base_fingerprint": "0123456789ab-float32-e2"}))
    with pytest.raises(UserError, match="base with other weights"):
        base.loaded.load_adapter(other)


def test_a_pickled_adapter_is_refused(base, make_adapter):
    folder = make_adapter("one", 0.05)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(UserError, match=r"no adapter_model\.safetensors"):
        base.loaded.load_adapter(folder)
