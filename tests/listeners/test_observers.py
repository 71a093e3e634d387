"""Observers: the ideal one reaches the theory, the floors sit on the floor, the simulated one is
recovered by the statistics."""

import dataclasses

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.listeners.observers.dsp import DspCounter
from spectcount.listeners.observers.ideal import IdealObserver, d_prime_ideal
from spectcount.listeners.observers.observer import AlwaysFirst, Human, Silence
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.psychophysics import sdt
from spectcount.scales import sigma_for_e_n0
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import event_waveform
from spectcount.trials import Question

TONE = Event(0.2, 0.1, 1000.0, -20.0)
FAINT = Event(0.2, 0.1, 1000.0, -46.0)


def clip(events=(TONE,), sigma=0.001, seed=0, duration_s=1.0, **meta):
    return Stimulus(duration_s, events, noise_sigma=sigma, noise_seed=seed, meta=meta)


def at_d_prime(d: float) -> Stimulus:
    """A faint tone in the noise at which the ideal observer's d' = sqrt(2E/N0) is `d`."""
    energy = float(np.sum(event_waveform(FAINT, 16000, 16000) ** 2)) / 16000
    sigma = sigma_for_e_n0(energy, 10 * np.log10(d**2 / 2))
    return clip((FAINT,), sigma, duration_s=0.5)


def answers(listener, questions):
    chosen = np.argmax(listener.score(questions).log_probs, axis=1)
    return [q.answers[i] for q, i in zip(questions, chosen, strict=True)]


def interval_clip(second: bool, sigma=0.001, seed=0, tone=TONE) -> Stimulus:
    event = dataclasses.replace(tone, onset_s=0.2 + 0.5 * second)
    return clip((event,), sigma, seed)


def matched_filter_scores(stimulus: Stimulus, n: int, seed: int) -> np.ndarray:
    """Scores [2, n] of catch and signal clips in fresh noise, the catch clips told the template."""
    seeds = np.random.default_rng(seed).integers(2**31, size=(2, n))
    template = {"template": [event.to_dict() for event in stimulus.events]}
    rows = []
    for events, row in zip(((), stimulus.events), seeds, strict=True):
        clips = [
            dataclasses.replace(stimulus, events=events, noise_seed=int(s), meta=template)
            for s in row
        ]
        log_probs = IdealObserver().score([Question(c, "detect") for c in clips]).log_probs
        rows.append(log_probs[:, 0] - log_probs[:, 1])
    return np.array(rows)


@pytest.mark.parametrize("d", [1.0, 2.0])
def test_ideal_observer_recovers_the_design_d_prime(d):
    stimulus = at_d_prime(d)
    assert d_prime_ideal(stimulus) == pytest.approx(d, rel=1e-6)
    scores = matched_filter_scores(stimulus, n=600, seed=7)
    measured = np.diff(scores.mean(1))[0] / np.sqrt(scores.var(1, ddof=1).mean())
    error = np.sqrt(2 / 600 + d**2 / 2400)  # Hedges & Olkin (1985), chapter 5
    assert abs(measured - d) < 2.6 * error


def test_ideal_d_prime_follows_from_the_declared_energy():
    stimulus = clip(sigma=0.02)
    e_n0 = TONE.energy / (2 * 0.02**2 / 16000)
    assert d_prime_ideal(stimulus) == pytest.approx(np.sqrt(2 * e_n0), rel=0.01)


def test_ideal_observer_in_two_intervals_recovers_the_same_d_prime():
    sigma = at_d_prime(1.0).noise_sigma
    questions = [
        Question(interval_clip(second, sigma, seed, FAINT), "interval")
        for second in (False, True)
        for seed in range(500)
    ]
    said = np.array(answers(IdealObserver(), questions)) == "first"
    found = sdt.d_prime_2afc(said[:500].sum(), 500, said[500:].sum(), 500, level=0.99)
    assert found.low <= 1.0 <= found.high


def test_ideal_observer_without_noise_is_certain():
    present, absent = clip(sigma=0.0), clip((), sigma=0.0, template=[dataclasses.asdict(TONE)])
    scores = IdealObserver().score([Question(present, "detect"), Question(absent, "detect")])
    assert scores.log_probs[0, 0] == pytest.approx(0) and scores.log_probs[0, 1] < -1e6
    assert scores.log_probs[1, 1] == pytest.approx(0) and scores.log_probs[1, 0] < -1e6
    assert d_prime_ideal(present) == np.inf


