"""Partial correlations over sets: against the closed form, and what their draws say."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from synthlearn.core.stats import partial_rho
from synthlearn.study.sets import Drawn, two_sides

RNG = np.random.default_rng(0)


def closed_form(x, y, held):
    """From the three plain correlations of ranks (Yule 1907)."""
    (_, xy, xh), (_, _, yh), _ = spearmanr(np.stack([x, y, held]), axis=1).statistic
    return (xy - xh * yh) / np.sqrt((1 - xh**2) * (1 - yh**2))


def test_it_is_the_partial_correlation_of_ranks_of_each_row():
    x, y, held = RNG.normal(size=(3, 4, 15))
    y = y + x - held
    each = [closed_form(*row) for row in zip(x, y, held, strict=True)]
    assert partial_rho(x, y, held) == pytest.approx(each)
    assert partial_rho(np.exp(x), y**3, 5 * held) == pytest.approx(each)  # of ranks


def test_what_leaves_nothing_to_correlate_is_no_correlation():
    x = np.arange(6.0)
    assert partial_rho(x, np.ones(6), x[::-1]) == 0  # y is tied
    assert partial_rho(x, x**2, x) == 0  # x is held itself
    assert partial_rho(x, x**2, np.ones(6)) == pytest.approx(1)  # nothing is held


def worlds(diverse, near, n=17, seed=0):
    """Accuracies that go with diversity and with nearness by so much, over correlated ones."""
    rng = np.random.default_rng(seed)
    common, noise = rng.normal(size=n), 0.3 * rng.normal(size=n)
    diversity, distance = common + rng.normal(size=n), -common + rng.normal(size=n)
    return diverse * diversity - near * distance + noise, diversity, distance


def test_the_side_that_accuracy_goes_with_is_told_from_the_other():
    wide, near = two_sides(*worlds(1.0, 0.0))
    assert wide.interval[0] > 0.5 and (wide - near).above < 0.05
    wide, near = two_sides(*worlds(0.0, 1.0))
    assert near.interval[0] > 0.5 and (wide - near).below < 0.05 < (wide - near).above


def test_unrelated_sets_are_seldom_told_apart():
    """Of 200 worlds of noise at 5 %; the percentile bootstrap of 17 sets calls a few more."""
    apart = 0
    for seed in range(200):
        wide, near = two_sides(*worlds(0.0, 0.0, seed=seed))
        apart += min((wide - near).above, (wide - near).below) <= 0.05
    assert apart <= 30


def test_an_interval_and_p_values_are_of_the_draws():
    drawn = Drawn(0.5, np.linspace(-0.1, 0.9, 1001))
    assert drawn.interval == pytest.approx((-0.075, 0.875))
    assert drawn.above == pytest.approx(0.2, abs=0.01) and drawn.below == 1
    assert str(Drawn(0.5, np.linspace(-1, 1, 1001))) == "+0.50 [-0.95, +0.95]"
