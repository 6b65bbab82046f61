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
# # Fractals
#
# *A few affine maps, applied at random to one point, draw a shape. Can such shapes teach a network to see?*

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
epochs: int = None  # None: the profile's value
n_images: int = None
batch_size: int = None
width: float = None
seeds: int = None
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
device: str = None

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
runs = sl.study.chapter("04_fractals", p)
untrained = sl.book.baseline(p)
grey, coloured = runs["fractals-fractaldb"], runs["fractals-sigma"]
sl.book.in_short(
    sl.book.compare(coloured, untrained, "coloured sigma fractals", "the untrained encoder"),
    sl.book.compare(grey, untrained, "FractalDB's grey shapes", "the untrained encoder"),
    sl.book.compare(coloured, grey, "sigma fractals", "FractalDB"),
)

# %% tags=["hide-input"]
sets = {
    "FractalDB": sl.generator("fractals-fractaldb"),
    "the same as points": sl.generator("fractals-fractaldb", mode="point"),
    "sigma fractals": sl.generator("fractals-sigma"),
}
sl.book.rows(
    {name: source.sample(range(8), size=96) for name, source in sets.items()},
    alt="Eight images of fractals",
    caption="FractalDB, in grey patches on black; the same in solid points, to see the shapes (not in the study); sigma fractals, in colour, several in an image, on cloudy ground.",
)

# %% [markdown]
# ## Why it might work
#
# An *iterated function system* is a handful of affine maps. Its shape looks alike at every size: parts resemble the whole, as in ferns,
# coasts and clouds. Such shapes have sharp, detailed outlines, and one formula for each.
#
# So every system is a **category for free**: FractalDB was made to train classifiers of its 1,000 categories, without a photograph and without a
# label by hand {cite:p}`kataoka2020`. Here, as in the noise paper, no category is used.
#
# In the noise paper {cite:p}`baradad2021`, FractalDB reached 34 %, below its dead leaves with mixed shapes, 39 %, on ImageNet-100. Sigma fractals are later: better systems, in
# colour, several in an image. By fine-tuning they were better than FractalDB {cite:p}`anderson2022`.
#
# ## How an image is made
#
# The *chaos game*: start at the origin; pick a map $k$ at random, by how much area it keeps (with probability $\propto |a_k d_k - b_k c_k|$);
# apply it,
#
# $$x \leftarrow a_k x + b_k y + e_k,$$
#
# $$y \leftarrow c_k x + d_k y + f_k;$$
#
# mark the point, and repeat. Whatever the start, the points soon cover one shape, the *attractor*.

# %%
import torch

from synthlearn.core import rng
from synthlearn.generators import fractaldb, ifs

maps, shares = fractaldb.fractaldb_systems(fractaldb.categories(14)[13:], 0)
numbers = rng.uniform(rng.key("chapter", torch.tensor([1])), (20_000, 1))
chosen = torch.searchsorted(shares[0].cumsum(0)[:-1], numbers.flatten())

x, y, orbit = 0.0, 0.0, []
for k in chosen.tolist():
    a, b, c, d, e, f = maps[0, k].tolist()
    x, y = a * x + b * y + e, c * x + d * y + f
    orbit.append((x, y))

library = ifs.walk(maps, shares, numbers, torch.zeros(1, 2))
assert torch.allclose(torch.tensor(orbit), library[0, :, :, 0].T, atol=1e-4)

# %% tags=["hide-input"]
sl.book.pages.fractals.growth()

# %% [markdown]
# The published renderers walk one long orbit in a Python loop, as above. Ours walks 512 orbits of every image side by side; they cover the same
# attractor, as [the page of laws](84_laws_fractals.ipynb) shows.
#
# **FractalDB** draws all six parameters from $U(-1, 1)$, and keeps a system if its points fill a fifth of the canvas. Most systems that pass
# are clouds with spikes; some are shapes.

# %% tags=["hide-input"]
sl.book.pages.fractals.systems()

# %% [markdown]
# A category has 25 instances: the system itself, and those with one of the six parameters of all its maps multiplied by 0.2, 0.6, 1.4 or 1.8.
# Some keep the shape, some destroy it.

# %% tags=["hide-input"]
sl.book.pages.fractals.instances()

# %% [markdown]
# **Sigma fractals** need no such search. A map's two singular values $\sigma_1 \ge \sigma_2$ say how much it shrinks along two directions. Their
# weighted sum over the $N$ maps is prescribed:
#
# $$\tfrac12 (5 + N) \;\le\; \sum_{k=1}^{N} \left(\sigma_{k,1} + 2\,\sigma_{k,2}\right) \;\le\; \tfrac12 (6 + N).$$
#
# Systems between these bounds are mostly neither dust nor solid blobs {cite:p}`anderson2022`. One to five of them are coloured and put on a
# random cloudy ground.
#
# ## What the network learns from it
#
# Each set trains the same small AlexNet on two random views of every image, by [alignment and uniformity](10_align_uniform.ipynb)
# {cite:p}`wang2020`. No label, no category and no photograph is used.

