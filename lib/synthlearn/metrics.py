"""Laws of image sets: one image in, one number out, the same estimators for the papers' sets and ours."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from torch import Tensor


def _grey(images: Tensor) -> Tensor:
    return images.double().mean(1)


def edge_fraction(images: Tensor) -> Tensor:
    """Share of horizontal neighbour pairs whose RGB differ at all: uint8 (n, 3, h, w) → float64 (n,)."""
    return (images[..., 1:] != images[..., :-1]).any(1).double().mean((1, 2))


def constant_fraction(images: Tensor) -> Tensor:
    """Share of pixels equal in RGB to their right and lower neighbour: uint8 (n, 3, h, w) → float64 (n,)."""
    here = images[..., :-1, :-1]
    return ((here == images[..., :-1, 1:]) & (here == images[..., 1:, :-1])).all(1).double().mean((1, 2))


def mean_step(images: Tensor) -> Tensor:
    """Mean absolute difference of grey between horizontal neighbours: (n, 3, h, w) → float64 (n,)."""
    return _grey(images).diff(dim=-1).abs().mean((1, 2))


def step_kurtosis(images: Tensor) -> Tensor:
    """Kurtosis of grey differences between horizontal neighbours (3 = Gaussian): (n, 3, h, w) → float64 (n,)."""
    d = _grey(images).diff(dim=-1).flatten(1)
    d = d - d.mean(1, keepdim=True)
    return d.pow(4).mean(1) / d.pow(2).mean(1).square().clamp_min(1e-12)


def neighbour_correlation(images: Tensor, distance: int = 1) -> Tensor:
    """Pearson correlation of grey with itself ``distance`` columns on: (n, 3, h, w) → float64 (n,)."""
    g = _grey(images)
    a, b = g[..., :-distance].flatten(1), g[..., distance:].flatten(1)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt().clamp_min(1e-12)


def spectrum_slope(images: Tensor, top: float = 0.25) -> Tensor:
    """Slope of log radial power on log frequency, Hann window, frequencies from 4 up to top·s, exclusive: (n, 3, s, s) → float64 (n,).

    White noise has 0, photographs about −2.
    """
    g = _grey(images)
    s = g.shape[-1]
    window = torch.hann_window(s, periodic=False, dtype=torch.float64)
    power = torch.fft.fft2((g - g.mean((1, 2), keepdim=True)) * torch.outer(window, window)).abs().square()
    f = torch.fft.fftfreq(s, dtype=torch.float64) * s
    radius = torch.hypot(f[:, None], f).round().long()
    k = torch.arange(4, round(s * top))
    mean = torch.stack([power[:, radius == int(r)].mean(1) for r in k], 1)
    x, y = k.double().log(), (mean + 1e-12).log()
    x = x - x.mean()
    return (y * x).sum(1) / x.square().sum()


def regions(images: Tensor) -> list[np.ndarray]:
    """Areas in pixels of the 4-connected regions of exactly equal RGB, per image of uint8 (n, 3, h, w)."""
    found = []
    for code in (images.long() * torch.tensor([65536, 256, 1])[:, None, None]).sum(1).numpy():
        pixel = np.arange(code.size).reshape(code.shape)
        right, below = code[:, 1:] == code[:, :-1], code[1:] == code[:-1]
        a, b = (np.concatenate(pair) for pair in ((pixel[:, 1:][right], pixel[1:][below]), (pixel[:, :-1][right], pixel[:-1][below])))
        graph = sparse.coo_array((np.ones(len(a), bool), (a, b)), shape=(code.size, code.size))
        found.append(np.bincount(connected_components(graph, directed=False)[1]))
    return found


# Laws of a picture that need nothing but the picture, by the names of book/laws.toml
LAWS = {
    "regions": lambda images: torch.tensor([float(len(areas)) for areas in regions(images)], dtype=torch.float64),
    "edge_fraction": edge_fraction,
    "constant_fraction": constant_fraction,
    "mean_step": mean_step,
    "step_kurtosis": step_kurtosis,
    "neighbour_correlation": neighbour_correlation,
    "spectrum_slope": spectrum_slope,
}


def tolerance(quartiles: Sequence[float], n: int, n0: int) -> float:
    """How far the median of n images may lie from that of n0 images with these quartiles: three standard errors of the difference, plus 2 %."""
    low, median, high = quartiles
    return 3 * 0.93 * (high - low) * math.sqrt(1 / n + 1 / n0) + 0.02 * abs(median)
