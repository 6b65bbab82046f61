"""Properties of sets of images: how near to another set, how varied, in features of a stated encoder or in colour.

Features are float64 (n, d). All values depend on n: compare sets at equal n only.
"""

import math

import numpy as np
import torch
from torch import Tensor

from ..core import rng
from ..core.augment import Augmentation
from ..core.errors import DataError, ParameterError
from . import metrics

NEIGHBOURS = 5  # Naeem et al. 2020
BINS, AB_RANGE = 16, 110.0  # of the colour histogram: per axis; a* and b* from −110 to 110
D65 = (0.95047, 1.0, 1.08883)
TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


def rounded(name: str, value: float) -> float:
    """A value for a record: six decimals, or six significant digits where that keeps more.

    Raises: DataError for one that is not finite.
    """
    if not math.isfinite(value):
        raise DataError(
            f"{name} = {value}: the images or their features do not vary; compare other images"
        )
    small = value != 0 and abs(value) < 0.1
    return round(value, 5 - math.floor(math.log10(abs(value))) if small else 6)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of features, divided by n − 1."""
    x = x.double()
    return x.mean(0), x.T.cov().reshape(x.shape[1], x.shape[1])


def frechet(x: Tensor, y: Tensor) -> float:
    """Fréchet distance of the Gaussians with the moments of two sets: ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), from 0.

    Not FID unless the features are Inception's. Two samples of one law differ by about d(d + 1)/(2n) + 2d/n.
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
    """Precision, recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) of ``fake`` (m, d) against ``real`` (n, d).

    A ball around a point reaches to its k-th nearest other point of its own set; "inside" is strict.
    Raises: ParameterError if n or m is not larger than k.
    """
    if min(len(real), len(fake)) <= k:
        raise ParameterError(
            f"{len(real)} real and {len(fake)} other images: both must be more than k = {k}"
        )
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
    """½ Σ log(λ + ridge) over the eigenvalues λ of the covariance: the logarithm of the volume that a set fills, up to a constant."""
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
    """CIE L*a*b* (D65) of uint8 sRGB (n, 3, h, w): float64, L* 0 … 100."""
    x = images.double() / 255
    linear = torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    xyz = torch.einsum(
        "rc,nchw->nrhw", torch.tensor(TO_XYZ, dtype=torch.float64), linear
    ) / torch.tensor(D65, dtype=torch.float64).view(3, 1, 1)
    f = torch.where(
        xyz > 216 / 24389, xyz.clamp_min(1e-12) ** (1 / 3), (24389 / 27 * xyz + 16) / 116
    )
    fx, fy, fz = f.unbind(1)
    return torch.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), 1)


def colour_histogram(images: Tensor) -> np.ndarray:
    """Share of pixels in each of 16³ cells of L*a*b*, one added to every count: float64 (4096,)."""
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
    """How much two views of an image have in common: mean cosine of partners minus that of strangers (features less their mean), and the share
    of first views whose nearest second view is the partner. Both (n, d). Raises: ParameterError for n below 2."""
    if len(first) < 2:
        raise ParameterError(
            f"{len(first)} images: coherence compares partners with strangers; at least 2"
        )
    centre = torch.cat((first, second)).double().mean(0)
    a, b = (torch.nn.functional.normalize(x.double() - centre, dim=1) for x in (first, second))
    cosine = a @ b.T
    n, partners = len(a), cosine.diagonal()
    strangers = (cosine.sum() - partners.sum()) / (n * (n - 1))
    return float(partners.mean() - strangers), float(
        (cosine.argmax(1) == torch.arange(n)).double().mean()
    )


def two_views(images: Tensor, augmentation: Augmentation, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two views of each of uint8 (n, 3, s, s), as in training: normalised float (n, 3, crop, crop) each."""
    keys = rng.key("coherence", seed, torch.arange(len(images)))
    return augmentation(images, rng.fold(keys, 0)), augmentation(images, rng.fold(keys, 1))


def spectrum_exponent(images: Tensor) -> float:
    """Mean slope of log power on log frequency of a set (white noise 0, photographs about −2)."""
    return float(metrics.spectrum_slope(images).mean())
