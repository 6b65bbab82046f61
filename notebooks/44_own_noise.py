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
# # A noise of our own
#
# *Can a small search find a noise that teaches more than those of the papers?*

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
rows = sl.study.chapter("44_own_noise", p)
rivals = sl.book.pages.own_noise.rivals(rows, p)
ours, untrained = rows.get("collage-found"), sl.book.baseline(p)
sl.book.in_short(
    sl.book.compare(ours, rivals.get("stylegan-oriented"), "our noise", "oriented StyleGANs"),
    sl.book.compare(ours, rivals.get("mixture-four"), "our noise", "the mixture of four sets"),
    sl.book.compare(ours, untrained, "our noise", "no training"),
    unsure="which of its properties matter: one search of few points cannot separate them",
)

# %% tags=["hide-input"]
space, rungs = sl.book.pages.own_noise.outcome(p)
sl.book.pages.own_noise.sheet(space)

# %% [markdown]
# ## Why it might work
#
# The sets of this book differ in everything at once: shapes, colours, textures, spectra, mixing. So a comparison of two sets never says *which*
# property helps. A family with one option for each property can be searched. If some properties matter, a search finds a good combination, and the
# points that it tries hint at the options that did it.
#
# ## How an image is made
#
# A **collage** has opaque leaves $\ell$, as in [dead leaves](01_dead_leaves.ipynb), of any shape and law of radii. Each leaf has a colour $c_\ell$:
# uniform, of few, or correlated as in photographs. On it lies a field $f$ of the whole image: coloured noise or a [random program](41_programs.ipynb).
# Each leaf draws the field's sign $s_\ell = \pm 1$ for itself, so that edges stay edges. With
# $\ell(u)$ for the leaf on top at pixel $u$,
#
# $$x(u) = c_{\ell(u)} + a\, s_{\ell(u)} f(u).$$
#
# Two collages may be [mixed](40_mixing.ipynb). One collage by hand:

# %%
import torch

from synthlearn.core import rng
from synthlearn.generators import collage, dead_leaves

options = {"shape": "oriented", "exponent": 2.0, "field": "spectrum"}
options |= {"slope": 1.0, "amplitude": 0.2, "colour": "photo"}
source = sl.generator("collage", **options)
index, size = torch.tensor([1]), 128
keys = source.keys(index)

leaf, _ = dead_leaves.cover(keys, "oriented", size, exponent=2.0)
colour = collage.colours(keys, leaf, "photo")
field = collage.spectrum_field(rng.fold(keys, collage.Draw.FIELD), size, 1.0)
coin = rng.uniform(rng.fold(keys, collage.Draw.SIGN)[:, None, None] + leaf)
sign = torch.where(coin < 0.5, 1.0, -1.0)
x = colour + 0.2 * (sign * field)[:, None]
image = (x * 255.999).clamp(0, 255).byte()

assert torch.equal(image, source.sample(index, size=size))

# %% [markdown]
# ## The search
#
# A **point** is a choice of all options. **Successive halving** {cite:p}`jamieson2016` trains random points for a minute each: the first *rung*. The best
# are trained longer, and the best of these again. A point is judged by a linear probe on one half of the study's *training* images, after fitting on the other half. No test
# image of any set decides anything.

# %% tags=["hide-input"]
sl.book.pages.own_noise.halving_figure(space, rungs)

# %% tags=["hide-input"]
sl.book.pages.own_noise.finalists(space, rungs)

# %% [markdown]
# What does each value of an option do, against the other values, over all points of the first rung? With so many intervals over so few points,
# some lie off zero by chance; none is corrected for their number. Amplitude and slope do something only on leaves that have a field.

# %% tags=["hide-input"]
sl.book.pages.own_noise.effects_figure(space, rungs[0])

# %% [markdown]
# ## Result
#
# The winner was registered as `collage-found`, then trained as every other set is, and measured once.

# %% tags=["hide-input"]
others = {name: each for name, each in rivals.items() if name not in ("random", "real")}
sl.book.accuracy_figure(others, p)

# %% tags=["hide-input"]
sl.book.results(others, p)

# %% tags=["hide-input"]
sl.book.folded(
    "The winner against each of them, and on data sets that had no part in the choice",
    sl.book.ablation(rivals, p, against="collage-found"),
    sl.book.pages.own_noise.other_sets(p),
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("44_own_noise")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
seen = sum(
    len(standing) * len(rung.seeds) * rung.n_images * rung.epochs
    for standing, rung in zip(rungs, space.rungs, strict=True)
)
sl.book.learned(
    sl.book.compare(ours, rivals.get("programs-100"), "our noise", "100 random programs"),
    sl.book.compare(ours, rivals.get("real"), "our noise", "real images"),
    f"The search trained on as many images as {seen / (p.n_images * p.epochs):.0f} runs of a set"
    if p.is_study
    else "",
    "A search finds something good; why it is good takes other experiments",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/44_own_noise.ipynb out.ipynb -p epochs 8
# python -m synthlearn search --profile cpu --jobs 2
# python -m synthlearn generate --generator collage-found --n 100 --out collages
# ```
#
# One knob: `sl.generator("collage", field="programs", amplitude=0.4)`. Expect leaves that look like windows onto one busy pattern.
#
# What does it teach about *your* images? A folder with `train/CLASS/FILE` and `test/CLASS/FILE` is all that this needs:
#
# ```bash
# python -m synthlearn compare --sources collage-found programs-100 real --data my_images --out compared
# ```
#
# It pre-trains three encoders on each source and probes them beside untrained ones. It prints a table with intervals, and writes a figure, all
# numbers and the encoders. Interrupt it when you like: the same command goes on. With `--profile smoke` it takes minutes and decides nothing.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# How much of a winner's lead is luck? Let twenty points be equally good, and measure each with an error of one point. How far above the truth
# does the best one look? Guess first.
# :::

# %% tags=["hide-cell", "solution"]
draw = torch.Generator().manual_seed(0)
best = torch.randn((10_000, 20), generator=draw).amax(1).mean()
print(f"the best of 20 equals looks {best:.1f} points better than it is")
assert 1.7 < best < 2.0

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Options can be idle. Find one that changes nothing when `field="none"`, and prove it with two images.
# :::

# %% tags=["hide-cell", "solution"]
two = [sl.generator("collage", field="none", amplitude=a).sample([0], size=64) for a in (0.1, 0.4)]
assert torch.equal(*two)

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# How many points does the space have, and how likely is it that one of twenty random points is among its best twentieth?
# :::

# %% tags=["hide-cell", "solution"]
points = 1
for values in space.space.values():
    points *= len(values)
print(f"{points:,} points; one of the best twentieth with a chance of {100 * (1 - 0.95**20):.0f} %")

# %% tags=["hide-input"]
sl.book.provenance(p, rows)
