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
# *Which synthetic images teach best, and is the order that of the noise paper?*

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # cpu or gpu: the page shows that profile's committed records, else those of the one that decides

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.book.study_profile(p)
runs = sl.book.stored(study)
main = sl.book.one_protocol(runs, study)
beside = ("reference", "real", "random", "raw_pixels", "mean_colours")
ranked = sl.book.ranked(main)
sl.book.in_short(
    sl.book.best(
        {name: each for name, each in ranked.items() if sl.study.get_row(name).kind == "generator"}
    )
    if ranked
    else "",
    sl.book.pages.leaderboard.order(main),
)

# %% [markdown]
# ## The sets
#
# The paper is *Learning to See by Looking at Noise* {cite:p}`baradad2021`. Our runs differ in their images alone: one method, one network, one
# probe. A line of the table says how many runs its number stands on, and where they trained on fewer images. [Method](../book/method.md) has the settings of each profile. The figure has the synthetic sets; real images and the untrained
# encoder are lines across it.

# %% tags=["remove-input"]
sl.book.decides(study)

# %% tags=["remove-input"]
sets = {name: each for name, each in ranked.items() if sl.study.get_row(name).kind not in beside}
sl.book.accuracy_figure(sets, study)

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
# Ranks of the synthetic sets that both have. Real images, the untrained encoder and pixels are left out: any study would put them at the ends. The feature
# visualisations are not the paper's images and have a smaller pool ([their page](05_feature_vis.ipynb)), so their ranks compare two different things.
# Our own ranks are not perfectly reliable either; the caption says how far a second study like this one would agree with it.

# %% tags=["remove-input"]
sl.book.pages.leaderboard.agreement(main)

# %% [markdown]
# ## The paper's own table
#
# Full scale, other data, other budget: not to be compared number by number with ours, only in order and in shares of the way from the untrained encoder
# to real images ([how long to train](24_length.ipynb)).

# %% tags=["remove-input"]
sl.book.pages.leaderboard.published_table()

# %% tags=["remove-input"]
sl.book.provenance(study, runs)
