"""Dead leaves: opaque shapes of one colour each, painted until no pixel is bare.

"Learning to See by Looking at Noise" (2021). Law and constants: the authors' public code (grid of
radii, nearest-value rule, truncated corners, fill that includes its outline). The painter is ours.
A leaf is a set of row spans. For every pixel we need the first leaf that covers it (its maximum
over the image says where painting stops) and the last leaf up to there (which gives the colour).
Both are range-minimum problems: a span is written as two overlapping spans of a power-of-two
length, and the levels are then pushed down, so that a leaf costs two writes a row, however wide.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from .base import Generator, Options
from .registry import register

RADIUS_MIN = 0.03  # of the image's side; authors' code
RADIUS_MAX = 1.0  # of the image's side; authors' code
GRID = 200  # radii between them; authors' code
SIGMA = 3.0  # density of the radii on the grid ∝ r^-σ - 1; authors' code
MAX_LEAVES = 5000  # of an image; authors' code
# How many are tried: 2,048 leaves are enough for nine images in ten; the others are painted again
# with more. Chosen here.
TRIED = (2048, 3072, MAX_LEAVES)
SHAPES = ("circle", "square", "oriented", "rectangle", "triangle", "quadrilateral")
LEVELS = 255  # of a colour's channel, 0 … 254; authors' code
_NEVER = 1 << 20  # the number of no leaf, above all others
_OUTSIDE = 1e9  # pixels, beyond any image


class Draw(IntEnum):
    """What is drawn for an image."""

    LEAVES = 0
    COLOUR = 1  # and a leaf's number more: of that leaf


def radius_grid(exponent: float = SIGMA) -> tuple[Tensor, Tensor]:
    """The 200 radii, shares of the side, and their probabilities, exact: float64 (200,) each."""
    r = torch.linspace(RADIUS_MIN, RADIUS_MAX, GRID, dtype=torch.float64)
    edges = radius_edges(exponent)
    return r, torch.diff(edges, prepend=torch.zeros(1), append=torch.ones(1))


def radius_edges(exponent: float = SIGMA) -> Tensor:
    """Where the radii change: a uniform number up to the k-th edge takes radius k, float64 (199,).

    Half way between neighbouring values of the cumulative sum. ``exponent``: σ of the density,
    above 0.
    """
    r = torch.linspace(RADIUS_MIN, RADIUS_MAX, GRID, dtype=torch.float64)
    cumulative = torch.cumsum(r**-exponent - 1, 0)
    cumulative /= cumulative[-1].clone()
    return (cumulative[1:] + cumulative[:-1]) / 2


@dataclass(frozen=True)
class DeadLeavesOptions(Options):
    """Options of dead leaves.

    ``shape``: one of SHAPES for all leaves, or "mixed" (uniform over all six). ``law``: what
    images below 128 px are — "scene": those of 128 px, area-averaged; "code": painted at their
    own size, where the authors' truncation to whole pixels makes most leaves single pixels.
    """

    shape: str = "mixed"
    law: str = "scene"
    allowed: ClassVar = {"shape": (*SHAPES, "mixed"), "law": ("scene", "code")}


@register("dead_leaves-squares", shape="square")
@register("dead_leaves-oriented", shape="oriented")
@register("dead_leaves-mixed", shape="mixed")
class DeadLeaves(Generator):
    """Opaque shapes, radius density ∝ r⁻³ − 1, uniform colours, until every pixel is covered."""

    Options = DeadLeavesOptions
    stream = "dead_leaves"
    work_bytes = 4 << 20

    def scene_size(self, size: int) -> int:
        return size if self.options.law == "code" else super().scene_size(size)

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        top, _ = cover(keys, self.options.shape, size)
        return leaf_colours(keys, top)


def leaf_colours(keys: Tensor, top: Tensor) -> Tensor:
    """Colours 0 … 254 of the leaves ``top`` (n, h, w), black of none, −1: uint8 (n, 3, h, w)."""
    colour = rng.uniform(rng.fold(keys, Draw.COLOUR)[:, None, None] + top, (3,))
    channels = (colour * LEVELS).byte()
    return (channels * (top >= 0)[..., None]).permute(0, 3, 1, 2).contiguous()


def cover(
    keys: Tensor, shape: str, size: int, limit: int = MAX_LEAVES, exponent: float = SIGMA
) -> tuple[Tensor, Tensor]:
    """Cover images with leaves.

    Args:
        keys: int64 (n,).
        shape: one of SHAPES, or "mixed".
        size: side in pixels.
        limit: leaves at most.
        exponent: of the law of radii.

    Returns: the leaf that shows at each pixel, −1 where none does, int32 (n, size, size); how many
    leaves were painted, int64 (n,).
    """
    n = len(keys)
    todo = torch.arange(n, device=keys.device)
    top = torch.empty((n, size, size), dtype=torch.int32, device=keys.device)
    painted = torch.empty(n, dtype=torch.int64, device=keys.device)
    for leaves in sorted({min(tried, limit) for tried in TRIED}):
        top[todo], painted[todo], done = _cover(keys[todo], shape, size, leaves, exponent)
        todo = todo[~done]
        if not len(todo):
            break
    return top, painted


def _cover(
    keys: Tensor, shape: str, size: int, leaves: int, exponent: float
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`cover` by ``leaves`` leaves at most, and whether they were enough, bool (n,)."""
    image, leaf, row, left, right = leaf_spans(keys, shape, size, leaves, exponent)
    n, device = len(keys), keys.device
    levels = (size - 1).bit_length() + 1
    table = levels, n, size, size
    level = torch.frexp((right - left + 1).float())[1].to(torch.int64) - 1  # ⌊log₂ length⌋, exact
    line = ((level * n + image) * size + row) * size
    targets = torch.cat((line + left, line + right + 1 - (1 << level)))
    image, leaf = torch.cat((image, image)), torch.cat((leaf, leaf))

    earliest = torch.full((math.prod(table),), _NEVER, dtype=torch.int32, device=device)
    earliest.scatter_reduce_(0, targets, leaf, "amin")
    last_needed = _push_down(earliest.view(table), torch.minimum).flatten(1).amax(1)
    stop = last_needed.clamp_max(leaves - 1)

    visible = torch.where(leaf <= stop[image], leaf, -1)
    latest = torch.full((math.prod(table),), -1, dtype=torch.int32, device=device)
    latest.scatter_reduce_(0, targets, visible, "amax")
    top = _push_down(latest.view(table), torch.maximum)
    return top, stop.to(torch.int64) + 1, last_needed < leaves


