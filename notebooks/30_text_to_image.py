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
# *Can a small model, made of no more than the real images of this book, draw several images of a caption?*

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
per_class: int = None  # real images that the model is made of, of each class; 0: all

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
named, colour = (sl.book.pages.captions.information(p, kind) for kind in ("named", "colour"))
measured = sl.study.measured("guidance", p)
sl.book.in_short(
    sl.book.pages.guidance.drawn_in_words(measured, "learned.w2", p),
    f"Of the {named[1]:.2f} bits that the class has, captions that name it tell all, captions of colours {colour[0]:.2f}",
    "So a loss that pulls the images of a caption together is, under named captions, a supervised loss in disguise",
    "Two models make the images: a U-Net that is trained from scratch, and patch mosaics, whose denoiser is a formula",
)

# %% tags=["hide-input"]
sl.book.pages.captions.caption_sheet(p)

# %% [markdown]
# ## Why it might work
#
# StableRep {cite:p}`tian2023` learns from images that a text-to-image model drew for captions, several for each. Its model had seen billions of
# images. Whatever such a model adds, it adds from those. Here the model is made of the very real images that the book compares with, so that
# what is left is what the *loss* adds.
#
# **Captions.** The real images have labels but no words, so captions are made here. *Named* captions give the class, and one of five groups of
# similar colours within it, its *look*. *Colour* captions are fifty groups of similar colours over all classes, in which labels have no part. *Learned*
# captions are fifty groups of similar features, of an encoder that was trained on the same images without labels.

# %% tags=["hide-input"]
sl.book.pages.captions.captions_table(p)

# %% [markdown]
# ## How an image is drawn
#
# The trained model is a small U-Net $v_\theta$. It learns by flow matching {cite:p}`lipman2023`: a real image $x_0$ and noise $\varepsilon$ are mixed, and
# the network, which sees the time $t$ and the caption $c$, has to say in which direction the noise lies.
#
# $$x_t = (1 - t)\,x_0 + t\,\varepsilon$$
#
# $$\min_\theta \; \mathbb{E} \,\left\lVert v_\theta(x_t, t, c) - (\varepsilon - x_0) \right\rVert^2$$
#
# A sample begins as noise and follows the direction back. In one of ten images the caption is withheld, so the same network also knows what images
# without a caption look like.
#
# **Guidance** exaggerates what a caption adds. With $D(x \mid c)$ for the clean image that the model expects under a caption, and $D(x)$ without one,
#
# $$D_w(x \mid c) = D(x) + w\,\bigl(D(x \mid c) - D(x)\bigr).$$
#
# At $w = 0$ the caption is ignored, $w = 1$ is the model as it is, and more is the paper's knob.
#
# **Patch mosaics** need no training: at every pixel, $D$ is the mean over a caption's real images, weighted by how well each agrees with the noisy
# window around that pixel {cite:p}`kamb2025`. So one guided step from noise $\sigma_1$ to $\sigma_2$ can be written out, with real images for a model:

# %%
import torch

from synthlearn.core import rng
from synthlearn.text2image import mosaic, sampling

images, captions = sl.book.pages.captions.mosaics(p).real()
real = images.images.float() / 127.5 - 1
of_caption, of_all = real[captions.ids == 3], real[:80]
high, low, w = 2.0, 1.0, 2.0  # σ₁, σ₂ and guidance
x = high * rng.normal(rng.key("page", torch.arange(1)), tuple(real.shape[1:]))
x = x.view(1, *real.shape[1:])


def expect(pool):  # the clean image that a pool makes of x
    return mosaic.denoise(x, pool, high, side=mosaic.window(high))


D = expect(of_all) + w * (expect(of_caption) - expect(of_all))
step = x + (low - high) * (x - D) / high

denoisers = [
    lambda x, s, pool=pool: mosaic.denoise(x, pool, s, mosaic.window(s))
    for pool in (of_caption, of_all)
]
guided = sampling.guided(*denoisers, w)
library = sampling.step(guided, x, high, low, corrected=False)
torch.testing.assert_close(step, library)

