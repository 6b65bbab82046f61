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
# # Captions, budget, limits
#
# *How should a budget of synthetic images be spent: on many images of few captions, or on few of many?*

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
runs = sl.study.chapter("34_captions", p)
runs |= sl.study.chapter("31_stablerep", p) | sl.study.chapter("32_guidance", p)
rare = sl.study.measured("long_tail", p)["dead_leaves-mixed"]
learned = runs.get("learned-500.stablerep")
fifty, many = (runs.get(f"mosaic-named.{name}") for name in ("stablerep", "captions500"))
BUDGET = "50 captions of 200 images", "500 captions of 20"
sl.book.in_short(
    sl.book.compare(
        runs.get("learned.stablerep_w2"),
        learned,
        *BUDGET,
        where="on samples of the learned model, ",
    ),
    sl.book.compare(
        fifty,
        many,
        *BUDGET,
        where="with StableRep on equally many mosaics, where fifty captions also lie closer to the ten classes, ",
    ),
    sl.book.pages.limits.rare_in_words(rare),
    unsure=""
    if learned or not p.is_study
    else "how many captions suit the trained model: its runs are still to be made",
)

# %% tags=["hide-input"]
sl.book.pages.captions.narrow_sheet(p)

# %% [markdown]
# ## Why it might work
#
# A text-to-image model can draw any number of images of any caption. At a fixed number of images, more of each caption means more positives that differ,
# and fewer captions. More captions mean finer groups, which tell more about details and less about classes.
#
# Here the two come together: with more captions there are fewer images of each, made of fewer real images. The authors name further limits:
# images that do not show their caption, bias, and cost {cite:p}`tian2023`.
#
# ## How much a caption tells
#
# What a grouping by captions can tell about the classes is their mutual information, from the shares $p(c, y)$ of images with caption $c$ and class $y$:
#
# $$I(c; y) = \sum_{c, y} p(c, y) \log_2 \frac{p(c, y)}{p(c)\,p(y)}.$$

# %%
import torch

from synthlearn.text2image import mutual_information

images, captions = sl.book.pages.captions.mosaics(p).real()
shape = len(captions.texts), len(images.classes)
joint = torch.zeros(shape, dtype=torch.double)
for caption, label in zip(captions.ids, images.labels, strict=True):
    joint[caption, label] += 1 / len(images.labels)
apart = joint.sum(1, keepdim=True) * joint.sum(0)  # p(c) p(y)
there = joint > 0
bits = (joint[there] * (joint[there] / apart[there]).log2()).sum()

library, bias = mutual_information(captions.ids, images.labels)
assert abs(bits - library) < 1e-9

# %% [markdown]
# An estimate from few images is too high; `bias` is what shuffled captions seem to tell.
#
# ## Result
#
# Ten thousand mosaics in all, of 50, 200 or 500 captions. Mosaics are cheaper than samples of the learned model, so there are more of these runs; no
# verdict on a claim of the paper rests on them.

# %% tags=["hide-input"]
LINES = {
    "StableRep+": {50: "mosaic-named.plus", 500: "mosaic-named.captions500_plus"},
    "StableRep": {
        50: "mosaic-named.stablerep",
        200: "mosaic-named.captions200",
        500: "mosaic-named.captions500",
    },
    "SimCLR": {50: "mosaic-named", 500: "mosaic-named.captions500_simclr"},
}
sl.book.along(runs, p, "captions", LINES)

# %% tags=["hide-input"]
MODELS = (
    "learned.stablerep_w2",
    "learned-500.stablerep",
    "learned-500.stablerep_m2",
    *LINES["StableRep"].values(),
    "mosaic-named.n1000",
)
sl.book.variants(runs, p, *MODELS, against="mosaic-named.stablerep")

# %% [markdown]
# The table's last line has twenty images of each caption in place of two hundred, seen ten times as often.
#
# **Rare classes.** A linear classifier gets ten classes of 1,000, 599 … 10 real images. Its features are those of an encoder of
# [dead leaves](01_dead_leaves.ipynb), which has seen no real image. The table has a line for each way to train it: on these images (*as it is*), or with
# every class filled up to the largest. It is filled up with the same images again (*repeated*), with random views of them (*varied*), or with *mosaics* of them. *Mosaics of all* are made of a
# thousand real images of each class that the classifier does not get. *Samples* are those of the
# [trained network](30_text_to_image.ipynb) at $w = 3$, which has learned from the same thousands. *Balanced* has as many real images in all, equally many of each class.

