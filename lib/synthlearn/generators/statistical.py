"""Statistical image models: noise with the spectrum and the colours of photographs ("Learning to See by Looking at Noise", 2021).

Law and constants: the authors' public MATLAB code, as the paper's data were made. Each picture draws its own spectrum and its own
colour model; where both are on, they are imposed in turns, ten times.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .. import rng
from .base import Generator, Options, register

ROUNDS = 10
SLOPE, SLOPE_SPREAD = (0.5, 3.5), 0.05  # of the amplitude, per axis s ± d
COLOURS, LEAST_SHARE = (3, 22), 0.001
BLUR, GRAIN, BINS = 10, 10.0, 256
EPSILON = 2.2e-16


@dataclass(frozen=True)
class ColourModel:
    """What is taken of a picture of random coloured stripes.

    mean (n, 3), colours 0 … 256. axes (n, 3, 3): principal axes as columns, largest first. low, high (n, 3): range of each decorrelated
    channel. cumulative (n, 3, 257): its distribution at the edges of 256 equal bins of that range.
    """

    mean: Tensor
    axes: Tensor
    low: Tensor
    high: Tensor
    cumulative: Tensor


def colour_model(keys: Tensor, size: int, palette: str = "clipped") -> ColourModel:
    """Draw a colour model per key, int64 (n,): 3 … 22 colours in sorted stripes, blurred by a box, with grain.

    ``palette``: "clipped" is the code's, whose first two entries share a colour and whose last is never seen; "all" uses every colour.
    """
    n, device = len(keys), keys.device
    count = rng.integers(rng.fold(keys, 0), COLOURS[0], COLOURS[1] + 1)
    most = COLOURS[1]
    present = torch.arange(most, device=device) < count[:, None]
    share = (LEAST_SHARE + rng.uniform(rng.fold(keys, 1), (most,))) * present
    colours = rng.uniform(rng.fold(keys, 2), (most, 3))
    # multinomial counts: as many uniforms as pixels, sorted, fall into the shares; sorted they are the stripes already
    u = rng.uniform(rng.fold(keys, 3), (size * size,)).sort(1).values
    index = torch.searchsorted((share / share.sum(1, keepdim=True)).cumsum(1), u).clamp_max(most - 1)
    index = torch.minimum(index, count[:, None] - 1)
    if palette == "clipped":
        index = (index - 1).clamp_min(0)
    stripes = 256 * colours.gather(1, index[..., None].expand(-1, -1, 3))
    x = stripes.view(n, size, size, 3).permute(0, 3, 2, 1)  # column by column
    x = _box_blur(x, 1 + rng.integers(rng.fold(keys, 4), 0, BLUR))
    x = x + GRAIN * rng.uniform(rng.fold(keys, 5), (3, size, size))
    x = x - x.amin((1, 2, 3), keepdim=True)
    x = 256 * x / x.amax((1, 2, 3), keepdim=True)
    pixels = x.flatten(2).transpose(1, 2)
    mean = pixels.mean(1)
    centred = pixels - mean[:, None]
    axes = torch.linalg.eigh((centred.transpose(1, 2) @ centred).double()).eigenvectors.flip(2).float()
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)  # an eigenvector's sign is free: fix it, so that all devices agree
    channels = (centred @ axes).transpose(1, 2)
    low, high = channels.amin(2), channels.amax(2)
    return ColourModel(mean, axes, low, high, _cumulative(channels, low, high))


def _box_blur(x: Tensor, side: Tensor) -> Tensor:
    """Mean over side×side boxes with black beyond the border; x (n, c, h, w), side int64 (n,)."""
    for dim in (2, 3):
        length = x.shape[dim]
        sums = torch.cat((torch.zeros_like(x.narrow(dim, 0, 1)), x.cumsum(dim, dtype=torch.float64)), dim)
        centre = torch.arange(length, device=x.device)
        first = (centre - (side[:, None] - 1) // 2).clamp(0, length)
        last = (centre + side[:, None] // 2 + 1).clamp(0, length)
        shape = [len(x), 1, 1, 1]
        shape[dim] = length
        size = list(x.shape)
        a, b = (sums.gather(dim, edge.view(shape).expand(size)) for edge in (first, last))
        x = ((b - a) / side.view(-1, 1, 1, 1)).float()
    return x


def _bin(x: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Number of the bin, int64, and position in it, in [0, 1], of values (n, c, m) over their range."""
    scaled = (x - low[..., None]) / (high - low).clamp_min(1e-6)[..., None] * BINS
    number = scaled.long().clamp(0, BINS - 1)
    return number, (scaled - number).clamp(0, 1)


