"""Properties of sets of images in a neutral eye: an ImageNet classifier that neither the study has
trained nor any of its images."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ..core.image import resize
from ..data import datasets, stream
from ..learn import reference
from . import probe
from .base import Measurement, Subject, Value, measurement
from .properties import (
    IMAGES,
    RIDGE,
    effective_rank,
    frechet,
    log_volume,
    moments,
    neighbourhoods,
    rounded,
    two_samples,
)

# Tap of the reference: of 320 numbers, so that 2,000 images have more than six for each; its other
# one has 1,280 (chosen here).
TAP = "block"


def compare(x: Tensor, real: Tensor, other: Tensor) -> Iterator[tuple[str, Value]]:
    """Properties of a set against ``real`` images; beside them those of ``other`` real images.

    Features (n, d), all of as many images. Volumes have the ridge of the real images, as in
    :mod:`.properties`.

    >>> import torch
    >>> x = torch.eye(12) + torch.eye(12).roll(1, 0)
    >>> dict(compare(x, x, x))["frechet"].value
    0.0
    """
    ridge = RIDGE * float(moments(real)[1].trace()) / real.shape[1]

    def of(y: Tensor) -> dict[str, float]:
        return {
            "frechet": frechet(real, y),
            **neighbourhoods(real, y),
            "log_volume": log_volume(y, ridge),
            "effective_rank": effective_rank(y),
        }

    beside = of(other)
    for name, value in of(x).items():
        yield name, Value(value=rounded(name, value), real=rounded(name, beside[name]), n=len(x))


@measurement("neutral")
class Neutral(Measurement):
    """:func:`compare` of the first images of a run's source with test images of its probe's set,
    in the features of :class:`synthlearn.learn.reference.Reference`.

    All images are first brought to the side that encoders see, so that none is sharper for having
    been drawn larger."""

    Result = Value

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, Value]]:
        """A part for each property."""
        settings, n = subject.settings, _images(subject)
        eye = reference.Reference().to(settings.device)
        whole = datasets.load(settings.data, "test", settings.crop)
        test = two_samples(whole, n, settings.data).images
        source, size = subject.source(), settings.image_size
        pictures = stream.pool(source, n, size, seed, settings.device)

        def read(images: Tensor) -> Tensor:
            small = resize(images.cpu(), settings.crop)
            return probe.features(eye, small, (TAP,))[TAP].double().cpu()

        real = read(test)
        yield from compare(read(pictures), real[: len(real) // 2], real[len(real) // 2 :])

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The images, and what they are compared in."""
        return {
            "source": subject.source_spec(),
            "reference": reference.spec(),
            "tap": TAP,
            "images": _images(subject),
        }


def _images(subject: Subject) -> int:
    return min(IMAGES, subject.settings.n_images)
