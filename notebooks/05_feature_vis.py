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
# # Feature visualisations
#
# *An image made to excite one unit of a network shows edges and textures that nobody drew. Can such images teach the next network?*

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
runs = sl.study.chapter("05_feature_vis", p)
untrained = sl.book.baseline(p)
leaves, blank = runs["feature_vis-dead_leaves"], runs["feature_vis-random"]
sl.book.in_short(
    sl.book.compare(
        leaves, untrained, "images of a network trained on dead leaves", "the untrained encoder"
    ),
    f"That is {way}" if (way := sl.book.way(leaves, p)) else "",
    sl.book.compare(leaves, blank, "images of the trained network", "those of an untrained one"),
    "These are not the paper's images: the recipe is the same, but a small encoder at 48 pixels made them, where the paper used a ResNet-50 at 256"
    if p.name != "paper"
    else "",
)

# %% tags=["hide-input"]
sl.book.rows(
    sl.book.pages.feature_vis.examples(p),
    alt="Eight images that excite units",
    caption="Images that excite one or two units each: mottled textures; curved edges and spots.",
)

# %% [markdown]
# ## Why it might work
#
# A unit deep in a network responds to something: an edge, a texture, a part. Ask for the image that excites it most, and climb: the result
# is a **caricature of what the network has learned to see** {cite:p}`olah2017`.
#
# Such images may pass on what a network knows without passing on its data. A network trained on dead leaves has seen edges and colours only; its images
# are made of these, but arranged anew. Even an *untrained* network prefers some textures to others.
#
# In the paper, images of a random network reached 35 % on ImageNet-100, those of one trained on dead leaves 39 %, as much as dead leaves themselves
# {cite:p}`baradad2021`.
#
# ## How an image is made
#
# An image is a sum of waves with complex coefficients $z_f$, in decorrelated colours $C$, squeezed into $(0, 1)$. Slow waves count more, by $1/|f|$:
#
# $$x = \operatorname{sigmoid}\left(C\,\mathcal{F}^{-1}\!\left[\frac{z_f}{|f|}\right]\right).$$
#
# The coefficients start as weak noise and go uphill,
#
# $$z \leftarrow z + \mathrm{Adam}\left(\nabla_z\, a(T(x))\right).$$
#
# Here $a$ is the activation of one or two units of the last convolution, averaged over the image. $T$ shifts, shrinks and turns the image a
# little, anew at each step, so that no pattern of single pixels can cheat.

# %%
import torch

from synthlearn.core import rng
from synthlearn.generators import feature_vis as fv

size, index = 48, torch.tensor([2, 3])
network, count = fv.units_of("small", p.width, 0, "cpu")
units, keys = fv.unit_list(index, count), rng.key("chapter", index)
constants = fv.tables(size)


def image(z):
    waves = torch.view_as_complex(z) / constants.radius
    x = torch.fft.irfft2(waves, s=(size, size), norm="ortho") / 4
    return torch.sigmoid(torch.einsum("rc,nchw->nrhw", constants.colour, x))


# %% [markdown]
# One step: look at the moved image, take the gradient of the activation, go uphill. The library does the same without autograd's
# bookkeeping, for blocks of images.

# %%
library = fv.Climb(network, units, keys, size, steps=3)
z = library.z.clone().requires_grad_(True)
adam = torch.optim.Adam([z], lr=fv.LEARNING_RATE, maximize=True)
for number in range(3):
    adam.zero_grad()
    moves = rng.fold(library.moves, number)
    activation = network(fv.transform(image(z), moves, constants))
    activation.gather(1, units).mean(1).sum().backward()
    adam.step()
    library.step(keys)

assert torch.allclose(image(z), library.picture(), atol=1e-3)

# %% tags=["hide-input"]
climbs = sl.book.pages.feature_vis.climbs(p)
sl.book.pages.feature_vis.climb_slider(climbs)

# %% tags=["hide-input"]
sl.book.pages.feature_vis.climb_figure(climbs)

