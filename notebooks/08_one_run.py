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
# # One run, end to end
#
# *What lies between an image that nobody photographed and a number that says what it taught?*

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # whose records the first box is of; the run of this page is small in all
n_images: int = 192
epochs: int = 6
batch_size: int = 64
width: float = 0.125
data: str = "digits"  # or cifar10-20k … or a folder with train/ and test/
device: str = "cpu"  # where two ways of adding numbers can agree to the bit

# %% tags=["hide-input"]
import torch
from torch.nn.functional import cross_entropy, normalize

import synthlearn as sl
from synthlearn.core import rng
from synthlearn.learn.methods import AlignUniform
from synthlearn.learn.norms import batch_statistics_only
from synthlearn.learn.optimisation import learning_rate

p = sl.book.parameters(globals())
study = sl.book.stored(sl.book.study_profile(p))
leaves, untrained = study["dead_leaves-mixed"], study["random"]
sl.book.in_short(
    "Draw images; make two views of each; pull the views of an image together and push images apart; freeze the network; let a linear "
    "classifier on its features name real images. This page writes losses, training and classifier out in plain PyTorch",
    f"It trains for seconds. The study makes {leaves.first.updates:,} updates of a wider network: there "
    + sl.book.compare(leaves, untrained, "dead leaves", "no training"),
    sure="that these lines are what the library does: both end in the same bits",
    unsure="of what so short a run is worth",
)

# %% [markdown]
# ## 1. Draw images
#
# The images come from a program: opaque shapes, dropped until no pixel is bare ([dead leaves](01_dead_leaves.ipynb)). Image number $i$ depends
# on $i$ alone, so nothing has to be stored. `images` is a tensor of bytes: image, colour channel, row, column. (The imports are in the
# first fold; `p` holds this page's settings.)

# %%
images = sl.generator("dead_leaves-mixed").sample(range(p.n_images), size=48)

# %% tags=["hide-input"]
sl.book.contact_sheet(images[:8], alt="Eight images of shapes that overlap.")

# %% [markdown]
# ## 2. Make two views
#
# A view is a random crop, sometimes mirrored, in random colours. What two views of one image share is what the network is to see; what
# differs it must learn to ignore. Random numbers are functions of *(seed, epoch, image, view)*: no state is kept, so any step can be
# made again. A view has 3 × 32 × 32 numbers, with a mean of about 0 in each channel.

# %%
augment = sl.augment.Augmentation(crop=32, scale_min=0.2)


def two_views(indices, epoch):
    keys = rng.fold(rng.key("views", 0, epoch), indices)  # 0: the seed
    return [augment(images[indices], rng.fold(keys, view)) for view in (0, 1)]


# %% tags=["hide-input"]
mean, std = (torch.tensor(c).view(3, 1, 1) for c in sl.encoders.SmallAlexNet.normalisation)
views = two_views(torch.arange(5), epoch=0)
first, second = (((x * std + mean) * 255).clamp(0, 255).byte() for x in views)
sl.book.rows(
    {"view 1": first, "view 2": second},
    alt="Crops of five images in changed colours",
    caption="The first five images above; a column is one image. Each pixel is shown three times as large.",
    scale=3,
)

# %% [markdown]
# ## 3. Encode
#
# The encoder is a small AlexNet: five convolutions and three linear layers that end in 128 numbers. Scaled to length 1, they are a point
# on a sphere. Weights start as Gaussian noise with standard deviation 0.02. The last exercise builds it layer by layer.

# %%
encoder = sl.encoders.SmallAlexNet(p.width, input_size=32, seed=0)
encoder = encoder.to(memory_format=torch.channels_last)
print(f"{sum(w.numel() for w in encoder.parameters()):,} weights")

# %% [markdown]
# ## 4. Two losses
#
# For views $x_i$ and $y_i$ of image $i$, as points on the sphere,
#
# $$\mathcal{L}_\text{align} = \frac1n \sum_i \lVert x_i - y_i \rVert^2,$$
#
# $$\mathcal{L}_\text{uniform} = \log \frac{2}{n(n-1)} \sum_{i<j} e^{-2 \lVert x_i - x_j \rVert^2}.$$
#
# *Align* pulls the two views of an image together. *Uniform* pushes different images apart. The loss is their sum, with the mean of
# *uniform* over both views {cite:p}`wang2020`. [Losses](10_align_uniform.ipynb) shows what each does alone.


