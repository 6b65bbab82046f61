"""Pre-training or initialisation? What is left of an encoder's worth when its weights are replaced
by others of the same statistics, or all but its first layers are undone.

Every arm is treated alike: its batch norms take their means and variances from the images that the
probe learns from, without labels (:func:`.probe.reestimate_batch_norm`), then it is probed as it
stands, and some arms are trained on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..core.options import Options
from ..data import image_set
from ..data.image_set import ImageSet
from ..learn import surgery
from ..learn.encoders import Encoder, ViT
from . import probe
from .base import Accuracy, Measurement, Subject, encoder_of, measurement
from .fine_tuning import BATCH_SIZE, fine_tuning

# Arms that are trained on (chosen here, for their cost), but not of a ViT: in so few updates of SGD
# it learns nothing.
TUNED = ("random", "trained", "mean and spread", "shuffled")


@dataclass(frozen=True)
class InitialisationOptions(Options):
    """Labelled images of each class: ``per_class`` for the probes, ``tuned`` for fine-tuning, which
    takes at least so many ``updates``."""

    per_class: list[int] = field(default_factory=lambda: [10, 100, 1000])
    tuned: list[int] = field(default_factory=lambda: [10, 100])
    updates: int = 80

    at_least = {"updates": 1}


@dataclass(frozen=True)
class ArmAccuracy(Accuracy):
    """Of an ``arm`` with so many labelled images of each class; ``epochs`` of fine-tuning at rate
    ``lr``, 0 for a linear probe on frozen features."""

    arm: str
    per_class: int
    epochs: int = 0
    lr: float = 0.0


def frozen(
    encoder: Encoder, train: ImageSet, test: ImageSet, sizes: list[int], seed: int
) -> Iterator[tuple[int, probe.ProbeResult]]:
    """Linear probes of frozen features, on the first so many images of each class."""
    x, y = (probe.main_features(encoder, part.images) for part in (train, test))
    rank = image_set.rank_within_class(train.labels)
    for size in sizes:
        few = rank < size
        labels, classes = train.labels[few], len(test.classes)
        yield size, probe.linear(x[few.to(x.device)], labels, y, test.labels, classes, seed)


def with_statistics_of(encoder: Encoder, images: Tensor) -> Encoder:
    """The encoder with batch-norm statistics of uint8 images (n, 3, h, w); a ViT, whose features
    pass no batch norm, as it is."""
    return encoder if isinstance(encoder, ViT) else probe.reestimate_batch_norm(encoder, images)


def epochs_for(updates: int, images: int) -> int:
    """Epochs of fine-tuning in which there are at least so many updates.

    >>> epochs_for(80, 1000), epochs_for(80, 100)
    (5, 40)
    """
    return -(-updates // -(-images // BATCH_SIZE))


@measurement("initialisation")
class Initialisation(Measurement):
    """:func:`.surgery.arms` of a run's encoder, frozen and fine-tuned, on the data of its probe."""

    Options = InitialisationOptions
    options: InitialisationOptions
    Result = ArmAccuracy
    modules = ("initialisation",)
    trains = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, ArmAccuracy]]:
        """A part for each arm and number of labelled images, frozen first."""
        train, test = subject.probe_data()
        image_set.agree(train, test)
        device = subject.settings.device
        for arm, made in surgery.arms(encoder_of(subject), seed):
            encoder = with_statistics_of(made, train.images)
            for size, result in frozen(encoder, train, test, self.options.per_class, seed):
                yield f"{arm}, {size}", ArmAccuracy.of(result, arm=arm, per_class=size)
            tuned = arm in TUNED and not isinstance(encoder, ViT)
            for size in self.options.tuned if tuned else ():
                few = train.first(size)
                lengths = [epochs_for(self.options.updates, len(few))]
                for _, end in fine_tuning(encoder, few, test, lengths, seed, device):
                    yield (
                        f"{arm}, {size}, tuned",
                        ArmAccuracy(
                            top1=end.top1,
                            low=end.low,
                            high=end.high,
                            n=end.n,
                            arm=arm,
                            per_class=size,
                            epochs=lengths[0],
                            lr=end.lr,
                        ),
                    )

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The options."""
        return {**super().spec_fields(subject), **vars(self.options)}
