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
# What these pictures are, in three sentences. **The question of the chapter?**

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
# ## The pictures

# %% tags=["hide-input"]
row = sl.study.get_row("ROW")
source = sl.study.Experiment(row, p, seed=0).source()
sl.book.contact_sheet(source.sample(range(16), size=96), alt="Sixteen pictures of the set ROW.")

# %% [markdown]
# ## Training

# %% tags=["hide-input"]
runs = sl.study.chapter("CHAPTER", p)
sl.book.training(runs)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
sl.book.accuracy_figure(runs, p)

# %% tags=["hide-input"]
sl.book.results(runs, p)

# %% tags=["hide-input"]
sl.book.gains(runs, p)

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
