"""Random StyleGANs.

The single-map shortcut against the full network, kernels, noise, and the output law.
"""

import tomllib

import numpy as np
import pytest
import torch
from benchmarks import reference
from PIL import Image

import synthlearn as sl
from synthlearn.core import files, rng
from synthlearn.generators import (
    stylegan,
    stylegan_free,
    stylegan_network,
    stylegan_noise,
    stylegan_tied,
)
from synthlearn.measure import metrics

LAWS = tomllib.loads((files.root() / "book" / "laws.toml").read_text())["stylegan"]
WIDTH = 1 / 16


@pytest.mark.parametrize("kind", ["highfreq", "sparse", "oriented"])
def test_single_map_shortcut_equals_the_full_network(kind):
    o = sl.generator(f"stylegan-{kind}", width=WIDTH).options
    net = rng.key("net")
    shared = stylegan_network.network(int(net), 64, o.width, False, "cpu")
    keys = rng.key("shortcut", torch.arange(3))
    fast, slow = (
        stylegan_tied.tied_synthesis(shared, keys, net, 64, o),
        reference.full_stylegan(shared, keys, net, 64, o),
    )
    assert float((fast - slow).abs().max()) < 2e-4 * float(slow.abs().max())


@pytest.mark.parametrize("kind", ["highfreq", "sparse", "oriented"])
def test_set_meets_the_laws_of_the_authors_code(kind):
    """By medians, within three standard errors for so many pictures. Of the two other sets, each
    misses three of a set's laws or more."""
    n, laws = 24, LAWS[kind]
    images = sl.generator(f"stylegan-{kind}", images_per_network=8).sample(range(n), 256, seed=1)
    for law, quartiles in laws.items():
        if law != "n":
            assert abs(
                float(metrics.LAWS[law](images).median()) - quartiles[1]
            ) <= metrics.tolerance(quartiles, n, laws["n"]), law


def test_free_networks_meet_the_laws_at_an_eighth_of_the_width():
    n, laws = 16, LAWS["random"]
    images = sl.generator("stylegan-random", images_per_network=2, width=0.125).sample(
        range(n), 256, seed=3
    )
    for law in ("deviation", "mean_step", "step_kurtosis", "energy_variation", "chroma"):
        assert abs(float(metrics.LAWS[law](images).median()) - laws[law][1]) <= metrics.tolerance(
            laws[law], n, laws["n"]
        ), law


def test_banks_hold_the_kernels_of_the_description():
    signs, oriented = stylegan_tied.sign_kernels(), stylegan_tied.oriented_kernels()
    assert signs.shape == oriented.shape == (40, 3, 3) and len(signs.flatten(1).unique(dim=0)) == 32
    norms = signs.square().sum((1, 2))
    assert set(norms[:16].tolist()) == {6, 8, 9}
    assert set(norms[16:32].tolist()) == {9} and norms[32:36].tolist() == norms[36:].tolist() == [
        1,
        9,
        5,
        9,
    ]
    assert torch.equal(oriented[:20], -oriented[20:])
    assert torch.allclose(oriented[:16].sum((1, 2)), torch.zeros(16), atol=1e-5)
    assert torch.allclose(
        oriented[:4].square().sum((1, 2)), torch.tensor([6, 4.586, 4, 4.586]), atol=2e-3
    )
    assert torch.allclose(
        oriented[8:12].square().sum((1, 2)), torch.tensor([8, 3.926, 5.638, 3.926]), atol=2e-3
    )
    assert torch.allclose(
        oriented[1],
        torch.tensor([[0.541, -0.383, -1], [0.924, 0, -0.924], [1, 0.383, -0.541]]),
        atol=1e-3,
    )
    assert torch.allclose(
        oriented[9],
        torch.tensor([[-0.183, -0.5, 0.734], [0.582, -1.266, 0.582], [0.734, -0.5, -0.183]]),
        atol=1e-3,
    )


def test_pink_noise_has_its_slope_and_no_mean():
    keys = rng.key("pink", torch.arange(32))
    x = stylegan_noise.pink_noise(keys, 256)
    slope = metrics.spectrum_slope(x[:, None].expand(-1, 3, -1, -1))
    assert float((slope / rng.uniform(rng.fold(keys, 0), (), 0.5, 1.5) + 2).abs().median()) < 0.06
    assert float(x.mean((1, 2)).abs().max()) < 1e-5


