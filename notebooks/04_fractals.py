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
# # Fractals
#
# A handful of affine maps, applied in random order to one point, draws ferns, crystals and clouds: an *iterated function system*.
# Every system is a category for free. **Do pictures of such attractors teach an encoder to see?**

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
# ## Two families
#
# First row: **FractalDB** {cite:p}`kataoka2020`, systems with unconstrained maps, kept if their points fill a fifth of the canvas, drawn in grey
# patches. Second row: the same in *point* mode, to see the shapes. Third row: **sigma fractals** {cite:p}`anderson2022`, whose maps have a
# prescribed sum of singular values, so that nearly every draw is a good one; in colour, several in a picture, on a diamond-square ground.

# %% tags=["hide-input"]
import torch

sets = [
    sl.generator("fractals-fractaldb"),
    sl.generator("fractals-fractaldb", mode="point"),
    sl.generator("fractals-sigma"),
]
sheet = torch.cat([g.sample(range(8), size=96) for g in sets])
sl.book.contact_sheet(
    sheet,
    alt="Eight grey stippled fractals on black, the same as solid shapes, and eight scenes of coloured fractals on cloudy grounds.",
)

# %% [markdown]
# ## How it works
#
# The chaos game: start at the origin, apply one of the maps, mark the point, repeat. Below is one FractalDB category after 100 to 100,000
# points, then the *patch* rendering, in which each point pastes a random 3×3 pattern over what is there.

# %% tags=["hide-input"]
from synthlearn.core import rng
from synthlearn.generators import fractaldb as fr

systems, probabilities = fr.fractaldb_systems(fr.categories(9)[6:7], 0)
key = rng.key("chapter", torch.tensor([0]))


def drawn(points: int, mode: str) -> torch.Tensor:
    number = fr.draw_fractaldb(systems, probabilities, key, 0, 128, points, mode)
    return (127 * (number >= 0).byte()).expand(3, -1, -1)


stages = {f"{n:,} points": drawn(n, "point") for n in (100, 1000, 10_000, 100_000)} | {
    "patches": drawn(100_000, "patch")
}
sl.book.labelled(
    stages,
    alt="A fractal appearing point by point, then the same shape filled with a stipple of small patches.",
)

# %% [markdown]
# Every system is another shape:

# %% tags=["hide-input"]
sl.book.slider(
    sl.book.pages.frames.systems(12), alt="Fractals of twelve categories, one at a time.", scale=2
)

# %% [markdown]
# The published renderers walk one long orbit per picture in a Python loop. Ours walks 512 orbits of every picture side by side; they sample the
# same attractor. The instances of a FractalDB category multiply one parameter of all maps by 0.2, 0.6, 1.4 or 1.8: some keep the shape, some
# destroy it.

# %% tags=["hide-input"]
vectors = fr.weight_vectors(0.4)
instances = {"as found": 0, "a × 0.2": 1, "b × 1.4": 7, "c × 0.6": 10, "e × 1.8": 20}
pictures = {
    label: (
        127
        * (
            fr.draw_fractaldb(systems * vectors[k], probabilities, key, 0, 128, mode="point") >= 0
        ).byte()
    ).expand(3, -1, -1)
    for label, k in instances.items()
}
sl.book.labelled(
    pictures,
    alt="One fractal category and four of its instances, from nearly equal to unrecognisable.",
)

# %% [markdown]
# Filling rates, acceptance and colours agree with the published code: [the page of laws](84_laws_fractals) has the table.

# %% [markdown]
# ## Training
#
# As for every set: alignment and uniformity on two random views {cite:p}`wang2020`, no category labels.

# %% tags=["hide-input"]
runs = sl.study.chapter("04_fractals", p)
sl.book.training(runs)

# %% tags=["hide-input"]
sl.book.first_layer({**runs, "random": sl.book.baseline(p)})

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
sl.book.accuracy_figure(runs, p)

# %% tags=["hide-input"]
sl.book.results(runs, p)

# %% tags=["hide-input"]
sl.book.gains(runs, p)

# %% [markdown]
# The paper used FractalDB's released pictures; ours are made anew by the same law, from other random numbers, hence other categories.
# Its pictures are grey stipple on black: far from photographs in brightness and colour. The encoder's batch-norm statistics are those of its own
# pre-training pictures; the rows *fc6 linear bn* re-estimate them on the probe's training images, without labels, to show how much of a set's
# result hangs on that.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("04_fractals")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/04_fractals.ipynb out.ipynb -p epochs 200
# python -m synthlearn generate --generator fractals-sigma --n 100 --out fractals
# ```
#
# One knob worth turning: `sl.generator("fractals-fractaldb", weight=0.1)`, the milder instances of the first release.

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
