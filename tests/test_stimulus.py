"""A Stimulus is data: JSON round trip, content hash, refusals."""

import dataclasses
import json

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus

EVENT = Event(0.05, 0.1, 700.0, -12.0, phase_deg=30.0)


def test_json_round_trip_is_exact():
    stimulus = draw(Pulses(level_rove_db=6, gap_jitter_ms=30, frequency_order="shuffled"), 5)
    again = Stimulus.from_json(stimulus.to_json())
    assert again == stimulus
    assert again.meta == stimulus.meta
    assert again.hash == stimulus.hash
    assert again.to_json() == stimulus.to_json()


def test_the_hash_is_golden_and_names_the_content_only():
    stimulus = Stimulus(0.25, (EVENT,), noise_sigma=0.01, noise_seed=3)
    assert stimulus.hash == "d750937c4ea6f33c"
    assert dataclasses.replace(stimulus, meta={"seed": 1}).hash == stimulus.hash


@pytest.mark.parametrize(
    "change",
    [{"duration_s": 0.3}, {"noise_sigma": 0.02}, {"noise_seed": 4}, {"events": ()}],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_changes_with_the_content(change):
    stimulus = Stimulus(0.25, (EVENT,), noise_sigma=0.01, noise_seed=3)
    assert dataclasses.replace(stimulus, **change).hash != stimulus.hash


def test_events_are_kept_in_the_order_of_onset():
    late, early = dataclasses.replace(EVENT, onset_s=0.2), EVENT
    assert Stimulus(1.0, (late, early)).events == (early, late)
    assert Stimulus(1.0, (late, early)).hash == Stimulus(1.0, (early, late)).hash


def test_numpy_numbers_become_plain_ones():
    stimulus = Stimulus(np.float32(0.5), (), noise_seed=np.int64(3))
    assert json.loads(stimulus.to_json())["noise_seed"] == 3
    assert type(stimulus.duration_s) is float


def test_a_catch_trial_keeps_the_noise():
    stimulus = Stimulus(0.25, (EVENT,), noise_sigma=0.01, noise_seed=3)
    catch = stimulus.without_events()
    assert catch.events == ()
    assert (catch.noise_seed, catch.noise_sigma, catch.duration_s) == (3, 0.01, 0.25)
    assert catch.meta["catch"] is True


@pytest.mark.parametrize(
    "kwargs,match",
    [
        ({"wave": "square"}, "wave='square' is not known"),
        ({"duration_s": 0.0}, "duration > 0"),
        ({"onset_s": -0.1}, "onset must be >= 0"),
        ({"duration_s": 0.01, "attack_ms": 8}, r"attack 8 ms \+ release 10 ms do not fit .* 10 ms"),
        ({"attack_ms": -1}, "do not fit"),
        ({"level_dbfs": float("nan")}, "level_dbfs=nan is not finite"),
        ({"frequency_hz": "low"}, "frequency_hz='low' is not a number"),
        ({"seed": 0.5}, "seed=0.5 is not a whole number"),
    ],
)
def test_impossible_events_are_refused(kwargs, match):
    with pytest.raises(UserError, match=match):
        dataclasses.replace(EVENT, **kwargs)


@pytest.mark.parametrize(
    "event,match",
    [
        (dataclasses.replace(EVENT, frequency_hz=8000.0), "reaches 8000 Hz"),
        (
            dataclasses.replace(EVENT, wave="harmonic", frequency_hz=2500.0, n_harmonics=4),
            "reaches 10000 Hz",
        ),
        (
            dataclasses.replace(EVENT, wave="noise", frequency_hz=100.0, bandwidth_hz=300.0),
            "reaches -50 Hz",
        ),
        (dataclasses.replace(EVENT, wave="chirp", end_frequency_hz=9000.0), "reaches 9000 Hz"),
        (dataclasses.replace(EVENT, onset_s=0.95), r"ends at 1\.050 s, the clip at 1\.000 s"),
    ],
)
def test_events_outside_the_clip_or_the_band_are_refused(event, match):
    with pytest.raises(UserError, match=match):
        Stimulus(1.0, (event,))


@pytest.mark.parametrize(
    "kwargs,match",
    [
        ({"duration_s": 31.0}, r"duration_s=31 is outside 0\.\.30"),
        ({"duration_s": 1.0, "noise_sigma": -0.1}, "noise_sigma=-0.1 is negative"),
        ({"duration_s": 1.0, "version": 99}, "version 99, this program makes version 1"),
    ],
)
def test_impossible_clips_are_refused(kwargs, match):
    with pytest.raises(UserError, match=match):
        Stimulus(**kwargs)


@pytest.mark.parametrize("text", ["{", "[]", '{"duration": 1}', '{"duration_s": 1, "events": [3]}'])
def test_what_is_no_stimulus_is_refused(text):
    with pytest.raises(UserError, match=r"broken JSON|not a stimulus"):
        Stimulus.from_json(text)


def test_energy_is_that_of_the_squared_trapezoid():
    t_e = 0.1 - 2 / 3 * 0.013
    assert EVENT.energy == pytest.approx(0.5 * 10 ** (-12 / 10) * t_e)


TONE = {"onset_s": 0.1, "duration_s": 0.2, "frequency_hz": 500.0, "level_dbfs": -20.0}


@pytest.mark.parametrize(
    ("clip", "event", "words"),
    [
        ({"duration_s": 30, "sample_rate": 4_000_000}, {}, r"sample_rate=4e\+06 is outside"),
        ({"sample_rate": 48_001}, {}, "sample_rate=48001 is outside"),
        ({"sample_rate": 0}, {}, "sample_rate=0 is outside"),
        ({"noise_seed": -1}, {}, "noise_seed=-1 is outside"),
        ({"noise_seed": 2**70}, {}, "noise_seed="),
        ({"noise_seed": "7"}, {}, "noise_seed='7' is not a whole number"),
        ({"noise_seed": 10**400}, {}, "is not a whole number"),
        ({"duration_s": 10**400}, {}, "is not a number"),
        ({"meta": [1]}, {}, "is no mapping"),
        ({}, {"level_dbfs": 1e5}, r"level_dbfs=100000 is outside -300\.\.100 dBFS"),
        ({}, {"seed": -3}, "seed=-3 is outside"),
        ({}, {"wave": 3}, "is not"),
        ({}, {"wave": "noise", "bandwidth_hz": -5}, "bandwidth_hz=-5 is outside"),
        ({}, {"am_depth": 1, "am_rate_hz": 1e308}, "am_rate_hz=1e[+]308 is outside"),
        ({}, {"phase_deg": 1e300}, "phase_deg="),
        ({}, {"n_harmonics": 101, "frequency_hz": 20}, "n_harmonics=101 is outside"),
    ],
)
def test_what_would_cost_a_machine_its_memory_is_refused(clip, event, words):
    with pytest.raises(UserError, match=words):
        Stimulus.from_dict({"duration_s": 1.0, "events": [{**TONE, **event}], **clip})


def test_a_clip_of_too_many_components_is_refused_before_it_is_rendered():
    """200 noise bands of 30 s are 200 * 400 * 480 000 samples of sines."""
    bands = [{**TONE, "onset_s": 0, "duration_s": 30, "wave": "noise", "bandwidth_hz": 900}] * 200
    with pytest.raises(UserError, match=r"is a sum of 3\.8e\+10 samples .* limit is 4e\+08"):
        Stimulus.from_dict({"duration_s": 30.0, "events": bands})
    assert Stimulus.from_dict({"duration_s": 30.0, "events": bands[:2]}).events


SAME_SOUND = [
    ("noise seed without noise", {"noise_sigma": 0.0, "noise_seed": 1}, {}),
    ("seed of a sine", {}, {"seed": 7}),
    ("bandwidth of a sine", {}, {"bandwidth_hz": 50.0}),
    ("end of a sine", {}, {"end_frequency_hz": 900.0}),
    ("one harmonic", {}, {"wave": "harmonic"}),
    ("a chirp that stays", {}, {"wave": "chirp", "end_frequency_hz": 700.0}),
    ("modulation of no depth", {}, {"am_rate_hz": 8.0, "am_phase_deg": 90.0}),
    ("ramps of no gap", {}, {"gap_onset_ms": 5.0, "gap_ramp_ms": 2.0}),
    ("within one sample", {}, {"onset_s": 0.05002}),
]


@pytest.mark.parametrize(
    ("clip", "event"), [c[1:] for c in SAME_SOUND], ids=[c[0] for c in SAME_SOUND]
)
def test_one_waveform_has_one_hash(clip, event):
    """Fields that the synthesis does not read make no other question."""
    from spectcount.synth import synthesise

    plain = Stimulus(0.25, (EVENT,), noise_sigma=clip.get("noise_sigma", 0.01), noise_seed=3)
    other = dataclasses.replace(plain, events=(dataclasses.replace(EVENT, **event),), **clip)
    assert other != plain
    assert synthesise(other).tobytes() == synthesise(plain).tobytes()
    assert other.hash == plain.hash
    assert Stimulus.from_json(other.to_json()) == other


@pytest.mark.parametrize(
    ("wave", "event"),
    [
        ("noise", {"phase_deg": 60.0}),
        ("noise", {"n_harmonics": 3}),
        ("white", {"phase_deg": 60.0}),
        ("white", {"frequency_hz": 900.0}),
    ],
)
def test_noise_has_no_phase(wave, event):
    from spectcount.synth import synthesise

    carrier = dataclasses.replace(EVENT, wave=wave, bandwidth_hz=100.0, seed=4)
    one, other = (Stimulus(0.25, (e,)) for e in (carrier, dataclasses.replace(carrier, **event)))
    assert synthesise(other).tobytes() == synthesise(one).tobytes()
    assert other.hash == one.hash
    assert dataclasses.replace(one, events=(dataclasses.replace(carrier, seed=5),)).hash != one.hash
