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
# # Properties of a set
#
# *Which property of a set of images goes with what it teaches, and is it a cause?*

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
page = sl.book.pages.properties
properties, neutral = sl.study.measured("properties", p), page.neutral(p)
records = {name: sl.book.baseline(p, name) for name in properties}
runs = sl.study.chapter("20_properties", p)
cuts = sl.book.pairs(
    p,
    {
        "StyleGANs: one network, not several": (
            "stylegan-oriented.one_network",
            "stylegan-oriented.n2500",
        ),
        "fractals: ten systems, not 1,000": ("fractals-sigma.ten_systems", "fractals-sigma"),
        "fractals: one system, not 1,000": ("fractals-sigma.one_system", "fractals-sigma"),
        "leaves: ten textures, not 1,000": (
            "dead_leaves-textures.ten_textures",
            "dead_leaves-textures",
        ),
    },
)
sl.book.in_short(
    page.strongest(properties, records),
    page.held_fixed(properties, records),
    sl.book.tell_apart(cuts, "of a set with a less varied one of its kind"),
    sure="that sets differ in many things at once, so that a correlation over them is a weak witness",
)

# %% tags=["hide-input"]
wide = sl.generator("fractals-sigma").sample(range(6), size=96)
narrow = sl.generator("fractals-sigma", systems=1).sample(range(6), size=96)
noise = sl.generator("noise-white").sample(range(6), size=96)
sl.book.rows(
    {"many systems": wide, "one system": narrow, "white noise": noise},
    alt="Six images of a set",
    caption="Three sets of falling variety: fractals of a thousand systems; the same fractals of one system; white noise.",
)

# %% [markdown]
# ## Why it might work
#
# The noise paper asks what a good set has, and answers: *diversity* first, *realism* second {cite:p}`baradad2021`. A set that fills more of the
# space of features leaves the encoder more to tell apart. A set near to real images shows it what it will meet later.
#
# The two are hard to separate. A set that covers many real images is both varied and near to them.
#
# ## How a set is measured
#
# Take 2,000 images of the set and as many real ones, as points in the features of an encoder. Two kinds of numbers compare the clouds. The
# **Fréchet distance** looks at their means $\mu$ and covariances $\Sigma$:
#
# $$d^2 = \|\mu_1 - \mu_2\|^2 + \operatorname{tr}\left(\Sigma_1 + \Sigma_2 - 2\,(\Sigma_1 \Sigma_2)^{1/2}\right).$$
#
# **Precision** and **recall** look at neighbours {cite:p}`kynkaanniemi2019`. Draw a ball around each point, out to its $k$-th nearest
# neighbour in its own set, and call their union $B$. Of $m$ synthetic images $s_j$ and $n$ real images $r_i$,
#
# $$\text{precision} = \frac{1}{m} \sum_{j=1}^{m} [\, s_j \in B_r \,], $$
#
# $$\text{recall} = \frac{1}{n} \sum_{i=1}^{n} [\, r_i \in B_s \,].$$
#
# Precision asks whether synthetic images look real, recall whether real images could be synthetic. In code, for made-up features:

# %%
import torch

from synthlearn.core import rng
from synthlearn.measure.properties import frechet, neighbourhoods

real = rng.normal(rng.key("real", 0), (400, 8)).double()
synthetic = 0.7 * rng.normal(rng.key("synthetic", 0), (400, 8)).double()


def within(points, centres, k=5):  # which points lie in a ball of a centre
    radius = torch.cdist(centres, centres).kthvalue(k + 1, 1).values
    return (torch.cdist(points, centres) < radius).any(1).double().mean()


precision, recall = within(synthetic, real), within(real, synthetic)
library = neighbourhoods(real, synthetic, k=5)
assert precision == library["precision"] and recall == library["recall"]
print(f"precision {precision:.2f}, recall {recall:.2f}")

# %% tags=["hide-input"]
page.balls_figure()

# %% [markdown]
# **Why white noise has a high precision.** One ball is enough. All images of white noise look alike to the encoder: they are one small heap of
# points. It takes one real image far from its neighbours, whose ball is therefore wide, and the whole heap counts as real. Recall is not
# deceived: the heap's own balls are tiny and hold no real image.

