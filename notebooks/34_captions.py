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
# A text-to-image model can draw many pictures of few captions, or few of many. **How should a budget of pictures be spent, can synthetic
# pictures help rare classes, and what do the limits that the authors name {cite:p}`tian2023` amount to here?**

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

# %% [markdown]
# ## Few captions or many
#
# Two [learned models](30_text_to_image), one told fifty captions and one five hundred, both at guidance 2:

# %% tags=["hide-input"]
runs |= sl.study.chapter("31_stablerep", p) | sl.study.chapter("32_guidance", p)
MODELS = ("learned.w2", "learned.stablerep_w2", "learned-500", "learned-500.stablerep")
sl.book.ablation(
    sl.book.chosen(runs, p, *MODELS, "learned-500.stablerep_m2"), p, against="learned.stablerep_w2"
)

# %% [markdown]
# More points are at hand for [patch mosaics](30_text_to_image), which no verdict rests on.
#
# Ten thousand pictures in all, so more captions mean fewer pictures of each, made of fewer real images: the two cannot be told apart.

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
rows = [name for line in LINES.values() for name in line.values()]
sl.book.ablation(sl.book.chosen(runs, p, *rows), p, against="mosaic-named.stablerep")

# %% [markdown]
# With five hundred captions a group has twenty pictures, made of about twenty photographs; what the grouping no longer says, words can still say.
#
# ## Pictures of a caption in a batch
#
# At 500 views in a batch, *m* pictures of each of 500/*m* captions, five hundred captions in all:

# %% tags=["hide-input"]
batch = {
    2: "mosaic-named.captions500_m2",
    5: "mosaic-named.captions500_m5",
    10: "mosaic-named.captions500",
}
sl.book.along(runs, p, "pictures of a caption in a batch, m", {"StableRep": batch})

# %% [markdown]
# ## A tenth of the pictures
#
# Twenty pictures of each of the fifty captions in place of two hundred, seen ten times as often:

# %% tags=["hide-input"]
few = sl.book.chosen(runs, p, "mosaic-named.stablerep", "mosaic-named.n1000")
sl.book.ablation(few, p, against="mosaic-named.stablerep")

# %% [markdown]
# ## What pictures cost
#
# The authors made a hundred million pictures {cite:p}`tian2023`; at their speed that is about 22,000 hours of an A100, many times the training
# ([the sum](95_scale)). Here:

# %% tags=["hide-input"]
sl.book.pages.limits.costs(
    sl.book.chosen(
        runs,
        p,
        "learned",
        "learned.w2",
        "mosaic-named",
        "mosaic-named.w2",
        "gaussian-named",
    )
)

# %% [markdown]
# ## Mismatch and bias
#
# Whether samples show what their caption names, beside photographs; whether the classes that they seem to show are unequal; and which classes
# lose if the encoder has seen mosaics rather than the photographs.

# %% tags=["hide-input"]
measured = sl.study.measured("guidance", p)
sl.book.pages.guidance.fidelity_table(
    {
        name: records
        for name, records in measured.items()
        if name in ("learned", "mosaic-named", "gaussian-named")
    }
)

# %% tags=["hide-input"]
sl.book.pages.limits.classes_figure(runs, p, "mosaic-named", "real.simclr_sharp")

# %% [markdown]
# ## Rare classes
#
# Ten classes of 1,000, 599 … 10 photographs; a linear classifier on features that have never seen one (of [dead leaves](01_dead_leaves)).
# Rare classes are filled up to the largest: by *repeating* their photographs, by random *views* of them, by *mosaics* of them; *mosaics of all*
# are made of a thousand photographs of each class that the classifier does not get; *balanced* has as many photographs in all, equally many of
# each class.

# %% tags=["hide-input"]
rare = sl.study.measured("long_tail", p)["dead_leaves-mixed"]
sl.book.pages.limits.rare_table(rare)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("34_captions")

# %% [markdown]
# Hold *mosaics* against *varied*: both make more of a rare class's own few photographs; they recombine, they do not know. Hold *mosaics of all* against
# *balanced*: a model that has seen more photographs of the class, beside those photographs themselves. And hold the head of every arm against
# *balanced*, not against the images as they are: with a linear classifier on weak features, more of the rare classes can only come at a cost to the
# common ones. The table is the distinction between the two regimes.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/34_captions.ipynb out.ipynb -p epochs 8
# python -m synthlearn measure --profile smoke --what long_tail
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