# %% tags=["hide-input"]
sl.book.pages.limits.rare_table(rare)

# %% [markdown]
# Compare *mosaics* with *varied*: both make more of a rare class's own few images and add no other knowledge. Compare *mosaics of all* and *samples* with
# *balanced*: two models that have seen a thousand images of each class, and a quarter of those images themselves. Compare the head of every line with *balanced*, not with *as it is*: here
# every line that gains on rare classes loses on the common ones.

# %% tags=["hide-input"]
BATCH = {
    2: "mosaic-named.captions500_m2",
    5: "mosaic-named.captions500_m5",
    10: "mosaic-named.captions500",
}
COSTS = ("learned", "learned.w2", "mosaic-named", "mosaic-named.w2", "gaussian-named")
measured = sl.study.measured("guidance", p)
sl.book.join(
    sl.book.folded(
        "Images of a caption in a batch: m of each of 500/m captions",
        sl.book.along(runs, p, "images of a caption in a batch, m", {"StableRep": BATCH}),
    ),
    sl.book.folded("What images cost", sl.book.pages.limits.costs(sl.book.chosen(runs, p, *COSTS))),
    sl.book.folded(
        "Mismatch and bias: do samples show what their caption names, and which classes lose?",
        sl.book.pages.guidance.fidelity_table(
            {
                name: measured[name]
                for name in ("learned", "mosaic-named", "gaussian-named")
                if name in measured
            },
            p,
        ),
        sl.book.pages.limits.classes_figure(runs, p, "mosaic-named", "real.simclr_sharp"),
    ),
)

# %% [markdown]
# The authors made a hundred million images {cite:p}`tian2023`; at their speed that is about 22,000 hours of an A100, many times the training
# ([the sum](95_scale.ipynb)).
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("34_captions")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.compare(
        runs.get("mosaic-named.n1000"),
        fifty,
        "a tenth of the mosaics, seen ten times as often,",
        "all of them",
        where="with StableRep on 50 captions, ",
    ),
    sl.book.compare(
        runs.get("mosaic-named.captions500_plus"),
        many,
        "their words (StableRep+)",
        "the grouping alone (StableRep)",
        where="with 500 captions, ",
    ),
    "Images made of a class's few real images recombine them; they add nothing that is known from elsewhere",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/34_captions.ipynb out.ipynb -p epochs 8
# python -m synthlearn measure --profile smoke --what long_tail
# ```
#
# One knob: `number` of `sl.data.source("mosaic", number=500, …)`. Expect captions whose images look alike.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# How many bits does a caption tell at most about ten equally large classes? And a caption that only says "animal" or "vehicle", for six and four of them?
# :::

# %% tags=["hide-cell", "solution"]
labels = torch.arange(10).repeat(100)
two = (labels < 6).long()
for name, ids in {"the class": labels, "animal or vehicle": two}.items():
    print(f"{name}: {mutual_information(ids, labels)[0]:.2f} bits")
assert abs(mutual_information(labels, labels)[0] - torch.tensor(10.0).log2()) < 1e-6

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Why is the estimate biased? Draw captions at random for 1,000 images, once 50 and once 500 different ones. How many bits do they seem to tell?
# :::

# %% tags=["hide-cell", "solution"]
draw = torch.Generator().manual_seed(0)
seem = [mutual_information(torch.randint(n, (1000,), generator=draw), labels)[0] for n in (50, 500)]
print(f"50 captions: {seem[0]:.2f} bits, 500: {seem[1]:.2f}, of nothing")
assert seem[0] < seem[1]

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# A batch has 500 views. How many positive pairs does it hold with 2, 5 and 10 images of each caption, and how many other pairs?
# :::

# %% tags=["hide-cell", "solution"]
for m in (2, 5, 10):
    positive = 500 * (m - 1) // 2
    print(f"m = {m:2}: {positive:5,} positive pairs, {500 * 499 // 2 - positive:,} others")

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
