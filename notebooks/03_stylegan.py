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
# *What does a painter network know about images before it has seen one, and which randomness suits it best?*

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
runs = sl.study.chapter("03_stylegan", p)
untrained = sl.book.baseline(p)
oriented, usual = runs["stylegan-oriented"], runs["stylegan-random"]
sl.book.in_short(
    sl.book.compare(oriented, untrained, "oriented StyleGANs", "the untrained encoder"),
    f"That is {way}" if (way := sl.book.way(oriented, p)) else "",
    sl.book.compare(usual, untrained, "the usual initialisation", "the untrained encoder"),
    sl.book.best(runs),
)

# %% tags=["hide-input"]
sets = {}
for name in ("random", "highfreq", "sparse", "oriented"):
    row = sl.study.get_row(f"stylegan-{name}")
    options = row.source_options(row.settings(p))
    sets[name] = sl.generator(row.name, **options, images_per_network=1)
titles = dict(zip(sets, ("random", "high frequencies", "sparse", "oriented"), strict=True))
images = {titles[name]: source.sample(range(8), size=96) for name, source in sets.items()}
sl.book.rows(
    images,
    alt="Eight abstract images of untrained networks",
    caption="The four sets: smooth blobs; blobs under grain; texture in patches; smooth shapes with streaks of edges.",
)

# %% [markdown]
# ## Why it might work
#
# A StyleGAN learns to paint faces from thousands of photographs {cite:p}`karras2020`. Here it learns nothing: its weights stay random, and what
# it paints is the bias of its **architecture**. It works from coarse to fine, every place by the same rule, and every layer adds detail to what
# is there. Natural images are built somewhat like that.
#
# Random weights can be drawn in many ways. The paper's three other sets draw small kernels from a fixed bank of **edges, bars and spots**, as
# wavelets have, and add **noise** to each layer.
#
# In the paper this choice was the largest step of all {cite:p}`baradad2021`: on ImageNet-100 the usual initialisation reached 34 %, the other three 42 to 44 %,
# the best of its sets. An untrained network reached 21 %, one trained on photographs at least 63 %.
#
# ## How an image is made
#
# A layer multiplies its input channels $x_i$ by styles $s_i$, random numbers of this image; convolves with kernels $w_{ki}$ of this network;
# divides by the size of the products; adds noise $n$ and biases $b_k$ (the usual initialisation has neither); and drops what is negative:
#
# $$y_k = \sqrt{2}\; \max\!\left(0,\; \frac{\sum_i s_i\, w_{ki} * x_i}{\sqrt{\sum_i s_i^2\, |w_{ki}|^2}} + n + b_k\right).$$
#
# In code, a layer is one function. Every second layer doubles the resolution first, by a transposed convolution and a blur.

# %%
import torch
from torch.nn import functional

from synthlearn.generators import stylegan_network as sn


def layer(x, style, kernel, doubles):
    x = (x * style[:, None, None])[None]
    if doubles:
        x = functional.conv_transpose2d(x, kernel.transpose(0, 1), stride=2)
        x = sn.smooth(functional.pad(x, (1, 1, 1, 1)))
    else:
        x = functional.conv2d(x, kernel, padding=1)
    size = (kernel * style[:, None, None]).square().sum((1, 2, 3)).sqrt()
    return 2**0.5 * functional.relu(x[0] / size[:, None, None])


# %% [markdown]
# The network starts from 4 × 4 constants. After every second layer it adds colours, a random mixture of the channels, to the image so far.

# %%
from synthlearn.generators import stylegan_free


