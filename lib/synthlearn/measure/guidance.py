"""Fidelity and variety of a text-to-image model's images, beside those of real images."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..core.image import resize
from ..data import datasets, image_set
from ..text2image import nearest
from ..text2image.captions import CaptionSource
from . import fidelity, probe
from .base import Measurement, Subject, Value, measurement
from .properties import IMAGES, TAP, frechet, neighbourhoods, reference_fields, rounded, two_samples

# Tap of the reference where the oracle of classes reads (chosen here: where it is most often
# right).
ORACLE_TAP = "fc6"
# Distance to the nearest real image below which a sample counts as a copy of it (chosen here).
COPY = 0.06


@measurement("guidance")
class Guidance(Measurement):
    """Fidelity and variety of the images of a text-to-image run, in the reference's features; as
    ``real``, those of as many real images.

    The oracle of classes learned from real images that neither the model nor the probe has: of each
    class those beyond the first ``per_class``, where the model has every image all of them.
    """

    Result = Value
    modules = ("fidelity", "properties", "text2image")
    of_pictures = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, Value]]:
        """A part for each property."""
        settings, reference, source = subject.settings, subject.reference(), subject.source()
        assert isinstance(source, CaptionSource)
        n = min(IMAGES, settings.n_images)
        index = torch.arange(n)
        pictures = source.sample(index, settings.image_size, seed, settings.device).cpu()
        ids = index % len(source.texts())
        real, captions = source.real()
        every, test = datasets.both(settings.data)
        test = two_samples(test, n, settings.data)
        classes = len(every.classes)

        def read(images: Tensor, tap: str) -> Tensor:
            enlarged = probe.large_enough(images, settings.crop)
            return probe.features(reference, enlarged, (tap,))[tap].cpu()

        apart = image_set.rank_within_class(every.labels) >= settings.per_class
        oracle = fidelity.ClassifierOracle(
            read(every.images[apart], ORACLE_TAP), every.labels[apart], classes, seed
        )

        def look(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """Features, classes by the oracle, distances to the model's nearest real image."""
            small = resize(images, real.images.shape[-1])
            predicted = oracle.predict(read(images, ORACLE_TAP))
            return read(images, TAP).double(), predicted, nearest(small, real.images)[0]

        x, predicted, near = look(pictures)
        y, predicted_real, near_real = look(test.images[:n])
        z = read(test.images[n : 2 * n], TAP).double()
        order = image_set.class_balanced_order(real.labels)[:n]
        of_captions = read(real.images[order], TAP).double()
        around, around_real = neighbourhoods(y, x), neighbourhoods(y, z)
        values = {  # name → of the images, of real images
            "frechet": (frechet(y, x), frechet(y, z)),
            "precision": (around["precision"], around_real["precision"]),
            "recall": (around["recall"], around_real["recall"]),
            "variety": (
                fidelity.variety(x, ids),
                fidelity.variety(of_captions, captions.ids[order]),
            ),
            "agreement": (
                fidelity.agreement(predicted, source.classes()[ids]),
                fidelity.agreement(predicted_real, test.labels[:n]),
            ),
            "imbalance": (
                fidelity.imbalance(predicted, classes),
                fidelity.imbalance(predicted_real, classes),
            ),
            "distance": (float(near.median()), float(near_real.median())),
            "copies": (_share_of_copies(near), _share_of_copies(near_real)),
        }
        for name, (value, beside) in values.items():
            yield name, Value(value=rounded(name, value), real=rounded(name, beside), n=n)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The images, and what they are compared in."""
        return {**super().spec_fields(subject), **reference_fields(subject)}


def _share_of_copies(distances: Tensor) -> float:
    return float((distances < COPY).double().mean())