# %% [markdown]
# Windows shrink as the noise falls, so the layout is settled first and parts are chosen later. A mosaic joins parts of several real images: new in
# arrangement, not in texture.

# %% tags=["hide-input"]
sl.book.pages.guidance.steps_sheet(p)

# %% [markdown]
# ## Result
#
# The trained model under rising guidance:

# %% tags=["hide-input"]
sl.book.pages.learned.sheet(p)

# %% tags=["hide-input"]
sl.book.pages.learned.training_table(p)

# %% [markdown]
# The model of the *cpu* profile is what a core learns in about two hours. The same code trains a larger one on a card (profile *gpu*).
#
# **Copies.** A model made of few images may repeat them. So each sample is compared with the real image that is nearest to it, and so are real images
# that no model has seen:

# %% tags=["hide-input"]
drawn = {name: each for name, each in measured.items() if name.startswith(("learned", "mosaic"))}
sl.book.pages.guidance.copies_table(drawn, p)

# %% tags=["hide-input"]
sl.book.folded(
    "The same captions by patch mosaics", sl.book.pages.captions.caption_sheet(p, "mosaic-named")
)

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "What a caption says decides what its images can teach: read every result beside its bits",
    "A mosaic can only rearrange what it was given, so no verdict on a claim of StableRep's rests on mosaics; one of our own controls does, the shuffled captions",
    "A small model's samples need not be beautiful: the next page asks whether they teach",
)

# %% [markdown]
# ## Try it
#
# ```python
# import synthlearn as sl
#
# source = sl.data.source("mosaic", data="digits", per_class=0, number=50, w=2.0)  # or "learned": trains for a while
# source.sample(range(64), size=32)  # uint8 (64, 3, 32, 32); image i belongs to caption i mod 50
# ```
#
# One knob: `w`. Expect bolder images of a caption, and less variety among them.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# What does `expect` give for very large and very small noise? Predict both before you compute the distance to the mean image and to `x`.
# :::

# %% tags=["hide-cell", "solution"]
everywhere = 2 * real.shape[-1] - 1  # a window that is the whole image
blurred = mosaic.denoise(x, of_all, 1e4, everywhere)
nearest = mosaic.denoise(of_all[:1], of_all, 1e-2, everywhere)
torch.testing.assert_close(blurred, of_all.mean(0, keepdim=True), atol=1e-2, rtol=0)
torch.testing.assert_close(nearest, of_all[:1], atol=1e-3, rtol=0)
print("much noise: the mean of all images; little noise: the nearest image, a copy")

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# The windows are what keeps a mosaic from copying. Sample once with windows and once with the whole image, and measure the distance to the nearest
# image of the caption.
# :::

# %% tags=["hide-cell", "solution"]
levels = sampling.noise_levels(mosaic.LEVELS, *mosaic.NOISE, mosaic.RHO)
start = x / high * levels[0]
for name, side in {"windows": mosaic.window, "whole image": lambda s: everywhere}.items():
    sample = sampling.integrate(
        lambda x, s, side=side: mosaic.denoise(x, of_caption, s, side(s)), start, levels, "euler"
    )
    apart = (of_caption - sample).square().mean((1, 2, 3)).sqrt().min()
    print(f"{name}: {apart:.3f} from the nearest real image")

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Shuffle the captions among the images. How many bits do they seem to tell about the class now, and why not 0?
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.text2image import mutual_information

shuffled = captions.ids[rng.permutation(rng.key("shuffle"), len(captions.ids))]
bits, bias = mutual_information(shuffled, images.labels)
print(f"{bits:.2f} bits; {bias:.2f} are expected of chance, as few images share a caption")
assert bits < mutual_information(captions.ids, images.labels)[0]

# %% tags=["hide-input"]
sl.book.provenance(p, {})
