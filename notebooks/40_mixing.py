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
# # Mixing within an image
#
# *Does an image mixed of two teach more than a whole one?*

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
runs = sl.study.chapter("40_mixing", p)
whole = runs.get("mixture-three")
mixed_sets = {name: each for name, each in runs.items() if each is not whole}
robust, page = sl.study.measured("robustness", p), sl.book.pages.robustness
sl.book.in_short(
    sl.book.compare(runs.get("mixed-cutmix"), whole, "cutmix", "whole images of the same sets"),
    sl.book.compare(runs.get("mixed-convex"), whole, "convex mixes", "whole images"),
    page.compare(robust, "noise-moire", "random"),
    page.compare(robust, "noise-moire", "noise-white"),
    page.price(robust, "noise-moire"),
    unsure="whether mixing pays with thousands of sets, as in the papers: here there are three",
)

# %% tags=["hide-input"]
sl.book.pages.mixing.examples(runs, p)

# %% [markdown]
# ## Why it might work
#
# A [mixture of whole sets](21_mixtures.ipynb) puts images of several sets side by side. A network can tell such sets apart by one colour or
# frequency, and need not look further. Mixing *within* an image closes that road, and it adds contours that no single set has.
#
# The papers report large effects. With images of 1,000 programs that people wrote, a linear classifier on ImageNet rose from 16.7 to 38.4 %
# when images were mixed. Twenty times as many programs, unmixed, gave 30.3 % {cite:p}`baradad2022`. In another paper *k-means leaves*, regions of one
# image filled from two others, helped about as much as such mixing, and both together helped more {cite:p}`rodriguez2025`.
#
# ## How an image is made
#
# The parts are three cheap sets: dead leaves, sigma fractals, and clouds in few colours (*spectrum, colour*). Each mixed image takes images of its
# own, which no other image uses. Three rules mix two images $a$ and $b$ by a mask $m$, at every pixel $u$:
#
# $$x(u) = m(u)\,a(u) + \bigl(1 - m(u)\bigr)\,b(u).$$
#
# In a **convex mix** the mask is one number, uniform between 0 and 1. In **cutmix** it is 0 in a box and 1 around it; the share of the box's area is
# uniform. In **k-means leaves** it is cut by a third image: its pixels are sorted into two clusters of colours. The first two rules in a few lines,
# equal to the library's:

# %%
import torch

from synthlearn.core import rng
from synthlearn.generators import mixed

sets = ["dead_leaves-mixed", "stat-spectrum_color"]
convex = sl.generator("mixed", parts=sets, rule="convex")
cutmix = sl.generator("mixed", parts=sets, rule="cutmix")
size, index = 128, torch.tensor([3])
keys = cutmix.keys(index)
a, b = cutmix.ingredients(keys, index, size, seed=0)[0]  # uint8 (3, s, s)
dice = rng.fold(keys, mixed.Draw.MIXING)

share = -torch.log1p(-rng.uniform(dice, (2,))[0])  # two exponentials …
share /= share.sum()  # … over their sum: uniform weights
blend = (share[0] * a + share[1] * b + mixed.HAIR).byte()
assert torch.equal(blend, convex.sample(index, size=size)[0])

y, x, area = rng.uniform(dice, (2, 3))[0, 1]
place = (torch.arange(size) + 0.5) / size
rows, columns = ((place - at).abs() < area.sqrt() / 2 for at in (y, x))
pasted = torch.where(rows[:, None] & columns, b, a)
assert torch.equal(pasted, cutmix.sample(index, size=size)[0])

# %% tags=["hide-input"]
sl.book.pages.mixing.ingredients(p, *mixed_sets)

# %% [markdown]
# The last line joins two rules: a convex mix of two k-means leaves takes six images for one.
#
# ## What the network learns from it
#
# Equal numbers of images, equal updates: a mixed image counts as one, whatever went into it.

