"""Statistical image models: noise with the spectrum and the colours of photographs.

"Learning to See by Looking at Noise" (2021). Law and constants: the authors' public MATLAB code, as
the paper's data were made. Each image draws its own spectrum and its own colour model; where both
are on, they are imposed in turns, ten times.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from . import pyramid
from .base import Generator, Options
from .registry import register

# Of the authors' code:
ROUNDS = 10  # of imposing statistics in turns
SLOPE = (0.5, 3.5)  # range of s, amplitudes are 1/f^s
SLOPE_SPREAD = 0.05  # standard deviation of d, the slopes of the axes are s ± d
COLOURS = (3, 22)  # fewest and most of a colour model
LEAST_SHARE = 0.001  # added to each colour's share of the image
LEVELS = 256  # of a channel
BLUR = 10  # pixels along a side of the box that blurs the stripes, at most
GRAIN = 10.0  # levels of uniform noise on them
BINS = 256  # of a colour model's histograms
LEAST_COUNT = 1e-8  # of the mean count, added to each bin's
BANDS = 4  # of each scale of the pyramid
SHAPE = (0.4, 0.8)  # range of ρ of a band's generalised Gaussian
GRID = 200.0  # a band's values lie in ± GRID
WAVELET_BINS = 801  # of a band's histogram
EPSILON = 2.2e-16  # MATLAB's, against a division by zero


class Draw(IntEnum):
    """What is drawn for an image."""

    COLOUR_MODEL = 0
    START = 1
    SLOPE = 6
    SLOPE_SPREAD = 7
    WAVELETS = 8
    AXES = 9  # their signs


class ColourDraw(IntEnum):
    """What is drawn for a colour model."""

    COUNT = 0
    SHARE = 1
    COLOUR = 2
    PIXELS = 3
    BLUR = 4
    GRAIN = 5


@dataclass(frozen=True)
class ColourModel:
    """What is taken of an image of random coloured stripes.

    mean (n, 3), colours 0 … 256. axes (n, 3, 3): principal axes as columns, largest first. low,
    high (n, 3): range of each decorrelated channel. cumulative (n, 3, 257): its distribution at the
    edges of 256 equal bins of that range.
    """

    mean: Tensor
    axes: Tensor
    low: Tensor
    high: Tensor
    cumulative: Tensor


def colour_model(keys: Tensor, size: int, palette: str = "clipped") -> ColourModel:
    """Draw a colour model per key, int64 (n,), of an image of side ``size``.

    ``palette``: "clipped" is the code's, whose first two entries share a colour and whose last is
    never seen; "all" uses every colour.
    """
    pixels = _stripes(keys, size, palette).flatten(2).transpose(1, 2)
    mean = pixels.mean(1)
    centred = pixels - mean[:, None]
    covariance = (centred.transpose(1, 2) @ centred).double()
    axes = torch.linalg.eigh(covariance).eigenvectors.flip(2).float()
    # an eigenvector's sign is free: fix it, so that all devices agree
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    channels = (centred @ axes).transpose(1, 2)
    low, high = channels.amin(2), channels.amax(2)
    number, _ = _bin(channels, low, high, BINS)
    return ColourModel(mean, axes, low, high, _cumulative(number, BINS))


def _stripes(keys: Tensor, size: int, palette: str) -> Tensor:
    """3 … 22 colours in sorted stripes, blurred by a box, with grain: float (n, 3, size, size).

    From 0 to 256. ``palette``: as of :func:`colour_model`.
    """
    n, device = len(keys), keys.device
    most = COLOURS[1]
    count = rng.integers(rng.fold(keys, ColourDraw.COUNT), COLOURS[0], most + 1)
    present = torch.arange(most, device=device) < count[:, None]
    share = (LEAST_SHARE + rng.uniform(rng.fold(keys, ColourDraw.SHARE), (most,))) * present
    colours = rng.uniform(rng.fold(keys, ColourDraw.COLOUR), (most, 3))
    # multinomial counts: as many uniforms as pixels fall into the shares
    u = rng.uniform(rng.fold(keys, ColourDraw.PIXELS), (size * size,))
    drawn = torch.searchsorted((share / share.sum(1, keepdim=True)).cumsum(1), u)
    # stripes lie in the order of the colours
    filled = _counts(torch.minimum(drawn, count[:, None] - 1), most).cumsum(1)
    pixel = torch.arange(size * size, dtype=torch.float32, device=device)
    index = torch.searchsorted(filled, pixel.repeat(n, 1), right=True)
    if palette == "clipped":
        index = (index - 1).clamp_min(0)
    stripes = LEVELS * colours.gather(1, index[..., None].expand(-1, -1, 3))
    x = stripes.view(n, size, size, 3).permute(0, 3, 2, 1)  # column by column
    x = _box_blur(x, 1 + rng.integers(rng.fold(keys, ColourDraw.BLUR), 0, BLUR))
    x = x + GRAIN * rng.uniform(rng.fold(keys, ColourDraw.GRAIN), (3, size, size))
    x = x - x.amin((1, 2, 3), keepdim=True)
    return LEVELS * x / x.amax((1, 2, 3), keepdim=True)


def _box_blur(x: Tensor, side: Tensor) -> Tensor:
    """Mean over side×side boxes with black beyond the border; x (n, c, h, w), side int64 (n,)."""
    for dim in (2, 3):
        length = x.shape[dim]
        nothing = torch.zeros_like(x.narrow(dim, 0, 1))
        sums = torch.cat((nothing, x.cumsum(dim, dtype=torch.float64)), dim)
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
    """Distribution at the edges of the bins of values with these bin numbers (…, m).

    From 0 to 1, float64 (…, bins + 1). Empty bins get 1e-8 of the mean count, as in the code.
    """
    counts = _counts(number, bins + 1).double()
    counts[..., -2] += counts[..., -1]  # the highest values belong to the last bin
    return _shares(counts[..., :-1] + LEAST_COUNT * number.shape[-1] / bins)


def _shares(counts: Tensor) -> Tensor:
    """Cumulative shares of counts (…, bins), from 0 to 1: (…, bins + 1)."""
    total = counts.cumsum(-1)
    return torch.cat((torch.zeros_like(total[..., :1]), total / total[..., -1:]), -1)


def match_histogram(x: Tensor, low: Tensor, high: Tensor, cumulative: Tensor) -> Tensor:
    """Give values a distribution, by a monotone map.

    It is linear between the edges of equal bins of the values' own range, as many as the target
    has.

    Args:
        x: float (…, m).
        low: float (…), the target's range.
        high: float (…), the target's range.
        cumulative: float64 (…, bins + 1), the target's distribution at the edges of its bins.
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
    """Draw a spectrum per key (n,): its :func:`amplitudes`, and the slope s of its axes, (n,)."""
    s = rng.uniform(rng.fold(keys, Draw.SLOPE), (), *SLOPE)
    d = SLOPE_SPREAD * rng.normal(rng.fold(keys, Draw.SLOPE_SPREAD))
    return amplitudes(s + d, s - d, size), s


