"""Dead leaves.

The painter against OpenCV's, leaf by leaf, and the set against the laws of the authors' code.
"""

import tomllib

import cv2
import numpy as np
import pytest
import torch
from scipy import stats

import synthlearn as sl
from synthlearn.core import files, rng
from synthlearn.generators import dead_leaves as dl
from synthlearn.measure import metrics

LAWS = tomllib.loads((files.root() / "book" / "laws.toml").read_text())["dead_leaves"]
SHAPE = {"squares": "square", "oriented": "oriented", "mixed": "mixed"}


def test_radii_follow_the_nearest_value_rule_of_the_code():
    r, p = dl.radius_grid()
    assert np.allclose(p[:3], (0.36522, 0.14773, 0.10164), atol=1e-5)  # exact values of the law
    assert float((p * r).sum()) == pytest.approx(0.051471, abs=1e-6) and float(
        (p * r * r).sum()
    ) == pytest.approx(0.0047874, abs=1e-7)
    u = torch.rand(1_000_000, generator=torch.Generator().manual_seed(0))
    seen = torch.bucketize(u, dl.radius_edges().float()).bincount(minlength=200).double()
    many = p * 1e6 > 5
    assert (
        stats.chisquare(seen[many], p[many] * float(seen[many].sum() / p[many].sum())).pvalue
        > 0.001
    )


@pytest.mark.parametrize("exponent", [1.5, 2.0, 4.0])
def test_other_exponents_follow_their_own_density(exponent):
    r, p = (x.numpy() for x in dl.radius_grid(exponent))
    density = (r**-exponent - 1) / (r**-exponent - 1).sum()
    assert np.allclose(p.sum(), 1) and np.allclose(p[1:-1], (density[1:-1] + density[2:]) / 2)
    top, painted = dl.cover(
        rng.key("dead_leaves", 0, torch.arange(4)), "mixed", 64, exponent=exponent
    )
    usual, _ = dl.cover(rng.key("dead_leaves", 0, torch.arange(4)), "mixed", 64)
    assert bool((top >= 0).all()) and bool((painted > 0).all()) and not torch.equal(top, usual)


def _paint_with_opencv(key: torch.Tensor, shape: str, size: int, leaves: int) -> np.ndarray:
    """The straightforward loop with OpenCV's fills: leaf index per pixel, −1 where bare."""
    u = rng.uniform(rng.fold(key[None], 0), (leaves, 8))[0]
    radius = dl.radius_grid()[0].float()[
        torch.bucketize(u[:, 0].contiguous(), dl.radius_edges().float())
    ]
    radius = (radius * size).long().clamp_min(1)
    centre = (u[:, 1:3] * size).long()
    kind = (
        (u[:, 3] * len(dl.SHAPES)).long()
        if shape == "mixed"
        else torch.full_like(radius, dl.SHAPES.index(shape))
    )
    xy = dl.corners(kind, radius, centre, u[:, 4:]).long().numpy()
    canvas = np.full((size, size), -1, np.int32)
    for i in range(leaves):
        if dl.SHAPES[int(kind[i])] == "circle":
            cv2.circle(canvas, centre[i].tolist(), int(radius[i]), i, -1)
        else:
            cv2.fillPoly(canvas, [xy[i].astype(np.int32)], i)
    return canvas


@pytest.mark.parametrize("shape", dl.SHAPES)
def test_leaves_equal_opencvs_but_for_outline_ties(shape):
    keys, leaves = (
        rng.key("test", 1, torch.arange(4)),
        250,
    )  # too few to cover: both paint all of them
    top, painted = dl.cover(keys, shape, 128, leaves)
    assert painted.tolist() == [leaves] * 4
    equal = np.mean(
        [
            (top[i].numpy() == _paint_with_opencv(keys[i], shape, 128, leaves)).mean()
            for i in range(4)
        ]
    )
    assert equal > (
        0.99 if shape in ("circle", "square", "rectangle") else 0.97
    )  # a tie on a slanted outline may fall to either side


def test_cover_equals_painting_the_spans_one_after_the_other():
    keys = rng.key("test", 2, torch.arange(2))
    top, painted = dl.cover(keys, "mixed", 32)
    image, leaf, row, left, right = dl.leaf_spans(keys, "mixed", 32, dl.TRIED[0])
    for i in range(2):
        canvas = torch.full((32, 32), -1)
        mine = image == i
        spans = sorted(
            zip(
                leaf[mine].tolist(),
                row[mine].tolist(),
                left[mine].tolist(),
                right[mine].tolist(),
                strict=True,
            )
        )
        for number, y, a, b in spans:
            if number < int(painted[i]):
                canvas[y, a : b + 1] = number
        assert torch.equal(canvas, top[i].long())
        assert (canvas >= 0).all()


def test_a_square_covers_its_inclusive_pixels():
    for r, pixels in ((3, 25), (1, 1), (10, 225)):
        xy = dl.corners(
            torch.tensor([1]), torch.tensor([r]), torch.tensor([[32, 32]]), torch.zeros(1, 4)
        )
        left, right = dl._polygon_rows(xy, torch.arange(64)[None])
        assert int((right - left + 1).clamp_min(0).sum()) == pixels


@pytest.mark.parametrize("name", sorted(SHAPE))
def test_set_meets_the_laws_of_the_authors_code(name):
    n, laws = 160, LAWS[name]
    images = sl.generator(f"dead_leaves-{name}").sample(range(n), 128, seed=7)
    _, leaves = dl.cover(rng.key("dead_leaves", 7, torch.arange(n)), SHAPE[name], 128)
    found = {"leaves": leaves.double()} | {
        law: estimate(images) for law, estimate in metrics.LAWS.items() if law in laws
    }
    for law, values in found.items():
        assert abs(float(values.median()) - laws[law][1]) <= metrics.tolerance(
            laws[law], n, laws["n"]
        ), law


def test_region_sizes_fall_like_a_power_of_minus_one():
    areas = np.concatenate(metrics.regions(sl.generator("dead_leaves-squares").sample(range(100))))
    x = np.array([8, 16, 32, 64, 128, 256, 512])
    slope = np.polyfit(np.log(x), np.log([(areas >= v).mean() for v in x]), 1)[0]
    assert slope == pytest.approx(-1.03, abs=0.12)  # −1.03 over 240 images of the authors' code
    assert np.quantile(areas, (0.05, 0.25, 0.5, 0.75)) == pytest.approx((2, 8, 21, 42), abs=4)


def test_colours_run_from_0_to_254():
    images = sl.generator("dead_leaves-squares").sample(range(40))
    assert int(images.max()) == 254 and int(images.min()) == 0


def test_small_pictures_are_the_same_scenes_averaged():
    g = sl.generator("dead_leaves-mixed")
    large, small = g.sample(range(4), 128).float(), g.sample(range(4), 64).float()
    assert (torch.nn.functional.avg_pool2d(large, 2) - small).abs().max() <= 0.51


def test_the_code_law_paints_at_its_own_size():
    edges = metrics.edge_fraction(
        sl.generator("dead_leaves-squares", law="code").sample(range(100), 32)
    )
    assert float(edges.median()) == pytest.approx(
        0.382, abs=metrics.tolerance((0.296, 0.382, 0.424), 100, 60)
    )
