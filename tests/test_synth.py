"""Synthesis: the declared sound is in the clip, the same bytes everywhere.

Golden digests: `sha256(synthesise(golden(WAVE)).tobytes())`, synthesis version 1.
"""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.signal import hilbert

from spectcount import carriers
from spectcount.errors import UserError
from spectcount.stimulus import WAVES, Event, Stimulus
from spectcount.synth import event_waveform, normal_quantile, sine_cycles, synthesise, white_noise

EVENT = Event(0.05, 0.1, 700.0, -12.0, phase_deg=30.0)
SOUND = (((np.arange(8000) * 37) % 101 - 50) / 128).astype(np.float32)
"""Stands for a recording."""
CARRIER = hashlib.sha256(SOUND.astype("<f4").tobytes()).hexdigest()[:16]
EVENTS = {
    "sine": EVENT,
    "harmonic": dataclasses.replace(EVENT, wave="harmonic", n_harmonics=4),
    "noise": dataclasses.replace(EVENT, wave="noise", bandwidth_hz=200.0, seed=5),
    "chirp": dataclasses.replace(EVENT, wave="chirp", end_frequency_hz=1400.0),
    "white": dataclasses.replace(EVENT, wave="white", seed=5),
    "clip": dataclasses.replace(EVENT, wave="clip", carrier=CARRIER),
}
DIGESTS = {
    "sine": "701b05177ea80723e0737d6234e54b48b20178e6f167bcd9e05207eb59bc7315",
    "harmonic": "a5bb9125c89698d779d6ebcc6c6a9ff25e040b1e6acab9531336dec097b17923",
    "noise": "f171a3eccc514a8ec6a0fb9b72284e074b1fb33720dafd3d1969f45a16344b8e",
    "chirp": "890e0d1a3a694027c5b52d8d3f07b8ba83d418533dba2ba59cd6f8a6227c9ec8",
    "white": "33f491f1440b32398ca277a1d6af10f25e0e721cda8cb0994933797d11c01bc6",
    "clip": "820c26bdfd2fe11f26c11262928d64fa3780fa71baad6ad7071221a9d2041947",
}
RENDER = """
import hashlib, json, pathlib, sys
from spectcount.carriers import use_folder
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise
use_folder(pathlib.Path(sys.argv[1]))
for text in reversed(json.load(sys.stdin)):
    print(hashlib.sha256(synthesise(Stimulus.from_json(text)).tobytes()).hexdigest())
"""


@pytest.fixture(autouse=True, scope="module")
def carrier_folder(tmp_path_factory):
    """The recording is on this machine."""
    folder = tmp_path_factory.mktemp("carriers")
    carriers.use_folder(folder)
    assert carriers.register(SOUND) == CARRIER
    return folder


def golden(wave: str) -> Stimulus:
    return Stimulus(0.25, (EVENTS[wave],), noise_sigma=0.01, noise_seed=3)


def digest(stimulus: Stimulus) -> str:
    return hashlib.sha256(synthesise(stimulus).tobytes()).hexdigest()


def spectrum_peak_hz(wave: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 18))
    return float(np.argmax(spectrum)) * 16000 / (1 << 18)


@pytest.mark.parametrize("wave", WAVES)
def test_golden_bytes(wave):
    assert digest(golden(wave)) == DIGESTS[wave]


