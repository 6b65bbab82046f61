"""What an encoder is worth beyond the probe's images: a suite of small tasks, in three groups."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..core.options import Options
from ..learn.encoders import Encoder
from . import probe, tasks
from .base import Accuracy, Measurement, Subject, measurement


@dataclass(frozen=True)
class TransferOptions(Options):
    """Names of tasks; none: all that can be had here."""

    tasks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TaskAccuracy(Accuracy):
    """Of one task: its group, training images, chance (the share of the most frequent class) and
    the gain over it, (top-1 − chance)/(1 − chance)."""

    group: str
    train: int
    chance: float
    gain: float


def suite(
    encoder: Encoder | None, groups: Mapping[str, Sequence[str]], size: int, seed: int
) -> Iterator[tuple[str, TaskAccuracy]]:
    """Linear probes on tasks, given by group; on raw pixels of ``size`` where ``encoder`` is
    None."""

    def read(images: Tensor) -> Tensor:
        if encoder is None:
            return probe.raw_pixels(images, size)
        return probe.main_features(encoder, images)

    for group, names in groups.items():
        for name in names:
            train, test = tasks.load(name)
            x, y, classes = read(train.images), read(test.images), len(train.classes)
            result = probe.linear(x, train.labels, y, test.labels, classes, seed)
            chance = float(torch.bincount(test.labels).max() / len(test))
            yield (
                name,
                TaskAccuracy.of(
                    result,
                    group=group,
                    train=len(train),
                    chance=round(chance, 6),
                    gain=round((result.top1 - chance) / (1 - chance), 6),
                ),
            )


@measurement("transfer")
class Transfer(Measurement):
    """:func:`suite` of a run's encoder, or of plain pixels."""

    Options = TransferOptions
    options: TransferOptions
    Result = TaskAccuracy
    modules = ("transfer", "tasks")

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, TaskAccuracy]]:
        """A part for each task."""
        groups = tasks.suite(self.options.tasks)
        yield from suite(subject.encoder(), groups, subject.settings.crop, seed)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The images of each task."""
        names = [name for group in tasks.suite(self.options.tasks).values() for name in group]
        images = {name: [part.sha256 for part in tasks.load(name)] for name in names}
        return {**super().spec_fields(subject), "tasks": images}
