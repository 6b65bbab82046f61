"""A visual memory of real images, seen by a run's encoder: by its size, without a class, and how
much hangs on single entries. The memory itself is in :mod:`.memory`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..data import image_set
from ..data.image_set import ImageSet
from . import memory
from .base import Accuracy, Measurement, Part, Subject, encoder_of, measurement
from .memory import Memory
from .probe import ProbeResult

# Images per class that a memory holds, as far as the smallest class has them (chosen here).
SIZES = (10, 30, 100, 300, 1000)
# Test images of which is asked what a single entry does (chosen here).
ASKED = 2000
# Parts that are not of one size, by their names in records.
INFLUENTIAL = "influential"
WITHOUT_CLASS = "without a class"


@dataclass(frozen=True)
class MemoryAccuracy(Accuracy):
    """Of a memory of so many ``entries``."""

    entries: int


@dataclass(frozen=True)
class Influence(Part):
    """Share of all ``entries`` that the class of any of ``n`` test images hangs on."""

    is_accuracy = False

    value: float
    entries: int

    @property
    def number(self) -> float:
        """The share."""
        return self.value


@dataclass(frozen=True)
class WithoutClass(Part):
    """Top-1 on the ``n`` test images of the other classes after a class was removed and ``before``;
    and after it on the removed class's own, which has to be 0."""

    written = {"removed": "class", "of_removed": "of it"}

    removed: str
    top1: float
    before: float
    of_removed: float

    @property
    def number(self) -> float:
        """Top-1 after the removal."""
        return self.top1


def by_size(
    entries: Tensor, train: ImageSet, asked: Tensor, test: ImageSet
) -> Iterator[tuple[str, Part]]:
    """Of embeddings of train and test images, float32 (n, d) of unit length: top-1 by the memory's
    size, the influence of single entries on the largest one, and what is left without a class."""
    place = image_set.rank_within_class(train.labels)
    names = [f"{i:06d}" for i in range(len(train.labels))]

    def remember(per_class: int) -> Memory:
        kept = place < per_class
        held = Memory({}, entries.shape[1])
        at = torch.nonzero(kept).flatten().tolist()
        classes = [train.classes[train.labels[i]] for i in at]
        held.add([names[i] for i in at], classes, entries[kept])
        return held

    def correct(held: Memory) -> Tensor:
        answers = [train.classes.index(c) for c in held.classify(asked)]
        return torch.tensor(answers) == test.labels

    most = int(torch.bincount(train.labels).min())
    for size in sorted({min(size, most) for size in SIZES}):
        result = ProbeResult.of(correct(remember(size)))
        yield f"{size}", MemoryAccuracy.of(result, entries=size * len(train.classes))
    whole = remember(most)
    before = correct(whole)
    some = asked[image_set.sample_positions(test, ASKED)]
    share = len(whole.influential(some)) / len(whole)
    yield INFLUENTIAL, Influence(value=round(share, 6), n=len(some), entries=len(whole))
    first = int(test.labels.min())
    whole.remove_class(train.classes[first])
    after, others = correct(whole), test.labels != first
    yield (
        WITHOUT_CLASS,
        WithoutClass(
            removed=train.classes[first],
            top1=_share(after[others]),
            before=_share(before[others]),
            of_removed=_share(after[~others]),
            n=int(others.sum()),
        ),
    )


def _share(correct: Tensor) -> float:
    return round(float(correct.double().mean()), 6)


@measurement("memory")
class VisualMemory(Measurement):
    """:func:`by_size` of the data of a run's probe, in its encoder's features."""

    modules = ("memory",)
    on_main_images = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, Part]]:
        """A part for each size, for single entries, and for a class that is removed."""
        encoder = encoder_of(subject)
        train, test = subject.probe_data()
        entries, asked = (
            memory.embed(encoder, part.images, encoder.main_tap).cpu() for part in (train, test)
        )
        yield from by_size(entries, train, asked, test)

    @classmethod
    def part(cls, name: str, content: Mapping[str, Any]) -> Part:
        """A result of this name from a record."""
        others: dict[str, type[Part]] = {INFLUENTIAL: Influence, WITHOUT_CLASS: WithoutClass}
        return others.get(name, MemoryAccuracy).from_json(content)
