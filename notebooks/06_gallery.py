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
# # Gallery
#
# **What do all the sets look like?** A tile for each generator: point at one, or tap it, for its accuracy and speed.
# Below, a few pictures of each, with what its pictures taught (top-1 of a linear classifier on CIFAR-10) and how fast they are made. The picture
# titles lead to the chapters.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # decides how the pictures are made; accuracies are committed ones: of cpu or gpu, else of the profile that decides

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% tags=["remove-input"]
runs = sl.book.stored(sl.book.study_profile(p))
sl.book.pages.gallery.tiles(runs, p)

# %% [markdown]
# Pictures are functions of generator, options, seed and index: `sl.generator("stylegan-oriented").sample([3], size=128)` is the fourth
# picture of its set, on any machine. `python -m synthlearn generate` writes a set to disk, with a data card; the pictures are ours and free
# of rights (CC0).

# %% tags=["remove-input"]
sl.book.provenance(p, {})
