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
# # Losses
#
# *Two views of an image should land close together, and different images far apart. Does it matter how that is said? And do labels help
# that cost nothing?*

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
import torch
from torch.nn.functional import cross_entropy, normalize

import synthlearn as sl

p = sl.book.parameters(globals())
runs = sl.study.chapter("10_align_uniform", p)
leaves, fractals = "dead_leaves-mixed", "fractals-fractaldb"
every = {name: sl.book.baseline(p, name) for name in (leaves, fractals, "real")} | runs


def line(lead, a, b, *names):
    clause = sl.book.compare(every.get(a), every.get(b), *names)
    return f"{lead}: {clause}" if clause else ""


double, half = (f"{leaves}.{word}_uniform" for word in ("double", "half"))
supcon, unlabelled = f"{fractals}.supcon", f"{fractals}.classes100"
sl.book.in_short(
    line("Loss, on dead leaves", leaves, f"{leaves}.simclr", "the paper's two terms", "SimCLR"),
    line("Uniformity, on dead leaves", double, half, "twice the paper's weight", "half of it"),
    line("Free labels, on FractalDB", supcon, unlabelled, "labels of fractals", "none"),
    unsure="of the best weight and temperature, which were not searched for",
)

# %% [markdown]
# ## Two forces
#
# A *view* is a random crop of an image in random colours. An encoder sends every view to a point on the unit sphere. Let $x_i$ and $y_i$ be the points of two views of image $i$. The noise paper
# trains with two terms {cite:p}`wang2020`. *Alignment* is the mean squared distance of two views of an image:
#
# $$\mathcal{L}_\text{align} = \frac1n \sum_i \lVert x_i - y_i \rVert^2.$$
#
# *Uniformity* is small when different images are far apart. Near pairs count most:
#
# $$\mathcal{L}_\text{uniform} = \log \frac{2}{n(n-1)} \sum_{i<j} e^{-2 \lVert x_i - x_j \rVert^2}.$$
#
# The loss is their sum, with uniformity as the mean over both views. In the code `x` and `y` hold a point in each row:

# %%
generator = torch.Generator().manual_seed(0)
own = torch.randn(2, 64, 128, generator=generator)
shared = torch.randn(64, 128, generator=generator)  # by both views of an image
x, y = normalize(own + shared, dim=2)


def align(x, y):
    return (x - y).square().sum(1).mean()


def uniform(x):
    return torch.pdist(x).square().mul(-2).exp().mean().log()


torch.testing.assert_close(align(x, y), sl.losses.align(x, y))
torch.testing.assert_close(uniform(x), sl.losses.uniform(x))

# %% [markdown]
# Why both? Train a small network on each alone. Without uniformity there is an easy answer: send every view to the same point. Without
# alignment the views spread, but by brightness as much as by what the image shows.

# %% tags=["hide-input"]
sl.book.pages.forces.figure()

# %% [markdown]
# ## The same, as a search
#
# Other papers set the encoder a task: among all points $z_k$ of a batch, both views together, find the one of the same image. The loss is
# the cross-entropy of a softmax over similarities. It is called InfoNCE, or NT-Xent in SimCLR {cite:p}`chen2020simclr`:
#
# $$\ell_i = -\log \frac{\exp(z_i \cdot z_{j} / \tau)}{\sum_{k \ne i} \exp(z_i \cdot z_k / \tau)},$$
#
# where $j$ is the other view of image $i$. The temperature $\tau$ says how much near points count. The numerator aligns; the denominator
# spreads.


# %%
def info_nce(x, y, temperature):
    z, n = torch.cat((x, y)), len(x)
    similarity = z @ z.T / temperature
    similarity.fill_diagonal_(-torch.inf)  # not with itself
    partner = torch.arange(2 * n).roll(n)
    return cross_entropy(similarity, partner)


torch.testing.assert_close(info_nce(x, y, 0.5), sl.losses.nt_xent(x, y, 0.5))

# %% [markdown]
# ## Several positives
#
# Some images are known to belong together: views of one image, images of one category of fractals, images made from one caption. Let
# $c_i$ be that group. The softmax is the same; the target is no longer one partner but all of them, in equal shares:
#
# $$q_{ij} = \frac{\exp(z_i \cdot z_j / \tau)}{\sum_{k \ne i} \exp(z_i \cdot z_k / \tau)},$$
#
# $$p_{ij} = \frac{[c_i = c_j]}{\sum_{k \ne i} [c_i = c_k]},$$
#
# $$\mathcal{L} = -\frac1n \sum_i \sum_{j \ne i} p_{ij} \log q_{ij}.$$
#
# With captions this is StableRep's loss {cite:p}`tian2023`; with classes it is SupCon {cite:p}`khosla2020`; with two views of
# each image it is InfoNCE.