# %% [markdown]
# Three things to know before the result.
#
# **Another network.** The paper's ResNet-50 at 256 pixels needs some 4 TFLOP an image. `sl.generator("feature_vis-random")` does that; the smaller
# profiles look into the book's own encoder. [The page of laws](85_laws_feature_vis.ipynb) measures how far its images are from the paper's.
#
# **A trace of photographs.** The colour axes $C$ were measured on photographs, by others, so the palette resembles theirs (*colour* on
# [the page of properties](20_properties.ipynb)).
#
# **A smaller pool.** Profile *cpu* makes 2,000 images and shows each fifty times; the other sets have 10,000, shown ten times: as many updates on
# fewer images. [The page on numbers of images](22_number_of_images.ipynb) measures what that does to dead leaves.
#
# ## What the network learns from it
#
# Each set trains the same small AlexNet on two random views of every image, by [alignment and uniformity](10_align_uniform.ipynb)
# {cite:p}`wang2020`. No label is used.

# %% tags=["hide-input"]
sl.book.training(runs)

# %% tags=["hide-input"]
sl.book.first_layer({**runs, "random": untrained})

# %% [markdown]
# ## Result
#
# The encoder is frozen. A linear classifier on its features (fc6) learns to name real images.

# %% tags=["hide-input"]
sl.book.accuracy_figure(runs, p)

# %% tags=["hide-input"]
sl.book.results(runs, p)

# %% [markdown]
# The paper's numbers are of its own images, so the two panels compare recipes, not images.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("05_feature_vis")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "What a network has seen shows in its images: "
    + sl.book.compare(
        leaves, blank, "images of a network trained on dead leaves", "those of an untrained one"
    ),
    "The taste of an untrained network: "
    + sl.book.compare(blank, untrained, "its images", "no training"),
    "We cannot say how the paper's own images would do here, nor how much the palette, which stems from photographs, adds",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/05_feature_vis.ipynb out.ipynb -p epochs 20
# python -m synthlearn pretrain --generator dead_leaves-mixed --out leaves.safetensors
# python -m synthlearn generate --generator feature_vis-dead_leaves --option encoder=leaves.safetensors --n 16 --size 64 --out features
# ```
#
# One knob: `--option steps=512`. Expect stronger contrasts and more regular patterns.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# What are the moves $T$ for? Climb forty steps with and without them. How much does each image excite its unit, as it is and when it is
# moved once more? Predict which climb ends higher, and which survives a move.
# :::


# %% tags=["hide-cell", "solution"]
def climbed(moved, draw=image, steps=40):
    z = library.z.detach().clone()  # a little above the start, the same for all
    z.requires_grad_(True)
    adam = torch.optim.Adam([z], lr=fv.LEARNING_RATE, maximize=True)
    for number in range(steps):
        adam.zero_grad()
        x = draw(z)
        x = fv.transform(x, rng.fold(keys, number), constants) if moved else x
        network(x).gather(1, units).mean().backward()
        adam.step()
    return draw(z).detach()


def excited(x):
    return float(network(x).gather(1, units).mean())


start, results = excited(library.picture()), {}
for moved in (True, False):
    x = climbed(moved)
    again = [excited(fv.transform(x, rng.fold(keys, 1000 + i), constants)) for i in range(8)]
    results[moved] = excited(x) / start, sum(again) / 8 / start
    first, second = results[moved]
    name = "with moves" if moved else "without moves"
    print(f"{name}: {first:.0f} times the start, moved once more {second:.0f} times")
kept = {moved: after / before for moved, (before, after) in results.items()}
assert kept[True] > kept[False]

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# What does the division by $|f|$ do? Climb without it. Measure the correlation of neighbouring pixels, and look.
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.measure import metrics


def image_undivided(z):
    return image(z * constants.radius[..., None])


both = {"with 1/|f|": climbed(True), "without": climbed(True, image_undivided)}
alike = {name: float(metrics.neighbour_correlation(255 * x).mean()) for name, x in both.items()}
for name, value in alike.items():
    print(f"{name}: correlation {value:.2f}")
assert alike["without"] < alike["with 1/|f|"]
sl.book.labelled(
    {
        name: sl.book.sheets.enlarge(sl.book.grey(x[0].mean(0))[None], 3)[0]
        for name, x in both.items()
    },
    alt="Two climbs to one unit, in grey: smooth marks with the division, grain without.",
)

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
