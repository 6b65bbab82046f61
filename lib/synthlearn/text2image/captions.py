"""Captions of real images, from their labels and colours: what a text-to-image model is told, and how much of the labels that gives away."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import datasets, rng
from ..datasets import ImageSet, RealImages
from ..errors import ParameterError
from ..image import area_resize

CAPTIONS = ("named", "colour")
GRID = 8  # colours are averaged over so many cells along a side
STARTS = 4  # of k-means, the best is taken


@dataclass(frozen=True)
class Captions:
    """A caption for every image of a set: ``ids`` int64 (n,) into ``texts``; every text has an image."""

    ids: Tensor
    texts: tuple[str, ...]


def captions_of(images: ImageSet, kind: str, number: int) -> Captions:
    """Captions of images.

    Args:
        kind: "named", the class and one of number/classes groups of similar colours within it; "colour", one of ``number`` groups of similar
            colours over all classes, in which labels have no part.
        number: of captions; for "named" a multiple of the number of classes.

    Raises: ParameterError for another kind, or a number that cannot be.
    """
    if kind not in CAPTIONS:
        raise ParameterError(f"captions = {kind!r}: must be one of {', '.join(CAPTIONS)}")
    classes = len(images.classes)
    if not 2 <= number <= len(images) or (kind == "named" and number % classes):
        what = f" and a multiple of the {classes} classes" if kind == "named" else ""
        raise ParameterError(f"number = {number}: must lie between 2 and the {len(images):,} images{what}")
    colours = area_resize(images.images, GRID).flatten(1).double() / 255
    if kind == "colour":
        return Captions(torch.from_numpy(_clusters(colours, number)), tuple(f"a picture with colours {k}" for k in range(number)))
    each = number // classes
    ids = torch.empty(len(images), dtype=torch.int64)
    for c in range(classes):
        mine = images.labels == c
        ids[mine] = c * each + torch.from_numpy(_clusters(colours[mine], each))
    return Captions(ids, tuple(f"a {name} with colours {k}" for name in images.classes for k in range(each)))


def _clusters(x: Tensor, number: int) -> np.ndarray:
    """Cluster of each row of float64 (n, d) by k-means, the largest cluster first: int64 (n,)."""
    from sklearn.cluster import KMeans  # scikit-learn takes a second to import

    if number == 1:
        return np.zeros(len(x), np.int64)
    found = KMeans(number, n_init=STARTS, random_state=0).fit(x.numpy()).labels_.astype(np.int64)
    by_size = np.argsort(-np.bincount(found, minlength=number), kind="stable")
    return np.argsort(by_size, kind="stable")[found]


def mutual_information(ids: Tensor, labels: Tensor, shuffles: int = 20) -> tuple[float, float]:
    """Bits that captions tell about labels, I(caption; label), and the mean of what shuffled captions seem to tell: the bias of the estimate.

    Both int64 (n,). What a multi-positive loss gets of the labels is about the difference.
    """
    if len(ids) != len(labels):
        raise ParameterError(f"{len(ids)} captions for {len(labels)} labels: must agree")

    def estimate(a: Tensor) -> float:
        joint = torch.zeros(int(a.max()) + 1, int(labels.max()) + 1, dtype=torch.float64)
        joint.index_put_((a, labels), torch.ones(len(a), dtype=torch.float64), accumulate=True)
        joint /= joint.sum()
        apart = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
        kept = joint > 0
        return float((joint[kept] * (joint[kept] / apart[kept]).log2()).sum())

    shuffled = [estimate(ids[rng.permutation(rng.key("shuffled captions", turn), len(ids))]) for turn in range(shuffles)]
    return estimate(ids), float(np.mean(shuffled))


@cache
def captioned(data: str, per_class: int, kind: str, number: int) -> tuple[ImageSet, Captions]:
    """The first images of each class of a set's training part, with captions; kept, since clusters take seconds."""
    images = datasets.load(data, "train").first(per_class)
    return images, captions_of(images, kind, number)


@dataclass(frozen=True)
class CaptionOptions:
    """``data``, ``per_class``: the first images of each class of a set's training part (0: all). ``captions``, ``number``: see :func:`captions_of`."""

    data: str = "cifar10-20k"
    per_class: int = 1000
    captions: str = "named"
    number: int = 50


class CaptionSource:
    """A source whose pictures have captions; ``Options`` are a frozen dataclass with at least those of :class:`CaptionOptions`."""

    name: str
    revision = 1
    Options: Any = CaptionOptions

    def __init__(self, **options: Any) -> None:
        """Raises: ParameterError for an option that does not exist."""
        known = self.Options.__dataclass_fields__
        for option in options:
            if option not in known:
                raise ParameterError(f"unknown option {option!r} of {self.name}: allowed are {', '.join(known)}")
        self.options = self.Options(**options)

    def real(self) -> tuple[ImageSet, Captions]:
        """The real images and their captions."""
        o = self.options
        return captioned(o.data, o.per_class, o.captions, o.number)

    def sample(self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Pictures by index: uint8 (n, 3, s, s)."""
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        """What decides pictures and captions: JSON-able, part of a record."""
        return {"text2image": self.name, "options": asdict(self.options), "sha256": self.real()[0].sha256, "revision": self.revision}


class Captioned(CaptionSource):
    """Real images with captions: what a perfect text-to-image model would give that can only repeat what it has seen. Classes take turns."""

    name = "captioned"

    def labels(self, indices: Iterable[int] | Tensor) -> Tensor:
        """Caption of each image, int64 (n,)."""
        images, captions = self.real()
        return captions.ids[datasets.turns(images)[torch.as_tensor([int(i) for i in indices])]]

    def sample(self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Images by index, as of :class:`synthlearn.datasets.RealImages`."""
        return RealImages(self.options.data).sample(indices, size, seed, device)
