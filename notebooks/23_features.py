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
# # What the features look like
#
# *What do encoders trained on noise look for, and which views taught them to?*

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
runs = sl.study.chapter("23_features", p)
LEAVES, MILD = "dead_leaves-mixed", "dead_leaves-mixed.mild"
views = {**runs, MILD: sl.book.baseline(p, MILD)}
leaves, real = (sl.book.baseline(p, name) for name in (LEAVES, "real"))
pairs = sl.book.pairs(
    p,
    {
        "leaves: no jitter": (f"{LEAVES}.no_jitter", LEAVES),
        "leaves: mild jitter": (MILD, LEAVES),
        "leaves: smaller crops": (f"{LEAVES}.small_crops", LEAVES),
        "real: no jitter": ("real.no_jitter", "real"),
        "real: mild jitter": ("real.mild", "real"),
    },
)
none, ON = f"{LEAVES}.no_jitter", "on dead leaves, "
sl.book.in_short(
    sl.book.compare(views.get(none), leaves, "no colour jitter", "the paper's", where=ON),
    sl.book.compare(
        views.get("real.mild"), real, "mild jitter", "the paper's", where="on real images, "
    ),
    sl.book.tell_apart(pairs, "of the study's views with others"),
)

# %% tags=["hide-input"]
NAMES = ("random", "noise-white", LEAVES, "fractals-sigma", "stat-spectrum_color", "real")
sl.book.first_layer({name: sl.book.baseline(p, name) for name in NAMES})

# %% [markdown]
# These are the filters that see the image first, after training. Untrained filters are noise. Trained ones show edges and pairs of colours, but for those of
# white noise, which has neither and leaves them nearly as they were.
#
# ## Why it might work
#
# The noise paper shows images that excite single units of its encoders: textures and parts of things, for noise as for photographs
# {cite:p}`baradad2021`. How can noise teach that? Because the lesson is not in the images alone. Two *views* of an image are random crops with
# random colours, and they must get alike features. Whatever a view changes, the encoder learns to ignore.
#
# If colours do not change between views, comparing colours is enough to recognise an image, and nothing else needs to be learned. If they change too
# much, colour is thrown away, and a classifier may miss it later.
#
# ## How a view is made
#
# A view is $v = (t_\text{grey} \circ t_\text{colour} \circ t_\text{crop})(x)$. The crop covers a share of the area drawn uniformly between a least one and 1. Colour
# is four steps in random order, with factors
#
# $$b, c, s \sim \mathcal U(1 - j, 1 + j), \qquad h \sim \mathcal U(-\eta, \eta),$$
#
# for brightness, contrast, saturation and hue, whose circle has length 1. One view in five is grey. In code, against the library:

# %%
import torch

from synthlearn.core import rng
from synthlearn.core.augment import Augmentation, jitter, resized_crop
from synthlearn.core.image import MEAN, STD, luma

images = sl.generator(LEAVES).sample(range(8), size=48)
keys = rng.key("views", torch.arange(8))
law = Augmentation(crop=32, scale_min=0.2, jitter=0.4, hue=0.4)
draw = law.parameters(keys, 48, 48)  # what happens to each image

box = (draw.top, draw.left, draw.height, draw.width)
x = resized_crop(images, *box, draw.flip, 32)
x = jitter(x, draw.factors, draw.order)
x = torch.where(draw.grey[:, None, None, None], luma(x), x)
x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
assert torch.allclose(x, law(images, keys), atol=1e-6)

# %% tags=["hide-input"]
sl.book.rows(
    sl.book.pages.views.of_each_law(sl.generator(LEAVES).sample([4, 4, 4, 4, 9, 9, 9, 9], size=96)),
    alt="Four views each of two images of dead leaves",
    caption="Views of two images, with the same crops in each row. With the paper's jitter two views share shapes but not colours.",
)

# %% [markdown]
# ## What deeper units look for
#
# An image climbs the activation of one unit, averaged over space {cite:p}`olah2017`, as the [feature visualisations](05_feature_vis.ipynb) are made. The
# units are the first eight of the third and of the fifth convolution: chosen by number, not by look.

# %% tags=["hide-input"]
sheets = sl.book.unit_sheets(NAMES, ("conv3", "conv5"), p)
sheets["conv3"]

# %% tags=["hide-input"]
sheets["conv5"]

# %% [markdown]
# These are images, not measurements: look whether the trained rows of a sheet differ from each other as much as from the first, which is untrained.
#
# ## Result
#
# Each kind of view trains the same encoder on the same images. *Mild* is the jitter of SimCLR's authors, with a quarter of the shift of hue and on
# four views of five; *smaller crops* begin at a twelfth of the area instead of a fifth.

# %% tags=["hide-input"]
sl.book.differences_figure(
    pairs,
    "Other views minus the study's, on the same images. Left of zero: worse.",
)

# %% tags=["hide-input"]
sl.book.ablation(views, p)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("23_features")

# %% [markdown]
# On the views:

# %% tags=["hide-input"]
sl.book.differences(pairs)

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.tell_apart(pairs, "of the study's views with others"),
    sl.book.compare(views.get(none), leaves, "no colour jitter", "the paper's", where=ON),
    "The views are half of the lesson: which source teaches most may depend on them, and this book asks it with the noise paper's",
)

# %% [markdown]
# ## Try it
#
# ```bash
# python -m synthlearn pretrain --generator dead_leaves-mixed --set jitter_p=0.0 --out encoder.safetensors
# papermill notebooks/23_features.ipynb out.ipynb -p epochs 20
# ```
#
# One knob: `jitter_p`, the share of views whose colours change. At 0 expect the loss to fall at once: colour alone tells images apart.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Can colours alone solve the task? Take two views of each of 64 images, describe a view by its mean colour, and count how often the nearest second
# view is of the same image: without jitter, and with the paper's.
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.measure.properties import coherence, two_views

many = sl.generator("stat-spectrum_color").sample(range(64), size=48)
share = {}
for name, probability in (("no jitter", 0.0), ("the paper's jitter", 1.0)):
    both = two_views(many, Augmentation(crop=32, jitter_p=probability, grey_p=0.0))
    share[name] = coherence(*(view.mean((2, 3)) for view in both))[1]
    print(f"{name}: {share[name]:.0%} of first views find their partner; by chance {1 / 64:.0%}")
assert share["no jitter"] > share["the paper's jitter"]

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Hue shifts are uniform on $[-\eta, \eta]$ turns. At which $\eta$ does a view say nothing about the hue of its image? What does the paper's value leave?
# :::

# %% tags=["hide-cell", "solution"]
from math import log2

for eta in (0.1, 0.25, 0.4, 0.5):  # uniform on an arc of 2η turns
    print(f"η = {eta:<4g} leaves {log2(1 / (2 * eta)):.2f} bits about the hue")
assert log2(2 * 0.5) == 0  # the whole circle

# %% tags=["hide-input"]
sl.book.provenance(p, views)
