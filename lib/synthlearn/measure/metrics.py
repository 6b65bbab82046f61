"""Laws of image sets: one image in, one number out, the same estimators for the papers' sets and
ours."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import ndimage, sparse
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ..core.errors import ParameterError


def _grey(images: Tensor) -> Tensor:
    return images.double().mean(1)


def _kurtosis(x: Tensor) -> Tensor:
    """m4/m2² about the mean of each row of (n, m)."""
    x = x - x.mean(1, keepdim=True)
    return x.pow(4).mean(1) / x.pow(2).mean(1).square().clamp_min(1e-12)


def mean(images: Tensor) -> Tensor:
    """Mean over pixels and channels: (n, 3, h, w) → float64 (n,)."""
    return images.double().mean((1, 2, 3))


def deviation(images: Tensor) -> Tensor:
    """Standard deviation over pixels and channels: (n, 3, h, w) → float64 (n,)."""
    return images.double().flatten(1).std(1, correction=0)


def chroma(images: Tensor) -> Tensor:
    """Mean absolute difference of the channels from their mean: (n, 3, h, w) → float64 (n,)."""
    return (images.double() - _grey(images)[:, None]).abs().mean((1, 2, 3))


def gradient(images: Tensor) -> Tensor:
    """Mean length of the grey gradient by forward differences: (n, 3, h, w) → float64 (n,)."""
    g = _grey(images)
    return torch.hypot(g.diff(dim=-1)[:, :-1], g.diff(dim=-2)[..., :-1]).mean((1, 2))


def edge_fraction(images: Tensor) -> Tensor:
    """Share of horizontal neighbour pairs whose RGB differ at all: uint8 (n, 3, h, w) → float64
    (n,)."""
    return (images[..., 1:] != images[..., :-1]).any(1).double().mean((1, 2))


def constant_fraction(images: Tensor) -> Tensor:
    """Share of pixels equal in RGB to their right and lower neighbour: uint8 (n, 3, h, w) → float64
    (n,)."""
    here = images[..., :-1, :-1]
    return (
        ((here == images[..., :-1, 1:]) & (here == images[..., 1:, :-1]))
        .all(1)
        .double()
        .mean((1, 2))
    )


def mean_step(images: Tensor) -> Tensor:
    """Mean absolute difference of grey between horizontal neighbours: (n, 3, h, w) → float64
    (n,)."""
    return _grey(images).diff(dim=-1).abs().mean((1, 2))


def step_kurtosis(images: Tensor) -> Tensor:
    """Kurtosis of grey differences between horizontal neighbours (3 = Gaussian): (n, 3, h, w) →
    float64 (n,)."""
    return _kurtosis(_grey(images).diff(dim=-1).flatten(1))


def neighbour_correlation(images: Tensor, distance: int = 1) -> Tensor:
    """Pearson correlation of grey with itself ``distance`` columns on: (n, 3, h, w) → float64
    (n,)."""
    g = _grey(images)
    a, b = g[..., :-distance].flatten(1), g[..., distance:].flatten(1)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt().clamp_min(1e-12)


def radial_power(images: Tensor, window: bool = True) -> tuple[Tensor, Tensor]:
    """Mean grey power at whole frequencies 1 … s/2 − 1, Hann window or none: (n, 3, s, s) →
    frequencies (k,), float64 power (n, k)."""
    g = _grey(images)
    s = g.shape[-1]
    w = (
        torch.hann_window(s, periodic=False, dtype=torch.float64)
        if window
        else torch.ones(s, dtype=torch.float64)
    )
    power = torch.fft.fft2((g - g.mean((1, 2), keepdim=True)) * torch.outer(w, w)).abs().square()
    f = torch.fft.fftfreq(s, dtype=torch.float64) * s
    radius = torch.hypot(f[:, None], f).round().long()
    k = torch.arange(1, s // 2)
    return k, torch.stack([power[:, radius == int(r)].mean(1) for r in k], 1)


def spectrum_slope(images: Tensor, top: float = 0.25, window: bool = True) -> Tensor:
    """Slope of log radial power on log frequency, frequencies from 4 up to top·s, exclusive: (n, 3,
    s, s) → float64 (n,).

    White noise has 0, photographs about −2. Periodic images need no window.
    Raises: ParameterError for images so small that fewer than two frequencies are left.
    """
    chosen = slice(3, round(images.shape[-1] * top) - 1)
    if chosen.stop - chosen.start < 2:
        side, least = images.shape[-1], math.ceil(5.5 / top)
        raise ParameterError(
            f"pictures of {side} px: a slope of the spectrum needs at least {least}"
        )
    k, power = radial_power(images, window)
    x, y = k[chosen].double().log(), (power[:, chosen] + 1e-12).log()
    x = x - x.mean()
    return (y * x).sum(1) / x.square().sum()


def band_kurtosis(images: Tensor, scale: int = 1) -> Tensor:
    """Kurtosis of the grey image blurred by σ = scale minus blurred by 2·scale pixels (3 =
    Gaussian): (n, 3, h, w) → float64 (n,)."""
    fine, coarse = (
        torch.from_numpy(ndimage.gaussian_filter(_grey(images).numpy(), (0, s, s)))
        for s in (scale, 2 * scale)
    )
    return _kurtosis((fine - coarse).flatten(1))


def energy_variation(images: Tensor) -> Tensor:
    """Local energy: squared horizontal grey steps, averaged over 16×16 blocks, standard deviation
    over mean of the blocks: (n, 3, s, s) → float64 (n,)."""
    d = _grey(images).diff(dim=-1)
    energy = torch.cat((d, d[..., -1:]), -1).square()
    blocks = torch.nn.functional.avg_pool2d(energy[:, None], 16).flatten(1)
    return blocks.std(1, correction=0) / blocks.mean(1).clamp_min(1e-12)


def border_gradient(images: Tensor) -> Tensor:
    """Energy of grey differences within 2 px of the border over that of the whole image (1:
    borders are like the rest): (n, 3, s, s) → float64 (n,)."""
    g = _grey(images)
    energy = g.diff(dim=-1)[:, :-1].square() + g.diff(dim=-2)[..., :-1].square()
    s = energy.shape[-1]
    place = torch.arange(s)
    distance = torch.minimum(place, s - 1 - place)
    outer = torch.minimum(distance[:, None], distance) < 2
    return energy[:, outer].mean(1) / energy.mean((1, 2)).clamp_min(1e-12)


def regions(images: Tensor) -> list[np.ndarray]:
    """Areas in pixels of the 4-connected regions of exactly equal RGB, per image of uint8 (n, 3, h,
    w)."""
    areas = []
    for code in (images.long() * torch.tensor([65536, 256, 1])[:, None, None]).sum(1).numpy():
        pixel = np.arange(code.size).reshape(code.shape)
        right, below = code[:, 1:] == code[:, :-1], code[1:] == code[:-1]
        a, b = (
            np.concatenate(pair)
            for pair in (
                (pixel[:, 1:][right], pixel[1:][below]),
                (pixel[:, :-1][right], pixel[:-1][below]),
            )
        )
        graph = sparse.coo_array((np.ones(len(a), bool), (a, b)), shape=(code.size, code.size))
        areas.append(np.bincount(connected_components(graph, directed=False)[1]))
    return areas


# Laws of an image that need nothing but the image, by the names of book/laws.toml
LAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": mean,
    "deviation": deviation,
    "chroma": chroma,
    "gradient": gradient,
    "band_kurtosis": band_kurtosis,
    "coarse_kurtosis": lambda images: band_kurtosis(images, 4),
    "energy_variation": energy_variation,
    "border_gradient": border_gradient,
    "far_correlation": lambda images: neighbour_correlation(images, 8),
    "regions": lambda images: torch.tensor(
        [float(len(areas)) for areas in regions(images)], dtype=torch.float64
    ),
    "edge_fraction": edge_fraction,
    "constant_fraction": constant_fraction,
    "mean_step": mean_step,
    "step_kurtosis": step_kurtosis,
    "neighbour_correlation": neighbour_correlation,
    "spectrum_slope": spectrum_slope,
}


def tolerance(quartiles: Sequence[float], n: int, n0: int) -> float:
    """How far the median of n images may lie from that of n0 images with these quartiles: three
    standard errors of the difference, plus 2 %."""
    low, median, high = quartiles
    return 3 * 0.93 * (high - low) * math.sqrt(1 / n + 1 / n0) + 0.02 * abs(median)
