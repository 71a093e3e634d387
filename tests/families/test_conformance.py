"""The same questions for every family: tiny checkpoints of the real classes, random weights."""

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.trials import Question
from tests.families.checkpoints import family_name

pytestmark = pytest.mark.slow

TASKS = ("detect", "count", "interval")


def ask(task="count", n=4, seconds=(1.5, 2.25)):
    designs = [Pulses(duration_s=seconds[i % len(seconds)], n_events=1 + i % 4) for i in range(n)]
    return [Question(draw(d, i), task, wording=i % 6) for i, d in enumerate(designs)]


def listener(loaded, name="random"):
    from spectcount.listeners.audio_lm import AudioLM

    return AudioLM(loaded, name)


def stock_log_probs(loaded, asked):
    """Single questions through the stock forward, one sequence of tokens at a time."""
    import torch

    from spectcount.listeners.scoring import stock

    rows = []
    for q in asked:
        with torch.inference_mode():
            rows.append(
                stock.appended_log_probs(
                    loaded.family,
                    loaded.model,
                    loaded.processor,
                    [q.prompt],
                    q.audio()[None],
                    loaded.speller.closed_set(q.answers),
                    loaded.speller,
                )[0].numpy()
            )
    return np.stack(rows)


def test_a_checkpoint_finds_its_family(model, family):
    assert model(family).family.name == family_name(family)


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
    ],
)
def test_the_one_door_refuses(model, family, clip, reason):
    with pytest.raises(UserError, match=reason):
        model(family).check_clip(clip)


def test_the_longest_clip_passes_the_door_and_a_longer_one_does_not(model, family):
    loaded = model(family)
    rate = loaded.family.sample_rate(loaded.processor)
    longest = np.zeros(round(loaded.longest_s * rate), np.float32)
    assert loaded.check_clip(longest) is longest
    with pytest.raises(UserError, match=rf"hears 0\.10 to {loaded.longest_s:g} s; shorten"):
        loaded.check_clip(np.append(longest, np.float32(0)))


