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
# ## A model that learns
#
# The model of this half of the book is a small U-Net, trained from scratch on the captioned real images and on nothing else. It learns by flow
# matching {cite:p}`lipman2023`: a real image $x_0$ and noise $\varepsilon$ are mixed, and the network $v_\theta$, which is told the time $t$ and
# the caption $c$, has to say in which direction the noise lies.
#
# $$x_t = (1 - t)\,x_0 + t\,\varepsilon, \qquad \min_\theta \; \mathbb{E} \,\left\lVert v_\theta(x_t, t, c) - (\varepsilon - x_0) \right\rVert^2$$
#
# A sample begins as noise and follows the direction back. In one of ten images the caption is withheld, so the same network also knows what images
# without a caption look like. A Transformer over its words gives the caption to the network. The model of the *cpu* profile is what a core learns
# in about two hours; the same code trains a larger one on a card (profile *gpu*), and a page says which profile's records it shows.

# %% tags=["hide-input"]
sl.book.pages.captions.caption_sheet(p)

# %% tags=["hide-input"]
sl.book.pages.learned.training_table(p)

# %% [markdown]
# ## Guidance
#
# Samplers exaggerate what a caption adds. With $D(x \mid c)$ for the denoised image that the network sees under a caption, and $D(x)$ without one,
# they use
#
# $$D_w(x \mid c) = D(x) + w\,\bigl(D(x \mid c) - D(x)\bigr).$$
#
# At $w = 0$ the caption is ignored, $w = 1$ is the model as it is, and more is the paper's knob.

# %% tags=["hide-input"]
sl.book.pages.learned.sheet(p)

# %% [markdown]
# ## Copies
#
# A model made of few images may repeat them. The distance to the nearest real image, beside that of real images which no model has seen:

# %% tags=["hide-input"]
sl.book.pages.captions.copies_table(p)

# %% [markdown]
# ## A model with an exact score: patch mosaics
#
# A second model is not trained at all. Its denoiser is a formula: at every pixel the mean over a caption's real images, weighted by
# how well each agrees with the noisy window around that pixel {cite:p}`kamb2025`. Windows shrink as the noise falls, so the layout is
# settled first and parts are chosen later. A sample joins parts of several real images: new in arrangement, not in texture. Its samples cost
# seconds, so ablations can have many of them; verdicts about StableRep do not rest on it, since it can only rearrange what it was given.

# %% tags=["hide-input"]
sl.book.pages.captions.caption_sheet(p, "mosaic-named")

# %% tags=["hide-input"]
sl.book.pages.guidance.steps_sheet(p)

# %% [markdown]
# Guidance breaks mosaics: what it leads *away* from is not a broad model of all images but eighty of them, and the exaggeration soon follows those few.

# %% tags=["hide-input"]
sl.book.pages.guidance.sheet(p)

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
# source = sl.data.source("mosaic", data="digits", per_class=0, number=50, w=2.0)  # or "learned": trains for a while
# source.sample(range(64), size=32)  # uint8 (64, 3, 32, 32); picture i belongs to caption i mod 50
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, {})