def paint(net, styles, colour_styles, side, width):
    x, image = net.constant, torch.zeros(3, 2, 2)
    for i, plan in enumerate(sn.layers(side, width)):
        x = layer(x, styles[i][0], net.kernels[i], plan.up)
        if not plan.up:
            colours = net.rgb[i // 2] * colour_styles[i // 2][0]
            image = sn.upsample(image[None])[0]
            image = image + torch.einsum("rc,chw->rhw", colours, x)
    return image


side, width = 64, 1 / 16  # small: the paper's has 256 pixels, width 1
source = sl.generator("stylegan-random", width=width)
key = source.network_key(0, seed=0)
net = sn.network(key, side, width, free=True, device="cpu")
image = paint(net, *sn.styles(net, source.keys([5])), side, width)
library = stylegan_free.free_synthesis(net, source.keys([5]), side, width)
assert torch.allclose(image, library[0], atol=1e-3)

# %% [markdown]
# Lastly, each colour channel is given a random mean and contrast, as photographs have them.

# %% tags=["hide-input"]
sl.book.pages.stylegan.growth()

# %% [markdown]
# The three other sets draw each kernel from a bank: *high frequencies* and *sparse* from one, *oriented* from another. An
# image of the oriented set uses a random part of its bank, so some images are all streaks of one direction.

# %% tags=["hide-input"]
sl.book.pages.stylegan.banks()

# %% [markdown]
# Noise enters every layer. Its amplitude falls as $1/f^\alpha$, with $\alpha$ from 0.5 to 1.5. An envelope confines it to patches, as texture is in photographs.

# %% tags=["hide-input"]
sl.book.pages.stylegan.noise_maps()

# %% [markdown]
# With such kernels all channels of a layer are one map under different signs and biases. Our painter uses this and never holds the 512
# channels; [it is many times faster](93_benchmarks.ipynb), with the full network's images. [The page of laws](83_laws_stylegan.ipynb) compares them with the authors'.
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
sl.book.verdicts("03_stylegan")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "The choice of randomness: "
    + sl.book.compare(oriented, usual, "oriented kernels", "the usual initialisation"),
    "The architecture alone: "
    + sl.book.compare(usual, untrained, "images of the usual initialisation", "no training"),
    "Kernels and noise differ together between these sets, so we cannot say which of the two is at work",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/03_stylegan.ipynb out.ipynb -p epochs 20
# python -m synthlearn generate --generator stylegan-oriented --n 100 --size 256 --out stylegan
# ```
#
# One knob: `sl.generator("stylegan-oriented", noise="none")`. Expect the same shapes without texture.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Mix two images of one network: styles of the first up to some layer, of the second from there on. Which of the two decides where things are,
# and which the colours? First predict what happens when the change comes early or late.
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.generators import stylegan

keys = source.keys([5, 6])
(a, colours_a), (b, colours_b) = (sn.styles(net, each) for each in keys.split(1))
mixed = {
    f"changed at layer {at}": paint(
        net, a[:at] + b[at:], colours_a[: at // 2] + colours_b[at // 2 :], side, width
    )
    for at in (0, 2, 4, 6, len(a))
}
sl.book.labelled(
    {
        name: sl.book.sheets.enlarge(stylegan.to_photographic(x[None], keys[:1]), 2)[0]
        for name, x in mixed.items()
    },
    alt="Five images on the way from one to another: an early change replaces the shapes, a late one little.",
)

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Tie the kernels: let every output channel have the kernels of the first, times +1 or −1. Show that all channels are then one map: that
# each channel before the ReLU is ± the first.
# :::

# %% tags=["hide-cell", "solution"]
draw = torch.Generator().manual_seed(0)
x = torch.randn((1, 16, 32, 32), generator=draw)
kernels = torch.randn((1, 16, 3, 3), generator=draw)
sign = torch.randn((24, 1, 1, 1), generator=draw).sign()
channels = functional.conv2d(x, sign * kernels, padding=1)[0]
assert torch.allclose(channels, sign[:, 0] * sign[0] * channels[0], atol=1e-4)
print("24 channels, one map")

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Which of the four sets is most like photographs in its edges? Guess from the images above; then measure the kurtosis of the steps between
# neighbours. A Gaussian has 3, photographs have far more.
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.measure import metrics

for name, each in images.items():
    print(f"{name:16}", f"{metrics.step_kurtosis(each).median():.1f}")

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
