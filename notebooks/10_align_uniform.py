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
# # Losses
#
# Two views of a picture should land close together; different pictures should spread out. **Does it matter how that is said, and do labels
# help that come for free?**

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
# ## Two forces
#
# The noise paper trains with *alignment and uniformity* {cite:p}`wang2020`: the mean squared distance of two views of a picture, plus the
# logarithm of the mean of exp(−2 d²) over all pairs of pictures in a batch. The picture shows both terms over training, from the right,
# where the pictures crowd together, to the left, where they spread; the dotted line is a random spread on the sphere.

# %% tags=["hide-input"]
runs = sl.study.chapter("10_align_uniform", p)
base = {"dead_leaves-mixed": sl.book.baseline(p, "dead_leaves-mixed")}
sl.book.terms_figure(
    {**base, **{name: each for name, each in runs.items() if name.startswith("dead_leaves")}}
)

# %% [markdown]
# ## What is varied
#
# - **The weight of uniformity**: half and twice the paper's; **batches of 128** in place of the study's, at equal epochs.
# - **SimCLR** {cite:p}`chen2020simclr`: the same two views, a softmax over the batch, temperature 0.5, which is usual for short schedules
#   and was not tuned here.
# - **Labels for free**: FractalDB's categories. *Cross-entropy* as its authors train {cite:p}`kataoka2020` (one view per picture, so half
#   the passes through the network), and *SupCon* {cite:p}`khosla2020`, in which all pictures of a category are positives. With a few
#   thousand pictures a thousand categories would have few members each, so these rows have a hundred.
#
# Everything else is as in the other chapters: the same images, views, optimiser and number of epochs.
#
# ## Result

# %% tags=["hide-input"]
sl.book.ablation_figure(runs, p)

# %% tags=["hide-input"]
sl.book.ablation(runs, p)

# %% [markdown]
# Mind the runs of each row: single runs lie apart as far as [rounding alone moves them](12_measuring), and the intervals hold that.
# SupCon and cross-entropy are to be compared with *FractalDB, 100 categories*, which sees the same pictures without their labels.

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("10_align_uniform")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/10_align_uniform.ipynb out.ipynb -p epochs 20
# python -m synthlearn pretrain --generator fractals-fractaldb --set method=supcon --method-option temperature=0.2 --out encoder.safetensors
# ```
#
# One knob worth turning: `--set method=simclr --method-option temperature=0.1`.

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
