"""Alignment and uniformity against loops and closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.learn.losses import align, info_nce, nt_xent, uniform, uniform_limit
from synthlearn.learn.methods import AlignUniform


def unit(seed, n, d):
    return normalize(rng.normal(rng.key("unit", seed), (n, d)).double(), dim=1)


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(2, 9),
    d=st.integers(2, 6),
    seed=st.integers(0, 99),
    alpha=st.sampled_from([1.0, 2.0, 3.0]),
    t=st.sampled_from([0.5, 2.0, 4.0]),
)
def test_losses_equal_loops_over_pairs(n, d, seed, alpha, t):
    x, y = unit(seed, n, d), unit(seed + 1000, n, d)
    a = sum(math.dist(x[i], y[i]) ** alpha for i in range(n)) / n
    u = math.log(
        sum(math.exp(-t * math.dist(x[i], x[j]) ** 2) for i in range(n) for j in range(i + 1, n))
        / (n * (n - 1) / 2)
    )
    assert float(align(x, y, alpha)) == pytest.approx(a, rel=1e-4, abs=1e-6)
    assert float(uniform(x, t)) == pytest.approx(u, rel=1e-4, abs=1e-6)


def test_equal_views_align_to_zero_and_equal_points_are_not_uniform():
    x = unit(0, 5, 8)
    assert float(align(x, x)) == 0
    assert float(uniform(x[:1].repeat(4, 1))) == pytest.approx(0, abs=1e-6)


def test_uniform_of_antipodes_is_minus_4t_and_of_orthogonal_points_minus_2t():
    e = torch.eye(3)
    assert float(uniform(torch.stack((e[0], -e[0])))) == pytest.approx(-8)
    assert float(uniform(torch.stack((e[0], e[1])))) == pytest.approx(-4)


@pytest.mark.parametrize("d", [2, 5, 128])
def test_uniform_of_a_simplex_is_its_closed_form(d):
    e = torch.eye(d + 1)
    simplex = normalize(e - e.mean(0), dim=1)
    assert float(uniform(simplex)) == pytest.approx(-4 * (d + 1) / d, rel=1e-4)


def test_uniform_of_random_points_is_its_limit():
    values = torch.stack([uniform(unit(s, 256, 128)) for s in range(20)])
    assert float(values.mean()) == pytest.approx(
        -3.9375, abs=0.002
    )  # log 0F1(; d/2; t²) − 2t; spread 0.002 at n = 256


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_losses_are_invariant_under_rotation_and_order(seed):
    x, y = unit(seed, 12, 5), unit(seed + 1, 12, 5)
    q = torch.linalg.qr(rng.normal(rng.key("q", seed), (5, 5)).double())[0]
    order = rng.permutation(rng.key("o", seed), 12)
    assert float(align(x @ q, y @ q)) == pytest.approx(float(align(x, y)), rel=1e-5)
    assert float(uniform(x[order] @ q)) == pytest.approx(float(uniform(x)), rel=1e-5)
    assert float(align(x[order], y[order])) == pytest.approx(float(align(x, y)), rel=1e-5)


def test_gradients_are_finite_where_views_coincide():
    x = unit(3, 6, 4).float().repeat(2, 1).requires_grad_()
    loss, terms = AlignUniform(torch.nn.Identity()).loss([x, x.detach().clone().requires_grad_()])
    loss.backward()
    assert bool(torch.isfinite(x.grad).all()) and set(terms) == {"align", "uniform"}


def test_the_method_weighs_both_terms_one():
    x, y = unit(1, 8, 4), unit(2, 8, 4)
    assert float(AlignUniform(torch.nn.Identity()).loss([x, y])[0]) == pytest.approx(
        float(align(x, y) + (uniform(x) + uniform(y)) / 2)
    )


def test_bad_shapes_are_named():
    with pytest.raises(ParameterError, match=r"views of shapes \(3, 2\) and \(4, 2\)"):
        align(torch.zeros(3, 2), torch.zeros(4, 2))
    with pytest.raises(
        ParameterError, match=r"features of shape \(1, 2\): must be \(n, d\) with n ≥ 2"
    ):
        uniform(torch.zeros(1, 2))


def test_the_limit_of_uniformity_is_that_of_many_random_points():
    for d, published in ((16, -3.5130), (64, -3.8752), (128, -3.9375)):
        assert uniform_limit(d) == pytest.approx(published, abs=1e-4)
    assert float(uniform(unit(0, 3000, 16))) == pytest.approx(uniform_limit(16), abs=0.01)


@pytest.mark.parametrize("loss", [align, nt_xent, lambda x, y: info_nce(x, y, torch.eye(3))])
def test_views_of_two_shapes_are_refused_by_every_loss_of_pairs(loss):
    with pytest.raises(
        ParameterError, match=r"views of shapes \(2, 3\) and \(1, 3\): must be equal"
    ):
        loss(torch.eye(3)[:2], torch.eye(3)[:1])  # broadcasting would give a number
    with pytest.raises(ParameterError, match=r"features of shape \(3,\): must be \(n, d\)"):
        loss(torch.ones(3), torch.ones(3))


def test_a_queue_of_another_size_is_refused():
    with pytest.raises(
        ParameterError, match=r"queue of shape \(4, 4\) for queries of shape \(3, 3\)"
    ):
        info_nce(torch.eye(3), torch.eye(3), torch.eye(4))
