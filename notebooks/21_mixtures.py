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
# # Mixtures
#
# If sets teach different things, pictures of several might teach more than as many pictures of one. **Is a mixture better than its best
# part?**

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
# ## The mixture
#
# Four sets of four families in equal parts, drawn by lot for every picture: dead leaves, spectrum with colours, oriented StyleGANs, sigma
# fractals. Mixing *within* a picture is another chapter's subject.

# %% tags=["hide-input"]
row = sl.study.get_row("mixture-four")
source = sl.study.Experiment(row, p, seed=0).source()
sl.book.contact_sheet(
    source.sample(range(16), size=96),
    alt="Sixteen pictures of four kinds in random order: leaves, clouds with colours, smooth textures, fractal scenes.",
)

# %% [markdown]
# ## Two comparisons
#
# - **Equal data and equal updates**: the mixture against each part alone, all with the same number of pictures and steps.
# - **Equal views per image**: each part with a quarter of the pictures and a quarter of the steps, so that every picture is seen as often
#   as in the mixture. This is how the authors compared at large scale: their mixture of four trained four times as long. It sets 100 updates against
#   400 here, so the mixture is ahead [in length](24_length) as well as in variety: a lead over a quarter of a part need not be the mixing.
#
# ## Training

# %% tags=["hide-input"]
runs = sl.study.chapter("21_mixtures", p)
sl.book.training(runs)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
sl.book.ablation_figure(runs, p)

# %% tags=["hide-input"]
parts = {
    name: sl.book.baseline(p, name)
    for name in ("dead_leaves-mixed", "stat-spectrum_color", "stylegan-oriented", "fractals-sigma")
}
sl.book.ablation({**runs, **parts}, p, against="mixture-four")

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("21_mixtures")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# python -m synthlearn pretrain --generator mixture --option 'parts={"noise-white": 1, "dead_leaves-mixed": 3}' --out encoder.safetensors
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