def test_the_whole_period_of_pink_noise_has_exactly_its_amplitudes(monkeypatch):
    keys, side = rng.key("exact", torch.arange(2)), 16
    f = torch.fft.irfft2
    kept = []
    monkeypatch.setattr(torch.fft, "irfft2", lambda *a, **k: kept.append(f(*a, **k)) or kept[-1])
    stylegan_noise.pink_noise(keys, side)
    amplitude = torch.fft.fft2(kept[0]).abs()
    k = torch.fft.fftfreq(side + 1, 1 / (side + 1))
    radius = torch.hypot(k[:, None], k)
    radius[0, 0] = 1
    want = radius ** -rng.uniform(rng.fold(keys, 0), (), 0.5, 1.5)[:, None, None]
    want[:, 0, 0] = 0
    assert torch.allclose(amplitude, want, atol=1e-4)


def test_envelope_is_enlarged_as_pil_does():
    small = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    theirs = np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.LANCZOS))
    enlarge = stylegan_noise.lanczos(64)
    assert np.allclose(enlarge @ torch.from_numpy(small) @ enlarge.T, theirs, atol=1e-4)


def test_pictures_of_one_network_share_it_and_others_do_not():
    near, far = (
        sl.generator("stylegan-random", width=1 / 16, images_per_network=n).sample(range(2), 64)
        for n in (2, 1)
    )
    assert torch.equal(near[0], far[0]) and not torch.equal(near[1], far[1])


@pytest.mark.parametrize("kind", ["random", "highfreq", "sparse", "oriented"])
def test_a_gpus_way_is_within_one_grey_level(kind):
    o = sl.generator(f"stylegan-{kind}", width=WIDTH).options
    net, keys, free = rng.key("net", 3), rng.key("near", torch.arange(4)), kind == "random"
    shared = stylegan_network.network(int(net), 64, WIDTH, free, "cpu")
    if free:
        both = [
            way(shared, keys, 64, WIDTH)
            for way in (stylegan_free.free_synthesis, stylegan_free.free_synthesis_half)
        ]
    else:
        ways = stylegan_tied.tied_synthesis, stylegan_tied.tied_synthesis_gathered
        both = [way(shared, keys, net, 64, o) for way in ways]
    ours, theirs = (stylegan.to_photographic(x, keys).int() for x in both)
    apart = (ours - theirs).abs()
    # 11 bits through seven layers move a value by some 0.1 % of the contrast, 0.06 levels
    assert int(apart.max()) <= 1 and float(apart.float().mean()) < (0.15 if free else 0.001)


def test_a_gpus_kernels_are_the_sums_of_the_plain_ones():
    x = rng.normal(rng.key("maps"), (2, 3, 9, 9))
    smooth = stylegan_network.smooth(torch.nn.functional.pad(x, (1, 1, 1, 1)))
    assert torch.allclose(4 * stylegan_network.smooth_pooled(x), smooth, atol=1e-5)
    assert torch.allclose(
        stylegan_network.upsample_bilinear(x), stylegan_network.upsample(x), atol=1e-5
    )
    taps = rng.normal(rng.key("taps"), (2, 3, 3, 8, 8))
    for up in (False, True):
        assert torch.allclose(
            stylegan_tied.assemble_folded(taps, up), stylegan_tied.assemble(taps, up), atol=1e-5
        )


@pytest.mark.parametrize("kind", ["random", "highfreq", "oriented"])
def test_the_host_reads_nothing_of_a_gpus_way(kind):
    o, free = sl.generator(f"stylegan-{kind}", width=WIDTH).options, kind == "random"
    keys = torch.zeros(3, dtype=torch.int64, device="meta")  # to read a value is an error here
    shared = stylegan_network.network.__wrapped__(1, 32, WIDTH, free, "meta")
    way, more = stylegan_free.free_synthesis_half, (32, WIDTH)
    if not free:
        way, more = stylegan_tied.tied_synthesis_gathered, (keys[0], 32, o)
    x = stylegan.to_photographic(way(shared, keys, *more), keys)
    assert x.is_meta and x.shape == (3, 3, 32, 32)


def test_a_chunk_on_a_gpu_is_what_fills_it(monkeypatch):
    monkeypatch.setattr("synthlearn.generators.base.working_memory", lambda device: 16 << 30)
    kinds = {"random": stylegan.FULL_FREE, "oriented": stylegan.FULL_TIED}
    for kind, most in kinds.items():
        g = sl.generator(f"stylegan-{kind}")
        assert [g.chunk(side, "cuda") for side in (256, 512)] == [most, most // 4]
    assert sl.generator("stylegan-random", width=4.0).chunk(256, "cuda") == stylegan.FULL_FREE // 4
