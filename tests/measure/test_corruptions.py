"""Corruptions: nothing at severity 0, more with each severity, and laws of single kinds."""

import math

import pytest
import torch

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.core.errors import ParameterError
from synthlearn.measure import corruptions as co

IMAGES = torch.cat(
    [
        sl.generator(name).sample(range(8), 32)
        for name in ("dead_leaves-squares", "noise-perlin", "stat-spectrum")
    ]
)
FLAT = torch.full((4, 3, 32, 32), 0.4)
KEYS = rng.key("test", torch.arange(4))


def test_there_are_fifteen_in_five_severities():
    assert len(co.KINDS) == 15 and {len(s) for _, s in co.KINDS.values()} == {5}


@pytest.mark.parametrize("kind", co.KINDS)
def test_a_corruption_grows_with_its_severity_from_nothing(kind):
    every = [co.corrupt(IMAGES, kind, severity) for severity in range(6)]
    assert torch.equal(every[0], IMAGES)
    away = [float((each.float() - IMAGES.float()).square().mean()) for each in every]
    assert away == sorted(away) and len({*away}) == 6
    assert every[5].shape == IMAGES.shape and every[5].dtype == torch.uint8
    assert away[1] < 0.5 * away[5]


@pytest.mark.parametrize("kind", co.KINDS)
def test_an_image_does_not_depend_on_its_batch(kind):
    together = co.corrupt(IMAGES[:4], kind, 3, seed=2)
    alone = co.corrupt(IMAGES[:1], kind, 3, seed=2)
    assert int((together[0].int() - alone[0].int()).abs().max()) <= 1
    other = co.corrupt(IMAGES[:4], kind, 3, seed=3)
    still = kind in ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg")
    assert torch.equal(together, other) == still


@pytest.mark.parametrize(
    "kind",
    ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "contrast", "elastic", "pixelate"],
)
def test_what_blurs_or_moves_leaves_a_flat_image_as_it_is(kind):
    function, strengths = co.KINDS[kind]
    assert torch.allclose(function(FLAT, KEYS, strengths[4]), FLAT, atol=1e-5)


def test_noises_have_the_variance_of_their_law():
    gaussian, shot, impulse = (
        co.KINDS[kind][0](FLAT, KEYS, s) - FLAT
        for kind, s in (("gaussian_noise", 0.1), ("shot_noise", 100), ("impulse_noise", 0.1))
    )
    assert float(gaussian.std()) == pytest.approx(0.1, rel=0.03)
    assert float(shot.std()) == pytest.approx(math.sqrt(0.4 / 100), rel=0.03)
    assert float((impulse != 0).float().mean()) == pytest.approx(0.1, abs=0.01)
    assert float((impulse > 0).float().mean()) == pytest.approx(0.05, abs=0.01)


def test_moving_by_whole_pixels_is_a_shift():
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    by = torch.tensor([2.0, 1.0])[None, :, None, None].expand(1, 2, 8, 8)
    assert torch.allclose(co.moved(x, by)[..., :7, :6], x[..., 1:, 2:], atol=1e-5)


def test_jpeg_of_quality_100_rounds_and_coarse_blocks_are_their_means():
    x = IMAGES[:4].float() / 255
    fine = co._jpeg(x, KEYS, 100)
    assert float((fine - x).abs().max()) < 0.03
    coarse = co._jpeg(x[:, :, :24, :24], KEYS, 1)  # steps of 255 leave hardly any waves
    assert float(coarse.std()) < float(x.std())
    odd = co._jpeg(x[..., :20, :20], KEYS, 90)
    assert odd.shape == (4, 3, 20, 20)


def test_what_there_is_not_is_refused():
    with pytest.raises(ParameterError, match="kind = 'rain': must be one of gaussian_noise"):
        co.corrupt(IMAGES, "rain", 1)
    for severity in (-1, 6, 1.5):
        with pytest.raises(ParameterError, match="severity"):
            co.corrupt(IMAGES, "fog", severity)
