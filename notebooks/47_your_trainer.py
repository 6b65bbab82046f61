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
# # Train your trainer on noise
#
# *You have a training loop already. How do these images get into it, and how does an encoder of ours get out?*

# %% tags=["parameters", "hide-input"]
profile: str = "smoke"  # changes nothing here: the page is about calls, and all is small
n_images: int = 64
epochs: int = 2
batch_size: int = 32
device: str = "cpu"

# %% tags=["hide-input"]
import synthlearn as sl
import synthlearn.core.vision  # torchvision's operators beside a CPU build of torch (README)

p = sl.book.parameters(globals())
sl.book.in_short(
    "Any source of this book is a torch data set in one line: <code>sl.data.Images(source, n, size)</code>. It needs no file and no class of your own, and it goes "
    "into torch's DataLoader, timm, lightly and Hugging Face's datasets as it is",
    "<code>python -m synthlearn export-encoder</code> writes an encoder's weights as timm or torchvision names them",
    sure="that the features are the same there: this page asserts it",
)

# %% tags=["hide-input"]
fractals = sl.generator("fractals-fractaldb", categories=8)
leaves = sl.generator("dead_leaves-mixed")
sl.book.rows(
    {
        "fractals, with labels": fractals.sample(range(8), size=48),
        "leaves, without": leaves.sample(range(8), size=48),
    },
    alt="A row of eight fractals, one for each class, and a row of eight images of coloured shapes.",
    caption="The images of this page. A fractal's class is the system that draws it.",
)

# %% [markdown]
# ## Why no files
#
# Image $i$ is a function of source, options, seed, size and $i$. So a data set of a million images is a number. Workers have nothing to share,
# shuffling moves no bytes, and a run that stops can go on at any image. An ImageFolder of the same set is one command
# (`python -m synthlearn generate`, also as webdataset shards), for trainers that want files.
#
# ## torch and timm
#
# A ResNet of timm is trained to tell fractals apart, on so few images that it shows the calls and no more. Two workers make the images. The transform is torchvision's, on uint8 tensors $(3, s, s)$; with
# `pil=True` it gets PIL images, which timm's own `create_loader` asks for.

# %%
import timm
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision.transforms import v2

crop, flip = v2.RandomResizedCrop(32, antialias=True), v2.RandomHorizontalFlip()
transform = v2.Compose([crop, flip, v2.ToDtype(torch.float32, scale=True)])
images = sl.data.Images(fractals, p.n_images, size=48, transform=transform)
loader = DataLoader(images, p.batch_size, shuffle=True, num_workers=2)

