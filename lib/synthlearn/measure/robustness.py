"""Robustness: what images that are mixed into a training teach about corrupted ones.

A SmallAlexNet learns the classes of real images, cropped and mirrored, into which images of a set
are mixed by the law of PixMix (Hendrycks et al. 2022; :class:`synthlearn.data.MixIn`). Then it is
asked test images as they are, and under the fifteen corruptions of :mod:`.corruptions`. A row that
has no images is the control: nothing is mixed in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core import deadline, intervals, rng
from ..core.image import MEAN, STD, resize
from ..core.options import Options
from ..data import image_set
from ..data.image_set import ImageSet
from ..data.mix_in import MixIn
from ..learn import encoders
from ..learn.methods import Supervised
from ..learn.optimisation import Optimisation, learning_rate
from ..learn.order import Order
from .base import Accuracy, Measurement, Subject, measurement
from .corruptions import KINDS, SEVERITIES, corrupt
from .probe import ProbeResult

WIDTH = 1 / 8  # of the SmallAlexNet: 485,148 parameters, 10 classes aside; chosen here
BATCH, RATE, DECAY = 128, 0.1, 5e-4  # images of a step; SGD's rate per 256 of them; chosen here
PAD = 4  # pixels that a crop may be off on each side (the paper's)
CLEAN, CORRUPTED = "clean", "corrupted"  # parts; the others are kinds of corruption


@dataclass(frozen=True)
class RobustnessOptions(Options):
    """``images`` of the set to choose mixing images from, ``epochs`` of training, ``test`` images
    of each class."""

    images: int = 1000
    epochs: int = 15
    test: int = 500
    at_least: ClassVar = {"images": 1, "epochs": 1, "test": 1}
    at_most: ClassVar = {"images": 10**6, "epochs": 10**4, "test": 10**6}


@dataclass(frozen=True)
class MeanAccuracy(Accuracy):
    """Mean top-1 over all kinds of corruption; ``right``: under how many kinds each image was
    right, a hexadecimal digit each."""

    right: str

    @property
    def each(self) -> np.ndarray:
        """Share of the kinds under which each image was right: float (n,)."""
        return np.array([int(digit, 16) for digit in self.right]) / len(KINDS)


def shifted(images: Tensor, keys: Tensor) -> Tensor:
    """Images moved by up to :data:`PAD` pixels over black, mirrored or not: uint8 (n, 3, s, s).

    >>> shifted(torch.full((2, 3, 32, 32), 7, dtype=torch.uint8), torch.arange(2)).unique()
    tensor([0, 7], dtype=torch.uint8)
    """
    size = images.shape[-1]
    u, place = rng.uniform(keys, (3,)), torch.arange(size, device=images.device)
    top, left = ((u[:, k] * (2 * PAD + 1)).long()[:, None] for k in range(2))
    columns = left + torch.where(u[:, 2:] < 0.5, place, size - 1 - place)
    which = torch.arange(len(images), device=images.device)[:, None, None, None]
    channels = torch.arange(3, device=images.device)[:, None, None]
    padded = functional.pad(images, (PAD,) * 4)
    return padded[which, channels, (top + place)[:, None, :, None], columns[:, None, None]]


def normalised(x: Tensor) -> Tensor:
    """Float (n, 3, s, s) in [0, 1] as the network takes them."""
    mean, std = (torch.tensor(each, device=x.device).view(3, 1, 1) for each in (MEAN, STD))
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def train(
    images: ImageSet, mix: MixIn | None, epochs: int, seed: int, device: str = "cpu"
) -> Supervised:
    """A classifier of labelled images (square, 32 pixels or more), in eval mode; ``mix`` mixes
    something into them, or nothing.

    Raises: OutOfTime where the deadline passes; ParameterError for images that are too small.
    """
    encoder = encoders.build(encoders.SMALL_ALEXNET, WIDTH, images.images.shape[-1], seed)
    network = Supervised(encoder, {}, len(images.classes), seed).to(device).train()
    optimisation = Optimisation(epochs, min(BATCH, len(images)), RATE, weight_decay=DECAY)
    optimiser = optimisation.build(network.parameters())
    order = Order(len(images), optimisation, seed, torch.device("cpu"))
    steps = epochs * order.per_epoch
    for step in order.plan(range(steps)):
        deadline.check("robustness")
        keys = rng.key("robustness", seed, step.epoch, step.indices)
        x = shifted(images.images[step.indices], keys).float() / 255
        x = mix.mix(x, rng.fold(keys, 1)) if mix else x
        outputs = network.outputs(normalised(x.to(device)))
        loss, _ = network.loss(outputs, images.labels[step.indices].to(device))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step.number, steps, optimisation)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


@torch.no_grad()
def correct(network: Supervised, images: Tensor, labels: Tensor) -> Tensor:
    """Which of uint8 images (n, 3, s, s) a classifier gets right: bool (n,)."""
    device = network.head.weight.device
    batches = (normalised(part.to(device).float() / 255) for part in images.split(4 * BATCH))
    logits = [network.head(network.encoder.embed(x)) for x in batches]
    return torch.cat(logits).argmax(1).cpu() == labels


def corrupted(images: Tensor, kind: str) -> Tensor:
    """Images with a corruption, each in one severity: for the first kind the first image in 1, the
    sixth in 1 again, for the next kind in 2. The same whatever the network.

    Args:
        images: uint8 (n, 3, s, s).
        kind: of :data:`.corruptions.KINDS`.

    >>> corrupted(torch.full((5, 3, 8, 8), 100, dtype=torch.uint8), "brightness")[:, 0, 0, 0]
    tensor([115, 131, 146, 161, 177], dtype=torch.uint8)
    """
    out = images.clone()
    turn = (torch.arange(len(images)) + [*KINDS].index(kind)) % SEVERITIES
    for severity in turn.unique().tolist():
        chosen = torch.nonzero(turn == severity).flatten()
        out[chosen] = corrupt(images[chosen], kind, severity + 1)
    return out


def robustness(network: Supervised, test: ImageSet) -> Iterator[tuple[str, Accuracy]]:
    """Accuracy of a classifier on test images: its mean under all corruptions, with an interval
    over images, then of the images as they are, then under each kind."""
    kinds = {kind: correct(network, corrupted(test.images, kind), test.labels) for kind in KINDS}
    counts = torch.stack([*kinds.values()]).sum(0)
    share = counts.double() / len(kinds)
    mean, half = float(share.mean()), intervals.Z * float(share.std()) / len(test) ** 0.5
    top1, low, high = (round(each, 6) for each in (mean, mean - half, mean + half))
    digits = "".join(f"{k:x}" for k in counts.tolist())
    yield CORRUPTED, MeanAccuracy(len(test), top1, low, high, digits)
    clean = correct(network, test.images, test.labels)
    for name, right in {CLEAN: clean, **kinds}.items():
        yield name, Accuracy.of(ProbeResult.of(right))


@measurement("robustness")
class Robustness(Measurement):
    """A classifier of the images that a run's probe learns from, trained with the run's own images
    mixed in, or without where it has none."""

    Options = RobustnessOptions
    options: RobustnessOptions
    trains = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, Accuracy]]:
        """The mean over all kinds, clean images, and each kind."""
        labelled, test = subject.probe_data()
        image_set.agree(labelled, test)
        settings, test = subject.settings, test.first(self.options.test)
        labelled, test = (
            replace(each, images=resize(each.images, settings.crop)) for each in (labelled, test)
        )
        mix = None
        if subject.source_spec():
            mix = MixIn(subject.source(), self.options.images, seed=seed)
        network = train(labelled, mix, self.options.epochs, seed, settings.device)
        yield from robustness(network, test)

    @classmethod
    def part(cls, name: str, content: Mapping[str, Any]) -> Accuracy:
        """As of any measurement; the mean is a result of its own kind."""
        return (MeanAccuracy if name == CORRUPTED else Accuracy).from_json(content)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The images, where there are any, and the options."""
        source = subject.source_spec()
        return {**({"source": source} if source else {}), **vars(self.options)}
