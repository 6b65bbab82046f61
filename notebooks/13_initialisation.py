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
# # Pre-training or initialisation?
#
# An encoder that was trained on noise starts its next task from better weights than one that was not. Better in what way? They may hold something about
# images. Or they may only be of a good size, which a formula could set as well {cite:p}`trockman2023`. **Does training on images of noise teach more than
# a good initialisation?**

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
measured = sl.book.pages.initialisation.recorded(p)

# %% [markdown]
# ## In short

# %% tags=["hide-input"]
sl.book.pages.initialisation.in_short(measured)

# %% [markdown]
# ## How it works
#
# Take a trained encoder. Replace the weights $W$ of each layer by others that share something with them, and nothing else:
#
# (a) **mean and spread**: every number is drawn anew, $\;W'_{ij} \sim \mathcal N(\bar W, s_W^2)$;
#
# (b) **shuffled**: the same numbers in a random order, $\;W'_{ij} = W_{\pi(ij)}$;
#
# (c) **spectrum**: the same singular values with random singular vectors,
#
# $$ W = U \Sigma V^\top \quad\longrightarrow\quad W' = Q_1 \Sigma\, Q_2^\top, \qquad Q_1, Q_2 \text{ uniform among matrices with orthonormal columns;} $$
#
# (d) **first layers**: the first one, two or three convolutions as trained, the rest as it was before training.
#
# What an initialisation could set is in (a) to (c). What only training can know, which weight stands where, is gone there. In (d) it is kept, for some layers.
#
# In code, for one matrix:

# %%
import torch

from synthlearn.core import rng
from synthlearn.learn import surgery

w = torch.outer(torch.linspace(-1, 1, 64), torch.linspace(0, 1, 48))  # a pattern: of rank one
w += 0.1 * rng.normal(rng.key("example", 0), (64, 48))
for name, operate in surgery.STATISTICS.items():
    new = operate(w, rng.key("example", 1))
    first = torch.linalg.svdvals(new)[0] / torch.linalg.svdvals(w)[0]
    alike = torch.corrcoef(torch.stack([w.flatten(), new.flatten()]))[0, 1]
    spread = f"{name:16} sd {new.std():.2f} of {w.std():.2f}"
    print(f"{spread}, first singular value × {first:.2f}, correlation with the old {alike:+.2f}")

# %% [markdown]
# Batch norm has weights of its own, a factor and a shift for each channel. (a) and (b) treat these vectors as a layer's weights; (c), for which a vector has no
# singular vectors, shuffles them. Its running means and variances would be those of the *old* weights. So in **every** arm, the trained and the random
# one too, they are estimated anew on the images that the probe learns from, without labels: the study's convention *fc6, BN re-estimated*
# ([method](../book/method)). The random arm is the very network from which the trained one began.
#
# Each arm is probed as it stands, with the study's linear probe. Random, trained, (a) and (b) are then trained on, all layers, for the same
# few updates ([fine-tuning](12_measuring)). Of the gain of training, $A_\text{trained} - A_\text{random}$, an arm keeps the share
#
# $$ \frac{A_\text{arm} - A_\text{random}}{A_\text{trained} - A_\text{random}}. $$
#
# ## Result

# %% tags=["hide-input"]
sl.book.pages.initialisation.figure(measured)

# %% tags=["hide-input"]
sl.book.pages.initialisation.shares(measured)

# %% [markdown]
# A share can lie below zero, where an arm is worse than the random start, and above one. Where the interval of the gain itself holds zero, there is no share.
#
# ## A closed form for a ViT
#
# In trained vision transformers the product of query and key weights looks like the identity, and that of value and output weights like its negative. One
# can start there {cite:p}`trockman2023`, with $Z$ of normal numbers of variance $1/d$:
#
# $$ W_Q W_K^\top \approx 0.7\, Z + 0.7\, I, \qquad W_V W_O \approx 0.4\, Z' - 0.4\, I. $$
#
# Each factor is half of the product's singular value decomposition, $U\Sigma^{1/2}$ and $\Sigma^{1/2}V^\top$, cut to the rank of a head; positions are told by
# sines, as in that paper. It means this start for training; here it is only probed, frozen, beside a random one: to train a ViT for longer than a few updates
# is beyond one core.

# %% tags=["hide-input"]
sl.book.pages.initialisation.mimetic(measured)

# %% [markdown]
# ## Verdict
#
# The rule was written before its results were seen.

# %% tags=["hide-input"]
sl.book.verdicts("13_initialisation")

# %% [markdown]
# ## What we learned
#
# The question has an answer of its own for each way of using an encoder. Read the table's frozen columns first: there nothing but the weights as they are can
# help. In the fine-tuned ones a start of the right size helps too, since few updates are left to set it right.
#
# What this cannot tell: a longer fine-tuning, in which a random start catches up; larger networks; and whether other closed forms, made for convolutions, keep
# more than the three statistics here.
#
# ## Try it yourself
#
# Ten labelled images of each class are the setting in which a start matters most. What do you expect of the shuffled weights there?
#
# ```bash
# python -m synthlearn measure --profile smoke --what initialisation
# papermill notebooks/13_initialisation.ipynb out.ipynb
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, measured)