# %% tags=["hide-input"]
sl.book.training(runs)

# %% [markdown]
# ## Result
#
# The mixed sets, the mixture of whole images, and the three parts alone.

# %% tags=["hide-input"]
PARTS = ("dead_leaves-mixed", "fractals-sigma", "stat-spectrum_color")
parts = {name: sl.book.baseline(p, name) for name in PARTS}
sl.book.ablation_figure({**runs, **parts}, p)

# %% tags=["hide-input"]
sl.book.results({**runs, **parts}, p)

# %% tags=["hide-input"]
sl.book.folded(
    "Each set against the mixture of whole images",
    sl.book.ablation({**runs, **parts}, p, against="mixture-three" if whole else PARTS[0]),
)

# %% [markdown]
# ## Noise as a mixing image
#
# Such images have a second use. A classifier that has only seen clean photographs often fails on blurred, noisy or foggy ones. PixMix mixes another
# image into each training image and keeps the class {cite:p}`hendrycks2022`. Its mixing images are fractals and feature visualisations: full of structure,
# but with nothing of the photographs in them. Moiré was proposed for the same use, first as a stored set, then computed
# during training {cite:p}`matsuo2025,matsuo2026`. All three papers report fewer errors under corruptions. Which of our sets serve?
#
# Let $x$ be an image and $y$ what is mixed in, both with values from 0 to 1. One round adds or multiplies, at equal odds:
#
# $$x \leftarrow \tfrac12 + a\,\bigl(x - \tfrac12\bigr) + b\,\bigl(y - \tfrac12\bigr)$$
#
# $$\text{or} \quad x \leftarrow \tfrac12\,(2x)^a\,(2y)^b,$$
#
# cut off at black and white. The weight $a$ is near one, $b$ near zero. In half of the rounds $y$ is an image of the set. In the others it is the
# image itself, mirrored, turned, moved or with other tones (the paper also shears it). There are up to four rounds:

# %%
from synthlearn.data import mix_in

fractals = sl.generator("fractals-sigma")
mix = sl.data.MixIn(fractals, images=16)  # a transform for torchvision.transforms.v2
keys = rng.key("example", torch.arange(8))
x, y = page.examples(p).float() / 255, fractals.sample(range(8), size=p.crop).float() / 255

a, b = mix_in.shares(keys, severity=3.0)
wide = (-1, 1, 1, 1)
added = (0.5 + a.view(wide) * (x - 0.5) + b.view(wide) * (y - 0.5)).clamp(0, 1)
multiplied = mix_in.multiplied(x, y, a, b)
assert torch.equal(added, mix_in.added(x, y, a, b))
rounds = mix.mix(x, keys)

# %% tags=["hide-input"]
page.mixed(
    {
        "image": x,
        "of the set": y,
        "added": added,
        "multiplied": multiplied,
        "up to four rounds": rounds,
    }
)

# %% [markdown]
# The classifier is a small network, trained on the labelled images that the probe learns from. They are moved by a few pixels and mirrored;
# that alone is *no mixing*. Then it has to name test images under fifteen kinds of corruption, those of CIFAR-10-C {cite:p}`hendrycks2019`. All are
# computed here from their definitions: compare the lines of one table with each other, not with published numbers.

# %% tags=["hide-input"]
page.kinds(p)

# %% tags=["hide-input"]
page.figure(robust)

# %% tags=["hide-input"]
page.results(robust)

# %% tags=["hide-input"]
sl.book.folded("Accuracy under each kind of corruption", page.by_kind(robust))

