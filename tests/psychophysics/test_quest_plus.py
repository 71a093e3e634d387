"""QUEST+: the published sequence, information, recovery, stopping, and what is not measurable."""

import json

import numpy as np
import pytest
from scipy.special import entr

from spectcount.errors import UserError
from spectcount.psychophysics.adaptive import marginal
from spectcount.psychophysics.adaptive.base import Track, simulate
from spectcount.psychophysics.adaptive.quest_options import QuestPlusOptions, standard_options
from spectcount.psychophysics.adaptive.quest_plus import RULE, QuestPlus
from spectcount.psychophysics.psychometric import Psychometric
from tests.psychophysics.conversions import from_gaussian, from_weibull_db, replay

DB = tuple(range(-40, 1))
# Watson (2017), example 1: the levels, and the trials whose answers were wrong (counted from 1).
PUBLISHED = (
    -18,
    -22,
    -25,
    -28,
    -30,
    -22,
    -13,
    -15,
    -16,
    -18,
    -19,
    -20,
    -21,
    -22,
    -23,
    -19,
    -20,
    -20,
    -18,
    -18,
    -19,
    -17,
    -17,
    -18,
    -18,
    -18,
    -19,
    -19,
    -19,
    -19,
    -19,
    -19,
)
WRONG = {5, 6, 15, 18, 21}


def example(**options):
    parameters = {"threshold": DB, "slope": 3.5, "guess": 0.5, "lapse": 0.02}
    options = {"max_trials": 32} | options
    return QuestPlus(QuestPlusOptions((DB,), parameters, "weibull_db", **options))


def test_the_published_sequence_of_levels_and_the_final_mode():
    track = example()
    levels = []
    for trial in range(1, 33):
        levels.append(track.suggest()[0])
        track.update(track.suggest(), trial not in WRONG)
    assert tuple(levels) == PUBLISHED
    found = track.estimate()
    assert found.mode["threshold"] == -20
    assert found.mean["threshold"] == pytest.approx(-20.394, abs=5e-4)
    assert found.threshold.low < -20 < found.threshold.high
    assert track.finished and track.reason == "32 trials"


def test_it_recovers_the_listener_of_the_paper():
    rng = np.random.default_rng(1)
    listener = from_weibull_db(-20.0, 3.5, lapse=0.02)
    modes = [simulate(example(), listener, rng).estimate().mode["threshold"] for _ in range(40)]
    assert np.mean(modes) == pytest.approx(-20, abs=0.6)


def test_the_gain_is_the_fall_of_entropy_averaged_over_the_answers():
    options = standard_options(0, 10, n_levels=9, focus=())
    track = QuestPlus(options)
    track.update((5.0,), True)
    gain = track.expected_gain()
    for i in (0, 4, 8):
        x = (options.levels[0][i],)
        after = []
        for success in (True, False):
            other = replay(QuestPlus(options), track.history)
            chance = other.options.chance((np.asarray(x[0]),), other._listeners)
            p = float(chance @ other._posterior)
            other.update(x, success)
            after.append((p if success else 1 - p) * other.entropy)
        assert gain[i] == pytest.approx(track.entropy - sum(after), abs=1e-9)


def test_a_focus_gains_about_its_parameter_only():
    options = standard_options(0, 10, n_levels=9, focus=("threshold",))
    track = QuestPlus(options)
    track.update((5.0,), False)
    gain = track.expected_gain()

    def entropy(t):
        return entr(t.marginal("threshold")).sum() / np.log(2)

    x = (options.levels[0][4],)
    p = float(track.options.chance((np.asarray(x[0]),), track._listeners) @ track._posterior)
    after = 0.0
    for success, weight in ((True, p), (False, 1 - p)):
        other = replay(QuestPlus(options), track.history)
        other.update(x, success)
        after += weight * entropy(other)
    assert gain[4] == pytest.approx(entropy(track) - after, abs=1e-9)
    assert np.all(gain <= QuestPlus(standard_options(0, 10, n_levels=9, focus=())).entropy)


@pytest.mark.parametrize("function", ["gaussian", "logistic", "weibull"])
@pytest.mark.parametrize("falling", [False, True])
def test_standard_grids_find_a_threshold(function, falling):
    rng = np.random.default_rng(2)
    listener = Psychometric(function, 13.0, 8.0, 0.5, 0.02, falling)
    options = standard_options(0, 40, function=function, falling=falling, max_trials=200)
    found = simulate(QuestPlus(options), listener, rng).estimate()
    assert found.measurable
    assert found.threshold.low < 13.0 < found.threshold.high
    assert found.threshold.value == pytest.approx(13.0, abs=2.0)
    assert found.threshold.rule == RULE