def test_ideal_observer_says_no_where_it_has_nothing_to_look_for():
    scores = IdealObserver().score([Question(clip(()), "detect")])
    assert answers(IdealObserver(), [Question(clip(()), "detect")]) == ["no"]
    assert np.exp(scores.log_probs[0]) == pytest.approx([0.5, 0.5])


def test_ideal_observer_counts_overlapping_events_and_misses_the_missing():
    events = tuple(Event(0.1 + 0.05 * i, 0.1, 500.0 * (i + 1), -20.0) for i in range(4))
    data = [dataclasses.asdict(e) for e in events]
    questions = [Question(clip(events), "count"), Question(clip((), template=data), "count")]
    assert answers(IdealObserver(), questions) == ["4", "0"]


def test_ideal_observer_refuses_what_it_cannot_know():
    upload = Question(None, "detect", waveform=np.zeros(16000, np.float32))
    with pytest.raises(UserError, match="uploaded clip has no stimulus"):
        IdealObserver().score([upload])
    many = draw(Pulses(n_events=11, duration_s=8.0), 0)
    with pytest.raises(UserError, match=r"11 events .* 0\.\.10"):
        IdealObserver().score([Question(many, "count")])


@pytest.mark.parametrize("preset_seed", range(3))
@pytest.mark.parametrize("n_events", [0, 1, 4, 10])
def test_dsp_counter_counts_clear_pulses_without_knowing_them(n_events, preset_seed):
    design = Pulses(n_events=n_events, frequency_order="shuffled", gap_jitter_ms=40)
    question = Question(draw(design, preset_seed), "count")
    upload = Question(None, "count", waveform=question.audio())
    assert answers(DspCounter(), [question, upload]) == [str(n_events)] * 2


def test_dsp_counter_detects_and_compares_intervals():
    detect = [Question(clip(), "detect"), Question(clip(()), "detect")]
    assert answers(DspCounter(), detect) == ["yes", "no"]
    halves = [Question(interval_clip(second), "interval") for second in (False, True)]
    assert answers(DspCounter(), halves) == ["first", "second"]


def test_dsp_counter_is_worse_than_the_ideal_observer():
    stimulus = at_d_prime(3.0)
    template = [dataclasses.asdict(FAINT)]
    clips = [
        dataclasses.replace(stimulus, events=events, noise_seed=s, meta={"template": template})
        for events in ((FAINT,), ())
        for s in range(60)
    ]
    questions = [Question(c, "detect") for c in clips]
    areas = []
    for listener in (IdealObserver(), DspCounter()):
        p = listener.score(questions).log_probs
        graded = p[:, 0] - p[:, 1]
        areas.append(sdt.auc(graded[:60], graded[60:]).value)
    assert areas[0] > 0.95 and areas[1] < areas[0]


def test_dsp_counter_answers_digital_silence():
    silence = Question(None, "count", waveform=np.zeros(16000, np.float32))
    assert answers(DspCounter(), [silence]) == ["0"]


@pytest.mark.parametrize("d,c", [(0.0, 0.5), (1.5, 0.0), (2.0, -0.4)])
def test_simulated_observer_is_recovered(d, c):
    listener = SimulatedObserver(d, c, seed=3)
    signal = [Question(clip(seed=s), "detect") for s in range(800)]
    noise = [Question(clip((), seed=s), "detect") for s in range(800)]
    hits = answers(listener, signal).count("yes")
    false_alarms = answers(listener, noise).count("yes")
    found_d = sdt.d_prime(hits, 800, false_alarms, 800, level=0.99)
    found_c = sdt.criterion(hits, 800, false_alarms, 800, level=0.99)
    assert found_d.low <= d <= found_d.high
    assert found_c.low <= c <= found_c.high


def test_simulated_observer_is_recovered_from_two_intervals():
    listener = SimulatedObserver(1.0)
    first = [Question(interval_clip(False, seed=s), "interval") for s in range(800)]
    second = [Question(interval_clip(True, seed=s), "interval") for s in range(800)]
    hits, false_alarms = (answers(listener, q).count("first") for q in (first, second))
    found = sdt.d_prime_2afc(hits, 800, false_alarms, 800, level=0.99)
    assert found.low <= 1.0 <= found.high


