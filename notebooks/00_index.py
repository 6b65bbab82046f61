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
# # Learning to see without photographs
#
# **Can a vision model learn without real images, and which synthetic images teach best?**
#
# Two papers tried. One trained networks on procedural noise, which brought them part of the way from no training to training on real images
# {cite:p}`baradad2021`. The other trained on samples of a text-to-image model, and that was better than the real images that it was compared with
# {cite:p}`tian2023`; the model, though, had itself learned from billions of real images. This book runs the first again at the size of a laptop, and the
# second in miniature. Every number is computed from a committed record, which one command makes again.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # cpu or gpu: the page shows that profile's committed records, else those of the one that decides

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.book.study_profile(p)
runs = sl.book.stored(study)

# %% [markdown]
# ## The answer

# %% tags=["remove-input"]
sl.book.pages.answer.answer(runs, study)

# %% tags=["remove-input"]
sl.book.pages.gallery.thumbnails(runs, p)

# %% [markdown]
# **All sets, to explore.** Choose the horizontal axis; point at a dot, or tap it, to see its set.

# %% tags=["remove-input"]
sl.book.pages.explorer.explorer(runs, study)

# %% [markdown]
# **Guess.** Which of two sets teaches more? The records answer.

# %% tags=["remove-input"]
sl.book.pages.guess.guess(runs, study)

# %% [markdown]
# The [leaderboard](90_leaderboard.ipynb) has every number, with the paper's beside ours and what differs between them; the [gallery](06_gallery.ipynb) has the
# images.
#
# ## What held, and what did not

# %% tags=["remove-input"]
sl.book.pages.claims.main_claims()

# %% tags=["remove-input"]
sl.book.pages.answer.how_sure()

# %% [markdown]
# ## Start here
#
# Five chapters, about half an hour:
#
# 1. [Dead leaves](01_dead_leaves.ipynb): how a set of opaque shapes is made, and how much it teaches.
# 2. [One run, end to end](08_one_run.ipynb): from an image to an accuracy, in plain code that you can change.
# 3. [Losses](10_align_uniform.ipynb): what a network is asked to do when there are no labels.
# 4. [Properties of a set](20_properties.ipynb): is it realism or variety that makes images teach?
# 5. [StableRep](31_stablerep.ipynb): text-to-image samples, and what captions really add.
#
# Then [the claims](91_claims.ipynb), one by one. [Method](../book/method.md) says how everything is measured, [deviations](../book/deviations.md) where we differ
# from the papers, [compute](92_compute.ipynb) what it costs, and the [glossary](../book/glossary.md) what the words mean. Every chapter runs on a laptop,
# with any setting changed. In the project's folder:
#
# ```bash
# # once: some minutes, a download of 1 to 3 GB
# make setup
# source .venv/bin/activate
# papermill notebooks/04_fractals.ipynb out.ipynb -p epochs 200
# ```
#
# To take away: [all records as files](94_records.ipynb), [how to cite](../book/references.md).

# %% tags=["remove-input"]
sl.book.provenance(study, runs)
