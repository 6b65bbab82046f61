"""Baselines between nothing and structure: one colour per image, and Perlin's noise."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from .base import Generator, Options
from .registry import register

FINEST = 4096  # cells along a side, at most: a GB of memory; chosen here


@register("noise-uniform_color")
class UniformColour(Generator):
    """One uniform colour per image: the floor of what an image can teach."""

    stream = "noise"
    scene = 0

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        colour = rng.integers(keys, 0, 256, (3,)).byte()[..., None, None]
        return colour.expand(-1, -1, size, size).contiguous()


@dataclass(frozen=True)
class PerlinOptions(Options):
    """Options of Perlin's noise.

    ``cells``: of the lattice along a side in the coarsest octave; ``octaves``: each has twice the
    cells and ``persistence`` times the height.
    """

    cells: int = 4
    octaves: int = 4
    persistence: float = 0.5
    at_least: ClassVar = {"cells": 1, "octaves": 1, "persistence": 0.0}
    at_most: ClassVar = {"cells": FINEST, "octaves": 13, "persistence": 16.0}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.finest > FINEST:
            both = f"options cells = {self.cells}, octaves = {self.octaves}"
            made = f"make {self.finest:,} cells along a side in the finest octave"
            raise ParameterError(f"{both}: {made}, must be at most {FINEST:,}; lower one of them")

    @property
    def finest(self) -> int:
        """Cells along a side in the finest octave."""
        return self.cells * 2 ** (self.octaves - 1)


@register("noise-perlin")
class Perlin(Generator):
    """Gradient noise (Perlin 1985, with the fade of 2002) in every channel, octaves added."""

    Options = PerlinOptions
    stream = "noise"
    scene = 0

    def chunk(self, canvas: int, device: str) -> int:
        """As of any generator; a fine lattice takes more than the image."""
        pictures = super().chunk(canvas, device)
        return max(1, min(pictures, (pictures * canvas**2) // self.options.finest**2))

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        options, x = self.options, torch.zeros((), device=keys.device)
        for k in range(options.octaves):  # an octave's number is that of its draw
            octave = gradient_noise(rng.fold(keys, k), 3, options.cells * 2**k, size)
            x = x + options.persistence**k * octave
        # stretched over 0 … 255
        low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
        return ((x - low) / (high - low).clamp_min(1e-12) * 255).add_(0.5).byte()


def gradient_noise(keys: Tensor, channels: int, cells: int, size: int) -> Tensor:
    """Perlin's noise of keys (n,), zero on its lattice: float (n, channels, size, size)."""
    angle = rng.uniform(keys, (channels, cells + 1, cells + 1), 0, 2 * math.pi)
    place = (torch.arange(size, device=keys.device) + 0.5) * cells / size
    cell = place.long()
    inside = place - cell
    fade = inside**3 * (inside * (inside * 6 - 15) + 10)
    corner = []
    for dy in (0, 1):
        for dx in (0, 1):
            a = angle[:, :, cell + dy][..., cell + dx]
            corner.append(torch.cos(a) * (inside - dx) + torch.sin(a) * (inside - dy)[:, None])
    top, bottom = torch.lerp(corner[0], corner[1], fade), torch.lerp(corner[2], corner[3], fade)
    return torch.lerp(top, bottom, fade[:, None])