def test_simulated_scores_are_likelihood_ratios():
    listener = SimulatedObserver(1.5)
    p = listener.score([Question(clip(seed=s), "detect") for s in range(2000)]).log_probs
    q = listener.score([Question(clip((), seed=s), "detect") for s in range(2000)]).log_probs
    ratio = np.concatenate([p[:, 0] - p[:, 1], q[:, 0] - q[:, 1]])
    is_signal = np.repeat([1.0, 0.0], 2000)
    calibrated = 1 / (1 + np.exp(-ratio))
    for low in (0.1, 0.4, 0.7):
        inside = (calibrated >= low) & (calibrated < low + 0.2)
        assert is_signal[inside].mean() == pytest.approx(calibrated[inside].mean(), abs=0.06)


def test_simulated_observer_counts_and_repeats_itself():
    questions = [Question(draw(Pulses(n_events=n, duration_s=6), n), "count") for n in range(11)]
    assert answers(SimulatedObserver(20.0), questions) == [str(n) for n in range(11)]
    one = SimulatedObserver(0.5, seed=4).score(questions).log_probs
    again = SimulatedObserver(0.5, seed=4).score(questions[::-1]).log_probs[::-1]
    other = SimulatedObserver(0.5, seed=5).score(questions).log_probs
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_simulated_observer_refuses_an_unknown_truth():
    upload = Question(None, "detect", waveform=np.zeros(16000, np.float32))
    with pytest.raises(UserError, match="must know the truth"):
        SimulatedObserver().score([upload])
    with pytest.raises(UserError, match="d_prime=nan is not finite"):
        SimulatedObserver(float("nan"))


def test_always_first_is_pure_bias():
    signal = [Question(clip(seed=s), "detect") for s in range(50)]
    noise = [Question(clip((), seed=s), "detect") for s in range(50)]
    hits, false_alarms = (answers(AlwaysFirst(), q).count("yes") for q in (signal, noise))
    assert sdt.d_prime(hits, 50, false_alarms, 50).value == 0
    assert sdt.criterion(hits, 50, false_alarms, 50).value == pytest.approx(-2.3338, abs=5e-5)


def test_silence_asks_the_same_words_about_zeros():
    class Spy:
        name, fingerprint = "spy", "spy-1"

        def score(self, questions):
            self.heard = questions
            return AlwaysFirst().score(questions)

        def reply(self, question):
            self.heard = [question]
            yield "yes"

    spy = Spy()
    question = Question(clip(), "detect", wording=2, reverse=True)
    silence = Silence(spy)
    silence.score([question])
    assert spy.heard[0].prompt == question.prompt
    assert np.array_equal(spy.heard[0].audio(), np.zeros(16000))
    assert list(silence.reply(question)) == ["yes"]
    assert silence.name == "silence:spy" and "spy-1" in silence.fingerprint


def test_human_holds_the_answers_given():
    human, question = Human(), Question(clip(), "count")
    with pytest.raises(UserError, match="not answered yet"):
        human.score([question])
    with pytest.raises(UserError, match="'eleven' is not allowed"):
        human.answer(question, "eleven")
    human.answer(question, "3")
    assert human.answered(question)
    assert list(human.reply(question)) == ["3"]


@pytest.mark.parametrize(
    "listener",
    [IdealObserver(), DspCounter(), AlwaysFirst(), SimulatedObserver(1.0)],
    ids=lambda listener: listener.name,
)
@pytest.mark.parametrize("task", ["detect", "count", "interval"])
def test_scores_are_normalised_and_replies_parse(listener, task):
    questions = [Question(interval_clip(second), task) for second in (False, True)]
    scores = listener.score(questions)
    assert scores.log_probs.shape == (2, len(questions[0].answers))
    assert np.exp(scores.log_probs).sum(axis=1) == pytest.approx([1, 1])
    assert np.array_equal(scores.mass, np.ones(2))
    reply = list(listener.reply(questions[0]))[-1]
    assert questions[0].task.parse(reply) == answers(listener, questions)[0]


def test_fingerprints_tell_settings_apart():
    listeners = [
        IdealObserver(),
        DspCounter(),
        AlwaysFirst(),
        Silence(AlwaysFirst()),
        SimulatedObserver(1.0),
        SimulatedObserver(1.0, 0.1),
        SimulatedObserver(1.0, seed=1),
        Human(),
        Human("guest"),
    ]
    assert len({listener.fingerprint for listener in listeners}) == len(listeners)
    assert len({listener.name for listener in listeners}) == len(listeners)
