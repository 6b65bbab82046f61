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
# # Learning to see without pictures
#
# **Can a vision model learn without real pictures, and which synthetic pictures teach best?**
#
# Two papers said yes: procedural noise {cite:p}`baradad2021`, and samples of a text-to-image model {cite:p}`tian2023`. This book runs their
# experiments again, small enough for one person and one evening, exact enough that it could have contradicted them. Every number
# comes from a committed record and a command; nothing is typed by hand.

# %% tags=["parameters"]
profile: str = "smoke"  # only decides the settings of the run; the page shows all committed records

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
found = {name: mine for name, mine in sl.book.stored("cpu").items() if "." not in name}

# %% [markdown]
# ## The answer so far
#
# Each source trained the same network by the same settings; then a linear classifier on the frozen network named real images. Left end: the least
# useful source; the marks: the random encoder, and the same network trained on real images.

# %% tags=["hide-input"]
sl.book.thumbnails(found)

# %% tags=["hide-input"]
sl.book.stored_verdicts("90_leaderboard", found, sl.study.resolve("cpu"))

# %% [markdown]
# The [leaderboard](90_leaderboard) has every number with its interval, beside the paper's.
#
# ## How to read it
#
# ::::{grid} 1 1 2 2
# :::{grid-item-card} Dead leaves
# :link: 01_dead_leaves
# :link-type: doc
# Overlapping shapes: edges, occlusion, no typical scale.
# :::
# :::{grid-item-card} Fractals
# :link: 04_fractals
# :link-type: doc
# Iterated function systems, unconstrained and tamed.
# :::
# :::{grid-item-card} Baselines
# :link: 07_baselines
# :link-type: doc
# No encoder, no training, no structure, and real images.
# :::
# :::{grid-item-card} Method and deviations
# :link: ../book/method
# :link-type: doc
# What is trained, how it is measured, and where we differ from the papers.
# :::
# ::::
#
# Run one chapter, with any setting changed:
#
# ```bash
# papermill notebooks/04_fractals.ipynb out.ipynb -p epochs 200
# ```

# %% tags=["hide-input"]
sl.book.provenance(sl.study.resolve("cpu"), found)
