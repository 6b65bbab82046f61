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
# # StableRep
#
# *Do several samples of a caption teach more than two views of one image?*

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
epochs: int = None  # None: the profile's value
n_images: int = None
width: float = None
seeds: int = None
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
device: str = None

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
runs = sl.study.chapter("31_stablerep", p) | sl.study.chapter("32_guidance", p)
mosaics, colours = (
    ("mosaic-named.stablerep", "mosaic-named"),
    ("mosaic-colour.stablerep", "mosaic-colour"),
)
learned, LOSSES = runs.get("learned.stablerep_w2"), ("StableRep", "SimCLR")
sl.book.in_short(
    sl.book.compare(
        learned,
        runs.get("learned.w2"),
        *LOSSES,
        where="on samples of the learned model, whose captions name the class, ",
    ),
    sl.book.compare(
        *map(runs.get, mosaics), *LOSSES, where="on patch mosaics under the same captions, "
    ),
    sl.book.compare(
        *map(runs.get, colours), *LOSSES, where="on mosaics whose captions name only colours, "
    ),
    sl.book.compare(
        runs.get("real.supcon"),
        runs.get("real.captioned"),
        "the classes as captions (SupCon)",
        "captions that name them (StableRep)",
        where="on real images, ",
    ),
    unsure=""
    if learned or not p.is_study
    else "what samples of the trained model teach: its runs are still to be made",
)

# %% tags=["hide-input"]
sl.book.pages.captions.positives_sheet(p)

# %% [markdown]
# ## Why it might work
#
# SimCLR makes every image a class of its own; supervised learning makes a label a class. StableRep {cite:p}`tian2023` makes a *caption* a class:
# several images of it, each drawn from its own noise, are positives of each other. They share what the caption says, and differ in the rest. So the
# network may learn what captions are about, without a label.
#
# The paper's model had seen billions of images that its real arm had not. Its gain therefore has two parts: what the model knows, and what the loss
# makes of several samples. Here the [model](30_text_to_image.ipynb) has seen no more than the real arm, so only the second part is left, and what captions say.
#
# ## How the loss works
#
# For each image, cross-entropy between a softmax over all other images of the batch and a uniform distribution over those of its
# caption. With $B$ images in a batch, embeddings $z$ of length 1, temperature $\tau$, and $P(i)$ for the other images of the caption of image $i$:
#
# $$q_{ij} = \frac{\exp(z_i \cdot z_j / \tau)}{\sum_{k \ne i} \exp(z_i \cdot z_k / \tau)}$$
#
# $$L = -\frac{1}{B} \sum_i \frac{1}{|P(i)|} \sum_{j \in P(i)} \log q_{ij}$$

# %%
import torch
from torch.nn.functional import normalize

draw = torch.Generator().manual_seed(0)
z = normalize(torch.randn(12, 8, generator=draw))  # 12 embeddings …
caption = torch.arange(12) % 4  # … of 4 captions
tau = 0.2

itself = torch.eye(12, dtype=torch.bool)
log_q = (z @ z.T / tau).masked_fill(itself, -torch.inf).log_softmax(1)
positive = (caption[:, None] == caption) & ~itself
loss = -(log_q.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()

torch.testing.assert_close(loss, sl.losses.multi_positive(z, caption, tau))

# %% [markdown]
# With two images per caption it is SimCLR's loss. With $m$ of them it cannot fall below $\log(m - 1)$, since no softmax gives more than its share to
# each of $m - 1$ positives. The loss even pushes a positive *away* if it has more than its share: it evens out, it does not only attract.
#
# **Equal budgets.** All arms have the same number of images, of updates, and of views per update. SimCLR takes 250 images and two views of each;
# StableRep fifty captions with ten images each, seen once. Encoder, views, optimiser, learning rate and temperature (0.2) are the same (a table's
# `lr` is per 256 images, and SimCLR's batch has half as many). All runs of a row train on samples of one model: intervals tell of training,
# not of how another model would have turned out.

# %% tags=["hide-input"]
CURVES = ("learned.stablerep_w2", "learned-colour.stablerep", *mosaics[:1], *colours[:1])
sl.book.training(sl.book.chosen(runs, p, *CURVES))

# %% [markdown]
# ## Result
#
# The gain of StableRep over SimCLR on the same images, by what the captions tell about the class. If grouping taught by itself, the gain would be
# there under captions of few bits too. Equal bits need not gain equally: fifty captions that name the class split each class in five, and the loss
# pushes these five apart; SupCon does not.

# %% tags=["hide-input"]
sl.book.pages.captions.bits_figure(runs, p)

# %% tags=["hide-input"]
MAIN = (
    "real.simclr_sharp",
    "learned.w2",
    "learned.stablerep_w2",
    *mosaics[::-1],
    "real.captioned",
    "real.supcon",
)
sl.book.ablation(sl.book.chosen(runs, p, *MAIN), p, against="real.simclr_sharp")

# %% [markdown]
# The last two lines are controls with equal information: the real images under the same captions, as a perfect model would give that can only
# repeat what it has seen, and the real images under their classes.

# %% tags=["hide-input"]
sl.book.pages.stablerep.tables(runs, p)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("31_stablerep")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.compare(
        runs.get("real.captioned"),
        runs.get("real.simclr_sharp"),
        "StableRep on their captions",
        "SimCLR",
        where="on real images, without any model, ",
    ),
    sl.book.compare(
        runs.get("mosaic-named.of500"),
        runs.get(mosaics[0]),
        "mosaics of 500 real images",
        "mosaics of 10,000",
        where="with StableRep, ",
    ),
    "A loss over captions learns what captions say; where they name the class it is a supervised loss in disguise",
    "The paper's gain may come from what its model knows; a model that knows nothing more cannot tell",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/31_stablerep.ipynb out.ipynb -p epochs 8
# python -m synthlearn pretrain --row mosaic-named.stablerep --profile smoke --out encoder.safetensors
# ```
#
# One knob: `images_per_caption` in `[mosaic-named.stablerep]` of `workflow/study.toml`, how many images of a caption stand in a batch. Expect
# SimCLR's loss at two.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# What is the least value of the loss for three images of each of four captions? Place the captions on the corners of a regular simplex and compare
# with `multi_positive_floor`.
# :::

# %% tags=["hide-cell", "solution"]
corners = torch.eye(4) - 0.25  # a regular simplex, up to its size
least = sl.losses.multi_positive(corners[caption], caption, tau)
floor = sl.losses.multi_positive_floor(captions=4, m=3, temperature=tau)
print(f"{least:.4f}, and log(m − 1) = {torch.tensor(2.0).log():.4f} as τ → 0")
assert abs(least - floor) < 1e-5

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Show that a positive with more than its share is pushed away. Take an image with one identical positive and one at a right angle, and look at the
# gradients of its two cosines.
# :::

# %% tags=["hide-cell", "solution"]
cosines = torch.tensor([1.0, 0.0, 0.0], requires_grad=True)  # two positives, one other image
(-(cosines / tau).log_softmax(0)[:2].mean()).backward()
print(cosines.grad)  # q − p over τ: above 0 pushes away
assert cosines.grad[0] > 0 > cosines.grad[1]

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Show that two images of each caption give SimCLR's loss, `sl.losses.nt_xent`.
# :::

# %% tags=["hide-cell", "solution"]
x, y = z[:6], z[6:]
ids = torch.arange(6).repeat(2)
torch.testing.assert_close(
    sl.losses.multi_positive(torch.cat([x, y]), ids, tau), sl.losses.nt_xent(x, y, tau)
)

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
