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
# *Can opaque shapes, dropped at random, teach a network to see?*

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
runs = sl.study.chapter("01_dead_leaves", p)
plain = {name: each for name, each in runs.items() if "." not in name}
untrained = sl.book.baseline(p)
sl.book.in_short(
    sl.book.compare(plain["dead_leaves-mixed"], untrained, "dead leaves", "the untrained encoder"),
    f"That is {way}" if (way := sl.book.way(plain["dead_leaves-mixed"], p)) else "",
    sl.book.best(plain),
)

# %% tags=["hide-input"]
import torch

names = ("squares", "oriented", "mixed")
leaves = {name: sl.generator(f"dead_leaves-{name}") for name in names}
leaves["textures"] = sl.generator("dead_leaves-textures", textures=8 if p.name == "smoke" else 1000)
sl.book.rows(
    {name: source.sample(range(8), size=96) for name, source in leaves.items()},
    alt="Eight images of overlapping shapes",
    caption="The four sets: upright squares, turned squares, six mixed shapes, and turned squares filled with textures.",
)

# %% [markdown]
# ## Why it might work
#
# A dead-leaves image shows no object. Yet it has three things that photographs have: sharp **edges**, **occlusion** (one thing hides
# another), and no typical **size**. A network that is to recognise two views of such an image has to see edges and colours, and to
# ignore what moves when the view is cropped.
#
# The paper trained on 105,000 such images {cite:p}`baradad2021`. Its four sets of leaves reached 35 to 41 % on ImageNet-100; an untrained
# network reached 21 %, and one trained on photographs at least 63 %.
#
# ## How an image is made
#
# A leaf's radius $r$ is drawn from the density
#
# $$p(r) \propto r^{-3} - 1, \qquad 0.03 \le r \le 1,$$
#
# in units of the image's side. A leaf covers an area of about $r^2$, so leaves of every size cover about the same area in total: no
# size is typical. Centres and colours are uniform. Leaves fall on top of each other until no pixel is bare, and this takes some 1,300
# of them.
#
# The painter's law in a short loop: a later leaf hides an earlier one. Leaves come as *spans*: which leaf, in which row of pixels, from
# where to where. The library paints the same spans, so the two can be compared pixel by pixel.

# %%
from synthlearn.generators import dead_leaves as dl

size, key = 96, leaves["mixed"].keys([4])
_, leaf, row, left, right = dl.leaf_spans(key, "mixed", size, 2048)
scene = torch.full((size, size), -1)  # the leaf that shows; −1: bare ground
for number in range(2048):
    for i in (leaf == number).nonzero().flatten():
        scene[row[i], left[i] : right[i] + 1] = number
    if (scene >= 0).all():  # no pixel is bare
        break

library, _ = dl.cover(key, "mixed", size)
assert torch.equal(scene, library[0].long())

# %% [markdown]
# The loop takes about a second for one image. The library paints whole batches at once: for each pixel it asks for the *last* leaf that
# covers it. The
# [page of laws](81_laws_dead_leaves.ipynb) shows that counts, sizes, edges and spectra agree with the authors' code.

# %% tags=["hide-input"]
_, painted = dl.cover(key, "mixed", 128)
stages = {
    f"{n:,} leaves": dl.leaf_colours(key, dl.cover(key, "mixed", 128, n)[0])[0]
    for n in (10, 30, 100, 300, 1000, int(painted))
}
sl.book.slider(
    stages,
    alt="One scene while leaves fall: bare black ground shrinks until shapes cover everything.",
    caption="One scene while it is painted. The last image is the finished one.",
    scale=2,
)

# %% [markdown]
# Paint your own. The exponent is the knob to turn first: below 3 a few large leaves hide everything, above it the scene is dust.

# %% tags=["hide-input"]
sl.book.pages.live.leaves()

# %% [markdown]
# ## What the network learns from it
#
# Each set trains the same small AlexNet. Two random views of an image should get similar features (*align*), and the features of all
# images should spread over the sphere (*uniform*) {cite:p}`wang2020`; [the page on losses](10_align_uniform.ipynb) has both formulas. No label and
# no photograph is used.

