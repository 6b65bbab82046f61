"""Fifteen corruptions of images in five severities, for asking a classifier what it bears.

The kinds are those of ImageNet-C and CIFAR-10-C (Hendrycks & Dietterich 2019); each is made here
from its definition, with strengths for images of 32 pixels chosen here. So numbers compare arms of
one table, and not with published ones. What differs in kind: frost is crystals of smooth noise, not
photographs of ice; snow and motion blur are lines of a drawn direction, not ImageMagick's; JPEG is
its quantisation of the luma and chroma of 8 × 8 blocks, without subsampling and coding.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.errors import ParameterError
from ..core.image import FROM_YIQ, YIQ
from ..core.options import shown, whole

SEVERITIES = 5
# of JPEG's luma, ITU-T T.81, annex K; used for chroma as well
JPEG = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
# float (n, 3, s, s) in [0, 1], keys (n,), strength → the same, not yet cut off
Corruption = Callable[[Tensor, Tensor, float], Tensor]
KINDS: dict[str, tuple[Corruption, tuple[float, ...]]] = {}


def _kind(*strengths: float) -> Callable[[Corruption], Corruption]:
    """Decorator: a corruption by the name of its function, and its strength at each severity."""

    def add(function: Corruption) -> Corruption:
        KINDS[function.__name__.strip("_")] = function, strengths
        return function

    return add


def corrupt(images: Tensor, kind: str, severity: int, seed: int = 0) -> Tensor:
    """Images with a corruption.

    Args:
        images: uint8 (n, 3, s, s), s from 8.
        kind: a name of :data:`KINDS`.
        severity: 1 … 5; 0 changes nothing.
        seed: of the random numbers; those of image i depend on seed and i alone.

    Returns: uint8 (n, 3, s, s).
    Raises: ParameterError for a kind or severity that there is not.

    >>> x = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    >>> corrupt(x, "brightness", 1).unique(), bool((corrupt(x, "fog", 0) == x).all())
    (tensor([115], dtype=torch.uint8), True)
    """
    if kind not in KINDS:
        raise ParameterError(f"kind = {shown(kind)}: must be one of {', '.join(KINDS)}")
    if not whole("severity", severity, 0, SEVERITIES):
        return images
    function, strengths = KINDS[kind]
    number = torch.arange(len(images), device=images.device)
    keys = rng.key(f"corruption {kind}", seed, number)
    changed = function(images.float() / 255, keys, strengths[severity - 1])
    return (changed.clamp(0, 1) * 255).round().byte()


def _each(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _gaussian(sigma: float) -> Tensor:
    """Weights of a Gaussian that sum to one, (2r + 1,)."""
    reach = max(1, math.ceil(3 * sigma))
    weights = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def blurred(x: Tensor, kernel: Tensor) -> Tensor:
    """Each of (n, c, s, s) under a kernel (k, k) of odd side; borders are mirrored."""
    n, c, *_ = x.shape
    reach = kernel.shape[-1] // 2
    padded = functional.pad(x, (reach,) * 4, mode="reflect").flatten(0, 1)[:, None]
    return functional.conv2d(padded, kernel.to(x)[None, None]).view(n, c, *x.shape[2:])


def smooth_noise(keys: Tensor, size: int, cells: int) -> Tensor:
    """Uniform numbers on a grid of ``cells``, drawn smoothly between: float (n, 1, size, size)."""
    grid = rng.uniform(keys, (1, cells, cells))
    return functional.interpolate(grid, size, mode="bicubic", align_corners=True).clamp(0, 1)


def moved(x: Tensor, by: Tensor) -> Tensor:
    """Each of (n, c, s, s) read at places ``by`` pixels away, (n, 2, s, s) as (x, y)."""
    size = x.shape[-1]
    place = torch.arange(size, device=x.device) + 0.5
    columns, rows = place.expand(size, size), place[:, None].expand(size, size)
    at = (torch.stack((columns, rows)) + by) * 2 / size - 1
    return functional.grid_sample(
        x, at.permute(0, 2, 3, 1), padding_mode="reflection", align_corners=False
    )


@_kind(0.04, 0.06, 0.08, 0.10, 0.12)
def _gaussian_noise(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    return x + strength * rng.normal(keys, tuple(x.shape[1:]))


@_kind(400, 200, 100, 60, 40)
def _shot_noise(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    """Poisson counts of so many photons at white, by their normal limit."""
    return x + (x / strength).sqrt() * rng.normal(keys, tuple(x.shape[1:]))


@_kind(0.01, 0.02, 0.04, 0.06, 0.09)
def _impulse_noise(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    u = rng.uniform(keys, tuple(x.shape[1:]))
    return torch.where(u < strength, (u < strength / 2).float(), x)


@_kind(0.6, 0.9, 1.2, 1.6, 2.0)
def _defocus_blur(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    """A disc of this radius in pixels, with a soft rim."""
    reach = math.ceil(strength)
    place = torch.arange(-reach, reach + 1.0)
    disc = (strength + 0.5 - torch.hypot(place[:, None], place)).clamp(0, 1)
    return blurred(x, disc / disc.sum())


@_kind(0.3, 0.5, 0.7, 0.9, 1.2)
def _glass_blur(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    by = strength * rng.normal(keys, (2, *x.shape[2:]))
    weights = _gaussian(0.4)
    return blurred(moved(x, by), weights[:, None] * weights)


def _streaked(x: Tensor, angle: Tensor, length: float) -> Tensor:
    """Mean of each of (n, c, s, s) along a line of this length in pixels."""
    way = torch.stack((angle.cos(), angle.sin()), 1)[:, :, None, None]
    steps = torch.linspace(-0.5, 0.5, 9).tolist()
    return torch.stack(
        [moved(x, (t * length * way).expand(-1, -1, *x.shape[2:])) for t in steps]
    ).mean(0)


@_kind(1.5, 2.5, 3.5, 4.5, 6.0)
def _motion_blur(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    return _streaked(x, rng.uniform(keys) * math.pi, strength)


@_kind(0.06, 0.11, 0.16, 0.21, 0.26)
def _zoom_blur(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    """Mean of magnifications from 1 to 1 + strength."""
    place = torch.arange(x.shape[-1], device=x.device) + 0.5 - x.shape[-1] / 2
    centre = torch.stack((place.expand(len(place), -1), place[:, None].expand(-1, len(place))))
    every = centre.expand(len(x), -1, -1, -1)
    shrink = [1 / (1 + strength * k / 8) - 1 for k in range(9)]
    return torch.stack([moved(x, by * every) for by in shrink]).mean(0)


@_kind(0.10, 0.16, 0.22, 0.28, 0.36)
def _snow(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    flakes = (rng.uniform(keys, (1, *x.shape[2:])) < strength / 4).float()
    streaks = _streaked(flakes, rng.uniform(rng.fold(keys, 1)) * math.pi, 3.0)
    grey = x.mean(1, keepdim=True)
    paler = x + strength * (torch.maximum(x, 0.5 * grey + 0.5) - x)
    return paler + 1.5 * streaks


@_kind(0.15, 0.25, 0.33, 0.40, 0.50)
def _frost(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    fine = smooth_noise(rng.fold(keys, 1), x.shape[-1], max(4, x.shape[-1] // 2))
    ice = smooth_noise(keys, x.shape[-1], 4) * (1 - (2 * fine - 1).abs())
    return (1 - 0.6 * strength) * x + strength * (0.4 + 0.6 * ice / 0.5)


@_kind(0.2, 0.35, 0.5, 0.65, 0.8)
def _fog(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    """Smooth noise of three scales, added and scaled back to the image's own maximum."""
    size = x.shape[-1]
    scales = [smooth_noise(rng.fold(keys, k), size, 2 ** (k + 1) + 1) / 2**k for k in range(3)]
    most, cloud = _each(x.flatten(1).amax(1)), torch.stack(scales).sum(0) / 1.75
    return (x + strength * cloud) * most / (most + strength)


