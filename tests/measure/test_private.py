"""Private learning: clipping against gradients of single examples, noise against the exact law of
Gaussian steps, and what a single image can do."""

import math

import pytest
import torch
from scipy.stats import norm
from torch.nn.functional import cross_entropy

from synthlearn.core.errors import ParameterError
from synthlearn.measure import private


def examples(n=40, d=12, classes=4):
    g = torch.Generator().manual_seed(0)
    x, public = torch.randn(n, d, generator=g), torch.randn(100, d, generator=g)
    return (
        private.prepare(x, public),
        torch.arange(n) % classes,
        torch.randn(d + 1, classes, generator=g),
    )


def test_the_sum_is_of_each_examples_own_gradient_clipped():
    x, labels, weight = examples()
    naive = torch.zeros_like(weight)
    norms = []
    for i in range(len(x)):
        w = weight.clone().requires_grad_()
        cross_entropy(x[i : i + 1] @ w, labels[i : i + 1]).backward()
        norms.append(float(w.grad.norm()))
        naive += w.grad * min(1.0, 0.9 / norms[-1])
    assert min(norms) < 0.9 < max(norms)
    assert torch.allclose(private.clipped_sum(x, labels, weight, 0.9), naive, atol=1e-5)


def test_no_image_moves_the_sum_by_more_than_the_clipping_norm():
    x, labels, weight = examples()
    whole = private.clipped_sum(x, labels, 50 * weight)
    for i in range(len(x)):
        others = torch.arange(len(x)) != i
        assert float(
            (whole - private.clipped_sum(x[others], labels[others], 50 * weight)).norm()
        ) <= private.CLIP * (1 + 1e-4)


def test_features_are_prepared_each_by_itself():
    g = torch.Generator().manual_seed(1)
    features, public = torch.randn(10, 5, generator=g), torch.randn(30, 5, generator=g)
    changed = features.clone()
    changed[3] *= 100
    a, b = private.prepare(features, public), private.prepare(changed, public)
    assert torch.equal(a[:3], b[:3]) and torch.equal(a[4:], b[4:])
    assert torch.allclose(a[:, :-1].norm(dim=1), torch.ones(10)) and bool((a[:, -1] == 1).all())


def exact_delta(epsilon, sigma):
    """Of one Gaussian mechanism (Balle and Wang 2018)."""
    return norm.cdf(0.5 / sigma - epsilon * sigma) - math.exp(epsilon) * norm.cdf(
        -0.5 / sigma - epsilon * sigma
    )


@pytest.mark.parametrize(
    ("epsilon", "steps"), [(0.1, 1), (0.3, 10), (1.0, 30), (8.0, 100), (50.0, 1)]
)
def test_the_noise_keeps_to_the_exact_law_of_gaussian_steps(epsilon, steps):
    """Full-batch steps are one Gaussian mechanism of a noise that is √steps smaller; the accountant
    must promise no more, and waste little."""
    sigma = private.noise_multiplier(epsilon, steps)
    assert exact_delta(epsilon, sigma / math.sqrt(steps)) <= private.DELTA
    assert exact_delta(epsilon, 0.97 * sigma / math.sqrt(steps)) > private.DELTA


def test_the_records_noises_are_kept_to_the_bit():
    """Of ε = 1, 2, 4, 8 with 30 and 100 steps: what results/measurements holds was made with
    them."""
    found = [
        private.noise_multiplier(epsilon, steps)
        for epsilon in (1.0, 2.0, 4.0, 8.0)
        for steps in private.STEPS
    ]
    assert found == [
        20.625,
        37.65625,
        10.9716796875,
        20.029296875,
        5.93505859375,
        10.83740234375,
        3.29132080078125,
        6.0089111328125,
    ]


@pytest.mark.filterwarnings("ignore")
def test_noise_is_what_opacus_says():
    assert private.noise_multiplier(1.0, 100) == pytest.approx(37.7, abs=0.3)
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = [(private.noise_multiplier(1.0, 100), 1.0, 100)]
    assert 0.95 < accountant.get_epsilon(delta=private.DELTA) <= 1.0


def test_less_privacy_learns_more_and_the_draw_is_counted():
    g = torch.Generator().manual_seed(2)
    labels = torch.arange(600) % 3
    features = torch.randn(3, 8, generator=g)[labels] + torch.randn(600, 8, generator=g)
    x = private.prepare(features, features)
    setting = private.Setting(30, 4.0)
    weights = {noise: private.fit(x, labels, 3, setting, noise, 0) for noise in (0.0, 3.0, 300.0)}
    scores = [private.accuracy(x, labels, w) for w in weights.values()]
    assert scores[0] >= scores[1] > scores[2] and scores[0] > 0.7
    assert torch.equal(weights[3.0], private.fit(x, labels, 3, setting, 3.0, 0))
    assert not torch.equal(weights[3.0], private.fit(x, labels, 3, setting, 3.0, 1))
    assert (
        private.choose((x, labels), (x, labels), 3, 8.0, 1.0, [private.Setting(30, 1e-9), setting])
        == setting
    )


@pytest.mark.parametrize(
    "epsilon", [0.0, -1.0, math.nan, math.inf, 0.01, 1000, 10**400, True, "1", None]
)
def test_a_budget_that_is_none_or_that_the_accountant_cannot_do_is_refused(epsilon):
    with pytest.raises(
        ParameterError,
        match=r"epsilon \(1 is strong privacy, 8 is weak\) = .*: must be a number from 0.1 to 100",
    ):
        private.noise_multiplier(epsilon, 10)


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, 10**6, "10"])
def test_steps_are_a_whole_number(steps):
    with pytest.raises(ParameterError, match=r"steps = .*: must be a whole number from 1 to 1,000"):
        private.noise_multiplier(1.0, steps)


@pytest.mark.parametrize("delta", [0.0, 1.0, math.nan, -1, 1e-30])
def test_delta_is_a_small_chance(delta):
    with pytest.raises(ParameterError, match=r"delta .* = .*: must be a number from 1e-08 to 0.1"):
        private.noise_multiplier(1.0, 10, delta)
