"""Mixing pixel by pixel: naive loops, laws of the weights, and pictures that no rule may change."""

import itertools

import numpy as np
import pytest
import torch

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.generators import mixed

PARTS = ["noise-perlin", "dead_leaves-squares", "noise-uniform_color"]


def noise(n, k, size=16):
    return sl.generator("noise-perlin").sample(range(n * k), size).view(n, k, 3, size, size)


@pytest.mark.parametrize("law", ["dirichlet", "uniform"])
def test_convex_weights_sum_to_one_and_keep_the_papers_share_of_the_variance(law):
    expected = {"dirichlet": {2: 2 / 3, 6: 2 / 7}, "uniform": {2: 0.614, 6: 0.221}}[law]
    for k, share in expected.items():
        w = mixed.weights(rng.key("weights", torch.arange(20_000)), k, law)
        assert bool((w > 0).all()) and torch.allclose(w.sum(1), torch.ones(len(w)))
        assert float(w.square().sum(1).mean()) == pytest.approx(share, rel=0.03)
        assert w.mean(0).tolist() == pytest.approx(
            [1 / k] * k, abs=0.01
        )  # the order of the parts does not matter


def test_convex_pictures_are_the_weighted_sums_cut_off_to_bytes():
    x, w = noise(3, 4), mixed.weights(rng.key("weights", torch.arange(3)), 4)
    exact = (x.double() * w.double()[..., None, None, None]).sum(1)
    below = exact - mixed.convex(x, w).double()
    assert (
        float(below.min()) > -2e-3
        and float(below.max()) < 1
        and float(below.mean()) == pytest.approx(0.5, abs=0.05)
    )
    alike = x[:, :1].expand(-1, 4, -1, -1, -1)
    assert torch.equal(mixed.convex(alike, w), x[:, 0])


def test_variance_of_convex_pictures_falls_as_the_weights_say():
    n, k = 3000, 3
    x = rng.integers(rng.key("flat", torch.arange(n)), 0, 256, (k, 3)).to(torch.uint8)[
        ..., None, None
    ]
    y = mixed.convex(x, mixed.weights(rng.key("w", torch.arange(n)), k))
    assert float(y.float().var() / x.float().var()) == pytest.approx(2 / (k + 1), rel=0.05)


def test_cutmix_pastes_each_box_in_turn():
    x, (centres, halves) = noise(5, 4), mixed.boxes(rng.key("boxes", torch.arange(5)), 4)
    expected = x[:, 0].clone()
    for i, r, a, b in itertools.product(range(5), range(1, 4), range(16), range(16)):
        if (
            abs((a + 0.5) / 16 - centres[i, r, 0]) < halves[i, r]
            and abs((b + 0.5) / 16 - centres[i, r, 1]) < halves[i, r]
        ):
            expected[i, :, a, b] = x[i, r, :, a, b]
    assert torch.equal(mixed.cutmix(x, centres, halves), expected)


def test_boxes_have_uniform_areas():
    area = (2 * mixed.boxes(rng.key("boxes", torch.arange(20_000)), 1)[1]).square().flatten()
    assert np.allclose(np.quantile(area, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)


def test_clusters_of_colours_follow_a_naive_loop():
    x = sl.generator("dead_leaves-mixed").sample(range(6), 24)
    for picture, found in zip(x, mixed.two_colours(x), strict=True):
        pixels = [tuple(int(v) for v in p) for p in picture.flatten(1).T]
        centres = [np.array(min(pixels), float), np.array(max(pixels), float)]
        colours = np.array(pixels, float)
        for _ in range(mixed.ROUNDS):
            second = ((colours - centres[1]) ** 2).sum(1) < ((colours - centres[0]) ** 2).sum(1)
            centres = [
                colours[side].mean(0) if side.any() else centre
                for side, centre in zip((~second, second), centres, strict=True)
            ]
        second = ((colours - centres[1]) ** 2).sum(1) < ((colours - centres[0]) ** 2).sum(1)
        assert (
            float((found.flatten().numpy() == ~second).mean()) > 0.999
        )  # pixels midway may fall to either side


def test_leaves_show_one_picture_inside_and_the_other_outside():
    size, black, white = (
        32,
        torch.zeros(3, 32, 32, dtype=torch.uint8),
        torch.full((3, 32, 32), 255, dtype=torch.uint8),
    )
    halves = black.clone()
    halves[:, :, size // 2 :] = 255
    a, b = noise(2, 1, size)[:, 0]
    made = mixed.leaves(torch.stack([halves, a, b])[None])[0]
    assert torch.equal(made[..., : size // 2 - 2], a[..., : size // 2 - 2]) and torch.equal(
        made[..., size // 2 + 2 :], b[..., size // 2 + 2 :]
    )
    for plain in (black, white):  # one colour is one cluster, the first
        assert torch.equal(mixed.leaves(torch.stack([plain, a, b])[None])[0], a)


@pytest.mark.parametrize("rule", ["convex", "cutmix"])
def test_of_one_part_each_is_a_mixture_of_whole_sets(rule):
    g = sl.generator("mixed", parts=PARTS, rule=rule, k=1)
    x = g.sample(range(60), 128)
    own = [sl.generator(name).sample(range(60), 128) for name in PARTS]
    hits = torch.stack([(x == pictures).flatten(1).all(1) for pictures in own])
    assert bool((hits.sum(0) == 1).all()) and int(hits.sum(1).min()) > 5


@pytest.mark.parametrize("rule", mixed.RULES)
def test_pictures_do_not_depend_on_the_batch(rule):
    g = sl.generator("mixed", parts=PARTS, rule=rule, k=3)
    together = g.sample(range(12), 64, seed=3)
    assert torch.equal(torch.cat([g.sample([i], 64, seed=3) for i in range(12)]), together)
    assert len(together.flatten(1).unique(dim=0)) == 12


def test_a_part_named_twice_gives_other_pictures():
    g = sl.generator("mixed", parts=["noise-uniform_color"] * 2, rule="cutmix", k=2)
    colours = [len(x.flatten(1).T.unique(dim=0)) for x in g.sample(range(40), 128)]
    assert max(colours) == 2 and sum(colours) > 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": []}, r"option parts = \[\]: name at least one generator"),
        ({"parts": ["noise-whit"]}, r"unknown generator 'noise-whit': did you mean 'noise-white'"),
        (
            {"parts": PARTS, "rule": "mixup"},
            r"option rule = 'mixup': must be one of 'convex', 'cutmix', 'kml', 'kml\+convex'",
        ),
        ({"parts": PARTS, "k": 4}, r"option k = 4: must be at most 3, the number of parts"),
        ({"parts": PARTS, "k": 0}, r"option k = 0: must be a whole number from 1 to 100"),
        (
            {"parts": PARTS, "weights": "even"},
            r"option weights = 'even': must be one of 'dirichlet', 'uniform'",
        ),
    ],
)
def test_bad_parts_rules_and_numbers_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        sl.generator("mixed", **options)
