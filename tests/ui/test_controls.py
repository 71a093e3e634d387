"""Forms come from declarations alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr
import pytest

from spectcount.designs import FAMILIES
from spectcount.errors import UserError
from spectcount.params import Declared, param
from spectcount.ui.controls import describe, form


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
    return {p["name"]: p for group in describe(declared, *arguments) for p in group["params"]}


def test_a_dummy_parameter_is_described_by_its_declaration():
    sharpness = controls(Dummy)["sharpness"]
    said = ("title", "help", "low", "high", "usual", "step", "value")
    assert [sharpness[name] for name in said] == [
        "Sharpness (dB)",
        "How sharp.",
        0,
        1,
        0.8,
        0.1,
        0.5,
    ]


def test_only_numbers_with_limits_that_cannot_be_empty_have_a_slider():
    made = controls(Dummy)
    assert [name for name, one in made.items() if one["usual"] is not None] == ["sharpness"]
    assert made["shape"]["choices"] == ["round", "square"]
    assert made["tilt_db"]["optional"]


def test_groups_keep_the_order_of_declaration_and_hold_their_members():
    groups = describe(Dummy, ("other",))
    assert [(g["title"], g["open"]) for g in groups] == [("New", False), ("Other", True)]
    assert [p["name"] for p in groups[0]["params"]] == ["sharpness", "shape", "width"]


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
    made = controls(declared)
    assert made.keys() == declared.params().keys()
    assert all(one["help"] and one["title"] for one in made.values())
