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
# # Layers and fine-tuning
#
# *Up to which layer does noise keep pace with real images, and what is left of it when all layers are trained on?*

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
units, page = sl.study.units, sl.book.pages.layers
layers, tuned = (sl.study.measured(what, p) for what in ("layers", "fine_tuning"))
NOISE, TITLE = "dead_leaves-mixed", "dead leaves"
if "stylegan-oriented" in layers:
    NOISE, TITLE = "stylegan-oriented", "oriented StyleGANs"
by_layer = {name: units.part(layers, name) for name in units.parts(layers)}
by_length = {name: units.part(tuned, name) for name in units.parts(tuned)}
ahead = sl.book.measured_pairs(by_layer, {"": ("real", NOISE)})
sl.book.in_short(
    page.lead_by_layer(ahead, TITLE),
    page.best_layers(by_layer, ("random", NOISE, "real")),
    *(
        sl.book.compare_units(
            of,
            NOISE,
            "random",
            TITLE,
            "a start from random weights",
            where=f"after {name} of fine-tuning, ",
        )
        for name, of in by_length.items()
    ),
)

# %% tags=["hide-input"]
page.activations_figure()

# %% [markdown]
# ## Why it might work
#
# The study probes one layer, fc6. But an encoder is a stack: its first layers see edges and colours, its last ones whole images. Noise has edges and
# textures as photographs have, but no objects. So one may expect it to teach the first layers as well as photographs do, and the last ones less.
#
# A user of an encoder may also do more than probe it: train *all* its layers on the task at hand. Then a good start saves time, and with time enough a
# random start may catch up. Kataoka and others report that fine-tuning from fractals helps on small targets and not on large ones
# {cite:p}`kataoka2020`.
#
# ## How it is measured
#
# A convolution $\ell$ gives a map of activations $a_\ell(x)$ for each of its channels. A linear probe on all of it would have too many numbers, so each map is
# averaged over its $H \times W$ places:
#
# $$f_\ell(x)_c = \frac{1}{HW} \sum_{u=1}^{H} \sum_{v=1}^{W} a_\ell(x)_{c,u,v}.$$
#
# In code, against the library:

# %%
import torch

encoder = sl.encoders.SmallAlexNet(width=1 / 8, input_size=32).eval()
x = torch.randn((4, 3, 32, 32), generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    library = encoder.features(x, encoder.taps)
    a = x
    for number, convolution in enumerate(encoder.conv, start=1):
        a = convolution(a)  # filters, batch norm, ReLU, and sometimes a pooling
        assert torch.equal(a.mean((2, 3)), library[f"conv{number}"])
    fc6 = encoder.fc6(a.flatten(1))  # this layer sees places
    assert torch.equal(fc6, library["fc6"])

# %% [markdown]
# Averaging makes the features of convolutions short, and takes from them where a thing is. So compare encoders within a layer, not layers of an encoder.
#
# ## Result

# %% tags=["hide-input"]
MAIN = ("random", "dead_leaves-mixed", "stylegan-oriented", "real")
sl.book.lines_figure(layers, "layer", f"Linear probe by layer on {p.data}.", MAIN)

# %% tags=["hide-input"]
sl.book.join(
    sl.book.differences_figure(ahead, f"Real images minus {TITLE}, layer by layer."),
    sl.book.folded("Every layer of every set", sl.book.parts_table(layers, "Top-1 in per cent.")),
)

# %% [markdown]
# **Fine-tuning.** All layers are trained on a few labelled images (a hundred of each class in the *cpu* profile), for a short and a long schedule. The
# learning rate is chosen from three on a fifth of the images.

# %% tags=["hide-input"]
sl.book.parts_table(tuned, "Top-1 in per cent, and the learning rate (lr) that was chosen.")

# %% [markdown]
# **Read this table with care.** The chosen rate differs between sets and moves a result by itself: a set can end below the start from random weights
# because of its rate alone. There is one encoder of each set.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("15_layers")

# %% [markdown]
# The papers claim nothing about single layers.

# %% tags=["hide-input"]
sl.book.folded(
    "The page's own comparisons, layer by layer",
    sl.book.differences(
        {f"{name}: real images − {TITLE}": pair for name, pair in ahead.items()},
        "Neither paper makes a claim about single layers",
    ),
)

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    page.lead_by_layer(ahead, TITLE),
    "How far noise falls behind real images depends on the layer that one asks, and with one encoder of each set we cannot say it more closely"
    if p.is_study
    else "",
    "We cannot say how much of a fine-tuned result is the start and how much the learning rate that was chosen",
)

# %% [markdown]
# ## Try it
#
# ```bash
# python -m synthlearn measure --profile smoke --what layers
# python -m synthlearn measure --profile smoke --what fine_tuning
# ```
#
# One knob: `epochs` of `fine_tuning` in `workflow/measurements.toml`. The longer the schedule, the less the start should matter.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# How many pixels does one activation of each convolution see? Compute it from the gradient of one activation in the middle of a map.
# :::

# %% tags=["hide-cell", "solution"]
seen = []
for number in range(1, 6):
    pixels = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(1)).requires_grad_()
    a = pixels
    for convolution in list(encoder.conv)[:number]:
        a = convolution(a)
    middle = a.shape[-1] // 2
    a[0, :, middle, middle].sum().backward()
    reached = (pixels.grad.abs().sum((0, 1)) > 0).nonzero()
    seen.append(int((reached.amax(0) - reached.amin(0) + 1).max()))
    print(f"conv{number}: {seen[-1]} × {seen[-1]} pixels")
assert seen == sorted(seen)

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# What does averaging over space take away? Move the top half of an image to its bottom, and compare the features of conv1 and of fc6 before and after.
# :::

# %% tags=["hide-cell", "solution"]
image = sl.generator("dead_leaves-mixed").sample([4], size=32).float() / 255 - 0.5
moved = image.roll(16, dims=2)
with torch.no_grad():
    before, after = (encoder.features(z, ("conv1", "fc6")) for z in (image, moved))
change = {tap: float((after[tap] - before[tap]).norm() / before[tap].norm()) for tap in before}
print(", ".join(f"{tap} changes by {share:.0%}" for tap, share in change.items()))
assert change["conv1"] < change["fc6"]

# %% tags=["hide-input"]
sl.book.provenance(p, layers)
