"""Threshold surfaces: recovery of known shapes, honest intervals, replay, speed and misuse."""

import json
import time

import numpy as np
import pytest
from scipy.special import expit

from spectcount.errors import UserError
from spectcount.psychophysics.adaptive.base import Track, simulate
from spectcount.psychophysics.measurable import UNTESTED
from spectcount.psychophysics.surface import SurfaceOptions, SurfaceTrack, fit_surface
from spectcount.psychophysics.surface_model import SurfaceData, SurfaceModel, draw, posterior
from spectcount.psychophysics.surface_model import _log_posterior as log_posterior
from tests.psychophysics.conversions import replay

WIDTH, LAPSE = 0.25, 0.02
UNIT = SurfaceOptions((0, 1), (0, 1), nodes=8, candidates=(16, 10))


def wave(z):
    return 0.5 + 0.2 * np.sin(2 * np.pi * z)


def chance(x1, x2, shape=wave, guess=0.5):
    """A listener of known threshold surface, on unit ranges."""
    rise = expit(2 * np.log(19) * (x1 - shape(x2)) / WIDTH)
    return guess + (1 - guess - LAPSE) * rise


def scattered(n, seed, guess=0.5, shape=wave):
    rng = np.random.default_rng(seed)
    x1, x2 = rng.random((2, n))
    return x1, x2, rng.random(n) < chance(x1, x2, shape, guess)


def track(seed, n, **changes):
    options = SurfaceOptions(
        (0, 1), (0, 1), nodes=8, candidates=(16, 10), seed=seed, max_trials=n, **changes
    )
    return simulate(SurfaceTrack(options), chance, np.random.default_rng(seed + 100))


@pytest.fixture(scope="module")
def tracks():
    return [track(seed, 120) for seed in range(3)]


def test_many_trials_recover_the_surface():
    found = fit_surface(*scattered(4000, 0), options=UNIT)
    assert found.measurable.all() and found.reason == ""
    assert np.abs(found.threshold.value - wave(found.x2)).max() < 0.06
    assert found.width.low < WIDTH < found.width.high
    assert found.n == 4000


def test_a_short_track_finds_the_shape(tracks):
    found = [t.estimate() for t in tracks]
    assert np.mean([f.measurable for f in found]) > 0.8
    errors = [f.threshold.value - wave(f.x2) for f in found]
    assert np.sqrt(np.nanmean(np.square(errors))) < 0.09
    flat = wave(np.linspace(0, 1, 8)).std()
    assert np.sqrt(np.nanmean(np.square(errors))) < 0.7 * flat


def test_trials_lie_around_the_threshold_and_all_along_the_second_axis(tracks):
    levels = np.array([answer.x for answer in tracks[0].history])
    late = levels[60:]
    assert np.mean(np.abs(late[:, 0] - wave(late[:, 1])) < WIDTH) > 0.8
    assert (np.histogram(levels[:, 1], np.linspace(0, 1, 6))[0] >= 10).all()


def test_pointwise_intervals_cover_the_surface(tracks):
    inside = []
    for found in [t.estimate() for t in tracks] + [
        fit_surface(*scattered(250, seed), options=UNIT) for seed in range(10)
    ]:
        truth = wave(found.x2)
        inside.append((found.threshold.low <= truth) & (truth <= found.threshold.high))
    assert 0.88 <= np.mean(inside) <= 0.995


def test_a_track_is_a_track_and_replays_exactly(tracks):
    first = tracks[0]
    assert isinstance(first, Track)
    assert first.finished and first.reason == "120 trials" and first.n == 120
    again = replay(SurfaceTrack(first.options), first.history)
    assert again.suggest() == first.suggest()
    assert again.estimate().to_dict() == first.estimate().to_dict()
    other = SurfaceTrack(SurfaceOptions((0, 1), (0, 1), seed=1))
    assert other.suggest() != SurfaceTrack(SurfaceOptions((0, 1), (0, 1), seed=2)).suggest()


def test_the_suggestion_waits_for_the_answer():
    running = SurfaceTrack(UNIT)
    assert running.suggest() == running.suggest()
    first = running.suggest()
    running.update(first, True)
    assert running.suggest() != first and not running.finished


def test_the_state_is_plain_json(tracks):
    state = json.loads(json.dumps(tracks[0].state(), allow_nan=False))
    assert state["n"] == 120 and len(state["levels"]) == 120
    assert len(state["nodes"]) == len(state["threshold"]) == len(state["low"]) == 8
    empty = json.loads(json.dumps(SurfaceTrack(UNIT).state(), allow_nan=False))
    assert empty["threshold"] == [None] * 8 and empty["measurable"] == [False] * 8


