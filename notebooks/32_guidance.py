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
# *Which amount of guidance makes samples teach best, and is it the amount that makes them look best?*

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
measured = sl.study.measured("guidance", p)
SCALES = {1: "", 1.5: "w1_5", 2: "w2", 3: "w3", 4: "w4", 6: "w6"}
SIMCLR = {w: f"learned.{tail}" if tail else "learned" for w, tail in SCALES.items()}
STABLEREP = {
    w: f"learned.stablerep_{tail}" if tail else "learned.stablerep" for w, tail in SCALES.items()
}
METHODS, page = {"StableRep": STABLEREP, "SimCLR": SIMCLR}, sl.book.pages.guidance
learned = sl.book.chosen(runs, p, *SIMCLR.values(), *STABLEREP.values())
broken = sl.book.chosen(runs, p, "mosaic-named.stablerep", "mosaic-named.stablerep_w8")
sl.book.in_short(
    page.teaching_in_words(runs, p, METHODS),
    page.look_in_words(measured, [*SIMCLR.values()], runs, p, METHODS),
    page.along_in_words(measured, [*SIMCLR.values()], p),
    sl.book.compare(
        broken.get("mosaic-named.stablerep_w8"),
        broken.get("mosaic-named.stablerep"),
        "w = 8",
        "w = 1",
        where="guidance breaks patch mosaics: with StableRep on them, ",
    ),
    unsure="which guidance teaches best: most of the grid has not been trained yet"
    if p.is_study and len(learned) < len(SIMCLR)
    else "",
)

# %% tags=["hide-input"]
page.slider(p)

# %% [markdown]
# ## Why it might work
#
# Samplers of text-to-image models exaggerate what a caption adds; the factor $w$ is the paper's knob {cite:p}`tian2023`. Users like large values: images
# say their caption loudly, and look alike. For a teacher the two pull apart. Louder images make a caption easier to learn. Images that look alike
# have less to learn from.
#
# In the paper, StableRep does best with little guidance, $w = 2$, and SimCLR with more, near 8 {cite:p}`tian2023`; our grid ends at 6.
#
# ## How it works
#
# With $D(x)$ for the clean image that the model expects without a caption, and $D(x \mid c)$ with it, guidance follows
#
# $$D_w(x \mid c) = D(x) + w\,\bigl(D(x \mid c) - D(x)\bigr).$$
#
# Guided samples are often said to follow the *tilted* density $p(x \mid c)^w\, p(x)^{1-w}$. They do not. Where all images have variance $v$ and a
# caption's have $v_c$, both Gaussian, the samples' variance is the weighted *geometric* mean of the two; the tilted density has the harmonic one:
#
# $$v_w = v_c^{\,w}\, v^{\,1-w}$$
#
# $$v_{\text{tilted}} = \left(\frac{w}{v_c} + \frac{1-w}{v}\right)^{-1}.$$
#
# Sample it: noise falls in 200 steps along the guided direction.

# %%
import itertools

import torch

from synthlearn.text2image import gaussian, sampling

w, v, mean, v_all, mean_all = 2.0, 0.5, 1.0, 1.0, 0.0  # a caption, all images


def expect(x, noise, mean, v):  # D of a Gaussian: the posterior mean
    return mean + v / (v + noise**2) * (x - mean)


levels = sampling.noise_levels(200, *gaussian.NOISE)
draw = torch.Generator().manual_seed(0)
x = levels[0] * torch.randn(20_000, generator=draw)
for high, low in itertools.pairwise(levels):
    free = expect(x, high, mean_all, v_all)
    D = free + w * (expect(x, high, mean, v) - free)
    x = x + (low - high) * (x - D) / high

known = (mean, v, mean_all, v_all, w)
_, library = gaussian.guided_moments(*known, steps=200, solver="euler")
law, tilted = v**w * v_all ** (1 - w), 1 / (w / v + (1 - w) / v_all)
assert abs(x.var() / library - 1) < 0.04  # 20,000 samples
print(f"samples {x.var():.3f}, law {law:.3f}, tilted density {tilted:.3f}")

# %% tags=["hide-input"]
sl.book.folded(
    "The law at other variances and scales, and one Gaussian per caption as images",
    page.law_table(),
    page.gaussian_sheet(p),
)