def test_a_log_axis_is_quest_on_the_logarithm():
    linear = QuestPlus(standard_options(-2, 0))
    log = QuestPlus(standard_options(0.01, 1, log=True))
    for trial in range(40):
        assert log.suggest()[0] == pytest.approx(10 ** linear.suggest()[0])
        success = linear.suggest()[0] > -1 or trial % 2 == 0
        linear.update(linear.suggest(), success)
        log.update(log.suggest(), success)
    a, b = linear.estimate(), log.estimate()
    assert a.measurable and b.measurable
    assert b.threshold.value == pytest.approx(10**a.threshold.value)
    assert b.threshold.high == pytest.approx(10**a.threshold.high)
    assert b.mean["threshold"] == pytest.approx(10 ** a.mean["threshold"])
    assert b.intervals["width"].value == pytest.approx(a.intervals["width"].value)


def test_catch_trials_tell_the_guess_rate():
    rng = np.random.default_rng(3)
    listener = from_gaussian(15.0, 3.0, guess=0.3, lapse=0.02)
    track = QuestPlus(standard_options(0, 40, guess=None, max_trials=90, n_levels=17))
    simulate(track, listener, rng, catch_every=2, guess=0.3)
    found = track.estimate()
    assert found.intervals["guess"].low < 0.3 < found.intervals["guess"].high
    assert found.intervals["guess"].high - found.intervals["guess"].low < 0.35
    assert found.threshold.low < 15.0 < found.threshold.high
    assert track.n == 90 and len(track.history) == 135


def test_two_parameters_whose_threshold_moves():
    rng = np.random.default_rng(4)
    track = QuestPlus(standard_options(0, 40, second=(0, 10), max_trials=150))
    simulate(track, lambda x, y: float(from_gaussian(10 + 1.5 * y, 3, lapse=0.02)(x)), rng)
    found = track.estimate()
    assert found.intervals["gradient"].low < 1.5 < found.intervals["gradient"].high
    for y in (0.0, 5.0, 10.0):
        at = track.threshold_at(y)
        assert at.low < 10 + 1.5 * y < at.high
        assert at.high - at.low < 12
    middle = track.threshold_at(5.0)
    assert middle.value == pytest.approx(found.threshold.value, abs=0.1)
    seconds = {a.x[1] for a in track.history}
    assert len(seconds) >= 2


def test_a_function_of_the_users_own():
    rng = np.random.default_rng(5)

    def psi(x, y, a, b):
        return 1 / (1 + np.exp(-(x - a - b * y**2)))

    options = QuestPlusOptions(
        (range(-5, 6), (0, 1, 2)),
        {"a": np.arange(-3, 3.1, 0.5), "b": (0, 0.5, 1)},
        psi,
        of="a",
        max_trials=120,
    )
    track = simulate(QuestPlus(options), lambda x, y: float(psi(x, y, 1.0, 0.5)), rng)
    found = track.estimate()
    assert found.mode == {"a": 1.0, "b": 0.5}
    assert found.threshold == found.intervals["a"]


@pytest.mark.parametrize(
    "options,words",
    [
        ({"stop_sd": 1.0}, "standard deviation of the threshold"),
        ({"stop_width": 4.0}, "95 % interval of the threshold"),
        ({"stop_bits": 2.0}, "posterior entropy"),
    ],
)
def test_it_stops_when_it_knows_enough(options, words):
    rng = np.random.default_rng(6)
    track = example(max_trials=400, min_trials=10, **options)
    simulate(track, from_weibull_db(-20.0, 3.5, lapse=0.02), rng)
    assert 10 <= track.n < 400
    assert words in track.reason
    mass = track.marginal("threshold")
    found = track.estimate().threshold
    assert marginal.sd(DB, mass) < 1.6 and found.high - found.low < 6 and track.entropy < 2.8


@pytest.mark.parametrize("rate,end", [(1.0, "0"), (0.0, "40"), (0.5, "40")])
def test_a_listener_without_a_threshold_in_range_is_not_measurable(rate, end):
    rng = np.random.default_rng(7)
    found = simulate(QuestPlus(standard_options(0, 40)), lambda x: rate, rng).estimate()
    assert not found.measurable
    assert (
        found.reason
        == f"not measurable: the threshold's posterior reaches the end of its grid, {end}"
    )
    assert np.isnan(found.threshold.value)
    assert (found.threshold.low, found.threshold.high) == (-np.inf, np.inf)


def test_a_threshold_beyond_the_levels_is_no_number():
    options = QuestPlusOptions(
        ((0.0, 1.0, 2.0),),
        {"threshold": np.arange(-20, 20.5, 0.5), "width": 2.0, "guess": 0.5, "lapse": 0.02},
    )
    track = QuestPlus(options)
    for x in (0.0, 1.0, 2.0) * 6:
        track.update((x,), True)
    found = track.estimate()
    assert not found.measurable and "not measurable" in found.reason
    assert QuestPlus(options).estimate().reason == "not measurable: no trials yet"


