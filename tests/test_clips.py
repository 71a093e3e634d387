"""Clips from files: what is accepted, what is said about it, what is refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
import soundfile

from spectcount import clips
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


def test_the_clip_of_a_stimulus_is_one_file_to_the_byte(tmp_path):
    """libsndfile's PEAK chunk holds the time."""
    stimulus = Stimulus(1.0, (Event(0.2, 0.1, 1000.0, -14.0),), 0.01)
    save_clip(tmp_path / "a.wav", stimulus)
    time.sleep(1.1)
    save_clip(tmp_path / "b.wav", stimulus)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.format, info.subtype, info.frames) == ("WAV", "FLOAT", 16_000)
    assert b"PEAK" not in (tmp_path / "a.wav").read_bytes()


NOISE = 0.01 * np.random.default_rng(1).standard_normal((2, 48_000))


@pytest.mark.parametrize(
    ("left", "right", "channel"),
    [
        (1.0, -1.0, 0),
        (0.8, -1.0, 1),
        (1.0, -0.9, 0),
        (-0.5, 0.5, 0),
        (1.0, 1.0, None),
        (1.0, 0.0, None),
        (1.0, 0.3, None),
        (0.0, 0.0, None),
    ],
)
def test_channels_that_cancel_in_the_mix_are_not_mixed(tmp_path, left, right, channel):
    tone = 0.4 * np.sin(2 * np.pi * 500 * np.arange(48_000) / 16_000)
    stereo = np.stack([left * tone + NOISE[0], right * tone + NOISE[1]], axis=1)
    clip = read_clip(write(tmp_path / "a.wav", stereo))
    assert clip.channel == channel
    if channel is None:
        assert clip.notes == ("2 channels were mixed to one",)
        return
    assert clip.notes == (
        f"the 2 channels cancel in their mix; channel {channel + 1} was taken alone",
    )
    assert np.abs(clip.waveform - stereo[:, channel]).max() < 1e-4


def test_a_second_that_cancels_is_enough(tmp_path):
    tone = 0.4 * np.sin(2 * np.pi * 500 * np.arange(48_000) / 16_000)
    other = np.where(np.arange(48_000) < 32_000, tone, -tone)
    clip = read_clip(write(tmp_path / "a.wav", np.stack([tone, other], axis=1)))
    assert clip.channel == 0 and np.abs(clip.waveform[40_000:]).max() > 0.3


def test_what_was_coded_with_loss_is_lowered_and_not_refused(tmp_path):
    square = np.sign(np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000))
    clip = read_clip(write(tmp_path / "a.mp3", 0.999 * square))
    assert clip.lowered_db > 0 and np.abs(clip.waveform).max() == pytest.approx(1)
    assert "decoding overshot full scale" in clip.notes[-1]


@pytest.mark.parametrize(
    ("rate", "channels", "words"),
    [
        (655_350, 1, "655350 samples a second, 1000 to 384000 are read"),
        (8_000, 9, "9 channels, the limit is 8"),
        (8_000, 2, r"lasts 31\.00 s, the limit is 30 s"),
    ],
)
def test_a_small_file_that_decodes_to_a_large_one_is_refused_by_its_header(
    tmp_path, monkeypatch, rate, channels, words
):
    form = "FLAC" if channels <= 8 else "WAV"
    path = tmp_path / "a.bin"
    soundfile.write(path, np.zeros((31 * min(rate, 8000), channels)), rate, format=form)
    monkeypatch.setattr(clips, "_blocks", lambda data, size: pytest.fail("it was decoded"))
    with pytest.raises(UserError, match=words):
        read_clip(path)
