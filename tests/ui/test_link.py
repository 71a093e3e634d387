"""Links reproduce the exact clip, or say that they cannot."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from spectcount import actions
from spectcount.designs import FAMILIES, Pulses, draw
from spectcount.errors import UserError
from spectcount.pairs import Drawing
from spectcount.ui.link import FIRST, drawing_of, other_clip, query, read_query

BUSY = Pulses(n_events=7, gap_ms=33.25, e_n0_db=12.5, wave="noise")
DRAWN = [name for name, declared in FAMILIES.items() if "carrier" not in declared.params()]


def again(drawing):
    """(what the drawing's own link gives, the clip that the link means)."""
    return read_query(dict(parse_qsl(query(drawing, drawing.stimulus()))))


@pytest.mark.parametrize("name", DRAWN)
def test_a_link_reproduces_the_exact_clip_of_every_family(name):
    drawing = Drawing(FAMILIES[name](), 41)
    found, heard = again(drawing)
    assert found == drawing
    assert found.stimulus().hash == heard == drawing.stimulus().hash


@pytest.mark.parametrize("side", actions.SIDES)
def test_a_link_keeps_task_and_side(side):
    drawing = Drawing(Pulses(n_events=1, placement="random"), 5, "interval", side)
    found, heard = again(drawing)
    assert found == drawing
    assert found.stimulus().hash == heard


def test_changed_parameters_are_in_the_link():
    assert again(Drawing(BUSY, 41))[0].design == BUSY


def test_an_older_link_without_a_family_means_pulses():
    found, heard = read_query({"design": '{"n_events": 7}', "seed": "3"})
    assert found == Drawing(Pulses(n_events=7), 3)
    assert (found.stimulus().hash, heard) == (draw(Pulses(n_events=7), 3).hash, "")
    assert read_query({}) == (FIRST, "")
    assert read_query({"seed": "0"}) == (Drawing(), "")


def test_a_clip_that_the_link_did_not_mean_is_said():
    stimulus = Drawing().stimulus()
    words = other_clip("0123456789abcdef", stimulus)
    assert "0123456789abcdef" in words
    assert "stimulus.json" in words
    assert other_clip(stimulus.hash, stimulus) == other_clip("", stimulus) == ""


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"design": "{"}, "broken JSON"),
        ({"design": "[]"}, "no JSON object"),
        ({"design": '{"gap": 1}'}, "did you mean gap_ms"),
        ({"design": '{"gap_ms": NaN}'}, "give a finite number; copy the link again"),
        ({"family": "clicks"}, "family 'clicks' is not known"),
        ({"side": "left"}, "side='left' is not known"),
        ({"seed": "-1"}, "below the limit 0"),
        ({"seed": "x"}, "not a number"),
    ],
)
def test_a_damaged_link_is_refused_in_words(parameters, words):
    with pytest.raises(UserError, match=words):
        read_query(parameters)


@pytest.mark.parametrize("side", actions.SIDES)
@pytest.mark.parametrize("name", DRAWN)
def test_a_stimulus_file_tells_its_drawing(name, side):
    drawing = Drawing(FAMILIES[name](), 6, side=side)
    if side == "counterpart":
        drawing = replace(drawing, task=actions.usual_task(name, side=side))
    assert drawing_of(drawing.stimulus()).stimulus().hash == drawing.stimulus().hash


def test_a_stimulus_that_was_changed_tells_none():
    stimulus = Drawing().stimulus()
    assert drawing_of(replace(stimulus, noise_seed=1)) is None
    assert drawing_of(replace(stimulus, meta={})) is None
