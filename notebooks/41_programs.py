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
# # One program or ten thousand
#
# Artists write short programs that paint with nothing but arithmetic. A network trained on the pictures of 21,000 of them comes nearer to one
# trained on photographs than any earlier noise, and more programs teach more, about as the logarithm of their number {cite:p}`baradad2022`.
# Others report the opposite: a single fractal, shaken a little, is enough {cite:p}`nakamura2024`. **How many programs does it take?**

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
epochs: int = None  # None: the profile's value
n_images: int = None
batch_size: int = None
width: float = None
seeds: int = None
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
device: str = None

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## Programs that nobody wrote
#
# The programs of that paper have authors, and are not offered any more. Ours are drawn from numbers: up to four fields (waves, noise, discs,
# stars, cells …), each of coordinates that were turned, folded, tiled, swirled or warped, joined in pairs, and coloured by a palette. A program
# that shows nothing at one of three times is drawn again. It is another family than theirs, so their numbers are not ours to meet.

# %% tags=["hide-input"]
sl.book.pages.programs.sheet()

# %% [markdown]
# Time moves every field:

# %% tags=["hide-input"]
sl.book.slider(sl.book.pages.programs.over_time(), "Ten programs", "Ten programs over time.")

# %% [markdown]
# An interpreter makes all pictures of a batch at once, whatever their programs: each instruction is applied to those planes that have it, with
# operands of their own.
#
# ## Training
#
# Equal pictures, equal updates; only the number of programs that they come from differs. With labels, the program is the class; their losses are of
# other kinds, and not drawn here.
#
# **Chosen after the fact.** A hundred programs began as a variant of this set. It was given a name and two more runs *after* its first run had come out
# best of its family, so its lead is partly luck: the [answer](00_index) therefore chooses the best set on one half of the runs and reports it on the
# other. For a day the rules on [memories](42_memory) and [private learning](43_private) named it in place of dead leaves; they name dead leaves again,
# as they did before their results were seen.

# %% tags=["hide-input"]
runs = sl.study.chapter("41_programs", p)
sl.book.training(
    {
        name: each
        for name, each in runs.items()
        if sl.study.get_row(name).settings(p).method == p.method
    }
)

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
sl.book.pages.programs.by_number(runs, p)

# %% tags=["hide-input"]
sl.book.ablation(runs, p, against="programs")

# %% [markdown]
# ## Is one enough?
#
# A thousand pictures of *one* system or program, each a class of its own: the network must tell small changes of the same thing apart. The
# paper's test is fine-tuning, where a good start is all that pre-training gives; a linear probe asks for features. Both:

# %% tags=["hide-input"]
one = {name: each for name, each in runs.items() if name.endswith("one_classes")}
sl.book.ablation_figure({**one, "programs": sl.book.baseline(p, "programs")}, p)

# %% tags=["hide-input"]
tuned = sl.study.measured("fine_tuning", p)
sl.book.parts_table(
    tuned,
    "All layers fine-tuned on a few images per class: top-1 in per cent, and the chosen rate.",
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("41_programs")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# python -m synthlearn generate --generator programs --option programs=10 --n 100 --out programs
# papermill notebooks/41_programs.ipynb out.ipynb -p epochs 8
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
