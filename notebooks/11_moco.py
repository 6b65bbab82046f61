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
# The noise paper's second protocol is the large one: a ResNet-50, MoCo v2 {cite:p}`chen2020moco`, 1.3 million images of 256 pixels, 200
# epochs. **Does the order of the sets survive another network and another method?** This page cannot say: on a core the
# method does not train, as its control shows.

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
# ## How it works
#
# A *query* encoder sees one view, a *key* encoder the other. The key encoder is a slowly following copy that gets no gradient,
#
# $$\theta_k \leftarrow m\,\theta_k + (1 - m)\,\theta_q,$$
#
# and each query must find its own key among those of earlier batches, which wait in a queue. At full scale (`profile=paper`, `encoder=resnet50`) the
# queue holds 65,536 keys and $m$ is 0.999. In the few hundred steps of the *cpu* profile such a key encoder would stay at its start; there the queue
# holds 4,096, $m$ is 0.99, and a ResNet-18 sees crops of 32 pixels.
#
# ## Result
#
# A linear classifier on the pooled features; dashed, the ResNet as it was initialised. The order of the sets means something only if the method works
# at this size, and real images are its test: where even they stay below the untrained network, the claim counts as not tested.

# %% tags=["hide-input"]
runs = sl.study.chapter("11_moco", p)
sl.book.ablation_figure(runs, p, floor="random.moco")

# %% tags=["hide-input"]
sl.book.ablation(runs, p, against="random.moco")

# %% tags=["hide-input"]
trained = {name: each for name, each in runs.items() if each.first.curves}
sl.book.training(trained)

# %% [markdown]
# The curves show how a run fails: where uniformity returns to zero, all pictures have come to share one embedding. One row has a quarter of the rate.
# We suspect the length: in so few steps the key encoder trails behind, and the queue holds keys of an encoder that no longer exists. Runs of 2,000
# updates would tell; on a core each takes more than an hour, so this page waits for a card.
#
# ## Verdict

# %% tags=["hide-input"]
sl.book.verdicts("11_moco")

# %% [markdown]
# ## Try it yourself
#
# ```bash
# papermill notebooks/11_moco.ipynb out.ipynb -p epochs 8
# accelerate launch --num_processes 8 -m synthlearn pretrain --row dead_leaves-mixed.moco --profile paper --set encoder=resnet50 --out encoder.safetensors
# torchrun --nproc_per_node 2 -m synthlearn pretrain --row dead_leaves-mixed --profile smoke --out encoder.safetensors
# ```
#
# Several processes give the loss and the gradients of one (tested with two on a CPU, for the losses without a queue).

# %% tags=["hide-input"]
sl.book.provenance(p, runs)
