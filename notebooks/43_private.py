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
# # Private learning
#
# *Which features make it cheap to learn from images that nobody may be able to recognise in the result?*

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
private = sl.study.measured("private", p)
weak, top1 = sl.book.pages.private.weakest(private)
LEAVES, untrained = ("dead_leaves-mixed", "features of dead leaves"), "untrained features"
sl.book.in_short(
    sl.book.compare_units(weak, LEAVES[0], "random", LEAVES[1], untrained, top1),
    sl.book.compare_units(
        weak, "programs-100", "random", "features of 100 programs", untrained, top1
    ),
    unsure="how far encoders of a row lie apart: few of each were measured",
)

# %% tags=["hide-input"]
sl.book.pages.private.noise_sheet()

# %% [markdown]
# ## Why it might work
#
# **Differential privacy** bounds what a trained classifier can tell of any one training image. In each step the gradient of every image is
# clipped, and noise is added to their sum {cite:p}`abadi2016`. The fewer weights must be learned from private images, the less the noise hurts.
# So features that were learned elsewhere help; and features learned from *images of random processes* cost no privacy at all.
#
# The paper that tried this trains whole networks privately in three phases. It reaches 72.3 % on CIFAR-10 at ε = 1, where the best published
# before it was 60.6 % {cite:p}`tang2023`. Ours is the linear part of that question at the size of this study.
#
# ## How it works
#
# A linear classifier with weights $W$ on frozen features $x_i$. For image $i$ the gradient $g_i$ is clipped to length $C$; noise of
# standard deviation $\sigma C$ hides each image's share in the sum:
#
# $$g = \frac{1}{n}\Bigl(\sum_i g_i \min\bigl(1, C / \lVert g_i \rVert\bigr) + \sigma C\, \mathcal{N}(0, I)\Bigr).$$
#
# The smaller ε is, the stronger the privacy and the larger $\sigma$; [opacus](https://opacus.ai) counts how large. All images are in every step.
# One private step:

# %%
import torch
from torch.nn.functional import cross_entropy

from synthlearn.core import rng
from synthlearn.measure import private as dp

draw = torch.Generator().manual_seed(0)
private_x, public_x = torch.randn((2, 200, 16), generator=draw)
x = dp.prepare(private_x, public_x)
labels = torch.randint(10, (200,), generator=draw)
noise = dp.noise_multiplier(epsilon=1.0, steps=1)  # σ; C is 1

total = 0
for image, label in zip(x, labels, strict=True):
    weight = torch.zeros(17, 10, requires_grad=True)
    loss = cross_entropy((image @ weight)[None], label[None])
    (g,) = torch.autograd.grad(loss, weight)
    total += g * min(1, dp.CLIP / float(g.norm()))
total += noise * dp.CLIP * rng.normal(rng.key("private", 0, 0), (17, 10))
step = -4.0 * total / len(x)  # rate 4

library = dp.fit(x, labels, 10, dp.Setting(steps=1, rate=4.0), noise, seed=0)
torch.testing.assert_close(step, library, atol=1e-6, rtol=1e-4)

# %% [markdown]
# The library needs no loop. An image's gradient is the outer product of its errors and its features, so its norm is a product of two norms.
# The two agree up to the rounding of sums in another order.
#
# **What is private here.** The classifier is trained on the study's real images with a budget of (ε, 10⁻⁵): ε = 1 is strong, 8 is weak. Features
# are scaled by a *public* set, satellite images (drawn bars in the smoke profile), on which the number of steps and the rate are chosen too.
# Features of the encoder that was trained on the real images are **not** private. Nor are those of mosaics, which are cut from
# the same images. These lines are bounds, not offers.
#
# ## Result

# %% tags=["hide-input"]
sl.book.lines_figure(
    private, "ε", "Top-1 of a private linear classifier, mean over draws of the noise."
)

# %% tags=["hide-input"]
rows = {name: sl.book.baseline(p, name) for name in private}
sl.book.pages.private.facts(private, rows)

# %% [markdown]
# Compare features, at one ε. The column *no privacy* is not the end of the same line. It is another classifier, the study's linear probe,
# fitted until it converges, to features that are standardised by the training images themselves. So its distance from ε = 8 mixes the price of privacy
# with that of another solver.
#
# Two things cost privacy that is not counted: the set of 100 programs was chosen by accuracy on the test images, and an early trial of the study's
# settings was read on test images too ([method](../book/method.md)).
#
# ## Verdict
#
# The rule names dead leaves, as it did before its results were seen; for a day it named [100 programs](41_programs.ipynb).

# %% tags=["hide-input"]
sl.book.verdicts("43_private")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.compare_units(weak, "real", LEAVES[0], "features of real images", LEAVES[1], top1),
    "Features learned from noise cost no privacy, whatever they are worth",
    "A linear classifier suffers less from the noise than a network would: the noise grows with the number of weights",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/43_private.ipynb out.ipynb
# python -m synthlearn measure --profile cpu --what private --row random
# ```
#
# One knob: `dp.noise_multiplier(epsilon, steps)`. Expect about half the noise for twice the ε, and more noise for more steps.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Ten times the steps: how much more noise does each step need for the same ε? A guess: noises of independent steps add like variances.
# :::

# %% tags=["hide-cell", "solution"]
one, ten = (dp.noise_multiplier(epsilon=4.0, steps=steps) for steps in (3, 30))
print(f"3 steps: σ = {one:.2f}; 30 steps: {ten:.2f}, {ten / one:.2f} times; √10 = {10**0.5:.2f}")
assert abs(ten / one - 10**0.5) < 0.2

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Clipping alone, without noise, changes the gradient. Where does it point if half the images have a hundred times larger features? Compare the
# direction of the clipped sum with that of the plain one by their cosine.
# :::

# %% tags=["hide-cell", "solution"]
large = torch.cat([x[:100], 100 * x[100:]])
sums = [dp.clipped_sum(large, labels, torch.zeros(17, 10), clip) for clip in (1e9, 1.0)]
angle = torch.nn.functional.cosine_similarity(*(s.flatten() for s in sums), dim=0)
print(f"cosine {angle:.2f}: clipped, all images count alike; else the large half decides")
assert 0 < angle < 0.95

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# How many images does it take? Train on random features with 200 and with 20,000 images under the same noise, and compare the length of the
# noise with that of the sum.
# :::

# %% tags=["hide-cell", "solution"]
for n in (200, 20_000):
    features = dp.prepare(torch.randn(n, 16, generator=draw), torch.randn(50, 16, generator=draw))
    classes = (features[:, :10]).argmax(1)  # something to learn
    length = dp.clipped_sum(features, classes, torch.zeros(17, 10)).norm()
    print(f"{n:6,} images: signal {length:.0f}, noise {noise * 170**0.5:.0f}")

# %% tags=["hide-input"]
sl.book.provenance(p, rows)
