"""Discrimination of frequency, level and duration: the difference is the declared one, measured on
the samples; the counterpart exchanges it and keeps everything else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from spectcount.designs import draw
from spectcount.designs.duration_discrimination import DurationDiscrimination
from spectcount.designs.frequency_discrimination import FrequencyDiscrimination
from spectcount.designs.level_discrimination import LevelDiscrimination
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.synth import synthesise
from spectcount.tasks import task
from tests.designs.listening import FS, level_dbfs, peak_hz

FAMILIES = {
    "higher": FrequencyDiscrimination(frequency_rove_cam=3, level_rove_db=4),
    "louder": LevelDiscrimination(overall_rove_db=5),
    "longer": DurationDiscrimination(duration_rove_percent=30, level_rove_db=4),
}
EXCHANGED = {"higher": "frequency_hz", "louder": "level_dbfs", "longer": "duration_s"}


def cam(f_hz):
    """ERB-number, Glasberg & Moore (1990), written out here once more."""
    return 21.4 * np.log10(0.00437 * np.asarray(f_hz) + 1)


def two(stimulus):
    """First sample and one past the last of the two sounds of a clip without noise."""
    loud = np.flatnonzero(synthesise(stimulus))
    split = int(np.argmax(np.diff(loud)))
    return (loud[0], loud[split] + 1), (loud[split + 1], loud[-1] + 1)


def sounds(stimulus):
    wave = synthesise(stimulus).astype(np.float64)
    return [wave[start:stop] for start, stop in two(stimulus)]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
def test_the_counterpart_exchanges_one_thing_and_keeps_the_rest(name, seed):
    pair = draw_pair(FAMILIES[name], seed, name)
    assert tuple(task(name).truth(one) for one in pair) == ("first", "second")
    (a, b), (c, d) = (one.events for one in pair)
    exchanged = EXCHANGED[name]
    assert (getattr(a, exchanged), getattr(b, exchanged)) == (
        getattr(d, exchanged),
        getattr(c, exchanged),
    )
    moved = {exchanged, "onset_s"} if name == "longer" else {exchanged}
    for ours, theirs in ((a, c), (b, d)):
        one, other = ours.to_dict(), theirs.to_dict()
        assert {k for k in one if one[k] != other[k]} <= moved
    assert b.onset_s - a.offset_s == pytest.approx(d.onset_s - c.offset_s, abs=1e-9)
    assert (pair[0].noise_seed, pair[0].duration_s) == (pair[1].noise_seed, pair[1].duration_s)


@pytest.mark.parametrize("cents", [5.0, 100.0, 900.0])
@pytest.mark.parametrize("f_hz", [300.0, 1000.0, 4000.0])
def test_the_two_frequencies_differ_by_the_declared_cents(cents, f_hz):
    design = FrequencyDiscrimination(difference=cents, frequency_hz=f_hz, noise_sigma=0)
    for k, stimulus in enumerate(draw_pair(design, 1, "higher")):
        first, second = map(peak_hz, sounds(stimulus))
        sign = 1 - 2 * k
        assert 1200 * np.log2(first / second) == pytest.approx(sign * cents, abs=0.3)
        assert np.sqrt(first * second) == pytest.approx(f_hz, rel=1e-3)


@pytest.mark.parametrize("difference", [0.1, 1.0, 5.0])
def test_the_two_frequencies_differ_by_the_declared_cam(difference):
    design = FrequencyDiscrimination(difference=difference, unit="cam", noise_sigma=0)
    first, second = (cam(peak_hz(s)) for s in sounds(draw(design, 2)))
    assert first - second == pytest.approx(difference, abs=0.002)
    assert (first + second) / 2 == pytest.approx(cam(1000), abs=0.01)


def test_the_centre_roves_uniformly_in_cam_and_levels_one_by_one():
    events = [draw(FAMILIES["higher"], seed).events for seed in range(300)]
    centres = cam([np.sqrt(a.frequency_hz * b.frequency_hz) for a, b in events])
    assert stats.kstest(centres, "uniform", (cam(1000) - 3, 6)).pvalue > 1e-3
    levels = np.array([[e.level_dbfs for e in pair] for pair in events])
    assert stats.kstest(levels.ravel(), "uniform", (-24, 8)).pvalue > 1e-3
    assert abs(np.corrcoef(levels.T)[0, 1]) < 0.2


@pytest.mark.parametrize("carrier", ["tone", "white", "band"])
@pytest.mark.parametrize("difference", [0.5, 6.0, 20.0])
def test_the_two_levels_differ_by_the_declared_decibels(carrier, difference):
    design = LevelDiscrimination(carrier_wave=carrier, difference_db=difference, noise_sigma=0)
    for k, stimulus in enumerate(draw_pair(design, 3, "louder")):
        first, second = (level_dbfs(s) for s in sounds(stimulus))
        assert first - second == pytest.approx((1 - 2 * k) * difference, abs=0.05)


def test_both_levels_rove_together_about_the_middle():
    events = [draw(FAMILIES["louder"], seed).events for seed in range(300)]
    middles = np.array([(a.level_dbfs + b.level_dbfs) / 2 for a, b in events])
    assert stats.kstest(middles, "uniform", (-29, 10)).pvalue > 1e-3
    assert [a.level_dbfs - b.level_dbfs for a, b in events] == pytest.approx([6.0] * 300)


@pytest.mark.parametrize("carrier", ["tone", "white"])
@pytest.mark.parametrize(
    ("unit", "difference", "longer_ms"), [("ms", 37.5, 237.5), ("percent", 15.0, 230.0)]
)
def test_the_two_lengths_differ_to_the_sample(carrier, unit, difference, longer_ms):
    design = DurationDiscrimination(
        carrier_wave=carrier,
        unit=unit,
        difference=difference,
        frequency_hz=1503,
        ramp_ms=0,
        noise_sigma=0,
    )
    for k, stimulus in enumerate(draw_pair(design, 4, "longer")):
        (a, b), (c, d) = two(stimulus)
        lengths = (b - a, d - c)[:: 1 - 2 * k]
        assert lengths == (pytest.approx(16 * longer_ms, abs=1), pytest.approx(3200, abs=1))
        assert c - b == pytest.approx(16 * 400, abs=1)


def test_both_lengths_rove_together():
    design = DurationDiscrimination(duration_rove_percent=30, unit="percent", difference=20)
    events = [draw(design, seed).events for seed in range(300)]
    shorter = np.array([1000 * b.duration_s for _, b in events])
    assert stats.kstest(shorter, "uniform", (140, 120)).pvalue > 1e-3
    assert [a.duration_s / b.duration_s for a, b in events] == pytest.approx([1.2] * 300)
    in_ms = DurationDiscrimination(duration_rove_percent=30, difference=20)
    pairs = [draw(in_ms, seed).events for seed in range(30)]
    assert [a.duration_s - b.duration_s for a, b in pairs] == pytest.approx([0.02] * 30)


def test_silence_between_the_two_is_silence():
    for name, design in FAMILIES.items():
        stimulus = draw(design.replace(noise_sigma=0), 0)
        (_, stop), (start, _) = two(stimulus)
        assert start - stop >= 0.399 * FS, name
        assert not synthesise(stimulus)[stop:start].any()


@pytest.mark.parametrize(
    ("family", "values", "words"),
    [
        (
            FrequencyDiscrimination,
            {"frequency_hz": 7500, "difference": 400},
            r"frequencies from \d+ to 8418 Hz can be drawn, the limits are 20 and 7500.*lower diff",
        ),
        (FrequencyDiscrimination, {"gap_ms": 1400}, r"ends at 2\.200 s, the clip at 2 s; lower"),
        (FrequencyDiscrimination, {"unit": "hz"}, "'hz' is not known; choose one of cents, cam"),
        (
            FrequencyDiscrimination,
            {"level_dbfs": -1, "level_rove_db": 2},
            r"level_dbfs=-1 can become 1\.00 dBFS.*lower level_dbfs or level_rove_db",
        ),
        (
            LevelDiscrimination,
            {"level_dbfs": -5, "difference_db": 12},
            r"can become 1\.00 dBFS.*lower level_dbfs or overall_rove_db or difference_db",
        ),
        (LevelDiscrimination, {"event_duration_ms": 900}, "the second sound ends at 2.600 s"),
        (
            DurationDiscrimination,
            {"difference": 1900},
            r"the second sound ends at 3\.100 s, the clip at 2\.5 s; lower onset_s",
        ),
        (
            DurationDiscrimination,
            {"event_duration_ms": 30, "duration_rove_percent": 50},
            r"a sound of 15 ms is shorter than its two ramps, 20 ms; lower ramp_ms",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(family, values, words):
    with pytest.raises(UserError, match=words):
        family(**values)
