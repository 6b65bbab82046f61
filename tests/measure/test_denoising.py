"""Denoising: patches, noise and decibels whose answers are known, and a denoiser that learns."""

import math

import pytest
import torch

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.measure import denoising as dn


def test_an_untrained_denoiser_changes_nothing_and_is_small():
    y = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    network = dn.Denoiser(0.1, seed=3)
    assert torch.equal(network(y), y)
    parameters = list(network.parameters())
    assert sum(p.numel() for p in parameters) == 16_947
    first = [dn.Denoiser(0.1, seed=s).noise[2].weight for s in (3, 3, 4)]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])
    he = math.sqrt(2 / (9 * dn.WIDTH))
    assert float(first[0].std()) == pytest.approx(he, rel=0.05)


def test_a_patch_is_a_window_of_one_image_mirrored_or_not():
    images = sl.generator("noise-white").sample(range(2), 40)
    keys = rng.key("test", torch.arange(60))
    seen = {"windows": set(), "mirrored": set()}
    windows = {
        (i, top, left): images[i, :, top : top + 32, left : left + 32]
        for i in range(2)
        for top in range(9)
        for left in range(9)
    }
    for patch in (dn.patches(images, keys) * 255).round().to(torch.uint8):
        places = [
            (place, mirrored)
            for place, window in windows.items()
            for mirrored in (False, True)
            if torch.equal(patch, window.flip(2) if mirrored else window)
        ]
        ((place, mirrored),) = places
        seen["windows"].add(place)
        seen["mirrored"].add(mirrored)
    assert len(seen["windows"]) > 40 and seen["mirrored"] == {False, True}
    assert {place[0] for place in seen["windows"]} == {0, 1}
    assert max(max(place[1:]) for place in seen["windows"]) == 8
    alone = dn.patches(images, keys[7:8])
    assert torch.equal(alone[0], dn.patches(images, keys)[7])


def test_the_noise_is_the_same_for_all_and_as_loud_as_was_asked():
    x = sl.generator("dead_leaves-mixed").sample(range(40), 32).float() / 255
    result = dn.restored(dn.Denoiser(25 / 255), x, 25 / 255)
    assert result.noisy == pytest.approx(20 * math.log10(255 / 25), abs=0.05)  # 20.17 dB
    half = dn.restored(dn.Denoiser(25 / 255), x[:20], 25 / 255)
    assert half.n == 20 and half != result
    # what an untrained one restores is its input, cut off at black and white: never worse
    assert result.psnr >= result.noisy and result.number == result.psnr


def test_decibels_are_those_of_the_definition():
    x, y = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8)
    for i, value in enumerate(dn.psnr(x, y).tolist()):
        error = ((x[i] - y[i]) ** 2).mean().item()
        assert value == pytest.approx(10 * math.log10(1 / error), abs=1e-4)


def test_a_denoiser_of_flat_images_learns_to_average():
    flat = sl.generator("noise-uniform_color").sample(range(60), 32)
    noise = sl.generator("noise-white").sample(range(60), 32)
    networks = [dn.train(images[:40], 0.1, 20, seed=0) for images in (flat, noise)]
    x = flat[40:].float() / 255
    ours, other = (dn.restored(network, x, 0.1) for network in networks)
    assert ours.psnr > ours.noisy + 1.5
    assert other.psnr < ours.psnr - 1  # of white noise nothing can be told from noise


def test_training_is_a_function_of_images_and_seed():
    images = sl.generator("dead_leaves-squares").sample(range(4), 40)
    again = [dn.train(images, 0.1, 2, seed).noise[0].weight for seed in (0, 0, 1)]
    assert torch.equal(again[0], again[1]) and not torch.equal(again[0], again[2])
