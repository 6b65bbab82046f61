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
# # Measuring
#
# One number hides much. **Does a set that is good by a linear probe stay good with few examples, on other tasks, at other layers, and when
# the whole network is trained on?**

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
# ## The tasks
#
# Small sets in three groups, in the spirit of VTAB {cite:p}`zhai2019`: *natural* photographs, *specialised* ones (satellite, blood cells,
# traffic signs, digits), and *structured* tasks that ask for number, place, direction and size. The structured ones but the turntable are
# rendered here, so that the label is the only thing that decides them: below, a row per task.
#
# They are discs and bars in flat colours, and so look much like [dead leaves](01_dead_leaves). A lead of synthetic sets over real images in that group
# may be that likeness and no more; the turntable (*coil100*) is its one task with photographs, and has a column of its own.

# %% tags=["hide-input"]
import torch

from synthlearn.measure import tasks

sl.book.contact_sheet(
    torch.cat([tasks.rendered(name, "train", 16).images[:8] for name in tasks.RENDERED]),
    alt="Rows of eight: one to eight discs, a disc in one of eight columns, a bar at one of eight angles, two discs of different ratio; random colours.",
)

# %% [markdown]
# Each task has at most 1,000 training images. A set's score in a group is the mean of (top-1 − chance)/(1 − chance), so that a task with
# two hundred classes weighs as one with six.
#
# ## Transfer

# %% tags=["hide-input"]
transfer = sl.study.measured("transfer", p)
sl.book.transfer_figure(transfer)

# %% tags=["hide-input"]
sl.book.transfer_table(transfer)

# %% [markdown]
# ## Few examples
#
# The nearest class mean from one and five examples per class, ridge regression beyond; means over twenty draws that are the same for all
# encoders.

# %% tags=["hide-input"]
few = sl.study.measured("few_shot", p)
sl.book.lines_figure(few, "examples per class", f"Accuracy on {p.data} from few examples.")

# %% tags=["hide-input"]
sl.book.parts_table(few, "Top-1 in per cent, mean over twenty draws.")

# %% [markdown]
# ## Layers
#
# A linear probe on every layer; convolutions are averaged over space, which makes them short, so compare encoders within a layer rather
# than layers.

# %% tags=["hide-input"]
layers = sl.study.measured("layers", p)
sl.book.lines_figure(layers, "layer", f"Linear probe by layer on {p.data}.")

# %% tags=["hide-input"]
sl.book.parts_table(layers, "Top-1 in per cent.")

# %% [markdown]
# ## Fine-tuning
#
# All layers are trained on a few labelled images (a hundred per class in the *cpu* profile), with a rate chosen from three on a fifth of
# them. A short schedule favours pre-training, a long one lets an untrained network catch up: both are shown. The
# chosen rate stands beside each number: it differs between rows and moves a result by itself.

# %% tags=["hide-input"]
tuned = sl.study.measured("fine_tuning", p)
sl.book.parts_table(tuned, "Top-1 in per cent, and the chosen rate.")

# %% [markdown]
# ## The same run twice
#
# Many rows of this study were run on a processor and again on a GPU: the same recipe of pictures, the same weights at the start, the same
# order and the same views. Only the last bits of sums differ, and training magnifies them. (Making pictures magnifies them too where it is a
# long calculation: most sets are equal to a level of grey, but feature visualisations, climbed in many steps, come out visibly different.)

# %% tags=["hide-input"]
sl.book.pages.devices.device_figure()

# %% tags=["hide-input"]
sl.book.pages.devices.device_table()

# %% [markdown]
# Compare the second line of the table with the third. Where rounding moves a result about as far as another seed does, a twin is as good as a further
# run, pairing runs by their seed gains little, and no list of a study's seeds makes its numbers repeatable on another machine. So this book counts twins
# as runs and pairs nothing: its intervals are over runs, or encoders, and test images, and hold this spread. Where a measurement has one encoder of a
# row, its caption says what the interval is over. The table and figure above show the committed runs in any profile.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("12_measuring")

# %% [markdown]
# ## Try it yourself
#
# The probe takes any encoder file of this project, the authors' released SmallAlexNets (`.pth`, read without running code), and any timm
# model.
#
# ```bash
# python -m synthlearn probe --encoder random --data digits
# python -m synthlearn measure --profile smoke --what layers
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, transfer)
