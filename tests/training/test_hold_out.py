"""A range held out of a curriculum is never drawn, and nothing else changes."""

from __future__ import annotations

import pytest

from spectcount.errors import UserError
from spectcount.probing.trained import trained_of, values_of
from spectcount.training.curriculum import Sampler
from spectcount.training.options import Curriculum

REGION = {
    "ranges": {"frequency_hz": [2000.0, 4000.0]},
    "probed": {"frequency_hz": [100.0, 7000.0]},
    "severity": 0.8,
}
SHORT = Curriculum(
    clip_low_s=2,
    clip_high_s=4,
    count_high=4,
    detect_share=0.2,
    interval_share=0.1,
    regular_share=0.5,
)


def drawn(curriculum, n=80, regions=(REGION,)):
    sampler = Sampler(curriculum, list(regions), 3, window_s=10.0)
    held_out = [q for source in ("weak", "replay", "paper") for q in sampler.held_out(source, 6)]
    return [sampler.question(i).stimulus for i in range(n)] + [q.stimulus for q in held_out]


@pytest.mark.parametrize(
    "name,low,high",
    [
        ("gap_ms", 100, 200),
        ("level_dbfs", -12, -6),
        ("frequency_hz", 2500, 3200),
        ("event_duration_ms", 80, 120),
        ("n_events", 3, 3),
        ("noise_sigma", 2e-4, 5e-4),
    ],
)
def test_the_range_is_never_drawn_and_all_the_rest_is(name, low, high):
    curriculum = SHORT.replace(held_out_name=name, held_out_low=low, held_out_high=high)
    values = [v for s in drawn(curriculum) for v in values_of(s)[name]]
    assert values and not any(low <= v <= high for v in values)
    assert min(values) < low and max(values) > high
    free = [v for s in drawn(SHORT) for v in values_of(s)[name]]
    assert any(low <= v <= high for v in free), "the range would have been drawn"


def test_without_it_every_draw_is_as_before():
    one = [s.hash for s in drawn(SHORT, 20)]
    two = [s.hash for s in drawn(SHORT.replace(held_out_name="none"), 20)]
    assert one == two


def test_the_lineage_tells_what_was_held_out():
    curriculum = SHORT.replace(held_out_name="gap_ms", held_out_low=100, held_out_high=200)
    lineage = {"curriculum": curriculum.to_dict(), "regions": [REGION], "seed": 3, "lineage": {}}
    trained = trained_of(lineage)
    assert dict(trained.held_out) == {"gap_ms": (100.0, 200.0)}
    for stimulus in drawn(curriculum, 60):
        assert trained.outside(stimulus, "count") == ()
    assert any(trained.outside(s, "count") for s in drawn(SHORT, 60))


@pytest.mark.parametrize(
    "changes,match",
    [
        ({"held_out_name": "gap_ms"}, "needs held_out_low and held_out_high"),
        ({"held_out_low": 3}, "hold nothing out without held_out_name"),
        ({"held_out_name": "gap_ms", "held_out_low": 3, "held_out_high": 1}, "swap them"),
        ({"held_out_name": "duration_s", "held_out_low": 1, "held_out_high": 2}, "is not known"),
    ],
)
def test_what_cannot_be_held_out_is_refused(changes, match):
    with pytest.raises(UserError, match=match):
        SHORT.replace(**changes)


def test_holding_out_nearly_everything_is_refused_before_training():
    curriculum = SHORT.replace(held_out_name="level_dbfs", held_out_low=-90, held_out_high=-1.01)
    with pytest.raises(UserError, match=r"of 60 clips of the \w+ source avoid level_dbfs=-90"):
        Sampler(curriculum, [REGION], 3, window_s=10.0)
