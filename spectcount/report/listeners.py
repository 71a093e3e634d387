"""The report's listeners: who answered, what kind of listener that is, and its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spectcount.listeners import EMBEDDED, ListenerSpec
from spectcount.listeners.spec import SILENCE
from spectcount.report.evidence import Evidence
from spectcount.report.html import Html, number, percent, table, tag

_KNOWN = {
    "ideal": "ideal observer: knows both sounds of a pair and the noise's standard deviation, "
    "answers by the likelihood ratio of the very clip; no listener can beat it",
    "dsp": "a floor: a few lines of signal processing",
    "first": "a floor: always the first answer, without listening",
}


def listeners_html(evidence: Evidence) -> Html:
    """Who answered, with fingerprint, number of trials and mass."""
    rows = [
        [
            name,
            what_is(name, evidence.run.kind),
            tag("code", evidence.fingerprints[name]),
            len(trials),
            number(trials.tally.mean_mass, 3),
            percent(trials.tally.low_mass_share),
            _scored_by((evidence.run.summary or {}).get("listeners", {}).get(name, {})),
        ]
        for name, trials in evidence.by_listener.items()
    ]
    head = [
        "Listener",
        "What it is",
        "Fingerprint",
        "Trials",
        "Mean mass",
        "Mass below ½",
        "Scored by",
    ]
    return table(head, rows, "The fingerprint changes whenever the answers could")


def _scored_by(about: Mapping[str, Any]) -> str:
    """Device, number format, path and its reason, where a model answered."""
    if "scoring" not in about:
        return str(about.get("path", "–"))
    return f"{about['device']}, {about['dtype']}: {about['scoring']}"


def what_is(name: str, kind: str = "probe") -> str:
    """A listener in words."""
    if kind == "listen":
        return "a person, by keyboard"
    if name in _KNOWN:
        return _KNOWN[name]
    spec = ListenerSpec.parse(name)
    if spec.silenced or spec.model == SILENCE:
        return "a floor: the model without its sound"
    if spec.is_simulated:
        return "a simulated listener whose truth is known, as its name says"
    embedded = str(spec.base) == EMBEDDED
    words = (
        "the embedded audio language model, a lab animal"
        if embedded
        else ("an audio language model")
    )
    return f"{words}, with the adapter {spec.adapter}" if spec.adapter else words
