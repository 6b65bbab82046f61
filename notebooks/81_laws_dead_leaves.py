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
# # Laws of dead leaves
#
# **Do our [dead leaves](01_dead_leaves.ipynb) follow the same laws as the authors'?** Their code was run and its images measured; ours are measured by
# the same estimators. The tests of the library use the same functions and the same figures.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer images; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Image by image

# %% tags=["hide-input"]
laws = sl.book.laws
images = laws.dead_leaves_pictures(p)
laws.law_table("dead_leaves", laws.dead_leaves_laws(p, images))

# %% [markdown]
# Ties on slanted outlines fall differently in OpenCV's rasteriser and ours: about one pixel in a hundred. Textures here come from a bank of
# 1,000 images (8 at the smoke size) instead of 10,000.
#
# ## All images together
#
# The sizes of what is visible of the leaves, as areas of regions of one colour, pooled over images; and the law that radii are drawn from.

# %% tags=["hide-input"]
laws.check_table("dead_leaves_sizes", laws.dead_leaves_sizes(images), "authors' code")

# %% tags=["hide-input"]
sl.book.provenance(p, {})
