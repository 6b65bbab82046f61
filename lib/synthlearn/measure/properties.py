"""Properties of sets of images: how near to another set, how varied, in features of a stated
encoder or in colour.

Features are float64 (n, d). All values depend on n: compare sets at equal n only.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.augment import Augmentation
from ..core.errors import DataError, ParameterError
from ..core.image import MEAN, STD
from ..core.source import Source
from ..data import Folder, RealImages, datasets, image_set
from ..learn.encoders import Encoder
from . import metrics, probe
from .base import Measurement, Subject, Value, measurement

# k of the balls around points (Naeem et al. 2020).
NEIGHBOURS = 5
# Cells of the colour histogram along each axis (chosen here).
BINS = 16
# Its range of a* and b*: from −110 to 110 (sRGB's lie between −108 and 99).
AB_RANGE = 110.0
# White of sRGB, as X, Y, Z, and its matrix from linear R, G, B (IEC 61966-2-1).
D65 = (0.95047, 1.0, 1.08883)
TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
# Images of each set at most (chosen here).
IMAGES = 2000
# Images of each set at least: half of them have more than five neighbours.
LEAST = 12
# The reference's tap: of so few numbers that 2,000 images are enough (chosen here).
TAP = "conv5"
# Added to each eigenvalue in the log volume, in shares of the real images' mean one (chosen here).
RIDGE = 1e-3


def rounded(name: str, value: float) -> float:
    """A value for a record: six decimals, or six significant digits where that keeps more.

    >>> rounded("x", 12.3456789), rounded("x", 0.000123456789)
    (12.345679, 0.000123457)

    Raises: DataError for one that is not finite.
    """
    if not math.isfinite(value):
        wrong = "the images or their features do not vary; compare other images"
        raise DataError(f"{name} = {value}: {wrong}")
    small = value != 0 and abs(value) < 0.1
    return round(value, 5 - math.floor(math.log10(abs(value))) if small else 6)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of features (n, d), divided by n − 1: float64."""
    x = x.double()
    return x.mean(0), x.T.cov().reshape(x.shape[1], x.shape[1])


def frechet(x: Tensor, y: Tensor) -> float:
    """Fréchet distance of the Gaussians with the moments of two sets, (n, d) and (m, d), from 0:
    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½). Dowson and Landau 1982.

    Not FID unless the features are Inception's. Two samples of one law differ by about
    d(d + 1)/(2n) + 2d/n.

    >>> x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> round(frechet(x, x + 3), 6)
    18.0

    Raises: ParameterError for a set of fewer than two.
    """
    if min(len(x), len(y)) < 2:
        raise ParameterError(f"{len(x)} and {len(y)} images: a covariance needs at least 2 of each")
    (m1, c1), (m2, c2) = moments(x), moments(y)
    value, vector = torch.linalg.eigh(c1)
    root = vector * value.clamp_min(0).sqrt() @ vector.T
    cross = torch.linalg.eigvalsh(root @ c2 @ root).clamp_min(0).sqrt().sum()
    return float(((m1 - m2).square().sum() + c1.trace() + c2.trace() - 2 * cross).clamp_min(0))


