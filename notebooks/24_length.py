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
# The study's runs are short: 400 updates of the network, where the noise paper made 27,400 {cite:p}`baradad2021`. **Does noise keep its place
# beside real images when both train longer?**

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
# ## What is varied
#
# The number of updates, and nothing else: a row's own runs, and the same with three and with ten times as many epochs over the same images, as far
# as these have been made (the caption names those that have not). The schedule is stretched, so the learning rate climbs over the first fifth of
# each run and reaches zero at its end. No setting was tuned for the longer runs. The random encoder is the same at every length.

# %% tags=["hide-input"]
runs = sl.study.chapter("24_length", p)
sl.book.pages.lengths.length_figure(runs, p)

# %% [markdown]
# What a source gains by longer training is read along its line. How good noise is beside real images is read up and down: at one number of updates,
# how far of the way from the random encoder to real images it goes. That share falls when real images gain faster than noise, even if noise gains too;
# at few updates it is the share of a short way.

# %% tags=["hide-input"]
sl.book.pages.lengths.length_table(runs, p)

# %% [markdown]
# The last lines are the paper's own shares, computed from its bars. Only the shares can be held against ours, and those with care: its real images are
# another set than ours, its network is wider, its images are larger, and it has one run of each. (In the smoke profile the lengths differ by four
# updates: it only shows that the path works.)
#
# ## Training

# %% tags=["hide-input"]
longest = {
    name: each for name, each in runs.items() if name.startswith(("dead_leaves-mixed", "real"))
}
sl.book.training(longest or {"real": sl.book.baseline(p, "real")})

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("24_length")

# %% [markdown]
# What this page cannot say: even ten times as many epochs are about a seventh of the paper's updates, they repeat ten thousand images a hundred
# times ([new images instead](22_number_of_images) are another question), and all lengths follow one schedule. Where the longer runs are still to
# be made, its question is open.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/24_length.ipynb out.ipynb -p seeds 2
# python -m synthlearn run --profile cpu --row dead_leaves-mixed.u1200 --seed 0
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
