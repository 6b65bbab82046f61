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
# **What can be checked of our [feature visualisations](05_feature_vis)?** Their law is the network's, so pictures of a small encoder at 48
# pixels cannot be held against the authors' of a ResNet-50 at 256. What the construction promises can be; the authors' published pictures are
# shown beside ours for orientation.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer pictures; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## What the construction promises

# %% tags=["hide-input"]
laws = sl.book.laws
pictures = laws.feature_vis_pictures(p)
laws.check_table("feature_vis_exact", laws.feature_vis_checks(p, pictures))

# %% [markdown]
# ## Beside the authors' published pictures
#
# Another network, another size, and theirs went through JPEG: no target, only for orientation.

# %% tags=["hide-input"]
laws.law_table(
    "feature_vis",
    laws.feature_vis_laws(pictures),
    "authors' published pictures",
    target=False,
)

# %% tags=["hide-input"]
sl.book.provenance(p, {})