def test_any_level_can_be_taken_in_and_suggestions_repeat():
    track = example()
    assert track.suggest() == track.suggest()
    track.update((-17.3,), True)
    assert track.history[0].x == (-17.3,)
    again = replay(example(), track.history)
    assert again.suggest() == track.suggest()
    assert isinstance(track, Track)


def test_a_prior_moves_the_first_level():
    near_zero = np.exp(-((np.array(DB) + 5.0) ** 2) / 8)
    assert example(prior={"threshold": near_zero}).suggest()[0] > example().suggest()[0]


def test_the_state_is_plain_json():
    tracks = (example(), QuestPlus(standard_options(0, 4, second=(0, 1), n_levels=5)))
    for track in tracks:
        for _ in range(3):
            state = json.loads(json.dumps(track.state(), allow_nan=False))
            assert state["n"] == track.n == len(state["levels"])
            for values in state["marginals"].values():
                assert sum(values["mass"]) == pytest.approx(1)
                assert len(values["mass"]) == len(values["grid"])
            track.update(track.suggest(), True)
        json.dumps(track.estimate().to_dict(), allow_nan=False)


def test_quantiles_of_a_grid_spread_mass_over_cells():
    grid, mass = np.array([0.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.25])
    assert marginal.quantile(grid, mass, [0, 0.25, 0.5, 1]) == pytest.approx([-0.5, 0.5, 1, 2.5])
    assert marginal.quantile([7.0], [1.0], [0.025, 0.975]) == pytest.approx([7, 7])
    values, pooled = marginal.pooled(np.array([0.3, 0.1 + 0.2, -1.0]), np.array([0.2, 0.3, 0.5]))
    assert values == pytest.approx([-1.0, 0.3]) and pooled == pytest.approx([0.5, 0.5])


GRIDS = {"threshold": (1, 2), "width": 1, "guess": 0.5, "lapse": 0.02}


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: QuestPlusOptions((), GRIDS), "0 stimulus parameters"),
        (lambda: QuestPlusOptions(((),), GRIDS), r"levels\[0\]=\(\) is no grid"),
        (lambda: QuestPlusOptions(((1, np.nan),), GRIDS), "is no grid"),
        (lambda: QuestPlusOptions(((2, 1),), GRIDS), "does not rise"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS, "probit"), "function='probit'"),
        (lambda: QuestPlusOptions(((1, 2),), {"threshold": 1}), "give grids for guess, lapse"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS | {"width": 0}), "width=0.0 is flat"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS | {"lapse": 1}), "lapse from 1.0 to 1.0"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS, prior={"threshold": (1,)}), "2 weights"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS, prior={"slope": (1,)}), "'slope' is no"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS, focus=("slope",)), "'slope' is no parameter"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS, max_trials=0), "max_trials=0"),
        (lambda: QuestPlusOptions(((1, 2),), GRIDS, stop_sd=0.0), "stop_sd=0.0 never stops"),
        (lambda: QuestPlusOptions((range(6000),), GRIDS | {"threshold": range(6000)}), "too many"),
        (
            lambda: QuestPlusOptions(((0, 1),), GRIDS, log=True).chance((np.array(-1.0),), GRIDS),
            "no place on a log axis",
        ),
        (lambda: standard_options(5, 1), "low=5, high=1"),
        (lambda: standard_options(0, 1, log=True), "above 0"),
        (lambda: standard_options(0, 1, second=(1, 1)), r"second\[0\]=1"),
        (lambda: example().update((np.nan,), True), "is no level of this track"),
        (lambda: example().update((1,), 0.5), "neither right nor wrong"),
        (lambda: example().estimate(1.0), "level=1.0"),
        (lambda: example().threshold_at(1.0), "depends on one parameter only"),
        (lambda: example().marginal("width"), "'width' is no parameter"),
    ],
)
def test_impossible_runs_are_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()


def test_answers_no_listener_of_the_grid_gives_are_refused():
    track = QuestPlus(QuestPlusOptions(((0, 1),), GRIDS | {"guess": 0, "lapse": 0, "width": 1e-3}))
    with pytest.raises(UserError, match="no listener of the grids gives these answers"):
        track.update((0,), True)


def test_a_function_without_a_guess_rate_has_no_catch_trials():
    options = QuestPlusOptions(((1, 2),), {"a": (1, 2)}, lambda x, a: 0.5 + 0 * x * a, of="a")
    with pytest.raises(UserError, match="catch trial"):
        QuestPlus(options).catch(True)
    wrong = QuestPlusOptions(((1, 2),), {"a": (1, 2)}, lambda x, a: x * a, of="a")
    with pytest.raises(UserError, match=r"leaves 0\.\.1"):
        QuestPlus(wrong)
