"""A set of labelled images in memory, and which of its images stand for it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..core.errors import DataError, ParameterError


@dataclass(frozen=True)
class ImageSet:
    """Labelled images.

    name, split: what was asked for. images: uint8 (n, 3, h, w). labels: int64 (n,). classes: their
    names. sha256: of all pixels in (n, h, w, 3) order; of a folder, whose classes can change while
    its images do not, over that and the labels.
    """

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, per_class: int) -> "ImageSet":
        """The first ``per_class`` images of each class in their order; 0 means all.

        Raises: ParameterError for fewer.

        >>> import synthlearn as sl
        >>> len(sl.data.load("digits").first(3))
        30
        """
        if per_class < 0:
            raise ParameterError(f"per_class = {per_class}: must be 0, which is all, or more")
        if not per_class:
            return self
        keep = rank_within_class(self.labels) < min(per_class, len(self))
        return replace(self, images=self.images[keep], labels=self.labels[keep])


def agree(train: ImageSet, test: ImageSet) -> None:
    """Raise DataError unless two sets number the same classes, two or more, in the same way.

    >>> import synthlearn as sl
    >>> train, test = sl.data.both("digits")
    >>> agree(train, test)
    >>> agree(train, replace(test, classes=test.classes[::-1]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    synthlearn.core.errors.DataError: classes of digits train and digits test differ: ...
    """
    if train.classes != test.classes:
        lacking = sorted({*train.classes} ^ {*test.classes})
        what = f"{lacking[0]!r} is in one alone" if lacking else "they come in another order"
        raise DataError(
            f"classes of {train.name} {train.split} and {test.name} {test.split} differ: {what}; "
            f"labels of the two would not mean the same"
        )
    if len(train.classes) < 2:
        raise DataError(
            f"{train.name}: {len(train.classes)} class; at least two are needed to tell apart"
        )


def from_pixels(
    name: str, split: str, pixels: np.ndarray, labels: Iterable[int], classes: Iterable[str]
) -> ImageSet:
    """An ImageSet of uint8 (n, h, w, 3), as images are read, and whole labels (n,).

    >>> grey = from_pixels("grey", "train", np.zeros((2, 9, 8, 3), np.uint8), [0, 1], ["a", "b"])
    >>> grey.images.shape, grey.labels
    (torch.Size([2, 3, 9, 8]), tensor([0, 1]))
    """
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    numbers = torch.as_tensor(np.asarray(labels), dtype=torch.int64)
    return ImageSet(name, split, images, numbers, tuple(classes), digest)


def from_tensor(
    name: str, split: str, images: Tensor, labels: Tensor, classes: Iterable[str]
) -> ImageSet:
    """An ImageSet of uint8 (n, 3, h, w) and int64 labels (n,).

    >>> import synthlearn as sl
    >>> digits = sl.data.load("digits")
    >>> copy = from_tensor("copy", "train", digits.images, digits.labels, digits.classes)
    >>> copy.sha256 == digits.sha256
    True
    """
    return from_pixels(name, split, images.permute(0, 2, 3, 1).numpy(), labels.numpy(), classes)


def rank_within_class(labels: Tensor) -> Tensor:
    """How many images of the same class come before each image: int64 (n,).

    >>> rank_within_class(torch.tensor([1, 0, 1, 1, 0])).tolist()
    [0, 0, 1, 2, 1]
    """
    order, sizes = labels.argsort(stable=True), labels.bincount()
    first = sizes.cumsum(0) - sizes  # where each class begins in that order
    before = torch.empty_like(labels)
    before[order] = torch.arange(len(labels), device=labels.device) - first[labels[order]]
    return before


def class_balanced_order(labels: Tensor) -> Tensor:
    """Positions of images in the order in which classes take turns: int64 (n,).

    >>> class_balanced_order(torch.tensor([0, 0, 0, 1, 1])).tolist()
    [0, 3, 1, 4, 2]
    """
    return torch.argsort(rank_within_class(labels), stable=True)


def sample(images: ImageSet, n: int) -> ImageSet:
    """``n`` images that stand for a set (all of a smaller one), every class in its share.

    A set that lies class by class, each class in one piece, gives its classes in turns; one whose
    classes are mixed gives its first images.

    >>> import synthlearn as sl
    >>> sample(sl.data.load("digits"), 12).labels.tolist()  # mixed: the first
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    """
    positions = sample_positions(images, n)
    return replace(images, images=images.images[positions], labels=images.labels[positions])


def sample_positions(images: ImageSet, n: int) -> Tensor:
    """Positions of the images of :func:`sample`: int64 (n,).

    >>> pixels = np.zeros((5, 8, 8, 3), np.uint8)
    >>> by_class = from_pixels("grey", "train", pixels, [0, 0, 0, 1, 1], ["a", "b"])
    >>> sample_positions(by_class, 4)
    tensor([0, 3, 1, 4])
    """
    pieces = 1 + int((images.labels[1:] != images.labels[:-1]).sum())
    by_class = pieces == len(images.labels.unique())
    order = class_balanced_order(images.labels) if by_class else torch.arange(len(images))
    return order[:n]
