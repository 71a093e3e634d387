"""`carrier`: a recording's hash and length on the command line, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import soundfile


def test_the_hash_names_the_recording_in_a_stimulus(call, tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.sin(np.arange(24000) / 5) / 4, 32000, subtype="FLOAT")
    code, out, err = call("carrier", path, "--json")
    found = json.loads(out)
    assert (code, found["duration_s"]) == (0, 0.75)
    assert found["notes"] == ["resampled from 32000 Hz to 16000 Hz"]
    assert err == "note: resampled from 32000 Hz to 16000 Hz\n"
    code, out, _ = call("carrier", "--json")
    assert json.loads(out) == {"carriers": [{"hash": found["hash"], "duration_s": 0.75}]}
    preset = tmp_path / "mine.yaml"
    preset.write_text(
        f"title: Mine\nabout: A sound.\nfamily: real_sound\ntask: detect\n"
        f"params: {{carrier: {found['hash']}}}\n"
    )
    code, out, _ = call("render", preset, "--out", tmp_path / "clip", "--json")
    assert (code, json.loads(out)["n_events"]) == (0, 1)


def test_silence_is_refused(call, tmp_path):
    path = tmp_path / "z.wav"
    soundfile.write(path, np.zeros(8000), 16000)
    code, out, err = call("carrier", path)
    assert (code, out) == (2, "")
    assert "z.wav is silent" in err
