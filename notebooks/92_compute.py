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
# # Compute
#
# *What did the study cost, and what would it cost you?*

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # cpu or gpu: the page shows that profile's committed records, else those of the one that decides

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.book.study_profile(p)
runs = sl.book.stored(study)
sl.book.pages.costs.total(runs)

# %% [markdown]
# ## Runs

# %% tags=["remove-input"]
sl.book.folded(f"All {len(runs)} rows of the study", sl.book.pages.costs.rows_table(runs))

# %% [markdown]
# Images of a generator are made once per seed and kept. Two runs at a time share a machine, and times include what they wait for
# each other. Of a run that was cut off and went on later, the time is that of its last part.
#
# ## Further measurements

# %% tags=["remove-input"]
sl.book.pages.costs.measurements(study)

# %% [markdown]
# ## Machines

# %% tags=["remove-input"]
sl.book.pages.costs.machines(runs)

# %% tags=["remove-input"]
sl.book.provenance(study, runs)