def neighbourhoods(real: Tensor, fake: Tensor, k: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) of
    ``fake`` (m, d) against ``real`` (n, d), each from 0; all but density up to 1.

    A ball around a point reaches to its k-th nearest other point of its own set; "inside" is
    strict.

    >>> x = torch.arange(10.0)[:, None]
    >>> neighbourhoods(x, x + 0.25, k=2)["precision"], neighbourhoods(x, x + 50, k=2)["recall"]
    (1.0, 0.0)

    Raises: ParameterError if n or m is not larger than k.
    """
    if min(len(real), len(fake)) <= k:
        numbers = f"{len(real)} real and {len(fake)} other images"
        raise ParameterError(f"{numbers}: both must be more than k = {k}")
    centre = real.double().mean(0)
    real, fake = real.double() - centre, fake.double() - centre
    radius, other = (torch.cdist(x, x).kthvalue(k + 1, 1).values for x in (real, fake))
    distance = torch.cdist(real, fake)
    in_real = distance < radius[:, None]
    return {
        "precision": float(in_real.any(0).double().mean()),
        "recall": float((distance < other).any(1).double().mean()),
        "density": float(in_real.double().sum(0).mean() / k),
        "coverage": float((distance.min(1).values < radius).double().mean()),
    }


def log_volume(x: Tensor, ridge: float) -> float:
    """½ Σ log(λ + ridge) over the eigenvalues λ of the covariance: the logarithm of the volume that
    a set fills, up to a constant."""
    return 0.5 * float((torch.linalg.eigvalsh(moments(x)[1]).clamp_min(0) + ridge).log().sum())


def effective_rank(x: Tensor) -> float:
    """exp of the entropy of the covariance's normalised eigenvalues: 1 … d, 1 where nothing varies.
    Roy & Vetterli 2007."""
    value = torch.linalg.eigvalsh(moments(x)[1]).clamp_min(0)
    if not float(value.sum()):
        return 1.0
    p = value / value.sum()
    return math.exp(float(-(p * p.clamp_min(1e-300).log()).sum()))


def lab(images: Tensor) -> Tensor:
    """CIE L*a*b* (D65) of uint8 sRGB (n, 3, h, w): float64, L* 0 … 100.

    >>> white = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    >>> lab(white).abs().round().flatten()
    tensor([100.,   0.,   0.], dtype=torch.float64)
    """
    x = images.double() / 255
    linear = torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    white = torch.tensor(D65, dtype=torch.float64).view(3, 1, 1)
    xyz = torch.einsum("rc,nchw->nrhw", torch.tensor(TO_XYZ, dtype=torch.float64), linear) / white
    root = xyz.clamp_min(1e-12) ** (1 / 3)
    f = torch.where(xyz > 216 / 24389, root, (24389 / 27 * xyz + 16) / 116)
    fx, fy, fz = f.unbind(1)
    return torch.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), 1)


def colour_histogram(images: Tensor) -> np.ndarray:
    """Share of pixels of uint8 (n, 3, h, w) in each of 16³ cells of L*a*b*, one added to every
    count: float64 (4096,)."""
    colours = lab(images)
    low, high = (
        torch.tensor(v, dtype=torch.float64).view(3, 1, 1)
        for v in ((0.0, -AB_RANGE, -AB_RANGE), (100.0, AB_RANGE, AB_RANGE))
    )
    cell = ((colours - low) / (high - low) * BINS).long().clamp(0, BINS - 1)
    number = (cell[:, 0] * BINS + cell[:, 1]) * BINS + cell[:, 2]
    counts = torch.bincount(number.flatten(), minlength=BINS**3).double() + 1
    return (counts / counts.sum()).numpy()


def symmetric_kl(p: np.ndarray, q: np.ndarray) -> float:
    """Σ (p − q) log(p/q), nats: the sum of both directions."""
    return float(((p - q) * np.log(p / q)).sum())


def coherence(first: Tensor, second: Tensor) -> tuple[float, float]:
    """How much two views of an image have in common: mean cosine of partners minus that of
    strangers (features less their mean), and the share of first views whose nearest second view is
    the partner. Both (n, d).

    Raises: ParameterError for n below 2.
    """
    if len(first) < 2:
        why = "coherence compares partners with strangers"
        raise ParameterError(f"{len(first)} images: {why}; at least 2")
    centre = torch.cat((first, second)).double().mean(0)
    a, b = (functional.normalize(x.double() - centre, dim=1) for x in (first, second))
    cosine = a @ b.T
    n, partners = len(a), cosine.diagonal()
    strangers = (cosine.sum() - partners.sum()) / (n * (n - 1))
    nearest = (cosine.argmax(1) == torch.arange(n)).double().mean()
    return float(partners.mean() - strangers), float(nearest)


def two_views(images: Tensor, augmentation: Augmentation, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two views of each of uint8 (n, 3, s, s), as in training: normalised float (n, 3, crop, crop)
    each."""
    keys = rng.key("coherence", seed, torch.arange(len(images)))
    return augmentation(images, rng.fold(keys, 0)), augmentation(images, rng.fold(keys, 1))


def spectrum_exponent(images: Tensor) -> float:
    """Mean slope of log power on log frequency of a set (white noise 0, photographs about −2)."""
    return float(metrics.spectrum_slope(images).mean())


