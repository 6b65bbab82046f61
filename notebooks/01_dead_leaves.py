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
# # Dead leaves
#
# Drop opaque shapes of random size and colour on top of each other until nothing of the ground is left to see.
# Nothing in such a picture is an object. Yet it has what photographs have: edges, occlusion, and sizes without a typical scale.
# **Is that enough to teach an encoder to see?**

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

# %% [markdown]
# ## Thirty-two scenes nobody photographed
#
# One row per set: upright **squares**, turned squares (**oriented**), six **mixed** shapes, and turned squares that show **textures**, pictures of
# [all three statistics](02_statistical), instead of one colour {cite:p}`baradad2021`.

# %% tags=["hide-input"]
import torch

KINDS = ("squares", "oriented", "mixed")
leaves = {kind: sl.generator(f"dead_leaves-{kind}") for kind in KINDS}
leaves["textures"] = sl.generator("dead_leaves-textures", textures=8 if p.name == "smoke" else 1000)
sheet = torch.cat([g.sample(range(8), size=96) for g in leaves.values()])
sl.book.contact_sheet(
    sheet,
    alt="Four rows of eight pictures of overlapping shapes: squares, turned squares, mixed shapes in flat colours, and textured turned squares.",
)

# %% [markdown]
# ## How it works
#
# A leaf's radius r has a density proportional to r⁻³ − 1, from 3 % to 100 % of the picture's side: most leaves are small, a few are huge.
# Centres and colours are uniform. Painting stops at the first moment at which no pixel is bare, some 1,300 leaves later.
# The picture below is one scene after 30, 100, 300 and 1,000 leaves, and when it is done.

# %% tags=["hide-input"]
from synthlearn.generators import dead_leaves as dl

key = leaves["mixed"].keys([4])
_, painted = dl.cover(key, "mixed", 128)
stages = {
    f"{n:,} leaves": dl.leaf_colours(key, dl.cover(key, "mixed", 128, n)[0])[0]
    for n in (30, 100, 300, 1000, int(painted))
}
sl.book.labelled(
    stages,
    alt="A dead-leaves picture being painted: bare ground in black shrinks until shapes cover everything.",
)

# %% [markdown]
# The exponent is what makes the sizes: move it, and the same scene has a few large leaves or nothing but small ones.

# %% tags=["hide-input"]
alt = "One dead-leaves scene under rising exponents of its radii, from few large shapes to dust."
sl.book.slider(
    sl.book.pages.frames.exponents((1, 1.5, 2, 2.5, 3, 3.5, 4)),
    alt,
    "The law of the papers is r⁻³.",
    scale=2,
)

# %% [markdown]
# Our painter never loops over leaves. A leaf is a set of row spans; for each pixel we need the *first* leaf that covers it (the
# largest of these is the stopping time) and the *last* leaf up to then (the colour). Both are range-minimum problems, solved for a
# whole batch at once. The result equals OpenCV's painting leaf by leaf, but for ties on slanted outlines, and is tested to.
#
# Leaf counts, sizes, edges and spectra agree with the authors' code: [the page of laws](81_laws_dead_leaves) has the table.

# %% [markdown]
# ## Training
#
# Each set trains the same small AlexNet: two random views of a picture shall be close (*align*), all pictures shall spread over the
# sphere (*uniform*; {cite:t}`wang2020`). No label is used, and no photograph.

# %% tags=["hide-input"]
runs = sl.study.chapter("01_dead_leaves", p)
plain = {name: each for name, each in runs.items() if "." not in name}
sl.book.training(plain)

# %% tags=["hide-input"]
sl.book.first_layer({**plain, "random": sl.book.baseline(p)})

# %% [markdown]
# ## Result
#
# The encoder is frozen; a linear classifier on its fc6 features learns to name real images.

# %% tags=["hide-input"]
sl.book.accuracy_figure(plain, p)

# %% tags=["hide-input"]
sl.book.results(plain, p)

# %% tags=["hide-input"]
sl.book.gains(plain, p)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("01_dead_leaves")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/01_dead_leaves.ipynb out.ipynb -p epochs 20
# python -m synthlearn generate --generator dead_leaves-mixed --n 100 --out leaves
# ```
#
# One knob worth turning: `sl.generator("dead_leaves-mixed", shape="circle")`.

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
