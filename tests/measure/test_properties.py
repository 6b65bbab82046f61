"""Properties of image sets against closed forms, loops and scipy."""

import dataclasses
import importlib
import math
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from scipy import linalg

from synthlearn.core import rng
from synthlearn.core.errors import CheckpointError, DataError, ParameterError
from synthlearn.data import datasets, image_set
from synthlearn.measure import inception, metrics, probe
from synthlearn.measure import properties as pr


def normal(seed, n, d):
    return rng.normal(rng.key("normal", seed), (n, d)).double()


def test_frechet_is_zero_for_itself_and_has_its_closed_forms():
    x = normal(0, 400, 6)
    assert abs(pr.frechet(x, x)) < 1e-8 * float(x.var(0).sum())
    a, b = normal(1, 500, 1), 2 * normal(2, 500, 1) + 3
    assert pr.frechet(a, b) == pytest.approx(
        float((a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2)
    )
    y = x * torch.tensor([1.0, 2, 3, 1, 1, 5])
    (m1, c1), (m2, c2) = pr.moments(x), pr.moments(y)
    reference = float((m1 - m2).square().sum()) + np.trace(
        c1 + c2 - 2 * linalg.sqrtm((c1 @ c2).numpy()).real
    )
    assert pr.frechet(x, y) == pytest.approx(reference, rel=1e-6) and pr.frechet(
        y, x
    ) == pytest.approx(reference, rel=1e-6)
    turn = torch.linalg.qr(normal(3, 6, 6))[0]
    assert pr.frechet(3 * x @ turn + 1, 3 * y @ turn + 1) == pytest.approx(9 * reference, rel=1e-6)


def test_frechet_of_two_samples_of_one_law_is_its_bias():
    d, n = 16, 2000
    found = np.mean([pr.frechet(normal(2 * i, n, d), normal(2 * i + 1, n, d)) for i in range(8)])
    assert found == pytest.approx(d * (d + 1) / (2 * n) + 2 * d / n, rel=0.15)


def test_neighbourhoods_equal_loops():
    real, fake, k = normal(0, 30, 3), normal(1, 25, 3) + 0.5, 4
    distance = lambda a, b: float((a - b).norm())  # noqa: E731
    radius = [
        sorted(distance(r, s) for j, s in enumerate(real) if j != i)[k - 1]
        for i, r in enumerate(real)
    ]
    other = [
        sorted(distance(f, g) for j, g in enumerate(fake) if j != i)[k - 1]
        for i, f in enumerate(fake)
    ]
    inside = np.array([[distance(r, f) < radius[i] for f in fake] for i, r in enumerate(real)])
    inverse = np.array([[distance(r, f) < other[j] for j, f in enumerate(fake)] for r in real])
    found = pr.neighbourhoods(real, fake, k)
    expected = {
        "precision": inside.any(0).mean(),
        "recall": inverse.any(1).mean(),
        "density": inside.sum(0).mean() / k,
        "coverage": inside.any(1).mean(),
    }
    assert found == pytest.approx(expected)


def test_neighbourhoods_of_equal_of_one_law_and_of_far_sets():
    x = normal(0, 200, 8)
    same = pr.neighbourhoods(x, x)
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    assert set(pr.neighbourhoods(x, x + 1000).values()) == {0.0}
    n = 1000
    found = pr.neighbourhoods(normal(1, n, 16), normal(2, n, 16))
    law = 1 - math.prod((n - j) / (2 * n - j) for j in range(1, 6))
    assert found["coverage"] == pytest.approx(law, abs=0.03) and found["density"] == pytest.approx(
        0.97, abs=0.1
    )
    with pytest.raises(ParameterError, match="must be more than k = 5"):
        pr.neighbourhoods(x[:5], x)


def test_log_volume_and_rank_follow_scale_and_dimension():
    x = normal(0, 300, 5)
    assert pr.log_volume(3 * x, 0) - pr.log_volume(x, 0) == pytest.approx(5 * math.log(3))
    wide = torch.cat(
        (x, 7 * torch.linalg.qr(torch.cat((x - x.mean(0), normal(1, 300, 1)), 1))[0][:, 5:]), 1
    )  # an uncorrelated sixth axis
    assert pr.log_volume(wide, 0) - pr.log_volume(x, 0) == pytest.approx(
        0.5 * math.log(float(wide[:, 5].var())), abs=0.02
    )
    assert pr.log_volume(x[:1].expand(300, 5), 1e-3) == pytest.approx(2.5 * math.log(1e-3))
    white = torch.linalg.qr(x - x.mean(0))[0]
    assert pr.effective_rank(white) == pytest.approx(5, rel=1e-3) and pr.effective_rank(
        x[:, :1].expand(300, 5)
    ) == pytest.approx(1)


@settings(deadline=None, max_examples=200)
@given(strategies.floats(allow_nan=False, allow_infinity=False))
def test_rounding_keeps_six_decimals_or_six_significant_digits(value):
    found = pr.rounded("x", value)
    error = max(abs(value) * 1e-15, 5.0001e-6 * min(abs(value), 0.1))
    assert abs(found - value) <= error
    assert abs(value) < 0.1 or found == round(value, 6)  # as all records have it


def test_values_that_are_not_finite_are_no_properties():
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(
            DataError, match=r"coverage = -?(nan|inf): the images or their features do not vary"
        ):
            pr.rounded("coverage", value)


def test_properties_keep_their_digits_at_any_scale_of_the_features():
    """Features of an untrained encoder are about 1e-5: the Fréchet distance scales with their
    square."""
    x, y = normal(0, 100, 6), normal(1, 100, 6) + 0.2
    whole = pr.frechet(x, y)
    for scale in (1e-2, 1e-5, 1e-8):
        assert pr.rounded("frechet", pr.frechet(scale * x, scale * y)) == pytest.approx(
            scale**2 * whole, rel=1e-5
        )


def test_properties_of_sets_smaller_than_the_dimension_and_of_constant_ones_are_finite():
    few, many, flat = normal(0, 12, 60), normal(1, 12, 60), torch.ones(12, 60).double()
    for x, y in ((few, many), (few, flat), (flat, flat)):
        found = [
            pr.frechet(x, y),
            *pr.neighbourhoods(x, y).values(),
            pr.effective_rank(y),
            *pr.coherence(x, y),
        ]
        assert all(math.isfinite(v) for v in found) and found[0] >= 0
    assert pr.effective_rank(flat) == 1
    for call in (lambda: pr.frechet(few[:1], many), lambda: pr.coherence(few[:1], many[:1])):
        with pytest.raises(ParameterError, match="at least 2"):
            call()


def test_a_slope_needs_two_frequencies():
    x = rng.integers(rng.key("x"), 0, 256, (2, 3, 24, 24)).byte()
    for side in (22, 23, 24):
        assert bool(metrics.spectrum_slope(x[..., :side, :side]).isfinite().all())
    for side in (8, 20, 21):
        with pytest.raises(
            ParameterError,
            match=f"pictures of {side} px: a slope of the spectrum needs at least 22",
        ):
            metrics.spectrum_slope(x[..., :side, :side])


def test_lab_knows_white_grey_and_red():
    colours = torch.tensor(
        [[255, 255, 255], [0, 0, 0], [119, 119, 119], [255, 0, 0]], dtype=torch.uint8
    )[:, :, None, None]
    expected = torch.tensor(
        [[100, 0, 0], [0, 0, 0], [50.03, 0, 0], [53.24, 80.09, 67.20]], dtype=torch.float64
    )
    assert torch.allclose(pr.lab(colours)[:, :, 0, 0], expected, atol=0.02)


def test_colour_divergence_is_symmetric_zero_for_equal_and_blind_to_place():
    x = rng.integers(rng.key("x"), 0, 256, (3, 3, 16, 16)).byte()
    p, q = pr.colour_histogram(x), pr.colour_histogram(x // 2)
    assert (
        pr.symmetric_kl(p, p) == 0
        and pr.symmetric_kl(p, q) == pytest.approx(pr.symmetric_kl(q, p))
        and pr.symmetric_kl(p, q) > 0
    )
    assert np.array_equal(p, pr.colour_histogram(x.flip(3))) and p.sum() == pytest.approx(1)


def test_coherence_is_one_for_equal_views_and_zero_for_strangers():
    x = normal(0, 300, 40)
    same, independent = pr.coherence(x, x), pr.coherence(x, normal(1, 300, 40))
    assert same[0] == pytest.approx(1, abs=0.02) and same[1] == 1
    assert abs(independent[0]) < 0.03 and independent[1] < 0.03


def test_inception_reads_torchvisions_file_and_runs_no_code_of_it(tmp_path):
    importlib.import_module("synthlearn.core.vision")
    from torchvision.models import inception_v3

    theirs = inception_v3(weights=None, init_weights=False).eval()
    torch.save(theirs.state_dict(), tmp_path / "inception.pth")
    ours = inception.Inception(tmp_path / "inception.pth")
    x = torch.rand(2, 3, 299, 299)
    with torch.no_grad():
        theirs.fc = torch.nn.Identity()
        assert torch.equal(ours.features(x)["pooled"], theirs(x)) and ours.features(x)[
            "pooled"
        ].shape == (2, 2048)
    state = theirs.state_dict()
    state.pop("Conv2d_1a_3x3.conv.weight")
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(CheckpointError, match=r"Conv2d_1a_3x3\.conv\.weight' is missing"):
        inception.Inception(tmp_path / "short.pth")
    torch.save({"x": pathlib.PurePosixPath("/")}, tmp_path / "objects.pth")
    with pytest.raises(
        ParameterError, match="encoder inception: names no file; give inception:FILE"
    ):
        inception.Inception(pathlib.Path())
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "empty.pth").touch()
    for name, message in (
        ("objects.pth", "not a state dict of tensors"),
        ("list.pth", "holds no tensors"),
        ("empty.pth", "not a state dict of tensors"),
        ("missing.pth", "no such file"),
        (".", "is not a file"),
    ):
        with pytest.raises(CheckpointError, match=message) as caught:
            inception.Inception(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)


def test_properties_take_real_images_of_all_classes(monkeypatch):
    digits = datasets.load("digits", "test")
    order = digits.labels.argsort(stable=True)
    by_class = dataclasses.replace(digits, images=digits.images[order], labels=digits.labels[order])
    monkeypatch.setattr(datasets, "load", lambda name, split, size: by_class)
    taken = []

    def compare(reference, tap, pictures, real, *rest):
        taken.append(real)
        return iter(())

    monkeypatch.setattr(pr, "compare", compare)
    nothing = lambda *of: None  # noqa: E731
    subject = SimpleNamespace(
        settings=SimpleNamespace(n_images=40, data="digits", crop=32),
        reference=nothing,
        pictures=nothing,
        views=nothing,
    )
    assert not list(pr.Properties().parts(subject, 0))
    first = image_set.sample(by_class, 80)
    assert first.labels[:10].tolist() == list(range(10))
    assert torch.equal(taken[0], probe.large_enough(first.images, 32))


def test_fewer_test_images_than_a_comparison_takes_are_an_error():
    test = datasets.load("digits", "test")
    assert len(pr.two_samples(test, 398, "digits")) == 796
    with pytest.raises(DataError, match=r"has 797 .*, to compare 399 images takes 798; lower n_im"):
        pr.two_samples(test, 399, "digits")
