"""Rare classes: what a linear classifier on fixed features learns of them from few real images,
repeated, varied, or joined by synthetic ones.

The rule of the classes' sizes and the arms are ours; StableRep's authors name the use without an
experiment.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..core import rng
from ..core.augment import Augmentation
from ..core.errors import DataError, ParameterError
from ..core.image import MEAN, STD, resize
from ..core.options import Options
from ..data import datasets, image_set
from ..data.image_set import ImageSet
from ..text2image.captions import CaptionSource
from ..text2image.mosaic import GROUP, paint
from . import probe
from .base import Accuracy, Measurement, Subject, encoder_of, measurement
from .probe import ProbeResult

# Of the largest class to the smallest (chosen here),
RATIO = 100
# which has at least so many images (chosen here).
LEAST = 10
# Parts of ten classes by their size, the largest first (chosen here).
PARTS = {"head": slice(0, 3), "middle": slice(3, 7), "tail": slice(7, 10)}
# The arms: ways to train on the same few images, by their names in records.
AS_IT_IS = "as it is"
REPEATED = "repeated"
VARIED = "varied"
MOSAICS = "mosaics"
MOSAICS_OF_ALL = "mosaics of all"
SAMPLES = "samples"
BALANCED = "balanced"
ARMS = (AS_IT_IS, REPEATED, VARIED, MOSAICS, MOSAICS_OF_ALL, SAMPLES, BALANCED)

Features = Callable[[Tensor], Tensor]  # uint8 (n, 3, s, s) → float (n, d)


@dataclass(frozen=True)
class LongTailOptions(Options):
    """``model``: the row of a text-to-image network, whose samples fill up."""

    model: str = "learned.w3"


@dataclass(frozen=True)
class ArmAccuracy(Accuracy):
    """Of an arm: on all test images, on those of the ``head``, ``middle`` and ``tail`` classes, and
    how many these are."""

    head: float
    middle: float
    tail: float
    tests: dict[str, int]


def sizes(most: int, classes: int, ratio: float) -> list[int]:
    """Images of the largest class, the next …: most · ratio^(−k/(classes − 1)), rounded. Cui et al.
    2019's rule.

    >>> sizes(100, classes=3, ratio=100)
    [100, 10, 1]

    Raises: ParameterError for fewer than two classes, or a ratio that leaves no image.
    """
    if classes < 2 or not 1 <= ratio <= most:
        values = f"most = {most}, classes = {classes}, ratio = {ratio}"
        raise ParameterError(f"{values}: at least two classes, and a ratio of 1 … {most}")
    return [round(most * ratio ** (-k / (classes - 1))) for k in range(classes)]


def arms(
    read: Features,
    images: ImageSet,
    test: ImageSet,
    most: int,
    augmentation: Augmentation,
    samples: tuple[Tensor, Tensor],
    seed: int,
    device: str = "cpu",
) -> dict[str, Tensor]:
    """Which test images are right, bool (n,), for each way to train on the same imbalanced set.
    Which class is rare is drawn by ``seed``.

    Arms: "as it is"; "repeated" to equal sizes; "varied", repeated with random views in place of
    the repeats; "mosaics", filled up with patch mosaics of the class's own few images; "mosaics of
    all", of all of its images, which the classifier does not get; "samples", with those of a
    text-to-image network; "balanced", as many real images in all, equally many of each class. The
    strength of the penalty is chosen once, on a fifth of the images as they are.

    Args:
        samples: uint8 (k, 3, s, s), with their classes int64 (k,). A class takes its first ones,
            and these again where there are too few.

    Raises: DataError where a class that lacks images has no sample.
    """
    image_set.agree(images, test)
    classes = len(images.classes)
    every = [torch.nonzero(images.labels == c).flatten() for c in range(classes)]
    kept = _kept(every, most, seed)
    few = torch.cat(kept)
    x, y = read(images.images), read(test.images)
    l2 = probe.choose_l2(x[few], images.labels[few], classes, seed)

    def correct(features: Tensor, labels: Tensor) -> Tensor:
        return probe.linear(features, labels, y, test.labels, classes, seed, l2).correct

    missing = [most - len(k) for k in kept]
    repeats = torch.cat([k[torch.arange(m) % len(k)] for k, m in zip(kept, missing, strict=True)])
    further = torch.arange(classes).repeat_interleave(torch.tensor(missing))
    labels = torch.cat((images.labels[few], further))

    def with_pictures(pictures: Tensor) -> Tensor:
        return correct(torch.cat((x[few], read(pictures))), labels)

    outcomes = {AS_IT_IS: correct(x[few], images.labels[few])}
    outcomes[REPEATED] = correct(torch.cat((x[few], x[repeats])), labels)
    outcomes[VARIED] = with_pictures(_views(images.images[repeats], augmentation, seed))
    for name, sources in ((MOSAICS, kept), (MOSAICS_OF_ALL, every)):
        drawn = [
            mosaics(images.images[s], m, rng.key(f"long tail {name}", seed, c), device)
            for c, (s, m) in enumerate(zip(sources, missing, strict=True))
        ]
        outcomes[name] = with_pictures(torch.cat(drawn))
    outcomes[SAMPLES] = with_pictures(samples[0][_first(samples[1], missing)])
    equal = torch.cat([e[: len(few) // classes] for e in every])
    outcomes[BALANCED] = correct(x[equal], images.labels[equal])
    return outcomes


def _order(classes: int, seed: int) -> Tensor:
    """Classes from the most frequent to the rarest, as a seed draws them: int64 (classes,)."""
    return rng.permutation(rng.key("long tail", seed), classes)


def _kept(every: list[Tensor], most: int, seed: int) -> list[Tensor]:
    """Of the positions of each class's images, those that are trained on."""
    classes = len(every)
    size = torch.zeros(classes, dtype=torch.int64)
    ratio = min(RATIO, most / LEAST)
    size[_order(classes, seed)] = torch.tensor(sizes(most, classes, ratio))
    return [positions[: int(size[c])] for c, positions in enumerate(every)]


