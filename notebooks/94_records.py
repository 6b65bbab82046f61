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
# # Records
#
# **Where does a number come from?** Numbers in the chapters link to their row here. A record is one run of one seed: all that decides its
# result, the result image by image, its cost, and the code and machine that made it. The command makes it again; `make verify` runs it and
# compares, to the bit on the same kind of processor, else within rounding.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # changes nothing here: the page shows the committed records

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.study.resolve("cpu")

# %% [markdown]
# ## Rows

# %% tags=["remove-input"]
sl.book.record_table(sl.book.stored("cpu"), study)

# %% [markdown]
# ## Further measurements of trained encoders and samples

# %% tags=["remove-input"]
sl.book.measurement_table(study)

# %% [markdown]
# ## Tries of the search

# %% tags=["remove-input"]
sl.book.search_table(study)

# %% tags=["remove-input"]
sl.book.provenance(study, {})
