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
# # Guidance
#
# Samplers of text-to-image models exaggerate what a caption adds; the factor *w* is the paper's knob {cite:p}`tian2023`. Users like large
# ones: pictures say their caption loudly and look alike. **Which w teaches best, and is it the one that looks best?**

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
epochs: int = None  # None: the profile's value
n_images: int = None
width: float = None
seeds: int = None
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
device: str = None

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
runs = sl.study.chapter("32_guidance", p)

# %% [markdown]
# ## One noise along w
#
# The model is the [learned one](30_text_to_image). With $D(x)$ for what it makes of a noisy image without a caption, and $D(x \mid c)$ with it,
# guidance is $D(x) + w\,(D(x \mid c) - D(x))$: $w = 0$ ignores the caption, $w = 1$ is the model as it is.

# %% tags=["hide-input"]
sl.book.pages.guidance.slider(p)

# %% [markdown]
# ## Accuracy
#
# Every w has its own ten thousand pictures from the same noise; everything else is equal ([the settings](31_stablerep)). All runs of a row train on the
# same pictures of the same model, so intervals tell of training, not of how another model would have turned out.

# %% tags=["hide-input"]
SCALES = {1: "", 1.5: "w1_5", 2: "w2", 3: "w3", 4: "w4", 6: "w6"}
SIMCLR = {w: f"learned.{tail}" if tail else "learned" for w, tail in SCALES.items()}
STABLEREP = {
    w: f"learned.stablerep_{tail}" if tail else "learned.stablerep" for w, tail in SCALES.items()
}
sl.book.along(runs, p, "w", {"StableRep": STABLEREP, "SimCLR": SIMCLR})

# %% tags=["hide-input"]
sl.book.ablation(sl.book.chosen(runs, p, *SIMCLR.values()), p, against="learned")

# %% tags=["hide-input"]
sl.book.ablation(sl.book.chosen(runs, p, *STABLEREP.values()), p, against="learned.stablerep")

# %% [markdown]
# ## Fidelity and variety
#
# Guidance is said to trade variety for fidelity: precision and agreement with the caption should rise as recall and variety fall. Agreement is
# the share of samples that a classifier, trained on photographs that the model has not seen, takes for the class of the caption.

# %% tags=["hide-input"]
measured = sl.study.measured("guidance", p)
sl.book.pages.guidance.fidelity_figure(measured, list(SIMCLR.values()), p)

# %% tags=["hide-input"]
sl.book.pages.guidance.fidelity_table(
    {name: records for name, records in measured.items() if name in SIMCLR.values()}
)

# %% [markdown]
# The claims about guidance have a control: agreement with the caption must rise from w = 1 to 2. If it does not, guidance has broken the samples, and
# nothing follows about the paper's knob.
#
# ## A model that guidance breaks
#
# [Patch mosaics](30_text_to_image) fail that control. What guidance leads *away* from is for them not a broad model of all images but eighty of them,
# and the exaggeration soon follows those few. They show what the control is for.

# %% tags=["hide-input"]
MOSAICS = {1: "mosaic-named", 2: "mosaic-named.w2", 4: "mosaic-named.w4", 8: "mosaic-named.w8"}
OF_STABLEREP = {
    1: "mosaic-named.stablerep",
    2: "mosaic-named.stablerep_w2",
    4: "mosaic-named.stablerep_w4",
    8: "mosaic-named.stablerep_w8",
}
sl.book.along(runs, p, "w", {"StableRep": OF_STABLEREP, "SimCLR": MOSAICS})

# %% tags=["hide-input"]
sl.book.pages.guidance.fidelity_table(
    {name: records for name, records in measured.items() if name in MOSAICS.values()}
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("32_guidance")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/32_guidance.ipynb out.ipynb -p epochs 8
# python -m synthlearn measure --profile smoke --what guidance
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
