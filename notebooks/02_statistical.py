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
# *Which statistics of photographs, imposed on noise, teach a network to see?*

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
runs = sl.study.chapter("02_statistical", p)
untrained = sl.book.baseline(p)
sl.book.in_short(
    sl.book.compare(
        runs["stat-spectrum_color"], untrained, "spectrum and colours", "the untrained encoder"
    ),
    sl.book.compare(
        runs["stat-spectrum"], untrained, "the spectrum alone", "the untrained encoder"
    ),
    sl.book.best(runs),
)

# %% tags=["hide-input"]
sets = {
    "spectrum": "stat-spectrum",
    "wavelet marginals": "stat-wmm",
    "spectrum, colours": "stat-spectrum_color",
    "all three": "stat-spectrum_color_wmm",
}
sl.book.rows(
    {name: sl.generator(each).sample(range(8), size=96) for name, each in sets.items()},
    alt="Eight images made of noise",
    caption="Clouds of every roughness; grain with specks; clouds in few colours; blotches with edges. Every image draws its own statistics.",
)

# %% [markdown]
# ## Why it might work
#
# Photographs are of different things, yet they share statistics. Power falls with **frequency**: large structures are strong, fine ones
# weak. **Edges** are rare but strong. **Colours** come in a few groups. None of these is an object.
#
# Impose such a statistic on white noise, and you have an image without content that looks, locally, a little like the world. A set of
# such images asks a sharp question: is this statistic what a network needs to see?
#
# In the paper each statistic helped, and the more the better {cite:p}`baradad2021`. Spectrum alone or wavelets alone reached 31 to 32 % on
# ImageNet-100, spectrum with colours 37 %, all three 40 %; an untrained network reached 21 %, one trained on photographs at least 63 %.
#
# ## How an image is made
#
# **Spectrum.** An image is a sum of waves. White noise gives each wave a random phase; we keep that phase and set the amplitude of the wave
# with frequencies $f_x, f_y$ to
#
# $$A(f_x, f_y) \propto \frac{1}{|f_x|^{s} + |f_y|^{s}}.$$
#
# The exponent $s$ is drawn from 0.5 to 3.5. A large one leaves only slow waves, hence smooth clouds; a small one leaves grain. (The library draws slightly different exponents for the
# two axes.) From spectrum to image it is one inverse Fourier transform:

# %%
import torch

from synthlearn.core import rng
from synthlearn.generators import statistical as st


def with_spectrum(noise, s):
    size = len(noise)
    fx = torch.fft.rfftfreq(size)
    fy = torch.fft.fftfreq(size).abs()[:, None]
    amplitude = 1 / (fx**s + fy**s)
    amplitude[0, 0] = 0  # the mean is added below
    phase = torch.fft.rfft2(noise).angle()
    image = torch.fft.irfft2(torch.polar(amplitude, phase))
    return image / image.std() * noise.std() + noise.mean()


key, s = rng.key("chapter", torch.tensor([3])), torch.tensor([1.5])
noise = 256 * rng.uniform(key, (3, 128, 128))
library = st.impose_spectrum(noise, st.amplitudes(s, s, 128))
assert torch.allclose(with_spectrum(noise[0, 0], 1.5), library[0, 0], atol=0.01)

# %% tags=["hide-input"]
exponents = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5)
shaped = {s: with_spectrum(noise[0, 0], s) for s in exponents}
sl.book.slider(
    {f"s = {s:g}": sl.book.grey(image) for s, image in shaped.items()},
    alt="One noise under a rising exponent, from grain to smooth clouds",
    caption="One noise under nine exponents. Its phases stay: each cloud lies where the noise happened to be bright.",
    scale=2,
)

# %% tags=["hide-input"]
sl.book.pages.statistical.power_figure({s: shaped[s] for s in (0.5, 1.0, 1.5, 2.5, 3.5)})

# %% [markdown]
# **Wavelet marginals.** Gaussian clouds have no edges. A steerable pyramid splits an image into bands by scale and orientation
# {cite:p}`simoncelli1995,portilla2000`. In noise the values of a band are Gaussian. In photographs most are near 0, and a few, at edges, are
# large. Each band is given such a density,
#
# $$p(x) \propto e^{-|x/c|^{\rho}}, \qquad 0.4 \le \rho \le 0.8,$$
#
# by a monotone map of its values, and the image is put together again.

