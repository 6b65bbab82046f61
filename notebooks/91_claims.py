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
# *What of the papers held here, what did not, and how sure are we?*

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # cpu or gpu: the page shows that profile's committed records, else those of the one that decides

# %% tags=["remove-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
study = sl.book.study_profile(p)
runs = sl.book.stored(study)
sl.book.pages.answer.how_sure(link=False)

# %% [markdown]
# Each claim is a rule over our records, and its verdict is computed. It is *supported* when all of its comparisons are, *contradicted* when one is the
# other way round, *undecided* when the runs do not tell, and *not tested* when a record is missing, a control fails, or there is no rule.
#
# ## Learning to See by Looking at Noise

# %% tags=["remove-input"]
sl.book.pages.claims.of_paper("noise")

# %% [markdown]
# ## StableRep and StableRep+

# %% tags=["remove-input"]
sl.book.pages.claims.of_paper("stablerep")

# %% [markdown]
# ## Later papers

# %% tags=["remove-input"]
sl.book.pages.claims.of_paper("later")

# %% [markdown]
# ## This book's own questions

# %% tags=["remove-input"]
sl.book.pages.claims.of_paper("book")

# %% [markdown]
# ## How to read a verdict
#
# Most evidence is a difference of top-1 between two rows, unpaired over runs and taken image by image over the same test images, with Student's
# interval; [method](../book/method.md) has the formulas. All comparisons of a claim must hold (an intersection–union test), and Holm's procedure at 5 % runs
# over the claims of a paper. "At least as good" means: not behind by more than a point. A claim has this one verdict on every page; a chapter shows its
# own part of the evidence. Beside an *undecided* one stands how many runs of each row would settle it, if it is as it looks.
#
# Some rules were written or changed after results were seen; the claim says so, and when. Two of them, on memories and on private learning, name dead
# leaves, as they did before their results were seen; for a day they named 100 programs. That set itself began as a variant and was given two more runs
# after its first had come out best.
#
# The scale is not the papers': [deviations](../book/deviations.md) lists how. A claim that fails here is a finding about this scale, not a refutation.

# %% tags=["remove-input"]
sl.book.provenance(study, runs)