def test_other_processes_and_orders_give_the_same_bytes(root, carrier_folder):
    texts = [golden(wave).to_json() for wave in WAVES]
    for n_threads, hash_seed in (("1", "1"), ("2", "77")):
        done = subprocess.run(
            [sys.executable, "-c", RENDER, str(carrier_folder)],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": n_threads, "PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.split()[::-1] == [DIGESTS[wave] for wave in WAVES]


def test_a_tone_has_the_declared_frequency_level_onset_and_offset():
    wave = synthesise(Stimulus(0.5, (EVENT,)))
    inside = wave[round(0.055 * 16000) : round(0.138 * 16000)]
    assert wave.dtype == np.float32 and wave.shape == (8000,)
    assert spectrum_peak_hz(inside) == pytest.approx(700, abs=0.5)
    assert np.max(np.abs(inside)) == pytest.approx(10 ** (-12 / 20), rel=1e-3)
    heard = np.flatnonzero(wave)
    assert heard[0] == pytest.approx(0.05 * 16000, abs=1)
    assert heard[-1] == pytest.approx(0.15 * 16000, abs=1)


def test_the_envelope_rises_and_falls_linearly():
    event = Event(0.1, 0.2, 4000.0, 0.0, attack_ms=50, release_ms=100, phase_deg=90)
    wave = event_waveform(event, 16000, 8000)
    crest = np.abs(wave).reshape(-1, 4).max(axis=1)
    at = {ms: crest[round(ms * 16 / 4)] for ms in (110, 125, 140, 180, 225, 250, 275)}
    expected = {110: 0.2, 125: 0.5, 140: 0.8, 180: 1.0, 225: 0.75, 250: 0.5, 275: 0.25}
    assert at == pytest.approx(expected, abs=0.01)


def test_raised_cosine_ramps_are_raised_cosines():
    event = Event(0.1, 0.2, 4000.0, 0.0, attack_ms=50, release_ms=100, phase_deg=90, ramp="cosine")
    crest = np.abs(event_waveform(event, 16000, 8000)).reshape(-1, 4).max(axis=1)
    at = {ms: crest[round(ms * 16 / 4)] for ms in (110, 125, 140, 180, 225, 250, 275)}
    rise = {ms: 0.5 - 0.5 * np.cos(np.pi * (ms - 100) / 50) for ms in (110, 125, 140)}
    fall = {ms: 0.5 - 0.5 * np.cos(np.pi * (300 - ms) / 100) for ms in (225, 250, 275)}
    assert at == pytest.approx({**rise, 180: 1.0, **fall}, abs=0.01)
    energy = np.sum(event_waveform(event, 16000, 8000) ** 2) / 16000
    assert energy == pytest.approx(event.energy, rel=0.01)


def test_modulation_has_the_declared_rate_and_depth_and_keeps_the_rms():
    event = Event(0.0, 1.0, 2000.0, -6.0, attack_ms=0, release_ms=0, am_rate_hz=8, am_depth=0.5)
    wave = event_waveform(event, 16000, 16000)
    envelope = np.abs(hilbert(wave))
    spectrum = np.abs(np.fft.rfft(envelope))
    assert np.argmax(spectrum[1:]) + 1 == 8
    assert 2 * spectrum[8] / spectrum[0] == pytest.approx(0.5, abs=0.01)
    assert np.sqrt(2 * np.mean(wave**2)) == pytest.approx(10 ** (-6 / 20), rel=1e-3)


def test_a_gap_inside_an_event_is_silence_of_the_declared_length():
    event = Event(
        0.1,
        0.3,
        1003.0,
        -6.0,
        gap_ms=20,
        gap_onset_ms=150,
        gap_ramp_ms=2,
        attack_ms=0,
        release_ms=0,
        phase_deg=17,
    )
    wave = event_waveform(event, 16000, 8000)
    silent = np.flatnonzero(np.abs(wave[1600:6400]) < 1e-12)
    inside = silent[(silent > 2000) & (silent < 3000)]
    assert (len(inside), inside[0]) == (320, 2400)
    energy = np.sum(wave**2) / 16000
    assert energy == pytest.approx(event.energy, rel=0.01)


def test_gaps_are_digital_silence_without_noise():
    second = dataclasses.replace(EVENT, onset_s=0.19)
    wave = synthesise(Stimulus(0.5, (EVENT, second)))
    gap = wave[round(0.15 * 16000) : round(0.19 * 16000)]
    assert len(gap) == 640 and not gap.any()


@pytest.mark.parametrize("wave", WAVES)
def test_every_wave_has_the_rms_of_the_sine_at_its_level(wave):
    event = dataclasses.replace(EVENTS[wave], duration_s=0.4, attack_ms=0, release_ms=0)
    samples = synthesise(Stimulus(0.5, (event,)))[800:7200].astype(float)
    rms_db = 20 * np.log10(np.sqrt(2 * np.mean(samples**2)))
    assert rms_db == pytest.approx(-12, abs=0.5 if wave in ("noise", "white") else 0.05)


@pytest.mark.parametrize("wave", ["sine", "harmonic", "chirp"])
def test_declared_energy_is_in_the_clip(wave):
    samples = event_waveform(EVENTS[wave], 16000, 4000)
    assert np.sum(samples**2) / 16000 == pytest.approx(EVENT.energy, rel=0.02)


def test_a_harmonic_complex_has_its_partials_and_nothing_else():
    event = dataclasses.replace(EVENTS["harmonic"], duration_s=1.0, attack_ms=0, release_ms=0)
    spectrum = np.abs(np.fft.rfft(event_waveform(event, 16000, 16800)[800:]))
    loudest = np.sort(np.argsort(spectrum)[-4:])
    assert loudest.tolist() == [700, 1400, 2100, 2800]
    assert np.sort(spectrum)[-5] < 1e-3 * spectrum.max()


def test_a_noise_band_stays_in_its_band():
    event = dataclasses.replace(EVENTS["noise"], duration_s=1.0, attack_ms=10, release_ms=10)
    power = np.abs(np.fft.rfft(event_waveform(event, 16000, 16800)[800:])) ** 2
    assert power[598:803].sum() / power.sum() > 0.99
    other = dataclasses.replace(event, seed=6)
    assert not np.array_equal(
        event_waveform(event, 16000, 16800), event_waveform(other, 16000, 16800)
    )


def test_a_chirp_glides_from_its_frequency_to_its_end():
    event = dataclasses.replace(EVENTS["chirp"], duration_s=0.4)
    wave = event_waveform(event, 16000, 8000)[800:7200]
    assert spectrum_peak_hz(wave[:640]) == pytest.approx(700 + 35, abs=15)
    assert spectrum_peak_hz(wave[2880:3520]) == pytest.approx(1050, abs=15)
    assert spectrum_peak_hz(wave[-800:-160]) == pytest.approx(1400 - 52, abs=15)


def test_events_and_noise_superpose():
    other = dataclasses.replace(EVENT, onset_s=0.1, frequency_hz=1200.0)
    both = Stimulus(0.25, (EVENT, other), noise_sigma=0.01, noise_seed=3)
    parts = [
        event_waveform(EVENT, 16000, 4000),
        event_waveform(other, 16000, 4000),
        0.01 * white_noise(4000, 3),
    ]
    assert synthesise(both) == pytest.approx(sum(parts), abs=1e-7)


def test_noise_is_white_gaussian_and_of_unit_variance():
    noise = white_noise(1 << 17, 11)
    assert noise.mean() == pytest.approx(0, abs=4 / np.sqrt(len(noise)))
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(noise)))
    assert stats.kstest(noise, "norm").pvalue > 0.01
    assert stats.skew(noise) == pytest.approx(0, abs=0.03)
    assert stats.kurtosis(noise) == pytest.approx(0, abs=0.06)
    power = np.abs(np.fft.rfft(noise)[1:-1]) ** 2 / len(noise)
    bands = power[: len(power) // 64 * 64].reshape(64, -1).mean(axis=1)
    assert bands == pytest.approx(np.ones(64), abs=5 / np.sqrt(len(power) / 64))


def test_noise_seeds_are_independent():
    one, other = white_noise(1 << 16, 1), white_noise(1 << 16, 2)
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / 256
    assert np.array_equal(white_noise(100, 1), one[:100])


def test_the_written_out_functions_are_accurate():
    cycles = np.linspace(-3, 50, 20001)
    assert sine_cycles(cycles) == pytest.approx(np.sin(2 * np.pi * cycles), abs=1e-9)
    q = np.linspace(-0.4999999, 0.4999999, 20001).astype(np.float32)
    assert normal_quantile(q) == pytest.approx(stats.norm.ppf(q.astype(float) + 0.5), abs=2e-6)


def test_clipping_is_refused_by_how_much():
    loud = Stimulus(0.5, (dataclasses.replace(EVENT, level_dbfs=0.0),) * 2)
    with pytest.raises(UserError, match=r"peak at 2\.000, 6\.0 dB over full scale; lower"):
        synthesise(loud)
