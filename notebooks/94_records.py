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
# result, the result image by image, its cost, and the code and machine that made it. The command makes it again. `make verify` starts every row again and
# compares: to the bit on a machine with the record's fingerprint, elsewhere up to rounding; `make verify CHAPTER=04_fractals` runs a chapter's rows whole,
# and elsewhere asks for no more than [two runs of a row differ by](../book/method.md).

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # cpu or gpu: the page shows that profile's committed records, else those of the one that decides

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.book.study_profile(p)

# %% [markdown]
# ## All of them as one table
#
# To compute with the records, take one of two files in the site's own folder. They have one line for every record and probe; three lines of code read it:
#
# ```python
# import pandas
# runs = pandas.read_csv("records.csv").query("kind == 'run' and probe == 'fc6_linear'")
# runs.groupby("row").top1.agg(["mean", "std", "count"]).sort_values("mean")
# ```

# %% tags=["remove-input"]
sl.book.pages.records.columns()

# %% [markdown]
# ## Rows

# %% tags=["remove-input"]
sl.book.pages.records.runs_table(sl.book.stored(study), study)

# %% [markdown]
# ## Further measurements of trained encoders and samples

# %% tags=["remove-input"]
sl.book.pages.records.measurements(study)

# %% [markdown]
# ## Trials of the search

# %% tags=["remove-input"]
sl.book.folded("Every point that was tried", sl.book.pages.records.trials(study))

# %% tags=["remove-input"]
sl.book.provenance(study, {})
