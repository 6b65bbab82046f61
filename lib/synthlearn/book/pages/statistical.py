"""The page on statistical image models: the power of several spectra, and the wavelet bands of an
image before and after they are given heavy tails.
"""

import itertools
from collections.abc import Mapping

import torch
from torch import Tensor

from ...generators import pyramid, statistical
from ...measure import metrics
from .. import figures
from ..html import Html, join
from ..sheets import grey, labelled

BANDS = {"fine, vertical": (0, 0), "middle, diagonal": (1, 1)}  # (scale, orientation); shown
CLIP = 60.0  # a band's values beyond ± CLIP are shown as that
SPREAD = 6.0  # standard deviations that a histogram reaches to
BINS = 41  # of a histogram


def power_figure(images: Mapping[float, Tensor]) -> Html:
    """Power against frequency of planes (s, s) by their exponent, as a share of the lowest.

    >>> power_figure({1.0: torch.rand(64, 64)}).alt.split(":")[0]
    'Power against frequency on logarithmic axes'
    """
    figure, axis = figures.new(width=figures.PANEL, height=2.9)
    colours = itertools.cycle(figures.LINES)
    for s, image in images.items():
        k, power = metrics.radial_power(image.expand(1, 3, -1, -1))
        share = power[0] / power[0, 0]
        axis.plot(k, share.log10(), color=next(colours))
        end = (float(k[-1]), float(share[-1].log10()))
        options = {"textcoords": "offset points", "va": "center", "color": figures.INK}
        axis.annotate(f"s = {s:g}", end, xytext=(4, 0), **options)
    figures.plain_log(axis)
    axis.set_xlabel("frequency, cycles per image")
    axis.set_ylabel("log₁₀(power / first power)")
    alt = "Power against frequency on logarithmic axes: straight lines, steeper for larger s."
    note = "Beyond the slowest waves each line is straight: power falls as frequency to "
    note += "the power −2s."
    return figures.svg(figure, alt, note)


def wavelets(noise: Tensor, key: Tensor) -> Html:
    """Noise (1, 3, s, s), what wavelet marginals make of it, two bands of that, and how the values
    of these bands are distributed before and after.
    """
    model = statistical.wavelet_model(key, pyramid.height(noise.shape[-1]))
    image = noise
    for _ in range(statistical.ROUNDS):
        image = statistical.impose_wavelets(image, model, "reflect")
    before, after = (_bands(x) for x in (noise, image))
    panels = {"noise": grey(noise[0, 0]), "wavelet marginals": grey(image[0, 0])}
    for name, band in after.items():
        plane, times = grey(band.clamp(-CLIP, CLIP)), noise.shape[-1] // band.shape[-1]
        panels[name] = plane.repeat_interleave(times, 1).repeat_interleave(times, 2)
    sheet = labelled(
        panels,
        "From noise to sparse marks: noise, the image with wavelet marginals, two of its bands",
        "Grey is 0. In the bands most values are near it; a few, at edges, are far off.",
    )
    return join(sheet, _histograms(before, after))


def _bands(image: Tensor) -> dict[str, Tensor]:
    """The shown bands of the first channel, name → (h, w)."""
    _, bands, _ = pyramid.analyse(image[:, 0], 1 + max(scale for scale, _ in BANDS.values()))
    return {name: bands[scale][0, number] for name, (scale, number) in BANDS.items()}


def _histograms(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Html:
    colour = figures.COLOURS["statistical"]
    lines = [figures.Line("noise", figures.INK, ":"), figures.Line("wavelet marginals", colour)]
    panels = []
    tails = "Kurtosis (3 for a Gaussian) of noise, and with wavelet marginals: " + "; ".join(
        f"{name} {_kurtosis(before[name]):.1f} and {_kurtosis(after[name]):.1f}" for name in before
    )
    for name in before:
        figure, axis = figures.new(width=figures.PANEL, height=2.4)
        for line, bands in zip(lines, (before, after), strict=True):
            x = (bands[name] / bands[name].std()).flatten()
            density, edges = torch.histogram(x, BINS, range=(-SPREAD, SPREAD), density=True)
            middle = (edges[:-1] + edges[1:]) / 2
            axis.plot(middle, density.log10(), line.dash, color=line.colour)
        axis.set_title(name, fontsize=11, color=figures.INK)
        axis.set_xlabel("value / standard deviation")
        axis.set_ylabel("log₁₀ density")
        axis.set(xlim=(-SPREAD, SPREAD), ylim=(-4, 0.3))
        panels.append(figure)
    return figures.row_of(
        panels,
        "Densities of two bands: parabolas, that is Gaussians, for noise; sharp peaks with heavy "
        "tails after wavelet marginals are imposed.",
        f"How the values of a band are distributed: a parabola is a Gaussian. {tails}.",
        [figures.Line(line.label, _readable(line.colour), line.dash) for line in lines],
    )


def _kurtosis(band: Tensor) -> float:
    return float((band**4).mean() / band.square().mean() ** 2)


def _readable(colour: str) -> str:
    """A legend's colour, in the page's own ink where a figure would have it."""
    return "currentColor" if colour == figures.INK else colour
