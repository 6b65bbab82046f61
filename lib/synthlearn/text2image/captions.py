"""Captions of real images, from their labels and colours.

They are what a text-to-image model is given; how much they tell of the labels is computed too.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from ..core.image import SIZES, area_resize, luma, resize
from ..core.options import Options, as_indices, build, check_device, whole
from ..core.source import Source
from ..data import datasets
from ..data.image_set import ImageSet, class_balanced_order
from ..data.real import LEAST_SIDE, RealImages
from ..data.sources import register
from ..learn.encoders import load as load_encoder

CAPTIONS = ("named", "colour", "learned")
TOLD = ("captions", "classes")
# centres 45 degrees apart, from 0
HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
BRIGHTNESS = ("dark", "medium", "bright")  # terciles over captions
GREY = 0.08  # chroma, of 1, below which a colour has no hue
GRID = 8  # colours are averaged over so many cells along a side
LATER = (
    "encoder",
    "told",
    "real",
)  # options that older specs lack: left out where they have the default
STARTS = 4  # of k-means, the best is taken


@dataclass(frozen=True)
class Captions:
    """A caption for every image of a set: ``ids`` int64 (n,) into ``texts``, each of which has an
    image."""

    ids: Tensor
    texts: tuple[str, ...]


def captions_of(images: ImageSet, kind: str, number: int, encoder: str = "") -> Captions:
    """Captions of images.

    Args:
        kind: "named", the class and one of number/classes groups of similar colours within it;
            "colour", one of ``number`` groups of similar colours over all classes, in which labels
            have no part; "learned", one of ``number`` groups of similar features of an encoder.
        number: of captions; for "named" a multiple of the number of classes.
        encoder: file of the encoder, for "learned".

    Each text is a sentence of few words: mean brightness and hue of the caption's images, the class
    where it is named, and a number that tells apart what the other words do not.

    Raises: ParameterError for another kind, or a number that cannot be.
    """
    if kind not in CAPTIONS:
        raise ParameterError(f"captions = {kind!r}: must be one of {', '.join(CAPTIONS)}")
    classes = len(images.classes)
    if not 2 <= number <= len(images) or (kind == "named" and number % classes):
        what = f" and a multiple of the {classes} classes" if kind == "named" else ""
        raise ParameterError(
            f"number = {number}: must lie between 2 and the {len(images):,} images{what}"
        )
    colours = area_resize(images.images, GRID).flatten(1).double() / 255
    if kind != "named":
        x = _features(images.images, encoder) if kind == "learned" else colours
        ids = torch.from_numpy(_clusters(x, number))
        return Captions(ids, _texts(colours, ids, ["picture"] * number))
    each = number // classes
    ids = torch.empty(len(images), dtype=torch.int64)
    for c in range(classes):
        of_class = images.labels == c
        ids[of_class] = c * each + torch.from_numpy(_clusters(colours[of_class], each))
    names = [name for name in images.classes for _ in range(each)]
    return Captions(ids, _texts(colours, ids, names))


def _features(images: Tensor, encoder: str) -> Tensor:
    """Features of uint8 (n, 3, s, s) in an encoder's sixth layer, or its last before the
    projection: float64 (n, d)."""
    network = load_encoder(encoder)
    tap, side = network.main_tap, network.options["input_size"]
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in network.normalisation)
    with torch.no_grad():
        parts = [
            network.features((resize(x, side).float() / 255 - mean) / std, (tap,))[tap]
            for x in images.split(500)
        ]
    return torch.cat(parts).double()


def _texts(colours: Tensor, ids: Tensor, names: list[str]) -> tuple[str, ...]:
    """Sentences for captions.

    Args:
        colours: float (n, 3·cells) in 0 … 1. ids: int64 (n,). names: a noun for each caption.
    """
    cells = colours.view(-1, 3, GRID**2)
    mean = torch.stack([cells[ids == k].mean((0, 2)) for k in range(len(names))])
    rank = luma(mean.view(-1, 3, 1, 1)).flatten().argsort().argsort()
    tercile = rank * len(BRIGHTNESS) // len(names)
    chroma = mean.amax(1) - mean.amin(1)
    red, green, blue = mean.unbind(1)
    angle = torch.atan2(3**0.5 * (green - blue), 2 * red - green - blue)
    hue = (angle / (2 * torch.pi) * len(HUES)).round().long() % len(HUES)
    seen: Counter[str] = Counter()
    texts = []
    for k, name in enumerate(names):
        colour = "grey" if chroma[k] < GREY else HUES[int(hue[k])]
        text = f"a {BRIGHTNESS[int(tercile[k])]} {colour} {name}"
        seen[text] += 1
        texts.append(f"{text} of look {seen[text]}")
    return tuple(texts)


def _clusters(x: Tensor, number: int) -> np.ndarray:
    """Cluster of each row of float64 (n, d) by k-means, the largest cluster first: int64 (n,)."""
    from sklearn.cluster import KMeans  # scikit-learn takes a second to import

    if number == 1:
        return np.zeros(len(x), np.int64)
    k_means = KMeans(number, n_init=STARTS, random_state=0).fit(x.numpy())
    cluster = k_means.labels_.astype(np.int64)
    by_size = np.argsort(-np.bincount(cluster, minlength=number), kind="stable")
    return np.argsort(by_size, kind="stable")[cluster]


def mutual_information(ids: Tensor, labels: Tensor, shuffles: int = 20) -> tuple[float, float]:
    """Bits that captions tell about labels, I(caption; label), and the bias of the estimate.

    The bias is the mean of what shuffled captions seem to tell; what a multi-positive loss gets of
    the labels is about the difference.

    Args:
        ids, labels: int64 (n,).
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

    shuffled = [
        estimate(ids[rng.permutation(rng.key("shuffled captions", turn), len(ids))])
        for turn in range(shuffles)
    ]
    return estimate(ids), float(np.mean(shuffled))


