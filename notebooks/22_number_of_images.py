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
# # How many images
#
# *Is a thousand images enough, seen over and over, or does it pay never to repeat one?*

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
page, LEAVES = sl.book.pages.lengths, "dead_leaves-mixed"
runs = sl.study.chapter("22_number_of_images", p)
usual = {name: sl.book.baseline(p, name) for name in (LEAVES, "real")}
ON = "with dead leaves, "
few, stream, one = f"{LEAVES}.n1000", f"{LEAVES}.stream", f"{LEAVES}.n105000"
pairs = sl.book.pairs(
    p,
    {
        f"leaves: {page.pool(few, p)}": (few, LEAVES),
        f"leaves: {page.pool(f'{LEAVES}.n2500', p)}": (f"{LEAVES}.n2500", LEAVES),
        f"leaves: {page.pool(one, p)}": (one, LEAVES),
        f"leaves: {page.pool(stream, p)}": (stream, LEAVES),
        f"StyleGANs: {page.pool('stylegan-oriented.n2500', p)}": (
            "stylegan-oriented.n2500",
            "stylegan-oriented",
        ),
        f"real: {page.pool('real.n1000', p)}": ("real.n1000", "real"),
        f"real: {page.pool('real.n20000', p)}": ("real.n20000", "real"),
    },
)
sl.book.in_short(
    sl.book.compare(
        runs.get(few), usual[LEAVES], page.pool(few, p), page.pool(LEAVES, p), where=ON
    ),
    sl.book.compare(
        runs.get(stream), usual[LEAVES], "images that never repeat", page.pool(LEAVES, p), where=ON
    ),
    sl.book.tell_apart(pairs, "of a pool with the usual one"),
    unsure="what holds when training is long enough to learn a small pool by heart",
)

# %% tags=["hide-input"]
leaves = sl.generator(LEAVES)
pool = leaves.sample(range(4), size=96)
sl.book.rows(
    {"small pool": pool.repeat(2, 1, 1, 1), "stream": leaves.sample(range(8), size=96)},
    alt="Eight images of dead leaves",
    caption="Two epochs of four images each: a pool shows the same images again, a stream never repeats one.",
)

# %% [markdown]
# ## Why it might matter
#
# A generator never runs dry: it can paint a new image for each step. A set of photographs ends. If more images teach more, this is an advantage of
# synthetic images that photographs cannot have. If a thousand images are enough, it is none, and images are cheap to store.
#
# A small pool has a danger: the encoder may learn it by heart. But each time an image is seen, it is cropped and coloured anew, so that even a small pool
# shows many views. The noise paper trained on 105,000 images of each set, each seen two hundred times {cite:p}`baradad2021`.
#
# ## How images are counted
#
# A pool has $n$ images and training passes it $E$ times. A share $r$ of the pool is replaced in each epoch. Image $j$ of the pool is in epoch $e$ the image
# number
#
# $$j + n \left\lfloor e\,r + \varphi_j \right\rfloor, \qquad \varphi_j = \{\, j \cdot 0.618\ldots \},$$
#
# of the generator, where $\varphi_j$ spreads the changes over the pool. So $r = 0$ is a fixed pool, $r = 1$ a stream, and training sees
# $n\,(1 + r\,(E - 1))$ different images. In code, against the library:

# %%
import torch

n, share = 64, 0.25  # a quarter of the pool is new in each epoch
noise = sl.generator("noise-white")
library = sl.data.batches(noise, n, size=8, refresh=share)
j = torch.arange(n)
phase = (j.double() * 0.6180339887498949) % 1  # fills [0, 1) evenly
seen = set()
for epoch in range(5):
    number = j + n * (epoch * share + phase).floor().long()
    assert torch.equal(noise.sample(number, size=8), library.batch(epoch, j))
    seen |= set(number.tolist())
law = n * (1 + share * 4)
print(f"{len(seen)} different images; n (1 + r (E − 1)) = {law:.0f}")

# %% [markdown]
# ## What the network learns from it
#
# All runs make about the same number of updates; only the number of different images differs. A network that learned a small pool by heart would
# show it here: its loss would fall far below that of the stream.

# %% tags=["hide-input"]
sl.book.training(
    {
        name: each
        for name, each in {LEAVES: usual[LEAVES], **runs}.items()
        if name.startswith(LEAVES)
    }
)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
page.size_figure(runs, p)

# %% tags=["hide-input"]
sl.book.join(
    page.size_table(runs, p),
    sl.book.folded("Settings and commands", sl.book.ablation(runs, p)),
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.differences(pairs)

# %% [markdown]
# One thing differs besides the number of images. An epoch of 10,000 images ends with a batch of 16, whose batch statistics are poor; an epoch of 1,000 or
# 2,500 ends with a larger one. The row of 9,984 images, a whole number of batches, is there to tell the two apart.

# %% tags=["hide-input"]
whole = f"{LEAVES}.n9984"
sl.book.learned(
    sl.book.compare(runs[whole], usual[LEAVES], "whole batches only", "a small last batch")
    if whole in runs
    else "That row has no run in this profile, so the two cannot be told apart yet",
)

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    page.largest(pairs),
    "What holds for a short training need not hold for a long one, which sees each image of a small pool far more often",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/22_number_of_images.ipynb out.ipynb -p epochs 8
# python -m synthlearn pretrain --generator dead_leaves-mixed --set refresh=1.0 --out encoder.safetensors
# ```
#
# One knob: `refresh`, the share of the pool that is new in each epoch. At `refresh=0.1` expect what a fixed pool gives, at little more cost. In the *smoke*
# profile the rows differ in name only.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# A pool of a thousand images is seen a hundred times. How many different *views* is that? Count the crop windows that fit a 48-pixel image, and ask
# how often one comes up twice in a hundred draws.
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.core import rng
from synthlearn.core.augment import Augmentation

keys = rng.key("views", torch.arange(20_000))
crop = Augmentation(crop=32, scale_min=0.2).parameters(keys, 48, 48)
windows = torch.stack([crop.top, crop.left, crop.height, crop.width], 1)
different = len(windows.unique(dim=0))
again = [100 - len(windows[k : k + 100].unique(dim=0)) for k in range(0, 20_000, 100)]
print(f"{different:,} windows in 20,000 draws; {sum(again) / len(again):.1f} repeats in a hundred")
assert sum(again) / len(again) < 10  # and no two have the same colours

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# How much must a pool shrink before its *content* is poor? Draw pools of 4, 16, 64 and 256 dead-leaves images, and compare the histogram of grey levels of each
# with that of 256 other images.
# :::

# %% tags=["hide-cell", "solution"]
levels = leaves.sample(range(512), size=32).double().mean(1).flatten(1)
reference = torch.histc(levels[256:], 32, 0, 255) / levels[256:].numel()
far = []
for size in (4, 16, 64, 256):
    histogram = torch.histc(levels[:size], 32, 0, 255) / levels[:size].numel()
    far.append(float((histogram - reference).abs().sum() / 2))
    print(f"{size:4} images: {far[-1]:.3f} of the mass lies elsewhere")
assert far[0] > far[-1]

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