def test_clips_of_several_windows_are_scored_as_the_stock_forward_scores_them(model, family):
    """One and a half windows, whole windows, and a window with one sample more; the parts behind
    the first window are heard."""
    loaded = model(family)
    rng, n = np.random.default_rng(0), round(loaded.window_s * 16_000)
    if loaded.longest_s == loaded.window_s:
        with pytest.raises(UserError, match=f"hears 0.10 to {loaded.window_s:g} s"):
            listener(loaded).score([Question(None, "count", waveform=np.zeros(2 * n, np.float32))])
        return
    for samples in (n * 3 // 2, 2 * n, n + 1, 2 * n + 400):
        clip = rng.normal(0, 0.1, samples).astype(np.float32).clip(-1, 1)
        asked = [Question(None, "count", waveform=clip)]
        scores, stock = listener(loaded).score(asked), stock_log_probs(loaded, asked)
        mass = np.exp(stock).sum(axis=1)
        np.testing.assert_allclose(scores.mass, mass, rtol=1e-3)
        np.testing.assert_allclose(scores.log_probs, stock - np.log(mass)[:, None], atol=1e-3)
        if samples > n + 1:
            other = np.concatenate([clip[:n], clip[n:][::-1] * np.float32(0.1)])
            moved = listener(loaded).score([Question(None, "count", waveform=other)]).log_probs
            assert np.abs(moved - scores.log_probs).max() > 1e-4


def test_more_tokens_than_the_model_has_positions_are_refused(model, family):
    """By both paths and in words: the value, the limit, the remedy."""
    loaded = model(family)
    limit = loaded.family.n_positions(loaded.model)
    clip, prompt = np.zeros((1, 16_000), np.float32), "Is there a beep? " * limit
    for path in ("staged", "stock") if loaded.family.staged else ("stock",):
        with (
            loaded.adapted(None),
            pytest.raises(UserError, match=rf"\d+ tokens, .* takes {limit}.*shorter question"),
        ):
            loaded.prompt_logits([prompt], clip, path)


def test_so_are_they_in_training_and_in_replies(model, family):
    import torch

    from spectcount.training.losses import answer_batch, answer_loss

    loaded = model(family)
    net, processor = loaded.model, loaded.processor
    prompt = "Is there a beep? " * loaded.family.n_positions(net)
    clip = np.zeros(16_000, np.float32)
    with pytest.raises(UserError, match="shorter question"):
        list(listener(loaded).reply(Question(None, "detect", waveform=clip, text=prompt)))
    if loaded.family.staged:
        n_audio = loaded.family.n_audio_tokens(len(clip), processor)
        batch = answer_batch(loaded.family, processor, [prompt], ["yes"], n_audio)
        with pytest.raises(UserError, match="shorter question"):
            answer_loss(loaded.family, net, batch, torch.zeros(1, n_audio, 1))


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


def test_generation_begins_where_scoring_says(model, family):
    """The stock `generate`, greedy, takes the token that the scoring path finds likeliest."""
    import torch

    loaded = model(family)
    asked = ask("count", 3, seconds=(2.0,))
    clips = np.stack([q.audio() for q in asked])
    with loaded.adapted(None) as net:
        best = loaded.prompt_logits([q.prompt for q in asked], clips).argmax(dim=-1)
        for k, question in enumerate(asked):
            inputs = loaded.stock_inputs([question.prompt], [clips[k]])
            out = net.generate(**inputs, max_new_tokens=1, do_sample=False, repetition_penalty=1.0)
            assert isinstance(out, torch.Tensor)
            assert out[0, -1] == best[k]


def make_adapter(loaded, folder, scope, seed):
    """An adapter of `scope` on a copy of the checkpoint, its B matrices random."""
    import torch

    from spectcount.training.lora import attach
    from spectcount.training.options import LoraOptions

    net, _ = loaded.family.load(str(loaded.folder), "cpu", torch.float32)
    torch.manual_seed(seed)
    tuned = attach(loaded.family, net, LoraOptions(rank=4, scope=scope, dropout=0.0), "base")
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_().mul_(0.1)
    tuned.save_pretrained(folder / f"{scope}{seed}")
    return folder / f"{scope}{seed}"


def test_adapters_switch_and_base_stays_base(checkpoint, family, tmp_path):
    from spectcount.listeners.loaded import LoadedModel

    loaded = LoadedModel(checkpoint(family))
    asked = ask("count", 2, seconds=(1.5,))
    base = listener(loaded)
    before = base.score(asked).log_probs
    from spectcount.listeners.audio_lm import AudioLM

    scores = {}
    for scope in ("encoder", "projector", "llm", "both"):
        tuned = AudioLM(loaded, scope, make_adapter(loaded, tmp_path, scope, 1))
        scores[scope] = tuned.score(asked).log_probs
        assert np.abs(scores[scope] - before).max() > 1e-5, scope
        np.testing.assert_allclose(base.score(asked).log_probs, before, atol=1e-6)
    assert len({s.tobytes() for s in scores.values()}) == 4


def test_saved_and_loaded_is_the_same_model(checkpoint, family, tmp_path):
    import torch

    from spectcount.listeners.families import family_of
    from spectcount.listeners.loaded import LoadedModel

    first = LoadedModel(checkpoint(family))
    first.model.save_pretrained(tmp_path / "again")
    first.processor.save_pretrained(tmp_path / "again")
    assert family_of(tmp_path / "again").name == family_name(family)
    second = LoadedModel(tmp_path / "again")
    asked = ask("detect", 2)
    np.testing.assert_array_equal(
        listener(second).score(asked).log_probs, listener(first).score(asked).log_probs
    )
    assert first.path == second.path
    names = {n for n, _ in first.model.named_parameters()}
    assert names == {n for n, _ in second.model.named_parameters()}
    assert all(torch.isfinite(p).all() for p in second.model.parameters())


def test_a_clip_at_another_rate_is_heard_as_at_the_models_own(model, family, tmp_path):
    """A 44.1 kHz file through the one way files come in, against its synthesis at the model's
    rate: nearly the same answers, and unlike those to another clip."""
    import soundfile

    from spectcount.clips import read_clip

    loaded = model(family)
    rate = loaded.family.sample_rate(loaded.processor)
    lm = listener(loaded)

    def tone(fs, hz=700.0):
        t = np.arange(2 * fs) / fs
        return (0.3 * np.sin(2 * np.pi * hz * t) * (t > 0.5) * (t < 1.5)).astype(np.float32)

    soundfile.write(tmp_path / "tone.wav", tone(44_100), 44_100, subtype="FLOAT")
    there = read_clip(tmp_path / "tone.wav").waveform
    clips = (tone(rate), there, tone(rate, 2500.0))
    own, resampled, other = (
        lm.score([Question(None, "count", waveform=clip)]).log_probs for clip in clips
    )
    assert np.abs(own - resampled).max() < 0.2 * np.abs(own - other).max()


def test_a_stimulus_at_another_rate_is_refused(model, family):
    """It would be heard slow: 44.1 kHz read as 16 kHz is an octave and a half too low."""
    import dataclasses

    stimulus = dataclasses.replace(draw(Pulses(duration_s=2.0), 1), sample_rate=44_100)
    with pytest.raises(UserError, match="44100 samples a second"):
        listener(model(family)).score([Question(stimulus, "count")])
