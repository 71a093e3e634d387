"""The report's sounds: one signal with its counterpart, to be looked at and listened to inside it.

Conventions: clips are mono at 16 kHz; WAV and PNG lie in the page as data addresses, and are kept
small: up to `LONGEST_EXACT_S` the very samples (32-bit float), beyond it 16 bits.
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from spectcount import clips
from spectcount.errors import UserError
from spectcount.pairs import pair_of
from spectcount.probing.words import place_of
from spectcount.report.evidence import Evidence
from spectcount.report.html import Html, esc, paragraphs, tag
from spectcount.spectrogram import write_png
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise
from spectcount.trials import Trial

LONGEST_EXACT_S = 8.0


def wav_bytes(stimulus: Stimulus, subtype: str = "FLOAT") -> bytes:
    """The clip as a WAV file; FLOAT: 32-bit samples, exactly as synthesised."""
    return clips.wav_bytes(synthesise(stimulus), stimulus.sample_rate, subtype)


def example_html(evidence: Evidence) -> Html:
    """One signal of a plan with its counterpart: spectrograms and two players. A panel of many
    plans has none, so that the page stays small."""
    trial = None if evidence.in_panel else evidence.trials.middle_signal()
    if trial is None:
        return esc("")
    task = evidence.asked_plan.asked
    sounds = _both(trial)
    try:
        image = _picture(sounds[0])
        players = [_player(s, w) for s, w in zip(sounds, _captions(evidence), strict=False)]
    except UserError as error:
        return tag("p", f"The example cannot be rendered here: {error}")
    place = _place(evidence, trial)
    exact = sounds[0].duration_s <= LONGEST_EXACT_S
    words = (
        f"An example, {place}: a clip as it was asked about “{task.title}” "
        f"(stimulus {sounds[0].hash}), {_samples(exact)}."
    ).replace(", :", ":")
    return Html(
        tag("h3", "An example")
        + paragraphs([words, "Set a comfortable level first: some clips are loud."])
        + tag("div", *players, class_="players")
        + tag("figure", image, tag("figcaption", _legend()))
    )


def _place(evidence: Evidence, trial: Trial) -> str:
    """Where in the plan a trial lies, in words."""
    coords = trial.coords
    if "level" in coords:
        level = coords["level"]
        return f"trial {coords['trial'] + 1} of track {coords['x'] + 1}, at {level:.4g}"
    return place_of(evidence.asked_plan.axes, (int(coords["x"]), int(coords["y"])))


def _both(trial: Trial) -> list[Stimulus]:
    """The clip and its counterpart, the one with the first answer first; where the task has no
    such pair, the clip and the same without events."""
    assert trial.stimulus is not None
    stimulus = Stimulus.from_dict(trial.stimulus)
    pair = pair_of(stimulus, trial.task)
    return list(pair) if pair else [stimulus, stimulus.without_events()]


def _captions(evidence: Evidence) -> list[str]:
    task = evidence.asked_plan.asked
    if task.two_class:
        first, second = task.answers
        return [f"Signal: “{first}” is right", f"Counterpart: “{second}” is right"]
    return ["The clip", "The same without its events"]


def _player(stimulus: Stimulus, words: str) -> Html:
    exact = stimulus.duration_s <= LONGEST_EXACT_S
    data = wav_bytes(stimulus, "FLOAT" if exact else "PCM_16")
    sound = tag("audio", controls="", preload="metadata", src=_address(data, "audio/wav"))
    return tag("div", tag("p", words), sound)


def _picture(stimulus: Stimulus) -> Html:
    with tempfile.TemporaryDirectory(prefix="spectcount-") as folder:
        path = Path(folder) / "clip.png"
        write_png(path, stimulus, synthesise(stimulus))
        data = path.read_bytes()
    words = "Spectrogram and log-mel spectrogram of the signal, with its events outlined"
    return tag("img", src=_address(data, "image/png"), alt=words)


def _address(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _samples(exact: bool) -> str:
    return "the very samples" if exact else "in 16 bits here, exact samples in the bundle"


def _legend() -> str:
    return (
        "Above: short-time spectrum, dB re a full-scale sine. Below: the log-mel spectrogram that "
        "Whisper-type front ends hand to the model; black is their floor, 80 dB under the loudest "
        "cell, where nothing can be told apart. Outlines: the declared events."
    )