# %%
def align(x, y):
    return (x - y).square().sum(1).mean()


def uniform(x):
    return torch.pdist(x).square().mul(-2).exp().mean().log()


# %% [markdown]
# ## 5. Train
#
# Every epoch takes the images in a new order, batch by batch. The learning rate climbs for a fifth of the steps, then falls along a
# cosine to zero. One detail is easily missed: batch norm keeps running statistics for later use, and, as in the paper's code, they come
# from the first view alone.

# %%
plan = sl.train.Optimisation(p.epochs, p.batch_size, last_batch="waits")
sgd = torch.optim.SGD(encoder.parameters(), momentum=0.9, weight_decay=1e-4)
whole, losses = p.n_images // p.batch_size, []
for epoch in range(p.epochs):
    order = rng.permutation(rng.key("order", 0, epoch), p.n_images)
    for indices in order.split(p.batch_size)[:whole]:
        first, second = two_views(indices, epoch)
        x = encoder(first)
        with batch_statistics_only(encoder):
            y = encoder(second)
        loss = align(x, y) + (uniform(x) + uniform(y)) / 2
        sgd.param_groups[0]["lr"] = learning_rate(len(losses), p.epochs * whole, plan)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
print(f"loss {losses[0]:.2f}, after {len(losses)} updates {losses[-1]:.2f}")

# %% [markdown]
# The library trains the same encoder on the same images in two lines. Both ways end in the same weights and running statistics, to the
# bit: the order of every sum is the same on one processor.

# %%
method = AlignUniform(sl.encoders.SmallAlexNet(p.width, input_size=32, seed=0))
sl.train.Training(images, method, augment, plan, seed=0).run()

ours, theirs = encoder.state_dict(), method.encoder.state_dict()
assert all(torch.equal(ours[name], theirs[name]) for name in theirs)

# %% [markdown]
# ## 6. Freeze, and read features
#
# From here on nothing is trained in the encoder. Labelled real images of another kind, which it has never seen, go through it; the
# features are the numbers after the first linear layer (fc6). `x` has a row for each image.

# %%
train, test = sl.data.both(p.data)
x, x_test = (sl.probe.main_features(encoder, part.images) for part in (train, test))

# %% [markdown]
# ## 7. A linear probe
#
# Features are standardised. The classifier $W, b$ is the minimum of
#
# $$\frac1n \sum_i -\log \operatorname{softmax}(W x_i + b)_{y_i} + \frac{\lambda}{2} \lVert W \rVert^2,$$
#
# which is convex: there is one minimum, whichever way it is found. *Top-1* is the share of test images whose most likely class is right.


