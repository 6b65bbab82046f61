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
# The sets of this book differ in everything at once: shapes, colours, textures, spectra, mixing. A family with one option for each of these can be
# searched. **Can a small search find a noise that teaches more than those of the papers, and which properties matter?**

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

# %% [markdown]
# ## The family
#
# *Collages*: opaque leaves of any shape and law of radii; on each leaf nothing, coloured noise of a slope, or a random program; colours that are uniform,
# few, or correlated as in photographs; alone, or two mixed by sums or boxes. The options, and the values that were searched, are in
# `workflow/search.toml`.

# %% tags=["hide-input"]
space, rungs = sl.book.pages.own_noise.outcome(p)
sl.book.pages.own_noise.sheet(space)

# %% [markdown]
# ## The search
#
# Successive halving {cite:p}`jamieson2016`: random points of the space, trained for a minute each; the best are trained longer, and again. A point is
# judged by a linear probe on one half of the study's *training* images after fitting on the other. No test image of any set decides anything.

# %% tags=["hide-input"]
sl.book.pages.own_noise.halving_figure(space, rungs)

# %% tags=["hide-input"]
sl.book.pages.own_noise.finalists(space, rungs)

# %% [markdown]
# The last column, *chosen*, says how sure the winner is: how often it would have won had runs and images been drawn again.
#
# ## What the search learned
#
# Each value of each option, against the other values, over all points of the first rung. The field's amplitude and slope do something only on leaves that
# have a field, as most points have: their lines mix points where they act with points where they cannot. With so many intervals over so few points
# some lie off zero by chance, and none is corrected for their number. Nor does a good mean point to the winner: compare with its options above.

# %% tags=["hide-input"]
sl.book.pages.own_noise.effects_figure(space, rungs[0])

# %% [markdown]
# ## The winner, frozen
#
# It is registered as `collage-found`, and was then trained as every other set is, and measured once.

# %% tags=["hide-input"]
rows = sl.study.chapter("44_own_noise", p)
rivals = sl.book.pages.own_noise.rivals(rows, p)
sl.book.ablation_figure(rivals, p)

# %% tags=["hide-input"]
sl.book.ablation(rivals, p, against="collage-found")

# %% [markdown]
# On data sets that had no part in the choice:

# %% tags=["hide-input"]
sl.book.pages.own_noise.other_sets(p)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("44_own_noise")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# python -m synthlearn search --profile cpu --jobs 2
# python -m synthlearn generate --generator collage-found --n 100 --out collages
# papermill notebooks/44_own_noise.ipynb out.ipynb -p epochs 8
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, rows)
