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
# # Mixing within a picture
#
# A [mixture of whole sets](21_mixtures) puts pictures of several sets side by side. Later work mixes *within* a picture, and reports that this is
# worth more than twenty times as many generators {cite:p}`baradad2022`: no single colour or frequency gives a picture away any more, and there are contours
# of many shapes {cite:p}`rodriguez2025`. **Which way of mixing teaches most, and is it more than the parts?**

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
# ## Four rules
#
# The parts are three cheap sets of three families: dead leaves, sigma fractals, clouds in few colours. Each picture takes its own.
#
# **Weighted sums** (*convex*): weights from Dirichlet(1, …, 1), the sum cut off to whole grey levels, as in the authors' code. What is mixed
# loses contrast: of independent pictures 2/(k + 1) of the variance is left.

# %% tags=["hide-input"]
sl.book.pages.mixing.sheet("mixed-convex", p)

# %% [markdown]
# **Boxes** (*cutmix*): a box of each further picture is pasted into the first, with a share of the area that is uniform.

# %% tags=["hide-input"]
sl.book.pages.mixing.sheet("mixed-cutmix", p)

# %% [markdown]
# **K-means leaves**: the colours of the first picture fall into two clusters; one is filled from the second picture, the other from the third.
# The contours are a picture's, without being drawn by hand.

# %% tags=["hide-input"]
sl.book.pages.mixing.sheet("mixed-kml", p)

# %% [markdown]
# **Both**: the mean of two pictures of k-means leaves.

# %% tags=["hide-input"]
sl.book.pages.mixing.sheet("mixed-kml_convex", p)

# %% [markdown]
# ## Training
#
# Equal pictures, equal updates: a mixed picture counts as one, whatever went into it. The mixture of whole sets takes the same three sets.
# Sums and boxes take two pictures here; `k` of them, up to the number of parts, costs as many times the parts, and was left out for that. The
# mean of two k-means leaves takes six.

# %% tags=["hide-input"]
runs = sl.study.chapter("40_mixing", p)
sl.book.training(runs)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
PARTS = ("dead_leaves-mixed", "fractals-sigma", "stat-spectrum_color")
rows = {**runs, **{name: sl.book.baseline(p, name) for name in PARTS}}
whole = "mixture-three" if "mixture-three" in runs else PARTS[0]
sl.book.ablation_figure(rows, p)

# %% tags=["hide-input"]
sl.book.ablation(rows, p, against=whole)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("40_mixing")

# %% [markdown]
# The later papers mix thousands of shader programs, train longer and larger, and test on ImageNet; their numbers are not ours to compare with.
#
# ## Try it yourself
#
# ```bash
# python -m synthlearn generate --generator mixed --option 'parts=["dead_leaves-mixed", "fractals-sigma"]' --option rule=kml --n 100 --out mixed
# papermill notebooks/40_mixing.ipynb out.ipynb -p epochs 8
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
