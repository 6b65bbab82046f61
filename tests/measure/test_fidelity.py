"""Fidelity of samples: closed forms, limits, and sets whose answer is known."""

import pytest
import torch

from synthlearn.core import rng
from synthlearn.core.errors import DataError, ParameterError
from synthlearn.measure import fidelity


def test_variety_is_the_mean_distance_within_captions():
    x = torch.tensor([[0.0, 0], [3, 4], [10, 0], [10, 1], [10, 2], [50, 50]])
    ids = torch.tensor([0, 0, 1, 1, 1, 2])
    assert fidelity.variety(x, ids) == pytest.approx((5 + (1 + 1 + 2) / 3) / 2)
    assert fidelity.variety(torch.zeros(4, 2), torch.tensor([0, 0, 1, 1])) == 0
    with pytest.raises(ParameterError, match="none has two"):
        fidelity.variety(x, torch.arange(6))


def test_the_oracle_tells_what_it_learned():
    labels = torch.arange(200) % 2
    x = rng.normal(rng.key("x"), (200, 3)) + 8 * labels[:, None]
    oracle = fidelity.ClassifierOracle(x, labels, 2)
    assert fidelity.agreement(oracle.predict(x), labels) == 1


def test_imbalance_is_a_total_variation():
    assert fidelity.imbalance(torch.arange(40) % 4, 4) == pytest.approx(0, abs=1e-12)
    assert fidelity.imbalance(torch.zeros(40, dtype=torch.int64), 4) == pytest.approx(0.75)
    assert fidelity.imbalance(torch.arange(40) % 2, 4) == pytest.approx(0.5)
    with pytest.raises(ParameterError, match="0 labels"):
        fidelity.imbalance(torch.arange(0), 4)


def test_an_oracle_of_nothing_is_refused():
    labels = torch.arange(20) % 2
    x = rng.normal(rng.key("x"), (20, 3))
    for bad, of in ((x * torch.nan, labels), (x, torch.zeros(20).long())):
        with pytest.raises(
            DataError, match=r"NaN or infinity|all 20 training images are of class 0"
        ):
            fidelity.ClassifierOracle(bad, of, 2)