# %% tags=["hide-input"]
sl.book.training(runs)

# %% tags=["hide-input"]
sl.book.first_layer({**runs, "random": untrained})

# %% [markdown]
# ## Result
#
# The encoder is frozen. A linear classifier on its features (fc6) learns to name real images.

# %% tags=["hide-input"]
sl.book.accuracy_figure(runs, p)

# %% tags=["hide-input"]
sl.book.results(runs, p)

# %% [markdown]
# FractalDB's images are grey on black, far from photographs in brightness and colour, and the encoder's batch norm keeps *their* statistics. The
# folded table has a probe for which these are estimated anew on its training images, without labels (*fc6, BN re-estimated*): it says how
# much of a result hangs on that.
# The paper used FractalDB's released images; ours are of the same law, but of other categories.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("04_fractals")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
REESTIMATED = "fc6_linear_bn"
sl.book.learned(
    f"FractalDB against no training: a difference of {sl.book.points(grey.difference(untrained))} points as it is"
    + f", {sl.book.points(grey.difference(untrained, REESTIMATED))} once batch norm is re-estimated for both"
    * (grey.has(REESTIMATED) and untrained.has(REESTIMATED)),
    "Colour, ground, number and law of the shapes differ together: "
    + sl.book.compare(coloured, grey, "sigma fractals", "FractalDB"),
    "This page cannot say which of these four makes the difference",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/04_fractals.ipynb out.ipynb -p epochs 20
# python -m synthlearn generate --generator fractals-sigma --n 100 --out fractals
# ```
#
# One knob: `sl.generator("fractals-fractaldb", weight=0.1)`, the milder instances of the first release. Expect that more of them keep their shape.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Write the Sierpinski triangle as three maps, each of which halves the distance to a corner. Draw it with the library's walk. Count the boxes that it
# touches at two sizes, and find its dimension. (The books say log 3 / log 2.)
# :::

# %% tags=["hide-cell", "solution"]
import math

corners = [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)]
triangle = torch.tensor([[[0.5, 0, 0, 0.5, x / 2, y / 2] for x, y in corners]])
many = rng.uniform(rng.key("chapter", torch.tensor([2])), (100, 512))
orbits = ifs.walk(triangle, torch.full((1, 3), 1 / 3), many, torch.zeros(1, 2))
points = orbits[0, :, 20:].flatten(1)


def boxes(side):
    return len((points * side).long().unique(dim=1).T)


dimension = math.log2(boxes(64) / boxes(32))
print(f"{boxes(32)} and {boxes(64)} boxes: dimension {dimension:.2f}")
print(f"log 3 / log 2 = {math.log2(3):.2f}")
assert abs(dimension - math.log2(3)) < 0.1

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Does it matter whether one orbit is walked for long, or many side by side? Draw the shell both ways, with as many points, and compare the
# pixels. Do more of them differ than between two single orbits?
# :::


# %% tags=["hide-cell", "solution"]
def pixels(points):
    size = 64
    drawn = torch.tensor([points.shape[-1]])
    return set(fractaldb.fractaldb_pixels(points.clone(), drawn, size)[0].tolist())


def walked(steps, orbits, number):
    u = rng.uniform(rng.key("chapter", torch.tensor([number])), (steps + 20, orbits))
    return ifs.walk(maps, shares, u, torch.zeros(1, 2))[:, :, 20:].flatten(2)


single, other = (pixels(walked(6000, 1, number)) for number in (3, 4))
many = pixels(walked(60, 100, 5))
for name, each in {"another single orbit": other, "a hundred orbits": many}.items():
    print(f"{name}: {len(single ^ each)} of {len(single | each)} pixels differ")

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# How rare is a category? Draw 64 systems by FractalDB's law and 64 by that of sigma fractals, and count those whose points fill a fifth of the canvas.
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.generators import sigma_fractals


def filled(systems, probabilities):
    points, drawn = fractaldb.fractaldb_points(systems, probabilities, 0, 100_000)
    number = fractaldb.last_point(fractaldb.fractaldb_pixels(points, drawn, 512), 512)
    return (number >= 0).float().mean((1, 2))


free = filled(*fractaldb.fractaldb_systems(torch.arange(64), 0))
sigma = filled(*sigma_fractals.sigma_systems(rng.key("chapter", torch.arange(64)))[:2])
for name, shares_filled in {"unconstrained": free, "sigma": sigma}.items():
    print(f"{name}: {int((shares_filled >= 0.2).sum())} of 64; median {shares_filled.median():.0%}")

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
