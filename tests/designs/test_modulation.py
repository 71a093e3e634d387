"""The family `modulation`: rate and depth read from the Hilbert envelope, sidebands from the
spectrum, level unchanged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.signal import hilbert

from spectcount.designs import draw
from spectcount.designs.modulation import Modulation
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.synth import synthesise
from tests.designs.listening import FS, level_dbfs

STEADY = slice(round(0.52 * FS), round(1.48 * FS))
"""Between the ramps of the default sound."""


def design(**values):
    return Modulation(**{"noise_sigma": 0.0, **values})


def waves(made, seed):
    pair = draw_pair(made, seed, "modulated")
    return tuple(synthesise(one).astype(np.float64) for one in pair)


def fitted_depth(envelope, rate_hz):
    """Amplitude of the envelope's component at a rate over its mean, by least squares."""
    t = 2 * np.pi * rate_hz * np.arange(len(envelope)) / FS
    basis = np.stack([np.ones(len(t)), np.sin(t), np.cos(t)], axis=1)
    mean, a, b = np.linalg.lstsq(basis, envelope, rcond=None)[0]
    return np.hypot(a, b) / mean


@pytest.mark.parametrize(("rate_hz", "depth_db"), [(4, -3), (8, -20), (40, -10), (150, -30)])
def test_rate_and_depth_of_a_tones_envelope(rate_hz, depth_db):
    made = design(carrier_wave="tone", frequency_hz=2000, am_rate_hz=rate_hz, am_depth_db=depth_db)
    for seed in range(3):
        wave, steady = waves(made, seed)
        envelope = np.abs(hilbert(wave))[STEADY]
        spectrum = np.abs(
            np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)), 1 << 18)
        )
        assert np.argmax(spectrum) * FS / (1 << 18) == pytest.approx(rate_hz, rel=0.02, abs=0.1)
        depth = fitted_depth(envelope, rate_hz)
        assert 20 * np.log10(depth) == pytest.approx(depth_db, abs=0.1)
        assert np.ptp(np.abs(hilbert(steady))[STEADY][200:-200]) < 1e-3


def test_a_noises_envelope_is_modulated_by_the_declared_factor():
    made = design(am_rate_hz=16, am_depth_db=-6, am_phase_deg=90)
    wave, steady = waves(made, 2)
    clear = np.flatnonzero(np.abs(steady) > 0.01)
    t = (clear - 8000) / FS
    m = 10 ** (-6 / 20)
    factor = (1 + m * np.cos(2 * np.pi * 16 * t)) / np.sqrt(1 + m**2 / 2)
    assert wave[clear] / steady[clear] == pytest.approx(factor, abs=1e-4)


def test_sidebands_of_a_tone_lie_at_the_rate_with_half_the_depth():
    made = design(
        carrier_wave="tone", frequency_hz=3000, am_rate_hz=100, am_depth_db=-12, ramp_ms=0
    )
    wave = waves(made, 0)[0][8000:24000]
    lines = 20 * np.log10(np.abs(np.fft.rfft(wave)) + 1e-12)
    assert lines[3000] == lines.max()
    for k in (2900, 3100):
        assert lines[k] - lines[3000] == pytest.approx(-12 - 6.02, abs=0.05)
    assert np.delete(lines, (2900, 3000, 3100)).max() < lines[3000] - 100


@pytest.mark.parametrize("carrier", ["white", "band", "tone"])
@pytest.mark.parametrize("depth_db", [0.0, -6.0])
def test_the_modulated_sound_has_the_level_of_the_steady_one(carrier, depth_db):
    made = design(
        carrier_wave=carrier,
        am_depth_db=depth_db,
        ramp_ms=0,
        frequency_hz=2000,
        bandwidth_hz=1000,
        am_rate_hz=20,
    )
    pairs = [waves(made, seed) for seed in range(6)]
    change = [level_dbfs(a[8000:24000]) - level_dbfs(b[8000:24000]) for a, b in pairs]
    chance_db = {"white": 0.08, "band": 0.25, "tone": 0.01}[carrier]
    assert np.mean(change) == pytest.approx(0, abs=chance_db)
    levels = [level_dbfs(b[8000:24000]) for _, b in pairs]
    assert np.mean(levels) == pytest.approx(-20, abs=0.08)


def test_phase_is_random_or_given_and_the_pair_shares_everything_else():
    phases = [draw(design(), seed).events[0].am_phase_deg for seed in range(300)]
    assert stats.kstest(phases, "uniform", (0, 360)).pvalue > 1e-3
    assert draw(design(am_phase_deg=40), 5).events[0].am_phase_deg == 40
    signal, other = draw_pair(Modulation(level_rove_db=5), 4, "modulated")
    a, b = (one.events[0].to_dict() for one in (signal, other))
    assert {k for k in {**a, **b} if a.get(k) != b.get(k)} == {
        "am_depth",
        "am_rate_hz",
        "am_phase_deg",
    }
    assert signal.noise_seed == other.noise_seed


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"am_rate_hz": 0.5}, r"am_rate_hz=0\.5 has 0\.48 periods.*limit is 1; raise the rate"),
        (
            {"carrier_wave": "tone", "frequency_hz": 200, "am_rate_hz": 250},
            "sidebands of the carrier lie from -50 to 450 Hz, the limits are 0 and 7500",
        ),
        (
            {"carrier_wave": "band", "frequency_hz": 7000, "am_rate_hz": 900},
            r"from 5900 to 8100 Hz.*move frequency_hz",
        ),
        ({"level_dbfs": 0, "level_rove_db": 1}, "can become 1.00 dBFS"),
        ({"am_depth_db": 1}, "am_depth_db=1 dB is above the limit 0 dB"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(values, words):
    with pytest.raises(UserError, match=words):
        Modulation(**values)


def test_a_noise_that_would_clip_is_refused_when_rendered():
    with pytest.raises(UserError, match="dB over full scale; lower level_dbfs"):
        synthesise(draw(Modulation(level_dbfs=-6, am_depth_db=0), 0))
