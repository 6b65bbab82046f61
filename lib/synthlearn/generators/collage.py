"""Collages: our own family of noise, with one option for each property that the other families are told apart by.

Opaque leaves as in dead leaves, by any law of radii; on them a field of the picture, coloured noise with a power law or a random program; colours
from a law; two collages may be mixed pixel by pixel. What the options should be is searched for (``workflow/search.toml``), not designed.
"""

import math
from dataclasses import dataclass
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
PALETTE = 6  # colours of a picture with a palette
# Luma, and two opponent colours, as standard deviations of a photograph-like law: most of what varies is brightness (Ruderman et al. 1998 find
# the same axes in photographs; the numbers here are ours).
AXES = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (0.5, -1.0, 0.5))
SPREAD = (0.28, 0.10, 0.05)
PROGRAMS = Programs("programs", ProgramsOptions())


@dataclass(frozen=True)
class CollageOptions(Options):
    """``shape``: of the leaves, as of dead leaves. ``exponent``: σ of their radii's density r^−σ − 1. ``field``: what is on a leaf besides its colour,
    "none", "spectrum" (noise of amplitude 1/f^slope) or "programs"; ``amplitude``: its standard deviation, 1 is the range of a channel.
    ``slope``: of the spectrum. ``colour``: law of the leaves' colours, see :func:`colours`. ``rule``: whether two collages make a picture, and how."""

    shape: str = "mixed"
    exponent: float = 3.0
    field: str = "none"
    amplitude: float = 0.2
    slope: float = 1.0
    colour: str = "uniform"
    rule: str = "none"
    allowed: ClassVar = {
        "shape": (*SHAPES, "mixed"), "field": ("none", "spectrum", "programs"), "colour": COLOURS, "rule": RULES,
    }  # fmt: skip
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
    """Leaves of any law with a field on them, in colours of a law, alone or mixed two by two: the family that a search chooses from."""

    Options = CollageOptions
    stream = "collage"
    work_bytes = 6 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        if self.options.rule == "none":
            return self._one(keys, indices, size, seed)
        own = part_indices(indices, 2)
        two = torch.stack(
            [self._one(rng.fold(keys, 4, k), own[:, k], size, seed) for k in (0, 1)], 1
        )
        mixing = rng.fold(keys, 5)
        return (
            convex(two, weights(mixing, 2))
            if self.options.rule == "convex"
            else cutmix(two, *boxes(mixing, 2))
        )

    def _one(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """One collage of each key (n,): uint8 (n, 3, size, size)."""
        o = self.options
        top, _ = cover(keys, o.shape, size, exponent=o.exponent)
        rgb = colours(keys, top, o.colour)
        if o.field != "none" and o.amplitude:
            field = (
                spectrum_field(rng.fold(keys, 2), size, o.slope)
                if o.field == "spectrum"
                else program_field(PROGRAMS, indices, size, seed)
            )
            # each leaf shows its own part of the field, turned over for half of them, so that edges stay edges
            sign = (
                (rng.uniform(rng.fold(keys, 3)[:, None, None] + top) < 0.5).float().mul_(2).sub_(1)
            )
            rgb = rgb + (o.amplitude * sign * field)[:, None]
        return rgb.mul_(255.999).clamp_(0, 255).byte()


def colours(keys: Tensor, top: Tensor, law: str) -> Tensor:
    """Colours of the leaves ``top`` (n, s, s), float (n, 3, s, s), 1 is the range of a channel.

    "uniform": as in dead leaves. "palette": each leaf has one of six colours of its picture. "photo": brightness varies most, as in photographs.
    """
    if law == "palette":
        which = rng.integers(rng.fold(keys, 1)[:, None, None] + top, 0, PALETTE).flatten(1)
        palette = rng.uniform(rng.fold(keys, 6), (PALETTE, 3))
        return (
            palette.gather(1, which[..., None].expand(-1, -1, 3))
            .view(*top.shape, 3)
            .permute(0, 3, 1, 2)
        )
    if law == "uniform":
        return rng.uniform(rng.fold(keys, 1)[:, None, None] + top, (3,)).permute(0, 3, 1, 2)
    axes = torch.tensor(AXES, device=keys.device)
    along = rng.normal(rng.fold(keys, 1)[:, None, None] + top, (3,)) * torch.tensor(
        SPREAD, device=keys.device
    )
    return (0.5 + along @ axes).clamp(0, 1).permute(0, 3, 1, 2)


def spectrum_field(keys: Tensor, size: int, slope: float) -> Tensor:
    """Gaussian noise with amplitudes ∝ 1/f^slope, mean 0 and variance 1 of each picture: float (n, size, size)."""
    f = torch.fft.rfft2(rng.normal(keys, (size, size)))
    radius = torch.hypot(
        torch.fft.fftfreq(size, device=keys.device)[:, None],
        torch.fft.rfftfreq(size, device=keys.device),
    )
    radius[0, 0] = math.inf
    return standardised(torch.fft.irfft2(f * radius**-slope, s=(size, size)))


def program_field(programs: Programs, indices: Tensor, size: int, seed: int) -> Tensor:
    """Brightness of pictures of random programs, mean 0 and variance 1 of each: float (n, size, size)."""
    return standardised(programs.sample(indices, size, seed, str(indices.device)).float().mean(1))


def standardised(x: Tensor) -> Tensor:
    """Each of (n, h, w) with mean 0 and variance 1; a constant one is all 0."""
    x = x - x.mean((1, 2), keepdim=True)
    return x / x.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-6)