# %% [markdown]
# ## Result
#
# **What guidance does to samples.** It is said to trade variety for fidelity: precision and agreement with the caption should rise as recall and
# variety fall. Which of these rise and which fall here, the figure's caption says.
#
# *Precision* is the share of samples that lie among real images, *recall* the share of real images that lie among the samples. *Agreement* is the share of
# samples that a classifier, trained on real images that the model has not seen, takes for the class of the caption. It is also a control. If it does not
# rise from $w = 1$ to 2, guidance has broken the samples, and nothing follows about the paper's knob.

# %% tags=["hide-input"]
page.fidelity_figure(measured, [*SIMCLR.values()], p)

# %% [markdown]
# **What it does to accuracy.** Every $w$ has its own ten thousand images from the same noise; everything else is equal
# ([the settings](31_stablerep.ipynb)). All runs of a row train on the same images of the same model, so intervals tell of training, not of how another
# model would have turned out.

# %% tags=["hide-input"]
sl.book.along(runs, p, "w", METHODS)

# %% [markdown]
# **A model that guidance breaks.** [Patch mosaics](30_text_to_image.ipynb) have an exact score, but fail the control above. Guidance leads them
# *away* not from a broad model of all images but from eighty of them, and soon shows what those few are not.

# %% tags=["hide-input"]
MOSAICS = {1: "mosaic-named", 2: "mosaic-named.w2", 4: "mosaic-named.w4", 8: "mosaic-named.w8"}
OF_STABLEREP = {
    1: "mosaic-named.stablerep",
    **{w: f"mosaic-named.stablerep_w{w}" for w in (2, 4, 8)},
}
sl.book.join(
    sl.book.folded(
        "Mosaics under guidance",
        page.sheet(p),
        sl.book.along(runs, p, "w", {"StableRep": OF_STABLEREP, "SimCLR": MOSAICS}),
    ),
    sl.book.folded(
        "Every run, and every measurement of samples",
        sl.book.variants(
            runs, p, *SIMCLR.values(), *STABLEREP.values(), against=next(iter(learned), "learned")
        ),
        page.fidelity_table(measured, p),
    ),
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("32_guidance")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "Where images are Gaussian, guided samples do not follow the tilted density: their variance is the weighted geometric mean, not the harmonic one",
    page.agreement_in_words(measured, "learned", "learned.w2", p),
    page.agreement_in_words(measured, "mosaic-named", "mosaic-named.w2", p),
    page.teaching_in_words(runs, p, METHODS),
    "A claim about guidance needs samples that guidance has not broken, so the control comes first",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/32_guidance.ipynb out.ipynb -p epochs 8
# python -m synthlearn measure --profile smoke --what guidance
# ```
#
# One knob: `w` of `sl.data.source("learned", w=4.0, …)`. Expect bolder colours and images that look alike.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Let a caption have half the variance of all images. At which $w$ do guided samples have half the variance of the caption? Solve it, then check with `guided_variance`.
# :::

# %% tags=["hide-cell", "solution"]
# 0.5^w = 0.25
half = gaussian.guided_variance(torch.tensor(0.5), torch.tensor(1.0), w=2.0)
assert abs(float(half) - 0.25) < 1e-6

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# When does the tilted density not exist? Find a $w$ for a caption that varies *more* than all images, and see what guided sampling does there.
# :::

# %% tags=["hide-cell", "solution"]
v, w = 1.3, 6.0
precision = w / v + (1 - w) / v_all
_, variance = gaussian.guided_moments(mean, v, mean_all, v_all, w, 200)
print(f"precision {precision:.2f}: no density; guided samples have variance {variance:.2f}")
assert precision < 0 < variance

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# How many steps does it take? Compare Euler's and Heun's method at 10, 30 and 100 steps with the closed form.
# :::

# %% tags=["hide-cell", "solution"]
for steps in (10, 30, 100):
    got = [gaussian.guided_moments(1.0, 0.5, 0.0, 1.0, 2.0, steps, s)[1] for s in ("euler", "heun")]
    print(f"{steps:4} steps: Euler {got[0]:.3f}, Heun {got[1]:.3f}; the law 0.250")
assert abs(got[1] - 0.25) < abs(got[0] - 0.25)

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
