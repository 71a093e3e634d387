"""Real sounds: level, place and excerpt of a recording as event or background; what this machine
does not hold is refused. Files become carriers by content; silent and long ones are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import soundfile

from spectcount import actions, carriers
from spectcount.designs import draw
from spectcount.designs.real_sound import RealSound
from spectcount.errors import UserError
from spectcount.listeners.observers.ideal import pair_d_prime
from spectcount.pairs import draw_pair, pair_of
from spectcount.settings import load_settings
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import task
from tests.designs.listening import FS, level_dbfs, runs

FLAT = {"ramp_ms": 0.0, "noise_sigma": 0.0}


@pytest.fixture
def recording(settings):
    """A made-up recording of 0.6 s: no two stretches of it are alike, and never silent."""
    rng = np.random.default_rng(0)
    samples = (rng.uniform(0.05, 0.4, 9600) * rng.choice([-1, 1], 9600)).astype(np.float32)
    return samples, carriers.register(samples)


@pytest.mark.parametrize("level", [-30.0, -20.0])
def test_events_are_the_recording_at_the_declared_level_and_place(recording, level):
    samples, digest = recording
    design = RealSound(carrier=digest, n_events=3, gap_ms=250.0, level_dbfs=level, **FLAT)
    wave = synthesise(draw(design, 0))
    assert runs(wave) == [(4800 + k * 13600, 14400 + k * 13600) for k in range(3)]
    for start, stop in runs(wave):
        assert level_dbfs(wave[start:stop]) == pytest.approx(level, abs=1e-3)
        assert np.corrcoef(wave[start:stop], samples)[0, 1] > 0.999999


def test_an_excerpt_is_cut_from_where_it_begins_for_as_long_as_it_lasts(recording):
    samples, digest = recording
    design = RealSound(
        carrier=digest, excerpt_start_s=0.2, excerpt_duration_s=0.15, level_dbfs=-26.0, **FLAT
    )
    wave = synthesise(draw(design, 0))
    ((start, stop),) = runs(wave)
    assert (start, stop - start) == (4800, 2400)
    assert np.corrcoef(wave[start:stop], samples[3200:5600])[0, 1] > 0.999999
    assert level_dbfs(wave[start:stop]) == pytest.approx(-26.0, abs=1e-3)


def test_as_background_it_plays_from_the_start_and_tones_sound_in_it(recording):
    samples, digest = recording
    design = RealSound(
        carrier=digest,
        role="background",
        n_events=2,
        onset_s=0.1,
        gap_ms=100.0,
        event_duration_ms=80.0,
        background_level_dbfs=-32.0,
        **FLAT,
    )
    signal, other = draw_pair(design, 0, "detect")
    background = synthesise(other)
    assert runs(background) == [(0, 9600)]
    assert level_dbfs(background[:9600]) == pytest.approx(-32.0, abs=1e-3)
    assert np.corrcoef(background[:9600], samples)[0, 1] > 0.999999
    tones = synthesise(signal).astype(float) - background
    assert [level_dbfs(tones[a:b]) for a, b in ((1600, 2880), (4480, 5760))] == pytest.approx(
        [-20.0] * 2, abs=0.1
    )
    assert np.abs(tones[2880:4480]).max() < 1e-6


@pytest.mark.parametrize("role", ["event", "background"])
@pytest.mark.parametrize("name", ["detect", "interval"])
def test_pairs_hold_and_the_counterpart_lacks_or_moves_the_events(recording, role, name):
    design = RealSound(carrier=recording[1], role=role)
    for seed in range(5):
        pair = draw_pair(design, seed, name)
        assert tuple(task(name).truth(one) for one in pair) == task(name).answers
        assert pair[0].background == pair[1].background
        assert pair_of(Stimulus.from_json(pair[1].to_json()), name) == pair
        if name == "detect":
            assert pair[1] == dataclasses.replace(pair[0], events=())
        else:
            assert pair[1].events[0].onset_s - pair[0].events[0].onset_s == pytest.approx(2.0)


def test_the_ideal_observer_knows_the_recording(recording):
    design = RealSound(carrier=recording[1], noise_sigma=0.01)
    signal, _ = draw_pair(design, 0, "detect")
    alone = synthesise(dataclasses.replace(signal, noise_sigma=0.0)).astype(float)
    n0 = 2 * 0.01**2 / FS
    expected = np.sqrt(2 * np.sum(alone**2) / FS / n0)
    assert pair_d_prime(signal, "detect") == pytest.approx(expected, rel=1e-4)


def test_of_a_long_recording_as_much_is_played_as_fits(recording):
    long = carriers.register(np.tile(recording[0], 10))
    (event,) = draw(RealSound(carrier=long), 0).events
    assert event.offset_s == pytest.approx(4.0)
    twice = draw(RealSound(carrier=long, n_events=2), 0).events
    assert [e.duration_s for e in twice] == pytest.approx([1.75] * 2)
    (background,) = draw(RealSound(carrier=long, role="background"), 0).background
    assert (background.onset_s, background.duration_s) == (0.0, 4.0)


def test_counts_are_the_number_of_events(recording):
    for n in range(4):
        stimulus = draw(RealSound(carrier=recording[1], n_events=n), 0)
        assert task("count").truth(stimulus) == str(n)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"carrier": ""}, r"carrier is empty; give the hash that `python -m spectcount carrier"),
        ({"carrier": "0" * 16}, r"carrier 0{16} is not on this machine; open the recording"),
        ({"carrier": "../../x"}, r"is no hash; give the 16 hex digits"),
        ({"excerpt_start_s": 0.5, "excerpt_duration_s": 0.2}, r"past the end.*0.60 s; lower"),
        ({"excerpt_start_s": 0.6}, r"past the end of the recording, which lasts 0.60 s; lower"),
        (
            {"n_events": 6, "excerpt_duration_s": 0.6},
            r"6 events of 0.60 s with gap_ms=200.*end at 4.90 s.*lower n_events",
        ),
        (
            {"role": "background", "duration_s": 0.5, "excerpt_duration_s": 0.55, "n_events": 0},
            r"excerpt_duration_s=0.55 is longer than the clip of 0.5 s; lower it",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_value_limit_and_remedy(recording, params, words):
    with pytest.raises(UserError, match=words):
        draw(RealSound.from_dict({"carrier": recording[1], **params}), 0)


def write(path, samples, rate=FS):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_a_file_becomes_a_carrier_named_by_its_content(settings, tmp_path):
    tone = np.sin(np.arange(8000) / 5) / 4
    digest, notes = actions.add_carrier(settings, write(tmp_path / "a.wav", tone))
    assert notes == ()
    assert actions.add_carrier(settings, write(tmp_path / "b.wav", tone))[0] == digest
    assert actions.carriers(settings) == [actions.Carrier(digest, 0.5)]
    assert np.array_equal(carriers.waveform(digest), tone.astype(np.float32))
    synthesise(draw(RealSound(carrier=digest), 0))
    stereo = np.stack([tone, 0 * tone], axis=1)
    _, notes = actions.add_carrier(settings, write(tmp_path / "c.wav", stereo, 32000))
    assert notes == ("2 channels were mixed to one", "resampled from 32000 Hz to 16000 Hz")


def test_silent_short_long_and_missing_files_are_refused(settings, tmp_path):
    for samples, words in (
        (np.zeros(8000), r"z.wav is silent: it has -inf dBFS, the limit -90; give"),
        (np.full(8000, 1e-6), r"z.wav is silent"),
        (np.ones(100) / 2, r"z.wav lasts 0.006 s, the shortest carrier 0.01 s; give a longer"),
        (np.ones(31 * FS) / 2, r"z.wav lasts 31.00 s, the limit is 30 s"),
    ):
        with pytest.raises(UserError, match=words):
            actions.add_carrier(settings, write(tmp_path / "z.wav", samples))
    with pytest.raises(UserError, match="there is no file"):
        actions.add_carrier(settings, tmp_path / "none.wav")
    assert actions.carriers(settings) == []


def test_the_demo_takes_smaller_files_only(tmp_path):
    demo = load_settings(mode="demo", home=tmp_path / "demo", environ={})
    big = write(tmp_path / "big.wav", np.ones((29 * 48000, 2), np.float32) / 2, 48000)
    with pytest.raises(UserError, match=r"big.wav has 11 MB, the limit is 10"):
        actions.add_carrier(demo, big)
    small = write(tmp_path / "small.wav", np.ones(8000) / 2)
    assert actions.add_carrier(demo, small)[0] == actions.carriers(demo)[0].hash