# %% [markdown]
# White noise is the control: it changes images as often, but adds no structure. Whatever it gains comes from the noise itself and from the changed
# copies, which half of the rounds use in place of the set. Look at clean images too: what is gained under corruptions may be paid for there.
# Training is short and the network small, so clean accuracy is far from the best known.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("40_mixing")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
both, leaves = runs.get("mixed-kml_convex"), runs.get("mixed-kml")
sl.book.learned(
    sl.book.compare(leaves, whole, "k-means leaves", "whole images"),
    sl.book.compare(both, leaves, "k-means leaves mixed in twos", "plain k-means leaves"),
    page.compare(robust, "noise-white", "random"),
    page.compare(robust, "stylegan-oriented", "noise-white", "oriented StyleGANs"),
    "Mixed or not, the network sees the same three sets; only their arrangement differs",
    "The papers mix thousands of programs and train longer on larger networks; their gains need not show with three sets",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/40_mixing.ipynb out.ipynb -p epochs 8
# python -m synthlearn measure --profile smoke --what robustness
# python -m synthlearn generate --generator mixed --option 'parts=["dead_leaves-mixed", "fractals-sigma"]' --option rule=kml --n 100 --out mixed
# ```
#
# One knob: `rule`, one of `convex`, `cutmix`, `kml` and `kml+convex`. Expect boxes with sharp edges from `cutmix`, and pale images from `convex`.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Why are convex mixes pale? Take $k$ independent images of equal variance under weights from Dirichlet(1, …, 1), and predict which share
# of the variance is left. Then draw weights and check.
# :::

# %% tags=["hide-cell", "solution"]
# the variance of a weighted sum is the sum of the squared weights
for k in (2, 3, 6):
    left = mixed.weights(torch.arange(20_000), k).square().sum(1).mean()
    print(f"k = {k}: {left:.3f} is left, 2 / (k + 1) = {2 / (k + 1):.3f}")
    assert abs(left - 2 / (k + 1)) < 0.01

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Put the negative of the first image into k-means leaves. Which part of the result changes? Predict before you run `mixed.leaves`.
# :::

# %% tags=["hide-cell", "solution"]
kml = sl.generator("mixed", parts=sets, rule="kml")
three = kml.ingredients(kml.keys(index), index, size, seed=0)
negative = torch.cat([255 - three[:, :1], three[:, 1:]], 1)
# the same two regions, but the clusters change places: the two fillings are swapped
change = mixed.leaves(negative).int() - mixed.leaves(three[:, [0, 2, 1]]).int()
assert change.abs().max() <= 1
titles = ("first image", "k-means leaves", "with its negative")
pictures = (three[0, 0], mixed.leaves(three)[0], mixed.leaves(negative)[0])
sl.book.labelled(dict(zip(titles, pictures, strict=True)), alt="An image and two mixtures.")

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Which share of a cutmix image is the pasted box, on average? Its area is uniform before the border cuts it off. Guess, then measure.
# :::

# %% tags=["hide-cell", "solution"]
black, white = torch.zeros((2000, 1, 3, 64, 64)), torch.ones((2000, 1, 3, 64, 64))
boxes = mixed.boxes(torch.arange(2000), 2)
inside = mixed.cutmix(torch.cat([black, white], 1), *boxes).mean()
print(f"half of the area before the cut, {inside:.2f} after it")
assert 0.2 < inside < 0.5

# %% [markdown]
# :::{admonition} Exercise 4
# :class: exercise
# The weight of what is mixed in is $|b| = 1 - v^{1/\beta}$ with $v$ uniform and $\beta = 3$. What is its mean, and at which $\beta$ would it be half of
# that? Compute, then draw.
# :::

# %% tags=["hide-cell", "solution"]
# the mean of v^(1/β) is β / (β + 1), so that of |b| is 1 / (β + 1): a quarter, and an eighth at β = 7
for severity in (3.0, 7.0):
    weight = mix_in.shares(torch.arange(20_000), severity)[1].abs().mean()
    print(f"β = {severity:.0f}: {weight:.3f}, 1 / (β + 1) = {1 / (severity + 1):.3f}")
    assert abs(weight - 1 / (severity + 1)) < 0.01

# %% tags=["hide-input"]
sl.book.provenance(p, {**runs, **robust})