@_kind(0.06, 0.12, 0.18, 0.24, 0.30)
def _brightness(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    return x + strength


@_kind(0.75, 0.55, 0.40, 0.30, 0.20)
def _contrast(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    mean = x.mean((2, 3), keepdim=True).expand_as(x)
    return torch.lerp(mean, x, strength)


@_kind(0.6, 1.0, 1.4, 1.8, 2.3)
def _elastic(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    """Moved by a smooth field, so many pixels on average."""
    ways = [smooth_noise(rng.fold(keys, k), x.shape[-1], 7) for k in range(2)]
    return moved(x, 4 * strength * (torch.cat(ways, 1) - 0.5))


@_kind(0.65, 0.60, 0.40, 0.35, 0.30)
def _pixelate(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    size = x.shape[-1]
    small = functional.interpolate(x, max(2, round(strength * size)), mode="area")
    return functional.interpolate(small, size, mode="nearest-exact")


@_kind(60, 40, 28, 20, 14)
def _jpeg(x: Tensor, keys: Tensor, strength: float) -> Tensor:
    """Quality ``strength``, from 1 to 100, of the rule that libjpeg made common."""
    size = x.shape[-1]
    scale = (5000 / strength if strength < 50 else 200 - 2 * strength) / 100
    steps = (torch.tensor(JPEG) * scale).round().clamp(1, 255)
    k, place = torch.arange(8.0)[:, None], torch.arange(8.0) + 0.5
    basis = (math.pi / 8 * k * place).cos() * torch.where(k == 0, 0.5**0.5, 1.0) / 2
    colour, back = torch.tensor(YIQ), torch.tensor(FROM_YIQ)
    whole_blocks = functional.pad(x, (0, -size % 8, 0, -size % 8), mode="replicate")
    planes = torch.einsum("rc,nchw->nrhw", colour, whole_blocks * 255)
    blocks = planes.unfold(2, 8, 8).unfold(3, 8, 8)
    coarse = ((basis @ (blocks - 128) @ basis.T) / steps).round() * steps
    planes = (basis.T @ coarse @ basis + 128).permute(0, 1, 2, 4, 3, 5).reshape(planes.shape)
    return torch.einsum("rc,nchw->nrhw", back, planes)[..., :size, :size] / 255
