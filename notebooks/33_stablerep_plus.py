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
# # StableRep+
#
# StableRep uses captions to say which pictures belong together, and throws the words away. StableRep+ reads them: beside the loss between
# pictures it has CLIP's {cite:p}`radford2021` between pictures and captions. **Do words add anything to what the grouping says?**

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # smoke, cpu, gpu or paper: the settings that are not given below
epochs: int = None  # None: the profile's value
n_images: int = None
width: float = None
seeds: int = None
data: str = None  # digits, cifar10-20k … or a folder with train/ and test/
device: str = None

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())
runs = sl.study.chapter("33_stablerep_plus", p)

# %% [markdown]
# ## Words
#
# Captions are short sentences: brightness and hue of their real images, the class where it is named, and a number for what the other words
# do not tell apart. So captions share words, and a loss that reads them can learn that five captions are of one class.

# %% tags=["hide-input"]
sl.book.pages.captions.words_table(p)

# %% [markdown]
# ## The loss
#
# A Transformer of two layers reads a caption from left to right; its feature at the last word, and a linear map of the picture's embedding,
# should agree. Each picture must find its caption among those of the batch, and each caption all of its pictures: the mean of both
# directions is added to StableRep's loss with weight 1. CLIP has that part alone. A batch holds ten pictures of each of fifty captions in
# all arms of the first table.

# %% tags=["hide-input"]
runs |= sl.study.chapter("31_stablerep", p) | sl.study.chapter("32_guidance", p)
ARMS = ("learned.stablerep_w2", "learned.clip", "learned.plus", "real.captioned", "real.clip")
arms = sl.book.chosen(runs, p, *ARMS)
sl.book.ablation_figure(arms, p)

# %% tags=["hide-input"]
sl.book.ablation(arms, p, against="real.captioned")

# %% [markdown]
# CLIP's usual batch has one picture of each caption. Here that is fifty pictures, so it makes ten times as many updates, each at a tenth of the rate:

# %% tags=["hide-input"]
ONE = ("learned.clip", "learned.clip_m1", "real.clip", "real.clip_m1")
sl.book.ablation(sl.book.chosen(runs, p, *ONE), p, against="real.clip")

# %% [markdown]
# ## Where captions do not name the class

# %% tags=["hide-input"]
COLOUR = ("learned-colour.stablerep", "learned-colour.plus")
sl.book.ablation(sl.book.chosen(runs, p, *COLOUR), p, against="learned-colour.stablerep")

# %% [markdown]
# ## The same on mosaics

# %% tags=["hide-input"]
MOSAICS = ("mosaic-named.stablerep", "mosaic-named.clip", "mosaic-named.plus")
sl.book.ablation(sl.book.chosen(runs, p, *MOSAICS), p, against="mosaic-named.stablerep")

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("33_stablerep_plus")

# %% [markdown]
# Words can add because they say which captions share a class, which the grouping alone does not. CLIP's lines say how much of that comes without
# comparing pictures at all, and from real images instead of samples; the captions of colours, what words are worth without labels. Where captions name
# the class, language is one more way for labels to come in.
#
# The paper's own claim, StableRep+ with 20 million captions (two synthetic images of each, 40 million in all) above CLIP with 50 million captions and as
# many real images {cite:p}`tian2023`, is about linear probes on frozen encoders, as here. Zero-shot classification is not measured: with captions made of
# ten class names it would be supervised classification by another road. A user of the released encoders reports, in an open thread of the
# authors' repository, that CLIP on real images is better there.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/33_stablerep_plus.ipynb out.ipynb -p epochs 8
# python -m synthlearn pretrain --row mosaic-named.plus --profile smoke --out encoder.safetensors
# ```

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
