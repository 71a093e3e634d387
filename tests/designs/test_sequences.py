"""Streaming, rhythm and onset asynchrony: the sound holds what is declared, measured by other
means; signal and counterpart differ in the asked thing alone."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from spectcount.designs import draw, family
from spectcount.designs.onset_asynchrony import OnsetAsynchrony
from spectcount.designs.rhythm import Rhythm
from spectcount.designs.streaming import Streaming
from spectcount.errors import UserError
from spectcount.listeners.observers.ideal import IdealObserver, pair_d_prime
from spectcount.pairs import draw_pair, pair_of
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import task
from spectcount.trials import Question
from tests.designs.listening import level_dbfs, peak_hz, runs

SEEDS = range(5)
QUIET = {"noise_sigma": 0.0}


def sounds(stimulus):
    """(onset sample, samples) of each stretch of sound."""
    wave = synthesise(stimulus)
    return [(start, wave[start:stop]) for start, stop in runs(wave)]


def streaming(**changes):
    fixed = {**QUIET, "tone_repetition_ms": 125.0, "event_duration_ms": 60.0, "onset_s": 0.25}
    return Streaming(**{**fixed, **changes})


@pytest.mark.parametrize("ramp", ["linear", "cosine"])
@pytest.mark.parametrize("late_ms", [0.0, 25.0])
def test_triplets_have_their_frequencies_onsets_and_rest(late_ms, ramp):
    design = streaming(n_cycles=4, displacement_ms=late_ms, separation_semitones=7.0, ramp=ramp)
    found = sounds(draw(design, 3))
    beats = [k for k in range(16) if k % 4 != 3]
    on_beat = np.array([4000 + 2000 * k for k in beats])
    late = np.array([round(late_ms * 16) if k % 4 == 1 else 0 for k in beats])
    assert [start for start, _ in found] == list(on_beat + late)
    assert {len(tone) for _, tone in found} == {960}
    for k, (_, tone) in zip(beats, found, strict=True):
        declared = 600.0 * 2 ** (7 / 12) if k % 4 == 1 else 600.0
        assert peak_hz(tone) == pytest.approx(declared, rel=0.004)
        assert level_dbfs(tone[160:-160]) == pytest.approx(-14.0, abs=0.2)


def test_alternation_has_no_rest():
    found = sounds(draw(streaming(pattern="abab", n_cycles=5, displacement_ms=0.0), 0))
    assert list(np.diff([start for start, _ in found])) == [2000] * 9


@pytest.mark.parametrize("pattern", ["aba", "abab"])
@pytest.mark.parametrize("late_ms", [1.0, 25.0, 125 / 3, 60.0])
def test_late_tones_make_a_rhythm_uneven_and_rests_do_not(pattern, late_ms):
    design = streaming(pattern=pattern, displacement_ms=late_ms, noise_sigma=0.001)
    signal, other = draw_pair(design, 1, "jitter")
    assert (task("jitter").truth(signal), task("jitter").truth(other)) == ("yes", "no")
    assert task("streams").truth(signal) is None
    onsets_s = np.array([e.onset_s for e in other.events])
    assert (onsets_s - 0.25) / 0.125 == pytest.approx(np.round((onsets_s - 0.25) / 0.125))
    a_tones = [e for e in signal.events if e.frequency_hz == 600.0]
    assert a_tones == [e for e in other.events if e.frequency_hz == 600.0], "only B moves"


def test_each_stream_alone_is_even_whether_the_other_is_late_or_not():
    signal, _ = draw_pair(streaming(pattern="abab", n_cycles=6), 0, "jitter")
    for hz in {e.frequency_hz for e in signal.events}:
        onsets_s = [e.onset_s for e in signal.events if e.frequency_hz == hz]
        assert np.diff(onsets_s) == pytest.approx([0.25] * 5)


def test_streams_have_no_pair_and_an_even_rhythm_is_no_signal():
    with pytest.raises(UserError, match="no signal and counterpart for the task 'streams'"):
        draw_pair(streaming(), 0, "streams")
    with pytest.raises(UserError, match=r"displacement_ms=0 leaves the rhythm even.*raise it"):
        draw_pair(streaming(displacement_ms=0.0), 0, "jitter")


@pytest.mark.parametrize("percent", [2.0, 15.0, 40.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_jitter_is_the_standard_deviation_of_the_intervals_in_every_clip(percent, seed):
    design = Rhythm(jitter_percent=percent, interval_ms=300.0, n_events=8, **QUIET)
    starts = np.array([start for start, _ in sounds(draw(design, seed))])
    steps_ms = np.diff(starts) / 16
    assert len(starts) == 8
    assert steps_ms.std() / steps_ms.mean() * 100 == pytest.approx(percent, abs=0.05)
    assert steps_ms.mean() == pytest.approx(300.0, abs=0.02)
    assert starts[0] == 4800


@pytest.mark.parametrize("seed", SEEDS)
def test_the_even_counterpart_is_exactly_even_and_as_long(seed):
    signal, other = draw_pair(Rhythm(interval_ms=250.0, noise_sigma=0.0), seed, "jitter")
    starts = [start for start, _ in sounds(other)]
    assert list(np.diff(starts)) == [4000] * 7
    ends = [sounds(one)[-1] for one in (signal, other)]
    assert ends[0][0] == ends[1][0] and len(ends[0][1]) == len(ends[1][1])


def test_intervals_differ_from_seed_to_seed_and_keep_no_order():
    onsets = np.array([[e.onset_s for e in draw(Rhythm(), s).events] for s in range(200)])
    steps = np.diff(onsets, axis=1) * 1000 - 300
    assert len(np.unique(np.round(steps, 6))) > 1390
    assert np.abs(steps.mean(axis=0)).max() < 4 * 45 / np.sqrt(200)


def test_tones_never_overlap_and_are_short_pure_and_level():
    design = Rhythm(
        jitter_percent=60.0, event_duration_ms=60.0, n_events=10, interval_ms=200, **QUIET
    )
    for seed in range(20):
        events = draw(design, seed).events
        assert min(b.onset_s - a.offset_s for a, b in itertools.pairwise(events)) >= -1e-9
    start, tone = sounds(draw(Rhythm(**QUIET), 0))[0]
    assert (start, len(tone)) == (4800, 800)
    assert peak_hz(tone) == pytest.approx(1000, rel=0.003)
    assert level_dbfs(tone[80:-80]) == pytest.approx(-14.0, abs=0.1)


@pytest.mark.parametrize("lead_ms", [2.5, 60.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_named_tone_leads_to_the_sample_and_both_end_together(lead_ms, seed):
    pair = draw_pair(OnsetAsynchrony(asynchrony_ms=lead_ms, **QUIET), seed, "order")
    for one, first_hz, later_hz in zip(pair, (1500, 500), (500, 1500), strict=True):
        whole = synthesise(one)
        assert runs(whole) == [(16000, 24000)]
        alone = {e.frequency_hz: dataclasses.replace(one, events=(e,)) for e in one.events}
        (first,), (later,) = (sounds(alone[hz]) for hz in (first_hz, later_hz))
        assert later[0] - first[0] == round(lead_ms * 16)
        assert later[0] + len(later[1]) == first[0] + len(first[1]) == 24000
        for hz, (_, tone) in ((first_hz, first), (later_hz, later)):
            assert peak_hz(tone) == pytest.approx(hz, rel=0.002)
            assert level_dbfs(tone[80:-80]) == pytest.approx(-20.0, abs=0.1)


def test_the_onset_of_the_first_tone_is_heard_alone():
    high_first, low_first = draw_pair(OnsetAsynchrony(**QUIET), 0, "order")
    for one, hz in ((high_first, 1500), (low_first, 500)):
        assert peak_hz(synthesise(one)[16000 : 16000 + 900]) == pytest.approx(hz, rel=0.02)


DESIGNS = {
    "streaming": (Streaming(), "jitter"),
    "rhythm": (Rhythm(), "jitter"),
    "onset_asynchrony": (OnsetAsynchrony(), "order"),
}


@pytest.mark.parametrize(("design", "name"), DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize("seed", range(20))
def test_pairs_differ_in_when_and_in_nothing_else(design, name, seed):
    pair = draw_pair(design, seed, name)
    assert tuple(task(name).truth(one) for one in pair) == task(name).answers
    when = {"onset_s": 0.0, "duration_s": 1.0}
    tones = [sorted((dataclasses.replace(e, **when) for e in one.events), key=repr) for one in pair]
    assert tones[0] == tones[1]
    rest = [dataclasses.replace(one, events=(), meta={}) for one in pair]
    assert rest[0].hash == rest[1].hash
    assert pair_of(pair[1], name) == pair


@pytest.mark.parametrize(("design", "name"), DESIGNS.values(), ids=DESIGNS)
def test_the_ideal_observer_is_as_far_from_chance_as_the_two_sounds_are_apart(design, name):
    noisy = design.replace(noise_sigma=0.01)
    pair = draw_pair(noisy, 0, name)
    clean = [synthesise(dataclasses.replace(one, noise_sigma=0.0)).astype(float) for one in pair]
    expected = float(np.linalg.norm(clean[0] - clean[1])) / 0.01
    assert pair_d_prime(pair[0], name) == pytest.approx(expected, rel=1e-4)
    scores = IdealObserver().score([Question(one, name) for one in pair]).log_probs
    assert scores[0, 0] > scores[0, 1] and scores[1, 1] > scores[1, 0]


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("streaming", {"displacement_ms": 80}, "=80 late end after the next beat, 125 ms"),
        ("streaming", {"n_cycles": 9}, "n_cycles=9 of 4 beats.*end at 4.6. s.*lower n_cycles"),
        ("streaming", {"separation_semitones": 40}, "=40 semitones is above the limit 36"),
        ("streaming", {"frequency_hz": 4000, "separation_semitones": 13}, "outside 0..8000 Hz"),
        ("rhythm", {"event_duration_ms": 400}, "overlap at interval_ms=300; lower"),
        ("rhythm", {"n_events": 14}, "14 tones at interval_ms=300.*at 4.25 s.*raise duration_s"),
        ("rhythm", {"jitter_percent": 60, "event_duration_ms": 250}, "jitter_percent=60 of.*lower"),
        ("onset_asynchrony", {"asynchrony_ms": 495}, "leaves 5 ms of the later tone.*lower"),
        ("onset_asynchrony", {"frequency_low_hz": 1500}, "=1500 is not below frequency_high_hz"),
        ("onset_asynchrony", {"onset_s": 3.8}, "ends at 4.3.*lengthen the clip or move"),
    ],
)
def test_what_does_not_fit_is_refused_with_value_limit_and_remedy(name, params, words):
    with pytest.raises(UserError, match=words):
        draw(family(name).from_dict(params), 0)


def test_nothing_to_hear_is_refused():
    with pytest.raises(UserError, match=r"jitter_percent=0 leaves the rhythm even.*raise it"):
        draw_pair(Rhythm(jitter_percent=0.0), 0, "jitter")
    with pytest.raises(UserError, match="asynchrony_ms=0: neither tone begins first; raise it"):
        draw_pair(OnsetAsynchrony(asynchrony_ms=0.0), 0, "order")


@pytest.mark.parametrize(
    ("onsets_s", "truth"),
    [
        ((0, 1, 2, 3), "no"),
        ((0, 0.5, 1, 2), "no"),
        ((0, 0.25, 0.5, 1.25, 1.5, 2.5), "no"),
        ((0, 1, 2.5), "yes"),
        ((0, 1, 2, 3.5), "yes"),
        ((0, 0.5, 1, 1.25, 1.75), "yes"),
        ((0, 1, 2.0003), "yes"),
        ((0, 1, 2.00005), "no"),
        ((0, 1), None),
        ((0, 1, 1, 2), None),
    ],
)
def test_rests_of_whole_beats_are_even_and_nothing_else_is(onsets_s, truth):
    events = tuple(Event(t, 0.02, 1000.0 + k, -20.0) for k, t in enumerate(onsets_s))
    assert task("jitter").truth(Stimulus(4.0, events)) == truth
