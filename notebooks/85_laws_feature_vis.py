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
# # Laws of feature visualisations
#
# **What can be checked of our [feature visualisations](05_feature_vis.ipynb)?** Their law is the network's, so images of a small encoder at 48
# pixels cannot be compared with the authors', which are of a ResNet-50 at 256. What the construction promises can be checked; the authors' published
# images stand beside ours for orientation only.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer images; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## What the construction promises

# %% tags=["hide-input"]
laws = sl.book.laws
images = laws.feature_vis_pictures(p)
laws.check_table("feature_vis_exact", laws.feature_vis_checks(p, images))

# %% [markdown]
# ## Beside the authors' published images
#
# Another network, another size, and theirs went through JPEG: no target, only for orientation.

# %% tags=["hide-input"]
laws.law_table(
    "feature_vis",
    laws.feature_vis_laws(images),
    "authors' published images",
    target=False,
)

# %% tags=["hide-input"]
sl.book.provenance(p, {})
