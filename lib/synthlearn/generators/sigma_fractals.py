"""Sigma-factor fractals (Anderson and Farrell 2022), in colour, several in an image.

Affine systems with a prescribed sum of singular values. Law and constants: the authors' code.
"""

import math
import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.image import hsv_to_rgb
from .base import Generator, Options, working_memory
from .ifs import BURN_IN, ORBITS, walk
from .registry import register

SIGMA_MAPS = (2, 4)  # fewest and most of a system; authors' code
FRACTAL_CACHE = 512  # rendered fractals that the recipe keeps; authors' code
IMAGES_PER_FRACTAL = 2  # after which it renews one; authors' code
POINT_BYTES = 40  # that rendering takes a point; measured
# No determinant of 1 − A is nearer to 0, where it divides; chosen here.
LEAST_DETERMINANT = 1e-6


class SystemDraw(IntEnum):
    """What is drawn for a system."""

    COUNT = 0
    SINGULAR = 1
    ALPHA = 2
    TURN = 3
    SIGN = 4
    SHIFT = 5


class RenderingDraw(IntEnum):
    """What is drawn for a rendering of the store."""

    SYSTEM = 0
    MASK = 1
    CHOICES = 6


class Draw(IntEnum):
    """What is drawn for an image."""

    BACKGROUND = 0
    COUNT = 1
    FRACTAL = 2  # and its place among the image's
    BLUR = 3


class FractalDraw(IntEnum):
    """What is drawn for a fractal of an image."""

    RENDERING = 0
    COLOUR = 1
    FLIP = 2
    PLACE = 3


class BackgroundDraw(IntEnum):
    """What is drawn for a background."""

    FIELD = 0
    COLOUR = 1


class FieldDraw(IntEnum):
    """What is drawn for a height field."""

    DECAY = 0
    CORNERS = 1
    LEVEL = 2  # and its number