# %% tags=["hide-input"]
sl.book.pages.statistical.wavelets(noise, key)

# %% [markdown]
# **Colours.** A palette of a few random colours is drawn. Its pixels define three uncorrelated colour axes, and each axis' histogram is
# imposed. Spectrum, wavelets and colours disturb each other, so they take turns, ten times. [The page of laws](82_laws_statistical.ipynb) shows
# how closely the images follow the authors' code.
#
# ## What the network learns from it
#
# Each set trains the same small AlexNet on two random views of every image, by [alignment and uniformity](10_align_uniform.ipynb)
# {cite:p}`wang2020`. No label and no photograph is used.

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
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("02_statistical")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "The effect of colours: "
    + sl.book.compare(
        runs["stat-spectrum_color"],
        runs["stat-spectrum"],
        "spectrum and colours",
        "the spectrum alone",
    ),
    "The effect of edges: "
    + sl.book.compare(
        runs["stat-spectrum_color_wmm"],
        runs["stat-spectrum_color"],
        "the model with wavelets",
        "the one without",
    ),
    "In the paper each of these steps helped; its networks were trained far longer than ours, and we cannot say whether that is the reason"
    if p.is_study
    else "",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/02_statistical.ipynb out.ipynb -p epochs 20
# python -m synthlearn generate --generator stat-spectrum_color_wmm --n 100 --out statistical
# ```
#
# One knob: `sl.generator("stat-wmm", borders="circular")`. Expect images that can be tiled: their left and right borders fit.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Where do the edges of an image live, in its amplitudes or in its phases? Take a dead-leaves image and noise, and exchange their
# amplitudes. Which of the two hybrids has edges? Measure the kurtosis of its steps between neighbours (3 for a Gaussian).
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.measure import metrics

leaves = sl.generator("dead_leaves-mixed").sample([4], size=128)[0, 0].float()
waves, phases = torch.fft.rfft2(leaves), torch.fft.rfft2(noise[0, 0])
hybrids = {
    "amplitudes of leaves, phases of noise": torch.polar(waves.abs(), phases.angle()),
    "amplitudes of noise, phases of leaves": torch.polar(phases.abs(), waves.angle()),
}
images = {name: torch.fft.irfft2(each) for name, each in hybrids.items()}
tails = {
    name: float(metrics.step_kurtosis(x.expand(1, 3, -1, -1))[0]) for name, x in images.items()
}
for name, kurtosis in tails.items():
    print(f"{name}: kurtosis {kurtosis:.1f}")
first, second = tails.values()
assert second > first
sl.book.labelled(
    {
        name: sl.book.grey(x.clamp(*x.quantile(torch.tensor([0.01, 0.99]))))
        for name, x in images.items()
    },
    alt="Two hybrids: clouds with the amplitudes of leaves, outlines of leaves with their phases.",
)

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Why ten turns and not one? Impose wavelet marginals on noise, then a spectrum, and again. Measure the kurtosis of a fine band after each
# step. Which of the two steps makes the tails, which one costs some, and do they settle?
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.generators import pyramid

model = st.wavelet_model(key, pyramid.height(128))
amplitude = st.amplitudes(s, s, 128)


def tail(x):
    band = pyramid.analyse(x[:, 0], 1)[1][0][0, 0]
    return float((band**4).mean() / band.square().mean() ** 2)


x = noise
print(f"noise {tail(x):.1f}")
for turn in range(1, 9):
    edged = st.impose_wavelets(x, model, "reflect")
    x = st.impose_spectrum(edged, amplitude)
    print(f"turn {turn}: after wavelets {tail(edged):.1f}, after the spectrum {tail(x):.1f}")
assert tail(x) > tail(noise)

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Which exponent is nearest to dead leaves? Measure the slope of the power of sixteen images with `metrics.spectrum_slope`, and compare it with
# −2s. Photographs have about −2.
# :::

# %% tags=["hide-cell", "solution"]
slope = metrics.spectrum_slope(sl.generator("dead_leaves-mixed").sample(range(16), size=128)).mean()
own = {s: float(metrics.spectrum_slope(x.expand(1, 3, -1, -1))[0]) for s, x in shaped.items()}
print(f"dead leaves: slope {slope:.2f}")
for exponent, value in own.items():
    print(f"s = {exponent:g}: slope {value:.2f}")
nearest = min(own, key=lambda s: abs(own[s] - float(slope)))
print(f"nearest: s = {nearest:g}")

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
