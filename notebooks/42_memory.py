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
# # Perception without real images
#
# What a network knows and how it sees can be kept apart {cite:p}`rodriguez2025`: an encoder that has seen no real image, and beside it a *visual
# memory*, a list of real images as the encoder sees them. Nothing is trained on these; a new image is whatever its nearest neighbours in the list are.
# **How far does perception alone go, and what does it buy to be able to forget?**

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
# ## A memory that explains itself
#
# Digits, each before the eight entries that decide. The encoder was trained on dead leaves; the memory holds a thousand digits that it never learned from.

# %% tags=["hide-input"]
sl.book.pages.memory.neighbour_sheet("dead_leaves-mixed", p)

# %% [markdown]
# ## How much must be remembered?
#
# The same memory with more and more of the study's training images, for encoders that saw noise, samples of a model, real images, and nothing. The
# model's samples are mosaics of the study's real images under captions that name their class: like those images, they are a bound here.

# %% tags=["hide-input"]
remembered = sl.study.measured("memory", p)
sl.book.pages.memory.figure(remembered)

# %% [markdown]
# A linear probe, which is trained on the same images, stands beside it. To forget a class is to take its entries out: all its images are then called
# something else. To forget one image is to take one entry out; the last column says how many entries any decision hangs on.

# %% tags=["hide-input"]
rows = {name: sl.book.baseline(p, name) for name in remembered}
sl.book.pages.memory.facts(remembered, rows)

# %% [markdown]
# ## Exactly, and at once
#
# After a removal the memory is, to the bit, one that never held the entry; a test compares the files. Adding or removing an image touches one line of a
# table, however long it is; `python -m benchmarks --only memory` measures that, and a question to 50,000 entries. An encoder that was *trained* on real
# images cannot forget one that way.
#
# ## Verdict
#
# The rule names dead leaves, as it did before its results were seen; for a day it named [100 programs](41_programs).

# %% tags=["hide-input"]
sl.book.verdicts("42_memory")

# %% [markdown]
# The paper's encoders are vision transformers trained for 100 epochs on shader pictures mixed by k-means leaves, and tested on ImageNet, Places, birds
# and flowers; its numbers are not ours to compare with.
#
# ## Try it yourself
#
# ```bash
# python -m synthlearn memory build --memory mine --encoder encoder.safetensors --images photographs
# python -m synthlearn memory query --memory mine --encoder encoder.safetensors --image cat.jpg
# python -m synthlearn memory remove --memory mine --class cat
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, rows)
