"""The steerable pyramid against pyrtools, plane by plane."""

import numpy as np
import pytest
import torch
from pyrtools.pyramids import SteerablePyramidSpace

from synthlearn.core import rng
from synthlearn.generators import pyramid

BORDERS = {"reflect": "reflect1", "circular": "circular"}


@pytest.mark.parametrize("borders", BORDERS)
@pytest.mark.parametrize(("side", "scales"), [(128, 3), (64, 2), (48, 1), (96, 2)])
def test_pyramid_and_reconstruction_equal_pyrtools(borders, side, scales):
    x = rng.normal(rng.key("pyramid", torch.arange(2)), (side, side))
    high, bands, low = pyramid.analyse(x, scales, borders)
    again = pyramid.synthesise(high, bands, low, borders)
    for i in range(2):
        theirs = SteerablePyramidSpace(
            x[i].double().numpy(), order=3, height=scales, edge_type=BORDERS[borders]
        )
        assert np.allclose(high[i], theirs.pyr_coeffs["residual_highpass"], atol=1e-5)
        assert np.allclose(low[i], theirs.pyr_coeffs["residual_lowpass"], atol=1e-4)
        for k in range(scales):
            for b in range(4):
                assert np.allclose(bands[k][i, b], theirs.pyr_coeffs[k, b], atol=1e-5)
        assert np.allclose(again[i], theirs.recon_pyr(), atol=2e-4)


@pytest.mark.parametrize(("borders", "allowed"), [("circular", 0.012), ("reflect", 0.07)])
def test_reconstruction_is_near_exact_and_exact_inside(borders, allowed):
    x = rng.normal(rng.key("exact", torch.arange(4)), (128, 128))
    error = pyramid.synthesise(*pyramid.analyse(x, 3, borders), borders) - x
    assert float(error.square().mean().sqrt()) < allowed
    assert float(error[:, 40:-40, 40:-40].square().mean().sqrt()) < 0.012


def test_bands_split_white_noise_as_the_filters_promise():
    high, bands, low = pyramid.analyse(rng.normal(rng.key("white", torch.arange(8)), (128, 128)), 3)
    assert float(high.std()) == pytest.approx(0.81, abs=0.01) and 0.5 < float(low.std()) < 0.65
    assert all(0.22 < float(band.std()) < 0.27 for band in bands)
