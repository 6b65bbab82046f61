"""VisualAtom (Takashima et al. 2023) and RCDB (Kataoka et al. 2022): rings that grow outward.

A ring of vertices is drawn as a closed line, moves outward with some noise, is drawn again, and so
on; a later line covers earlier ones. Laws and constants: the authors' code, which draws lines of
one pixel on 512 × 512; ours draws them on the image's own pixels, 128 × 128 at least.
"""

import itertools
import math
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..core import rng
from .base import Options
from .categories import Categories
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
SHED_EVERY = 16  # contours, until it is asked again which vertices have left the image for good
WORTH = 0.9  # share of the vertices, of which more are kept as they are
# A vertex moves by v + s·noise. Once it is RETURN·s²/|v| outside, it comes back with a probability
# below 1e-12 (Lundberg's inequality, for the noise below).
RETURN = 1.6


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

    A ring has its first vertex once more at its end. ``place`` and ``turn`` are in pixels of the
    image and in pixels for each pixel of 512; ``outward`` and ``jitter`` are what a contour adds to
    the radius and what multiplies the noise, in pixels of 512; ``drawn`` is the sum of the noise so
    far, ``at`` where the last contour was. Past ``low`` and ``high`` a vertex never comes back.
    """

    keys: Tensor  # int64 (columns,)
    image: Tensor  # int32 (columns,), its first pixel
    place: Tensor  # float (2, columns), along x and y
    turn: Tensor  # likewise
    outward: Tensor  # float (columns,)
    jitter: Tensor  # likewise
    drawn: Tensor  # float (2, columns)
    at: Tensor  # likewise
    low: Tensor  # likewise
    high: Tensor  # likewise
    joined: Tensor  # float (columns,), 1 where a line leads to the next column, else 0
    contours: list[int]  # of each ring
    ends: list[int]  # the column after each ring

    def living(self, done: int) -> int:
        """How many columns have a contour number ``done`` + 1: always the first ones."""
        growing = sum(count > done for count in self.contours)
        return self.ends[growing - 1] if growing else 0


# of each column, whatever follows it
PARTS = ("keys", "image", "place", "turn", "outward", "jitter", "drawn", "at", "low", "high")


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
    place, turn = start * (size / CANVAS) + BORDER, turn * (size / CANVAS)
    outward = rings.width[owner] + rings.noise[owner] + wave
    jitter = rings.gain * rings.noise[owner]
    step = turn * outward
    away = RETURN * (turn * jitter).square() / step.abs()
    joined = torch.ones(len(owner), device=keys.device)
    joined[ends - 1] = 0
    return Columns(
        keys=rng.fold(keys[owner], Draw.STEPS, number),
        image=(owner * (size + 2 * BORDER) ** 2).int(),
        place=place,
        turn=turn,
        outward=outward,
        jitter=jitter,
        drawn=torch.zeros_like(place),
        at=place.clone(),
        low=torch.where(step < 0, BORDER - away, -math.inf),
        high=torch.where(step > 0, size + BORDER + away, math.inf),
        joined=joined,
        contours=rings.contours[order].tolist(),
        ends=ends.tolist(),
    )


def shed(every: Columns, live: int) -> Columns:
    """The first ``live`` columns without those that no line will show again: a line is gone when
    both of its ends are, on the same side."""
    at = every.at[:, :live]
    gone = torch.cat((at < every.low[:, :live], at > every.high[:, :live]))
    line = every.joined[:live] > 0
    line[:-1].logical_and_((gone[:, :-1] & gone[:, 1:]).any(0).logical_not_())
    kept = line.clone()
    kept[1:] |= line[:-1]
    which = true_places(kept)
    if len(which) > WORTH * live:
        return every
    ends = torch.searchsorted(which, torch.tensor(every.ends, device=which.device)).tolist()
    parts = {name: getattr(every, name) for name in PARTS}
    fewer = {name: part.index_select(-1, which) for name, part in parts.items()}
    joined = line.index_select(0, which).float()
    return Columns(**fewer, joined=joined, contours=every.contours, ends=ends)


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
    for done in range(0, max(every.contours), AT_ONCE):
        if done % SHED_EVERY == 0 and (live := every.living(done)):
            every = shed(every, live)
        living = [every.living(done + s) for s in range(AT_ONCE)]
        if not living[0]:
            break
        xy = moved(every, done, living[0])
        starts = pixels(xy, every.image[: living[0]], side)
        between = line_pixels(xy, every, living, side)
        for s in range(AT_ONCE):
            for numbers in (starts[s, : living[s]], *(each[s] for each in between)):
                shown.index_fill_(0, numbers, done + s + 1)
    return shown.view(-1, side, side)[:, BORDER:-BORDER, BORDER:-BORDER]


def moved(every: Columns, done: int, live: int) -> Tensor:
    """Where the first ``live`` columns are at the contours of a block: float (2, contours, live),
    x and y in pixels of the image with its border. What was ``drawn`` and where they are ``at``
    moves on to the last of these.
    """
    # 16 bits for each number: of two contours, along x and y
    words = rng.bits(rng.fold(every.keys[:live], done), (AT_ONCE // 2,)).view(torch.int16)
    bits = torch.empty(2, AT_ONCE, live, dtype=torch.int32, device=words.device)
    bits.copy_(words.view(live, AT_ONCE, 2).permute(2, 1, 0)).add_(1 << 15)
    total = noise_table().to(bits.device).index_select(0, bits.flatten()).view(2, AT_ONCE, live)
    total[:, 0] += every.drawn[:, :live]
    for s in range(1, AT_ONCE):
        total[:, s] += total[:, s - 1]
    every.drawn[:, :live] = total[:, -1]
    number = torch.arange(done + 1, done + 1 + AT_ONCE, device=bits.device)[:, None]
    radius = number * every.outward[:live]
    radius = torch.addcmul(radius, every.jitter[:live], total, value=-1, out=total)
    xy = torch.addcmul(every.place[:, None, :live], every.turn[:, None, :live], radius, out=total)
    every.at[:, :live] = xy[:, -1]
    return xy


def pixels(xy: Tensor, image: Tensor, side: int) -> Tensor:
    """Numbers of pixels of images of a ``side`` with its border, int64 (…).

    xy: float (2, …), from column and row 0; what is outside is taken to the border. image: int32,
    the number of its first pixel.
    """
    column, row = xy.clamp(0, side - 1).int()
    return row.mul_(side).add_(column).add_(image).long()


def true_places(mask: Tensor) -> Tensor:
    """Where a mask (n,) holds, int64, in order."""
    if mask.is_cuda:
        return mask.nonzero().squeeze(1)
    return torch.from_numpy(np.flatnonzero(mask.numpy()))  # several times as fast as nonzero


def line_pixels(
    xy: Tensor, every: Columns, living: list[int], side: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Pixels of the lines of a block between their ends, int64, contour by contour: the first of
    each line, and all others.

    xy: as of :func:`moved`. living: how many columns there are of each contour.
    """
    live, flat = living[0], xy.flatten(1)
    way = flat[:, 1:] - flat[:, :-1]
    length = torch.zeros(AT_ONCE, live, device=xy.device)
    torch.maximum(way[0].abs(), way[1].abs(), out=length.view(-1)[:-1])
    length *= every.joined[:live]
    for s in range(1, AT_ONCE):
        length[s, living[s] :] = 0
    at = true_places((length > 1).flatten())
    cuts = _cuts(at, torch.arange(1, AT_ONCE, device=at.device) * live)
    column = torch.cat([part - s * live for s, part in enumerate(at.split(cuts))])
    image = every.image.index_select(0, column)
    steps = length.flatten().index_select(0, at).ceil_()
    start, whole = flat.index_select(1, at), way.index_select(1, at)
    first = torch.addcmul(start, 1 / steps, whole)

    # most lines have one pixel between their ends, and are done
    longer = true_places(steps > 2)
    more = steps.index_select(0, longer).long().sub_(2)
    which = torch.repeat_interleave(more)
    before = (more.cumsum(0) - more).index_select(0, which)
    number = torch.arange(2, len(which) + 2, device=at.device).sub_(before)
    which = longer.index_select(0, which)
    share = number / steps.index_select(0, which)
    others = torch.addcmul(start.index_select(1, which), share, whole.index_select(1, which))
    of_others = _cuts(which, torch.tensor(cuts, device=at.device).cumsum(0)[:-1])
    return (
        list(pixels(first, image, side).split(cuts)),
        list(pixels(others, image.index_select(0, which), side).split(of_others)),
    )


def _cuts(ascending: Tensor, bounds: Tensor) -> list[int]:
    """How many numbers lie below the first bound, from there below the second, …, and after all."""
    at = [0, *torch.searchsorted(ascending, bounds).tolist(), len(ascending)]
    return [after - before for before, after in itertools.pairwise(at)]


class Contours(Categories):
    """Rings whose parameters a category fixes, the first ``labelled`` of them; others are drawn for
    each image. Image i is of category i mod ``categories``."""

    work_bytes = 1 << 20
    parameters: ClassVar[tuple[Draw, ...]]  # in the order in which categories fix them
    background: ClassVar[int]
    greys: ClassVar[int]  # levels of a line

    def sources(self, keys: Tensor, indices: Tensor) -> dict[Draw, Tensor]:
        """The key of each parameter: the category's or the image's own, int64 (n,)."""
        options = self.options
        category = self.category(indices)
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