def largest_sample(source: Source, test: image_set.ImageSet, name: str) -> tuple[int, str]:
    """How many images of a source can be compared with a set, ``name``, and what limits them.

    Raises: DataError for fewer than :data:`LEAST`.
    """
    limits = [(len(test) // 2, f"half of the test images of {name}")]
    if isinstance(source, (Folder, RealImages)):
        limits.append((source.number(), f"the pictures of {source.name}"))
    most, why = min(limits)
    if most < LEAST:
        raise DataError(f"{why}: {most}; at least {LEAST} are needed")
    return most, why


def two_samples(test: image_set.ImageSet, n: int, name: str) -> image_set.ImageSet:
    """Twice ``n`` test images of a set, ``name``: to compare ``n`` images with, and to stand beside
    them.

    Raises: DataError for a set that has fewer.
    """
    if len(test) < 2 * n:
        lacks = f"{name}: has {len(test)} test images, to compare {n} images takes {2 * n}"
        raise DataError(f"{lacks}; lower n_images to {len(test) // 2}, or take a larger set")
    return image_set.sample(test, 2 * n)


def compare(
    reference: Encoder,
    tap: str,
    pictures: Tensor,
    real: Tensor,
    augmentation: Augmentation,
    seed: int = 0,
) -> Iterator[tuple[str, Value]]:
    """Properties of images against the first half of real ones, in features of ``reference``;
    beside them those of the other half.

    Args:
        pictures: uint8 (n, 3, s, s). real: uint8 (2n, 3, t, t).
        augmentation: of the two views of coherence.
    """
    one, other = real[: len(real) // 2], real[len(real) // 2 :]
    properties = _Properties(reference, tap, one, augmentation, seed)
    of_pictures, of_real = properties.of(pictures), properties.of(other)
    for name, value in of_pictures.items():
        yield (
            name,
            Value(
                value=rounded(name, value),
                real=rounded(name, of_real[name]),
                n=len(pictures),
            ),
        )


class _Properties:
    """All properties of sets of as many images, against ``real`` ones."""

    def __init__(
        self, reference: Encoder, tap: str, real: Tensor, augmentation: Augmentation, seed: int
    ) -> None:
        self.reference, self.tap = reference, tap
        self.augmentation, self.seed = augmentation, seed
        self.real = self._features(real)
        self.ridge = RIDGE * float(moments(self.real)[1].trace()) / self.real.shape[1]
        self.colours = colour_histogram(real)

    def _features(self, images: Tensor) -> Tensor:
        return probe.features(self.reference, images, (self.tap,))[self.tap].double().cpu()

    @torch.no_grad()
    def _features_of_views(self, views: Tensor) -> Tensor:
        device = next(self.reference.parameters()).device
        parts = [
            self.reference.features(_as_for(self.reference, x.to(device)), (self.tap,))[self.tap]
            for x in views.split(probe.BATCH)
        ]
        return probe.finite(torch.cat(parts), self.tap).double().cpu()

    def of(self, images: Tensor) -> dict[str, float]:
        """By name, of uint8 (n, 3, s, s)."""
        x = self._features(images)
        views = two_views(images[: len(images) // 2], self.augmentation, self.seed)
        values = {
            "frechet": frechet(self.real, x),
            **neighbourhoods(self.real, x),
            "log_volume": log_volume(x, self.ridge),
            "effective_rank": effective_rank(x),
            "colour_kl": symmetric_kl(self.colours, colour_histogram(images)),
            "spectrum": spectrum_exponent(images),
        }
        features = [self._features_of_views(v) for v in views]
        colours = [v.mean((2, 3)).double() for v in views]
        values["coherence"], values["retrieval"] = coherence(*features)
        values["colour_coherence"], values["colour_retrieval"] = coherence(*colours)
        return values


def _as_for(encoder: Encoder, views: Tensor) -> Tensor:
    """Views as training makes them, in the size and normalisation of another encoder."""
    size = encoder.options["input_size"]
    if (*map(tuple, encoder.normalisation), views.shape[-1]) == (MEAN, STD, size):
        return views

    def channels(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, device=views.device).view(3, 1, 1)

    mean, std = encoder.normalisation
    plain = views * channels(STD) + channels(MEAN)
    pixels = functional.interpolate(plain, (size, size), mode="bilinear", antialias=True)
    return (pixels - channels(mean)) / channels(std)


def reference_fields(subject: Subject) -> dict[str, Any]:
    """Of the spec of a measurement that compares images: what decides them, how many, and the
    reference's features."""
    return {
        "source": subject.source_spec(),
        "reference": subject.reference_id(),
        "tap": TAP,
        "images": min(IMAGES, subject.settings.n_images),
    }


@measurement("properties")
class Properties(Measurement):
    """:func:`compare` of the images that a run trains on with test images of its probe's set, and
    of as many other test images beside them."""

    Result = Value
    modules = ("properties", "probe", "stream")
    of_pictures = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, Value]]:
        """A part for each property."""
        settings, reference = subject.settings, subject.reference()
        n = min(IMAGES, settings.n_images)
        pictures = subject.pictures(n)
        test = datasets.load(settings.data, "test", settings.crop)
        real = probe.large_enough(two_samples(test, n, settings.data).images, settings.crop)
        yield from compare(reference, TAP, pictures, real, subject.views(), seed)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The images, and what they are compared in."""
        return {**super().spec_fields(subject), **reference_fields(subject)}
