"""VisualAtom (Takashima et al. 2023) and RCDB (Kataoka et al. 2022): rings that grow outward.

A ring of vertices is drawn as a closed line, moves outward with some noise, is drawn again, and so
on; a later line covers earlier ones. Laws and constants: the authors' code, which draws lines of
one pixel on 512 × 512; ours draws them on the image's own pixels, 128 × 128 at least.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import rng
from .base import Generator, Options
from .registry import register

# Of the authors' code, lengths in pixels:
CANVAS = 512  # along a side
CONTOURS = (1, 200)  # of an image
NOISE_MOST = 4.0  # pixels that a contour moves outward by its noise
WIDTH_MOST = 0.1  # pixels that it moves besides
OVAL_MOST = 2.0  # factor on the radius along an axis, from 1
ATOM_VERTICES = (200, 1000)
ATOM_RADIUS = (10, 60)
WAVE_MOST = 20  # periods around a ring
RCDB_VERTICES = (3, 200)
RCDB_MEAN = 100.0  # vertices, of the exponential law
RCDB_RADIUS = (0, 100)
RCDB_CENTRE = 400  # how far a centre lies from the middle, doubled
GRADIENTS = (-1,) * 8 + (1, 2, 3, 4, 5, 6, 7, 8)  # of the noise, equally often
NOISE_SCALE = 0.4  # of the noise
# Chosen here:
PHASES = 256  # places between two lattice points of the noise
AT_ONCE = 8  # contours that are moved together
BORDER = 2  # pixels around an image that take what is outside


class Draw(IntEnum):
    """What is drawn for a category or an image."""

    WAVES = 0
    CONTOURS = 1
    VERTICES = 2
    NOISE = 3
    WIDTH = 4
    RADIUS = 5
    OVALS = 6
    CENTRE = 7
    GREY = 8
    STEPS = 9  # and a vertex's number, and a block of contours


@dataclass(frozen=True)
class Rings:
    """Parameters of images, (n,) or (n, 2) each, lengths in pixels of 512.

    ``vertices`` and ``contours`` are int64, all else is float: the ``noise`` κ, the ``width`` ω,
    the ``radius`` ρ, ``ovals`` and ``centre`` along x and y, and the two ``waves``; ``gain``
    multiplies the noise.
    """

    vertices: Tensor
    contours: Tensor
    noise: Tensor
    width: Tensor
    radius: Tensor
    ovals: Tensor
    centre: Tensor
    waves: Tensor
    gain: float


@cache
def noise_table() -> Tensor:
    """1-D gradient noise by 16 random bits, float (65,536,): 8 of the place between two lattice
    points, 4 of the gradient at each.

    Mean 0, as the authors' noise at a random place.
    """
    place = (torch.arange(PHASES, dtype=torch.float64) + 0.5) / PHASES
    gradient = torch.tensor(GRADIENTS, dtype=torch.float64)
    fade = place**3 * (place * (place * 6 - 15) + 10)
    left = (place * (1 - fade))[:, None, None] * gradient[:, None]
    right = ((place - 1) * fade)[:, None, None] * gradient
    return (NOISE_SCALE * (left + right)).float().flatten()


@dataclass(frozen=True)
class Columns:
    """Vertices of all rings of some images side by side, the images of most contours first.

    A ring has its first vertex once more at its end. ``place`` and ``turn`` are (2, columns), in
    pixels of the image and in pixels for each pixel of 512; ``outward`` and ``jitter`` (columns,)
    are what a contour adds to the radius and what multiplies the noise, in pixels of 512.
    """

    keys: Tensor  # int64 (columns,)
    image: Tensor  # int64 (columns,), its first pixel
    place: Tensor
    turn: Tensor
    outward: Tensor
    jitter: Tensor
    last: Tensor  # int64 (n,), the last column of each ring
    contours: list[int]  # of each ring
    ends: list[int]  # the column after each ring

    def living(self, done: int) -> list[int]:
        """How many columns have a contour number ``done`` + 1, … of a block: always the first."""
        growing = [sum(c > done + s for c in self.contours) for s in range(AT_ONCE)]
        return [self.ends[k - 1] if k else 0 for k in growing]


def columns(rings: Rings, keys: Tensor, size: int) -> Columns:
    """The columns of images by their rings and keys; images have a border."""
    order = rings.contours.argsort(descending=True, stable=True)
    length = rings.vertices[order] + 1
    ends = length.cumsum(0)
    owner = torch.repeat_interleave(order, length)
    first = torch.repeat_interleave(ends - length, length)
    vertices = rings.vertices[owner]
    number = (torch.arange(len(owner), device=keys.device) - first).remainder(vertices)
    angle = 2 * math.pi * number / vertices
    turn = torch.stack((angle.cos(), angle.sin()))
    wave = (angle[:, None] * rings.waves[owner]).sin().sum(1) / 2
    start = rings.centre[owner].T + turn * (rings.radius[owner] * rings.ovals[owner].T)
    return Columns(
        keys=rng.fold(keys[owner], Draw.STEPS, number),
        image=owner * (size + 2 * BORDER) ** 2,
        place=start * (size / CANVAS) + BORDER,
        turn=turn * (size / CANVAS),
        outward=rings.width[owner] + rings.noise[owner] + wave,
        jitter=rings.gain * rings.noise[owner],
        last=ends - 1,
        contours=rings.contours[order].tolist(),
        ends=ends.tolist(),
    )


def contour_numbers(rings: Rings, keys: Tensor, size: int) -> Tensor:
    """The contour that shows at each pixel, from 1; 0 where none does: uint8 (n, size, size).

    Contour j of vertex v, at the angle θ = 2πv/V, lies at x = centre + cos θ·(ρ·oval + j·(ω + κ +
    ½ sin n₁θ + ½ sin n₂θ) − gain·κ·Σ noise), y with sin θ in the place of cos θ and noise of its
    own. Lines from vertex to vertex have a pixel for each step along their longer side.

    Args:
        rings: of n images.
        keys: int64 (n,), of the noise.
        size: side in pixels.
    """
    every, side = columns(rings, keys, size), size + 2 * BORDER
    shown = torch.zeros(len(keys) * side * side, dtype=torch.uint8, device=keys.device)
    drawn = torch.zeros_like(every.turn)  # sum of the noise so far, along x and y
    for done in range(0, max(every.contours), AT_ONCE):
        living = every.living(done)
        x, y, drawn = moved(every, done, living[0], drawn)
        held = x.clamp(0, side - 1), y.clamp(0, side - 1)
        starts = pixels(*held, every.image[: living[0]], side)
        between, counts = line_pixels((x, y), held, every, living, side)
        for s, more in enumerate(between.split(counts)):
            shown.index_fill_(0, starts[s, : living[s]], done + s + 1)
            shown.index_fill_(0, more, done + s + 1)
    return shown.view(-1, side, side)[:, BORDER:-BORDER, BORDER:-BORDER]


def moved(every: Columns, done: int, live: int, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the first ``live`` columns are at the contours of a block, and the sum of their noise.

    Returns x, y, float (contours, live), in pixels of the image with its border; the sum after the
    block, float (2, live).
    """
    words = rng.bits(rng.fold(every.keys[:live], done), (AT_ONCE // 2,)).view(torch.int16)
    bits = words.T.contiguous().flatten().int().add_(1 << 15)
    total = noise_table().to(bits.device).index_select(0, bits).view(AT_ONCE, 2, live)
    total[0] += drawn[:, :live]
    for s in range(1, AT_ONCE):
        total[s] += total[s - 1]
    step = torch.arange(done + 1, done + 1 + AT_ONCE, device=bits.device)[:, None]
    radius, jitter = step * every.outward[:live], every.jitter[:live]
    x, y = (
        torch.addcmul(
            every.place[a, :live],
            every.turn[a, :live],
            torch.addcmul(radius, jitter, total[:, a], value=-1),
        )
        for a in (0, 1)
    )
    return x, y, total[-1]


def pixels(column: Tensor, row: Tensor, image: Tensor, side: int) -> Tensor:
    """Numbers of pixels of images of a ``side`` with its border.

    column, row: float, 0 … side − 1. image: int64, the number of its first pixel. Returns int64.
    """
    return row.long().mul_(side).add_(column.long()).add_(image)


def line_pixels(
    xy: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    every: Columns,
    living: list[int],
    side: int,
) -> tuple[Tensor, list[int]]:
    """Pixels of the lines of a block between their ends, int64, contour by contour; and how many
    are of each contour.

    xy: float (contours, columns) each, as of :func:`moved`. held: the same, held in the image and
    its border: what is longer than a pixel there is all that can show a pixel of its own.
    """
    near = torch.maximum(_ahead(held[0]).abs_(), _ahead(held[1]).abs_())
    near[:, every.last[every.last < near.shape[1]]] = 0
    for s, live in enumerate(living):
        near[s, live:] = 0
    contour, column = (near > 1).nonzero(as_tuple=True)
    at = contour * near.shape[1] + column
    x, y, to_x, to_y = (a.flatten().index_select(0, at + k) for k in (0, 1) for a in xy)
    dx, dy = to_x - x, to_y - y
    steps = torch.maximum(dx.abs(), dy.abs()).ceil_()
    # a line wholly on one side of the image does not show
    shows = _crosses(x, to_x, side) & _crosses(y, to_y, side)
    more = torch.where(shows, steps - 1, 0).long()
    numbers = torch.stack((more.cumsum(0) - more, every.image.index_select(0, column)), 1)
    which = torch.repeat_interleave(more)
    lines = torch.stack((x, y, dx, dy, steps), 1).index_select(0, which)
    x, y, dx, dy, steps = lines.unbind(1)
    before, image = numbers.index_select(0, which).unbind(1)
    share = (torch.arange(1, len(which) + 1, device=x.device) - before) / steps
    x, y = torch.addcmul(x, share, dx), torch.addcmul(y, share, dy)
    number = pixels(x.clamp_(0, side - 1), y.clamp_(0, side - 1), image, side)
    counts = torch.zeros(len(living), dtype=torch.int64, device=x.device)
    return number, counts.index_add_(0, contour, more).tolist()


def _ahead(x: Tensor) -> Tensor:
    """From each column (contours, columns) to the next; at the last, anything."""
    way = torch.zeros_like(x)
    flat = x.flatten()
    torch.sub(flat[1:], flat[:-1], out=way.view(-1)[:-1])
    return way


def _crosses(a: Tensor, b: Tensor, side: int) -> Tensor:
    """Whether lines from a to b come into the image along this axis."""
    return (torch.maximum(a, b) >= BORDER) & (torch.minimum(a, b) < side - BORDER)


class Contours(Generator):
    """Rings whose parameters a category fixes, the first ``labelled`` of them; others are drawn for
    each image. Image i is of category i mod ``categories``."""

    work_bytes = 1 << 20
    parameters: ClassVar[tuple[Draw, ...]]  # in the order in which categories fix them
    background: ClassVar[int]
    greys: ClassVar[int]  # levels of a line

    def labels(self, indices: Any) -> Tensor:
        """Categories of images by index, int64 (n,)."""
        return torch.as_tensor(indices, dtype=torch.int64) % self.options.categories

    def sources(self, keys: Tensor, indices: Tensor) -> dict[Draw, Tensor]:
        """The key of each parameter: the category's or the image's own, int64 (n,)."""
        options = self.options
        category = self.labels(indices)
        shared = rng.key(
            f"{self.stream}-category", options.category_seed, category, device=keys.device
        )
        fixed = self.parameters[: options.labelled]
        return {d: rng.fold(shared if d in fixed else keys, d) for d in self.parameters}

    def rings(self, keys: Tensor, indices: Tensor) -> Rings:
        """Parameters of images by key and index."""
        raise NotImplementedError

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        number = contour_numbers(self.rings(keys, indices), keys, size).flatten(1).long()
        grey = rng.integers(rng.fold(keys, Draw.GREY), 0, self.greys, (CONTOURS[1],))
        grey = torch.cat((torch.full_like(grey[:, :1], self.background), grey.clamp_max(255)), 1)
        image = grey.byte().gather(1, number).view(-1, 1, size, size)
        return image.expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class AtomOptions(Options):
    """Options of VisualAtom.

    ``categories`` of the law ``category_seed``; ``labelled``: how many of the parameters a category
    fixes, in the order waves, contours, vertices, noise, width, radius, ovals. The others are drawn
    for each image.
    """

    categories: int = 1000
    category_seed: int = 0
    labelled: int = 7
    at_least: ClassVar = {"categories": 1, "category_seed": 0, "labelled": 0}
    at_most: ClassVar = {"categories": 1_000_000, "labelled": 7}


@register("formula-visualatom")
class VisualAtom(Contours):
    """VisualAtom: rings in two waves, grey on black, the centre anywhere on the canvas."""

    Options = AtomOptions
    stream = "visualatom"
    parameters = (
        *(Draw.WAVES, Draw.CONTOURS, Draw.VERTICES, Draw.NOISE),
        *(Draw.WIDTH, Draw.RADIUS, Draw.OVALS),
    )
    background = 0
    greys = 256

    def rings(self, keys: Tensor, indices: Tensor) -> Rings:
        """Parameters of images by key and index."""
        source, own = self.sources(keys, indices), rng.fold(keys, Draw.CENTRE)
        return Rings(
            vertices=_whole(source[Draw.VERTICES], ATOM_VERTICES),
            contours=_whole(source[Draw.CONTOURS], CONTOURS),
            noise=rng.uniform(source[Draw.NOISE], (), 0, NOISE_MOST),
            width=rng.uniform(source[Draw.WIDTH], (), 0, WIDTH_MOST),
            radius=_whole(source[Draw.RADIUS], ATOM_RADIUS).float(),
            ovals=rng.uniform(source[Draw.OVALS], (2,), 1, OVAL_MOST),
            centre=(CANVAS + rng.integers(own, -CANVAS, CANVAS + 1, (2,))) / 2,
            waves=two_waves(source[Draw.WAVES]).float(),
            gain=1.0,
        )


@dataclass(frozen=True)
class RCDBOptions(Options):
    """Options of RCDB.

    ``categories`` of the law ``category_seed``; ``labelled``: how many of the parameters a category
    fixes, in the order vertices, contours, noise, width. The others are drawn for each image, as
    radius, ovals and centre are in any case.
    """

    categories: int = 1000
    category_seed: int = 0
    labelled: int = 4
    at_least: ClassVar = {"categories": 1, "category_seed": 0, "labelled": 0}
    at_most: ClassVar = {"categories": 1_000_000, "labelled": 4}


@register("formula-rcdb")
class RCDB(Contours):
    """RCDB: rings of 3 to 200 corners, grey on white."""

    Options = RCDBOptions
    stream = "rcdb"
    parameters = (Draw.VERTICES, Draw.CONTOURS, Draw.NOISE, Draw.WIDTH)
    background = 255
    greys = 257  # of the authors' code, whose last level is cut to 255

    def rings(self, keys: Tensor, indices: Tensor) -> Rings:
        """Parameters of images by key and index."""
        source, own = self.sources(keys, indices), rng.fold(keys, Draw.CENTRE)
        radius = _whole(rng.fold(keys, Draw.RADIUS), RCDB_RADIUS).float()
        return Rings(
            vertices=few_vertices(source[Draw.VERTICES]),
            contours=_whole(source[Draw.CONTOURS], CONTOURS),
            noise=rng.uniform(source[Draw.NOISE], (), 0, NOISE_MOST),
            width=rng.uniform(source[Draw.WIDTH], (), 0, WIDTH_MOST),
            radius=radius,
            ovals=rng.uniform(rng.fold(keys, Draw.OVALS), (2,), 1, OVAL_MOST),
            centre=(CANVAS + rng.integers(own, -RCDB_CENTRE, RCDB_CENTRE + 1, (2,))) / 2,
            waves=torch.zeros(len(keys), 2, device=keys.device),
            gain=2.0,
        )


def _whole(keys: Tensor, bounds: tuple[int, int]) -> Tensor:
    """Uniform whole numbers between two bounds, both possible: int64 (n,)."""
    return rng.integers(keys, bounds[0], bounds[1] + 1)


def two_waves(keys: Tensor) -> Tensor:
    """Periods of two waves around a ring, 0 … 20, int64 (n, 2).

    They differ; but where the first is 0, the second may be 0, too, as in the authors' code.
    """
    first, other = rng.integers(keys, 0, WAVE_MOST + 1, (2,)).unbind(-1)
    second = rng.integers(rng.fold(keys, 1), 0, WAVE_MOST)
    second = second + (second >= first).long()
    return torch.stack((first, torch.where(first == 0, other, second)), -1)


def few_vertices(keys: Tensor) -> Tensor:
    """Corners of RCDB's rings: the whole part of an exponential number of mean 100, given that it
    is 3 … 200; int64 (n,).
    """
    low, high = (math.exp(-x / RCDB_MEAN) for x in (RCDB_VERTICES[0], RCDB_VERTICES[1] + 1))
    left = high + (low - high) * (1 - rng.uniform(keys).double())
    return (-RCDB_MEAN * left.log()).long().clamp(*RCDB_VERTICES)
