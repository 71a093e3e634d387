"""Scales of hearing: mel, ERB-number, decibel, energy over noise density.

Conventions: frequencies in Hz, levels in dB re full-scale sine peak 1.0 (dBFS), noise by its
standard deviation sigma (full scale = 1), one-sided noise density N0 = 2 sigma^2 / fs. Functions
take and give floats or arrays alike.

Sources: Slaney (1998) Auditory Toolbox and O'Shaughnessy (1987) for mel; Glasberg & Moore (1990),
Hear. Res. 47:103, for ERB; Green & Swets (1966) for E/N0.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

N_MELS = 128
HIGHEST_HZ = 7500.0
"""Where sounds are drawn at 16 kHz, at most: of a tone with short ramps at 7.5 kHz some -53 dB lie
above 8 kHz and fold back, of one at 7.99 kHz -14 dB."""
SAMPLE_RATE = 16_000


_HZ_PER_MEL = 200 / 3
_LINEAR_TO_HZ = 1000.0
_LINEAR_TO_MEL = _LINEAR_TO_HZ / _HZ_PER_MEL
_LOG_PER_MEL = np.log(6.4) / 27


def hz_to_mel(f_hz: Any, htk: bool = False) -> Any:
    """Hz -> mel; Slaney's formula (linear below 1 kHz), or HTK's; the numbers are those of librosa,
    whose import takes longer than the first answers of a run."""
    f_hz = np.asarray(f_hz, float)
    if htk:
        return 2595.0 * np.log10(1.0 + f_hz / 700.0)
    above = _LINEAR_TO_MEL + np.log(np.maximum(f_hz, 1.0) / _LINEAR_TO_HZ) / _LOG_PER_MEL
    return np.where(f_hz >= _LINEAR_TO_HZ, above, f_hz / _HZ_PER_MEL)[()]


def mel_to_hz(mel: Any, htk: bool = False) -> Any:
    """mel -> Hz, the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, float)
    if htk:
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = _LINEAR_TO_HZ * np.exp(_LOG_PER_MEL * (np.minimum(mel, 1e4) - _LINEAR_TO_MEL))
    return np.where(mel >= _LINEAR_TO_MEL, above, _HZ_PER_MEL * mel)[()]


@functools.cache
def mel_centres_hz(n_mels: int = N_MELS, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Centres of the mel channels of Whisper's front end, Hz [n_mels]."""
    edges = np.linspace(hz_to_mel(0.0), hz_to_mel(sample_rate / 2), n_mels + 2)
    centres = np.round(mel_to_hz(edges)[1:-1], 4)
    centres.setflags(write=False)
    return centres


def mel_channel(f_hz: Any, n_mels: int = N_MELS, sample_rate: int = SAMPLE_RATE) -> Any:
    """The channel (may be fractional, 0 = lowest) whose centre is at `f_hz`."""
    step = hz_to_mel(sample_rate / 2) / (n_mels + 1)
    return hz_to_mel(f_hz) / step - 1


def erb_hz(f_hz: Any) -> Any:
    """Equivalent rectangular bandwidth at `f_hz`, in Hz."""
    return 24.7 * (4.37 * np.asarray(f_hz) / 1000 + 1)


def erb_number(f_hz: Any) -> Any:
    """ERB-number (Cam) of `f_hz`."""
    return 21.4 * np.log10(4.37 * np.asarray(f_hz) / 1000 + 1)


def erb_number_to_hz(cam: Any) -> Any:
    """Hz at an ERB-number, the inverse of `erb_number`."""
    return (10 ** (np.asarray(cam) / 21.4) - 1) * 1000 / 4.37


def db_to_amplitude(level_db: Any) -> Any:
    """dB -> linear factor."""
    return 10.0 ** (np.asarray(level_db) / 20)


def amplitude_to_db(amplitude: Any) -> Any:
    """Linear factor -> dB; 0 gives -inf."""
    with np.errstate(divide="ignore"):
        return 20 * np.log10(np.abs(amplitude))


def noise_density(sigma: float, sample_rate: int = SAMPLE_RATE) -> float:
    """One-sided density N0 of white noise of standard deviation `sigma`, full-scale^2 per Hz."""
    return 2 * sigma**2 / sample_rate


def e_n0_db(energy: float, sigma: float, sample_rate: int = SAMPLE_RATE) -> float:
    """10 log10(E/N0) of a signal of `energy` (full-scale^2 seconds) in white noise `sigma`."""
    if sigma == 0:
        return float("inf")
    return float(10 * np.log10(energy / noise_density(sigma, sample_rate)))


def sigma_for_e_n0(energy: float, e_n0: float, sample_rate: int = SAMPLE_RATE) -> float:
    """The noise sigma at which a signal of `energy` has 10 log10(E/N0) = `e_n0`."""
    return float(np.sqrt(energy * sample_rate / 2 * 10 ** (-e_n0 / 10)))
