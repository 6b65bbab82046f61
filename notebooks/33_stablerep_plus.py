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
# *Do the words of a caption add anything to what the grouping says?*

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
runs |= sl.study.chapter("31_stablerep", p) | sl.study.chapter("32_guidance", p)
learned, LOSSES = runs.get("learned.plus"), ("StableRep+", "StableRep")
sl.book.in_short(
    sl.book.compare(
        learned,
        runs.get("learned.stablerep_w2"),
        *LOSSES,
        where="on samples of the learned model, whose captions name the class, ",
    ),
    sl.book.compare(
        runs.get("mosaic-named.plus"),
        runs.get("mosaic-named.stablerep"),
        *LOSSES,
        where="on patch mosaics under the same captions, ",
    ),
    sl.book.compare(
        runs.get("mosaic-colour.plus"),
        runs.get("mosaic-colour.stablerep"),
        *LOSSES,
        where="on mosaics whose captions name only colours, ",
    ),
    sl.book.compare(
        runs.get("real.clip"),
        runs.get("learned.plus"),
        "CLIP on real images",
        "StableRep+ on samples of the learned model",
    ),
    unsure=""
    if learned or not p.is_study
    else "what holds for samples of the trained model: its runs are still to be made",
)

# %% tags=["hide-input"]
sl.book.pages.captions.positives_sheet(p)

# %% [markdown]
# ## Why it might work
#
# StableRep uses captions to say which images belong together, and throws the words away. StableRep+ reads them: beside the loss between
# images it has CLIP's {cite:p}`radford2021` between images and captions. Captions share words, so a loss that reads them can learn that five captions are
# of one class; the grouping alone cannot.
#
# The paper reports that StableRep+ with 20 million captions, two synthetic images of each, is above CLIP with 50 million captions and as many real
# images, by linear probes on frozen encoders {cite:p}`tian2023`.

# %% tags=["hide-input"]
sl.book.pages.captions.words_table(p)

# %% [markdown]
# ## How the loss works
#
# A Transformer of two layers reads a caption; its feature $t_c$, and a linear map $u_i$ of the embedding of image $i$, should agree. Each image must find its
# caption among those of the batch, and each caption all of its images. With a learned scale $s$ and $P(c)$ for the images of caption $c$:
#
# $$L_{\text{image}} = -\frac{1}{B}\sum_i \log \frac{\exp(s\, u_i \cdot t_{c(i)})}{\sum_c \exp(s\, u_i \cdot t_c)}$$
#
# $$L_{\text{text}} = -\frac{1}{C}\sum_c \frac{1}{|P(c)|}\sum_{i \in P(c)} \log \frac{\exp(s\, u_i \cdot t_c)}{\sum_k \exp(s\, u_k \cdot t_c)}$$
#
# The mean of both is added to StableRep's loss with weight 1. CLIP has that part alone.

# %%
import torch
from torch.nn.functional import normalize

draw = torch.Generator().manual_seed(0)
u = normalize(torch.randn(12, 8, generator=draw))  # 12 images …
t = normalize(torch.randn(4, 8, generator=draw))  # … of 4 captions
caption, scale = torch.arange(12) % 4, 10.0

logits = scale * u @ t.T
of_image = -logits.log_softmax(1)[torch.arange(12), caption].mean()
own = caption == torch.arange(4)[:, None]  # P(c)
log_q = logits.T.log_softmax(1)
of_text = -(log_q.masked_fill(~own, 0).sum(1) / own.sum(1)).mean()

library = sl.losses.image_text(u, t, caption, torch.arange(4), scale)
torch.testing.assert_close((of_image, of_text), library)

# %% [markdown]
# ## Result
#
# A batch holds ten images of each of fifty captions in all arms.

# %% tags=["hide-input"]
ARMS = (
    "learned.stablerep_w2",
    "learned.clip",
    "learned.plus",
    "mosaic-named.stablerep",
    "mosaic-named.clip",
    "mosaic-named.plus",
    "real.captioned",
    "real.clip",
)
arms = sl.book.chosen(runs, p, *ARMS)
sl.book.accuracy_figure(arms, p)

# %% tags=["hide-input"]
first = "real.captioned" if "real.captioned" in arms else "mosaic-named.stablerep"
sl.book.ablation(arms, p, against=first)

# %% tags=["hide-input"]
COLOUR = (
    "learned-colour.stablerep",
    "learned-colour.plus",
    "mosaic-colour.stablerep",
    "mosaic-colour.plus",
)
ONE = ("learned.clip", "learned.clip_m1", "real.clip", "real.clip_m1")
sl.book.join(
    sl.book.folded(
        "Where captions do not name the class",
        sl.book.variants(runs, p, *COLOUR, against="mosaic-colour.stablerep"),
    ),
    sl.book.folded(
        "CLIP's usual batch, one image of each caption: ten times the updates, each at a tenth of the rate",
        sl.book.variants(runs, p, *ONE, against="real.clip"),
    ),
)

# %% [markdown]
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("33_stablerep_plus")

# %% [markdown]
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    sl.book.compare(
        runs.get("learned.clip"),
        runs.get("learned.plus"),
        "the words alone (CLIP)",
        "StableRep+",
        where="on samples of the learned model, ",
    ),
    "Words can say which captions share a class; where captions name the class, language is one more way for labels to come in",
)

# %% [markdown]
# A user of the released encoders reports, in an open thread of the authors' repository, that CLIP on real images is better there at zero-shot
# classification.
#
# ## Try it
#
# ```bash
# papermill notebooks/33_stablerep_plus.ipynb out.ipynb -p epochs 8
# python -m synthlearn pretrain --row mosaic-named.plus --profile smoke --out encoder.safetensors
# ```
#
# One knob: `--row mosaic-named.clip`, the words without the grouping. It leaves the loss between images out.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# What are the least values of the two parts, if images lie on their captions, captions are orthogonal, and the scale is large?
# :::

# %% tags=["hide-cell", "solution"]
corners = torch.eye(4)
image, text = sl.losses.image_text(corners[caption], corners, caption, torch.arange(4), 100.0)
print(f"image {image:.3f}, text {text:.3f}, log m = {torch.tensor(3.0).log():.3f}")
assert image < 1e-3 and abs(text - torch.tensor(3.0).log()) < 1e-3

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# Show that with one image of each caption the mean of the two parts is CLIP's loss: cross-entropy over rows and over columns.
# :::

# %% tags=["hide-cell", "solution"]
ids = torch.arange(4)
logits = 10.0 * u[:4] @ t.T
clip = sum(torch.nn.functional.cross_entropy(part, ids) for part in (logits, logits.T)) / 2
torch.testing.assert_close(sum(sl.losses.image_text(u[:4], t, ids, ids, 10.0)) / 2, clip)

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# How can words help? Give five captions of one class the same direction plus a little of their own. How does a classifier on the *text* features do that never
# saw a label?
# :::

# %% tags=["hide-cell", "solution"]
of_class = torch.arange(50) // 5
shared = torch.randn(10, 32, generator=draw)[of_class]
texts = normalize(shared + 0.5 * torch.randn(50, 32, generator=draw))
near = (texts @ texts.T).fill_diagonal_(-1).argmax(1)
share = (of_class[near] == of_class).float().mean()
print(f"the nearest other caption is of the same class for {share:.0%} of the captions")
assert share > 0.8

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