def _push_down(table: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """From spans of 2^k pixels by their left end to single pixels; overwrites ``table``.

    (levels, n, h, w) → (n, h, w).
    """
    for k in range(table.shape[0] - 1, 0, -1):
        half = 1 << (k - 1)
        lower, upper = table[k - 1], table[k]
        reduce(lower, upper, out=lower)
        reduce(lower[..., half:], upper[..., :-half], out=lower[..., half:])
    return table[0]


def leaf_spans(
    keys: Tensor, shape: str, size: int, leaves: int, exponent: float = SIGMA
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """All row spans of the first ``leaves`` leaves of images ``keys`` (n,).

    Returns (image, leaf, row, left, right), one number a span, int64 but for leaf (int32); ends
    included, inside the image.
    """
    # of each leaf: radius, centre, shape, corners
    u = rng.uniform(rng.fold(keys, Draw.LEAVES), (leaves, 8)).flatten(0, 1)
    edges = radius_edges(exponent).to(u.device, torch.float32)
    step = torch.bucketize(u[:, 0].contiguous(), edges)
    radius = radius_grid()[0].to(u.device, torch.float32)[step]
    radius = (radius * size).long().clamp_min_(1)
    centre = (u[:, 1:3] * size).long()
    if shape == "mixed":
        kind = (u[:, 3] * len(SHAPES)).long()
    else:
        kind = torch.full_like(radius, SHAPES.index(shape))
    parts = []
    # Leaves of similar height share one dense (leaf, row) block: broadcasting beats gathering each
    # leaf's corners per row.
    low = 0
    for high in (*(2**k for k in range(2, (size - 1).bit_length())), size):
        index = torch.nonzero((radius > low) & (radius <= high)).flatten()
        low = high
        if len(index):
            shapes = kind[index], radius[index], centre[index], u[index, 4:]
            which, row, left, right = _block_spans(*shapes, size, high)
            owner = index[which]
            parts.append((owner // leaves, owner % leaves, row, left, right))
    image, leaf, row, left, right = (torch.cat(part) for part in zip(*parts, strict=True))
    return image, leaf.int(), row, left, right


def _block_spans(
    kind: Tensor, radius: Tensor, centre: Tensor, u: Tensor, size: int, reach: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spans of leaves that reach at most ``reach`` rows from their centre.

    Returns (number among these leaves, row, left, right), int64, one number a span.
    """
    offset = torch.arange(-reach, reach + 1, device=kind.device)
    row = centre[:, 1:2] + offset
    left = torch.full(row.shape, float(size), device=kind.device)
    right = torch.full(row.shape, -1.0, device=kind.device)
    disc = torch.nonzero(kind == SHAPES.index("circle")).flatten()
    if len(disc):
        # NaN outside: every comparison below fails
        half = torch.sqrt((radius[disc, None] ** 2 - offset**2).float()).floor_()
        x = centre[disc, :1].float()
        inside = half >= 0
        left[disc] = torch.where(inside, x - half, left[disc])
        right[disc] = torch.where(inside, x + half, right[disc])
    rest = torch.nonzero(kind != SHAPES.index("circle")).flatten()
    if len(rest) == len(kind):
        left, right = _polygon_rows(corners(kind, radius, centre, u), row)
    elif len(rest):
        xy = corners(kind[rest], radius[rest], centre[rest], u[rest])
        left[rest], right[rest] = _polygon_rows(xy, row[rest])
    left, right = left.clamp_min_(0), right.clamp_max_(size - 1)
    keep = (left <= right) & (row >= 0) & (row < size)
    which = torch.nonzero(keep.flatten()).flatten()
    ends = left.flatten()[which].long(), right.flatten()[which].long()
    return which // row.shape[1], row.flatten()[which], *ends


def corners(kind: Tensor, radius: Tensor, centre: Tensor, u: Tensor) -> Tensor:
    """Integer corners of polygons as (x, y), float32 (n, 4, 2); a triangle repeats its last corner.

    Squares: half side int(R/√2). Turned squares: those integer corners, rotated, moved, truncated
    towards zero. Rectangles: (±int(R cos a), ±int(R sin a)), a in (0, π/2). Triangles and
    quadrilaterals: sorted angles on the circle.

    Args:
        kind: number of the shape in SHAPES, int64 (n,).
        radius: in pixels, int64 (n,).
        centre: (x, y) in pixels, int64 (n, 2).
        u: uniform numbers of a leaf, float (n, 4).
    """
    out = torch.empty(len(kind), 4, 2, device=kind.device)
    radii = radius.float()[:, None]
    middle = centre.float()[:, None]
    for code, name in enumerate(SHAPES):
        which = torch.nonzero(kind == code).flatten()
        if name != "circle" and len(which):
            out[which] = _corners(name, radii[which], middle[which], u[which])
    return out


def _corners(shape: str, radius: Tensor, centre: Tensor, u: Tensor) -> Tensor:
    """:func:`corners` of one shape; radius float (n, 1), centre float (n, 1, 2)."""
    sign_x = torch.tensor((-1.0, 1.0, 1.0, -1.0), device=radius.device)
    sign_y = torch.tensor((-1.0, -1.0, 1.0, 1.0), device=radius.device)
    if shape in ("square", "oriented"):
        half = (radius / math.sqrt(2)).floor()
        x, y = sign_x * half, sign_y * half
        if shape == "square":
            return torch.stack((x, y), -1) + centre
        turn = 2 * math.pi * u[:, :1]
        cos, sin = torch.cos(turn), torch.sin(turn)
        return (torch.stack((x * cos - y * sin, x * sin + y * cos), -1) + centre).trunc()
    if shape == "rectangle":
        a = math.pi / 2 * u[:, :1]
        x = sign_x * (radius * torch.cos(a)).floor()
        y = sign_y * (radius * torch.sin(a)).floor()
        return torch.stack((x, y), -1) + centre
    angle = (2 * math.pi * u[:, : 3 if shape == "triangle" else 4]).sort(-1).values
    if shape == "triangle":
        angle = torch.cat((angle, angle[:, -1:]), 1)
    xy = torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), -1)
    return (xy + centre).trunc()


def _polygon_rows(xy: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """Leftmost and rightmost pixel of convex polygons (n, 4, 2) in rows (n, m), fill and outline.

    A row's pixels lie inside or on an 8-connected outline, that is within half a pixel of an edge
    along the edge's minor axis. Returns float (n, m) each, left > right where empty.
    """
    y = row.float()
    left, right = torch.full_like(y, _OUTSIDE), torch.full_like(y, -_OUTSIDE)
    for k in range(4):
        a, b = xy[:, k], xy[:, (k + 1) % 4]
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        delta = b - a
        steep = delta[:, 0].abs() <= delta[:, 1].abs()
        flat = delta[:, 1] == 0
        slope = torch.where(flat, 0.0, delta[:, 0] / torch.where(flat, 1.0, delta[:, 1]))
        reach = torch.where(steep, 0.5, torch.where(flat, _OUTSIDE, slope.abs() / 2))
        x = (y - a[:, 1:]).mul_(slope[:, None]).add_(a[:, :1])
        miss = (y < low[:, 1:]).logical_or_(y > high[:, 1:])
        lo = torch.maximum(x - reach[:, None], low[:, :1]).masked_fill_(miss, _OUTSIDE)
        hi = torch.minimum(x.add_(reach[:, None]), high[:, :1]).masked_fill_(miss, -_OUTSIDE)
        torch.minimum(left, lo, out=left)
        torch.maximum(right, hi, out=right)
    # 1e-3: rounding of x must not lose a pixel on the tie
    return left.sub_(1e-3).ceil_(), right.add_(1e-3).floor_()