def test_a_track_stops_when_it_is_precise_enough():
    done = track(5, 300, half_width=0.15)
    assert done.n < 300 and "intervals of" in done.reason
    found = done.estimate().threshold
    assert np.mean(found.high - found.low) / 2 <= 0.15


def test_an_update_is_fast_enough_to_be_live():
    running = SurfaceTrack(SurfaceOptions((0, 1), (0, 1), nodes=10, max_trials=400))
    for x1, x2, success in zip(*scattered(300, 6), strict=True):
        running.update((x1, x2), success)
    running.suggest()
    seconds = []
    for _ in range(8):
        start = time.process_time()
        running.update(running.suggest(), True)
        running.suggest()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05


def test_log_and_falling_axes_hold_the_same_surface():
    x1, x2, success = scattered(400, 7)
    plain = fit_surface(x1, x2, success, options=UNIT)
    options = SurfaceOptions((1, 100), (200, 3200), nodes=8, log1=True, log2=True, falling=True)
    turned = fit_surface(100.0 ** (1 - x1), 200 * 16.0**x2, success, options=options)
    assert turned.x2 == pytest.approx(200 * 16.0**plain.x2)
    back = 1 - np.log10(turned.threshold.value) / 2
    assert back == pytest.approx(plain.threshold.value, abs=1e-9)
    assert 1 - np.log10(turned.threshold.low) / 2 == pytest.approx(plain.threshold.high, abs=1e-9)
    assert turned.width.value == pytest.approx(2 * plain.width.value)


def test_grouped_trials_equal_single_ones():
    x1, x2 = np.repeat([0.3, 0.7], 20), np.tile([0.2, 0.8], 20)
    success = np.arange(40) % 3 > 0
    rows = [(a, b) for a in (0.3, 0.7) for b in (0.2, 0.8)]
    at = [(x1 == a) & (x2 == b) for a, b in rows]
    single = fit_surface(x1, x2, success, options=UNIT)
    grouped = fit_surface(
        *zip(*rows, strict=True),
        [success[i].sum() for i in at],
        [i.sum() for i in at],
        options=UNIT,
    )
    assert grouped.threshold.low == pytest.approx(single.threshold.low, nan_ok=True, abs=1e-6)
    assert grouped.n == single.n == 40


def test_guess_and_lapse_can_be_free():
    options = SurfaceOptions((0, 1), (0, 1), nodes=8, guess=None, lapse=None)
    x1, x2, success = scattered(4000, 8, guess=0.2)
    found = fit_surface(x1, x2, success, options=options, catch=(80, 400))
    assert found.guess.low < 0.2 < found.guess.high and found.guess.high - found.guess.low < 0.1
    assert found.lapse.low < LAPSE < found.lapse.high
    assert np.abs(found.threshold.value - wave(found.x2)).max() < 0.08
    assert found.n_catch == 400


def test_a_surface_has_room_for_lapses_and_says_what_it_does_not_test():
    rng, slips = np.random.default_rng(4), 0.3
    x1, x2 = rng.random((2, 1500))
    heard = (chance(x1, x2, guess=0.2) - 0.2) / (1 - 0.2 - LAPSE)
    success = rng.random(1500) < 0.2 + (1 - 0.2 - slips) * heard
    options = SurfaceOptions((0, 1), (0, 1), nodes=4, guess=None, lapse=None)
    found = fit_surface(x1, x2, success, options=options, catch=(40, 200))
    assert found.lapse.low < slips < found.lapse.high
    held = (found.threshold.low <= wave(found.x2)) & (wave(found.x2) <= found.threshold.high)
    assert found.measurable.all() and held.sum() >= 3
    assert any("the best is about" in words for words in found.cautions)
    assert found.cautions[-1] == UNTESTED == found.to_dict()["cautions"][-1]


def test_catch_trials_tell_the_guess_rate_of_a_track():
    running = SurfaceTrack(SurfaceOptions((0, 1), (0, 1), nodes=4, guess=None))
    before = running.estimate().guess
    for k in range(40):
        running.catch(k < 12)
    after = running.estimate().guess
    assert after.high - after.low < before.high - before.low
    assert after.value == pytest.approx(0.3, abs=0.06) and running.n == 0


@pytest.mark.parametrize(
    "success,words,end",
    [(False, "easiest level, 1", "high"), (True, "hardest level, 0", "low")],
)
def test_what_is_never_or_always_heard_is_not_measurable(success, words, end):
    x1, x2, _ = scattered(200, 9)
    options = SurfaceOptions((0, 1), (0, 1), nodes=5, guess=0.0)
    found = fit_surface(x1, x2, np.full(200, success), options=options)
    assert not found.measurable.any() and words in found.reasons[2]
    assert "5 of 5 places" in found.reason
    assert np.isnan(found.threshold.value).all()
    assert np.isinf(getattr(found.threshold, end)).all()


