"""Rates of false alarms by stratum: many catch trials, and what the posterior of few was."""

import numpy as np
import pytest
from scipy.special import ndtri

from spectcount.psychophysics.below import false_alarm_draws


@pytest.mark.parametrize("n", [50, 5_000, 500_000])
@pytest.mark.parametrize("rate", [0.02, 0.5, 0.9])
def test_the_posterior_lies_at_the_rate_however_many_catch_trials(n, rate):
    z = false_alarm_draws((round(rate * n),), (n,))[:, 0]
    assert np.isfinite(z).all()
    assert z.mean() == pytest.approx(ndtri(rate), abs=0.1 + 1.5 / np.sqrt(n))


def test_strata_of_many_catch_trials_keep_rates_of_their_own():
    z = false_alarm_draws((2_500, 500, 10), (5_000, 5_000, 20))
    assert z.mean(axis=0)[:2] == pytest.approx(ndtri([0.5, 0.1]), abs=0.1)
    assert 0.1 < z[:, 2].std() > z[:, 0].std()
