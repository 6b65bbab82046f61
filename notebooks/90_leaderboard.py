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
# # Leaderboard
#
# Every row with a committed record, by protocol, beside the paper's number. **Which synthetic pictures teach best, and is the order the paper's?**
# Nothing on this page is typed: it is computed from `results/records`.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # only decides the settings of the run; the page shows all committed records

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.study.resolve("cpu")
found = sl.book.stored("cpu")

# %% [markdown]
# ## The study on a laptop
#
# Profile *cpu*: ten thousand pictures of 48 px, a quarter-width network, ten epochs; probe on
# CIFAR-10 (first 1,000 training images of each class, all 10,000 test images).

# %% tags=["remove-input"]
main = sl.book.one_protocol(found, study)
ranked = sl.book.ranked(main)
sl.book.accuracy_figure(ranked, study)

# %% tags=["remove-input"]
sl.book.leaderboard(ranked, study)

# %% [markdown]
# ## Every row
#
# Other methods, ablations and controls too, each by its own settings: only rows of one method and one budget can be compared with each other.
# The chapters say what differs.

# %% tags=["remove-input"]
sl.book.leaderboard(sl.book.ranked(found), study)

# %% [markdown]
# ## Is the order the paper's?
#
# Ranks of the synthetic sets and baselines that both have. Our own ranks are not perfectly reliable either: the last number says how well one
# half of the test images predicts the ranks on the other half, and no correlation with anything can be expected above its root.

# %% tags=["remove-input"]
sl.book.agreement(main)

# %% [markdown]
# ## The paper's own table
#
# Full scale, other data, other budget: never to be compared number by number with ours, only in order and in size of effect.

# %% tags=["remove-input"]
sl.book.published_table()

# %% tags=["remove-input"]
sl.book.provenance(study, found)
