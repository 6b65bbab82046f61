"""Textured leaves: the leaves of the plain set, each filled from one texture in place; the law of
the set.
"""

import tomllib

import torch

import synthlearn as sl
from synthlearn.core import files, rng
from synthlearn.generators import dead_leaves as dl
from synthlearn.generators import textured_leaves as tl
from synthlearn.measure import metrics


def test_every_leaf_shows_one_texture_in_place(runs):
    tl.bank.cache_clear()
    g = sl.generator("dead_leaves-textures", textures=3)
    pictures = g.sample(range(2), 128)
    textures = torch.stack(tl.bank(3, 128, 0), 1)
    assert torch.equal(textures, sl.generator("stat-spectrum_color_wmm").sample(range(3), 128))
    top, _ = dl.cover(rng.key("dead_leaves", 0, torch.arange(2)), "oriented", 128)
    for picture, leaves in zip(pictures, top, strict=True):
        for leaf in leaves.unique():
            mask = leaves == leaf
            assert any(torch.equal(picture[:, mask], texture[:, mask]) for texture in textures)
    tl.bank.cache_clear()


def test_a_damaged_bank_is_made_again(runs):
    tl.bank.cache_clear()
    first = tl.bank(2, 32, 0)
    (path,) = (runs / "textures").rglob("*.safetensors")
    path.write_bytes(b"damaged")
    tl.bank.cache_clear()
    assert all(torch.equal(a, b) for a, b in zip(first, tl.bank(2, 32, 0), strict=True))
    tl.bank.cache_clear()


def test_set_meets_the_laws_of_the_authors_way(runs):
    tl.bank.cache_clear()
    laws, n = (
        tomllib.loads((files.root() / "book" / "laws.toml").read_text())["dead_leaves"]["textures"],
        60,
    )
    images = sl.generator("dead_leaves-textures", textures=40).sample(range(n), 128, seed=4)
    for law, quartiles in laws.items():
        if law not in (
            "n",
            "mean",
            "deviation",
            "chroma",
        ):  # those are the textures', and 40 are few
            assert abs(
                float(metrics.LAWS[law](images).median()) - quartiles[1]
            ) <= metrics.tolerance(quartiles, n, laws["n"]), law
    tl.bank.cache_clear()
