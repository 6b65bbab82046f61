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
# Ask a network what excites one of its units, and climb: the picture that results shows edges, textures and parts, though nobody drew them.
# Such pictures can train the next network. **Do they teach more than the data of the network that they came from?**

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
# ## Pictures that excite a unit
#
# First row: of a **random** network. Second row: of a network that was trained on **dead leaves** by this book {cite:p}`baradad2021`.

# %% tags=["hide-input"]
import torch

rows = [sl.study.get_row(f"feature_vis-{kind}") for kind in ("random", "dead_leaves")]
sources = [sl.study.Experiment(row, p, seed=0).source() for row in rows]
sheet = torch.cat([source.sample(range(8), size=48) for source in sources])
sl.book.contact_sheet(
    sheet.repeat_interleave(2, 2).repeat_interleave(2, 3),
    alt="Two rows of eight optimised pictures: mottled textures above; curved edges and spots below.",
)

# %% [markdown]
# ## How it works
#
# A picture is the sigmoid of a Fourier series in decorrelated colours. Its coefficients start as weak 1/f noise and follow the gradient of
# one or two units of the last convolution, averaged over the picture {cite:p}`olah2017`. Between steps the picture is shifted, shrunk and
# turned a little, so that no pixel pattern can cheat. Below, one picture of each network over its steps (random left, dead leaves right), and
# how much it excites its unit.

# %% tags=["hide-input"]
climbs = sl.book.pages.feature_vis.climbs(p)
sl.book.pages.feature_vis.climb_slider(climbs)

# %% tags=["hide-input"]
sl.book.pages.feature_vis.climb_figure(climbs)

# %% [markdown]
# The paper looks into a ResNet-50 at 256 pixels, some 4 TFLOP per picture by arithmetic. That is here too, as
# `sl.generator("feature_vis-random")`. The smaller profiles look into our small encoder at 48 pixels, with fewer steps. The second row's encoder is
# that of the row *dead leaves, mixed* of the same seed. What can be checked is on [the page of laws](85_laws_feature_vis).
#
# **These are not the paper's pictures.** Another network at another size makes other pictures, as that page measures; they stand beside the paper's
# numbers because they are made by the same recipe. And they are not wholly without photographs: the decorrelated colours are axes that were measured on
# photographs, so their palette resembles theirs (*colour* on [the page of properties](20_properties)).
#
# **Their pool is smaller.** *cpu* makes 2,000 pictures, with half the steps, and sees each fifty times, where the other sets have 10,000 and see each
# ten times: as many updates on fewer pictures ([deviations](../book/deviations)). [The page about numbers of images](22_number_of_images) measures
# what that does to dead leaves, and the claim below compares with dead leaves of a pool of like size.

# %% [markdown]
# ## Training
#
# As for every set: alignment and uniformity on two random views {cite:p}`wang2020`, no labels.

# %% tags=["hide-input"]
runs = sl.study.chapter("05_feature_vis", p)
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
sl.book.verdicts("05_feature_vis")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/05_feature_vis.ipynb out.ipynb -p epochs 20
# python -m synthlearn pretrain --generator dead_leaves-mixed --out leaves.safetensors
# python -m synthlearn generate --generator feature_vis-dead_leaves --option encoder=leaves.safetensors --n 16 --size 64 --out features
# ```
#
# One knob worth turning: `--option steps=512`.

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