@cache
def captioned(
    data: str, per_class: int, kind: str, number: int, encoder: str = ""
) -> tuple[ImageSet, Captions]:
    """The first images of each class of a set's training part, with captions; kept, since clusters
    take seconds."""
    images = datasets.load(data, "train").first(per_class)
    return images, captions_of(images, kind, number, encoder)


@dataclass(frozen=True)
class CaptionOptions(Options):
    """``data``, ``per_class``: the first images of each class of a set's training part (0: all).
    ``captions``, ``number``, ``encoder``: see :func:`captions_of`. ``told``: the label of an image
    in training, its caption or the class that most images of its caption have."""

    data: str = "cifar10-20k"
    per_class: int = 1000
    captions: str = "named"
    number: int = 50
    encoder: str = ""
    told: str = "captions"
    allowed: ClassVar = {"captions": CAPTIONS, "told": TOLD}
    at_least: ClassVar = {"per_class": 0, "number": 2}
    at_most: ClassVar = {"per_class": 10_000_000, "number": 1_000_000}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder and self.captions != "learned":
            both = f"captions = {self.captions!r}, encoder = {self.encoder!r}"
            raise ParameterError(f"options {both}: only 'learned' captions have an encoder")
        if self.captions == "learned" and not self.encoder:
            raise ParameterError("option captions = 'learned': needs the option encoder, a file")


class CaptionSource(Source):
    """A source whose images have captions; its ``Options`` extend :class:`CaptionOptions`."""

    kind = "text2image"
    revision = 1
    Options: Any = CaptionOptions

    def __init__(self, /, **options: Any) -> None:
        """Raises: ParameterError for an option that does not exist, or cannot be."""
        self.options = build(self.Options, self.name, options)

    def checked(self, indices: Iterable[int] | Tensor, size: int, seed: int, device: str) -> Tensor:
        """Indices of asked images, int64 (n,) on the CPU; every subclass's ``sample`` begins so.

        Raises: ParameterError for an index, size, seed or device that cannot be.
        """
        whole("size", size, *SIZES)
        whole("seed", seed)
        check_device(device)
        return as_indices(indices).cpu()

    def resized(self, pictures: Tensor, size: int) -> Tensor:
        """Pictures (n, 3, s, s) at a size: at most their own side, but at least LEAST_SIDE."""
        return resize(pictures, min(size, max(pictures.shape[-1], LEAST_SIDE)))

    def real(self) -> tuple[ImageSet, Captions]:
        """The real images and their captions."""
        options = self.options
        return captioned(
            options.data, options.per_class, options.captions, options.number, options.encoder
        )

    def texts(self) -> tuple[str, ...]:
        """The captions in words, by number."""
        return self.real()[1].texts

    def classes(self) -> Tensor:
        """The class that most real images of each caption have, int64 (captions,)."""
        images, captions = self.real()
        return torch.stack(
            [images.labels[captions.ids == c].mode().values for c in range(len(captions.texts))]
        )

    def labels(self, indices: Iterable[int] | Tensor) -> Tensor:
        """What training is told of each image, int64 (n,)."""
        ids = as_indices(indices) % self.options.number
        return self.classes()[ids] if self.options.told == "classes" else ids

    def class_names(self) -> tuple[str, ...]:
        """Names of what training is told: the captions, or the real images' classes."""
        return self.real()[0].classes if self.options.told == "classes" else self.texts()

    def spec(self) -> dict[str, Any]:
        """What decides images and captions: JSON-able, part of a record."""
        defaults = {field.name: field.default for field in fields(self.Options)}
        options = {
            name: value
            for name, value in asdict(self.options).items()
            if name not in LATER or value != defaults[name]
        }
        return {
            "text2image": self.name,
            "options": options,
            "sha256": datasets.digest(self.options.data, "train"),
            "revision": self.revision,
        }


@register("captioned")
class Captioned(CaptionSource):
    """Real images with captions: what a perfect text-to-image model would give that can only repeat
    what it has seen. Classes take turns."""

    name = "captioned"

    def labels(self, indices: Iterable[int] | Tensor) -> Tensor:
        """As of any; the class is the image's own."""
        images, captions = self.real()
        numbers = images.labels if self.options.told == "classes" else captions.ids
        return numbers[class_balanced_order(images.labels)[as_indices(indices)]]

    def sample(
        self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu"
    ) -> Tensor:
        """Images by index, as of :class:`synthlearn.data.real.RealImages`."""
        positions = self.checked(indices, size, seed, device)
        return self._images.sample(positions, size, seed, device)

    @cached_property
    def _images(self) -> RealImages:
        return RealImages(self.options.data)
