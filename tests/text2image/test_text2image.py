"""Captions, their information about labels, and patch mosaics against loops and limits."""

import itertools
import math
import re

import pytest
import torch

from synthlearn.core import image, rng
from synthlearn.core.errors import ParameterError
from synthlearn.data import datasets, image_set
from synthlearn.data import source as make_source
from synthlearn.text2image import (
    Captioned,
    Gaussians,
    Mosaic,
    captions_of,
    gaussian,
    integrate,
    mutual_information,
    nearest,
    noise_levels,
)
from synthlearn.text2image import mosaic as m
from synthlearn.text2image.mosaic import denoise
from synthlearn.text2image.quadrature import guided_mean


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits").first(30)


def pictures(seed, n, side, channels=3):
    return rng.uniform(rng.key("pictures", seed), (n, channels, side, side), -1, 1).view(
        n, channels, side, side
    )


def test_named_captions_divide_classes_and_colours_ignore_them(digits):
    named, colour = captions_of(digits, "named", 30), captions_of(digits, "colour", 12)
    assert len(named.ids) == len(colour.ids) == 300
    assert named.ids.unique().tolist() == list(range(30)) and colour.ids.unique().tolist() == list(
        range(12)
    )
    assert (
        torch.equal(named.ids // 3, digits.labels)
        and len(named.texts) == 30
        and len(colour.texts) == 12
    )
    assert len(set(named.texts)) == 30 and len(set(colour.texts)) == 12
    for k, text in enumerate(named.texts):
        assert re.fullmatch(
            rf"a (dark|medium|bright) grey {k // 3} of look \d+", text
        )  # digits have no colour
    assert all(" picture of look " in text for text in colour.texts)
    counts = torch.bincount(named.ids).view(10, 3)
    assert bool((counts[:, 0] >= counts[:, 1]).all() and (counts[:, 1] >= counts[:, 2]).all())
    changed = image_set.ImageSet(
        "x", "train", digits.images, digits.labels.flip(0), digits.classes, ""
    )
    assert torch.equal(captions_of(changed, "colour", 12).ids, colour.ids)
    for kind, number, message in (
        ("named", 12, "a multiple of the 10 classes"),
        ("colour", 1, "must lie between 2 and the 300"),
        ("words", 10, "must be one of"),
    ):
        with pytest.raises(ParameterError, match=message):
            captions_of(digits, kind, number)


def test_mutual_information_has_its_closed_forms():
    labels = torch.arange(1000) % 4
    assert mutual_information(labels, labels)[0] == pytest.approx(2)
    assert mutual_information(labels * 3 + torch.arange(1000) // 4 % 3, labels)[0] == pytest.approx(
        2
    )  # finer captions tell no more
    assert mutual_information(labels // 2, labels)[0] == pytest.approx(1)
    assert mutual_information(torch.zeros(1000, dtype=torch.int64), labels) == pytest.approx((0, 0))
    estimate, bias = mutual_information(
        rng.integers(rng.key("any"), 0, 50, (1000,)).flatten(), labels
    )
    assert estimate == pytest.approx(bias, rel=0.3) and bias == pytest.approx(
        49 * 3 / (2 * 1000 * math.log(2)), rel=0.3
    )  # Miller and Madow's
    with pytest.raises(ParameterError, match="3 captions for 4 labels"):
        mutual_information(torch.arange(3), torch.arange(4))


@pytest.mark.parametrize("side", [1, 3, 5])
def test_the_denoiser_equals_a_loop_over_pixels(side):
    x, pool, noise = pictures(0, 2, 4).double(), pictures(1, 3, 4).double(), 0.7
    found = denoise(x, pool, noise, side)
    reach = side // 2
    for i in range(2):
        for row in range(4):
            for column in range(4):
                window = (
                    slice(None),
                    slice(max(0, row - reach), row + reach + 1),
                    slice(max(0, column - reach), column + reach + 1),
                )
                weights = torch.stack(
                    [-(x[i][window] - y[window]).square().sum() / (2 * noise**2) for y in pool]
                ).softmax(0)
                assert torch.allclose(
                    found[i, :, row, column],
                    sum(w * y[:, row, column] for w, y in zip(weights, pool, strict=True)),
                    atol=1e-12,
                )


def test_a_wide_window_is_the_whole_pictures_posterior_and_limits_hold():
    x, pool = pictures(2, 5, 8).double(), pictures(3, 7, 8).double()
    weights = (-(x[:, None] - pool).square().flatten(2).sum(2) / (2 * 0.8**2)).softmax(1)
    assert torch.allclose(
        denoise(x, pool, 0.8, 15), torch.einsum("nk,kchw->nchw", weights, pool), atol=1e-12
    )
    assert torch.allclose(denoise(x, pool[:1], 0.8, 3), pool[:1].expand_as(x), atol=1e-12)
    assert torch.allclose(denoise(x, pool, 1e6, 3), pool.mean(0).expand_as(x), atol=1e-6)
    assert torch.allclose(denoise(pool, pool, 1e-3, 15), pool, atol=1e-12)


def test_noise_falls_to_zero_and_windows_shrink_with_it():
    levels = noise_levels(m.LEVELS, *m.NOISE, m.RHO)
    assert (
        levels[0] == pytest.approx(8)
        and levels[-2] == pytest.approx(0.05)
        and levels[-1] == 0
        and len(levels) == 13
    )
    assert all(a > b for a, b in itertools.pairwise(levels))
    sides = [m.window(level) for level in levels[:-1]]
    assert (
        sides == sorted(sides, reverse=True)
        and {*sides} <= {31, 21, 13, 9, 5}
        and sides[0] == 31
        and sides[-1] == 5
    )


def test_a_sample_depends_on_seed_caption_and_number_alone():
    source = Mosaic(data="digits", per_class=30, number=20)
    whole = source.sample(range(60), 32)
    assert whole.shape == (60, 3, 32, 32) and whole.dtype == torch.uint8
    some = source.sample([45, 3, 3, 25], 32)
    assert int((some.int() - whole[[45, 3, 3, 25]].int()).abs().max()) <= 1
    assert not torch.equal(source.sample([3], 32, seed=1), source.sample([3], 32))
    guided = Mosaic(data="digits", per_class=30, number=20, w=3.0).sample(range(20), 32)
    assert not torch.equal(guided, whole[:20])
    assert torch.equal(source.labels(torch.arange(40)), torch.arange(40) % 20)


def test_samples_look_like_their_caption_and_differ():
    real = datasets.load("digits").first(30)
    source = Mosaic(data="digits", per_class=30, number=10)
    samples = source.sample(range(200), 32).float().flatten(1)
    shown = image.resize(real.images, 32).float().flatten(1)
    means = torch.stack([shown[real.labels == c].mean(0) for c in range(10)])
    nearest = torch.cdist(samples, means).argmin(1)
    assert float((nearest == torch.arange(200) % 10).float().mean()) > 0.4
    spread = torch.pdist(samples[::10]).mean()
    assert float(spread) > 0.5 * float(
        torch.pdist(shown[real.labels == 0]).mean()
    )  # samples of a caption differ


def test_shuffled_captions_tell_nothing_and_leave_the_pictures_alone():
    plain, shuffled = (
        Mosaic(data="digits", per_class=30, number=20),
        Mosaic(data="digits", per_class=30, number=20, shuffled=True),
    )
    assert torch.equal(plain.sample(range(25), 32), shuffled.sample(range(25), 32))
    ids = shuffled.labels(torch.arange(2000))
    estimate, bias = mutual_information(ids, torch.arange(2000) % 20)
    assert estimate == pytest.approx(bias, rel=0.3) and torch.bincount(ids, minlength=20).min() > 50


def test_real_images_with_captions_are_the_probes_training_images():
    source = Captioned(data="digits", per_class=30, number=20)
    real = make_source("real", data="digits")
    assert torch.equal(source.sample(range(200), 32), real.sample(range(200), 32))
    assert torch.equal(source.labels(torch.arange(200)) // 2, real.labels(range(200)))
    assert source.spec()["options"]["captions"] == "named" and "sha256" in source.spec()


@pytest.mark.parametrize("name", ["captioned", "gaussian", "mosaic"])
def test_sources_take_whole_indices_and_seeds_and_devices_that_are_here(name):
    source = make_source(name, data="digits", per_class=30, number=20)
    for call, message in (
        (lambda: source.sample([0.5], 32), "index = 0.5: must be a whole number"),
        (lambda: source.sample([-1], 32), "index = -1: must be a whole number"),
        (lambda: source.sample([0], True), "size = True: must be a whole number"),
        (
            lambda: source.sample([0], 32, 2**63),
            "seed = 9223372036854775808: must be a whole number",
        ),
        (lambda: source.sample([0], 32, 0, "meta"), "device = 'meta': not on this machine"),
        (lambda: source.labels([0.5]), "index = 0.5: must be a whole number"),
    ):
        with pytest.raises(ParameterError, match=message):
            call()


def test_sources_are_made_by_name_and_bad_options_are_named():
    assert isinstance(make_source("mosaic", data="digits"), Mosaic)
    assert isinstance(make_source("captioned", data="digits"), Captioned)
    for name, options, message in (
        (
            "mosaic",
            {"guidance": 2},
            r"unknown option 'guidance' of mosaic: allowed are data, per_class",
        ),
        ("mosaic", {"w": -1.0}, r"option w = -1.0: must be a number from 0 to 1000"),
        ("gaussian", {"w": 1e9}, r"option w = 1000000000.0: must be a number from 0 to 1000"),
        ("gaussian", {"law": "mean"}, r"option law = 'mean': must be one of 'ode', 'tilt'"),
        ("captioned", {"number": 1}, r"option number = 1: must be a whole number from 2"),
        ("captioned", {"per_class": 1.5}, r"option per_class = 1.5: must be a whole number from 0"),
        ("captioned", {"self": 1}, r"unknown option 'self' of captioned"),
        ("captioned", {"encoder": "x"}, r"only 'learned' captions have an encoder"),
        ("captioned", {"captions": "learned"}, r"captions = 'learned': needs the option encoder"),
        (
            "mosaic",
            {"shuffled": True, "told": "classes"},
            r"captions alone are dealt out at random",
        ),
        (
            "dalle",
            {},
            r"unknown source 'dalle': did you mean '\w+'\? There are .*gaussian, learned, mosaic",
        ),
    ):
        with pytest.raises(ParameterError, match=message):
            make_source(name, **options)


@pytest.mark.parametrize(
    ("v_c", "w", "mean", "variance"),
    [
        (0.5, 2, 1.611, 0.2500),
        (0.5, 4, 2.205, 0.0625),
        (0.5, 8, 2.386, 0.0039),
        (0.9, 4, 3.568, 0.6560),
        (1.0, 4, 3.950, 1.000),
        (1.3, 2, 2.157, 1.690),
        (0.5, 1, 1.0, 0.5),
        (0.5, 0, 0.0, 1.0),
    ],
)
def test_guided_samples_of_gaussians_have_the_closed_form_and_not_the_tilted_density(
    v_c, w, mean, variance
):
    found = gaussian.guided_moments(1.0, v_c, 0.0, 1.0, w, 2000)
    assert found[0] == pytest.approx(mean, abs=0.02 * max(1, abs(mean))) and found[
        1
    ] == pytest.approx(variance, rel=0.02, abs=1e-4)
    assert guided_mean(1.0, v_c, 0.0, 1.0, w) == pytest.approx(found[0], abs=2e-3)
    one = torch.ones(1, dtype=torch.float64)
    assert float(gaussian.guided_variance(v_c * one, one, w)) == pytest.approx(v_c**w)
    tilt = gaussian.tilted(one, v_c * one, 0 * one, one, w)
    assert float(tilt[1]) == pytest.approx(v_c / (w + (1 - w) * v_c))
    assert (
        float(tilt[1]) == pytest.approx(float(gaussian.guided_variance(v_c * one, one, w)))
    ) == (w in (0, 1) or v_c == 1)


@pytest.mark.parametrize(
    ("solver", "steps", "ratios"),
    [
        ("heun", 18, (1.102, 1.131, 1.297)),
        ("heun", 36, (1.022, 1.029, 1.061)),
        ("euler", 18, (0.728, 0.678, 0.472)),
        ("euler", 120, (0.956, 0.947, 0.909)),
    ],
)
def test_few_steps_act_like_more_or_less_guidance(solver, steps, ratios):
    for w, ratio in zip((1, 2, 4), ratios, strict=True):
        assert gaussian.guided_moments(1.0, 0.5, 0.0, 1.0, w, steps, solver)[
            1
        ] / 0.5**w == pytest.approx(ratio, abs=0.006)


def test_a_tilt_that_is_no_density_is_refused_with_the_largest_w():
    one = torch.ones(2, dtype=torch.float64)
    with pytest.raises(
        ParameterError,
        match=r"w = 8: .* in direction 1, .* 1.3 times that of all images; w must be below 4.33",
    ):
        gaussian.tilted(one, torch.tensor([0.5, 1.3], dtype=torch.float64), 0 * one, one, 8)
    for bad in ({"steps": 1, "high": 80.0, "low": 0.1}, {"steps": 9, "high": 1.0, "low": 2.0}):
        with pytest.raises(ParameterError, match="at least 2 steps from a higher to a lower noise"):
            noise_levels(**bad)
    with pytest.raises(ParameterError, match="solver = 'rk4': must be 'euler' or 'heun'"):
        integrate(lambda x, s: x, one, [1.0, 0.0], "rk4")


def test_pictures_of_gaussian_captions_have_their_captions_mean():
    source = Gaussians(data="digits", per_class=30, number=10)
    pictures = source.sample(torch.arange(2000) * 10 + 3, 32).float().mean(0)
    images, captions = source.real()
    real = image.resize(images.images[captions.ids == 3], 32).float().mean(0)
    assert float((pictures - real).abs().mean()) < 6  # of 255; clipping moves it
    tilt = (
        Gaussians(data="digits", per_class=30, number=10, law="tilt", w=1.0)
        .sample(torch.arange(2000) * 10 + 3, 32)
        .float()
    )
    assert float((tilt.mean(0) - pictures).abs().mean()) < 6
    assert torch.equal(source.sample([7, 3], 32), source.sample([3, 7], 32).flip(0))


def test_the_nearest_image_is_found_in_either_direction():
    images = rng.integers(rng.key("images"), 0, 256, (6, 3, 8, 8)).byte()
    pictures = torch.stack(
        (images[2], images[4].flip(2), images[1].int().add(10).clamp(0, 255).byte())
    )
    distance, index = nearest(pictures, images)
    assert index.tolist() == [2, 4, 1] and distance[:2].abs().max() < 1e-3
    assert float(distance[2]) == pytest.approx(10 / 255, rel=0.05)
