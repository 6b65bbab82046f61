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
# # What images know: masks, order, edges
#
# *A generator decides where every object lies and which is in front. What is that worth, and do such images teach a network to restore real ones?*

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
denoisers = sl.study.measured("denoising", p)
page, decibels = sl.book.pages.images_know, sl.book.pages.images_know.psnr(denoisers)
sl.book.in_short(
    page.lifted(denoisers, "dead_leaves-mixed", "dead leaves"),
    page.compare(decibels, "real", "dead_leaves-mixed", "real images", "dead leaves"),
    page.compare(decibels, "collage-found", "real", "our own noise", "real images"),
    "Every mask, order and edge of leaves, fractals and collages is known to the pixel, at no cost",
    sure="of the labels, which are tested against painters that lay one object on another",
)

# %% tags=["hide-input"]
page.sheet()

# %% [markdown]
# ## Why it might work
#
# People draw the masks of photographs by hand, and their edges can be a pixel or two off. A generator of leaves has no such doubt. It has to know, at
# every pixel, which object is on top. Usually it keeps the colour and throws that knowledge away.
#
# Such labels can train networks for segmentation, boundaries and the order of depth. They cost nothing here: `sl.annotate` uses the random numbers
# that `sample` uses, and its images are the same to the bit.
#
# The images alone may be enough for **restoration**. To take noise off, a network must know what clean images look like: flat regions,
# sharp edges, some texture. Dead leaves were proposed as a model of just that. Denoisers trained on leaves with textures and a simple camera
# came within about 0.3 dB of those trained on photographs {cite:p}`achddou2025`.
#
# ## How objects are known
#
# Let object $k$ of a scene cover the set of pixels $S_k$, painted in the order $k = 1, 2, \dots$ What shows at pixel $u$ is the last one painted
# there:
#
# $$o(u) = \max\,\{k : u \in S_k\}.$$
#
# An edge is a pixel whose neighbour to the right or below shows another object.
# One object after the other, as a painter would do it, equals what the library gives for whole batches:

# %%
import torch

from synthlearn.generators import dead_leaves

leaves, size = sl.generator("dead_leaves-mixed"), 128
known = sl.annotate(leaves, [1], size=size)
order = known["order"][0]

keys = leaves.keys([1])
spans = dead_leaves.leaf_spans(keys, "mixed", size, int(order.max()))
by_leaf = sorted(zip(*(x.tolist() for x in spans[1:]), strict=True))
canvas = torch.zeros(size, size, dtype=torch.int32)
for leaf, row, left, right in by_leaf:
    canvas[row, left : right + 1] = leaf + 1  # over what was there

assert torch.equal(canvas, order)
assert torch.equal(known["images"], leaves.sample([1], size=size))

# %% [markdown]
# Of two objects, the one with the larger `order` lies in front. `instances` numbers only the objects that show, from 1; 0 is background. Images
# smaller than their scene are painted large and averaged. Their labels are those of the painted pixel in the middle of each small pixel.
#
# ## A denoiser
#
# A small network $f$ sees $y = x + \sigma n$, a patch with Gaussian noise $n$ of $\sigma = 25/255$, and guesses the noise {cite:p}`zhang2017`:
#
# $$\hat{x} = y - \sigma f(y), \qquad \min_f\ \mathbb{E}\, \| f(y) - n \|^2.$$
#
# It has five convolutions, trained on patches of one set within a minute or two. Then it restores natural images that no denoiser has seen. Quality
# is the peak signal-to-noise ratio, $-10 \log_{10}$ of the mean squared error, in decibels. Here is one, trained on 32 images of leaves:

# %%
from synthlearn.measure import denoising

sigma = 25 / 255
few = leaves.sample(range(32), size=48)
network = denoising.train(few, sigma, updates=60, seed=0)

clean = leaves.sample(range(100, 104), size=32).float() / 255
noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
y = clean + sigma * noise
with torch.no_grad():
    guess = network(y)
    assert torch.equal(guess, y - sigma * network.noise((y - 0.45) / 0.25))
before, after = (denoising.psnr(each, clean).mean() for each in (y, guess))
print(f"{before:.1f} dB with noise, {after:.1f} dB restored")
assert after > before

# %% tags=["hide-input"]
page.patches({"clean": clean, "with noise": y, "restored": guess})

# %% [markdown]
# ## Result
#
# The network, the noise, the number of images and of updates are the same for every set. Synthetic images have the size at which the study trains,
# real ones their own. The natural images that are restored are of the same data set as the real ones, but are not among them.

# %% tags=["hide-input"]
page.figure(denoisers)

# %% tags=["hide-input"]
page.results(denoisers)

# %% [markdown]
# All training is short: the numbers compare sets and are far from the best denoisers. White noise is the control: it cannot be told from the noise
# that is to be taken off. [Our own noise](44_own_noise.ipynb) has opaque leaves with fields on them in the colours of photographs. A search found it
# by its features, not by this task.
#
# ## Verdict
#
# The published leaves have textures and the optics of a camera. The nearest set here is leaves with ten textures, and the rule names it.

# %% tags=["hide-input"]
sl.book.verdicts("46_what_images_know")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    page.compare(decibels, "collage-found", "dead_leaves-mixed", "our own noise", "dead leaves"),
    page.compare(decibels, "dead_leaves-mixed", "noise-white", "dead leaves", "white noise"),
    "What a generator knows is exact and free: masks, order and edges of its images need no annotator",
    "A denoiser answers within minutes which sets serve at the scale of a few pixels; it does not say which teach classes",
)

# %% [markdown]
# ## Try it
#
# ```bash
# python -m synthlearn generate --generator fractals-sigma --n 100 --labels instances,edges --out fractals
# python -m synthlearn measure --profile smoke --what denoising
# papermill notebooks/46_what_images_know.ipynb out.ipynb -p profile smoke
# ```
#
# One knob: `updates` in the cell above. Expect flat regions to become clean first, and textures last.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Leaves fall until no pixel is bare. Which share of all that fell can still be seen? Guess, then compare the largest `order` with the largest number
# in `instances`.
# :::

# %% tags=["hide-cell", "solution"]
fell, seen = int(order.max()), int(known["instances"].max())
print(f"{seen:,} of {fell:,} leaves can be seen")
assert seen < fell / 2

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Which share of the pixels are edges in images of 128 and of 32 pixels? Predict how it changes before you run it.
# :::

# %% tags=["hide-cell", "solution"]
share = {
    size: float(sl.annotate(leaves, range(4), size=size)["edges"].float().mean())
    for size in (128, 32)
}
print(", ".join(f"{value:.0%} of {size} × {size} pixels" for size, value in share.items()))
assert share[32] > share[128]  # an edge is a line: its share grows as pixels do

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# An ideal denoiser of images of one colour would average all $s^2$ pixels. How many decibels would it gain at $s = 32$? Compare it with a mean that you
# compute.
# :::

# %% tags=["hide-cell", "solution"]
flat = sl.generator("noise-uniform_color").sample(range(100), size=32).float() / 255
generator = torch.Generator().manual_seed(1)
loud = flat + sigma * torch.randn(flat.shape, generator=generator)
mean = loud.mean((2, 3), keepdim=True).expand_as(loud)
before, after = ((each - flat).square().mean() for each in (loud, mean))
gain = 10 * (before / after).log10()
print(f"{gain:.1f} dB, and 10 log10(32 · 32) is {10 * torch.tensor(1024.0).log10():.1f} dB")
assert abs(gain - 30.1) < 1

# %% tags=["hide-input"]
sl.book.provenance(p, denoisers)
