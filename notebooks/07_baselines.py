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
# # Baselines
#
# A number means little alone. **How far does one get with no training, with no encoder, with no structure, and with real images?** These
# rows frame every other chapter.

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
# ## What the rows see
#
# Rows: one uniform colour per picture, the floor; white noise, every pixel independent; Perlin's gradient noise {cite:p}`perlin1985`, smooth
# but without edges; and images of the probe's own training set, the upper bound.

# %% tags=["hide-input"]
import torch

from synthlearn.core.image import resize
from synthlearn.data.real import RealImages

noise = [
    sl.generator(f"noise-{kind}").sample(range(8), size=48)
    for kind in ("uniform_color", "white", "perlin")
]
real = resize(RealImages(p.data).sample(range(8), size=48), 48)
sl.book.contact_sheet(
    torch.cat((*noise, real)),
    alt=f"Rows of eight: single colours, white noise, coloured clouds, real images of {p.data}.",
)

# %% [markdown]
# ## How the measurement works
#
# Two classifiers without an encoder read the **mean colour** (three numbers) and the **raw pixels**. The **random encoder** is our network as
# it was initialised; how good a linear layer on its fc6 is, is what all training has to be measured against. White noise and real images then
# train the same network by the same settings as every other set. The picture shows how the classifier's strength of regularisation is chosen: on a
# fifth of the *training* images, never on test images.

# %% tags=["hide-input"]
runs = sl.study.chapter("07_baselines", p)
plain = {name: each for name, each in runs.items() if "." not in name}

figure, axis = sl.book.new(height=2.6)
for name, each in plain.items():
    l2 = [run.main.l2 for run in each]
    axis.plot(
        l2,
        [name.replace("_", " ")] * len(l2),
        "o",
        color=sl.book.styles(plain)[name][0],
        markersize=9,
        alpha=0.7,
    )
axis.set_xscale("log")
axis.set_xlabel("chosen L2 strength (one mark per run)")
sl.book.svg(
    figure, alt="The L2 strength that the held-out fifth of train chose for each baseline and run."
)

# %% [markdown]
# ## Training

# %% tags=["hide-input"]
sl.book.training(plain)

# %% tags=["hide-input"]
sl.book.first_layer(plain)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
sl.book.accuracy_figure(plain, p)

# %% tags=["hide-input"]
sl.book.results(plain, p)

# %% [markdown]
# The last of the encoders is not ours: EfficientNet-Lite0 {cite:p}`tan2019`, trained on ImageNet with labels, reads the same images enlarged to 224 px
# under the same probe. It is **the ceiling under this probe**, not a rival: it has seen 1.3 million labelled photographs. (Its row is of profile cpu and
# needs the extra `reference`; its accuracy is of the layer before its classifier, where ours is of fc6.)
#
# "Real images" trains on the probe's own training images with their labels hidden; its counterpart in the paper is the bar of ImageNet-100,
# which the figure cuts off.
#
# ## How much do the settings matter?
#
# The settings are the same for all sets and were fixed before most of them were run ([method](../book/method) says what is known of how). One check:
# the milder colour jitter that SimCLR made common (hue 0.1 instead of the noise paper's 0.4, on 80 % of the views) for dead leaves; [the page of
# views](23_features) has more. The random encoder sees no views and stays as it is.

# %% tags=["hide-input"]
sl.book.sensitivity(p, ("dead_leaves-mixed",), "mild")

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("07_baselines")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# python -m synthlearn probe --encoder random --data digits
# papermill notebooks/07_baselines.ipynb out.ipynb -p width 0.25
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
