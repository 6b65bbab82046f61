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
# Two papers tried. One trained on procedural noise and came part of the way to real images {cite:p}`baradad2021`. The other trained on samples of a
# text-to-image model and got past the real images that it compared with {cite:p}`tian2023`; that model, though, had itself learned from billions of
# real images. This book runs the first again at the size of a laptop ([what it costs](92_compute)), and the second in miniature. Every number comes from
# a committed record and a command.

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

# %% [markdown]
# Each source trained the same network by the same settings and for as many updates; then a linear classifier on the frozen network named real images
# (CIFAR-10). Dashed: the untrained network, and the same network trained on real images. Intervals are over runs and test images; the
# [leaderboard](90_leaderboard) has the number of runs.
#
# Three things differ. In profile *cpu*, feature visualisations are 2,000 images seen fifty times, where the others are 10,000 seen ten times; and they
# are not the paper's images, but come from our small network, with colour axes that were measured on photographs ([their page](05_feature_vis)).
# Mosaics are cut from the very images that the classifier learns from. The set of 100 programs was given two more runs after its first had come out
# best ([their page](41_programs)).

# %% tags=["remove-input"]
sl.book.pages.gallery.thumbnails(runs, p)

# %% tags=["remove-input"]
sl.book.pages.claims.overview()

# %% [markdown]
# [Claims](91_claims) has the evidence, the [leaderboard](90_leaderboard) every number with its interval, beside the paper's, and the
# [gallery](06_gallery) the pictures.
#
# ## How to read it
#
# ::::{grid} 1 1 2 2
# :::{grid-item-card} Dead leaves
# :link: 01_dead_leaves
# :link-type: doc
# Overlapping shapes: edges, occlusion, no typical scale.
# :::
# :::{grid-item-card} Statistical models
# :link: 02_statistical
# :link-type: doc
# Noise with the spectrum, the edges and the colours of photographs.
# :::
# :::{grid-item-card} Random StyleGANs
# :link: 03_stylegan
# :link-type: doc
# What an untrained generator paints.
# :::
# :::{grid-item-card} Fractals
# :link: 04_fractals
# :link-type: doc
# Iterated function systems, unconstrained and tamed.
# :::
# :::{grid-item-card} Feature visualisations
# :link: 05_feature_vis
# :link-type: doc
# Pictures that excite a network's units.
# :::
# :::{grid-item-card} Gallery
# :link: 06_gallery
# :link-type: doc
# All generators on one page.
# :::
# :::{grid-item-card} Baselines
# :link: 07_baselines
# :link-type: doc
# No encoder, no training, no structure, and real images.
# :::
# :::{grid-item-card} Losses and methods
# :link: 10_align_uniform
# :link-type: doc
# Two forces, a softmax, or labels that come for free; [MoCo with a ResNet](11_moco).
# :::
# :::{grid-item-card} Measuring
# :link: 12_measuring
# :link-type: doc
# Other tasks, few examples, every layer, fine-tuning; [pre-training or initialisation](13_initialisation)?
# :::
# :::{grid-item-card} Properties of a set
# :link: 20_properties
# :link-type: doc
# Realism against diversity, and a causal test.
# :::
# :::{grid-item-card} Mixtures, numbers, features
# :link: 21_mixtures
# :link-type: doc
# [Several sets](21_mixtures), [how many images](22_number_of_images), [what the network sees](23_features), [how long to train](24_length).
# :::
# :::{grid-item-card} Text to image
# :link: 30_text_to_image
# :link-type: doc
# Captions, mosaics, [guidance](32_guidance), and what captions tell about the class; [StableRep](31_stablerep): several samples of a caption as
# positives; [StableRep+](33_stablerep_plus) reads the words; [captions, budget, limits](34_captions).
# :::
# :::{grid-item-card} Beyond the papers
# :link: 40_mixing
# :link-type: doc
# [Mixing within a picture](40_mixing), [one program or ten thousand](41_programs), [a memory that can forget](42_memory),
# [private learning](43_private), and [a noise of our own](44_own_noise).
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

# %% tags=["remove-input"]
sl.book.provenance(study, runs)
