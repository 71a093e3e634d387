"""Weak regions: exactly where the listener is deaf, in words that say so."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from spectcount.probing import run
from spectcount.probing.axes import cell_axis, declaration, level_axis
from spectcount.probing.plan import DetectionMap
from spectcount.probing.shortfall import Criterion
from spectcount.probing.weakness import SUSPECTED, Region, find_weakness
from spectcount.probing.words import band_words, cell_words, place_words, quantity
from spectcount.scales import mel_centres_hz

PLAN = DetectionMap(nx=4, ny=6, trials=16, catch_trials=60)


def regions(context, plan, listener, criterion=None):
    ctx = context({"plan": plan.to_dict(), "seed": 0})
    run.execute(ctx, {"it": listener})
    return find_weakness(plan, ctx.ledger.trials("run"), criterion)


@pytest.mark.parametrize("task", ["detect", "count"])
def test_deafness_above_a_frequency_is_found_exactly(context, deaf, task):
    plan = PLAN.replace(task=task, x_high=2.0)
    edge_hz = plan.axes[1].span(0, 3)[1][1]
    (region,) = regions(context, plan, deaf(edge_hz))
    assert sorted(map(tuple, region.cells)) == [(i, j) for i in range(4) for j in (4, 5)]
    assert region.ranges["frequency_hz"][0] == pytest.approx(edge_hz, abs=1)
    assert region.ranges["onset_s"] == [0, 2.0]
    assert region.n == 8 * 16 and region.severity > 0.9
    verb = "tones" if task == "detect" else "counting tones"
    assert region.sentence.startswith(f"{verb} above {quantity(edge_hz, 'Hz')} (mel ")
    assert "), any time: " in region.sentence
    assert region.sentence.endswith("(8 cells, n = 128)") and SUSPECTED in region.sentence
    assert json.dumps(region.to_dict(), allow_nan=False)
    assert Region.from_dict(json.loads(json.dumps(region.to_dict()))) == region
    assert region.fails == ("rate" if task == "count" else region.fails)


def test_a_good_listener_has_no_weakness(context, deaf):
    assert regions(context, PLAN, deaf()) == []


def test_too_few_trials_prove_no_weakness(context, deaf):
    assert regions(context, PLAN.replace(trials=2), deaf(1)) == []


def test_what_the_ideal_observer_misses_is_no_weakness(context, deaf):
    plan = PLAN.replace(design={"level_dbfs": -80, "noise_sigma": 0.1})
    assert regions(context, plan, deaf(1)) == []


def test_separate_regions_are_ranked_by_severity_and_size(context, deaf):
    class DeafAtBothEnds(deaf):
        def _log_probs(self, question):
            events = question.stimulus.events
            heard = sum(self.low < e.frequency_hz < self.limit_hz for e in events)
            return [0.0, -8.0] if heard else [-8.0, 0.0]

    listener = DeafAtBothEnds(PLAN.axes[1].span(0, 3)[1][1])
    listener.low = PLAN.axes[1].span(0, 0)[1][1]
    first, second = regions(context, PLAN, listener)
    assert len(first.cells) == 8 and len(second.cells) == 4
    assert "below" in second.sentence


def test_the_criterion_is_stated_in_words():
    assert Criterion().words("detect") == "d' below 1"
    assert Criterion().words("count") == "accuracy below 50 %"
    assert Criterion(measure="efficiency").words("detect").startswith("efficiency")


def test_small_regions_can_be_left_out(context, deaf):
    edge_hz = PLAN.axes[1].span(0, 4)[1][1]
    assert regions(context, PLAN, deaf(edge_hz), Criterion(smallest=5)) == []


def test_places_in_words():
    family = PLAN._family
    time = cell_axis(declaration("time", family), 0, 4, 4)
    level = cell_axis(declaration("level_dbfs", family), -60, -20, 4)
    gap = level_axis(declaration("gap_ms", family), 0, 300, 4)
    assert place_words((time, level), (0, 0), (0, 1)) == (
        "quieter than -40 dBFS, early in the clip (before 1 s)"
    )
    assert place_words((time, level), (3, 0), (3, 3)) == (
        "at any level, late in the clip (after 3 s)"
    )
    assert place_words((gap,), (0,), (1,)) == "spacing 0 ms to 100 ms"
    assert place_words((gap,), (2,), (2,)) == "spacing 200 ms"
    assert quantity(6123, "Hz") == "6.1 kHz" and quantity(440, "Hz") == "440 Hz"
    assert quantity(999.6, "Hz") == "1000 Hz"


@pytest.mark.parametrize("name", ["mel_channel", "frequency"])
def test_bands_are_told_in_hz_and_in_mel_channels_whatever_the_axis_counts_in(name):
    """Channel 127 of 128 has its centre below 8 kHz; the axis ends at 7.5 kHz."""
    axis = cell_axis(declaration(name, PLAN._family), None, None, 8)
    (_, (low_hz, high_hz)) = axis.span(3, 3)
    centres = mel_centres_hz()
    inside = np.flatnonzero((centres >= low_hz) & (centres <= high_hz))
    channels = f"mel {inside[0]}–{inside[-1]}"
    place = place_words((axis,), (3,), (3,))
    assert place == f"between {quantity(low_hz, 'Hz')} and {quantity(high_hz, 'Hz')} ({channels})"
    assert cell_words(axis, 3) == f"{band_words(low_hz, high_hz)} ({channels})"
    assert place_words((axis,), (0,), (7,)) == "at any frequency"
    assert re.fullmatch(r"below [\d.]+ k?Hz \(mel 0–\d+\)", place_words((axis,), (0,), (2,)))
    assert re.fullmatch(r"above [\d.]+ kHz \(mel \d+–\d+\)", place_words((axis,), (6,), (7,)))


def test_a_single_frequency_has_its_nearest_channel():
    axis = level_axis(declaration("frequency", PLAN._family), 250, 4000, 5)
    nearest = int(np.argmin(abs(mel_centres_hz() - 4000)))
    assert cell_words(axis, 4) == f"4 kHz (mel {nearest})"
    one = cell_axis(declaration("mel_channel", PLAN._family), 5, 6, 2)
    assert cell_words(one, 0).endswith("(mel 5)")