# %%
def multi_positive(z, group, temperature):
    log_q = (z @ z.T / temperature).fill_diagonal_(-torch.inf).log_softmax(1)
    p = (group[:, None] == group).float().fill_diagonal_(0)
    p = p / p.sum(1, keepdim=True)
    return -(p * log_q.fill_diagonal_(0)).sum(1).mean()


z, image = torch.cat((x, y)), torch.arange(64).repeat(2)
for theirs in (sl.losses.multi_positive, sl.losses.sup_con):
    args = (z, image // 4, 0.1)
    torch.testing.assert_close(multi_positive(*args), theirs(*args))
torch.testing.assert_close(multi_positive(z, image, 0.5), info_nce(x, y, 0.5))

# %% [markdown]
# ## What is varied
#
# - **The weight of uniformity**, half and twice the paper's; and **batches of 128** images in place of the study's, for equal epochs.
# - **SimCLR** in place of the two terms, at temperature 0.5, which is usual for short schedules and was not tuned here.
# - **Labels for free.** A fractal knows its category. *SupCon* takes all images of a category as positives; *cross-entropy* is what
#   FractalDB's authors train with {cite:p}`kataoka2020` (one view of each image, so half the passes through the encoder). A thousand
#   categories would have few members each here, so these runs have a hundred. Compare them with *FractalDB, 100 categories*, which sees
#   the same images without labels.
#
# Everything else is as in the other chapters.
#
# ## Result
#
# Top-1 of a linear probe. The variants of a set stand below it.

# %% tags=["hide-input"]
sl.book.ablation_figure(runs, p)

# %% tags=["hide-input"]
sl.book.folded("All differences, and the commands", sl.book.ablation(runs, p))

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("10_align_uniform")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "All of these losses pull views together and push images apart; they differ in how much a near pair counts",
    line("On real images as well", "real", "real.simclr", "the two terms", "SimCLR"),
    line("Naming fractals", f"{fractals}.supervised", unlabelled, "cross-entropy", "no labels"),
    "An encoder that is trained to name a hundred kinds of fractals may forget whatever does not help with that",
    "This page cannot say which loss is best in a long training, each with its own temperature and weight",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/10_align_uniform.ipynb out.ipynb -p epochs 20
# python -m synthlearn pretrain --generator dead_leaves-mixed --set method=simclr --method-option temperature=0.1 --out encoder.safetensors
# python -m synthlearn probe --encoder encoder.safetensors --data digits
# ```
#
# One knob: the temperature. The lower it is, the harder the nearest images are pushed apart, and the less close the views of an image lie.
# Losses at two temperatures cannot be compared; the probe's accuracies can. So small a run decides nothing: expect a point or two either way.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Show that InfoNCE is alignment plus a kind of uniformity. On the sphere $\lVert x - y \rVert^2 = 2 - 2\, x \cdot y$; use it to write
# minus the logarithm of the numerator by means of `align`. Which part is left?
# :::

# %% tags=["hide-cell", "solution"]
t = 0.5
similarity = (z @ z.T / t).fill_diagonal_(-torch.inf)
spread = similarity.logsumexp(1).mean()  # large where many points are near
pulled = align(x, y) / (2 * t) - 1 / t
print(f"InfoNCE {info_nce(x, y, t):.4f}")
print(f"= {pulled:.4f} from alignment + {spread:.4f} from all pairs")
torch.testing.assert_close(info_nce(x, y, t), pulled + spread)

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# What are *align*, *uniform* and InfoNCE when every image lands on the same point? And how small can the multi-positive loss get for six images of each
# of ten captions? First think, then compute. Why is the smallest value not zero?
# :::

# %% tags=["hide-cell", "solution"]
same = torch.ones(64, 1)
found = info_nce(same, same, 0.5)
print(f"align {align(same, same):.2f}, uniform {uniform(same):.2f}, InfoNCE {found:.2f}")
assert abs(found - torch.tensor(127.0).log()) < 1e-5  # one of 127 others: a guess

# a regular simplex: all captions equally far apart
corners = normalize(torch.eye(10) - 0.1, dim=1).repeat(6, 1)
captions = torch.arange(10).repeat(6)
least = multi_positive(corners, captions, 0.1)
print(f"six images of a caption on one point: {least:.4f}")
print(f"no less is possible than log 5 = {torch.tensor(5.0).log():.4f}")
assert abs(least - sl.losses.multi_positive_floor(10, 6, 0.1)) < 1e-5
# five partners share the softmax: even a perfect encoder has to guess among them

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# On the toy of the figure, lower the weight of uniformity to a tenth and to a fiftieth. Predict how the two terms move; then train.
# :::

# %% tags=["hide-cell", "solution"]
toy = sl.book.pages.forces
reached = {weight: toy.terms(toy.train(1, weight)) for weight in (0.02, 0.1, 1)}
for weight, (a, u) in reached.items():
    print(f"weight {weight:4}: align {a:.4f}, uniform {u:.2f}")
assert reached[0.02][0] < reached[1][0]  # views of an image are closer
assert reached[0.02][1] > reached[1][1]  # but images are spread less evenly

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
