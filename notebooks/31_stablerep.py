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
# SimCLR makes every picture a class of its own, supervised learning makes a label a class. StableRep {cite:p}`tian2023` makes a *caption* a
# class: several pictures of it, each drawn from its own noise, are positives of each other. **Do several samples of a caption teach more
# than two views of one picture?**

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

# %% [markdown]
# ## The pictures
#
# Samples of fifty captions, two hundred of each, by a [model that has learned](30_text_to_image) from the real images that this page compares with and
# from no others; guidance is 2, as in the paper. Below, ten samples of four captions: a row is what the loss draws together.

# %% tags=["hide-input"]
sl.book.pages.captions.positives_sheet(p)

# %% [markdown]
# ## The loss
#
# For each picture, cross-entropy between a softmax over all other pictures of the batch and a uniform distribution over those of its
# caption. With embeddings $z$ of length 1, temperature $\tau$, and $P(i)$ for the other pictures of the caption of picture $i$:
#
# $$q_{ij} = \frac{\exp(z_i \cdot z_j / \tau)}{\sum_{k \ne i} \exp(z_i \cdot z_k / \tau)}, \qquad L = -\frac{1}{B} \sum_i \frac{1}{|P(i)|} \sum_{j \in P(i)} \log q_{ij}$$
#
# With two pictures per caption it is SimCLR's loss. With *m* of them it cannot fall below log(*m* − 1), since no softmax gives more
# than its share to each of *m* − 1 positives; the curves therefore show what is above the floor. The loss pushes a positive *away* if it has
# more than its share: it evens out, it does not only attract.
#
# ## Equal budgets
#
# Same number of pictures, of updates, and of views per update. SimCLR takes 250 pictures and two views of each, StableRep fifty captions with
# ten pictures each, seen once. Encoder, views, optimiser, learning rate and temperature (0.2) are the same. As in the reference, batch
# statistics are over one picture of each caption at a time.

# %% tags=["hide-input"]
runs = sl.study.chapter("31_stablerep", p) | sl.study.chapter("32_guidance", p)
CURVES = ("learned.stablerep_w2", "learned-colour.stablerep", "mosaic-named.stablerep")
sl.book.training(sl.book.chosen(runs, p, *CURVES))

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
MAIN = ("learned.w2", "learned.stablerep_w2", "real.simclr_sharp", "real.captioned", "real.supcon")
main = sl.book.chosen(runs, p, *MAIN)
sl.book.ablation_figure(main, p)

# %% tags=["hide-input"]
sl.book.ablation(main, p, against="learned.w2")

# %% [markdown]
# The last two rows are controls with equal information: the real images under the same captions, as a perfect model would give that can only repeat
# what it has seen, and the real images under their classes. They also answer whether real images, retrieved by caption, would do as well.
#
# ## Is it the captions?
#
# What each caption set tells about the class:

# %% tags=["hide-input"]
sl.book.pages.captions.captions_table(p)

# %% [markdown]
# The same loss where captions tell next to nothing about the class, by a model of its own that was told nothing else:

# %% tags=["hide-input"]
sl.book.pages.captions.pairs(runs, p, "learned-colour")

# %% [markdown]
# And what the classes themselves teach when they are told, on samples and on photographs:

# %% tags=["hide-input"]
TOLD = ("learned.supcon", "learned.supervised", "real.supcon", "real.supervised")
sl.book.ablation(sl.book.chosen(runs, p, *MAIN[:2], *TOLD), p, against="learned.w2")

# %% [markdown]
# ## Half and half
#
# Half of each caption's pictures are real images, the other half samples, at the same number of pictures:

# %% tags=["hide-input"]
HALF = ("learned.w2", "learned.half_real", "learned.stablerep_w2", "learned.stablerep_half_real")
sl.book.ablation(sl.book.chosen(runs, p, *HALF), p, against="learned.w2")

# %% [markdown]
# ## A model that knows more
#
# So far the model was made of the very images that the real arm trains on. The paper's model has seen far more than that. Here one is trained on
# all 50,000 training images of CIFAR-10 (a copy with some loss), five times what the real arm and the probe have. The last row is what the model
# itself is held against: SimCLR on all of those images. Verdicts of the two regimes are kept apart.

# %% tags=["hide-input"]
WIDE = ("learned-wide", "learned-wide.stablerep", "real.wide")
sl.book.ablation(sl.book.chosen(runs, p, *WIDE), p, against="real.simclr_sharp")

# %% [markdown]
# ## The same on mosaics
#
# [Patch mosaics](30_text_to_image) have an exact score and cost seconds, so they have had more ablations. They recombine real images and know nothing
# more, and no verdict on StableRep rests on them.

# %% tags=["hide-input"]
MOSAICS = ("mosaic-named", "mosaic-named.stablerep", "mosaic-named.shuffled")
sl.book.ablation(sl.book.chosen(runs, p, *MOSAICS), p, against="mosaic-named")

# %% tags=["hide-input"]
sl.book.pages.captions.pairs(runs, p, "mosaic-colour", "mosaic-learned")

# %% [markdown]
# How many real images do they need? StableRep on ten thousand mosaics, whatever they were made of:

# %% tags=["hide-input"]
BEHIND = {
    500: "mosaic-named.of500",
    2000: "mosaic-named.of2000",
    10_000: "mosaic-named.stablerep",
    50_000: "mosaic-wide.stablerep",
}
sl.book.along(runs, p, "real images behind the mosaics", {"StableRep": BEHIND})

# %% [markdown]
# ## Settings
#
# Longer training and the paper's downsampled views, on samples:

# %% tags=["hide-input"]
OTHER = ("learned.stablerep_w2", "learned.stablerep_long", "learned.stablerep_downsample")
sl.book.ablation(sl.book.chosen(runs, p, *OTHER), p, against="learned.stablerep_w2")

# %% [markdown]
# On mosaics, also other temperatures, and one [Gaussian](30_text_to_image) per caption in their place.

# %% tags=["hide-input"]
SETTINGS = ("long", "stablerep_long", "stablerep_cold", "stablerep_warm", "stablerep_downsample")
sl.book.ablation(
    sl.book.chosen(
        runs, p, "mosaic-named.stablerep", *(f"mosaic-named.{name}" for name in SETTINGS)
    ),
    p,
    against="mosaic-named.stablerep",
)

# %% tags=["hide-input"]
sl.book.ablation(sl.book.chosen(runs, p, "gaussian-named", "gaussian-named.stablerep"), p)

# %% [markdown]
# A small Vision Transformer with the paper's optimiser and three-layer head; its features are the class token's:

# %% tags=["hide-input"]
sl.book.ablation(
    sl.book.chosen(runs, p, "random.vit", "mosaic-named.vit", "mosaic-named.stablerep_vit"),
    p,
    against="mosaic-named.vit",
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("31_stablerep")

# %% [markdown]
# The paper's model had seen billions of images that its real arm had not, so its gain has two parts: what the model knows, and what the loss
# makes of several samples. Where the model knows nothing more than the real arm, only the second part is left, and what the captions say.
# So read three comparisons together: StableRep against SimCLR where captions name the class, the same where they name colours, and the same labels used
# directly. And mind the length: *long* rows make three times the updates.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/31_stablerep.ipynb out.ipynb -p epochs 8
# python -m synthlearn pretrain --row mosaic-named.stablerep --profile smoke --out encoder.safetensors
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
