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
# # Laws of statistical models
#
# **Do our [statistical pictures](02_statistical) follow the law of the authors'?** The paper's data were made with MATLAB; the targets come
# from a NumPy version of that code, which agrees with the authors' published samples. The tests of the library use the same functions and the
# same figures.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer pictures; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Picture by picture

# %% tags=["hide-input"]
laws, measured = sl.book.laws("statistical"), {}
for kind, n in (
    ("spectrum", 200),
    ("wmm", 120),
    ("spectrum_color", 200),
    ("spectrum_color_wmm", 120),
):
    pictures = sl.generator(f"stat-{kind}").sample(
        range(n // 10 if p.name == "smoke" else n), size=128, seed=1
    )
    measured[kind] = sl.book.measure(laws[kind], pictures)
sl.book.law_table(laws, measured, "authors' law")

# %% [markdown]
# *Border gradient* is why the pyramid mirrors at the borders: with periodic borders it would be 1, and pictures would tile.
#
# One thing the law hides in a corner: without imposed colours, a picture's decorrelated channels keep the mean of the noise, so the *sign*
# of each colour axis, which is free in an eigenvector and left to the linear-algebra library, moves the colours apart or together. We draw
# the signs.
#
# ## Exact properties

# %% tags=["hide-input"]
import torch

from synthlearn.core import rng
from synthlearn.generators import pyramid
from synthlearn.generators import statistical as st
from synthlearn.measure import metrics

key = rng.key("laws", torch.arange(24))
amplitude, s = st.spectrum(key, 128)
noise = 256 * rng.uniform(key, (3, 128, 128))
once = st.impose_spectrum(noise, amplitude)
slope = metrics.spectrum_slope(once[:, :1].expand(-1, 3, -1, -1), window=False)
rough = s < 2.5
axes = st.colour_model(key[:8], 64).axes
planes = rng.normal(key, (128, 128))
high, _, low = pyramid.analyse(planes, 3, "circular")
found = {
    "slope": float((slope / s)[rough].median()),
    "idempotent": float((st.impose_spectrum(once, amplitude) - once).abs().max()),
    "orthonormal": float((axes.transpose(1, 2) @ axes - torch.eye(3)).abs().max()),
    "high": float(high.std()),
    "low": float(low.std()),
}
for borders in ("circular", "reflect"):
    error = pyramid.synthesise(*pyramid.analyse(planes, 3, borders), borders) - planes
    found[f"reconstruction_{borders}"] = float(error.square().mean().sqrt() / planes.std())
sl.book.check_table(sl.book.laws("statistical_exact"), found)

# %% tags=["hide-input"]
sl.book.provenance(p, {})
