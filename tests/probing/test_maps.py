"""Maps: intervals that cover, shared catch trials, paired differences, front-end marks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spectcount.figures.words import axis_ticks
from spectcount.listeners.observers.ideal import IdealObserver
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing import maps, run
from spectcount.probing.axes import cell_axis, declaration
from spectcount.probing.difference import change_over, difference
from spectcount.probing.marks import front_end_marks, merged_cells
from spectcount.probing.plan import CountConfusion, Curve, DetectionMap, plan_from_dict


@pytest.fixture
def probe(context):
    def ask(plan, *listeners, seed=0):
        ctx = context({"plan": plan.to_dict(), "seed": seed})
        run.execute(ctx, {who.name: who for who in listeners})
        return [maps.of_listener(ctx.ledger.trials("run"), who.name) for who in listeners]

    return ask


def test_most_cells_cover_the_truth(probe):
    plan = DetectionMap(nx=8, ny=8, trials=30, catch_trials=300)
    (trials,) = probe(plan, SimulatedObserver(1.5, 0.0, seed=4))
    cells = maps.measure_map(plan, trials)
    inside = (cells.d_prime.low <= 1.5) & (cells.d_prime.high >= 1.5)
    assert 0.88 <= inside.mean() <= 1.0
    area = 0.8556  # Phi(1.5 / sqrt 2)
    assert ((cells.auc.low <= area) & (cells.auc.high >= area)).mean() >= 0.88


def test_unasked_cells_have_no_value_and_an_open_interval():
    cells = maps.measure_map(DetectionMap(nx=2, ny=3), [])
    assert cells.n.shape == (3, 2) and cells.n.min() < cells.plan.trials
    assert np.isnan(cells.rate.value).all() and np.isinf(cells.d_prime.high).all()
    assert json.dumps(cells.to_dict(), allow_nan=False)


def test_the_ideal_observer_follows_from_energy_and_noise(probe, deaf):
    plan = Curve(
        parameter="e_n0_db",
        start=0,
        stop=20,
        levels=3,
        trials=2,
        catch_trials=3,
        design={"level_dbfs": -45},
    )
    (trials,) = probe(plan, deaf())
    ideal = maps.measure_map(plan, trials).ideal[0]
    assert ideal == pytest.approx(np.sqrt(2 * 10 ** np.array([0, 1, 2])), rel=1e-6)


@pytest.mark.parametrize("task", ["detect", "interval"])
def test_the_ideal_observer_reaches_its_formula_at_every_level_of_a_curve(probe, task):
    plan = Curve(
        parameter="e_n0_db",
        start=-6,
        stop=6,
        levels=2,
        trials=60,
        catch_trials=120,
        task=task,
        family="tone_in_noise",
        design={"duration_s": 1.0, "noise_sigma": 0.01},
    )
    (trials,) = probe(plan, IdealObserver())
    cells = maps.measure_map(plan, trials)
    formula = np.sqrt(2 * 10 ** (np.array([-6, 6]) / 10))
    assert cells.ideal[0] == pytest.approx(formula, rel=0.01)
    assert (cells.d_prime.low[0] <= formula).all() and (formula <= cells.d_prime.high[0]).all()


def test_false_alarms_are_counted_per_background(probe, deaf):
    plan = Curve(parameter="noise_sigma", start=0.001, stop=0.1, levels=3, trials=2, catch_trials=9)
    (trials,) = probe(plan, deaf())
    assert maps.measure_map(plan, trials).n_catch.tolist() == [[3, 3, 3]]


def test_a_confusion_matrix_shows_the_bias(probe, deaf):
    plan = plan_from_dict({"kind": "confusion", "trials": 4, "count_high": 6})
    (trials,) = probe(plan, deaf(1200))
    table = maps.confusion(trials)
    assert table.matrix.sum() == 28 and table.matrix.sum(axis=1).tolist() == [4] * 7
    assert np.triu(table.matrix[:, :7], 1).sum() == 0  # never more than there are
    assert table.mean_bias < 0 and table.mean_error == pytest.approx(-table.mean_bias)
    assert table.overall.low < table.overall.value < table.overall.high


def test_only_cells_that_changed_are_discovered(probe, deaf):
    plan = DetectionMap(nx=2, ny=8, trials=12, catch_trials=40)
    edge = plan.axes[1].span(0, 3)[1][1]
    base, tuned = probe(plan, deaf(edge), deaf())
    found = difference(plan, base, tuned)
    assert found.changed[4:].all() and not found.changed[:4].any()
    assert (found.gained[4:] == 12).all() and found.lost.sum() == 0
    assert (found.rate.value[4:] == 1).all() and (found.d_prime.low[4:] > 0).all()
    whole = change_over(plan, base, tuned)
    assert whole.gained == 96 and whole.p < 1e-20


def test_without_a_change_discoveries_are_rare(probe):
    plan = DetectionMap(nx=6, ny=6, trials=12, catch_trials=40)
    twins = probe(plan, SimulatedObserver(1, 0, seed=1), SimulatedObserver(1, 0, seed=2))
    assert difference(plan, *twins).changed.sum() <= 1


def test_a_change_of_bias_alone_is_not_one_of_sensitivity(probe):
    plan = DetectionMap(nx=2, ny=2, trials=100, catch_trials=400)
    base, tuned = probe(plan, SimulatedObserver(2, 0.0, seed=1), SimulatedObserver(2, 1.0, seed=1))
    change = change_over(plan, base, tuned)
    assert change.d_prime.low < 0 < change.d_prime.high
    assert change.criterion.low <= 1 <= change.criterion.high and change.criterion.low > 0


def test_low_mel_channels_are_marked_as_merged():
    declared = declaration("mel_channel", DetectionMap()._family)
    marks = merged_cells(cell_axis(declared, 0, 125, 126))
    assert sum(marks[:43]) >= 30 and not any(marks[60:])
    assert not any(merged_cells(cell_axis(declared, 0, 125, 12)))


def test_probes_buried_in_the_noise_are_marked_as_silent():
    plan = DetectionMap(
        x="level_dbfs", x_low=-90, x_high=-10, nx=2, ny=2, design={"noise_sigma": 0.01}
    )
    silent = front_end_marks(plan).silent
    assert silent[:, 0].all() and not silent[:, 1].any()


def test_trials_of_no_event_have_no_ideal_and_leave_that_of_the_others(probe):
    """The pooled ideal of a count confusion from 0 on was null."""
    plan = CountConfusion(trials=3, count_high=3)
    (trials,) = probe(plan, SimulatedObserver(2, seed=1))
    assert np.isfinite(maps.pool(plan, trials).ideal)


def test_bands_of_mel_channels_are_told_without_powers_of_ten():
    plan = plan_from_dict({"kind": "map", "nx": 2, "ny": 3, "trials": 2, "catch_trials": 4})
    assert axis_ticks(plan.axes[1])[0] == "12–990 Hz (mel 0–41)"