def sigma_systems(keys: Tensor, count: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Random systems with a prescribed sum Σ(s1 + 2·s2) of singular values.

    Args:
        keys: int64 (n,), one per system.
        count: number of maps N, or None for N uniform on 2 … 4 per system.

    Returns: maps float (n, M, 6), probabilities ∝ |determinant| (n, M), singular values (n, M, 2);
    M is the largest N, absent maps are zero.
    """
    n = len(keys)
    most = count or SIGMA_MAPS[1]
    if count:
        maps = torch.full((n,), count, device=keys.device)
    else:
        maps = rng.integers(rng.fold(keys, SystemDraw.COUNT), SIGMA_MAPS[0], SIGMA_MAPS[1] + 1)
    singular = _singular_values(keys, maps, most)
    turn = rng.uniform(rng.fold(keys, SystemDraw.TURN), (most, 2), -math.pi, math.pi).double()
    sign = 1 - 2 * rng.integers(rng.fold(keys, SystemDraw.SIGN), 0, 2, (most, 4)).double()
    cos, sin = torch.cos(turn), torch.sin(turn)
    rotation = torch.stack((cos, -sin, sin, cos), -1).view(n, most, 2, 2, 2)  # U and V
    signed = rotation * sign.view(n, most, 2, 1, 2)
    matrix = signed[:, :, 0] @ (singular[..., None] * signed[:, :, 1])
    shift = rng.uniform(rng.fold(keys, SystemDraw.SHIFT), (most, 2), -1, 1).double()
    present = (torch.arange(most, device=keys.device) < maps[:, None])[..., None]
    weight = singular.prod(-1)
    systems = torch.cat((matrix.flatten(2), shift * present), -1).float()
    return systems, (weight / weight.sum(1, keepdim=True)).float(), singular


def _singular_values(keys: Tensor, maps: Tensor, most: int) -> Tensor:
    """Singular values s1 ≥ s2 of systems of ``maps`` (n,) maps, float64 (n, most, 2), zero beyond.

    Uniform one after the other, each in the range that leaves the others theirs.
    """
    number = maps.double()
    u = rng.uniform(rng.fold(keys, SystemDraw.SINGULAR), (most, 2)).double()
    alpha = (5 + number + rng.uniform(rng.fold(keys, SystemDraw.ALPHA)).double()) / 2
    p, q = alpha.clone(), alpha - 3 * number + 3
    singular = torch.zeros((len(keys), most, 2), dtype=torch.float64, device=keys.device)
    for m in range(most):
        last, absent = maps == m + 1, maps <= m
        low, high = (q / 3).clamp_min(0), p.clamp_max(1)
        s1 = low + (high - low) * u[:, m, 0]
        low2, high2 = ((q - s1) / 2).clamp_min(0), torch.minimum(s1, (p - s1) / 2)
        s2 = low2 + (high2 - low2) * u[:, m, 1]
        low_last, high_last = ((p - 1) / 2).clamp_min(0), p / 3
        s2_last = low_last + (high_last - low_last) * u[:, m, 1]
        s2 = torch.where(last, s2_last, s2)
        s1 = torch.where(last, p - 2 * s2_last, s1)
        singular[:, m, 0] = torch.where(absent, 0, s1)
        singular[:, m, 1] = torch.where(absent, 0, s2)
        q = q - s1 + 3 - 2 * s2
        p = p - s1 - 2 * s2
    return singular


def sigma_points(systems: Tensor, probabilities: Tensor, keys: Tensor, points: int) -> Tensor:
    """Points of the attractors, new random numbers for each: float (n, 2, points).

    Orbits start at the first map's fixed point, which lies on its attractor.
    """
    orbits = min(ORBITS, points)
    steps = -(-points // orbits)
    a, b, c, d, e, f = systems[:, 0].double().unbind(-1)
    determinant = (1 - a) * (1 - d) - b * c
    least = torch.full_like(determinant, LEAST_DETERMINANT)
    determinant = torch.where(determinant.abs() < LEAST_DETERMINANT, least, determinant)
    fixed = torch.stack(((1 - d) * e + b * f, c * e + (1 - a) * f), -1) / determinant[:, None]
    choices = rng.uniform(rng.fold(keys, RenderingDraw.CHOICES), (BURN_IN + steps, orbits))
    xy = walk(systems, probabilities, choices, fixed.float())
    return xy[:, :, BURN_IN:].flatten(2)[:, :, :points]


def sigma_density(points: Tensor, size: int, mask: Tensor) -> Tensor:
    """Share of points per pixel of their bounding box, maximum 1: float (n, size, size).

    ``mask``, bool (n, 3, 3), spreads each point.
    """
    n = len(points)
    low, high = points.amin(-1, keepdim=True), points.amax(-1, keepdim=True)
    pixel = (points - low).div_((high - low).clamp_min(1e-12)).mul_(size - 1).long()
    number = pixel[:, 0].mul_(size).add_(pixel[:, 1])
    count = torch.zeros((n, size * size), device=points.device)
    count.scatter_add_(1, number, torch.ones((), device=points.device).expand(n, points.shape[-1]))
    padded = torch.nn.functional.pad(count.view(n, size, size), (1, 1, 1, 1))
    spread = torch.zeros_like(padded[:, 1:-1, 1:-1])
    for k in range(9):
        dy, dx = k // 3, k % 3
        spread += padded[:, dy : dy + size, dx : dx + size] * mask[:, 2 - dy, 2 - dx, None, None]
    return spread / spread.amax((1, 2), keepdim=True).clamp_min(1)


def byte_hue(byte: Tensor) -> Tensor:
    """Hue in turns of a hue byte as an 8-bit OpenCV image shows it.

    A unit is 2°, so bytes from 180 on repeat and low hues are twice as frequent.
    """
    return byte.floor() * 2 / 360


def diamond_square(keys: Tensor, size: int) -> Tensor:
    """Random height fields by midpoint displacement: float (n, size, size), mostly within [0, 1].

    Amplitude ½·exp(δ(1 − level)), δ uniform on 0.4 … 0.8.
    """
    n, levels = len(keys), (size - 1).bit_length()
    decay = rng.uniform(rng.fold(keys, FieldDraw.DECAY), (1,), 0.4, 0.8)
    grid = rng.uniform(rng.fold(keys, FieldDraw.CORNERS), (2, 2))
    for level in range(1, levels + 1):
        amplitude = (0.5 * torch.exp(decay * (1 - level)))[..., None]
        side = grid.shape[-1]
        shape = 2 * side - 1, 2 * side - 1
        fine = torch.zeros((n, *shape), device=keys.device)
        fine[:, ::2, ::2] = grid
        noise = rng.uniform(rng.fold(keys, FieldDraw.LEVEL, level), shape, -1, 1) * amplitude
        corners = grid[:, 1:, 1:] + grid[:, :-1, 1:] + grid[:, 1:, :-1] + grid[:, :-1, :-1]
        centre = corners / 4 + noise[:, 1::2, 1::2]
        fine[:, 1::2, 1::2] = centre
        # an edge's midpoint is the mean of its four neighbours; beyond the border it wraps
        above = torch.cat((centre[:, -1:], centre), 1)
        below = torch.cat((centre, centre[:, :1]), 1)
        around = grid[:, :, 1:] + grid[:, :, :-1] + above + below
        fine[:, ::2, 1::2] = around / 4 + noise[:, ::2, 1::2]
        before = torch.cat((centre[:, :, -1:], centre), 2)
        after = torch.cat((centre, centre[:, :, :1]), 2)
        around = grid[:, 1:] + grid[:, :-1] + before + after
        fine[:, 1::2, ::2] = around / 4 + noise[:, 1::2, ::2]
        grid = fine
    return grid[:, :size, :size]


def background(keys: Tensor, size: int) -> Tensor:
    """Coloured diamond-square fields, float RGB in [0, 1]: (n, 3, size, size)."""
    x = diamond_square(rng.fold(keys, BackgroundDraw.FIELD), size)
    u = rng.uniform(rng.fold(keys, BackgroundDraw.COLOUR), (6, 1, 1))
    span, shift = (0.25 + 0.75 * u[:, 0]) * 255, 255 * u[:, 1]
    saturation = (x * (0.1 + 0.2 * u[:, 2]) + 0.4 + 0.2 * u[:, 3]).clamp(0, 1)
    value = (x * (0.3 + 0.3 * u[:, 4]) + 0.4 + 0.2 * u[:, 5]).clamp(0, 1)
    return hsv_to_rgb(byte_hue((x * span + shift).remainder(256)), saturation, value)


def colour_fractal(density: Tensor, keys: Tensor) -> Tensor:
    """Fractals on black from their densities (n, h, w): float RGB (n, 3, h, w).

    Hue by density with a random shift, one saturation and value each.
    """
    u = rng.uniform(rng.fold(keys, 0), (3, 1, 1))
    hue = byte_hue((255 * density + 255 * u[:, 0]).floor().remainder(256))
    one = torch.ones_like(density)
    rgb = hsv_to_rgb(hue, one * (0.3 + 0.7 * u[:, 1]), one * (0.5 + 0.5 * u[:, 2]))
    return rgb * (density > 0).unsqueeze(1)


@dataclass(frozen=True)
class SigmaOptions(Options):
    """Options of sigma-factor fractals.

    ``systems``: how many there are to draw from (the released sets use 1,000); ``points`` per
    fractal; at most ``instances`` fractals in an image.
    """

    systems: int = 1000
    points: int = 100_000
    instances: int = 5
    at_least: ClassVar = {"systems": 1, "points": 16, "instances": 1}
    at_most: ClassVar = {"systems": 1_000_000_000, "points": 50_000_000, "instances": 50}


@register("fractals-sigma")
class SigmaFractals(Generator):
    """One to five coloured sigma-factor fractals on a background, half of the images blurred.

    As in the recipe, fractals come from a sliding store of 512 renderings at half size, one new
    rendering per two images: image i draws from renderings ⌊i/2⌋ … ⌊i/2⌋ + 511. A rendering is
    a function of its number alone: on a CPU the store is a memo, on a GPU each chunk makes what it
    needs.
    """

    Options = SigmaOptions
    stream = "fractals"
    work_bytes = 6 << 20

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        self._memo: dict[tuple, Tensor] = {}
        self._lock = threading.Lock()

    def renderings(self, numbers: Tensor, size: int, seed: int) -> Tensor:
        """Densities of the renderings ``numbers`` (n,), as bytes: uint8 (n, size, size)."""
        at_once = max(1, working_memory(numbers.device) // (self.options.points * POINT_BYTES))
        return torch.cat([self._render(part, size, seed) for part in numbers.split(at_once)])

    def _render(self, numbers: Tensor, size: int, seed: int) -> Tensor:
        device, options = numbers.device, self.options
        keys = rng.key("sigma-rendering", seed, numbers, device=device)
        system = rng.integers(rng.fold(keys, RenderingDraw.SYSTEM), 0, options.systems)
        systems, p, _ = sigma_systems(rng.key("sigma-system", seed, system, device=device))
        mask = rng.integers(rng.fold(keys, RenderingDraw.MASK), 0, 2, (3, 3)).bool()
        density = sigma_density(sigma_points(systems, p, keys, options.points), size, mask)
        # a pixel with any point keeps at least 1 of 255: black means "no point"
        return (density * 255).ceil().byte()

    def cached_renderings(self, numbers: Tensor, size: int, seed: int) -> Tensor:
        """:meth:`renderings` of different ``numbers``; those of late are not made again."""
        labels = [(i, size, seed) for i in numbers.tolist()]
        with self._lock:  # chunks may be painted side by side
            densities = {i: self._memo[i] for i in labels if i in self._memo}
        missing = [i for i in labels if i not in densities]
        if missing:
            new = self.renderings(torch.tensor([i[0] for i in missing]), size, seed)
            densities |= dict(zip(missing, new, strict=True))
        with self._lock:
            self._memo |= {i: densities[i] for i in missing}
            while len(self._memo) > 4 * FRACTAL_CACHE:
                self._memo.pop(next(iter(self._memo)))
        return torch.stack([densities[i] for i in labels])

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        return self.paint_on(keys, indices, size, seed, keys.is_cuda)

    def paint_on(self, keys: Tensor, indices: Tensor, size: int, seed: int, on_gpu: bool) -> Tensor:
        """:meth:`paint` in two ways that give the same images.

        A CPU remembers renderings from chunk to chunk, and paints the fractals that there are.
        ``on_gpu``, a chunk's renderings are made all at once, and every image gets as many
        fractals, shown or not: the host waits once, for the number of different renderings.
        """
        numbers, own, count = self.instances(keys, indices)
        numbers, which = numbers.unique(return_inverse=True)
        renderings = self.renderings if on_gpu else self.cached_renderings
        densities = renderings(numbers, size // 2, seed)
        return compose(keys, own, count, densities, which, size, on_gpu)

    def instances(self, keys: Tensor, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which fractals images show.

        Returns numbers of each image's renderings and keys of its fractals, int64 (n, instances),
        and how many of them it shows, int64 (n,); the others repeat its first number.
        """
        slot = torch.arange(self.options.instances, device=keys.device)
        count = rng.integers(rng.fold(keys, Draw.COUNT), 1, len(slot) + 1)
        own = rng.fold(keys[:, None], Draw.FRACTAL, slot)
        drawn = rng.integers(rng.fold(own, FractalDraw.RENDERING), 0, FRACTAL_CACHE)
        numbers = indices[:, None] // IMAGES_PER_FRACTAL + drawn
        return torch.where(slot < count[:, None], numbers, numbers[:, :1]), own, count


def compose(
    keys: Tensor,
    own: Tensor,
    count: Tensor,
    densities: Tensor,
    which: Tensor,
    size: int,
    on_gpu: bool,
) -> Tensor:
    """Pictures of fractals on backgrounds.

    Args:
        keys: int64 (n,), of the backgrounds.
        own: int64 (n, k), of the fractals.
        count: int64 (n,), how many of the k are shown, the first ones.
        densities: uint8 (m, h, h).
        which: int64 (n, k), the fractals' numbers among the densities.
        size: side in pixels.
        on_gpu: see :meth:`SigmaFractals.paint_on`.

    Returns: uint8 (n, 3, size, size).
    """
    picture = background(rng.fold(keys, Draw.BACKGROUND), size)
    for slot in range(own.shape[1]):  # later fractals cover earlier ones
        present = slot < count
        if not on_gpu and not bool(present.any()):
            break
        rows = slice(None) if on_gpu else torch.nonzero(present).flatten()
        placed = _instance(densities[which[rows, slot]], own[rows, slot], size)
        visible = (placed.amax(1, keepdim=True) > 0) & present[rows, None, None, None]
        picture[rows] = torch.where(visible, placed, picture[rows])
    picture = picture.mul_(255).floor_()
    blur = rng.uniform(rng.fold(keys, Draw.BLUR), (2, 1, 1, 1))
    blurred = _blur3(picture, 0.5 + 0.5 * blur[:, 1])
    return torch.where(blur[:, 0] < 0.5, blurred, picture).add_(0.5).clamp_(0, 255).byte()


def _instance(density: Tensor, keys: Tensor, size: int) -> Tensor:
    """Coloured, turned over, resized, placed: float (n, 3, size, size), 0 where no fractal is."""
    colour = colour_fractal(density.float() / 255, rng.fold(keys, FractalDraw.COLOUR))
    flips = rng.integers(rng.fold(keys, FractalDraw.FLIP), 0, 2, (3,)).bool()[..., None, None, None]
    colour = torch.where(flips[:, 0], colour.flip(2), colour)
    colour = torch.where(flips[:, 1], colour.flip(3), colour)
    u = rng.uniform(rng.fold(keys, FractalDraw.PLACE), (3,))
    side = ((0.15 + 0.45 * u[:, 0]) * size).floor().clamp_min(1)
    corner = (u[:, 1:] * size).floor() - (side // 2)[:, None]
    return _place(colour, corner, side, size)


def _place(colour: Tensor, corner: Tensor, side: Tensor, size: int) -> Tensor:
    """Resize images (n, 3, m, m) to ``side`` (n,) and put each in a black frame.

    Bilinearly, the upper left at ``corner`` (n, 2). Returns float (n, 3, size, size).
    """
    source = colour.shape[-1]
    frame = torch.arange(size, device=colour.device) + 0.5

    def weights(start: Tensor) -> Tensor:
        position = ((frame - start[:, None]) / side[:, None] * source - 0.5)[..., None]
        inside = (frame > start[:, None]) & (frame < (start + side)[:, None])
        pixel = torch.arange(source, device=colour.device)
        return (1 - (pixel - position.clamp(0, source - 1)).abs()).clamp_min_(0) * inside[..., None]

    rows, columns = weights(corner[:, 1])[:, None], weights(corner[:, 0])[:, None]
    return rows @ colour @ columns.transpose(-1, -2)


def _blur3(x: Tensor, sigma: Tensor) -> Tensor:
    """3×3 Gaussian blur of (n, 3, h, w), its own ``sigma`` (n, 1, 1, 1) per image.

    Borders mirror without repeating the edge.
    """
    side = torch.exp(-1 / (2 * sigma**2))
    for dim in (2, 3):
        border = (0, 0, 1, 1) if dim == 2 else (1, 1, 0, 0)
        padded = torch.nn.functional.pad(x, border, mode="reflect")
        length = x.shape[dim]
        neighbours = padded.narrow(dim, 0, length) + padded.narrow(dim, 2, length)
        x = (x + side * neighbours) / (1 + 2 * side)
    return x
