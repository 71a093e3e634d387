"""The rate of work, from which the time left follows."""

from __future__ import annotations

import pytest

from spectcount.jobs.context import Pace


def test_the_rate_is_that_of_the_last_half_minute():
    pace, done = Pace(), 0
    for second in range(100):
        done += 10 if second < 50 else 8
        rate = pace.rate(second, done)
    assert rate == pytest.approx(8, rel=0.05)


def test_what_was_known_already_does_not_tell_how_fast_the_rest_will_be():
    """A resumed run passes 500 known questions in a second, then asks two a second."""
    pace = Pace()
    for i in range(10):
        pace.rate(i / 10, 50 * i)
    for second in range(2, 6):
        rate = pace.rate(second, 450 + 2 * (second - 1))
    assert rate == pytest.approx(2, rel=0.2)


def test_nothing_is_told_before_anything_was_done():
    pace = Pace()
    assert pace.rate(0.0, 0) is None
    assert pace.rate(5.0, 0) is None
    assert pace.rate(6.0, 3) == pytest.approx(0.5)
