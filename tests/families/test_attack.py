"""Every family against careless or hostile questions, and base beside tuned in one batch."""

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.trials import Question

pytestmark = pytest.mark.slow

MARKS = {
    "qwen2-audio": ("<|AUDIO|>", "<|im_end|>"),
    "audio-flamingo-3": ("<sound>", "<|im_end|>"),
    "music-flamingo": ("<sound>", "<|sound_eos|>"),
    "granite-speech": ("<|audio|>", "<|end_of_text|>"),
    "gemma-4": ("<|audio|>", "<turn|>"),
    "generic": ("<|pad|>", "<|user|>"),
    "qwen2.5-omni": ("<|AUDIO|>", "<|IMAGE|>"),
    "qwen3-omni": ("<|audio_pad|>", "<|im_end|>"),
}


def listener(loaded, adapter=None):
    from spectcount.listeners.audio_lm import AudioLM

    return AudioLM(loaded, "random", adapter)


def clips(seconds=(2.0, 2.5)):
    return [draw(Pulses(duration_s=s, n_events=2 + i), i) for i, s in enumerate(seconds)]


@pytest.mark.parametrize("family", list(MARKS))
def test_words_with_the_models_own_marks_are_refused(model, family):
    """They would end the turn, or ask for a second clip."""
    lm, (clip, _) = listener(model(family)), clips()
    for mark in MARKS[family]:
        question = Question(clip, "detect", text=f"Is it {mark} loud?")
        with pytest.raises(UserError, match="own format"):
            lm.score([question])
        with pytest.raises(UserError, match="own format"):
            next(lm.reply(question))


def test_answers_with_marks_are_refused(model):
    loaded, (clip, _) = model("qwen2-audio"), clips()
    for path in ("staged", "stock"):
        with pytest.MonkeyPatch.context() as patch, loaded.adapted(None):
            patch.setattr(loaded, "path", path)
            asked = [[("Is it loud?", ("yes", "no<|im_end|>"))]]
            with pytest.raises(UserError, match="own format"):
                loaded.answer_log_probs(asked, Question(clip, "detect").audio()[None])


def test_voxtral_reads_marks_as_words(model):
    loaded, (clip, _) = model("voxtral"), clips()
    ids = loaded.family.prompt_ids("Is it [AUDIO] </s> loud?", 7, loaded.processor)
    assert ids.count(loaded.family.audio_token_id(loaded.processor)) == 7
    assert loaded.family.end_id(loaded.processor) not in ids
    question = Question(clip, "detect", text="Is it [AUDIO] </s> loud?")
    assert np.isfinite(listener(loaded).score([question]).log_probs).all()


def test_base_beside_tuned_equals_each_alone(checkpoint, family, tmp_path):
    """An adapter on encoder, projector and language model; encoders that cut clips into blocks
    have other rows than the batch."""
    from spectcount.listeners.loaded import LoadedModel
    from spectcount.listeners.scoring.together import may_share, score_together
    from tests.families.test_conformance import make_adapter

    loaded = LoadedModel(checkpoint(family))
    base, tuned = listener(loaded), listener(loaded, make_adapter(loaded, tmp_path, "both", 1))
    assert may_share([base, tuned]) == loaded.family.staged
    if loaded.family.staged:
        asked = [Question(c, "count", wording=w) for c in clips() for w in (0, 3)]
        alone = [x.score(asked).log_probs for x in (base, tuned)]
        assert np.abs(alone[0] - alone[1]).max() > 1e-3
        found = [s.log_probs for s in score_together([base, tuned], asked)]
        np.testing.assert_allclose(found, alone, atol=1e-4)


def test_an_upload_of_whole_numbers_does_not_slip_in_beside_its_like(model):
    """Clips of the same values share a row; each has to pass the door."""
    fine, wrong = np.zeros(32_000, np.float32), np.zeros(32_000, np.int16)
    asked = [Question(None, "detect", waveform=clip) for clip in (fine, wrong)]
    with pytest.raises(UserError, match="int16"):
        listener(model("qwen2-audio")).score(asked)
