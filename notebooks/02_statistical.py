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
# # Statistical image models
#
# Photographs share statistics: power falls with frequency, edges are rare but strong, colours come in a few groups. Impose one such
# statistic on white noise, or several in turns, and there is a picture without content that looks, locally, like the world.
# **Which statistics of photographs teach an encoder to see?**

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
# ## Four sets, from one statistic to three
#
# Rows: **spectrum** alone, **wavelet marginals** alone, spectrum with **colours**, and all three {cite:p}`baradad2021`. Every picture draws its own
# spectrum, wavelet model and palette.

# %% tags=["hide-input"]
import torch

KINDS = ("spectrum", "wmm", "spectrum_color", "spectrum_color_wmm")
sheet = torch.cat([sl.generator(f"stat-{kind}").sample(range(8), size=96) for kind in KINDS])
sl.book.contact_sheet(
    sheet,
    alt="Four rows of eight pictures: coloured clouds; fine grain; clouds in few colours; blotches with edges in few colours.",
)

# %% [markdown]
# ## How it works
#
# **Spectrum.** White noise keeps its phases; its amplitudes become 1/f^s along each axis. The exponent s is drawn from 0.5 (rough) to 3.5
# (smooth): below, one noise under nine exponents, and the power that the pictures have at each frequency.

# %% tags=["hide-input"]
from synthlearn.core import rng
from synthlearn.generators import pyramid
from synthlearn.generators import statistical as st
from synthlearn.measure import metrics

size, key = 128, rng.key("chapter", torch.tensor([3]))
noise = 256 * rng.uniform(key, (3, size, size))
shaped = {}
for s in (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5):
    slope = torch.tensor([s])
    shaped[s] = st.impose_spectrum(noise, st.amplitudes(slope, slope, size))[0, 0]
panels = {f"s = {s}": sl.book.grey(x) for s, x in shaped.items()}
sl.book.slider(
    panels, alt="One noise under rising spectral exponents, from grain to smooth clouds.", scale=2
)

# %% tags=["hide-input"]
figure, axis = sl.book.new(height=2.9)
for s, x in ((s, shaped[s]) for s in (0.5, 1.0, 1.5, 2.5, 3.5)):
    k, power = metrics.radial_power(x[None, None].expand(1, 3, -1, -1))
    axis.loglog(k, power[0] / power[0, 0], label=f"s = {s}")
    axis.annotate(
        f"s = {s}",
        (k[-1], power[0, -1] / power[0, 0]),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
    )
axis.set_xlabel("frequency, cycles per picture")
axis.set_ylabel("power")
sl.book.svg(
    figure,
    alt="Power against frequency on logarithmic axes: straight lines, steeper for larger exponents.",
    caption="Power falls as the frequency to the −2s.",
)

# %% [markdown]
# **Wavelet marginals.** A steerable pyramid splits a picture into bands by scale and orientation {cite:p}`simoncelli1995,portilla2000`. In noise
# the responses of a band are Gaussian. In photographs most are near zero and a few, at edges, are large. Each band is
# given such a distribution, and the picture is put together again. Below: noise, the picture made of it, and four bands of that picture; then how
# the values of these bands are distributed, before (dotted) and after.

# %% tags=["hide-input"]
model = st.wavelet_model(key, pyramid.height(size))
before = noise
after = noise
for _ in range(st.ROUNDS):
    after = st.impose_wavelets(after, model, "reflect")
bands = {when: pyramid.analyse(x[:, 0], 3) for when, x in (("before", before), ("after", after))}
names = {
    "high-pass": lambda b: b[0][0],
    "fine, vertical": lambda b: b[1][0][0, 0],
    "middle, diagonal": lambda b: b[1][1][0, 1],
    "coarse, horizontal": lambda b: b[1][2][0, 2],
}
panels = {"noise": sl.book.grey(before[0, 0]), "with wavelet marginals": sl.book.grey(after[0, 0])}
for name, pick in names.items():
    band = sl.book.grey(pick(bands["after"]).clamp(-60, 60))
    panels[name] = band.repeat_interleave(size // band.shape[1], 1).repeat_interleave(
        size // band.shape[2], 2
    )
sl.book.labelled(
    panels,
    alt="Noise, the picture with wavelet marginals, and four bands of it: sparse marks on grey.",
)

# %% tags=["hide-input"]
figure, axes = sl.book.new(4, width=9.2, height=2.3, sharey=True)
for axis, (name, pick) in zip(axes, names.items(), strict=True):
    for when, style in (("before", ":"), ("after", "-")):
        x = pick(bands[when]).flatten()
        counts, edges = torch.histogram(x / x.std(), 41, range=(-6.0, 6.0), density=True)
        axis.semilogy(
            (edges[:-1] + edges[1:]) / 2,
            counts.clamp_min(1e-4),
            style,
            label=when,
            color=sl.book.COLOURS["statistical"],
        )
    axis.set_title(name, fontsize=10)
    axis.set_xlabel("value / standard deviation")
axes[0].set_ylabel("density")
sl.book.svg(
    figure,
    alt="Histograms of four bands: parabolas, that is Gaussians, before; peaks with heavy tails after.",
)

# %% [markdown]
# **Colours.** A palette of 2 to 21 colours is drawn; its pixels define three uncorrelated colour axes, and each axis' histogram is imposed.
# Spectrum, wavelets and colours disturb each other, so the three take turns, ten times.
#
# Whether all of this follows the authors' code is measured on [the page of its laws](82_laws_statistical).

# %% [markdown]
# ## Training
#
# All sets alike: alignment and uniformity on two random views {cite:p}`wang2020`, no labels.

# %% tags=["hide-input"]
runs = sl.study.chapter("02_statistical", p)
sl.book.training(runs)

# %% tags=["hide-input"]
sl.book.first_layer({**runs, "random": sl.book.baseline(p)})

# %% [markdown]
# ## Result
#
# The encoder is frozen; a linear classifier on its fc6 features learns to name real images.

# %% tags=["hide-input"]
sl.book.accuracy_figure(runs, p)

# %% tags=["hide-input"]
sl.book.results(runs, p)

# %% tags=["hide-input"]
sl.book.gains(runs, p)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("02_statistical")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/02_statistical.ipynb out.ipynb -p epochs 20
# python -m synthlearn generate --generator stat-spectrum_color_wmm --n 100 --out statistical
# ```
#
# One knob worth turning: `sl.generator("stat-wmm", borders="circular")`, pictures that can be tiled.

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
