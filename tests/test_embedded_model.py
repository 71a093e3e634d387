"""The shipped checkpoint and its example adapter do what the card says, on seeds of the test's own.

Loaded through the same path as any model. Thresholds are the project's targets; the seeds differ
from pretraining's, tuning's and the card's.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from spectcount import listeners
from spectcount.scales import mel_centres_hz
from spectcount.settings import Settings

pytestmark = pytest.mark.slow

SEED = 424_242
LEVEL_DBFS = -14.0
STRONG_CHANNELS = ((30, 60), (60, 92))


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(mode="local", home=tmp_path_factory.mktemp("home"), device="cpu")


@pytest.fixture(scope="module")
def base(settings):
    return listeners.load("tiny-lalm", settings)


@pytest.fixture(scope="module")
def tuned(settings):
    return listeners.load("tiny-lalm@example", settings)


@pytest.fixture(scope="module")
def weak_bands_hz(settings):
    """Where the example's own map found the base weak, from its lineage."""
    folder = listeners.adapters("tiny-lalm", settings)["example"]
    lineage = json.loads((folder / "lineage.json").read_text())
    return [region["ranges"]["frequency_hz"] for region in lineage["regions"]]


def share_right(listener, questions):
    best = listener.score(questions).log_probs.argmax(axis=1)
    return np.mean([q.answers[k] == q.truth for q, k in zip(questions, best, strict=True)])


def band(low_hz, high_hz, n=66):
    from recipes.tiny_lalm.card import band_questions

    return band_questions(low_hz, high_hz, LEVEL_DBFS, n, seed=SEED)


def test_the_aligned_range_is_counted(base):
    from recipes.tiny_lalm.card import aligned_questions

    assert share_right(base, aligned_questions("count", 200, False, seed=SEED)) >= 0.95


def test_detection_is_sensitive_in_the_aligned_range(base):
    from recipes.tiny_lalm.card import aligned_questions
    from spectcount.psychophysics import sdt

    questions = aligned_questions("detect", 300, False, seed=SEED)
    yes = base.score(questions).log_probs.argmax(axis=1) == 0
    signal = np.array([q.truth == "yes" for q in questions])
    d_prime = sdt.d_prime(yes[signal].sum(), signal.sum(), yes[~signal].sum(), (~signal).sum())
    assert d_prime.value >= 3.5


def test_weak_bands_are_weak(base, weak_bands_hz):
    assert weak_bands_hz
    for low_hz, high_hz in weak_bands_hz:
        assert share_right(base, band(low_hz, high_hz)) <= 0.4


def test_the_example_repairs_the_weak_bands(tuned, weak_bands_hz):
    for low_hz, high_hz in weak_bands_hz:
        assert share_right(tuned, band(low_hz, high_hz)) >= 0.8


@pytest.mark.timeout(900)
def test_the_example_forgets_at_most_two_points(base, tuned):
    from recipes.tiny_lalm.card import aligned_questions

    questions = aligned_questions("count", 400, False, seed=SEED)
    assert share_right(tuned, questions) >= share_right(base, questions) - 0.02


@pytest.mark.parametrize("first", range(0, 88, 22))
def test_words_agree_with_scores(base, first):
    centres = mel_centres_hz()
    (low, high) = STRONG_CHANNELS[0]
    for question in band(centres[low], centres[high], n=88)[first : first + 3]:
        scored = question.answers[int(base.score([question]).log_probs[0].argmax())]
        assert list(base.reply(question))[-1] == scored


def test_the_example_loads_with_peft_alone(settings):
    import torch
    from peft import PeftModel

    from spectcount.listeners.families import FAMILIES

    folder = listeners.adapters("tiny-lalm", settings)["example"]
    base = str(settings.models / "tiny-lalm")
    model, _ = FAMILIES["qwen2-audio"].load(base, "cpu", torch.float32)
    tuned = PeftModel.from_pretrained(model, str(folder))
    assert "default" in tuned.peft_config


def test_the_checkpoint_is_small(settings):
    def size(folder: Path) -> int:
        return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())

    assert size(settings.models / "tiny-lalm") < 12e6
    assert size(settings.models / "tiny-lalm-adapters") < 3e6
