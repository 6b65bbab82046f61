"""What every layer of an encoder is worth: a linear probe on each tap."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..data import image_set
from ..data.image_set import ImageSet
from ..learn.encoders import Encoder
from . import probe
from .base import Accuracy, Measurement, Subject, encoder_of, measurement


@dataclass(frozen=True)
class LayerAccuracy(Accuracy):
    """Of one layer; ``size``: of its features."""

    size: int


def layers(
    encoder: Encoder, train: ImageSet, test: ImageSet, seed: int
) -> Iterator[tuple[str, LayerAccuracy]]:
    """Linear probes on every tap, from the image to the projection; convolutions averaged over
    space.

    Raises: DataError for sets that do not number the same classes.
    """
    image_set.agree(train, test)
    x, y = (probe.features(encoder, part.images, encoder.taps) for part in (train, test))
    for tap in encoder.taps:
        result = probe.linear(x[tap], train.labels, y[tap], test.labels, len(test.classes), seed)
        yield tap, LayerAccuracy.of(result, size=x[tap].shape[1])


@measurement("layers")
class Layers(Measurement):
    """:func:`layers` of a run's encoder, on the data of its probe."""

    Result = LayerAccuracy
    modules = ("transfer",)
    on_main_images = True
    is_linear_probe = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, LayerAccuracy]]:
        """A part for each tap."""
        yield from layers(encoder_of(subject), *subject.probe_data(), seed)
