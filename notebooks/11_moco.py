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
# # MoCo and a ResNet
#
# *Does the order of the sets survive another network and another method?*

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
runs = sl.study.chapter("11_moco", p)
untrained, control = runs["random.moco"], runs.get("real.moco")
trains = control is not None and control.difference(untrained).low > 0
sl.book.in_short(
    ""
    if trains
    else "This page cannot say: at this size training on real images, the control, is not better than no training",
    sl.book.compare(control, untrained, "MoCo on real images", "no training"),
)

# %% [markdown]
# ## How it works
#
# The noise paper's second protocol is the large one: a ResNet-50, MoCo v2 {cite:p}`chen2020moco`, 1.3 million images of 256 pixels, 200
# epochs. A *query* encoder sees one view, a *key* encoder the other. The key encoder follows slowly and gets no gradient,
#
# $$\theta_k \leftarrow m\,\theta_k + (1 - m)\,\theta_q,$$
#
# and each query must find its own key among those of earlier batches, which wait in a queue. At full scale (`profile=paper`, `encoder=resnet50`) the
# queue holds 65,536 keys and $m$ is 0.999. In the few hundred steps of the *cpu* profile such a key encoder would stay at its start; there the queue
# holds 4,096, $m$ is 0.99, and a ResNet-18 sees crops of 32 pixels.

# %%
import torch
from torch.nn.functional import cross_entropy, normalize

draw = torch.Generator().manual_seed(0)
q, k = (normalize(torch.randn(6, 16, generator=draw)) for _ in range(2))
keys = torch.randn(32, 16, generator=draw)  # of earlier batches
queue = normalize(keys)

own = (q * k).sum(1, keepdim=True)
logits = torch.cat([own, q @ queue.T], 1) / 0.2  # its own key stands first
loss = cross_entropy(logits, torch.zeros(6, dtype=torch.long))
torch.testing.assert_close(loss, sl.losses.info_nce(q, k, queue, 0.2))

# %% [markdown]
# ## Result
#
# A linear classifier reads the pooled features of the frozen network; the line across is the ResNet as it was initialised. The order of the sets
# means something only if real images train at this size.

# %% tags=["hide-input"]
sl.book.ablation_figure(runs, p, floor="random.moco")

# %% tags=["hide-input"]
sl.book.folded(
    "Every run, and its training",
    sl.book.ablation(runs, p, against="random.moco"),
    sl.book.training({name: each for name, each in runs.items() if each.first.curves}),
)

# %% [markdown]
# The folded curves show how a run fails: where uniformity returns to zero, all images have come to share one embedding. We suspect the
# length: in so few steps the key encoder trails behind, and the queue holds keys of an encoder that no longer exists.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("11_moco")

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/11_moco.ipynb out.ipynb -p epochs 8
# accelerate launch --num_processes 8 -m synthlearn pretrain --row dead_leaves-mixed.moco --profile paper --set encoder=resnet50 --out encoder.safetensors
# ```
#
# Several processes give the loss and the gradients of one (tested with two on a CPU, for the losses without a queue).
#
# :::{admonition} Exercise
# :class: exercise
# After how many steps is half of the key encoder's start forgotten, under each of the two $m$? Compare with the number of steps of a run.
# :::

# %% tags=["hide-cell", "solution"]
import math

for m in (0.99, 0.999):
    print(f"m = {m}: {math.log(0.5) / math.log(m):.0f} steps")

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
