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
# # Laws of random StyleGANs
#
# **Do our [random StyleGANs](03_stylegan) paint what the authors' do?** At 256 pixels, a new network every ten pictures, since networks
# differ more than pictures of one network. *random* is measured on the authors' network files; the others on a version from their
# description, which agrees with the authors' files.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer pictures; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Picture by picture

# %% tags=["hide-input"]
laws, measured = sl.book.laws("stylegan"), {}
n = 8 if p.name == "smoke" else 64
for kind in ("random", "highfreq", "sparse", "oriented"):
    options = sl.study.row(f"stylegan-{kind}").options(p)
    pictures = sl.generator(
        f"stylegan-{kind}", **options, images_per_network=10 if n > 16 else 2
    ).sample(range(n), size=256, seed=1)
    measured[kind] = sl.book.measure(laws[kind], pictures)
sl.book.law_table(laws, measured)

# %% [markdown]
# *random* is measured as the profile makes it: with an eighth of the channels in *cpu*, a sixteenth in *smoke*. The others have full width,
# since it costs nothing.
#
# ## Exact properties
#
# That one map per layer gives the pictures of the full network is a test of the library, which runs both side by side.

# %% tags=["hide-input"]
import torch

from synthlearn.core import rng
from synthlearn.generators import stylegan_noise, stylegan_tied
from synthlearn.measure import metrics

key = rng.key("laws", torch.arange(48))
pink = stylegan_noise.pink_noise(key, 256)
slope = metrics.spectrum_slope(pink[:, None].expand(-1, 3, -1, -1))
alpha = rng.uniform(rng.fold(key, 0), (), *stylegan_noise.NOISE_SLOPE)
kernels = stylegan_tied.sign_kernels()
found = {
    "pink": float((slope / alpha).median()),
    "kernels": len(kernels.flatten(1).unique(dim=0)),
    "repeats": sum(bool((k == k[:1]).all()) for k in kernels[16:32])
    / 16,  # rows all alike: vertical
}
sl.book.check_table(sl.book.laws("stylegan_exact"), found)

# %% tags=["hide-input"]
sl.book.provenance(p, {})