# %% tags=["hide-input"]
sl.book.training(plain)

# %% tags=["hide-input"]
sl.book.first_layer({**plain, "random": untrained})

# %% [markdown]
# Trained filters show edges and pairs of colours; untrained ones are noise.
#
# ## Result
#
# The encoder is frozen. A linear classifier on its features (fc6) learns to name real images.

# %% tags=["hide-input"]
sl.book.accuracy_figure(plain, p)

# %% tags=["hide-input"]
sl.book.results(plain, p)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("01_dead_leaves")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.compare(
        plain["dead_leaves-squares"], plain["dead_leaves-mixed"], "squares alone", "six shapes"
    ),
    sl.book.compare(
        plain["dead_leaves-textures"], plain["dead_leaves-oriented"], "textured leaves", "flat ones"
    ),
    "The paper's order is the opposite, with textures first and mixed shapes above squares; with 400 updates of a small network we cannot say whether its size or the length of training is why"
    if p.is_study
    else "",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/01_dead_leaves.ipynb out.ipynb -p epochs 20
# python -m synthlearn generate --generator dead_leaves-mixed --n 100 --out leaves
# python -m synthlearn generate --generator dead_leaves-mixed --option shape=circle --n 100 --out circles
# ```
#
# The first line runs this chapter, small, for about a minute; the others write PNG files below `leaves/train` and `circles/train`.
# One knob: `shape` (from Python `sl.generator("dead_leaves-mixed", shape="circle")`). Expect rounder edges, and no corner for the first layer to find.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# What does the exponent 3 do? Compute how much of the painted area falls to leaves of each octave of radius (0.03–0.06, 0.06–0.12 …)
# under exponents 2, 3 and 4. First predict which of them spreads it most evenly.
# :::

# %% tags=["hide-cell", "solution"]
edges = torch.tensor([0.03, 0.06, 0.12, 0.24, 0.48])
for exponent in (2, 3, 4):
    radius, probability = dl.radius_grid(exponent)
    area = probability * radius**2
    shares = [area[(radius >= low) & (radius < 2 * low)].sum() / area.sum() for low in edges]
    print(f"exponent {exponent}:", " ".join(f"{share:4.0%}" for share in shares))

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Paint without occlusion: give each pixel the mean colour of *all* leaves that cover it. What is lost? Look at the differences of
# neighbouring pixels: in photographs and dead leaves most are near 0 and a few are large, so that their kurtosis is far above a Gaussian's 3.
# :::

# %% tags=["hide-cell", "solution"]
colours = torch.rand((2048, 3), generator=torch.Generator().manual_seed(0))
total, times = torch.zeros((size, size, 3)), torch.zeros((size, size, 1))
for i in range(len(leaf)):
    total[row[i], left[i] : right[i] + 1] += colours[leaf[i]]
    times[row[i], left[i] : right[i] + 1] += 1


def kurtosis(image):
    steps = image.diff(dim=1).flatten()
    return float((steps**4).mean() / (steps**2).mean() ** 2)


blended, opaque = total / times.clamp_min(1), colours[scene]
print(f"occluded: {kurtosis(opaque):.1f}; blended: {kurtosis(blended):.1f}")
assert kurtosis(opaque) > kurtosis(blended)

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Make a set of your own: leaves in shades of grey. Write it in three lines on top of `DeadLeaves`, and test the first law of all sets: an image
# does not depend on the others of its batch. [Extend](../book/extend.md) says how a set gets a name.
# :::


# %% tags=["hide-cell", "solution"]
class GreyLeaves(dl.DeadLeaves):
    def paint(self, keys, indices, size, seed):
        return super().paint(keys, indices, size, seed)[:, :1].expand(-1, 3, -1, -1)


grey = GreyLeaves("grey_leaves", dl.DeadLeavesOptions())
assert torch.equal(grey.sample([7], size=64)[0], grey.sample(range(8), size=64)[7])
sl.book.contact_sheet(
    grey.sample(range(8), size=64), alt="Eight dead-leaves images in shades of grey."
)

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
