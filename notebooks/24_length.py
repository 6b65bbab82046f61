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
# # How long to train
#
# *Does noise keep its place beside real images when both train longer?*

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
page, BEST = sl.book.pages.lengths, "programs-100"
runs = sl.study.chapter("24_length", p)
sources = {"programs-100": "a hundred random programs", "dead_leaves-mixed": "dead leaves"}
sl.book.in_short(
    page.keeps_its_place(runs, p, sources)
    if runs
    else f"We cannot tell yet: {page.planned(runs, p)}",
    *(page.shares_in_words(runs, p, name, title) for name, title in sources.items()),
    page.gained(runs, p) if runs else "",
    sl.book.verdict("gap_20"),
    page.planned(runs, p) if runs else "",
)

# %% tags=["hide-input"]
page.length_figure(runs, p)

# %% [markdown]
# ## Why it might matter
#
# The study's runs are short: 400 updates of the network, where the noise paper made 27,400 {cite:p}`baradad2021`. After so few updates an encoder
# trained on real images is far from what it can be. A source that teaches *quickly* then looks like one that teaches *much*.
#
# In that paper the best noise goes at most half to two thirds of the way from the untrained encoder to real images. If ours goes further, the reason may be
# that our way is short.
#
# ## How it is measured
#
# Let $A(u)$ be the accuracy after $u$ updates. How much a source gains by longer training is a difference along its line, $A(v) - A(u)$ for $v > u$. How good it is
# beside real images is read at one $u$, as the share of the way from the untrained encoder, which needs no update:
#
# $$s(u) = \frac{A_\text{source}(u) - A_\text{untrained}}{A_\text{real}(u) - A_\text{untrained}}.$$
#
# The share falls when real images gain faster than the source, even if that gains too. At few updates it is the share of a short way.
#
# Only the number of updates is varied: three and ten times as many epochs over the same images. The learning rate $\eta$ climbs over the first fifth of
# a run and falls to zero by its end, and this course is stretched with it. After step $i$ of $u$, from that fifth on,
#
# $$\eta_i = \tfrac{1}{2}\, \eta_\text{max} \left(1 + \cos \pi \frac{i/u - 1/5}{1 - 1/5}\right).$$
#
# In code, against the library:

# %%
from math import cos, pi

from synthlearn.learn.optimisation import Optimisation, learning_rate


def rate(i, steps, peak):
    if i < steps / 5:
        return peak * (i + 1) / (steps / 5)
    return peak / 2 * (1 + cos(pi * (i / steps - 0.2) / 0.8))


cycle = Optimisation(epochs=1, batch_size=256, lr=0.12)
for steps in (400, 1200, 4000):
    for i in range(0, steps, 7):
        assert abs(rate(i, steps, 0.12) - learning_rate(i, steps, cycle)) < 1e-9

# %% [markdown]
# So a run of 400 updates is not the first tenth of a run of 4,000: its learning rate has already fallen to zero. No setting was tuned for the longer runs.
#
# ## What the network learns from it

# %% tags=["hide-input"]
longest = {
    name: each for name, each in runs.items() if name.startswith(("dead_leaves-mixed", "real"))
}
sl.book.training(
    longest or {name: sl.book.baseline(p, name) for name in ("dead_leaves-mixed", "real")}
)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
page.length_table(runs, p)

# %% [markdown]
# Only shares can be held against the paper's, and those with care: its real images are another set than ours, its network is wider, its images are
# larger, and it has one run of each. In the *smoke* profile the lengths differ by a few updates: it only shows that the path works.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("24_length")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    page.shares_in_words(runs, p, BEST, sources[BEST]),
    page.planned(runs, p),
    "Even the longest runs planned make a seventh of the paper's updates and repeat ten thousand images a hundred times"
    if p.is_study
    else "",
)

# %% [markdown]
# [New images in place of repeated ones](22_number_of_images.ipynb) are another question, and all lengths follow one schedule.
#
# ## Try it
#
# ```bash
# papermill notebooks/24_length.ipynb out.ipynb -p seeds 2
# python -m synthlearn run --profile cpu --row dead_leaves-mixed.u1200 --seed 0
# ```
#
# One knob: `-p epochs 12`, three times the *smoke* profile's. Expect the loss to end lower; whether accuracy follows is this page's question.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Noise gains 6 points over the untrained encoder and real images gain 8. Both then gain 4 more by longer training. Does the share of the way rise or fall?
# For which gains does it stay?
# :::

# %% tags=["hide-cell", "solution"]
before, after = 6 / 8, (6 + 4) / (8 + 4)
print(f"from {before:.0%} to {after:.0%}: equal gains bring the share nearer to 1")
assert after > before
assert before == (6 + 3) / (8 + 4)  # it stays where noise gains in proportion

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# How much of a run is spent at more than half of the highest learning rate? Does it depend on the length?
# :::

# %% tags=["hide-cell", "solution"]
for steps in (400, 1200, 4000):
    high = sum(rate(i, steps, 1.0) > 0.5 for i in range(steps)) / steps
    print(f"{steps:,} updates: {high:.0%} of them above half")
    assert abs(high - (0.1 + 0.4)) < 0.01  # half of the climb, half of the fall

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
