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
# The model is the [patch mosaic](30_text_to_image); w = 0 ignores the caption, w = 1 is the model as it is.

# %% tags=["hide-input"]
sl.book.pages.guidance.slider(p)

# %% [markdown]
# ## Accuracy
#
# Every w has its own ten thousand pictures from the same noise; everything else is equal ([the settings](31_stablerep)).

# %% tags=["hide-input"]
SIMCLR = {1: "mosaic-named", 2: "mosaic-named.w2", 4: "mosaic-named.w4", 8: "mosaic-named.w8"}
STABLEREP = {
    1: "mosaic-named.stablerep",
    2: "mosaic-named.stablerep_w2",
    4: "mosaic-named.stablerep_w4",
    8: "mosaic-named.stablerep_w8",
}
sl.book.along(runs, p, "w", {"StableRep": STABLEREP, "SimCLR": SIMCLR})

# %% tags=["hide-input"]
sl.book.ablation(sl.book.chosen(runs, p, *SIMCLR.values()), p, against="mosaic-named")

# %% tags=["hide-input"]
sl.book.ablation(sl.book.chosen(runs, p, *STABLEREP.values()), p, against="mosaic-named.stablerep")

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
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("32_guidance")

# %% [markdown]
# Look at the samples first: if agreement with the caption falls where w grows, guidance has broken them, and the claims about guidance are not tested.
# A mosaic invites that. What guidance leads *away* from is here not a broad model of all images but eighty of them, so the exaggeration soon follows
# those few. The paper's knob needs a model that has learned what images without captions look like. What carries over is the method: one noise for all
# w, and fidelity measured beside accuracy.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/32_guidance.ipynb out.ipynb -p epochs 8
# python -m synthlearn measure --profile smoke --what guidance
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