network = timm.create_model("resnet18", num_classes=len(images.classes))
optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
for _ in range(p.epochs):
    for x, y in loader:
        loss = cross_entropy(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
print(f"{tuple(x.shape)}, {len(images.classes)} classes, loss {loss.item():.2f}")

# %% [markdown]
# `views=2` draws the transform twice and gives (views, label). Where a set has no classes, the label is 0.
#
# ## lightly
#
# A transform of lightly turns an image into two views, so `views` stays 1; `NTXentLoss` is SimCLR's loss. Where lightly wants three values (views, label,
# name), `LightlyDataset.from_torch_dataset(images, transform)` makes them.

# %%
from lightly.loss import NTXentLoss
from lightly.transforms import SimCLRTransform

pairs = SimCLRTransform(input_size=32, cj_strength=0.5)
images = sl.data.Images(leaves, p.n_images, size=48, transform=pairs, pil=True)
(first, second), _ = next(iter(DataLoader(images, p.batch_size, num_workers=2)))

network.reset_classifier(128)
loss = NTXentLoss(temperature=0.2)(network(first), network(second))
loss.backward()
print(f"{tuple(first.shape)}, loss {loss.item():.2f}")

# %% [markdown]
# ## Hugging Face
#
# `to_hf()` streams: nothing is written, and its shards go to workers and ranks as `datasets` deals them out. `to_hf(streaming=False)` writes an
# Arrow file into the cache of `datasets` once.

# %%
rows = sl.data.Images(fractals, p.n_images, size=32).to_hf()
print(list(rows.features))
row = next(iter(rows.with_format("torch")))
assert torch.equal(row["image"], fractals.sample([0], size=32)[0])

# %% [markdown]
# ## Without end, on many machines, on a GPU
#
# `Stream` is an iterable data set. Every image goes to one worker of one rank (torch.distributed's, or those of `torchrun`), none twice. Each epoch shows
# the same images until `set_epoch(number)` asks for new ones. `state_dict`
# says where it is; a DataLoader's workers have copies of their own, so there tell it how many batches you took: `state_dict(batches=…)`.
# `DeviceLoader` needs no workers: it makes the next batch on the device itself while the current one trains. A folder or a real set is a source,
# too, `sl.data.source("folder", path="leaves")`: when all its images have come, they come again.

# %%
stream = sl.data.Stream(leaves, size=32, batch_size=p.batch_size)
x, _ = next(iter(DataLoader(stream, p.batch_size, num_workers=2)))
batches = sl.data.DeviceLoader(leaves, p.n_images, size=32, batch_size=p.batch_size)
x_device, _ = next(iter(batches))
print(tuple(x.shape), tuple(x_device.shape), len(batches), "batches an epoch")

# %% [markdown]
# `make bench` compares the data set with files and memory ([benchmarks](93_benchmarks.ipynb)). On a CPU, most generators are slower than small PNG files
# are read: a set that is trained on for many epochs is worth writing once, or `DeviceLoader(..., refresh=0)` keeps it in memory.
#
# ## An encoder for others
#
# Ours is pre-trained and saved, then exported. A model card beside the exported weights names source, method, input normalisation, licence, and the
# lines that load it.

# %%
import tempfile
from pathlib import Path

from synthlearn.learn.methods import SimCLR

encoder = sl.encoders.build("resnet18", width=1, input_size=32, seed=0)
pool, settings = leaves.sample(range(32), size=48), sl.train.Optimisation(1, 16)
sl.train.Training(pool, SimCLR(encoder), sl.augment.Augmentation(32), settings).run()
ours = Path(tempfile.mkdtemp(), "ours.safetensors")
sl.encoders.save(ours, encoder, {"record": "this page"})

# %% [markdown]
# From a shell: `python -m synthlearn export-encoder --encoder ours.safetensors --to timm --out resnet18.safetensors`. From Python, with what matters in
# the last line: plain timm gives the same features.

# %%
from synthlearn.study import sharing

exported = ours.with_name("resnet18.safetensors")
sharing.share(ours, "timm", exported)

theirs = timm.create_model("resnet18", num_classes=0, checkpoint_path=exported).eval()
x = torch.rand(4, 3, 32, 32)
with torch.no_grad():
    assert torch.allclose(theirs(x), encoder.eval().embed(x), atol=1e-5)

# %% [markdown]
# `--to torchvision` does the same for a ResNet or a ViT; a SmallAlexNet goes `--to torch`, and the card holds its layers as a plain
# `nn.Sequential`. The stem is the library's own, 7×7 with stride 2: trunks that others train on CIFAR often have a smaller one.
#
# ## What we learned

# %% tags=["hide-input"]
sl.book.learned(
    "A set of images that is a function of numbers has no format: every library's own loader can ask for it",
    "What a transform gets, and who counts epochs and shards, is all that libraries differ in",
    "An encoder travels as names and shapes; stem, pooling and input normalisation must travel with it",
)

# %% [markdown]
# ## Try it
#
# ```bash
# papermill notebooks/47_your_trainer.ipynb out.ipynb -p n_images 4096 -p epochs 5
# ```
#
# One knob: `num_workers`. Expect two workers to give up to twice the images of one, until the network is the slower part.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# Two ranks share forty images in batches of five. Which images does each see, and does any come twice? The label of a random program's image is
# its number, up to the number of programs.
# :::

# %% tags=["hide-cell", "solution"]
numbers = sl.generator("programs", programs=1000)
options = {"size": 8, "n": 40, "batch_size": 5}
ranks = [sl.data.Stream(numbers, shard=(rank, 2), **options) for rank in (0, 1)]
seen = [[label for _, label in rank] for rank in ranks]
print(seen[0], seen[1], sep="\n")
assert sorted(seen[0] + seen[1]) == list(range(40))

# %% [markdown]
# :::{admonition} Exercise 2
# :class: exercise
# A run with two workers stops after three batches. Go on with one worker, at the very next image.
# :::

# %% tags=["hide-cell", "solution"]
state = sl.data.Stream(numbers, **options).state_dict(batches=3)
later = sl.data.Stream(numbers, **options)
later.load_state_dict(state)
_, labels = next(iter(DataLoader(later, batch_size=5)))
assert labels.tolist() == [15, 16, 17, 18, 19]

# %% [markdown]
# :::{admonition} Exercise 3
# :class: exercise
# Does the loader of your trainer shuffle? Show that the images of an epoch are the same set in any order, and that another seed is another set.
# :::

# %% tags=["hide-cell", "solution"]
small = sl.data.Images(leaves, 16, size=16)
sums = [
    sorted(int(x.sum()) for x, _ in DataLoader(small, batch_size=None, shuffle=shuffle))
    for shuffle in (False, True)
]
other = sorted(int(x.sum()) for x, _ in sl.data.Images(leaves, 16, size=16, seed=1))
assert sums[0] == sums[1] != other

# %% tags=["hide-input"]
sl.book.provenance(p, {})
