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
# *Does training on images of noise teach more than a good initialisation would?*

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
page = sl.book.pages.initialisation
measured = page.recorded(p)
page.in_short(measured)

# %% tags=["hide-input"]
import torch

from synthlearn.core import rng
from synthlearn.learn import surgery

pattern = torch.outer(torch.linspace(-1, 1, 64), torch.linspace(0, 1, 48))  # of rank one
w = pattern + 0.1 * rng.normal(rng.key("example", 0), (64, 48))
others = {name: operate(w, rng.key("example", 1)) for name, operate in surgery.STATISTICS.items()}
sl.book.labelled(
    {
        name: sl.book.grey(each.repeat_interleave(3, 0).repeat_interleave(3, 1))
        for name, each in {"as trained": w, **others}.items()
    },
    alt="A matrix of numbers as grey levels",
    caption="A made-up matrix of weights with a pattern, and three that share only statistics with it: the pattern is gone.",
)

# %% [markdown]
# ## Why it matters
#
# An encoder that was trained on noise starts its next task from better weights than one that was not. Better in what way? They may hold something about
# images. Or they may only be of a good *size*, which a formula could set as well {cite:p}`trockman2023`.
#
# Then training on noise would be a costly way to set a scale.
#
# ## How it is tested
#
# Take a trained encoder. Replace the weights $W$ of each layer by others that share something with them, and nothing else:
#
# (a) **mean and spread**: every number is drawn anew, $\;\tilde W_{ij} \sim \mathcal N(\bar W, s_W^2)$;
#
# (b) **shuffled**: the same numbers in a random order, $\;\tilde W_{ij} = W_{\pi(ij)}$;
#
# (c) **spectrum**: the same singular values with random singular vectors,
#
# $$ W = U \Sigma V^\top \quad\longrightarrow\quad \tilde W = Q_1 \Sigma\, Q_2^\top, $$
#
# with $Q_1$ and $Q_2$ uniform among matrices with orthonormal columns;
#
# (d) **first layers**: the first one, two or three convolutions as trained, the rest as it was before training.
#
# What an initialisation could set is in (a) to (c). What only training can know, which weight stands where, is gone there. In (d) it is kept, for some
# layers. In code, for one matrix:

# %%
for name, new in others.items():
    first = torch.linalg.svdvals(new)[0] / torch.linalg.svdvals(w)[0]
    alike = torch.corrcoef(torch.stack([w.flatten(), new.flatten()]))[0, 1]
    spread = f"{name:16} sd {new.std():.2f} of {w.std():.2f}"
    print(f"{spread}, first value × {first:.2f}, correlation {alike:+.2f}")

order = rng.permutation(rng.key("example", 1), w.numel())
mixed = w.flatten()[order]  # (b) by hand
assert torch.equal(mixed.view(64, 48), others["shuffled"])
kept = torch.linalg.svdvals(others["spectrum"]) - torch.linalg.svdvals(w)
assert kept.abs().max() < 1e-4  # (c) keeps every singular value

# %% [markdown]
# Batch norm's factors and shifts count as weights of a layer in (a) and (b); (c) shuffles them. Its running means and variances would be those of the
# *old* weights. So in **every** arm, the trained and the random one too, they are estimated anew, without labels, on the images that the probe learns
# from: the study's convention *fc6, BN re-estimated* ([method](../book/method.md)). The random arm is the very network from which the trained one began.
#
# Each arm is probed as it stands. Random, trained, (a) and (b) are then also trained on, all layers, for the same few updates
# ([fine-tuning](15_layers.ipynb)). Of the gain of training an arm keeps the share
#
# $$ \frac{A_\text{arm} - A_\text{random}}{A_\text{trained} - A_\text{random}}. $$
#
# ## Result

# %% tags=["hide-input"]
page.figure(measured)

# %% tags=["hide-input"]
page.shares(measured)

# %% [markdown]
# A share can lie below zero, where an arm is worse than the random start, and above one. Where the interval of the gain itself holds zero, there is no share.
#
# ## A closed form for a ViT
#
# In trained vision transformers the product of query and key weights looks like the identity, and that of value and output weights like its negative. One
# can start there {cite:p}`trockman2023`, with $Z$ of normal numbers of variance $1/d$:
#
# $$ W_Q W_K^\top \approx 0.7\, Z + 0.7\, I, $$
#
# $$ W_V W_O \approx 0.4\, \tilde Z - 0.4\, I. $$
#
# Each factor is half of the product's singular value decomposition, $U\Sigma^{1/2}$ and $\Sigma^{1/2}V^\top$, cut to the rank of a head; positions are told by
# sines, as in that paper. The paper means this start for training. Here it is only probed, frozen, beside a random one.

# %% tags=["hide-input"]
page.mimetic(measured)

# %% [markdown]
# ## Verdict
#
# The rule was written before its results were seen.

# %% tags=["hide-input"]
sl.book.verdicts("13_initialisation")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    page.kept_in_words(measured),
    page.mimetic_in_words(measured),
    "Frozen and fine-tuned encoders ask different questions: frozen, only the weights as they are can help; fine-tuned, a start of the right size may help too",
    "We cannot tell what a longer fine-tuning does, in which a random start catches up, nor larger networks, nor closed forms made for convolutions",
)

# %% [markdown]
# ## Try it
#
# ```bash
# python -m synthlearn measure --profile smoke --what initialisation
# papermill notebooks/13_initialisation.ipynb out.ipynb
# ```
#
# One knob: `per_class` of `initialisation` in `workflow/measurements.toml`. With fewer labelled images expect wider intervals.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Shuffle the numbers within each row of $W$ only. Which of these stay: the spread, the rows' lengths, the singular values, the product $W W^\top$'s diagonal?
# :::

# %% tags=["hide-cell", "solution"]
keys = rng.fold(rng.key("rows", 0), torch.arange(64))
rowwise = torch.stack([row[rng.permutation(key, 48)] for row, key in zip(w, keys, strict=True)])
stays = {
    "spread": torch.isclose(rowwise.std(), w.std()),
    "lengths of rows, the diagonal": torch.allclose(rowwise.norm(dim=1), w.norm(dim=1)),
    "singular values": torch.allclose(torch.linalg.svdvals(rowwise), torch.linalg.svdvals(w)),
}
for name, each in stays.items():
    print(f"{name}: {'stays' if each else 'changes'}")
assert [bool(each) for each in stays.values()] == [True, True, False]

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# The mimetic product $0.7\, Z + 0.7\, I$ is cut to the rank of a head. For $d = 192$ and a head of 64 numbers, how much of the identity, measured by the mean of the
# diagonal, is left?
# :::

# %% tags=["hide-cell", "solution"]
d = 192
product = 0.7 * rng.normal(rng.key("z", 0), (d, d)) / d**0.5 + 0.7 * torch.eye(d)
u, s, vt = torch.linalg.svd(product)
left = [float((u[:, :r] * s[:r] @ vt[:r]).diagonal().mean()) for r in (16, 64, 192)]
print(", ".join(f"rank {r}: {v:.2f}" for r, v in zip((16, 64, 192), left, strict=True)))
assert left == sorted(left) and abs(left[-1] - 0.7) < 0.05

# %% tags=["hide-input"]
sl.book.provenance(p, measured)
