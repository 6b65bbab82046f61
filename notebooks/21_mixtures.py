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
# # Mixtures
#
# *Does a mixture of several sets teach more than the best of them alone?*

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
runs = sl.study.chapter("21_mixtures", p)
MIXTURE = "mixture-four"
PARTS = ("dead_leaves-mixed", "stat-spectrum_color", "stylegan-oriented", "fractals-sigma")
parts = {name: sl.book.baseline(p, name) for name in PARTS}
mixture = runs.get(MIXTURE) or sl.book.baseline(p, MIXTURE)
best = max(parts.values(), key=lambda each: each.accuracy().mean)
rival = f"the best of its parts ({best.row.title})"
sl.book.in_short(
    sl.book.compare(mixture, best, "the mixture", rival),
    f"The mixture goes {way}" if (way := sl.book.way(mixture, p)) else "",
    sl.book.best({MIXTURE: mixture, **parts}),
)

# %% tags=["hide-input"]
titles = dict(zip(PARTS, ("dead leaves", "spectra", "StyleGANs", "fractals"), strict=True))
images = {titles[name]: sl.generator(name).sample(range(8), size=96) for name in PARTS}
source = sl.generator("mixture", parts=dict.fromkeys(PARTS, 1))
sl.book.rows(
    {**images, "the mixture": source.sample(range(8), size=96)},
    alt="Eight images of a set",
    caption="The four parts and their mixture. Each image of the mixture is the image of one part in the same column.",
)

# %% [markdown]
# ## Why it might work
#
# Sets differ in what they show. Dead leaves have sharp edges, spectra have clouds, StyleGANs smooth textures, fractals repeat themselves at every size. If
# sets teach different things, images of several might teach more than as many images of one.
#
# It might also fail. A mixture shows each part for only a quarter of the time, and the loss pushes the features of *all* images apart. Images of two
# families are easy to tell apart, so a mixture gives the encoder easier work than a single set does.
#
# The noise paper reports in words that mixing helps {cite:p}`baradad2021`; its public texts have no number.
#
# ## How an image is drawn
#
# Image $j$ of a mixture is image $j$ of one of its parts $g_1, \dots, g_n$, chosen by lot with the weights $w$:
#
# $$x_j = g_{c(j)}(j), \qquad P\left(c(j) = i\right) = \frac{w_i}{w_1 + \dots + w_n}.$$
#
# Our four parts have equal weights. The same in code, against the library:

# %%
import torch

from synthlearn.core import rng

makers = [sl.generator(name) for name in PARTS]
weights = torch.ones(4)
edges = weights.cumsum(0) / weights.sum()  # ¼, ½, ¾, 1
lot = rng.uniform(source.keys(range(16)))  # one number in [0, 1) for each image
choice = (lot[:, None] >= edges).sum(1)
choice = choice.tolist()
painted = [makers[c].sample([j], size=48) for j, c in enumerate(choice)]
assert torch.equal(torch.cat(painted), source.sample(range(16), size=48))

# %% [markdown]
# Mixing *within* an image is the subject of [another chapter](40_mixing.ipynb).
#
# ## What the network learns from it
#
# The mixture and each part alone train for as many updates on as many images.

# %% tags=["hide-input"]
sl.book.training({MIXTURE: mixture, **parts})

# %% [markdown]
# A mixture can look good here without teaching more: it is easier to tell a fractal from a cloud than one cloud from another.
#
# ## Result

# %% tags=["hide-input"]
pairs = sl.book.pairs(p, {f"mixture − {titles[name]}": (MIXTURE, name) for name in PARTS})
sl.book.differences_figure(pairs, "The mixture minus each part alone, at equal images and updates.")

# %% tags=["hide-input"]
sl.book.join(
    sl.book.results({MIXTURE: mixture, **parts}, p),
    sl.book.folded(
        "Parts with a quarter of the images and of the updates",
        sl.book.ablation({**runs, **parts}, p, against=MIXTURE),
    ),
)

# %% [markdown]
# The folded table has a second comparison, that of the authors at large scale: each part with as many views *per image* as in the mixture. A part then
# makes a quarter of the updates. So the mixture trains longer as well as on more varied images, and [length](24_length.ipynb) alone could
# explain its lead.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("21_mixtures")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.compare(mixture, best, "the mixture", rival),
    sl.book.tell_apart(pairs, "of the mixture with a part at equal updates"),
    "We cannot say whether a mixture pays at a longer training, where a single set may have nothing new to show",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/21_mixtures.ipynb out.ipynb -p epochs 20
# python -m synthlearn pretrain --generator mixture --option 'parts={"noise-white": 1, "dead_leaves-mixed": 3}' --out encoder.safetensors
# ```
#
# One knob: the weights. With three parts of dead leaves to one of white noise, expect the loss to fall faster: noise is easy to tell from leaves.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# The lot decides how many images a part gets. How far from 250 of 1,000 may a part of four lie? Predict the standard deviation, then count.
# :::

# %% tags=["hide-cell", "solution"]
count = torch.bincount(source.choose(source.keys(range(1000))), minlength=4)
deviation = (1000 * 0.25 * 0.75) ** 0.5
print(f"predicted: 250 ± {deviation:.0f}; counted: {count.tolist()}")
assert (count - 250).abs().max() < 4 * deviation

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Describe each image by the mean and the spread of its three colours. Show that a mixture of equal parts fills at least the average log volume of its
# parts. Why must it?
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.measure.properties import log_volume

features = []
for maker in makers:
    pixels = maker.sample(range(48), size=32).double().flatten(2) / 255
    features.append(torch.cat([pixels.mean(2), pixels.std(2)], 1))
single = [log_volume(x, ridge=1e-6) for x in features]
together = log_volume(torch.cat(features), ridge=1e-6)
print(f"parts {', '.join(f'{v:.1f}' for v in single)}; mixture {together:.1f}")
# the mixture's covariance is the mean of the parts' plus that of their means, and log det is concave
assert together > sum(single) / len(single)

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
