"""Carriers: kept by content, found by hash, refused where they are not."""

import numpy as np
import pytest

from spectcount import carriers
from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise

SOUND = (np.arange(1600) % 80 / 80).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path):
    carriers.use_folder(tmp_path / "carriers")
    return tmp_path / "carriers"


def clip_event(digest, **changes):
    fields = {"attack_ms": 0.0, "release_ms": 0.0, "wave": "clip", "carrier": digest, **changes}
    return Event(0.1, 0.2, 0.0, -20.0, **fields)


def test_the_same_sound_is_kept_once_and_comes_back_exactly(folder):
    digest = carriers.register(SOUND)
    assert carriers.register(SOUND.copy()) == digest
    assert [path.stem for path in folder.iterdir()] == [digest] == carriers.known()
    assert np.array_equal(carriers.waveform(digest), SOUND)


@pytest.mark.parametrize("change", [lambda b: b[:-400], lambda b: b[:-3], lambda b: b"\0" * len(b)])
def test_a_damaged_carrier_is_refused_until_it_is_kept_again(folder, change):
    digest = carriers.register(SOUND)
    path = folder / f"{digest}.f32"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=r"is damaged: .* open the recording again"):
        carriers.waveform(digest)
    assert carriers.register(SOUND) == digest
    assert np.array_equal(carriers.waveform(digest), SOUND)


def test_a_carrier_sounds_in_a_stimulus_at_the_declared_level():
    stimulus = Stimulus(0.5, (clip_event(carriers.register(SOUND)),))
    wave = synthesise(Stimulus.from_json(stimulus.to_json()))
    heard = wave[1600:3200]
    assert np.sqrt(2 * np.mean(heard.astype(float) ** 2)) == pytest.approx(0.1, rel=1e-5)
    assert np.corrcoef(heard, SOUND)[0, 1] > 0.999999
    assert not wave[3200:].any(), "silence behind the end of the carrier"


def test_what_is_not_there_or_no_sound_is_refused():
    with pytest.raises(UserError, match="is not on this machine"):
        synthesise(Stimulus(0.5, (clip_event("0" * 16),)))
    with pytest.raises(UserError, match="is no hash"):
        carriers.waveform("../../secret")
    with pytest.raises(UserError, match="give mono float32"):
        carriers.register(np.zeros((2, 10), np.float32))
    with pytest.raises(UserError, match="is silent"):
        synthesise(Stimulus(0.5, (clip_event(carriers.register(np.zeros(1600, np.float32))),)))
