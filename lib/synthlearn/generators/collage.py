"""Collages: our own family of noise, an option for each property that sets the others apart.

Opaque leaves as in dead leaves, by any law of radii; on them a field of the image, coloured noise
with a power law or a random program; colours from a law; two collages may be mixed pixel by pixel.
What the options should be is searched for (``workflow/search.toml``), not designed.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from .base import Generator, Options
from .dead_leaves import SHAPES, cover
from .mixed import boxes, convex, cutmix, part_indices, weights
from .programs import Programs, ProgramsOptions
from .registry import register

RULES = ("none", "convex", "cutmix")
COLOURS = ("uniform", "photo", "palette")
PALETTE = 6  # colours of an image with a palette; chosen here
# Luma and two opponent colours, of which brightness varies most. Ruderman et al. 1998 find the same
# axes in photographs.
AXES = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (0.5, -1.0, 0.5))
SPREAD = (0.28, 0.10, 0.05)  # standard deviations along the axes; chosen here
PROGRAMS = Programs("programs", ProgramsOptions())


class Draw(IntEnum):
    """What is drawn for an image."""

    LEAVES = 0  # by dead_leaves.cover
    COLOUR = 1  # and a leaf's number more: of that leaf
    FIELD = 2
    SIGN = 3  # and a leaf's number more: whether it turns the field over
    PART = 4  # of two that are mixed
    MIXING = 5
    PALETTE = 6


@dataclass(frozen=True)
class CollageOptions(Options):
    """Options of collages.

    ``shape``: of the leaves, as of dead leaves. ``exponent``: σ of their radii's density r^−σ − 1.
    ``field``: what is on a leaf besides its colour, "none", "spectrum" (noise of amplitude
    1/f^slope) or "programs"; ``amplitude``: its standard deviation, 1 is the range of a channel.
    ``slope``: of the spectrum. ``colour``: law of the leaves' colours, see :func:`colours`.
    ``rule``: whether two collages make an image, and how.
    """

    shape: str = "mixed"
    exponent: float = 3.0
    field: str = "none"
    amplitude: float = 0.2
    slope: float = 1.0
    colour: str = "uniform"
    rule: str = "none"
    allowed: ClassVar = {
        "shape": (*SHAPES, "mixed"),
        "field": ("none", "spectrum", "programs"),
        "colour": COLOURS,
        "rule": RULES,
    }
    at_least: ClassVar = {"exponent": 0.1, "amplitude": 0.0, "slope": 0.0}
    at_most: ClassVar = {"exponent": 20.0, "amplitude": 100.0, "slope": 5.0}


@register("collage")
@register(
    "collage-found",
    shape="oriented",
    exponent=2.0,
    field="programs",
    amplitude=0.1,
    slope=1.0,
    colour="photo",
    rule="cutmix",
)
class Collage(Generator):
    """Leaves with a field on them, in colours of a law, alone or mixed: what a search chooses."""

    Options = CollageOptions
    stream = "collage"
    work_bytes = 6 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        if self.options.rule == "none":
            return self._one(keys, indices, size, seed)
        own = part_indices(indices, 2)
        parts = [self._one(rng.fold(keys, Draw.PART, k), own[:, k], size, seed) for k in (0, 1)]
        two, mixing = torch.stack(parts, 1), rng.fold(keys, Draw.MIXING)
        if self.options.rule == "convex":
            return convex(two, weights(mixing, 2))
        return cutmix(two, *boxes(mixing, 2))

    def _one(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """One collage of each key (n,): uint8 (n, 3, size, size)."""
        options = self.options
        top, _ = cover(keys, options.shape, size, exponent=options.exponent)
        rgb = colours(keys, top, options.colour)
        if options.field != "none" and options.amplitude:
            if options.field == "spectrum":
                field = spectrum_field(rng.fold(keys, Draw.FIELD), size, options.slope)
            else:
                field = program_field(PROGRAMS, indices, size, seed)
            # each leaf shows its own part of the field, turned over for half of them, so that edges
            # stay edges
            over = rng.uniform(rng.fold(keys, Draw.SIGN)[:, None, None] + top) < 0.5
            sign = over.float().mul_(2).sub_(1)
            rgb = rgb + (options.amplitude * sign * field)[:, None]
        return rgb.mul_(255.999).clamp_(0, 255).byte()


def colours(keys: Tensor, top: Tensor, law: str) -> Tensor:
    """Colours of the leaves ``top`` (n, s, s), float (n, 3, s, s), 1 is the range of a channel.

    "uniform": as in dead leaves. "palette": each leaf has one of six colours of its image.
    "photo": brightness varies most, as in photographs.
    """
    own = rng.fold(keys, Draw.COLOUR)[:, None, None] + top
    if law == "palette":
        which = rng.integers(own, 0, PALETTE).flatten(1)
        palette = rng.uniform(rng.fold(keys, Draw.PALETTE), (PALETTE, 3))
        rgb = palette.gather(1, which[..., None].expand(-1, -1, 3)).view(*top.shape, 3)
    elif law == "uniform":
        rgb = rng.uniform(own, (3,))
    else:
        axes = torch.tensor(AXES, device=keys.device)
        spread = torch.tensor(SPREAD, device=keys.device)
        rgb = (0.5 + (rng.normal(own, (3,)) * spread) @ axes).clamp(0, 1)
    return rgb.permute(0, 3, 1, 2)


def spectrum_field(keys: Tensor, size: int, slope: float) -> Tensor:
    """Gaussian noise of amplitudes ∝ 1/f^slope: float (n, size, size), mean 0, variance 1 each."""
    f = torch.fft.rfft2(rng.normal(keys, (size, size)))
    rows = torch.fft.fftfreq(size, device=keys.device)
    radius = torch.hypot(rows[:, None], torch.fft.rfftfreq(size, device=keys.device))
    radius[0, 0] = math.inf
    return standardise(torch.fft.irfft2(f * radius**-slope, s=(size, size)))


def program_field(programs: Programs, indices: Tensor, size: int, seed: int) -> Tensor:
    """Brightness of random programs' images: float (n, size, size), mean 0, variance 1 each."""
    return standardise(programs.sample(indices, size, seed, str(indices.device)).float().mean(1))


def standardise(x: Tensor) -> Tensor:
    """Each of (n, h, w) with mean 0 and variance 1; a constant one is all 0."""
    x = x - x.mean((1, 2), keepdim=True)
    return x / x.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-6)
