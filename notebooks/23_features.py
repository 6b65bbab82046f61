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
# # What the features look like
#
# The press called it *learning to see by looking at noise*. **What do these networks look for, and which views taught them?**

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
# ## First layer
#
# The filters that see the picture, as they are after training; the untrained network's are noise. Look for edges and colour contrasts, and at which
# pictures they come from.

# %% tags=["hide-input"]
NAMES = (
    "random",
    "noise-white",
    "dead_leaves-mixed",
    "fractals-sigma",
    "stat-spectrum_color",
    "real",
)
sl.book.first_layer({name: sl.book.baseline(p, name) for name in NAMES})

# %% [markdown]
# ## Deeper units
#
# A unit of the third and of the fifth convolution, drawn by letting a picture climb its activation, averaged over space {cite:p}`olah2017`,
# exactly as the [feature visualisations](05_feature_vis) are made. Units are the first eight of a layer: chosen by number, not by look.

# %% tags=["hide-input"]
sheets = sl.book.unit_sheets(("random", "dead_leaves-mixed", "real"), ("conv3", "conv5"), p)
sheets["conv3"]

# %% tags=["hide-input"]
sheets["conv5"]

# %% [markdown]
# ## Which views
#
# Two views of one picture must agree, so whatever a view changes is something that the network learns to ignore. The study's views are the
# noise paper's, with very strong colour jitter. Here: none at all, milder jitter, and smaller crops, for noise and for real images.

# %% tags=["hide-input"]
runs = sl.study.chapter("23_features", p)
MILD = "dead_leaves-mixed.mild"
views = {**runs, MILD: sl.book.baseline(p, MILD)}
sl.book.ablation_figure(views, p)

# %% tags=["hide-input"]
sl.book.ablation(views, p)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("23_features")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# python -m synthlearn pretrain --generator dead_leaves-mixed --set jitter_p=0.0 --out encoder.safetensors
# papermill notebooks/23_features.ipynb out.ipynb -p epochs 20
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, views)
