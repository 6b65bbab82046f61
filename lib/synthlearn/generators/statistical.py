"""Statistical image models: noise with the spectrum and the colours of photographs ("Learning to See by Looking at Noise", 2021).

Law and constants: the authors' public MATLAB code, as the paper's data were made. Each picture draws its own spectrum and its own
colour model; where both are on, they are imposed in turns, ten times.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from . import pyramid
from .base import Generator, Options
from .registry import register

ROUNDS = 10
SLOPE, SLOPE_SPREAD = (0.5, 3.5), 0.05  # of the amplitude, per axis s ± d
COLOURS, LEAST_SHARE = (3, 22), 0.001
BLUR, GRAIN, BINS = 10, 10.0, 256
BANDS, SHAPE = 4, (0.4, 0.8)  # of the pyramid's scale; of a band's generalised Gaussian
GRID, WAVELET_BINS = 200.0, 801
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
    # multinomial counts: as many uniforms as pixels fall into the shares
    u = rng.uniform(rng.fold(keys, 3), (size * size,))
    drawn = torch.searchsorted((share / share.sum(1, keepdim=True)).cumsum(1), u)
    # stripes lie in the order of the colours
    filled = _counts(torch.minimum(drawn, count[:, None] - 1), most).cumsum(1)
    pixel = torch.arange(size * size, dtype=torch.float32, device=device)
    index = torch.searchsorted(filled, pixel.repeat(n, 1), right=True)
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
    axes = (
        torch.linalg.eigh((centred.transpose(1, 2) @ centred).double()).eigenvectors.flip(2).float()
    )
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(
        largest < 0, -1.0, 1.0
    )  # an eigenvector's sign is free: fix it, so that all devices agree
    channels = (centred @ axes).transpose(1, 2)
    low, high = channels.amin(2), channels.amax(2)
    return ColourModel(mean, axes, low, high, _cumulative(_bin(channels, low, high, BINS)[0], BINS))


def _box_blur(x: Tensor, side: Tensor) -> Tensor:
    """Mean over side×side boxes with black beyond the border; x (n, c, h, w), side int64 (n,)."""
    for dim in (2, 3):
        length = x.shape[dim]
        sums = torch.cat(
            (torch.zeros_like(x.narrow(dim, 0, 1)), x.cumsum(dim, dtype=torch.float64)), dim
        )
        centre = torch.arange(length, device=x.device)
        first = (centre - (side[:, None] - 1) // 2).clamp(0, length)
        last = (centre + side[:, None] // 2 + 1).clamp(0, length)
        shape = [len(x), 1, 1, 1]
        shape[dim] = length
        size = list(x.shape)
        a, b = (sums.gather(dim, edge.view(shape).expand(size)) for edge in (first, last))
        x = ((b - a) / side.view(-1, 1, 1, 1)).float()
    return x


def _bin(x: Tensor, low: Tensor, high: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Number of the bin, int64, and position in it, in [0, 1), of values (…, m) within ranges.

    The end of the range begins a bin of its own.
    """
    scaled = (x - low[..., None]).div_((high - low).clamp_min(1e-6)[..., None]).mul_(bins)
    number = scaled.long()
    return number, scaled.sub_(number)


def _counts(number: Tensor, most: int) -> Tensor:
    """How often each of 0 … most − 1 is among int64 (…, m), m up to 2²⁴: float (…, most)."""
    counts = torch.zeros((*number.shape[:-1], most), device=number.device)
    return counts.scatter_add_(-1, number, torch.ones_like(counts[..., :1]).expand_as(number))


def _cumulative(number: Tensor, bins: int) -> Tensor:
    """Distribution at the edges of the bins of values with these bin numbers (…, m): float64 (…, bins + 1), from 0 to 1. Empty bins get 1e-8 of
    the mean count, as in the code."""
    counts = _counts(number, bins + 1).double()
    counts[..., -2] += counts[..., -1]  # the highest values belong to the last bin
    return _normalised(counts[..., :-1] + 1e-8 * number.shape[-1] / bins)


def _normalised(counts: Tensor) -> Tensor:
    total = counts.cumsum(-1)
    return torch.cat((torch.zeros_like(total[..., :1]), total / total[..., -1:]), -1)


