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
# # Baselines
#
# *How far does one get with no training, with no encoder, with no structure, and with real images?*

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
runs = sl.study.chapter("07_baselines", p)
plain = {name: each for name, each in runs.items() if "." not in name}
untrained, real, white = (plain.get(name) for name in ("random", "real", "noise-white"))
sl.book.in_short(
    sl.book.compare(real, untrained, "pre-training on real images", "the untrained encoder"),
    sl.book.compare(white, untrained, "white noise", "the untrained encoder"),
    sl.book.compare(untrained, plain["raw_pixels"], "the untrained encoder", "raw pixels"),
)

# %% tags=["hide-input"]
from synthlearn.core.image import resize
from synthlearn.data.real import RealImages

names = {"white noise": "white", "Perlin noise": "perlin", "one colour": "uniform_color"}
images = {
    name: sl.generator(f"noise-{kind}").sample(range(8), size=48) for name, kind in names.items()
}
images["real images"] = resize(RealImages(p.data).sample(range(8), size=48), 48)
sl.book.rows(
    {name: sl.book.sheets.enlarge(each, 2) for name, each in images.items()},
    alt="Eight images",
    caption=f"What the trained baselines see: independent pixels; smooth noise without edges; a single colour; training images of {p.data}, their labels hidden.",
)

# %% [markdown]
# ## Why these baselines
#
# An accuracy means little alone. Every chapter measures a set of images by how far it goes between two marks:
#
# * the **untrained encoder**, the floor: the same network with the weights that it starts from. Random filters keep much of an image, and a good
#   classifier makes use of that;
# * **real images**, the upper mark: the same training on the classifier's own training images, without their labels.
#
# Below the floor lie classifiers *without* an encoder, on the raw pixels or on the mean colour alone. And three sets have *almost no structure*: if
# they taught as much as others, structure would not matter.
#
# In the paper, mean colours reached 5 % on ImageNet-100, raw pixels 9 %, the untrained network 21 %, Places 55 % and ImageNet-100's own images at least 63 %, where its
# figure ends {cite:p}`baradad2021`.
#
# ## How an accuracy is made
#
# The encoder is frozen. On its features $h_i$ of training image $i$, standardised, and the label $y_i$, a linear classifier minimises
#
# $$-\frac1n \sum_{i} \log \operatorname{softmax}(W h_i + b)_{y_i} + \frac{\lambda}{2} \lVert W \rVert^2.$$
#
# The problem is convex, so it has one solution, and no learning rate can flatter a set. The strength $\lambda$ is chosen on a fifth of the *training*
# images. Take the simplest features, the three numbers of the mean colour, standardised:

# %%
import torch
from torch.nn import functional

from synthlearn.measure import probe
from synthlearn.study import assembly

train, test = assembly.probe_data(p)
classes = len(test.classes)
x, x_test = (probe.mean_colours(each.images) for each in (train, test))
h, h_test = ((each - x.mean(0)) / x.std(0) for each in (x, x_test))

# %% [markdown]
# The classifier in plain PyTorch, at one strength, against the library's:

# %%
weights = torch.zeros((3, classes), requires_grad=True)
bias = torch.zeros(classes, requires_grad=True)
search = {"max_iter": 200, "line_search_fn": "strong_wolfe"}
solver = torch.optim.LBFGS([weights, bias], **search)


def objective(l2=1e-3):
    solver.zero_grad()
    loss = functional.cross_entropy(h @ weights + bias, train.labels)
    loss = loss + l2 / 2 * weights.square().sum()
    loss.backward()
    return loss


solver.step(objective)
top1 = ((h_test @ weights + bias).argmax(1) == test.labels).double().mean()
library = probe.linear(x, train.labels, x_test, test.labels, classes, l2=1e-3)
assert abs(top1 - library.top1) < 0.003
print(f"top-1 from the mean colour: {top1:.1%}; chance {1 / classes:.0%}")

# %% [markdown]
# ## What the network learns
#
# Three sets of noise and the real images train the same network, as in every chapter.

# %% tags=["hide-input"]
sl.book.training(plain)

# %% tags=["hide-input"]
sl.book.first_layer(plain)

# %% [markdown]
# ## Result
#
# The encoder is frozen, and a linear classifier on its features (fc6) names real images. Pixels and mean colours
# go to the classifier as they are.

# %% tags=["hide-input"]
sl.book.accuracy_figure(plain, p)

# %% tags=["hide-input"]
sl.book.results(plain, p)

# %% [markdown]
# *ImageNet classifier, the ceiling* is not ours, and is there only if its package is: EfficientNet-Lite0 {cite:p}`tan2019`, trained elsewhere on 1.3 million labelled
# photographs, reads the same images at 224 pixels. It is **the ceiling under this probe**, not a rival.
#
# Do the settings decide? They are the same for all sets. One check: SimCLR's milder colour changes (hue 0.1 instead of the paper's 0.4, on 80 % of
# the views). [The page on views](23_features.ipynb) has more.

# %% tags=["hide-input"]
sl.book.folded(
    "Dead leaves under milder colour changes",
    sl.book.sensitivity(p, ("dead_leaves-mixed",), "mild"),
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("07_baselines")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "The floor is not zero: "
    + sl.book.compare(untrained, plain["mean_colours"], "the untrained encoder", "the mean colour"),
    "Training alone is not enough: "
    + sl.book.compare(
        plain.get("noise-uniform_color"), untrained, "training on single colours", "no training"
    )
    if "noise-uniform_color" in plain
    else "",
    f"The yardstick of all other chapters: real images teach {sl.book.points(real.difference(untrained))} points more than no training"
    if real
    else "",
)

# %% [markdown]
# ## Try it
#
# ```bash
# python -m synthlearn probe --encoder random --data digits
# papermill notebooks/07_baselines.ipynb out.ipynb -p width 0.25
# ```
#
# One knob: the `width` of the network. Expect a wider untrained encoder to do better, as it has more random features.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Shuffle the pixels of all images, training and test, in one and the same order. What happens to a linear classifier on raw pixels, and to
# one on the mean colour? Predict first.
# :::

# %% tags=["hide-cell", "solution"]
some, others = (slice(0, None, max(1, len(each) // 1000)) for each in (train, test))
x, x_test = probe.raw_pixels(train.images[some], 8), probe.raw_pixels(test.images[others], 8)
y, y_test = train.labels[some], test.labels[others]
order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(0))
plainly, shuffled = (
    probe.linear(x[:, i], y, x_test[:, i], y_test, classes, l2=1e-2).top1
    for i in (torch.arange(len(order)), order)
)
print(f"pixels in order {plainly:.1%}, shuffled {shuffled:.1%}: the classifier knows no neighbours")
assert abs(plainly - shuffled) < 0.01

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Plot (or print) accuracy against $\lambda$ for raw pixels of 8 × 8, on the test images and on the training images. Which strength fits best, and why
# must it not be chosen on the test images?
# :::

# %% tags=["hide-cell", "solution"]
both, truth = torch.cat((x, x_test)), torch.cat((y, y_test))
for l2 in (10.0, 1.0, 1e-1, 1e-2, 1e-3):
    right = probe.linear(x, y, both, truth, classes, l2=l2).correct.double()
    on_train, on_test = right[: len(x)].mean(), right[len(x) :].mean()
    print(f"λ = {l2:g}: training images {on_train:.1%}, test images {on_test:.1%}")

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
