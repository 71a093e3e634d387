"""Forms come from declarations alone."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
import pytest

from spectcount.designs import Pulses
from spectcount.params import Declared, param
from spectcount.ui.controls import form


@dataclass(frozen=True)
class Dummy(Declared):
    """A declared class that the product does not know."""

    sharpness: float = param(
        0.5, "How sharp.", low=0, high=1, step=0.1, unit="dB", slider_high=0.8, group="new"
    )
    shape: str = param("round", "Which shape.", choices=("round", "square"), group="new")
    loud: bool = param(False, "Whether loud.", group="other")
    tilt_db: float | None = param(None, "May be empty.", kind=float, low=-3, high=3, group="other")


@pytest.fixture
def dummy():
    with gr.Blocks():
        yield form(Dummy)


def test_a_dummy_parameter_appears_in_the_form(dummy):
    slider = dummy.widgets["sharpness"]
    assert isinstance(slider, gr.Slider)
    assert (slider.label, slider.info) == ("Sharpness (dB)", "How sharp.")
    assert (slider.minimum, slider.maximum, slider.step, slider.value) == (0, 0.8, 0.1, 0.5)


def test_each_kind_has_its_widget(dummy):
    kinds = {name: type(widget) for name, widget in dummy.widgets.items()}
    assert kinds == {
        "sharpness": gr.Slider,
        "shape": gr.Dropdown,
        "loud": gr.Checkbox,
        "tilt_db": gr.Textbox,
    }
    assert not dummy.widgets["tilt_db"].value


def test_the_form_reads_back_what_the_class_declares(dummy):
    values = dummy.read([widget.value for widget in dummy.inputs])
    assert Dummy.from_dict(values) == Dummy()


def test_a_slider_grows_for_a_value_beyond_its_usual_end(dummy):
    updates = dummy.updates({**Dummy().to_dict(), "sharpness": 0.9})
    assert updates[0]["maximum"] == 1
    assert dummy.updates(Dummy().to_dict())[0]["maximum"] == 0.8
    assert dummy.updates(Dummy().to_dict(), full_range=True)[0]["maximum"] == 1


def test_every_parameter_of_pulses_is_in_the_form_in_its_order():
    with gr.Blocks():
        made = form(Pulses)
    assert list(made.widgets) == list(Pulses.params())
    assert all(widget.info for widget in made.inputs)