def amplitudes(slope_x: Tensor, slope_y: Tensor, size: int) -> Tensor:
    """Amplitudes ∝ 1/(|f_x|^s_x + |f_y|^s_y), zero at frequency 0, of unit variance.

    slope_x, slope_y: float (n,). size: even. Returns float (n, size, size/2 + 1), the half plane of
    a real transform.
    """
    fy = torch.fft.fftfreq(size, device=slope_x.device).abs()
    fx = torch.fft.rfftfreq(size, device=slope_x.device).abs()
    amplitude = 1 / (EPSILON + fx ** slope_x[:, None, None] + fy[:, None] ** slope_y[:, None, None])
    amplitude[:, 0, 0] = 0
    energy = amplitude.square()
    # of the whole plane
    total = energy[..., 0].sum(1) + energy[..., -1].sum(1) + 2 * energy[..., 1:-1].sum((1, 2))
    return amplitude * (size**2 / total.sqrt())[:, None, None]


def impose_spectrum(x: Tensor, amplitude: Tensor) -> Tensor:
    """Replace the amplitudes of each channel of (n, 3, h, w); its phases, mean, deviation stay."""
    mean = x.mean((2, 3), keepdim=True)
    centred = x - mean
    std = centred.square().mean((2, 3), keepdim=True).sqrt()
    f = torch.fft.rfft2(centred)
    size = f.abs()
    one = torch.ones((), dtype=f.dtype, device=f.device)
    phase = torch.where(size > 0, f / size.clamp_min(1e-30), one)
    return torch.fft.irfft2(amplitude[:, None] * phase, s=x.shape[-2:]) * std + mean


@dataclass(frozen=True)
class WaveletModel:
    """Distributions of the bands of a steerable pyramid.

    High-pass first, then 4 per scale, finest first. cumulative: float64 (n, 3, bands, 802), at the
    edges of 801 bins of ± GRID. std: float (n, 3, bands).
    """

    cumulative: Tensor
    std: Tensor


def wavelet_model(keys: Tensor, scales: int) -> WaveletModel:
    """Draw generalised Gaussians exp(−|x/s|^ρ), ρ ~ U(0.4, 0.8), on a grid of −200 … 200.

    s = 4^(image's rows / band's rows).
    """
    shape = 3, 1 + BANDS * scales
    rho = rng.uniform(rng.fold(keys, Draw.WAVELETS), shape, *SHAPE).double()
    # halvings of the image's side, of the high-pass and of each band
    level = torch.arange(-1, BANDS * scales, device=keys.device).clamp_min(0) // BANDS
    scale = 4.0 ** (2**level).double()
    x = torch.linspace(-GRID, GRID, WAVELET_BINS, dtype=torch.float64, device=keys.device)
    h = torch.exp(-((x.abs() / scale[:, None]) ** rho[..., None]))
    std = ((h * x.square()).sum(-1) / h.sum(-1)).sqrt().float()
    return WaveletModel(_shares(h + LEAST_COUNT * h.mean(-1, keepdim=True)), std)


