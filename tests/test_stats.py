"""Statistics against closed forms, simulations and scipy."""

import numpy as np
import pytest
from scipy import stats as distributions

from synthlearn import stats


def test_wilson_has_its_published_values():
    assert stats.wilson(440, 1000) == pytest.approx((0.4095, 0.4709), abs=1e-4)
    assert stats.wilson(0, 100) == pytest.approx((0, 0.0370), abs=1e-4)
    assert stats.wilson(100, 100) == pytest.approx((0.9630, 1), abs=1e-4)


def test_one_seed_bootstrap_is_the_binomial_interval():
    right = np.arange(1000) < 440
    e = stats.bootstrap(right[None])
    half = 1.96 * np.sqrt(0.44 * 0.56 / 1000)
    assert e.mean == 0.44 and (e.low, e.high) == pytest.approx((0.44 - half, 0.44 + half), abs=0.003)


def test_identical_seeds_add_nothing_but_the_factor_for_few_seeds():
    right = np.arange(1000) < 440
    one, three = stats.bootstrap(right[None]), stats.bootstrap(np.stack([right] * 3))
    assert three.high - three.low == pytest.approx((one.high - one.low) * np.sqrt(1.5), rel=0.05)


def test_interval_covers_the_truth():
    """Seeds N(0.5, 0.02²), images common in difficulty: the 95 % interval covers the true mean nearly as often as it says."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(150):
        ease = rng.uniform(0.2, 0.8, 400)
        p = np.clip(ease + rng.normal(0, 0.02, (5, 1)), 0, 1)
        e = stats.bootstrap(rng.uniform(size=(5, 400)) < p)
        covered += e.low <= 0.5 <= e.high
    assert covered / 150 > 0.85


def test_p_of_a_difference_agrees_with_the_paired_test():
    rng = np.random.default_rng(2)
    d = rng.choice([-1.0, 0, 1], size=(1, 2000), p=[0.08, 0.8, 0.12])
    z = d.mean() / (d.std() / np.sqrt(2000))
    assert stats.bootstrap(d).p == pytest.approx(2 * distributions.norm.sf(abs(z)), rel=0.35)  # far in the tail the bootstrap's standard error counts squared


def test_paired_t_equals_scipys():
    d = np.array([1.0, 2.5, 1.7])
    mean, low, high = stats.paired_t(d)
    interval = distributions.ttest_1samp(d, 0).confidence_interval()
    assert (mean, low, high) == pytest.approx((d.mean(), interval.low, interval.high))


def test_holm_steps_down():
    assert stats.holm([0.01, 0.04, 0.03]) == [True, False, False]
    assert stats.holm([0.001, 0.02, 0.04]) == [True, True, True]
    assert stats.holm([0.03, 0.04]) == [False, False] and stats.holm([float("nan"), 0.01]) == [False, True] and stats.holm([]) == []


def test_spearman_and_its_interval():
    x = np.arange(12.0)
    assert stats.correlation(x, x**3)[0] == pytest.approx(1) and stats.correlation(x, -x)[0] == pytest.approx(-1)
    r, low, high = stats.correlation(x, np.array([1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10.0]))
    assert low < r < high < 1.0001 and np.isnan(stats.correlation(x[:2], x[:2])[0])
    assert stats.correlation(x, 3 * x + 1, "pearson")[0] == pytest.approx(1) and stats.correlation(x, x**3, "pearson")[0] < 0.95
    assert np.isnan(stats.correlation(x, np.ones(12))[0])


@pytest.mark.parametrize(("kind", "reference"), [("spearman", distributions.spearmanr), ("pearson", distributions.pearsonr)])
def test_correlations_of_draws_are_scipys(kind, reference):
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 3, 5).astype(float), rng.normal(size=5)  # few values: ties, and draws that are all tied
    k = np.random.default_rng(0).integers(0, 5, (2000, 5))
    drawn = [reference(x[i], y[i]).statistic for i in k if len(set(x[i])) > 1 and len(set(y[i])) > 1]
    assert len(drawn) < 2000
    assert stats.correlation(x, y, kind) == pytest.approx((reference(x, y).statistic, *np.quantile(drawn, (0.025, 0.975))), abs=1e-12)


def test_bootstrap_draws_images_with_their_outcomes():
    """Counts of patterns in place of images: against images drawn one by one, for outcomes that tell seeds apart."""
    rng = np.random.default_rng(5)
    outcomes = rng.choice([-1.0, 0, 1], size=(2, 300), p=[0.1, 0.6, 0.3])
    found, drawn = stats.bootstrap(outcomes), []
    for _ in range(4000):
        drawn.append(outcomes[rng.integers(0, 2, 2)][:, rng.integers(0, 300, 300)].mean())
    low, high = (found.mean + np.sqrt(2) * (np.quantile(drawn, q) - found.mean) for q in (0.025, 0.975))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.006)


def test_permutation_p_is_scipys_and_tied_values_say_nothing():
    rng = np.random.default_rng(3)
    x = rng.normal(size=14)
    for strength in (0.0, 0.5, 2.0):
        y = strength * x + rng.normal(size=14)
        assert stats.permutation_p(x, y) == pytest.approx(distributions.spearmanr(x, y).pvalue, abs=0.03)
    assert stats.permutation_p(x, np.ones(14)) == 1


def test_split_half_reliability_is_high_for_clear_ranks_and_near_zero_for_none():
    rng = np.random.default_rng(3)
    level = np.linspace(0.2, 0.8, 8)[:, None, None]
    assert stats.split_half(rng.uniform(size=(8, 1, 2000)) < level) > 0.95
    assert stats.split_half(rng.uniform(size=(8, 1, 2000)) < 0.5) < 0.6
