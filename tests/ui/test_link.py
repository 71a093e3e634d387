"""Links reproduce the exact clip, or say that they cannot."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.ui.link import query, read_query


def test_a_link_reproduces_the_exact_clip():
    design = Pulses(n_events=7, gap_ms=33.25, e_n0_db=12.5, wave="noise")
    stimulus = draw(design, 41)
    found, seed, note = read_query(dict(parse_qsl(query(design, 41, stimulus))))
    assert draw(found, seed).hash == stimulus.hash
    assert note == ""


def test_no_query_is_the_default_design():
    assert read_query({}) == (Pulses(), 0, "")


def test_a_clip_that_the_link_did_not_mean_is_said():
    note = read_query({"clip": "0123456789abcdef"})[2]
    assert "0123456789abcdef" in note
    assert "stimulus.json" in note


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"design": "{"}, "no JSON"),
        ({"design": "[]"}, "no JSON object"),
        ({"design": '{"gap": 1}'}, "did you mean gap_ms"),
        ({"design": '{"gap_ms": NaN}'}, "not a finite number"),
        ({"seed": "-1"}, "below the limit 0"),
        ({"seed": "x"}, "not a number"),
    ],
)
def test_a_damaged_link_is_refused_in_words(parameters, words):
    with pytest.raises(UserError, match=words):
        read_query(parameters)
