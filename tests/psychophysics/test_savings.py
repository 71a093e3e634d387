"""The benchmarks of saved trials: the ratio is right, the page keeps its other part, a small run
gives every row."""

import numpy as np
import pytest

from benchmarks import graded_savings, surface_savings
from benchmarks.page_parts import SAVINGS


def intervals(widths, runs=40):
    """[trials, runs, methods, 3] of intervals with these widths [trials, methods] around 0."""
    half = np.repeat(np.asarray(widths)[:, None], runs, axis=1) / 2
    return np.stack([np.zeros_like(half), -half, half], axis=-1)


def test_half_the_width_at_the_same_trials_saves_three_quarters():
    shrink = np.array(graded_savings.TRIALS) ** -0.5
    found = intervals(shrink[:, None] * [1, 2, 2, 4])
    ratio = graded_savings._ratio(found, 0.0, 0, 2, graded_savings.width)
    assert ratio == pytest.approx(4)
    assert graded_savings._ratio(found, 0.0, 1, 2, graded_savings.width) == pytest.approx(1)
    assert graded_savings._ratio(found, 0.0, 0, 3, graded_savings.width) == pytest.approx(8)


def test_answers_that_never_narrow_save_more_than_was_asked():
    found = intervals([[1, 1, 9, 9]] * 4)
    text = graded_savings.savings(found, 0.0, 0, 2, graded_savings.width)
    assert text.startswith("over 8")
    unbounded = intervals([[1, 1, np.inf, 1]] * 4)
    assert "not found" in graded_savings.savings(unbounded, 0.0, 0, 2, graded_savings.width)


def test_a_grid_of_four_times_the_trials_is_a_saving_of_four():
    truth, n = np.zeros(3), surface_savings.TRACK_TRIALS[1]
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(50, 3, 3))
    grid = np.stack([noise / np.sqrt(trials) for trials in surface_savings.GRID_TRIALS])
    track = noise / np.sqrt(4 * n)
    assert surface_savings._ratio(track, grid, truth, n) == pytest.approx(4)
    assert surface_savings.saving(track, grid, truth, n).startswith("4.0 [4.0")


def test_a_listener_that_is_not_gaussian_is_asked_for_one_level():
    trials = graded_savings.all_or_none(np.random.default_rng(1), 4500, 1500)
    listener = graded_savings.matched("all or nothing", graded_savings.all_or_none, 0.0, trials)
    trials = listener.draw(np.random.default_rng(2), 4500, 1500)
    for method in graded_savings.METHODS[:3]:
        found = graded_savings.measure(listener, method, trials).threshold.value
        assert found == pytest.approx(listener.truth, abs=0.8)
    rate = graded_savings.yes_function(listener, trials).level_for(listener.target[3]).value
    assert rate == pytest.approx(listener.truth, abs=0.8)


def test_a_run_has_every_method_and_place(monkeypatch):
    listener = graded_savings.simulated()[0]
    assert graded_savings.one_run(listener, 80, 0).shape == (4, 3)
    monkeypatch.setattr(surface_savings, "GRID_REPEATS", (1,))
    grid = surface_savings.grid_run(surface_savings.LISTENERS[0], 0)
    assert grid.shape == (2, 1, surface_savings.NODES, 3)
    assert np.isfinite(grid[..., 0]).all()


def test_the_page_keeps_its_other_part(tmp_path):
    page = SAVINGS.at(tmp_path / "savings.md")
    page.write("surface_savings", "## B\n\nold")
    page.write("graded_savings", "## A\n\ntext")
    page.write("surface_savings", "## B\n\nnew")
    text = page.path.read_text()
    assert text.index("## A") < text.index("## B") and "new" in text and "old" not in text
    assert text.count("# Trials saved") == 1
    again = text
    page.write("graded_savings", "## A\n\ntext")
    assert page.path.read_text() == again
