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
# # Laws of statistical models
#
# **Do our [statistical images](02_statistical.ipynb) follow the same laws as the authors'?** The paper's data were made with MATLAB; the targets come
# from a NumPy version of that code, which agrees with the authors' published samples. The tests of the library use the same functions and the
# same figures.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer images; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Image by image

# %% tags=["hide-input"]
laws = sl.book.laws
laws.law_table("statistical", laws.statistical_laws(p), "authors' law")

# %% [markdown]
# *Border gradient* is why the pyramid mirrors at the borders: with periodic borders it would be 1, and images would tile.
#
# One detail is easily missed. Without imposed colours, an image's decorrelated channels keep the mean of the noise, so the *sign*
# of each colour axis, which is free in an eigenvector and left to the linear-algebra library, moves the colours apart or together. We draw
# the signs at random.
#
# ## Exact properties

# %% tags=["hide-input"]
laws.check_table("statistical_exact", laws.statistical_checks())

# %% tags=["hide-input"]
sl.book.provenance(p, {})
