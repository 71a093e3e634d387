"""Patching: all is 1, nothing is 0, the path that was planted is found."""

import numpy as np
import pytest

from spectcount import actions, jobs
from spectcount.errors import UserError
from spectcount.jobs.ladders import made_by
from spectcount.store import Store
from spectcount.where import patching

PLAN = {
    "kind": "map",
    "nx": 1,
    "x_low": 1.0,
    "x_high": 1.05,
    "ny": 1,
    "y_low": 40,
    "y_high": 60,
    "trials": 6,
    "catch_trials": 2,
    "design": {"duration_s": 2.0, "level_dbfs": -20.0},
}


def test_shares_are_of_the_sums_over_pairs():
    """Two pairs of differences 10 and 2, of which 5 and 2 come back; all, and nothing."""
    values = np.array([[-4.0, 6.0, 1.0, 6.0, -4.0], [0.0, 2.0, 2.0, 2.0, 0.0]])
    shares, low, high, ends, difference = patching._shares(values, (1, 3), 0)
    np.testing.assert_allclose(shares, [[7 / 12, 1, 0]])
    np.testing.assert_allclose([low[0, 1:], high[0, 1:]], [[1, 0], [1, 0]])
    assert low[0, 0] == pytest.approx(0.5)
    assert high[0, 0] == pytest.approx(1.0)
    assert ends == (4.0, -2.0)
    assert difference.value == pytest.approx(6.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from spectcount.settings import load_settings

    return load_settings(mode="local", home=tmp_path_factory.mktemp("home"), device="cpu")


@pytest.fixture(scope="module")
def done(home):
    run = actions.start_patch(home, PLAN, pairs=6, stretches=10)
    return jobs.wait(Store(home.database), home, run.id)


@pytest.mark.slow
def test_the_way_of_a_tone_is_followed_from_its_stretch_to_the_last_token(home, done):
    assert done.state == "done", done.reason
    found = made_by(done)
    assert found.layers == ("encoder", "projector", "LM 1/3", "LM 2/3")
    np.testing.assert_allclose(found.shares[:, -1], 1, atol=1e-4)
    stretch = next(k for k, start in enumerate(found.edges_s) if start > 1.0) - 1
    assert found.edges_s[stretch] <= 1.0 < found.edges_s[stretch + 1]
    audio = found.shares[:, :10]
    assert (audio.argmax(axis=1) == stretch).all()
    assert audio[0, stretch] > 0.9
    assert np.abs(np.delete(audio[0], [stretch, stretch + 1])).max() < 0.1
    last = found.columns.index("last token")
    assert found.shares[3, last] > found.shares[2, last] + 0.2
    assert found.columns[stretch] in found.sentence
    assert done.summary["sentences"] == [found.sentence]
    assert any("last token" in line for line in actions.where_lines(home, done.id))


@pytest.mark.slow
def test_nothing_patched_is_the_counterpart_and_a_planted_path_is_found(home, done):
    """With the language model's layers behind the first made to pass states on unchanged for all
    tokens but the last, only the last token's state can carry anything there."""
    from spectcount import listeners
    from spectcount.listeners import patching as forwards
    from spectcount.probing.plan import plan_from_dict
    from spectcount.where.clips import clips_of

    lm = listeners.load_here("tiny-lalm", home)
    source = made_by(done).source
    trials = Store(home.database).trials(source)
    clips = clips_of(plan_from_dict(PLAN), trials, 1, least=1)
    signal, other = clips.groups[0]
    places = forwards.places_of(lm, signal, 6)
    same = forwards.patched(lm, other, other, places)
    np.testing.assert_allclose(same[np.isfinite(same)], same[0], atol=1e-5)
    last = lm.loaded.model.model.language_model.layers[2]

    def deaf(module, inputs, named):
        mask = named["attention_mask"]
        eye = np.finfo(np.float32).min * (1 - np.eye(mask.shape[-1], dtype=np.float32))
        return inputs, {**named, "attention_mask": mask.new_tensor(eye).expand_as(mask)}

    hook = last.register_forward_pre_hook(deaf, with_kwargs=True)
    try:
        values = forwards.patched(lm, signal, other, places)
    finally:
        hook.remove()
    shares = (values[2:].reshape(4, -1) - values[0]) / (values[1] - values[0])
    assert shares[3, places.columns.index("last token")] == pytest.approx(1, abs=1e-3)
    assert np.abs(shares[3, :6]).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"pairs": 0}, "pairs=0"),
        ({"stretches": 1}, "stretches=1"),
        ({"listener": "dsp"}, "has no stages"),
    ],
)
def test_what_cannot_be_patched_is_refused(home, how, reason):
    with pytest.raises(UserError, match=reason):
        actions.start_patch(home, PLAN, **how)


@pytest.mark.slow
def test_counting_has_no_counterpart(home):
    run = actions.start_patch(
        home, {**PLAN, "task": "count", "trials": 3, "count_high": 2}, pairs=2
    )
    ended = jobs.wait(Store(home.database), home, run.id)
    assert ended.state == "failed"
    assert "no counterpart" in ended.reason