def impose_wavelets(x: Tensor, model: WaveletModel, borders: str) -> Tensor:
    """Give every band of each channel of (n, 3, h, h) its distribution, of mean 0.

    The low-pass residual stays.
    """
    scales = (model.std.shape[2] - 1) // BANDS
    high, bands, low = pyramid.analyse(x.flatten(0, 1), scales, borders)
    matched, first = [], 0
    for band in (high[:, None], *bands):
        part = slice(first, first + band.shape[1])
        first = part.stop
        std = model.std[:, :, part].flatten(0, 1)
        cumulative = model.cumulative[:, :, part].flatten(0, 1)
        # bins are centred on the grid
        edge = torch.full_like(std, GRID * (1 + 1 / (WAVELET_BINS - 1)))
        y = match_histogram(band.flatten(2), -edge, edge, cumulative.contiguous())
        y -= y.mean(2, keepdim=True)
        y *= (std / y.square().mean(2).sqrt())[..., None]
        matched.append(y.view_as(band))
    return pyramid.synthesise(matched[0][:, 0], matched[1:], low, borders).view_as(x)


@dataclass(frozen=True)
class StatisticalOptions(Options):
    """Options of statistical models.

    ``color``: impose the colour model's histograms as well; ``palette``: see :func:`colour_model`.
    """

    color: bool = False
    palette: str = "clipped"
    allowed: ClassVar = {"palette": ("clipped", "all")}


@register("stat-spectrum", color=False)
@register("stat-spectrum_color", color=True)
class Statistical(Generator):
    """Noise with a random power spectrum, 1/f^s, s from 0.5 to 3.5, in colours of a palette."""

    Options: ClassVar[type[Options]] = StatisticalOptions
    stream = "stat"
    work_bytes = 4 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        options = self.options
        rounds = ROUNDS if options.color else 1  # imposing a spectrum twice changes nothing
        return impose(keys, size, rounds, True, None, options.color, options.palette)


@dataclass(frozen=True)
class WaveletOptions(StatisticalOptions):
    """Options of wavelet statistics.

    ``spectrum``: impose a power spectrum as well; ``borders``: how the pyramid goes on beyond them,
    as in the authors' published images ("reflect") or "circular"; ``color`` and ``palette`` as
    for the sets without wavelets.
    """

    spectrum: bool = False
    borders: str = "reflect"
    allowed: ClassVar = {"borders": ("reflect", "circular")}


@register("stat-wmm")
@register("stat-spectrum_color_wmm", spectrum=True, color=True)
class Wavelets(Statistical):
    """Noise with the wavelet marginals of photographs: most responses near zero, few large ones."""

    Options = WaveletOptions
    work_bytes = 8 << 20

    def scene_size(self, size: int) -> int:
        canvas = super().scene_size(size)
        step = 1 << pyramid.height(canvas)
        return -(-canvas // step) * step

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        options = self.options
        laws = options.spectrum, options.borders, options.color, options.palette
        return impose(keys, size, ROUNDS, *laws)


def impose(
    keys: Tensor,
    size: int,
    rounds: int,
    with_spectrum: bool,
    borders: str | None,
    color: bool,
    palette: str,
) -> Tensor:
    """Start from white noise and impose statistics in turns: uint8 (n, 3, size, size).

    Spectrum, wavelet marginals (unless ``borders`` is None), colours; see the options.
    """
    model = colour_model(rng.fold(keys, Draw.COLOUR_MODEL), size, palette)
    amplitude, _ = spectrum(keys, size)
    wavelets = wavelet_model(keys, pyramid.height(size)) if borders else None
    x = LEVELS * rng.uniform(rng.fold(keys, Draw.START), (3, size, size))
    for _ in range(rounds):
        if with_spectrum:
            x = impose_spectrum(x, amplitude)
        if borders and wavelets:
            x = impose_wavelets(x, wavelets, borders)
        if color:
            x = match_histogram(x.flatten(2), model.low, model.high, model.cumulative).view_as(x)
    axes = model.axes
    if not color:
        # channels keep the noise's mean of 128, so the sign of an axis, free in the code, shifts
        # the colours: draw it
        negative = rng.uniform(rng.fold(keys, Draw.AXES), (1, 3)) < 0.5
        axes = axes * torch.where(negative, -1.0, 1.0)
    rgb = (axes @ x.flatten(2) + model.mean[..., None]).view_as(x)
    rgb = rgb - rgb.amin((1, 2, 3), keepdim=True)
    return (255 * rgb / rgb.amax((1, 2, 3), keepdim=True)).add_(0.5).clamp_(0, 255).byte()
