"""Parameters are declared once: validation, random draws and dictionaries follow from there."""

from dataclasses import dataclass, make_dataclass

import numpy as np
import pytest

from spectcount.designs import FAMILIES, Pulses
from spectcount.errors import UserError
from spectcount.params import Declared, param, split_assignments


@dataclass(frozen=True)
class Sample(Declared):
    gap_ms: float = param(40.0, "A gap.", low=-10, high=100, step=1, unit="ms", label="Spacing")
    count: int = param(3, "A count.", low=0, high=10)
    rate: float = param(10.0, "A rate.", low=1, high=1000, log=True)
    order: str = param("up", "An order.", choices=("up", "down"))
    phase_deg: float | None = param(None, "A phase.", kind=float, low=0, high=360)
    loud: bool = param(False, "A switch.")


def test_a_new_parameter_appears_everywhere_by_being_declared():
    field = param(1.5, "How dummy it is.", low=0, high=2, unit="dB", label="Dummy")
    wider = make_dataclass(
        "Wider", [("dummy_db", float, field)], bases=(Pulses,), frozen=True, namespace={}
    )
    spec = wider.params()["dummy_db"]
    assert (spec.default, spec.low, spec.high, spec.title) == (1.5, 0, 2, "Dummy (dB)")
    assert wider().to_dict()["dummy_db"] == 1.5
    assert wider.param("dummy_db").parse("0.5") == 0.5
    with pytest.raises(UserError, match=r"dummy_db=3 dB is above the limit 2 dB"):
        wider(dummy_db=3)
    with pytest.raises(UserError, match="did you mean dummy_db"):
        wider.from_dict({"dumy_db": 1})
    assert "dummy_db" not in Pulses.params()


@pytest.mark.parametrize(
    "values,match",
    [
        ({"gap_ms": 101}, "gap_ms=101 ms is above the limit 100 ms; give a value from -10 to 100"),
        ({"gap_ms": -11}, "below the limit -10 ms"),
        ({"gap_ms": float("nan")}, "not a finite number"),
        ({"gap_ms": float("inf")}, "not a finite number"),
        ({"gap_ms": "wide"}, "gap_ms='wide' is not a number"),
        ({"gap_ms": True}, "not a number"),
        ({"gap_ms": None}, "gap_ms is empty"),
        ({"count": 2.5}, "not a whole number"),
        ({"order": "sideways"}, "choose one of up, down"),
        ({"order": 3}, "not text"),
        ({"loud": "maybe"}, "neither true nor false"),
    ],
)
def test_values_outside_the_declaration_are_refused(values, match):
    with pytest.raises(UserError, match=match):
        Sample(**values)


def test_values_are_brought_to_their_type():
    sample = Sample(gap_ms="12", count=4.0, phase_deg="", loud="yes")
    assert (sample.gap_ms, sample.count, sample.phase_deg, sample.loud) == (12.0, 4, None, True)
    assert isinstance(sample.gap_ms, float) and isinstance(sample.count, int)


def test_limits_are_inclusive():
    assert Sample(gap_ms=-10).gap_ms == -10
    assert Sample(gap_ms=100).gap_ms == 100


def test_dictionaries_make_a_round_trip_and_replace_validates():
    sample = Sample(gap_ms=7, order="down")
    assert Sample.from_dict(sample.to_dict()) == sample
    assert sample.replace(count=9).count == 9
    with pytest.raises(UserError, match="count=11"):
        sample.replace(count=11)
    with pytest.raises(UserError, match="no parameter 'gap_m'"):
        sample.replace(gap_m=1)


def test_random_draws_fill_the_range_and_no_more():
    rng = np.random.default_rng(0)
    counts = [Sample.param("count").draw(rng, 2, 4) for _ in range(200)]
    assert set(counts) == {2, 3, 4}
    rates = np.array([Sample.param("rate").draw(rng) for _ in range(2000)])
    assert rates.min() >= 1 and rates.max() <= 1000
    assert np.median(rates) == pytest.approx(10**1.5, rel=0.25)
    assert {Sample.param("order").draw(rng) for _ in range(50)} == {"up", "down"}
    with pytest.raises(UserError, match="is empty; swap its ends"):
        Sample.param("gap_ms").draw(rng, 5, 1)
    with pytest.raises(UserError, match="no numeric range"):
        Sample.param("loud").draw(rng)


def test_assignments_need_an_equals_sign_and_one_value_each():
    assert split_assignments(["gap_ms = 5", "order=down"]) == {"gap_ms": "5", "order": "down"}
    with pytest.raises(UserError, match="no '='"):
        split_assignments(["gap_ms"])
    with pytest.raises(UserError, match="gives gap_ms twice"):
        split_assignments(["gap_ms=1", "gap_ms=2"])


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_every_declaration_is_complete_and_its_default_valid(family):
    for name, spec in family.params().items():
        assert spec.help.endswith("."), name
        assert spec.validate(spec.default) == spec.default
        if spec.numeric:
            assert spec.low < spec.high, name
            assert spec.slider_high is None or spec.low < spec.slider_high <= spec.high
