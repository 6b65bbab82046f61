"""Counter-based random numbers: the reference sequence, statistics, independence of shape and
device.
"""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from synthlearn.core import rng
from synthlearn.core.errors import ParameterError

SPLITMIX64_SEED_1234567 = (
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)


def test_bits_are_splitmix64():
    """The published reference output of splitmix64 for seed 1234567."""
    got = rng.bits(torch.tensor(1234567), (5,))
    assert [int(x) % 2**64 for x in got] == list(SPLITMIX64_SEED_1234567)


def test_every_bit_and_byte_of_neighbouring_keys_is_balanced():
    words = rng.bits(rng.key("bits", 3, torch.arange(200_000))).numpy().view(np.uint64)
    ones = np.array([((words >> np.uint64(b)) & np.uint64(1)).sum() for b in range(64)])
    assert (np.abs(ones / 200_000 - 0.5) < 5 * 0.5 / np.sqrt(200_000)).all()
    p = [
        stats.chisquare(
            np.bincount(words.view(np.uint8).reshape(-1, 8)[:, i], minlength=256)
        ).pvalue
        for i in range(8)
    ]
    assert min(p) > 0.001 / 8


@pytest.mark.parametrize("part", ["index", "seed", "counter"])
def test_neighbouring_keys_are_uncorrelated(part):
    n = 200_000
    i = torch.arange(n)
    u = {
        "index": lambda: rng.uniform(rng.key("c", 0, i)),
        "seed": lambda: rng.uniform(rng.key("c", i, 0)),
        "counter": lambda: rng.uniform(rng.key("c"), (n,)),
    }[part]()
    for lag in (1, 2, 7, 64):
        assert abs(float(torch.corrcoef(torch.stack((u[:-lag], u[lag:])))[0, 1])) < 5 / np.sqrt(n)
    assert stats.kstest(u.numpy(), "uniform").pvalue > 0.001


def test_numbers_do_not_depend_on_how_many_follow():
    keys = rng.key("prefix", torch.arange(5))
    assert torch.equal(rng.uniform(keys, (3,)), rng.uniform(keys, (10,))[:, :3])
    assert torch.equal(rng.bits(keys, (2, 3)).view(5, -1), rng.bits(keys, (6,)))


def test_normals_are_normal():
    z = rng.normal(rng.key("normal"), (200_001,))
    assert (
        len(z) == 200_001
        and stats.kstest(z.numpy(), "norm").pvalue > 0.001
        and bool(torch.isfinite(z).all())
    )


def test_integers_are_uniform_and_permutations_are_permutations():
    x = rng.integers(rng.key("ints"), 3, 10, (70_000,))
    assert (
        stats.chisquare(x.bincount(minlength=10)[3:]).pvalue > 0.001
        and int(x.min()) == 3
        and int(x.max()) == 9
    )
    assert torch.equal(rng.permutation(rng.key("p"), 1000).sort().values, torch.arange(1000))


def test_streams_and_folds_differ():
    a, b = rng.key("one", 1, torch.arange(1000)), rng.key("two", 1, torch.arange(1000))
    assert (
        len(
            set(a.tolist())
            | set(b.tolist())
            | set(rng.fold(a, 0).tolist())
            | set(rng.fold(a, 1).tolist())
        )
        == 4000
    )


@pytest.mark.parametrize(
    "part", [1.5, 2**63, -(2**63) - 1, 10**400, math.nan, "1", None, torch.tensor(1.5)]
)
def test_keys_are_mixed_from_whole_numbers_of_64_bits(part):
    for mix in (lambda: rng.key("k", part), lambda: rng.fold(rng.key("k"), part)):
        with pytest.raises(ParameterError, match="part of a random key"):
            mix()
    assert rng.key("k", -(2**63)) != rng.key("k", 2**63 - 1)
    assert (
        rng.key("k", np.int64(7))
        == rng.key("k", torch.tensor(7, dtype=torch.int32))
        == rng.key("k", 7)
    )


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 2), (0, 2**31 + 1), (0, 10**25)])
def test_integers_come_from_a_range_that_64_bits_hold(low, high):
    with pytest.raises(ParameterError, match="must be between 1 and 2"):
        rng.integers(rng.key("k"), low, high)
    x = rng.integers(rng.key("k"), 5, 5 + 2**31, (10_000,))
    assert 5 <= int(x.min()) < 2**19 and 2**31 - 2**19 < int(x.max()) < 5 + 2**31


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_cpu_and_gpu_give_the_same_integers():
    keys = rng.key("device", torch.arange(1000))
    assert torch.equal(rng.bits(keys, (7,)), rng.bits(keys.cuda(), (7,)).cpu())
