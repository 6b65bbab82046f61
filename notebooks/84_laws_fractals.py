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
# # Laws of fractals
#
# **Do our [fractals](04_fractals.ipynb) follow the laws of the published code?** The table has its figures beside ours.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer images; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% tags=["hide-input"]
laws = sl.book.laws
laws.check_table("fractals", laws.fractal_checks(p), "published code")

# %% tags=["hide-input"]
sl.book.provenance(p, {})
