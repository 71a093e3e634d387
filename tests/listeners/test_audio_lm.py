"""The audio LM against the stock code path, and what it refuses."""

from itertools import pairwise

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.trials import Question

pytestmark = pytest.mark.slow


def questions(task="count", n=6, durations=(2.0, 3.0)):
    designs = [Pulses(duration_s=durations[i % len(durations)], n_events=i % 4) for i in range(n)]
    return [Question(draw(d, i), task, wording=i % 6) for i, d in enumerate(designs)]


def stock_log_probs(loaded, question):
    """Each spelling of each answer appended to the stock processor's prompt, one stock forward
    each; the spellings' probabilities are summed."""
    import torch

    inputs = loaded.stock_inputs([question.prompt], [question.audio()])
    prompt, n = inputs["input_ids"], inputs["input_ids"].shape[1]
    totals = []
    for ways in loaded.speller.closed_set(question.answers):
        parts = []
        for way in ways:
            tokens = torch.tensor([way])
            ids = torch.cat([prompt, tokens], dim=1)
            with torch.inference_mode():
                out = loaded.model(**{**inputs, "input_ids": ids, "attention_mask": ids * 0 + 1})
            log_p = torch.log_softmax(out.logits[0].double(), dim=-1)
            parts.append(sum(log_p[n - 1 + k, t].item() for k, t in enumerate(way)))
        totals.append(np.logaddexp.reduce(parts))
    return np.array(totals)


@pytest.mark.parametrize("seconds", [0.5, 2.013, 10.0])
def test_front_end_equals_the_stock_extractor(loaded, seconds):
    import torch

    from spectcount.listeners.scoring.frontend import log_mel, n_frames

    rng = np.random.default_rng(0)
    clip = (0.1 * rng.standard_normal(round(seconds * 16_000))).astype(np.float32)
    extractor = loaded.processor.feature_extractor
    stock = extractor(clip, sampling_rate=16_000, return_tensors="pt", return_attention_mask=True)
    frames = n_frames(len(clip), extractor)
    assert frames == int(stock["attention_mask"].sum())
    ours = log_mel(torch.from_numpy(clip)[None], extractor, frames)
    np.testing.assert_allclose(ours[0], stock["input_features"][0, :, :frames], atol=1e-5)


@pytest.mark.parametrize("task", ["detect", "count", "interval"])
@pytest.mark.parametrize("seconds", [1.37, 10.0])
def test_scores_equal_the_stock_forward(loaded, task, seconds):
    from spectcount.listeners.audio_lm import AudioLM

    (question,) = questions(task, 1, (seconds,))
    scores = AudioLM(loaded, "random").score([question])
    stock = stock_log_probs(loaded, question)
    np.testing.assert_allclose(scores.mass[0], np.exp(stock).sum(), rtol=1e-4)
    np.testing.assert_allclose(scores.log_probs[0], stock - np.log(np.exp(stock).sum()), atol=1e-4)


def test_prompt_tokens_equal_the_processors(loaded):
    (question,) = questions(n=1)
    family, processor = loaded.family, loaded.processor
    stock = loaded.stock_inputs([question.prompt], [question.audio()])["input_ids"][0].tolist()
    n_audio = family.n_audio_tokens(len(question.audio()), processor)
    assert family.prompt_ids(question.prompt, n_audio, processor) == stock


def test_batched_equals_single(loaded):
    from spectcount.listeners.audio_lm import AudioLM

    lm, asked = AudioLM(loaded, "random"), questions(n=9)
    together = lm.score(asked)
    alone = np.concatenate([lm.score([q]).log_probs for q in asked])
    np.testing.assert_allclose(together.log_probs, alone, atol=1e-4)


def test_ten_is_not_one(loaded):
    """ "10" begins with the token of "1": both get their own probability."""
    from spectcount.listeners.scoring import packing

    ids = [(tuple(loaded.family.answer_ids(a, loaded.processor)),) for a in ("1", "10")]
    (paths,) = packing.row([(5, 6)], [tuple(ids)]).paths
    assert [len(path) for (path,) in paths] == [2, 3]


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (np.zeros(16_000, np.int16), "int16"),
        (np.zeros((16_000, 2), np.float32), "mono"),
        (np.full(16_000, np.nan, np.float32), "not finite"),
        (np.full(16_000, 1.5, np.float32), "full scale"),
        (np.zeros(170_000, np.float32), "hears 0.10 to 10 s"),
    ],
)
def test_the_one_door_refuses(loaded, clip, reason):
    with pytest.raises(UserError, match=reason):
        loaded.check_clip(clip)


def test_a_deaf_model_is_refused(random_model_folder, tmp_path):
    import torch

    from spectcount.listeners.families import FAMILIES
    from spectcount.listeners.loaded import LoadedModel

    model, processor = FAMILIES["qwen2-audio"].load(str(random_model_folder), "cpu", torch.float32)
    with torch.no_grad():
        model.model.multi_modal_projector.linear.weight.zero_()
    model.save_pretrained(tmp_path / "deaf")
    processor.save_pretrained(tmp_path / "deaf")
    with pytest.raises(UserError, match="does not hear"):
        LoadedModel(tmp_path / "deaf")


def test_adapters_switch_and_base_stays_base(random_model_folder, make_adapter):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel

    loaded = LoadedModel(random_model_folder)
    asked = questions(n=4)
    base = AudioLM(loaded, "base")
    before = base.score(asked).log_probs
    one = AudioLM(loaded, "one", make_adapter("one", 0.05))
    two = AudioLM(loaded, "two", make_adapter("two", 0.1))
    tuned = one.score(asked).log_probs
    assert np.abs(tuned - before).max() > 1e-4
    assert np.abs(two.score(asked).log_probs - tuned).max() > 1e-4
    np.testing.assert_allclose(base.score(asked).log_probs, before, atol=1e-6)
    np.testing.assert_allclose(one.score(asked).log_probs, tuned, atol=1e-6)
    assert len({base.fingerprint, one.fingerprint, two.fingerprint}) == 3


def test_an_adapter_that_changes_nothing_is_refused(random_model_folder, make_adapter):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel

    with pytest.raises(UserError, match="changes nothing"):
        AudioLM(LoadedModel(random_model_folder), "zero", make_adapter("zero", 0.0))


def test_reply_is_streamed_in_growing_prefixes(loaded):
    from spectcount.listeners.audio_lm import AudioLM

    (question,) = questions(n=1)
    parts = list(AudioLM(loaded, "random").reply(question))
    assert parts
    assert all(later.startswith(earlier) for earlier, later in pairwise(parts))
