"""Forms come from declarations alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import gradio as gr
import pytest

from spectcount.designs import FAMILIES
from spectcount.errors import UserError
from spectcount.params import Declared, param
from spectcount.ui.controls import describe, form, form_html


@dataclass(frozen=True)
class Dummy(Declared):
    """A declared class that the product does not know."""

    sharpness: float = param(
        0.5, "How sharp.", low=0, high=1, step=0.1, unit="dB", slider_high=0.8, group="new"
    )
    shape: str = param("round", "Which shape.", choices=("round", "square"), group="new")
    loud: bool = param(False, "Whether loud.", group="other")
    tilt_db: float | None = param(None, "May be empty.", kind=float, low=-3, high=3, group="other")
    width: float = param(2.0, "No limits.", group="new")


@pytest.fixture
def dummy():
    with gr.Blocks():
        return form(Dummy, values={"shape": "square"}, prefix="dummy")


def controls(declared, *arguments):
    return {f.spec.name: f for group in describe(declared, *arguments) for f in group.fields}


def test_a_dummy_parameter_is_shown_by_its_declaration():
    html = form_html("dummy", describe(Dummy))
    (number,) = re.findall("<input id='dummy-sharpness-field' .*?>", html)
    (slider,) = re.findall("<input type='range' .*?>", html)
    for part, high in ((number, 1), (slider, 0.8)):
        assert f"step='0.1' min='0' max='{high}'" in part and "value='0.5'" in part
        assert "aria-describedby='dummy-sharpness-help'" in part
    assert "data-usual='0.8' data-high='1'" in slider
    assert "Sharpness (dB)" in html and "How sharp." in html
    assert "<option selected>round</option><option>square</option>" in html
    assert "checked" not in html and "type='checkbox'" in html


def test_only_numbers_with_limits_that_cannot_be_empty_have_a_slider():
    fields = controls(Dummy)
    assert [name for name, field in fields.items() if field.usual is not None] == ["sharpness"]


def test_groups_keep_the_order_of_declaration_and_hold_their_members():
    groups = describe(Dummy, ("other",))
    assert [(g.title, g.open) for g in groups] == [("New", False), ("Other", True)]
    assert [f.spec.name for f in groups[0].fields] == ["sharpness", "shape", "width"]


def test_the_form_reads_back_what_it_shows(dummy):
    values = [component.value for component in dummy.inputs]
    assert Dummy.from_dict(dummy.read(values)) == Dummy(shape="square")


def test_an_update_shows_other_values(dummy):
    (update,) = dummy.updates({**Dummy().to_dict(), "sharpness": 0.9, "title": "x"}).values()
    assert Dummy.from_dict(dummy.read([update["value"]])) == Dummy(sharpness=0.9)
    assert not json.loads(update["value"])["full"]


def test_what_a_reader_typed_is_refused_by_the_class_not_by_the_form(dummy):
    typed = json.dumps({"form": "", "params": {"tilt_db": "steep"}, "full": False})
    with pytest.raises(UserError, match="tilt_db='steep' is not a number"):
        Dummy.from_dict(dummy.read([typed]))


@pytest.mark.parametrize("declared", FAMILIES.values(), ids=FAMILIES)
def test_every_parameter_of_a_family_is_in_its_form_with_help(declared):
    fields = controls(declared)
    assert fields.keys() == declared.params().keys()
    html = form_html("param", describe(declared))
    assert html.count("role='tooltip'") == html.count("class='param'") == len(fields)
