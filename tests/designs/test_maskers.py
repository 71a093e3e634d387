"""Forward and informational masking: delay, silence and levels, the protected band and its
maskers, measured by other means; the counterpart lacks the target alone."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from spectcount.designs import draw, family
from spectcount.designs.forward_masking import ForwardMasking
from spectcount.designs.informational_masking import InformationalMasking
from spectcount.errors import UserError
from spectcount.listeners.observers.ideal import IdealObserver, pair_d_prime
from spectcount.pairs import draw_pair, pair_of
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import task
from spectcount.trials import Question
from tests.designs.listening import FS, level_dbfs, peak_hz, peaks_hz, runs

SEEDS = range(5)


def cam(hz):
    """ERB-number, Glasberg & Moore (1990), written out here once more."""
    return 21.4 * np.log10(0.00437 * np.asarray(hz) + 1)


def forward(**changes):
    return ForwardMasking(**{"noise_sigma": 0.0, "masker_level_dbfs": -26.0, **changes})


@pytest.mark.parametrize("masker", ["white", "band", "tone"])
@pytest.mark.parametrize("ramp", ["linear", "cosine"])
@pytest.mark.parametrize("delay_ms", [1.0, 20.0, 150.0])
def test_the_probe_follows_the_masker_after_the_delay_to_the_sample(masker, ramp, delay_ms):
    design = forward(masker=masker, ramp=ramp, delay_ms=delay_ms)
    for seed in SEEDS:
        wave = synthesise(draw(design, seed))
        (m_start, m_stop), (p_start, p_stop) = runs(wave)
        assert (m_start, m_stop - m_start) == (16000, 4800)
        assert p_start - m_stop == round(16 * delay_ms)
        assert not wave[m_stop:p_start].any(), "silence between"
        assert p_stop - p_start == 320


@pytest.mark.parametrize("masker", ["white", "band", "tone"])
def test_levels_and_places_in_frequency(masker):
    design = forward(masker=masker, masker_frequency_hz=3000, frequency_hz=1200, level_dbfs=-35)
    found = [runs(synthesise(draw(design, seed))) for seed in range(20)]
    waves = [synthesise(draw(design, seed)) for seed in range(20)]
    maskers = [w[r[0][0] + 80 : r[0][1] - 80] for w, r in zip(waves, found, strict=True)]
    levels = [level_dbfs(m) for m in maskers]
    assert np.mean(levels) == pytest.approx(-26.0, abs=0.3)
    probe = waves[0][found[0][1][0] : found[0][1][1]]
    assert peak_hz(probe) == pytest.approx(1200, rel=0.01)
    assert level_dbfs(probe[80:-80]) == pytest.approx(-35.0, abs=0.5)
    spectrum = np.mean([np.abs(np.fft.rfft(m[:4600])) ** 2 for m in maskers], axis=0)
    hz = np.fft.rfftfreq(4600, 1 / FS)
    inside = spectrum[np.abs(hz - 3000) < 220].sum() / spectrum.sum()
    assert bool(inside > 0.97) is (masker != "white")
    if masker == "white":
        octaves = [spectrum[(hz > f) & (hz < 2 * f)].mean() for f in (500, 1000, 2000, 4000)]
        assert max(octaves) / min(octaves) < 1.2


def test_every_clip_has_a_noise_of_its_own_and_its_counterpart_the_same():
    pairs = [draw_pair(forward(), seed, "detect") for seed in range(10)]
    assert len({p[0].background[0].seed for p in pairs}) == 10
    for signal, other in pairs:
        rest = synthesise(dataclasses.replace(signal, events=()))
        assert np.array_equal(rest, synthesise(other))
        start, stop = runs(synthesise(signal))[1]
        assert not synthesise(other)[start:stop].any()


def test_the_question_must_suit_the_masker():
    tone = {"masker": "tone", "masker_frequency_hz": 1000.0}
    signal, other = draw_pair(forward(**tone), 0, "cue")
    assert (task("cue").truth(signal), task("cue").truth(other)) == ("yes", "no")
    with pytest.raises(UserError, match=r"masker=tone is a beep itself.*choose masker=white"):
        draw_pair(forward(**tone), 0, "detect")
    with pytest.raises(UserError, match=r"masker=tone at 1000 Hz is no tone that comes back.*1200"):
        draw_pair(forward(**tone, frequency_hz=1200.0), 0, "cue")
    with pytest.raises(UserError, match=r"masker=white at 1000 Hz is no tone"):
        draw_pair(forward(), 0, "cue")


def info(**changes):
    return InformationalMasking(**{"noise_sigma": 0.0, **changes})


def bursts(stimulus):
    """Samples of each burst: the stretches of sound after the cue."""
    wave = synthesise(stimulus)
    return [wave[start:stop] for start, stop in runs(wave)[1:]]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_target_has_the_cues_frequency_in_every_burst(seed):
    design = info(n_maskers=2, level_dbfs=-20.0, masker_level_dbfs=-40.0)
    wave = synthesise(draw(design, seed))
    first, *rest = runs(wave)
    cue_hz = peak_hz(wave[slice(*first)])
    assert (first, len(rest)) == ((4800, 8000), 6)
    assert 700 <= cue_hz <= 1500
    assert [start for start, _ in rest] == [14400 + 1920 * k for k in range(6)]
    for start, stop in rest:
        assert stop - start == 1600
        assert peak_hz(wave[start:stop]) == pytest.approx(cue_hz, rel=0.005)


def test_the_targets_frequency_changes_from_clip_to_clip():
    found = [draw(info(), seed).events[0].frequency_hz for seed in range(200)]
    assert 700 <= min(found) < 720 and 1450 < max(found) <= 1500
    assert len({e.frequency_hz for e in draw(info(), 0).events}) == 1
    fixed = info(frequency_low_hz=1000, frequency_high_hz=1000)
    assert draw(fixed, 1).events[0].frequency_hz == pytest.approx(1000)


@pytest.mark.parametrize("protected", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_masker_sounds_within_the_protected_band(protected, seed):
    signal, other = draw_pair(info(protected_cam=protected), seed, "cue")
    target = cam(signal.events[0].frequency_hz)
    for with_target, without in zip(bursts(signal), bursts(other), strict=True):
        apart = np.abs(cam(peaks_hz(without)) - target)
        assert apart.min() > protected - 0.08, "the maskers, as they sound"
        assert np.abs(cam(peaks_hz(with_target)) - target).min() < 0.05, "the target among them"
    declared = [abs(cam(e.frequency_hz) - target) for e in signal.background[1:]]
    assert min(declared) >= protected - 1e-6


def test_maskers_are_uniform_on_the_erb_scale_over_what_is_left():
    design = info(frequency_low_hz=1000, frequency_high_hz=1000, n_maskers=20, n_bursts=8)
    masker_hz = [e.frequency_hz for s in range(30) for e in draw(design, s).background[1:]]
    places, low, high = cam(masker_hz), cam(200), cam(5000)
    below, above = cam(1000) - 2 - low, high - cam(1000) - 2
    assert low <= places.min() and places.max() <= high
    share = np.mean(places < cam(1000))
    assert share == pytest.approx(below / (below + above), abs=4 * np.sqrt(0.25 / len(places)))
    assert places[places < cam(1000)].mean() == pytest.approx(low + below / 2, abs=0.3)
    assert places[places > cam(1000)].mean() == pytest.approx(high - above / 2, abs=0.3)


@pytest.mark.parametrize("seed", SEEDS)
def test_maskers_are_new_in_every_burst_or_the_same_in_all(seed):
    _, new = draw_pair(info(), seed, "cue")
    _, same = draw_pair(info(maskers_drawn="once"), seed, "cue")
    spectra = {
        name: [np.abs(np.fft.rfft(b)) for b in bursts(one)]
        for name, one in (("new", new), ("same", same))
    }

    def alike(a, b):
        return float(np.corrcoef(a, b)[0, 1])

    pairs_of_new = list(itertools.combinations(spectra["new"], 2))
    assert np.mean([alike(a, b) for a, b in pairs_of_new]) < 0.5
    assert len({e.frequency_hz for e in new.background[1:]}) == 36
    assert len({e.frequency_hz for e in same.background[1:]}) == 6
    assert min(alike(a, b) for a, b in itertools.combinations(spectra["same"], 2)) > 0.7


def test_levels_of_cue_target_and_maskers():
    design = info(n_maskers=1, cue_level_dbfs=-18.0, level_dbfs=-26.0, masker_level_dbfs=-40.0)
    signal, other = draw_pair(design, 0, "cue")
    cue = synthesise(signal)[4800:8000]
    assert level_dbfs(cue[160:-160]) == pytest.approx(-18.0, abs=0.1)
    assert [level_dbfs(b[160:-160]) for b in bursts(other)] == pytest.approx([-40.0] * 6, abs=0.6)
    alone = synthesise(dataclasses.replace(signal, background=()))
    targets = [level_dbfs(alone[a + 160 : b - 160]) for a, b in runs(alone)]
    assert targets == pytest.approx([-26.0] * 6, abs=0.15)


DESIGNS = {
    "white masker": (ForwardMasking(), "detect"),
    "band masker": (ForwardMasking(masker="band"), "detect"),
    "tone masker": (ForwardMasking(masker="tone"), "cue"),
    "informational": (InformationalMasking(), "cue"),
}


@pytest.mark.parametrize(("design", "name"), DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize("seed", range(20))
def test_the_counterpart_lacks_the_target_and_nothing_else(design, name, seed):
    signal, other = draw_pair(design, seed, name)
    assert (task(name).truth(signal), task(name).truth(other)) == ("yes", "no")
    assert other == dataclasses.replace(signal, events=())
    assert signal.background == other.background != ()
    for one in (signal, other):
        assert pair_of(Stimulus.from_json(one.to_json()), name) == (signal, other)


@pytest.mark.parametrize(("design", "name"), DESIGNS.values(), ids=DESIGNS)
def test_the_ideal_observer_is_not_masked(design, name):
    """d' = sqrt(2E/N0) of the targets alone: the masker is known exactly."""
    noisy = design.replace(noise_sigma=0.005)
    pair = draw_pair(noisy, 0, name)
    alone = dataclasses.replace(pair[0], background=(), noise_sigma=0.0)
    energy = float(np.sum(synthesise(alone).astype(float) ** 2)) / FS
    n0 = 2 * 0.005**2 / FS
    assert pair_d_prime(pair[0], name) == pytest.approx(np.sqrt(2 * energy / n0), rel=1e-3)
    scores = IdealObserver().score([Question(one, name) for one in pair]).log_probs
    assert scores[0, 0] > scores[0, 1] and scores[1, 1] > scores[1, 0]


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("forward_masking", {"onset_s": 3.8}, r"end at 4.14 s, the clip at 4.00 s; lower one"),
        ("forward_masking", {"masker": "pink"}, r"masker='pink' is not known; choose one of"),
        ("forward_masking", {"event_duration_ms": 8}, r"do not fit an event of 8 ms; shorten"),
        ("forward_masking", {"delay_ms": -5}, r"delay_ms=-5 ms is below the limit 0 ms"),
        ("informational_masking", {"protected_cam": 15}, r"=15 around.*leaves no room.*lower it"),
        ("informational_masking", {"n_bursts": 28}, r"n_bursts=28.*the clip at 4.00 s; lower"),
        (
            "informational_masking",
            {"n_bursts": 12, "n_maskers": 20, "gap_ms": 0},
            r"are 253 sounds, above the limit 200 of a clip; lower one",
        ),
        ("informational_masking", {"frequency_low_hz": 2000}, r"=2000 is above.*=1500; swap them"),
        ("informational_masking", {"masker_low_hz": 6000}, r"masker_low_hz=6000 is above.*swap"),
    ],
)
def test_what_does_not_fit_is_refused_with_value_limit_and_remedy(name, params, words):
    with pytest.raises(UserError, match=words):
        draw(family(name).from_dict(params), 0)
