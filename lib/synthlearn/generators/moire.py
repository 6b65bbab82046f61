"""Moiré: rings of several sources on top of each other.

After the idea of MoireDB and MoireMix (Matsuo et al. 2025, 2026), whose images are closed
formulas of interfering waves. Their constants were not at hand: the law here is our own.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from .base import Options
from .categories import Categories
from .registry import register

# Chosen here:
LEAST, MOST = 2, 5  # sources of an image
SLOWEST, FASTEST = 2.0, 64.0  # rings across an image, of a source
AWAY = 1.0  # how far outside the image a source may lie, in sides
HUE = 1 / 3  # of a period, that a channel's rings may be shifted


class Draw(IntEnum):
    """What is drawn for a category or an image."""

    COUNT = 0
    RINGS = 1
    CENTRE = 2
    PHASE = 3
    SHIFT = 4


@dataclass(frozen=True)
class MoireOptions(Options):
    """``categories``: each fixes how many sources there are, and how many rings each has."""

    categories: int = 1000
    at_least: ClassVar = {"categories": 1}
    at_most: ClassVar = {"categories": 1_000_000}


def interference(count: Tensor, rings: Tensor, centre: Tensor, phase: Tensor, size: int) -> Tensor:
    """Mean of the waves of some sources at the middles of pixels, in −1 … 1.

    count: int64 (n,), how many of the sources there are. rings: float (n, k), waves for each side.
    centre: float (n, k, 2), in sides. phase: float (n, channels, k), in periods. Returns float
    (n, channels, size, size).
    """
    place = (torch.arange(size, device=rings.device) + 0.5) / size
    total = torch.zeros(*phase.shape[:2], size, size, device=rings.device)
    for k in range(rings.shape[1]):
        across, down = (place - centre[:, k, a, None] for a in (0, 1))
        away = (across.square()[:, None] + down.square()[:, :, None]).sqrt_()
        turns = (away * rings[:, k, None, None])[:, None] + phase[:, :, k, None, None]
        there = (count > k)[:, None, None, None]
        total += turns.mul_(2 * math.pi).cos_().mul_(there)
    return total / count[:, None, None, None]


@register("noise-moire")
class Moire(Categories):
    """Interference of the rings of two to five sources, in colour; image i is of category i mod
    ``categories``."""

    Options = MoireOptions
    stream = "moire"
    scene = 0  # waves have a value at any place: painted at the image's own size

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        shared = rng.key("moire-category", self.category(indices), device=keys.device)
        count = rng.integers(rng.fold(shared, Draw.COUNT), LEAST, MOST + 1)
        u = rng.uniform(rng.fold(shared, Draw.RINGS), (MOST,))
        rings = SLOWEST * (FASTEST / SLOWEST) ** u
        centre = rng.uniform(rng.fold(keys, Draw.CENTRE), (MOST, 2), -AWAY, 1 + AWAY)
        phase = rng.uniform(rng.fold(keys, Draw.PHASE), (1, MOST))
        shift = rng.uniform(rng.fold(keys, Draw.SHIFT), (3, MOST), -HUE / 2, HUE / 2)
        wave = interference(count, rings, centre, phase + shift, size)
        low, high = wave.amin((1, 2, 3), keepdim=True), wave.amax((1, 2, 3), keepdim=True)
        return ((wave - low) / (high - low).clamp_min(1e-12) * 255).add_(0.5).byte()
