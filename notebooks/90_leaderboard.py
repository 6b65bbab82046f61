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
# *Which synthetic images teach best, and is the order the paper's?*

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # cpu or gpu: the page shows that profile's committed records, else those of the one that decides

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.book.study_profile(p)
runs = sl.book.stored(study)
main = sl.book.one_protocol(runs, study)
ranked = sl.book.ranked(main)
sl.book.in_short(
    sl.book.best(
        {name: each for name, each in ranked.items() if sl.study.get_row(name).kind == "generator"}
    )
    if ranked
    else ""
)

# %% [markdown]
# ## The sets
#
# These runs differ in their images alone: one method, one network, one probe. Two cells of a line say what else to mind: its number of updates and
# of images, and its number of runs. [Method](../book/method.md) has the settings of each profile.

# %% tags=["remove-input"]
sl.book.decides(study)

# %% tags=["remove-input"]
sl.book.accuracy_figure(ranked, study)

# %% tags=["remove-input"]
sl.book.pages.leaderboard.table(ranked, study)

# %% [markdown]
# ## All runs
#
# Other methods, ablations and controls too, each by its own settings: only runs of one method and one budget can be compared with each other.
# The chapters say what differs.

# %% tags=["remove-input"]
sl.book.folded(
    f"All {len(runs)} rows", sl.book.pages.leaderboard.table(sl.book.ranked(runs), study)
)

# %% [markdown]
# ## Is the order the paper's?
#
# Ranks of the synthetic sets that both have. Real images, the random encoder and pixels are left out: any study would put them at the ends. The feature
# visualisations are not the paper's images and have a smaller pool ([their page](05_feature_vis.ipynb)), so their ranks compare two different things.
# Our own ranks are not perfectly reliable either; the caption says how far a second study like this one would agree with it.

# %% tags=["remove-input"]
sl.book.pages.leaderboard.agreement(main)

# %% [markdown]
# ## The paper's own table
#
# Full scale, other data, other budget: not to be compared number by number with ours, only in order and in shares of the way from the random encoder
# to real images ([how long to train](24_length.ipynb)).

# %% tags=["remove-input"]
sl.book.pages.leaderboard.published_table()

# %% tags=["remove-input"]
sl.book.provenance(study, runs)
