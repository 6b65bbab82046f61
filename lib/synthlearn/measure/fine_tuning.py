"""What an encoder is worth as a start: all of its layers trained on labelled images."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..core.augment import Augmentation
from ..core.errors import DataError
from ..core.options import Options
from ..data import image_set
from ..data.image_set import ImageSet
from ..learn.encoders import Encoder
from ..learn.methods import Supervised
from ..learn.train import Optimisation, Training
from . import probe
from .base import Accuracy, Measurement, Subject, encoder_of, measurement
from .probe import ProbeResult

# Learning rates per 256 images of a batch, of which one is chosen on a fifth of train (chosen
# here).
RATES = (1e-3, 1e-2, 1e-1)
# Images of a batch (chosen here).
BATCH_SIZE = 64
# Least share of an image that a view shows (chosen here).
SCALE_MIN = 0.5


@dataclass(frozen=True)
class FineTuningOptions(Options):
    """Training images of each class, and the lengths of training, in epochs: a short one favours
    pre-training."""

    per_class: int = 100
    epochs: list[int] = field(default_factory=lambda: [5, 20])

    at_least = {"per_class": 2}


@dataclass(frozen=True)
class FineTunedAccuracy(Accuracy):
    """After training at rate ``lr`` on ``train`` images."""

    lr: float
    train: int


def fine_tuning(
    encoder: Encoder,
    train: ImageSet,
    test: ImageSet,
    lengths: Sequence[int],
    seed: int,
    device: str = "cpu",
) -> Iterator[tuple[str, FineTunedAccuracy]]:
    """All layers trained on labelled images, from the encoder as it is; the rate chosen on a fifth
    of train, then from the start on all of it. A part for each of ``lengths``, in epochs.

    Raises: DataError where no class has two training images, so that no rate can be chosen.
    """
    image_set.agree(train, test)
    apart = probe.held_out(train.labels, seed)
    if not bool(apart.any()):
        lacking = "no class has two training images to choose the rate on"
        raise DataError(f"fine-tuning: {lacking}; give more")
    inner, held = (
        replace(train, images=train.images[part], labels=train.labels[part])
        for part in (~apart, apart)
    )
    for epochs in lengths:
        scores = {}
        for lr in RATES:
            correct = _correct(encoder, inner, held, lr, epochs, seed, device)
            scores[lr] = float(correct.double().mean())
        lr = max(scores, key=lambda rate: (scores[rate], -rate))
        result = ProbeResult.of(_correct(encoder, train, test, lr, epochs, seed, device))
        yield f"{epochs} epochs", FineTunedAccuracy.of(result, lr=lr, train=len(train))


def _correct(
    encoder: Encoder,
    train: ImageSet,
    test: ImageSet,
    lr: float,
    epochs: int,
    seed: int,
    device: str,
) -> Tensor:
    """Which test images a fine-tuned copy gets right, bool (n,)."""
    size = encoder.options["input_size"]
    images = probe.centre_view(train.images, size).to(device)
    method = Supervised(copy.deepcopy(encoder), {}, len(train.classes), seed)
    views = Augmentation(size, scale_min=SCALE_MIN, jitter_p=0.0, grey_p=0.0)
    optimisation = Optimisation(epochs, BATCH_SIZE, lr)
    Training(images, method, views, optimisation, seed, train.labels).run()
    with torch.no_grad():
        predicted = [
            method.head(method.encoder.embed(x)).argmax(1).cpu()
            for x in probe.batches(method.encoder, test.images)
        ]
    return torch.cat(predicted) == test.labels


@measurement("fine_tuning")
class FineTuning(Measurement):
    """:func:`fine_tuning` of a run's encoder, on the data of its probe."""

    Options = FineTuningOptions
    options: FineTuningOptions
    Result = FineTunedAccuracy
    modules = ("transfer",)
    trains = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, FineTunedAccuracy]]:
        """A part for each length."""
        train, test = subject.probe_data()
        few, device = train.first(self.options.per_class), subject.settings.device
        yield from fine_tuning(encoder_of(subject), few, test, self.options.epochs, seed, device)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The options."""
        of_options = {"per_class": self.options.per_class, "epochs": self.options.epochs}
        return {**super().spec_fields(subject), **of_options}
