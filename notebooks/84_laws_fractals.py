# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Laws of fractals
#
# **Do our [fractals](04_fractals) follow the law of the published code?** Its figures beside ours.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer pictures; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% tags=["hide-input"]
import torch

from synthlearn.core import rng
from synthlearn.generators import fractaldb as fr
from synthlearn.generators import sigma_fractals

n = 60 if p.name == "smoke" else 240
systems = fr.fractaldb_systems(fr.categories(n), 0)
keys = rng.key("verify", torch.arange(n))
points = fr.draw_fractaldb(*systems, keys, 0, 128, mode="point") >= 0
patches = fr.draw_fractaldb(*systems, keys, 0, 128) >= 0
area = torch.nn.functional.max_pool2d(points.float()[:, None], 3, 1, 1)[:, 0]
_, _, singular = sigma_fractals.sigma_systems(rng.key("verify-sigma", torch.arange(2000)), 3)
scenes = sl.generator("fractals-sigma").sample(range(n))
found = {
    "fill": float(points.float().mean()),
    "bright": float((patches.sum((1, 2)) / area.sum((1, 2))).mean()),
    "accepted": len([t for t in fr.categories(1000).tolist() if t < 20_000]) / 20_000,
    "singular_large": float(singular[..., 0].mean()),
    "singular_small": float(singular[..., 1].mean()),
    "red": float(scenes[:, 0].float().mean()),
    "blue": float(scenes[:, 2].float().mean()),
}
sl.book.check_table(sl.book.laws("fractals"), found, "published code")

# %% tags=["hide-input"]
sl.book.provenance(p, {})