def _first(labels: Tensor, numbers: list[int]) -> Tensor:
    """Positions of the first so many of each class, again from the first where there are fewer."""
    parts = []
    for c, n in enumerate(numbers):
        own = torch.nonzero(labels == c).flatten()
        if n and not len(own):
            remedy = "choose a model of these classes, or ask for more samples"
            raise DataError(f"long tail: the model's samples hold none of class {c}; {remedy}")
        parts.append(own[torch.arange(n) % max(len(own), 1)])
    return torch.cat(parts)


def _views(images: Tensor, augmentation: Augmentation, seed: int) -> Tensor:
    """A random view of each of uint8 (n, 3, s, s), as images: uint8 (n, 3, crop, crop)."""
    keys = rng.key("long tail views", seed, torch.arange(len(images)))
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in (MEAN, STD))
    return ((augmentation(images, keys) * std + mean).clamp(0, 1) * 255).round().byte()


def mosaics(images: Tensor, n: int, key: Tensor, device: str) -> Tensor:
    """``n`` patch mosaics of uint8 images (k, 3, s, s): uint8 (n, 3, s, s) on the CPU.

    >>> images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    >>> mosaics(images, 2, rng.key("example"), "cpu").shape
    torch.Size([2, 3, 8, 8])
    """
    parts = [images[:0]]
    for start in range(0, n, GROUP):
        number = torch.arange(start, min(start + GROUP, n), device=device)
        noise = rng.normal(rng.fold(key.to(device), 1, number), tuple(images.shape[1:])).view(
            len(number), *images.shape[1:]
        )
        parts.append(paint(noise, images, rng.fold(key, 2, start // GROUP), images).cpu())
    return torch.cat(parts)


def by_part(correct: Tensor, labels: Tensor, seed: int) -> dict[str, tuple[int, int]]:
    """Right and all test images of the head, middle and tail classes of a seed's order; ten
    classes.

    Raises: DataError for test images of more or fewer classes: their parts would not be those of
    the training images.
    """
    classes = len(labels.unique())
    ten = PARTS["tail"].stop
    if classes != ten or int(labels.max()) >= classes:
        needed = f"head, middle and tail are parts of {ten}, choose such a set"
        raise DataError(f"long tail: test images of {classes} classes; {needed}")
    order = _order(classes, seed)
    counts = {}
    for name, part in PARTS.items():
        of_part = torch.isin(labels, order[part])
        counts[name] = (int(correct[of_part].sum()), int(of_part.sum()))
    return counts


@runtime_checkable
class InStudy(Subject, Protocol):
    """A run that knows the others of its study."""

    def beside(self, row: str) -> Subject:
        """Seed 0 of another row in the same profile."""
        ...


@measurement("long_tail")
class LongTail(Measurement):
    """:func:`arms` on a run's features, on the data of its probe in their own size.

    The text-to-image network has seen all images of each class, of which the classifier gets few:
    a model that knows more than its user, as mosaics of all are.
    """

    Options = LongTailOptions
    options: LongTailOptions
    Result = ArmAccuracy
    modules = ("long_tail",)

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, ArmAccuracy]]:
        """A part for each arm."""
        encoder, settings = encoder_of(subject), subject.settings

        def read(images: Tensor) -> Tensor:
            return probe.main_features(encoder, probe.large_enough(images, settings.crop)).cpu()

        train, test = datasets.both(settings.data)
        train = train.first(settings.per_class)
        most = int(torch.bincount(train.labels).min())
        side = train.images.shape[-1]
        views = replace(subject.views(), crop=min(settings.crop, side))
        samples = self._samples(subject, side)
        outcomes = arms(read, train, test, most, views, samples, seed, settings.device)
        for name, correct in outcomes.items():
            counts = by_part(correct, test.labels, seed)
            shares = {part: round(right / n, 6) for part, (right, n) in counts.items()}
            tests = {part: n for part, (_, n) in counts.items()}
            yield name, ArmAccuracy.of(ProbeResult.of(correct), **shares, tests=tests)

    def _samples(self, subject: Subject, side: int) -> tuple[Tensor, Tensor]:
        """All that the model's row trains on, at this size, and the classes of their captions."""
        model = self._model(subject)
        source = model.source()
        if not isinstance(source, CaptionSource):
            row = f"model = {self.options.model!r}"
            raise ParameterError(f"{row}: its images have no captions; choose a text-to-image row")
        pictures = model.pictures(model.settings.n_images)
        captions = torch.arange(len(pictures)) % len(source.texts())
        return resize(pictures, side), source.classes()[captions]

    def _model(self, subject: Subject) -> Subject:
        assert isinstance(subject, InStudy)
        return subject.beside(self.options.model)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The samples."""
        return {**super().spec_fields(subject), "source": self._model(subject).source_spec()}
