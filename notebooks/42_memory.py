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
# # Perception without real images
#
# *How far does an encoder that has seen no real image get, if real images are only remembered and never learned from?*

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
remembered = sl.study.measured("memory", p)
page, LEAVES, by = sl.book.pages.memory, "dead_leaves-mixed", "top-1 by a memory"
whole = page.whole(remembered)
encoders = {"random": "an untrained encoder", LEAVES: "one of dead leaves"}
encoders |= {"real": "one of real images"}
sl.book.in_short(
    page.named_in_words(remembered, encoders),
    sl.book.compare_units(whole, LEAVES, "random", "dead leaves", "no training", by),
    sl.book.compare_units(whole, "real", LEAVES, "real images", "dead leaves", by),
    sure="that nothing is left of an image after it is removed: the files are equal to the bit",
)

# %% tags=["hide-input"]
page.neighbour_sheet(LEAVES, p)

# %% [markdown]
# ## Why it might work
#
# What a network knows and how it sees can be kept apart {cite:p}`rodriguez2025`. *Seeing* is an encoder that has met no real image. *Knowing*
# is a **visual memory**: a list of real images as the encoder sees them, with their labels. Nothing is trained on these images. A new image is
# called what its nearest neighbours in the list are called.
#
# So an image can be added or forgotten at once, by adding or removing a line. An encoder that was *trained* on real images cannot forget one
# that way. The paper's vision transformer, trained on mixed shader images, named 37.9 % of ImageNet correctly by such a memory. One
# trained on ImageNet itself named 68.9 % {cite:p}`rodriguez2025`.
#
# ## How it works
#
# Embeddings $z$ have length 1. Of a new image with embedding $z$, the $k = 20$ nearest entries $N(z)$ vote, each with a weight that falls with its
# distance ($\tau$ is 0.07):
#
# $$\hat{y} = \text{argmax}_c \sum_{i \in N(z),\; y_i = c} \exp(z \cdot z_i / \tau)$$

# %%
import torch

from synthlearn.measure import memory

row = sl.study.get_row(LEAVES)
encoder = sl.study.Experiment(row, p, seed=0).encoder()  # saw no digit
known, new = sl.data.both("digits")
entries = memory.embed(encoder, known.images, encoder.main_tap)
z = memory.embed(encoder, new.images[:200], encoder.main_tap)

cosine, near = (z @ entries.T).topk(20)
votes = torch.zeros(len(z), len(known.classes))
votes.scatter_add_(1, known.labels[near], (cosine / 0.07).exp())
answer = [known.classes[c] for c in votes.argmax(1)]

held = memory.Memory({}, dimension=entries.shape[1])
labels = [known.classes[c] for c in known.labels]
held.add([f"{i:04d}" for i in range(len(labels))], labels, entries)
assert answer == held.classify(z)

# %% [markdown]
# After a removal the memory is, to the bit, one that never held the entry; a test compares the files. Adding or removing an image touches
# one line of a table, however long it is ([speed](93_benchmarks.ipynb)).
#
# ## Result
#
# The same memory with more and more of the study's training images of each class, for encoders that saw noise, samples of a model, real images,
# and nothing. Encoders of real images are a bound, and so are those of *mosaics*, which are cut from the study's real images.

# %% tags=["hide-input"]
page.figure(remembered)

# %% tags=["hide-input"]
rows = {name: sl.book.baseline(p, name) for name in remembered}
page.facts(remembered, rows)

# %% [markdown]
# A linear probe, which is trained on the same images, stands beside the memory. To forget a class is to take its entries out; none of its images
# is then called by its name. The last column says how many entries any decision hangs on.
#
# ## Verdict
#
# The rule names dead leaves, as it did before its results were seen; for a day it named [100 programs](41_programs.ipynb).

# %% tags=["hide-input"]
sl.book.verdicts("42_memory")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.compare_units(whole, "programs-100", "random", "100 programs", "no training", by),
    "An encoder without real images still needs real images to know anything; it only need not be trained on them",
    "Forgetting is exact for what is remembered, and impossible for what was learned",
)

# %% [markdown]
# ## Try it
#
# ```bash
# python -m synthlearn memory build --memory mine --encoder encoder.safetensors --images photographs
# python -m synthlearn memory query --memory mine --encoder encoder.safetensors --image cat.jpg
# python -m synthlearn memory remove --memory mine --class cat
# ```
#
# One knob: how many images of each class you put in. Expect a steep rise at first, and little after a few hundred.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Remove the class 3 from the memory of digits. What are threes called now? Guess the two most frequent names.
# :::

# %% tags=["hide-cell", "solution"]
from collections import Counter

without = memory.Memory({}, dimension=entries.shape[1])
without.add([f"{i:04d}" for i in range(len(labels))], labels, entries)
without.remove_class("3")
threes = z[[known.classes[c] == "3" for c in new.labels[:200]]]
names = Counter(without.classify(threes))
print(names.most_common())
assert "3" not in names

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Which share of the entries does any of the 200 answers hang on? Use `held.influential`, and think about what the rest is good for.
# :::

# %% tags=["hide-cell", "solution"]
matter = held.influential(z)
print(f"{len(matter)} of {len(held)} entries: each alone changes some answer when it goes")
assert 0 < len(matter) < len(held)

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# How much of this is the encoder? Use the pixels themselves, scaled to length 1, as embeddings.
# :::

# %% tags=["hide-cell", "solution"]
pixels, asked = (
    torch.nn.functional.normalize(images.float().flatten(1))
    for images in (known.images, new.images[:200])
)
cosine, near = (asked @ pixels.T).topk(20)
votes = torch.zeros(200, len(known.classes))
votes.scatter_add_(1, known.labels[near], (cosine / 0.07).exp())
truth = [known.classes[c] for c in new.labels[:200]]
by_pixels = [known.classes[c] for c in votes.argmax(1)]
for name, names in {"encoder": answer, "pixels": by_pixels}.items():
    print(name, sum(a == b for a, b in zip(names, truth, strict=True)), "of 200")

# %% tags=["hide-input"]
sl.book.provenance(p, rows)