def test_a_region_that_is_never_heard_is_said_and_the_rest_measured():
    x1, x2, success = scattered(1500, 10)
    found = fit_surface(
        x1, x2, success & (x2 < 0.6), options=SurfaceOptions((0, 1), (0, 1), nodes=11, guess=0.0)
    )
    assert found.measurable[:5].all() and not found.measurable[8:].any()


def test_no_trials_measure_nothing():
    found = SurfaceTrack(UNIT).estimate()
    assert not found.measurable.any() and found.n == 0


def test_one_node_is_an_ordinary_threshold_and_the_draws_are_exact():
    model = SurfaceModel(nodes=1)
    rng = np.random.default_rng(11)
    v = rng.uniform(-0.5, 0.5, 40)
    success = (rng.random(40) < chance(v + 0.5, 0.0)).astype(float)
    data = SurfaceData(v, np.ones((40, 1)), success, np.ones(40))
    drawn = draw(model, data, posterior(model, data), rng, 10_000)
    t, w = np.meshgrid(np.linspace(-2, 2, 401), np.linspace(-5, 2, 71), indexing="ij")
    grid = np.stack([t.ravel(), w.ravel()], axis=1)
    log_p = np.full(len(grid), -np.inf)
    for h in range(len(model.priors.means)):
        rows = np.full(len(grid), h)
        value = log_posterior(model, data, grid, rows)[0] + model.priors.evidence[h]
        log_p = np.logaddexp(log_p, value)
    share = np.exp(log_p - log_p.max()).reshape(t.shape)
    below = np.cumsum(share.sum(1)) / share.sum()
    exact = [t[np.searchsorted(below, p), 0] for p in (0.025, 0.5, 0.975)]
    found = [drawn.quantile(p)[0] for p in (0.025, 0.5, 0.975)]
    assert found == pytest.approx(exact, abs=0.02) and np.sum(drawn.weight**2) < 1e-3


def test_the_slopes_of_the_posterior_are_right():
    model = SurfaceModel(nodes=5, guess=None, lapse=None)
    rng = np.random.default_rng(12)
    x1, x2, success = scattered(60, 12)
    data = SurfaceData(x1 - 0.5, model.interpolation(x2), success * 1.0, np.ones(60), (3, 20))
    theta = model.priors.means[[5]] + 0.2 * rng.normal(size=(1, model.size))
    row = np.array([5])
    gradient = log_posterior(model, data, theta, row)[1][0]
    ends = [
        [log_posterior(model, data, theta + sign * step, row)[0][0] for sign in (1, -1)]
        for step in 1e-6 * np.eye(model.size)
    ]
    numeric = [(up - down) / 2e-6 for up, down in ends]
    assert gradient == pytest.approx(numeric, abs=1e-4)


def options(**changes):
    return SurfaceOptions(**{"x1": (0, 1), "x2": (0, 1), **changes})


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: options(x1=(1, 1)), r"x1=1\.\.1 is no range"),
        (lambda: options(x2=(0, np.nan)), "x2"),
        (lambda: options(log1=True), "x1 from 0 has no logarithm"),
        (lambda: options(nodes=0), "nodes=0"),
        (lambda: options(guess=1.0), r"guess=1\.0"),
        (lambda: options(guess=0.6, lapse=0.5), "leave nothing"),
        (lambda: options(max_trials=0), "count from 1"),
        (lambda: options(half_width=0), "half_width=0"),
        (lambda: options(function="step"), "function='step'"),
        (lambda: SurfaceTrack(UNIT).update((0.5,), True), "no level"),
        (lambda: SurfaceTrack(UNIT).update((0.5, np.nan), True), "no level"),
        (lambda: SurfaceTrack(UNIT).update((0.5, 0.5), 0.4), r"answer of 0\.4"),
        (lambda: SurfaceTrack(options(x1=(1, 2), log1=True)).update((0, 0), 1), "no logarithm"),
        (lambda: SurfaceTrack(UNIT).estimate(level=2), "level=2"),
        (lambda: fit_surface([], [], [], options=UNIT), "do not pair"),
        (lambda: fit_surface([1], [np.nan], [1], options=UNIT), "nan or infinite"),
        (lambda: fit_surface([1], [1], [2], options=UNIT), "2 successes in 1 trials"),
        (lambda: fit_surface([1], [1], [np.nan], options=UNIT), "nan successes"),
    ],
)
def test_impossible_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()
