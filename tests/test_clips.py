"""Clips from files: what is accepted, what is said about it, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from spectcount.clips import read_clip, save_clip
from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise

TONE = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.float32)


def write(path, samples=TONE, rate=16_000, **options):
    soundfile.write(path, samples, rate, **options)
    return path


def test_a_saved_stimulus_is_read_back_sample_for_sample(tmp_path):
    stimulus = Stimulus(1.0, (Event(0.2, 0.1, 1000.0, -14.0),), 0.01)
    save_clip(tmp_path / "clip.wav", stimulus)
    clip = read_clip(tmp_path / "clip.wav")
    assert clip.waveform.tobytes() == synthesise(stimulus).tobytes()
    assert clip.notes == ()


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 1e-4),
        ("a.wav", {"subtype": "PCM_24"}, 1e-6),
        ("a.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("a.flac", {}, 1e-4),
        ("a.ogg", {}, 0.1),
    ],
)
def test_formats_are_decoded_to_full_scale_one(tmp_path, name, options, error):
    clip = read_clip(write(tmp_path / name, **options))
    assert clip.waveform.dtype == np.float32 and clip.waveform.shape == TONE.shape
    assert np.abs(clip.waveform - TONE).max() < error


def test_rate_and_channels_are_converted_with_a_note(tmp_path):
    t = np.arange(44_100) / 44_100
    stereo = np.stack([0.5 * np.sin(2 * np.pi * 1000 * t), np.zeros_like(t)], axis=1)
    clip = read_clip(write(tmp_path / "a.wav", stereo, 44_100))
    assert clip.waveform.shape == (16_000,)
    assert clip.notes == (
        "2 channels were mixed to one",
        "resampled from 44100 Hz to 16000 Hz",
    )
    spectrum = np.abs(np.fft.rfft(clip.waveform)) / 8000
    assert np.argmax(spectrum) == 1000
    assert spectrum.max() == pytest.approx(0.25, rel=0.01)


def test_what_lies_above_the_new_nyquist_dies(tmp_path):
    t = np.arange(48_000) / 48_000
    clip = read_clip(write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 12_000 * t), 48_000))
    assert np.abs(clip.waveform[500:-500]).max() < 1e-4


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(0, np.float32), "holds 0 of 0 samples"),
        (np.zeros(16_000 * 5, np.float32), "lasts 5.00 s, the limit is 4 s"),
        (np.array([0, np.nan, 0], np.float32), "not numbers"),
        (np.array([0, 1.5, 0], np.float32), "peaks at 1.500, 3.5 dB over full scale"),
    ],
)
def test_unusable_samples_are_refused(tmp_path, samples, words):
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(UserError, match=words):
        read_clip(path, max_s=4.0)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_files_cut_short_are_refused(tmp_path, name):
    rng = np.random.default_rng(0)
    path = write(tmp_path / name, 0.1 * rng.standard_normal(32_000))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"cut short|cannot be read|samples"):
        read_clip(path)


def test_missing_large_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        read_clip(tmp_path / "none.wav")
    (tmp_path / "a.wav").write_text("not audio at all")
    with pytest.raises(UserError, match="cannot be read as audio"):
        read_clip(tmp_path / "a.wav")
    with pytest.raises(UserError, match=r"has 0 MB, the limit is 1e-06"):
        read_clip(write(tmp_path / "b.wav"), max_mb=1e-6)
