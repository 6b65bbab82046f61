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
# # How many images
#
# A generator never runs dry. **How much is lost by training on a thousand pictures over and over, and how much is won by never repeating
# one?**

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
# ## Equal updates
#
# All rows make the same number of steps. A pool of a thousand is seen a hundred times, ten thousand ten times; the stream shows every
# picture once. Pictures are cheap to store and expensive to make, or the other way round: `pretrain --set refresh=0.1` replaces a tenth in every
# epoch.

# %% tags=["hide-input"]
runs = sl.study.chapter("22_number_of_images", p)
sl.book.pages.lengths.size_figure(runs, p)

# %% tags=["hide-input"]
sl.book.ablation(runs, p)

# %% [markdown]
# The smoke profile's rows differ in name only: it is too small to tell a thousand pictures from ten thousand.
#
# ## Training
#
# A network that learns a small pool by heart would show it here: its loss would fall below that of the stream, which never shows a picture
# twice.

# %% tags=["hide-input"]
sl.book.training({**runs, "dead_leaves-mixed": sl.book.baseline(p, "dead_leaves-mixed")})

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/22_number_of_images.ipynb out.ipynb -p epochs 8
# python -m synthlearn pretrain --generator dead_leaves-mixed --set refresh=1.0 --out encoder.safetensors
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
