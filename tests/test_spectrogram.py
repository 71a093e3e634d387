"""Spectrograms: levels and places of known tones; the log-mel is the model's own."""

import numpy as np
import pytest
from PIL import Image

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.scales import mel_channel
from spectcount.spectrogram import log_mel, stft_db, write_png
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise, white_noise


def tone(seconds, hz=1000.0, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * 16000)) / 16000)


def test_golden_log_mel_of_a_tone():
    found = log_mel(tone(30.0))
    assert found.values.shape == (128, 3000)
    assert found.values.max() == pytest.approx(1.474446, abs=1e-6)
    assert found.values.min() == pytest.approx(-0.525554, abs=1e-6)
    assert found.floor == pytest.approx(-0.525554, abs=1e-6)
    assert int(found.values.max(axis=1).argmax()) == 42


def test_golden_log_mel_of_silence():
    found = log_mel(np.zeros(16000))
    assert np.all(found.values == -1.5)
    assert found.floor == -1.5


def test_log_mel_axes():
    found = log_mel(tone(1.0))
    assert found.values.shape == (128, 100)
    assert found.times_s[[0, -1]] == pytest.approx([0, 0.99])
    assert mel_channel(found.frequencies_hz) == pytest.approx(np.arange(128), abs=1e-3)


def test_the_padded_window_begins_with_the_clips_own_frames():
    clip = draw(Pulses(duration_s=2), 0)
    short, padded = log_mel(synthesise(clip)), log_mel(synthesise(clip), 10.0, padded=True)
    assert padded.values.shape == (128, 1000)
    assert padded.values[:, :200] == pytest.approx(short.values, abs=1e-9)


def test_nothing_lies_more_than_80_db_below_the_loudest_cell():
    found = log_mel(synthesise(draw(Pulses(level_dbfs=-1, noise_sigma=1e-4, gap_ms=200), 0)))
    assert found.values.max() - found.values.min() == pytest.approx(2.0)
    assert found.values.min() == pytest.approx(found.floor)


def test_a_clip_longer_than_the_window_is_refused():
    with pytest.raises(UserError, match=r"lasts 11 s, the front end's window 10 s"):
        log_mel(np.zeros(11 * 16000), window_s=10)


@pytest.mark.slow
@pytest.mark.parametrize("window_s,seconds", [(30, 4.0), (10, 2.5), (10, 10.0), (10, 9.99)])
def test_log_mel_equals_the_feature_extractors(window_s, seconds):
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=128, chunk_length=window_s)
    clip = tone(seconds, 700.0, 0.2) + 0.001 * white_noise(round(seconds * 16000), 1)
    clip = clip.astype(np.float32)
    found = log_mel(clip, window_s, padded=True).values
    in_single = extractor(clip, sampling_rate=16000, return_tensors="np").input_features[0]
    assert np.max(np.abs(found - in_single)) < 1e-4
    window = np.pad(clip.astype(float), (0, window_s * 16000 - len(clip)))
    in_double = extractor._np_extract_fbank_features(window[None], "cpu")[0]
    assert np.max(np.abs(found - in_double)) < 1e-5


def test_stft_shows_level_frequency_and_time():
    event = Event(0.5, 0.3, 2000.0, -20.0)
    found = stft_db(synthesise(Stimulus(1.0, (event,))))
    row, column = np.unravel_index(found.values.argmax(), found.values.shape)
    assert found.values.max() == pytest.approx(-20, abs=0.1)
    assert found.frequencies_hz[row] == 2000
    assert 0.5 < found.times_s[column] < 0.8
    loud = found.times_s[found.values[row] > -26.02]
    assert (loud[0], loud[-1]) == (pytest.approx(0.5, abs=0.006), pytest.approx(0.795, abs=0.006))
    assert found.values[:, found.times_s < 0.48].max() == found.floor


@pytest.mark.parametrize("seconds", [0.5, 4.0, 30.0])
def test_stft_frames_stay_few_and_span_the_clip(seconds):
    found = stft_db(np.zeros(round(seconds * 16000), np.float32))
    assert found.values.shape == (len(found.frequencies_hz), len(found.times_s))
    assert len(found.times_s) <= 1601
    assert found.times_s[-1] == pytest.approx(seconds, abs=0.02)


def test_the_picture_holds_both_panels_and_the_outlines(tmp_path):
    stimulus = draw(Pulses(), 0)
    write_png(tmp_path / "with.png", stimulus, synthesise(stimulus))
    bare = Stimulus(stimulus.duration_s, (), stimulus.noise_sigma, stimulus.noise_seed)
    write_png(tmp_path / "bare.png", bare, synthesise(stimulus))
    pictures = [np.asarray(Image.open(tmp_path / n)) for n in ("with.png", "bare.png")]
    assert pictures[0].shape == pictures[1].shape
    rows = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(1, 2)))
    middle = pictures[0].shape[0] // 2
    assert rows.min() < middle < rows.max()


@pytest.mark.parametrize("duration_s", [0.5, 30.0])
def test_pictures_of_every_length_are_drawn(tmp_path, duration_s):
    clip = Stimulus(duration_s, (), 0.001)
    write_png(tmp_path / "clip.png", clip, synthesise(clip))
    assert Image.open(tmp_path / "clip.png").size[0] > 1000
