"""One Gaussian per caption: a text-to-image model whose score, and whose guidance, are formulas.

In the principal axes of all images every coordinate stands alone: mean and variance of a caption,
mean and variance of all. Samples are blurred (no edges, no parts), so nothing about images as
teachers stands on them; the laws of guidance do.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from ..data.sources import register
from .captions import CaptionOptions, CaptionSource, captioned
from .sampling import Denoiser, guided, integrate, noise_levels, to_bytes

DIRECTIONS = 256  # principal axes that are kept; chosen here
EMPTY = 1e-6  # share of the first one's variance below which one is left out
STEPS = 60  # of Heun's method: the variance is within some per cent of its law; chosen here
NOISE = (80.0, 0.002)  # largest and least; Karras et al. 2022, table 1


def denoise(x: Tensor, mean: Tensor, variance: Tensor, noise: float) -> Tensor:
    """Posterior mean of x₀ ~ N(mean, variance), given x = x₀ + noise·ε, by coordinate."""
    return mean + variance / (variance + noise**2) * (x - mean)


def tilted(
    mean: Tensor, variance: Tensor, mean_all: Tensor, variance_all: Tensor, w: float
) -> tuple[Tensor, Tensor]:
    """Mean and variance of the density ∝ p(x|c)^w·p(x)^(1−w), by coordinate.

    Guided sampling does not draw from it, but where both variances agree.
    Raises: ParameterError where it is no density, naming the direction and a w that is one.
    """
    precision = w / variance + (1 - w) / variance_all
    if bool((precision <= 0).any()):
        worst = int((variance / variance_all).argmax())
        ratio = float(variance[worst] / variance_all[worst])
        raise ParameterError(
            f"w = {w}: the tilted density does not exist in direction {worst}, where a caption's "
            f"variance is {ratio:.3g} times that of all images; w must be below "
            f"{ratio / (ratio - 1):.3g}"
        )
    return (w * mean / variance + (1 - w) * mean_all / variance_all) / precision, 1 / precision


def guided_variance(variance: Tensor, variance_all: Tensor, w: float) -> Tensor:
    """Variance of guided samples from high noise: v_c^w·v^(1−w).

    The tilted density has the harmonic mean in place of this geometric one.
    """
    return variance**w * variance_all ** (1 - w)


def guided_moments(
    mean: float,
    variance: float,
    mean_all: float,
    variance_all: float,
    w: float,
    steps: int,
    solver: str = "heun",
) -> tuple[float, float]:
    """Mean and variance of guided samples of one coordinate after finitely many steps.

    The map from noise is affine, so two trajectories give both.
    """
    one = torch.ones(1, dtype=torch.float64)

    def of(m: float, v: float) -> Denoiser:
        return lambda x, sigma: denoise(x, m * one, v * one, sigma)

    denoiser = guided(of(mean, variance), of(mean_all, variance_all), w)
    levels = noise_levels(steps, *NOISE)
    starts = (start * levels[0] * one for start in (0.0, 1.0))
    low, high = (float(integrate(denoiser, x, levels, solver)) for x in starts)
    return low, (high - low) ** 2


@cache
def fit(
    data: str, per_class: int, kind: str, number: int, encoder: str
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Centre (d,), axes (d, k), and in those axes mean and variance of all images (k,) and of each
    caption (captions, k); images in −1 … 1."""
    images, captions = captioned(data, per_class, kind, number, encoder)
    x = images.images.flatten(1).float() / 127.5 - 1
    centre = x.mean(0)
    value, axes = (
        t.flip(-1) for t in torch.linalg.eigh((x - centre).double().T @ (x - centre).double())
    )
    axes = axes[:, : min(DIRECTIONS, int((value > EMPTY * value[0]).sum()))].float()
    z = (x - centre) @ axes
    parts = [z[captions.ids == c] for c in range(number)]
    variance_all = z.var(0)
    return (
        centre,
        axes,
        z.mean(0),
        variance_all,
        torch.stack([p.mean(0) for p in parts]),
        torch.stack([_variance(p, variance_all) for p in parts]),
    )


def _variance(z: Tensor, prior: Tensor) -> Tensor:
    """Variances of few images, drawn towards those of all by the weight of one: a caption of one
    image has a variance too."""
    return ((z - z.mean(0)).square().sum(0) + prior) / (len(z) + 1)


@dataclass(frozen=True)
class GaussianOptions(CaptionOptions):
    """Besides those of captions, ``w``: guidance. ``law``: "ode" by guided sampling, "tilt" from
    the tilted density."""

    w: float = 1.0
    law: str = "ode"
    allowed: ClassVar = {"law": ("ode", "tilt")}
    at_least: ClassVar = {"w": 0.0}
    at_most: ClassVar = {"w": 1000.0}


@register("gaussian")
class Gaussians(CaptionSource):
    """Pictures of captions, each caption a Gaussian in the principal axes of all images.

    Image i is sample ⌊i/number⌋ of caption i mod number.
    """

    name = "gaussian"
    Options = GaussianOptions

    @torch.no_grad()
    def sample(self, indices: Any, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Pictures by index: uint8 (n, 3, s, s).

        Raises: ParameterError where the tilted density does not exist.
        """
        index, options = self.checked(indices, size, seed, device), self.options
        centre, axes, mean_all, variance_all, means, variances = fit(
            options.data, options.per_class, options.captions, options.number, options.encoder
        )
        caption = index % options.number
        keys = rng.key("gaussian noise", seed, caption, index // options.number)
        z = rng.normal(keys, (len(mean_all),)).view(len(index), -1)
        mean, variance = means[caption], variances[caption]
        if options.law == "tilt":
            moments = [
                tilted(m, v, mean_all, variance_all, options.w)
                for m, v in zip(mean, variance, strict=True)
            ]
            if moments:
                rows = zip(moments, z, strict=True)
                z = torch.stack([m + v.sqrt() * row for (m, v), row in rows])
        else:
            denoiser = guided(
                lambda x, sigma: denoise(x, mean, variance, sigma),
                lambda x, sigma: denoise(x, mean_all, variance_all, sigma),
                options.w,
            )
            levels = noise_levels(STEPS, *NOISE)
            z = integrate(denoiser, z * levels[0], levels)
        side = self.real()[0].images.shape[-1]
        pictures = to_bytes(centre + z @ axes.T).view(-1, 3, side, side)
        return self.resized(pictures.to(device), size)
