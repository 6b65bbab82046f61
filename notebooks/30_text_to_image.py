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
# # Text to image
#
# StableRep {cite:p}`tian2023` learns from pictures that a text-to-image model drew for captions, several for each. Its model had seen billions
# of pictures. **Can a small one, that has seen no more than the real images of this book, draw several pictures of a caption, and how much
# do its captions tell about the class?**

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
per_class: int = None  # real images that the model is made of, of each class; 0: all

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Captions
#
# The real images come with labels but without words. Captions are made here. *Named*: the class, and one of five groups of similar colours
# within it. *Colour*: one of fifty groups of similar colours over all classes, in which labels have no part. *Learned*: one of fifty groups of
# similar features of an encoder that was trained on the same images without labels.
#
# A loss that draws the pictures of a caption together learns whatever the caption says. If captions name the class, it is a supervised loss
# in disguise; so each result will say how many bits its captions tell.

# %% tags=["hide-input"]
sl.book.pages.captions.captions_table(p)

# %% [markdown]
# ## Patch mosaics
#
# The model of the *cpu* profile is not trained. Its denoiser is a formula: at every pixel the mean over a caption's real images, weighted by
# how well each agrees with the noisy window around that pixel {cite:p}`kamb2025`. Windows shrink as the noise falls, so the layout is
# settled first and parts are chosen later. A sample joins parts of several real images: new in arrangement, not in texture.

# %% tags=["hide-input"]
sl.book.pages.captions.caption_sheet(p)

# %% [markdown]
# ## How one is made

# %% tags=["hide-input"]
sl.book.pages.guidance.steps_sheet(p)

# %% [markdown]
# ## Guidance
#
# Samplers exaggerate what a caption adds: the denoiser becomes `free + w · (captioned − free)`, where *free* knows no caption. With w = 0
# captions are ignored, w = 1 is the model as it is, and more is the paper's knob.

# %% tags=["hide-input"]
sl.book.pages.guidance.sheet(p)

# %% [markdown]
# ## Copies
#
# A model made of few images may repeat them. The distance to the nearest real image, beside that of real images which the model has not
# seen:

# %% tags=["hide-input"]
sl.book.pages.captions.copies_table(p)

# %% [markdown]
# ## A model that is trained
#
# The usual text-to-image model is a network that learns to remove noise. This one is a small U-Net with flow matching
# {cite:p}`lipman2023`, told the caption by a Transformer over its words, from scratch. On a core it sees each photograph a few times, where good
# models see theirs some thousand times; its samples show layout and colour, hardly objects. It is here to show
# the path. With a GPU the same code trains a larger model for longer (profile *gpu*); a page says which profile's records it shows.

# %% tags=["hide-input"]
sl.book.pages.learned.sheet(p)

# %% tags=["hide-input"]
sl.book.pages.learned.training_table(p)

# %% [markdown]
# ## Laws of guidance
#
# Where a caption's pictures follow a Gaussian, everything can be checked. Guided samples are often said to follow the *tilted* density, the
# caption's to the power w times that of all images to the power 1 − w. They do not: their variance is the weighted geometric mean of the two
# variances, where the tilted density has the harmonic one. Both agree only where the variances do.

# %% tags=["hide-input"]
sl.book.pages.guidance.law_table()

# %% [markdown]
# As pictures, one Gaussian per caption is a blurred average with texture.

# %% tags=["hide-input"]
sl.book.pages.guidance.gaussian_sheet(p)

# %% [markdown]
# ## Try it yourself
#
# ```python
# import synthlearn as sl
#
# source = sl.data.source("mosaic", **{"data": "digits", "per_class": 0, "number": 50, "w": 2.0})
# source.sample(range(64), size=32)  # uint8 (64, 3, 32, 32); picture i belongs to caption i mod 50
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, {})
