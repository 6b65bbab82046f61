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
# # Claims
#
# What the papers say, as rules over our records. **What held here, what did not, and how sure are we?** A claim is *supported* when all of its
# comparisons are, *contradicted* when one is the other way round, *undecided* when an interval covers both or stands on one seed, *not tested* when
# a record is missing. Nothing on this page is typed.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # only decides the settings of the run; the page shows all committed records

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.study.resolve("cpu")
found = sl.book.stored("cpu")

# %% [markdown]
# ## Verdicts

# %% tags=["remove-input"]
sl.book.stored_verdicts("91_claims", found, study)

# %% [markdown]
# ## How to read a verdict
#
# Most evidence is a paired difference of top-1: the same seed is the same initial encoder and the same held-out images. Its
# interval comes from a bootstrap over seeds and test images; Holm's procedure over the whole table decides which differences are more than
# chance. Claims about properties stand on a rank correlation over sets and its bootstrap interval, those about transfer on means over
# tasks, by the same rule of seeds. What would settle an *undecided* one is more seeds.
#
# The scale is not the papers': [deviations](../book/deviations) lists how. A claim that fails here is a finding about this scale, not a refutation.

# %% tags=["remove-input"]
sl.book.provenance(study, found)
