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
# **Do our [random StyleGANs](03_stylegan.ipynb) paint what the authors' do?** At 256 pixels, a new network every ten images, since networks
# differ more than images of one network. *random* is measured on the authors' network files; the others on a version from their
# description, which agrees with the authors' files.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer images; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Image by image

# %% tags=["hide-input"]
laws = sl.book.laws
laws.law_table("stylegan", laws.stylegan_laws(p))

# %% [markdown]
# *random* is measured as the profile makes it: with an eighth of the channels in *cpu*, a sixteenth in *smoke*. The others have full width,
# since it costs nothing.
#
# ## Exact properties
#
# That one map per layer gives the images of the full network is a test of the library, which runs both side by side.

# %% tags=["hide-input"]
laws.check_table("stylegan_exact", laws.stylegan_checks())

# %% tags=["hide-input"]
sl.book.provenance(p, {})
