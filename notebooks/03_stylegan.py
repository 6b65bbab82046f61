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
# # Random StyleGANs
#
# A StyleGAN learns to paint faces from thousands of photographs. Here it learns nothing: its weights are random, and what it paints is the
# bias of its architecture. **How much does an untrained generator know about pictures, and which randomness suits it best?**

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
# ## Four ways to be random
#
# Rows: **random**, the usual initialisation; **high frequencies**, wavelet-like kernels and pink noise; **sparse**, noise in patches and
# positive biases; **oriented**, kernels tied to few orientations {cite:p}`baradad2021`.

# %% tags=["hide-input"]
import torch

KINDS = ("random", "highfreq", "sparse", "oriented")
nets = {}
for kind in KINDS:
    row = sl.study.get_row(f"stylegan-{kind}")
    options = row.source_options(row.settings(p))
    nets[kind] = sl.generator(row.name, **options, images_per_network=1)
sheet = torch.cat([g.sample(range(8), size=96) for g in nets.values()])
sl.book.contact_sheet(
    sheet,
    alt="Four rows of eight abstract pictures: smooth blobs; blobs under grain; patches of texture; smooth shapes with streaks of edges.",
)

# %% [markdown]
# ## How it works
#
# The network of StyleGAN2 {cite:p}`karras2020` starts from 4 × 4 numbers and doubles the resolution six times; two convolutions per step are
# modulated by random styles, and every step adds its colours to the picture. Three of the sets draw each 3 × 3 kernel from a fixed bank of
# edges, bars and spots: on the left the 40 of *high frequencies* and *sparse*, on the right the 40 of *oriented*.

# %% tags=["hide-input"]
from synthlearn.core import rng
from synthlearn.core.image import to_tiles
from synthlearn.generators import stylegan, stylegan_network, stylegan_noise, stylegan_tied


def tiles(kernels: torch.Tensor) -> torch.Tensor:
    x = (kernels / kernels.abs().amax((1, 2), keepdim=True) + 1) * 127.5
    return to_tiles(
        x.byte()[:, None].expand(-1, 3, -1, -1).repeat_interleave(8, 2).repeat_interleave(8, 3), 8
    ).permute(2, 0, 1)


sl.book.labelled(
    {
        "signs: highfreq, sparse": tiles(stylegan_tied.sign_kernels()),
        "oriented": tiles(stylegan_tied.oriented_kernels()),
    },
    alt="Two banks of 40 small kernels: edges and bars at several angles, spots, and their negatives.",
)

# %% [markdown]
# Noise enters every layer: a pink map (1/f^α, α from 0.5 to 1.5), in *sparse* and *oriented* under an envelope that lets it live in patches
# only.

# %% tags=["hide-input"]
key = rng.key("chapter", torch.arange(3))

maps = {f"pink {i + 1}": sl.book.grey(x) for i, x in enumerate(stylegan_noise.pink_noise(key, 128))}
maps |= {
    f"with envelope {i + 1}": sl.book.grey(x)
    for i, x in enumerate(stylegan_noise.enveloped_noise(key, 128))
}
sl.book.labelled(
    maps,
    alt="Three maps of pink noise, and three in which an envelope leaves the noise in some patches.",
)

# %% [markdown]
# With such kernels all channels of a layer are one map, seen through different signs and biases: ReLU(± M + noise + b). So a channel's
# successor is a piecewise linear function of two numbers per pixel, and our networks look it up in a table and never hold their 512 channels.
# The result is that of the full network, to rounding, [many times faster](93_benchmarks). Below, one picture of *oriented* grows from 8 to 256
# pixels.

# %% tags=["hide-input"]
g = sl.generator("stylegan-oriented")
net = g.network_key(0, seed=0)
one = g.keys([5])
grown = {}
for side in (8, 16, 32, 64, 128, 256):
    x = stylegan_tied.tied_synthesis(
        stylegan_network.network(net, side, 1.0, False, "cpu"),
        one,
        torch.tensor(net),
        side,
        g.options,
    )
    x = stylegan.to_photographic(x, one)[0]
    grown[f"{side} px"] = (
        x.repeat_interleave(128 // side, 1).repeat_interleave(128 // side, 2)
        if side < 128
        else x[:, :: side // 128, :: side // 128]
    )
sl.book.labelled(
    grown,
    alt="The same picture after each doubling of the resolution: blobs first, then edges and streaks, then fine detail.",
)

# %% [markdown]
# At last every colour channel is given a random mean and contrast, as photographs have them. Whether all of this follows the authors' code is
# measured on [the page of its laws](83_laws_stylegan).

# %% [markdown]
# ## Training
#
# All sets alike: alignment and uniformity on two random views {cite:p}`wang2020`, no labels. Pictures are painted at 256 px and reduced.

# %% tags=["hide-input"]
runs = sl.study.chapter("03_stylegan", p)
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
sl.book.verdicts("03_stylegan")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/03_stylegan.ipynb out.ipynb -p epochs 20
# python -m synthlearn generate --generator stylegan-oriented --n 100 --size 256 --out stylegan
# ```
#
# One knob worth turning: `sl.generator("stylegan-sparse", noise="envelope_bank")`, another reading of the authors' code.

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
