"""The simulated listener with a threshold: its answers and scores follow what `truth` says."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from spectcount import listeners
from spectcount.errors import UserError
from spectcount.listeners.observers.simulated import SimulatedThreshold
from spectcount.psychophysics.psychometric import Psychometric
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import COUNTING, FORCED_CHOICE, YES_NO
from spectcount.trials import Question

N = 1500
LEVELS = (-62.0, -50.0, -41.0)
LISTENER = {"parameter": "level_dbfs", "threshold": -50.0, "width": 20.0}


def question(level, seed, task="detect", signal=True, n_events=1, **params):
    """A question whose stimulus says that its design had `level_dbfs` at `level`."""
    onset_s = 0.2 if signal or task != "interval" else 0.7
    events = tuple(
        Event(onset_s + 0.15 * i, 0.1, 1000.0, level)
        for i in range(n_events if signal or task != "detect" else 0)
    )
    meta = {"params": {"level_dbfs": level, **params}}
    return Question(Stimulus(2.0 if n_events > 1 else 1.0, events, 0.001, seed, meta=meta), task)


def answers(listener, questions):
    chosen = np.argmax(listener.score(questions).log_probs, axis=1)
    return [q.answers[i] for q, i in zip(questions, chosen, strict=True)]


def rate(listener, level, task="detect", signal=True, said="yes"):
    asked = [question(level, seed, task, signal) for seed in range(N)]
    return answers(listener, asked).count(said) / N


def close(p):
    """Four standard errors of a share of N."""
    return pytest.approx(p, abs=4 * math.sqrt(max(p * (1 - p), 0.01) / N))


@pytest.mark.parametrize("options", [{}, {"lapse": 0.08}, {"guess": 0.05, "function": "weibull"}])
def test_hits_follow_the_psychometric_function_asked_for(options):
    listener = SimulatedThreshold(**LISTENER, **options)
    guess = options.get("guess", float(ndtr(-1)))
    name, lapse = options.get("function", "gaussian"), options.get("lapse", 0.0)
    psi = Psychometric(name, -50, 20, guess, lapse)
    for level in LEVELS:
        assert rate(listener, level) == close(psi(level))
    assert rate(listener, -50, signal=False) == close(guess)
    truth = listener.truth()
    assert (truth.threshold, truth.guess, truth.lapse, truth.exact) == (
        pytest.approx(-50),
        pytest.approx(guess),
        pytest.approx(lapse),
        True,
    )


def test_a_bias_moves_the_criterion_and_the_threshold_by_what_truth_says():
    listener = SimulatedThreshold(**LISTENER, bias=0.6, lapse=0.04)
    truth = listener.truth()
    assert rate(listener, -50, signal=False) == close(truth.guess)
    assert truth.guess == pytest.approx(ndtr(-0.4)) and not truth.exact
    halfway = (truth.guess + 1 - truth.lapse) / 2
    assert truth.threshold < -51 and rate(listener, truth.threshold) == close(halfway)
    assert rate(listener, 0) == close(1 - truth.lapse)
    hit = rate(listener, truth.d_prime_1)
    assert ndtri(hit) - ndtri(truth.guess) == pytest.approx(1, abs=0.15)


def test_a_bias_alone_does_not_change_the_sensitivity():
    levels = [SimulatedThreshold(**LISTENER, bias=b).truth().d_prime_1 for b in (-0.5, 0, 0.8)]
    assert levels == pytest.approx([levels[0]] * 3)
    forced = [SimulatedThreshold(**LISTENER, bias=b).truth(FORCED_CHOICE) for b in (0, 0.8)]
    assert forced[0].d_prime_1 == pytest.approx(forced[1].d_prime_1)
    assert forced[0].threshold == pytest.approx(-50) and forced[1].threshold > -49.5


@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_forced_choice_is_half_right_by_chance_whatever_the_bias(bias):
    listener = SimulatedThreshold(**LISTENER, bias=bias, lapse=0.03)
    truth = listener.truth(FORCED_CHOICE)
    first, second = (
        rate(listener, truth.threshold, "interval", s, said)
        for s, said in ((True, "first"), (False, "second"))
    )
    assert (first + second) / 2 == close((0.5 + 1 - truth.lapse) / 2)
    assert truth.guess == pytest.approx(0.5) and (first - second > 0.1) == (bias > 0)


def test_scores_are_gaussian_about_the_d_prime_of_the_level():
    listener = SimulatedThreshold(**LISTENER)
    level = listener.truth().d_prime_1
    asked = [[question(level, seed, signal=s) for seed in range(N)] for s in (True, False)]
    scores = [np.subtract(*listener.score(side).log_probs.T) for side in asked]
    assert scores[0].mean() - scores[1].mean() == pytest.approx(1, abs=0.15)
    assert [s.std() for s in scores] == pytest.approx([1, 1], abs=0.08)
    assert np.mean(scores[1] > 0) == close(listener.truth().guess)


def test_counting_is_right_at_the_rate_asked_for_and_else_one_off():
    listener = SimulatedThreshold(**LISTENER, guess=0.1, lapse=0.05, bias=1.0)
    asked = [question(-50, seed, "count", n_events=3) for seed in range(N)]
    said = answers(listener, asked)
    assert said.count("3") / N == close(0.1 + 0.85 / 2)
    assert set(said) == {"2", "3", "4"} and said.count("4") > 3 * said.count("2")
    truth = listener.truth(COUNTING)
    assert truth.exact and math.isnan(truth.d_prime_1) and truth.lapse == pytest.approx(0.05)


def test_the_threshold_moves_with_a_second_parameter():
    listener = SimulatedThreshold(
        "gap_ms", 40, 0.5, log=True, second="frequency", gradient=0.001, reference=500
    )
    assert listener.threshold_at(1500) == pytest.approx(400)
    assert listener.truth(YES_NO, 1500).threshold == pytest.approx(400)
    heard = listener.heard(question(-20, 0, gap_ms=400, frequency_low_hz=1500))
    assert heard == pytest.approx(0.5)


def test_falling_listeners_find_high_levels_hard():
    listener = SimulatedThreshold(**LISTENER, falling=True)
    assert rate(listener, -70) > 0.95 and rate(listener, -30) < 0.25


def test_the_same_question_gets_the_same_answer_and_the_seed_another():
    asked = [question(-50, seed) for seed in range(40)]
    one = SimulatedThreshold(**LISTENER).score(asked).log_probs
    again = SimulatedThreshold(**LISTENER).score(asked[::-1]).log_probs[::-1]
    other = SimulatedThreshold(**LISTENER, seed=1).score(asked).log_probs
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_listener_is_made_from_its_name(tmp_path):
    spec = "sim:parameter=gap_ms,threshold=40,width=0.5,log=1,lapse=0.02,bias=0.3,seed=7"
    found = listeners.load(spec, None)
    expected = SimulatedThreshold("gap_ms", 40, 0.5, 0.02, 0.3, log=True, seed=7)
    assert found == expected and listeners.load(found.name, None) == expected
    assert listeners.load("sim:d=1.5,c=0.2", None).d_prime == 1.5
    assert found.fingerprint != SimulatedThreshold("gap_ms", 40, 0.5).fingerprint


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sim:parameter=gap_ms,threshold=40", "has no width; write"),
        ("sim:parameter=gap_ms,threshold=40,width=20,slope=3", "has no option 'slope'; use"),
        ("sim:parameter=gap_ms,threshold=40,width=wide", "width='wide' is not a number"),
        ("sim:parameter=gap_ms,threshold=40,width=-1", "width=-1.0 is no width"),
        ("sim:parameter=gap_ms,threshold=40,width=9,lapse=0.6", "leave nothing to measure"),
        ("sim:parameter=gap_ms,threshold=0,width=9,log=1", "is no level"),
        ("sim:parameter=gap_ms,threshold=40,width=9,guess=0,bias=1", "no criterion that a bias"),
        ("sim:parameter=gap_ms,threshold=40,width=9,bias=inf", "bias=inf is not finite"),
        ("sim:d=1,width=3", "has no option 'width'; use d, c, seed"),
    ],
)
def test_listeners_that_cannot_be_are_refused(spec, message):
    with pytest.raises(UserError, match=message):
        listeners.load(spec, None)


def test_a_stimulus_that_says_no_level_is_refused():
    upload = Question(None, "detect", waveform=np.zeros(16000, np.float32))
    with pytest.raises(UserError, match="says no gap_ms: it is about a clip from elsewhere"):
        SimulatedThreshold("gap_ms", 40, 20).score([question(-20, 0)])
    with pytest.raises(UserError, match="says no level_dbfs"):
        SimulatedThreshold(**LISTENER).score([upload])
