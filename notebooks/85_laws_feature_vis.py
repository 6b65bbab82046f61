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
# # Laws of feature visualisations
#
# **What can be checked of our [feature visualisations](05_feature_vis)?** Their law is the network's, so pictures of a small encoder at 48
# pixels cannot be held against the authors' of a ResNet-50 at 256. What the construction promises can be; the authors' published pictures are
# shown beside ours for orientation.

# %% tags=["parameters", "remove-input"]
profile: str = "smoke"  # smoke measures fewer pictures; the targets are the same

# %% tags=["hide-input"]
import synthlearn as sl

p = sl.book.parameters(globals())

# %% [markdown]
# ## What the construction promises

# %% tags=["hide-input"]
import torch

from synthlearn.generators import feature_vis as fv

n = 16 if p.name == "smoke" else 96
sources = {
    kind: sl.study.source_of(sl.study.row(f"feature_vis-{kind}"), p, 0)
    for kind in ("random", "dead_leaves")
}
pictures = {kind: source.sample(range(n), size=48) for kind, source in sources.items()}
every = torch.cat(list(pictures.values()))
climbed = []
for source in sources.values():
    network, count = fv.units_of(source.options.encoder, source.options.width, 0, "cpu")
    index = torch.arange(8)
    chosen, keys = fv.unit_list(index, count), source.keys(index)
    with torch.no_grad():
        stages = source.optimise(
            network, chosen, keys, 48, source.options.steps, source.options.steps
        )
        excited = [network(stage.float() / 255).gather(1, chosen).sum(1) for stage in stages]
    climbed.append(excited[-1] > excited[0])
pairs = fv.unit_list(torch.arange(2048, 105_000), 2048)
found = {
    "least": int(every.amin((1, 2, 3)).max()),
    "largest": int(every.amax((1, 2, 3)).min()),
    "pairs": int(pairs[:, 0].max()),
    "climb": float(torch.cat(climbed).float().mean()),
}
sl.book.check_table(sl.book.laws("feature_vis_exact"), found)

# %% [markdown]
# ## Beside the authors' published pictures
#
# Another network, another size, and theirs went through JPEG: no target, only for orientation.

# %% tags=["hide-input"]
laws = sl.book.laws("feature_vis")
sl.book.law_table(
    laws,
    {kind: sl.book.measure(laws[kind], x) for kind, x in pictures.items()},
    "authors' published pictures",
    target=False,
)

# %% tags=["hide-input"]
sl.book.provenance(p, {})
