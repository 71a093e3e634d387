"""Every family declares its stages: the ladder reads each tiny checkpoint, states and all."""

import numpy as np
import pytest

from spectcount.probing.plan import plan_from_dict
from spectcount.trials import make_trial, normalise
from spectcount.where import ladder
from spectcount.where.clips import clips_of

pytestmark = pytest.mark.slow

PLAN = {
    "kind": "map",
    "nx": 1,
    "ny": 2,
    "trials": 11,
    "catch_trials": 4,
    "design": {"duration_s": 1.5, "level_dbfs": -14.0},
}


@pytest.fixture(scope="module")
def clips():
    plan, even = plan_from_dict(PLAN), np.log([0.5, 0.5])
    rows = [
        make_trial(p.question, even, 1.0, fingerprint="f", listener="x", coords=p.coords)
        for p in plan.questions(0)
    ]
    return clips_of(plan, rows, 22)


def test_the_ladder_reads_every_stage(model, family, clips):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.stages import layer_names, stage_names, states_of

    listener = AudioLM(model(family), "random")
    before = sum(len(m._forward_pre_hooks) for m in listener.loaded.model.modules())
    states, names = states_of(listener, clips.questions), stage_names(listener.loaded)
    assert sum(len(m._forward_pre_hooks) for m in listener.loaded.model.modules()) == before
    config = listener.loaded.model.config.get_text_config()
    assert names[0] == "input"
    assert list(layer_names("LM", config.num_hidden_layers).values()) == list(
        names[names.index("projector") + 1 :]
    )
    for name, vectors in zip(names, states.vectors, strict=True):
        assert vectors.dtype == np.float16
        assert np.isfinite(vectors).all()
        assert vectors.astype(float).std(axis=0).max() > 0, f"{name} is the same for all clips"
    scores = listener.score(clips.questions)
    np.testing.assert_array_equal(normalise(states.log_probs), scores.log_probs)
    heard = ladder.Heard("f", names, states.vectors, scores.log_probs)
    made = ladder.ladder_of(clips, {"random": heard}, "run", 0, None)
    assert made.stages == (*names, ladder.READOUT)
    assert made.listeners["random"].rungs[0].d_a.low > 0.5, "a loud tone is in the features"


def test_the_states_of_a_clip_do_not_depend_on_its_batch(model, family, clips):
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.stages import states_of

    listener, asked = AudioLM(model(family), "random"), clips.questions[:5]
    together = states_of(listener, asked)
    for k, question in enumerate(asked):
        alone = states_of(listener, [question])
        for name, one, many in zip(together.stages, alone.vectors, together.vectors, strict=True):
            np.testing.assert_allclose(one[0], many[k], rtol=5e-3, atol=2e-3, err_msg=name)


def test_patching_everything_is_the_signal_and_nothing_the_counterpart(model, family, clips):
    from spectcount.errors import UserError
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.patching import patched, places_of

    listener, (signal, other) = AudioLM(model(family), "random"), clips.groups[0]
    if listener.loaded.path != "staged":
        with pytest.raises(UserError, match="cannot be replaced"):
            places_of(listener, signal, 4)
        return
    places = places_of(listener, signal, 4)
    values = patched(listener, signal, other, places)
    scores = listener.score([other, signal]).log_probs
    np.testing.assert_allclose(values[:2], scores[:, 0] - scores[:, 1], atol=1e-4)
    rows = values[2:].reshape(len(places.layers), -1)
    np.testing.assert_allclose(rows[:, -1], values[1], atol=1e-3)
    nothing = patched(listener, other, other, places)
    np.testing.assert_allclose(nothing[np.isfinite(nothing)], nothing[0], atol=1e-4)