# %%
def probe(x, x_test, l2=0.1):
    centre, scale = x.mean(0), x.std(0, correction=0) + 1e-6
    z, z_test = (((f - centre) / scale).double() for f in (x, x_test))
    linear = torch.nn.Linear(z.shape[1], len(train.classes), dtype=torch.double)
    solver = torch.optim.LBFGS(linear.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def objective():
        solver.zero_grad()
        value = cross_entropy(linear(z), train.labels) + l2 / 2 * linear.weight.square().sum()
        value.backward()
        return value

    solver.step(objective)
    return linear(z_test).argmax(1) == test.labels


correct = probe(x, x_test)
print(f"top-1: {correct.double().mean():.1%} of {len(test):,} images, from {len(train):,}")

# %% [markdown]
# The library finds the same minimum by another way, in single precision. The two may differ on an image on the border of two classes;
# here we allow that for one image in five hundred.

# %%
classes = len(train.classes)
result = sl.probe.linear(x, train.labels, x_test, test.labels, classes, l2=0.1)
assert (result.correct != correct).double().mean() < 0.002

# %% [markdown]
# ## What is it worth?

# %% tags=["hide-input"]
from synthlearn.core.intervals import wilson

start = sl.encoders.SmallAlexNet(p.width, input_size=32, seed=0)
before = probe(*(sl.probe.main_features(start, part.images) for part in (train, test)))
lines = []
for name, right in {"this run": correct, "the same encoder, untrained": before}.items():
    low, high = (f"{100 * end:.1f}" for end in wilson(int(right.sum()), len(right)))
    lines.append([name, f"{100 * right.double().mean():.1f} <small>[{low}, {high}]</small>"])
sl.book.table(
    ["features", "top-1, %"],
    lines,
    f"One run. 95 % intervals over {len(test):,} test images of {p.data}.",
)

# %% [markdown]
# An untrained encoder is no bad start: random filters keep much of what an image shows, and a probe can use it. A few seconds of training
# may move the features without improving them. The study trains longer, repeats every run with other seeds, and compares on one set
# of real images; [measuring](12_measuring.ipynb) tells how far its numbers can be trusted.
#
# ## What we learned

# %% tags=["hide-input"]
spread = 100 * sl.study.runs.spread(leaves.first).variance ** 0.5
sl.book.learned(
    "A run is a function of its seed: two programs that write the training in their own ways end in the same bits",
    "Nothing in the two losses names an object; what the network may ignore is decided by the views",
    f"In the study, runs that differ in their seed alone have a standard deviation of {spread:.1f} points: one run, as here, says little",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/08_one_run.ipynb out.ipynb -p epochs 8 -p n_images 1024 -p batch_size 128
# ```
#
# One knob: the length of training. This command shows the encoder seven times as many views (a minute or two). Expect a lower loss, and a
# top-1 above the untrained encoder's.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Does a probe need an encoder at all? Give it the pixels of these images, and compare. What does that say of this set of real images?
# :::

# %% tags=["hide-cell", "solution"]
pixels, pixels_test = (sl.probe.raw_pixels(part.images, 32) for part in (train, test))
alone = sl.probe.linear(pixels, train.labels, pixels_test, test.labels, classes, l2=0.1)
print(f"pixels {alone.top1:.1%}, features {correct.double().mean():.1%}")
# Small, centred digits are nearly separable as they are: an easy set, fit for tests.
# The study asks CIFAR-10.

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Replace the linear probe by nearest neighbours: of the 20 training images whose features have the largest cosine with a test image's,
# each votes for its class with weight $\exp(\text{cosine} / 0.07)$.
# :::

# %% tags=["hide-cell", "solution"]
cosine, nearest = (normalize(x_test, dim=1) @ normalize(x, dim=1).T).topk(20, dim=1)
votes = torch.zeros(len(test), classes)
votes.scatter_add_(1, train.labels[nearest], (cosine / 0.07).exp())
neighbours = votes.argmax(1) == test.labels
print(f"top-1 by nearest neighbours: {neighbours.double().mean():.1%}")
theirs = sl.probe.knn(x, train.labels, x_test, test.labels, classes)
assert torch.equal(neighbours, theirs.correct)

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Build the encoder from layers of torch: convolutions with 96, 192, 384, 384 and 192 channels times the width, each with batch norm and ReLU,
# max pooling after the first, the second and the last; then linear layers. Draw the weights as the library does, and compare outputs.
# :::

# %% tags=["hide-cell", "solution"]
from torch import nn

channels = [3, *(round(p.width * n) for n in (96, 192, 384, 384, 192))]
hidden, side, layers = round(p.width * 4096), 32, []
for i in range(5):
    into, out = channels[i : i + 2]
    layers += [nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    if i in (0, 1, 4):
        layers.append(nn.MaxPool2d(3, 2))
        side = (side - 1) // 2
layers.append(nn.Flatten())
for into in (out * side**2, hidden):
    layers += [nn.Linear(into, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
network = nn.Sequential(*layers, nn.Linear(hidden, 128))
weights = [m.weight for m in network if isinstance(m, nn.Conv2d | nn.Linear)]
for number, w in enumerate(weights):
    w.data.copy_(0.02 * rng.normal(rng.key("encoder", 0, number), tuple(w.shape)))
nn.init.zeros_(network[-1].bias)

(view, _) = two_views(torch.arange(8), epoch=0)
assert torch.allclose(normalize(network(view), dim=1), start.train()(view), atol=1e-6)
print("the same points on the sphere")

# %% tags=["hide-input"]
sl.book.provenance(p, {"dead_leaves-mixed": leaves, "random": untrained})
