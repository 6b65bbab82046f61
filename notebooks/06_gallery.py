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
# # Gallery
#
# *What do all the sets look like, and which of them taught most?*

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # decides how the images are made; accuracies are committed ones: of cpu or gpu, else of the profile that decides

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
runs = sl.book.stored(sl.book.study_profile(p))
families = sl.book.pages.gallery.families(runs)
sets = {
    each.row.name: runs[each.row.name]
    for part in families.values()
    for each in part
    if each.accuracy
}
sl.book.in_short(
    sl.book.best(sets) if sets else "",
    f"The page has {len(sets)} sets of {len({sl.study.get_row(name).family for name in sets})} families, none of them photographs; the best family comes first, and in each the best set",
)

# %% tags=["hide-input"]
images = sl.book.pages.gallery.images(runs, p)
sl.book.pages.gallery.tiles(runs, images)

# %% [markdown]
# Point at a tile, or tap it, for its name, its top-1 accuracy on CIFAR-10 in per cent with its interval, and how many images of 128 pixels are made a
# second. A click leads to more of its images.
#
# ## Family by family
#
# The families are ordered by their best set; neighbours often cannot be told apart. Names lead to the chapters.

# %% tags=["hide-input"]
sl.book.pages.gallery.sheets(runs, images)

# %% [markdown]
# ## Try it
#
# An image is a function of generator, options, seed and index, on any machine. `python -m synthlearn generate` writes a set to disk, with a data
# card; the images are ours and free of rights (CC0).

# %%
leaves = sl.generator("dead_leaves-mixed")
four, one = leaves.sample(range(4), size=64), leaves.sample([3], size=64)
assert (one[0] == four[3]).all()

# %% [markdown]
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Does one simple number tell which set teaches more? For a few sets, measure how alike neighbouring pixels are, and how strong colours are
# (`metrics.neighbour_correlation`, `metrics.chroma`). Rank the sets by each, and compare with the order above.
# :::

# %% tags=["hide-cell", "solution"]
from synthlearn.measure import metrics

some = (
    "noise-white",
    "noise-perlin",
    "stat-spectrum",
    "stat-spectrum_color",
    "dead_leaves-squares",
)
for name in some:
    x = sl.generator(name).sample(range(8), size=64)
    top1 = f"{runs[name].accuracy().mean:.1%}" if name in runs else "–"
    alike, chroma = metrics.neighbour_correlation(x).mean(), metrics.chroma(x).mean()
    print(f"{name:20} top-1 {top1}, neighbours {alike:z.2f}, chroma {chroma:.0f}")

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# The images of the mixture of four sets look as if they were of other sets. Find out of which set each of its first four is, and show
# that it is exactly that set's image.
# :::

# %% tags=["hide-cell", "solution"]
mixture = sl.study.Experiment(sl.study.get_row("mixture-four"), p, 0).source()
part_of = mixture.choose(mixture.keys(range(4))).tolist()
for i, image in enumerate(mixture.sample(range(4), size=64)):
    part = mixture.parts[part_of[i]]
    assert (image == part.sample([i], size=64)[0]).all()
    print(f"image {i} is image {i} of {part.name}")

# %% tags=["hide-input"]
sl.book.provenance(p, {})