# %% tags=["hide-input"]
page.in_balls(properties)

# %% [markdown]
# Features are the fifth convolution, averaged over space, of the encoder that this book trained on real images. It is small and knows little, and
# every number depends on it.

# %% tags=["hide-input"]
sl.book.folded("The twelve properties, a line each", page.definitions())

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
page.properties_figure(properties, records)

# %% tags=["hide-input"]
sl.book.join(
    page.correlations(properties, records),
    sl.book.folded("Every property of every set", page.properties_table(properties)),
)

# %% [markdown]
# Most of these are distances to real images under other names: recall and coverage count *real* images, and the Fréchet distance is taken
# *to* them. So a correlation with recall does not tell diversity from realism. Two further tests do.
#
# **Holding one fixed.** Does accuracy rise with volume among sets that are equally near to real images? And with nearness among sets of
# equal volume?

# %% tags=["hide-input"]
sl.book.join(
    page.partials(properties, neutral, records),
    sl.book.folded(
        "The same sets in the eyes of an ImageNet classifier",
        page.eyes_table(properties, neutral),
    ),
)

# %% [markdown]
# Our eye was trained on real images of the probe's own set. A classifier of ImageNet {cite:p}`tan2019`, which has learned from a million other
# photographs, is a second, neutral one.
#
# **Cutting variety.** The paper has no such test. The same generator makes the same kind of image, but with less variety between images: one random
# network in place of one per 400 images; one or ten fractal systems, or ten textures, in place of a thousand. If variety is a cause, accuracy falls.
# The set of one network has 2,500 images, so the figure compares it with as many of several networks; the folded table has 10,000 of these.

# %% tags=["hide-input"]
sl.book.join(
    sl.book.differences_figure(cuts, "Less variety minus more, at a fixed look. Left: worse."),
    sl.book.folded("Accuracies and commands", sl.book.ablation(runs, p)),
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("20_properties")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    page.strongest(properties, records),
    "A high precision says little: one wide ball is enough to swallow a set whose images are all alike",
    sl.book.tell_apart(cuts, "of a set with a less varied one of its kind"),
    "What goes with accuracy over sets need not cause it, and a few runs at 400 updates may be too few to see what variety does"
    if p.is_study
    else "",
)

# %% [markdown]
# ## Try it
#
# ```bash
# python -m synthlearn measure --profile smoke --what properties
# python -m synthlearn pretrain --generator fractals-sigma --option systems=3 --out encoder.safetensors
# ```
#
# One knob: `systems`. At three, expect images whose parts repeat from one image to the next.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# For Gaussians with diagonal covariances, simplify the Fréchet distance to a sum over dimensions of $(\mu_1 - \mu_2)^2 + (\sigma_1 - \sigma_2)^2$, and
# check it on whitened samples.
# :::

# %% tags=["hide-cell", "solution"]
x = real - real.mean(0)
white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T  # mean 0, covariance the identity
mean, deviation = torch.arange(8.0).double(), torch.linspace(0.5, 2, 8).double()
by_hand = (mean**2 + (deviation - 1) ** 2).sum()
library = frechet(white, white * deviation + mean)
print(f"by hand {by_hand:.4f}, library {library:.4f}")
assert abs(by_hand - library) < 1e-6

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Shrink a synthetic set towards its mean, by a half, a tenth and a hundredth. First predict what precision and recall do. Which of the two would
# you trust as a measure of quality?
# :::

# %% tags=["hide-cell", "solution"]
previous = {"precision": 0.0, "recall": 1.0}
for factor in (1.0, 0.5, 0.1, 0.01):
    numbers = neighbourhoods(real, factor * real.roll(1, 1))
    print(f"× {factor:<4g} precision {numbers['precision']:.2f}, recall {numbers['recall']:.2f}")
    assert numbers["precision"] >= previous["precision"]
    assert numbers["recall"] <= previous["recall"]
    previous = numbers

# %% tags=["hide-input"]
sl.book.provenance(p, properties)
