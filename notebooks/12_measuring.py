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
# # Measuring
#
# *What does a probe measure, and does its answer hold with only a few examples of a class?*

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
devices, units = sl.book.pages.devices, sl.study.units
few = sl.study.measured("few_shot", p)
NOISE, TITLE = "dead_leaves-mixed", "dead leaves"
if "stylegan-oriented" in few:
    NOISE, TITLE = "stylegan-oriented", "oriented StyleGANs"
shots = {
    f"{n} example{'s' * (n != '1')} of each class": units.part(few, n) for n in units.parts(few)
}
first, last = (list(shots)[at] for at in (0, -1))
sl.book.in_short(
    *(
        sl.book.in_words(
            shots[name].apart(NOISE, "random"),
            TITLE,
            "the untrained encoder",
            where=f"with {name}, ",
        )
        for name in (first, last)
    ),
    devices.apart_in_words(),
    unsure="how far encoders lie apart here: one of each was measured, and their spread is taken from the main probe",
)

# %% tags=["hide-input"]
devices.classifiers_figure()

# %% [markdown]
# ## Why it might matter
#
# Each number of this book is the top-1 accuracy of a simple classifier on an encoder's frozen features. It asks whether classes lie apart *in a simple
# way*; it does not ask what else the features hold. And it sees thousands of labels. Someone with five labelled images of each class wants to know
# something else.
#
# A difference also has to be told from chance. A run made again, with another seed (the number that decides everything random) or on another machine,
# gives another accuracy.
#
# ## How a probe works
#
# Let $f(x)$ be the features of image $x$ (the layer fc6, after its ReLU), standardised. The study's **linear probe** minimises over $n$ labelled images
#
# $$\frac{1}{n} \sum_{i=1}^{n} -\log \frac{e^{w_{y_i} \cdot f(x_i)}}{\sum_c e^{w_c \cdot f(x_i)}} + \lambda\, \|w\|^2,$$
#
# with the $\lambda$ that does best on a part of them held back. With few examples there is nothing to hold back. Up to five of each class, the **nearest mean**
# decides,
#
# $$\hat y(x) = \operatorname{argmax}_c \; \cos\left(f(x),\ m_c\right),$$
#
# $$m_c = \frac{1}{|S_c|} \sum_{i \in S_c} \frac{f(x_i)}{\|f(x_i)\|},$$
#
# where $S_c$ are the examples of class $c$. Beyond five, ridge regression does. In code, against the library:

# %%
import torch
from torch.nn.functional import normalize

from synthlearn.core import rng
from synthlearn.measure.few_shot import examples, nearest_mean

labels = torch.arange(300) % 3
features = rng.normal(rng.key("features", 0), (300, 16))
features[:, :3] += 2 * torch.eye(3)[labels]  # a direction for each class

few_ones = examples(labels, 5, seed=0, draw=0)  # five of each, by lot
unit, of = normalize(features[few_ones], dim=1), labels[few_ones]
means = torch.stack([unit[of == c].mean(0) for c in range(3)])
answer = (normalize(features, dim=1) @ normalize(means, dim=1).T).argmax(1)
assert torch.equal(answer, nearest_mean(features[few_ones], of, features, 3))
print(f"{(answer == labels).double().mean():.0%} right with five examples")

# %% [markdown]
# ## Result
#
# Means over twenty draws of examples, the same draws for all encoders.

# %% tags=["hide-input"]
MAIN = ("random", "dead_leaves-mixed", "fractals-sigma", "stylegan-oriented", "real")
sl.book.lines_figure(few, "examples per class", f"Accuracy on {p.data} from few examples.", MAIN)

# %% tags=["hide-input"]
sl.book.parts_table(few, "Columns: examples per class. Top-1 in per cent, mean over twenty draws.")

# %% [markdown]
# ## How far to trust one run
#
# Many runs of this study were made on a CPU and again on a GPU: the same images, weights at the start, order and views. Only the last bits of
# sums differ, and training magnifies them.

# %% tags=["hide-input"]
sl.book.join(
    devices.device_table(),
    sl.book.folded("Each pair of runs", devices.device_figure()),
)

# %% [markdown]
# Compare the second line with the third. Where rounding moves a result as far as another seed does, no list of seeds makes a number
# repeatable on another machine. So this book counts such *twins* as further runs, and pairs no runs by their seeds: its intervals are over runs and test
# images, and include this spread. (Making images magnifies rounding too where it is a long calculation: most sets agree to a level of grey, but feature
# visualisations come out visibly different.)
#
# ## Verdict

# %% tags=["hide-input"]
pairs = sl.book.measured_pairs(
    {name: shots[name] for name in (first, last)},
    {f"{TITLE} − untrained": (NOISE, "random"), f"real images − {TITLE}": ("real", NOISE)},
)
sl.book.differences(pairs)

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.tell_apart(pairs, "with the fewest and the most examples"),
    f"{devices.apart_in_words()}; two single runs as near to each other as that cannot be told apart",
    "With few examples of a class the same question is asked with more noise, so small differences go unseen",
)

# %% [markdown]
# Other [tasks](14_transfer.ipynb), other [layers, and fine-tuning](15_layers.ipynb) have pages of their own.
#
# ## Try it
#
# The probe takes any encoder file of this project, the authors' released encoders (`.pth`, read without running code), and any timm model.
#
# ```bash
# python -m synthlearn probe --encoder random --data digits
# python -m synthlearn measure --profile smoke --what few_shot
# ```
#
# One knob: `--encoder`. Expect an untrained encoder to be far above chance: random filters keep much of what tells images apart.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# How many test images does it take to know an accuracy of one half within half a point, in 95 of 100 trials? Compute it, then simulate.
# :::

# %% tags=["hide-cell", "solution"]
needed = round(0.5 * 0.5 * (1.96 / 0.005) ** 2)
coins = torch.rand((200, needed), generator=torch.Generator().manual_seed(0)) < 0.5
within = ((coins.double().mean(1) - 0.5).abs() < 0.005).double().mean()
print(f"{needed:,} images; {within:.0%} of 200 trials lie within half a point")
assert 0.9 < within < 0.99

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Turn all features by a rotation, then stretch each by a factor of its own. Which change alters the answers of the nearest mean, and which those of ridge
# regression on standardised features?
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.measure.few_shot import ridge

turn = torch.linalg.qr(rng.normal(rng.key("turn", 0), (16, 16)))[0]
stretch = torch.linspace(0.2, 5, 16)
changed = {"turned": features @ turn, "stretched": features * stretch}
same = {}
for classify in (nearest_mean, ridge):
    before = classify(features[few_ones], of, features, 3)
    for name, z in changed.items():
        share = (classify(z[few_ones], of, z, 3) == before).double().mean()
        same[classify.__name__, name] = float(share)
        print(f"{classify.__name__}, {name}: {share:.0%} of the answers stay")
assert same["nearest_mean", "turned"] > 0.99 > same["nearest_mean", "stretched"]
assert same["ridge", "stretched"] > 0.99 > same["ridge", "turned"]

# %% tags=["hide-input"]
sl.book.provenance(p, few)