def _cumulative(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Distribution of values (n, c, m) at the edges of their bins: (n, c, 257), from 0 to 1. Empty bins get 1e-8 of the mean count, as in the code."""
    number, _ = _bin(x, low, high)
    counts = torch.zeros((*x.shape[:2], BINS), dtype=torch.float64, device=x.device)
    counts.scatter_add_(2, number, torch.ones((), dtype=torch.float64, device=x.device).expand(number.shape))
    counts += 1e-8 * x.shape[2] / BINS
    total = counts.cumsum(2)
    return torch.cat((torch.zeros_like(total[..., :1]), total / total[..., -1:]), 2)


def match_histogram(x: Tensor, model: ColourModel) -> Tensor:
    """Give each channel of (n, 3, m) the model's histogram: a monotone map, linear between bin edges."""
    low, high = x.amin(2), x.amax(2)
    edges = _cumulative(x, low, high)
    # the model's values at the source's edges, by linear interpolation in its distribution
    right = torch.searchsorted(model.cumulative, edges.contiguous()).clamp(1, BINS)
    a, b = model.cumulative.gather(2, right - 1), model.cumulative.gather(2, right)
    position = (right - 1 + ((edges - a) / (b - a)).clamp(0, 1)) / BINS
    values = (model.low[..., None] + position * (model.high - model.low)[..., None]).float()
    number, inside = _bin(x, low, high)
    return torch.lerp(values.gather(2, number), values.gather(2, number + 1), inside)


def spectrum(keys: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Amplitudes ∝ 1/(|f_x|^s_x + |f_y|^s_y) on the half plane of a real transform, zero at frequency 0, scaled to unit variance; and s.

    keys: int64 (n,); size: even. Returns float (n, size, size/2 + 1) and (n,).
    """
    s = rng.uniform(rng.fold(keys, 6), (), *SLOPE)
    d = SLOPE_SPREAD * rng.normal(rng.fold(keys, 7))
    fy = torch.fft.fftfreq(size, device=keys.device).abs()
    fx = torch.fft.rfftfreq(size, device=keys.device).abs()
    amplitude = 1 / (EPSILON + fx ** (s + d)[:, None, None] + fy[:, None] ** (s - d)[:, None, None])
    amplitude[:, 0, 0] = 0
    energy = amplitude.square()
    total = energy[..., 0].sum(1) + energy[..., -1].sum(1) + 2 * energy[..., 1:-1].sum((1, 2))  # of the whole plane
    return amplitude * (size**2 / total.sqrt())[:, None, None], s


def impose_spectrum(x: Tensor, amplitude: Tensor) -> Tensor:
    """Keep the phases, mean and standard deviation of each channel of (n, 3, h, w), replace its amplitudes."""
    mean = x.mean((2, 3), keepdim=True)
    centred = x - mean
    std = centred.square().mean((2, 3), keepdim=True).sqrt()
    f = torch.fft.rfft2(centred)
    size = f.abs()
    phase = torch.where(size > 0, f / size.clamp_min(1e-30), torch.ones((), dtype=f.dtype, device=f.device))
    return torch.fft.irfft2(amplitude[:, None] * phase, s=x.shape[-2:]) * std + mean


@dataclass(frozen=True)
class StatisticalOptions(Options):
    """``color``: impose the colour model's histograms as well; ``palette``: see :func:`colour_model`."""

    color: bool = False
    palette: str = "clipped"
    allowed: ClassVar = {"palette": ("clipped", "all")}


@register("stat-spectrum", color=False)
@register("stat-spectrum_color", color=True)
class Statistical(Generator):
    """Noise with a random power spectrum, 1/f^s per axis with s from 0.5 to 3.5, in the colours of a random palette."""

    Options = StatisticalOptions
    work_bytes = 4 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        model = colour_model(rng.fold(keys, 0), size, self.options.palette)
        amplitude, _ = spectrum(keys, size)
        x = 256 * rng.uniform(rng.fold(keys, 1), (3, size, size))
        for _ in range(ROUNDS if self.options.color else 1):  # imposing a spectrum twice changes nothing
            x = impose_spectrum(x, amplitude)
            if self.options.color:
                x = match_histogram(x.flatten(2), model).view_as(x)
        rgb = (model.axes @ x.flatten(2) + model.mean[..., None]).view_as(x)
        rgb = rgb - rgb.amin((1, 2, 3), keepdim=True)
        return (255 * rgb / rgb.amax((1, 2, 3), keepdim=True)).add_(0.5).clamp_(0, 255).byte()
