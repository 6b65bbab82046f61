"""Rare classes: what a linear classifier on fixed features learns of them from few real images, repeated, varied, or joined by synthetic ones.

The rule of the classes' sizes and the arms are ours; StableRep's authors name the use without an experiment.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import rng
from ..core.augment import Augmentation
from ..core.errors import DataError, ParameterError
from ..core.image import MEAN, STD
from ..data import datasets
from ..data.datasets import ImageSet
from ..text2image.mosaic import GROUP, paint
from . import probe

RATIO, LEAST = 100, 10  # of the largest class to the smallest, which has at least so many images
PARTS = {"head": slice(0, 3), "middle": slice(3, 7), "tail": slice(7, 10)}  # of ten classes by size
Features = Callable[[Tensor], Tensor]  # uint8 (n, 3, s, s) → float (n, d)


def sizes(most: int, classes: int, ratio: float) -> list[int]:
    """Images of the largest class, the next …: most · ratio^(−k/(classes − 1)), rounded. Cui et al. 2019's rule."""
    if classes < 2 or not 1 <= ratio <= most:
        raise ParameterError(
            f"most = {most}, classes = {classes}, ratio = {ratio}: at least two classes, and a ratio of 1 … {most}"
        )
    return [round(most * ratio ** (-k / (classes - 1))) for k in range(classes)]


def arms(
    read: Features,
    images: ImageSet,
    test: ImageSet,
    most: int,
    augmentation: Augmentation,
    seed: int,
    device: str = "cpu",
) -> dict[str, Tensor]:
    """Which test images are right, bool (n,), for each way to train on the same imbalanced set. Which class is rare is drawn by ``seed``.

    Arms: "as it is"; "repeated" to equal sizes; "varied", repeated with random views in place of the repeats; "mosaics", filled up with patch
    mosaics of the class's own few images; "mosaics of all", of all of its images, which the classifier does not get; "balanced", as many real
    images in all, equally many of each class. The strength of the penalty is chosen once, on a fifth of the images as they are.
    """
    datasets.agree(images, test)
    classes = len(images.classes)
    order = rng.permutation(rng.key("long tail", seed), classes)
    size = torch.zeros(classes, dtype=torch.int64)
    size[order] = torch.tensor(sizes(most, classes, min(RATIO, most / LEAST)))
    every = [torch.nonzero(images.labels == c).flatten() for c in range(classes)]
    kept = [e[: int(size[c])] for c, e in enumerate(every)]
    few = torch.cat(kept)
    x = read(images.images)
    y, truth = read(test.images), test.labels
    l2 = probe.choose_l2(x[few], images.labels[few], classes, seed)

    def right(features: Tensor, labels: Tensor) -> Tensor:
        return probe.linear(features, labels, y, truth, classes, seed, l2).correct

    found = {"as it is": right(x[few], images.labels[few])}
    missing = [most - len(k) for k in kept]
    labels = torch.cat(
        (images.labels[few], torch.arange(classes).repeat_interleave(torch.tensor(missing)))
    )
    repeats = torch.cat([k[torch.arange(m) % len(k)] for k, m in zip(kept, missing, strict=True)])
    found["repeated"] = right(torch.cat((x[few], x[repeats])), labels)
    views = augmentation(
        images.images[repeats], rng.key("long tail views", seed, torch.arange(len(repeats)))
    )
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in (MEAN, STD))
    found["varied"] = right(
        torch.cat((x[few], read(((views * std + mean).clamp(0, 1) * 255).round().byte()))), labels
    )
    for name, sources in (("mosaics", kept), ("mosaics of all", every)):
        drawn = [
            mosaics(images.images[s], m, rng.key(f"long tail {name}", seed, c), device)
            for c, (s, m) in enumerate(zip(sources, missing, strict=True))
        ]
        found[name] = right(torch.cat((x[few], read(torch.cat(drawn)))), labels)
    equal = torch.cat([e[: len(few) // classes] for e in every])
    found["balanced"] = right(x[equal], images.labels[equal])
    return found


def mosaics(images: Tensor, n: int, key: Tensor, device: str) -> Tensor:
    """``n`` patch mosaics of uint8 images (k, 3, s, s): uint8 (n, 3, s, s) on the CPU."""
    parts = [images[:0]]
    for start in range(0, n, GROUP):
        number = torch.arange(start, min(start + GROUP, n), device=device)
        noise = rng.normal(rng.fold(key.to(device), 1, number), tuple(images.shape[1:])).view(
            len(number), *images.shape[1:]
        )
        parts.append(paint(noise, images, rng.fold(key, 2, start // GROUP), images).cpu())
    return torch.cat(parts)


def by_part(correct: Tensor, labels: Tensor, seed: int) -> dict[str, tuple[int, int]]:
    """Right and all test images of the head, middle and tail classes of a seed's order; ten classes.

    Raises: DataError for test images of more or fewer classes: their parts would not be those of the training images.
    """
    classes = len(labels.unique())
    if classes != PARTS["tail"].stop or int(labels.max()) >= classes:
        raise DataError(
            f"long tail: test images of {classes} classes; head, middle and tail are parts of {PARTS['tail'].stop}, choose such a set"
        )
    order = rng.permutation(rng.key("long tail", seed), classes)
    found = {}
    for name, part in PARTS.items():
        mine = torch.isin(labels, order[part])
        found[name] = (int(correct[mine].sum()), int(mine.sum()))
    return found