def match_histogram(x: Tensor, low: Tensor, high: Tensor, cumulative: Tensor) -> Tensor:
    """Give values a distribution: a monotone map, linear between the edges of as many equal bins of the values' own range as the target has.

    x: float (…, m); low, high (…): range of the target; cumulative: float64 (…, bins + 1), its distribution at the edges of its bins.
    """
    bins = cumulative.shape[-1] - 1
    number, inside = _bin(x, x.amin(-1), x.amax(-1), bins)
    edges = _cumulative(number, bins)
    # the target's values at the source's edges, by linear interpolation in its distribution
    right = torch.searchsorted(cumulative, edges.contiguous()).clamp_(1, bins)
    a, b = cumulative.gather(-1, right - 1), cumulative.gather(-1, right)
    position = (right - 1 + ((edges - a) / (b - a)).clamp(0, 1)) / bins
    values = (low[..., None] + position * (high - low)[..., None]).float()
    values = torch.cat((values, values[..., -1:]), -1)  # nothing lies beyond the highest
    return torch.lerp(values.gather(-1, number), values[..., 1:].gather(-1, number), inside)


def spectrum(keys: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Draw a spectrum per key, int64 (n,): its :func:`amplitudes`, and the slope s that its axes share, (n,)."""
    s = rng.uniform(rng.fold(keys, 6), (), *SLOPE)
    d = SLOPE_SPREAD * rng.normal(rng.fold(keys, 7))
    return amplitudes(s + d, s - d, size), s


def amplitudes(slope_x: Tensor, slope_y: Tensor, size: int) -> Tensor:
    """Amplitudes ∝ 1/(|f_x|^s_x + |f_y|^s_y) on the half plane of a real transform, zero at frequency 0, scaled to unit variance.

    slope_x, slope_y: float (n,); size: even. Returns float (n, size, size/2 + 1).
    """
    fy = torch.fft.fftfreq(size, device=slope_x.device).abs()
    fx = torch.fft.rfftfreq(size, device=slope_x.device).abs()
    amplitude = 1 / (EPSILON + fx ** slope_x[:, None, None] + fy[:, None] ** slope_y[:, None, None])
    amplitude[:, 0, 0] = 0
    energy = amplitude.square()
    total = (
        energy[..., 0].sum(1) + energy[..., -1].sum(1) + 2 * energy[..., 1:-1].sum((1, 2))
    )  # of the whole plane
    return amplitude * (size**2 / total.sqrt())[:, None, None]


def impose_spectrum(x: Tensor, amplitude: Tensor) -> Tensor:
    """Keep the phases, mean and standard deviation of each channel of (n, 3, h, w), replace its amplitudes."""
    mean = x.mean((2, 3), keepdim=True)
    centred = x - mean
    std = centred.square().mean((2, 3), keepdim=True).sqrt()
    f = torch.fft.rfft2(centred)
    size = f.abs()
    phase = torch.where(
        size > 0, f / size.clamp_min(1e-30), torch.ones((), dtype=f.dtype, device=f.device)
    )
    return torch.fft.irfft2(amplitude[:, None] * phase, s=x.shape[-2:]) * std + mean


@dataclass(frozen=True)
class WaveletModel:
    """Distributions of the bands of a steerable pyramid, high-pass first, then 4 per scale, finest first.

    cumulative: float64 (n, 3, bands, 802), at the edges of 801 bins of ± GRID; std: (n, 3, bands).
    """

    cumulative: Tensor
    std: Tensor


def wavelet_model(keys: Tensor, scales: int) -> WaveletModel:
    """Draw generalised Gaussians exp(−|x/s|^ρ), ρ ~ U(0.4, 0.8), on a grid of −200 … 200; s = 4^(picture's rows / band's rows)."""
    rho = rng.uniform(rng.fold(keys, 8), (3, 1 + BANDS * scales), *SHAPE).double()
    # halvings of the picture's side, of the high-pass and of each band
    level = torch.arange(-1, BANDS * scales, device=keys.device).clamp_min(0) // BANDS
    scale = 4.0 ** (2**level).double()
    x = torch.linspace(-GRID, GRID, WAVELET_BINS, dtype=torch.float64, device=keys.device)
    h = torch.exp(-((x.abs() / scale[:, None]) ** rho[..., None]))
    std = ((h * x.square()).sum(-1) / h.sum(-1)).sqrt().float()
    return WaveletModel(_normalised(h + 1e-8 * h.mean(-1, keepdim=True)), std)


def impose_wavelets(x: Tensor, model: WaveletModel, borders: str) -> Tensor:
    """Give every band of each channel of (n, 3, h, h) its distribution, mean 0 and standard deviation; the low-pass residual stays."""
    scales = (model.std.shape[2] - 1) // BANDS
    high, bands, low = pyramid.analyse(x.flatten(0, 1), scales, borders)
    matched, first = [], 0
    for band in (high[:, None], *bands):
        part = slice(first, first + band.shape[1])
        first = part.stop
        std, cumulative = (
            model.std[:, :, part].flatten(0, 1),
            model.cumulative[:, :, part].flatten(0, 1),
        )
        edge = torch.full_like(
            std, GRID * (1 + 1 / (WAVELET_BINS - 1))
        )  # bins are centred on the grid
        y = match_histogram(band.flatten(2), -edge, edge, cumulative.contiguous())
        y -= y.mean(2, keepdim=True)
        y *= (std / y.square().mean(2).sqrt())[..., None]
        matched.append(y.view_as(band))
    return pyramid.synthesise(matched[0][:, 0], matched[1:], low, borders).view_as(x)


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

    stream = "stat"
    Options: ClassVar[type[Options]] = StatisticalOptions
    work_bytes = 4 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        rounds = ROUNDS if self.options.color else 1  # imposing a spectrum twice changes nothing
        return impose(keys, size, rounds, True, None, self.options.color, self.options.palette)


@dataclass(frozen=True)
class WaveletOptions(StatisticalOptions):
    """``spectrum``: impose a power spectrum as well; ``borders``: how the pyramid goes on beyond them, as in the authors' published pictures
    ("reflect") or "circular"; ``color`` and ``palette`` as for the sets without wavelets."""

    spectrum: bool = False
    borders: str = "reflect"
    allowed: ClassVar = {"borders": ("reflect", "circular")}


@register("stat-wmm")
@register("stat-spectrum_color_wmm", spectrum=True, color=True)
class Wavelets(Statistical):
    """Noise with the wavelet marginals of photographs: many responses near zero, few large ones; with spectrum and colours too if asked for."""

    Options = WaveletOptions
    work_bytes = 8 << 20

    def scene_size(self, size: int) -> int:
        canvas = super().scene_size(size)
        step = 1 << pyramid.height(canvas)
        return -(-canvas // step) * step

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        o = self.options
        return impose(keys, size, ROUNDS, o.spectrum, o.borders, o.color, o.palette)


def impose(
    keys: Tensor,
    size: int,
    rounds: int,
    with_spectrum: bool,
    borders: str | None,
    color: bool,
    palette: str,
) -> Tensor:
    """Start from white noise and impose statistics in turns: spectrum, wavelet marginals (borders is not None), colours; uint8 (n, 3, size, size)."""
    model = colour_model(rng.fold(keys, 0), size, palette)
    amplitude, _ = spectrum(keys, size)
    wavelets = wavelet_model(keys, pyramid.height(size)) if borders else None
    x = 256 * rng.uniform(rng.fold(keys, 1), (3, size, size))
    for _ in range(rounds):
        if with_spectrum:
            x = impose_spectrum(x, amplitude)
        if borders and wavelets:
            x = impose_wavelets(x, wavelets, borders)
        if color:
            x = match_histogram(x.flatten(2), model.low, model.high, model.cumulative).view_as(x)
    axes = model.axes
    if not color:  # channels keep the noise's mean of 128, so the sign of an axis, free in the code, shifts the colours: draw it
        axes = axes * torch.where(rng.uniform(rng.fold(keys, 9), (1, 3)) < 0.5, -1.0, 1.0)
    rgb = (axes @ x.flatten(2) + model.mean[..., None]).view_as(x)
    rgb = rgb - rgb.amin((1, 2, 3), keepdim=True)
    return (255 * rgb / rgb.amax((1, 2, 3), keepdim=True)).add_(0.5).clamp_(0, 255).byte()
