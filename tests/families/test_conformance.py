"""The same questions for every family: tiny checkpoints of the real classes, random weights."""

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.trials import Question

pytestmark = pytest.mark.slow

TASKS = ("detect", "count", "interval")


def ask(task="count", n=4, seconds=(1.5, 2.25)):
    designs = [Pulses(duration_s=seconds[i % len(seconds)], n_events=1 + i % 4) for i in range(n)]
    return [Question(draw(d, i), task, wording=i % 6) for i, d in enumerate(designs)]


def listener(loaded, name="random"):
    from spectcount.listeners.audio_lm import AudioLM

    return AudioLM(loaded, name)


def stock_log_probs(loaded, asked):
    """Single questions through the stock forward, one answer at a time."""
    import torch

    from spectcount.listeners import stock

    rows = []
    for q in asked:
        with torch.inference_mode():
            rows.append(
                stock.answer_log_probs(
                    loaded.family, loaded.model, loaded.processor,
                    [q.prompt], q.audio()[None], q.answers,
                )[0].double().numpy()
            )  # fmt: skip
    return np.stack(rows)


def test_a_checkpoint_finds_its_family(model, family):
    assert model(family).family.name == family


def test_a_family_that_is_staged_equals_its_stock_forward(model, family):
    loaded = model(family)
    assert (loaded.path == "staged") == loaded.family.staged, loaded.why_stock
    for task in TASKS:
        asked = ask(task)
        scores, stock = listener(loaded).score(asked), stock_log_probs(loaded, asked)
        mass = np.exp(stock).sum(axis=1)
        np.testing.assert_allclose(scores.mass, mass, rtol=1e-3)
        np.testing.assert_allclose(scores.log_probs, stock - np.log(mass)[:, None], atol=1e-3)


def test_shapes_and_no_nan(model, family):
    scores = listener(model(family)).score(ask("count", 3))
    assert scores.log_probs.shape == (3, 11)
    assert scores.mass.shape == (3,)
    assert np.isfinite(scores.log_probs).all()
    np.testing.assert_allclose(np.exp(scores.log_probs).sum(axis=1), 1)


def test_batched_equals_single(model, family):
    lm, asked = listener(model(family)), ask("count", 6)
    alone = np.concatenate([lm.score([q]).log_probs for q in asked])
    np.testing.assert_allclose(lm.score(asked).log_probs, alone, atol=1e-3)


def test_questions_about_one_clip_share_its_row(model, family):
    """Three wordings of one clip in one call equal three calls."""
    lm = listener(model(family))
    clip = draw(Pulses(duration_s=2.0, n_events=3), 5)
    asked = [Question(clip, "count", wording=w) for w in range(3)]
    alone = np.concatenate([lm.score([q]).log_probs for q in asked])
    np.testing.assert_allclose(lm.score(asked).log_probs, alone, atol=1e-3)


def test_the_clip_matters(model, family):
    """Swapped clips give swapped answers; silence gives another answer than sound."""
    lm = listener(model(family))
    first, second = draw(Pulses(n_events=1), 1), draw(Pulses(n_events=6), 2)
    asked = [Question(s, "count", wording=0) for s in (first, second)]
    here, swapped = lm.score(asked).log_probs, lm.score(asked[::-1]).log_probs
    assert np.abs(here[0] - here[1]).max() > 1e-4
    np.testing.assert_allclose(here, swapped[::-1], atol=1e-3)


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (np.zeros(32_000, np.int16), "int16"),
        (np.zeros((32_000, 2), np.float32), "mono"),
        (np.full(32_000, np.nan, np.float32), "not finite"),
        (np.full(32_000, 1.5, np.float32), "full scale"),
        (np.zeros(16_000 * 2_000, np.float32), "hears"),
    ],
)
def test_the_one_door_refuses(model, family, clip, reason):
    with pytest.raises(UserError, match=reason):
        model(family).check_clip(clip)


def test_padding_is_on_the_left(model, family):
    loaded = model(family)
    clips = [np.zeros(24_000, np.float32)] * 2
    inputs = loaded.stock_inputs(["short", "a much longer question about the sound"], clips)
    assert inputs["attention_mask"][0, 0] == 0
    assert inputs["attention_mask"][:, -1].tolist() == [1, 1]


def test_greedy_replies_are_the_same_twice(model, family):
    lm, (question,) = listener(model(family)), ask("detect", 1)
    first, second = list(lm.reply(question)), list(lm.reply(question))
    assert first[-1] == second[-1]
