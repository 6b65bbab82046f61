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
# # ROW
#
# *The question of the chapter?*

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
runs = sl.study.chapter("CHAPTER", p)
sl.book.in_short(
    *(sl.book.compare(each, sl.book.baseline(p), name, "nothing") for name, each in runs.items())
)

# %% tags=["hide-input"]
row = sl.study.get_row("ROW")
source = sl.study.Experiment(row, p, seed=0).source()
images = source.sample(range(8), size=96)
sl.book.contact_sheet(images, alt="Eight images of the set ROW.")

# %% [markdown]
# ## Why it might work
#
# One idea a paragraph.
#
# ## How an image is made
#
# The law, displayed: $$p(r) \propto r^{-3}.$$ Then five to fifteen lines of code in an open cell,
# which asserts that it equals the library.
#
# ## What the network learns from it

# %% tags=["hide-input"]
sl.book.training(runs)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
sl.book.accuracy_figure(runs, p)

# %% tags=["hide-input"]
sl.book.results(runs, p)

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(sl.book.best(runs), "What we cannot say")

# %% [markdown]
# ## Try it
#
# One command, one knob, and what to expect when it is turned.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# A question that a reader can answer by running something.
# :::

# %% tags=["hide-cell", "solution"]
assert source.sample([0], size=32).shape == (1, 3, 32, 32)

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
