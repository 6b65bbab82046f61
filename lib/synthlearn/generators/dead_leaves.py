"""Dead leaves: opaque shapes of one colour each, painted until no pixel is bare ("Learning to See by Looking at Noise", 2021).

Law and constants: the authors' public code (grid of radii, nearest-value rule, truncated corners, fill that includes its
outline). The painter is ours. A leaf is a set of row spans. For every pixel we need the first leaf that covers it (its
maximum over the picture says where painting stops) and the last leaf up to there (which gives the colour). Both are
range-minimum problems: a span is written as two overlapping spans of a power-of-two length, and the levels are then pushed
down, so that a leaf costs two writes a row, however wide it is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from .base import Generator, Options
from .registry import register

RADIUS_MIN, RADIUS_MAX, GRID, SIGMA = (
    0.03,
    1.0,
    200,
    3.0,
)  # fractions of the image; density ∝ r^-σ − 1 on the grid
MAX_LEAVES = 5000
TRIED = (
    2048,
    3072,
    MAX_LEAVES,
)  # 2,048 leaves are enough for nine pictures in ten; the others are painted again with more
SHAPES = ("circle", "square", "oriented", "rectangle", "triangle", "quadrilateral")
_NEVER = 1 << 20


def radius_grid(exponent: float = SIGMA) -> tuple[Tensor, Tensor]:
    """The 200 radii as fractions of the image, and their exact probabilities under the nearest-value rule: float64 (200,) each."""
    r = torch.linspace(RADIUS_MIN, RADIUS_MAX, GRID, dtype=torch.float64)
    edges = radius_edges(exponent)
    return r, torch.diff(edges, prepend=torch.zeros(1), append=torch.ones(1))


def radius_edges(exponent: float = SIGMA) -> Tensor:
    """u up to the k-th edge takes radius k: half way between neighbouring values of the cumulative sum. ``exponent``: σ of the density, above 0."""
    r = torch.linspace(RADIUS_MIN, RADIUS_MAX, GRID, dtype=torch.float64)
    cumulative = torch.cumsum(r**-exponent - 1, 0)
    cumulative /= cumulative[-1].clone()
    return (cumulative[1:] + cumulative[:-1]) / 2


@dataclass(frozen=True)
class DeadLeavesOptions(Options):
    """``shape``: one of SHAPES for all leaves, or "mixed" (uniform over all six).
    ``law``: what pictures below 128 px are — "scene": those of 128 px, area-averaged; "code": painted at their own size, where
    the authors' truncation to whole pixels makes most leaves single pixels."""

    shape: str = "mixed"
    law: str = "scene"
    allowed: ClassVar = {"shape": (*SHAPES, "mixed"), "law": ("scene", "code")}


@register("dead_leaves-squares", shape="square")
@register("dead_leaves-oriented", shape="oriented")
@register("dead_leaves-mixed", shape="mixed")
class DeadLeaves(Generator):
    """Opaque shapes, radius density ∝ r⁻³ − 1, uniform colours and centres, painted over each other until every pixel is covered."""

    Options = DeadLeavesOptions
    stream = "dead_leaves"
    work_bytes = 1 << 22

    def scene_size(self, size: int) -> int:
        return size if self.options.law == "code" else super().scene_size(size)

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        top, _ = cover(keys, self.options.shape, size)
        return leaf_colours(keys, top)


def leaf_colours(keys: Tensor, top: Tensor) -> Tensor:
    """Colours 0 … 254 of the leaves ``top`` (n, h, w): uint8 (n, 3, h, w); pixels without a leaf (−1) are black."""
    channels = (rng.uniform(rng.fold(keys, 1)[:, None, None] + top, (3,)) * 255).byte()
    return (channels * (top >= 0)[..., None]).permute(0, 3, 1, 2).contiguous()


def cover(
    keys: Tensor, shape: str, size: int, limit: int = MAX_LEAVES, exponent: float = SIGMA
) -> tuple[Tensor, Tensor]:
    """Which leaf shows at each pixel, int32 (n, size, size), and how many leaves were painted, int64 (n,); ``exponent``: of the law of radii."""
    n, todo = len(keys), torch.arange(len(keys), device=keys.device)
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
    """:func:`cover` with at most ``leaves`` leaves: (top, painted, whether all pixels were covered)."""
    image, leaf, row, left, right = leaf_spans(keys, shape, size, leaves, exponent)
    n, levels = len(keys), (size - 1).bit_length() + 1
    level = (
        torch.frexp((right - left + 1).float())[1].to(torch.int64) - 1
    )  # floor(log2(length)), exact
    line = ((level * n + image) * size + row) * size
    targets = torch.cat((line + left, line + right + 1 - (1 << level)))
    leaf = torch.cat((leaf, leaf))

    earliest = torch.full(
        (levels * n * size * size,), _NEVER, dtype=torch.int32, device=keys.device
    )
    earliest.scatter_reduce_(0, targets, leaf, "amin")
    earliest = _push_down(earliest.view(levels, n, size, size), torch.minimum)
    last_needed = earliest.flatten(1).amax(1)
    done = last_needed < leaves
    stop = last_needed.clamp_max(leaves - 1)

    visible = torch.where(leaf <= stop.repeat(1)[torch.cat((image, image))], leaf, -1)
    latest = torch.full((levels * n * size * size,), -1, dtype=torch.int32, device=keys.device)
    latest.scatter_reduce_(0, targets, visible, "amax")
    return (
        _push_down(latest.view(levels, n, size, size), torch.maximum),
        stop.to(torch.int64) + 1,
        done,
    )


def _push_down(table: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """From spans of 2^k pixels by their left end, (levels, n, h, w), to single pixels, (n, h, w); overwrites ``table``."""
    for k in range(table.shape[0] - 1, 0, -1):
        half = 1 << (k - 1)
        lower, upper = table[k - 1], table[k]
        reduce(lower, upper, out=lower)
        reduce(lower[..., half:], upper[..., :-half], out=lower[..., half:])
    return table[0]


def leaf_spans(
    keys: Tensor, shape: str, size: int, leaves: int, exponent: float = SIGMA
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """All row spans of the first ``leaves`` leaves: (image, leaf, row, left, right), int64 but for leaf (int32); ends included, inside the picture."""
    u = rng.uniform(rng.fold(keys, 0), (leaves, 8)).flatten(0, 1)
    radius = radius_grid()[0].to(u.device, torch.float32)[
        torch.bucketize(u[:, 0].contiguous(), radius_edges(exponent).to(u.device, torch.float32))
    ]
    radius = (radius * size).long().clamp_min_(1)
    centre = (u[:, 1:3] * size).long()
    kind = (
        (u[:, 3] * len(SHAPES)).long()
        if shape == "mixed"
        else torch.full_like(radius, SHAPES.index(shape))
    )
    parts = []
    # Leaves of similar height share one dense (leaf, row) block: broadcasting beats gathering each leaf's corners per row.
    low = 0
    for high in (*(2**k for k in range(2, (size - 1).bit_length())), size):
        chosen = torch.nonzero((radius > low) & (radius <= high)).flatten()
        low = high
        if len(chosen):
            parts.append(
                _block_spans(
                    chosen,
                    kind[chosen],
                    radius[chosen],
                    centre[chosen],
                    u[chosen, 4:],
                    size,
                    high,
                    leaves,
                )
            )
    image, leaf, row, left, right = (torch.cat(part) for part in zip(*parts, strict=True))
    return image, leaf.int(), row, left, right


def _block_spans(
    index: Tensor,
    kind: Tensor,
    radius: Tensor,
    centre: Tensor,
    u: Tensor,
    size: int,
    reach: int,
    leaves: int,
) -> tuple[Tensor, ...]:
    """Spans of leaves that reach at most ``reach`` rows from their centre."""
    offset = torch.arange(-reach, reach + 1, device=index.device)
    row = centre[:, 1:2] + offset
    left = torch.full(row.shape, float(size), device=index.device)
    right = torch.full(row.shape, -1.0, device=index.device)
    disc = torch.nonzero(kind == SHAPES.index("circle")).flatten()
    if len(disc):
        half = torch.sqrt(
            (radius[disc, None] ** 2 - offset**2).float()
        ).floor_()  # NaN outside: every comparison below fails
        x = centre[disc, :1].float()
        inside = half >= 0
        left[disc] = torch.where(inside, x - half, left[disc])
        right[disc] = torch.where(inside, x + half, right[disc])
    rest = torch.nonzero(kind != SHAPES.index("circle")).flatten()
    if len(rest):
        whole = len(rest) == len(kind)
        lo, hi = _polygon_rows(
            corners(kind[rest], radius[rest], centre[rest], u[rest]), row if whole else row[rest]
        )
        if whole:
            left, right = lo, hi
        else:
            left[rest], right[rest] = lo, hi
    left, right = left.clamp_min_(0), right.clamp_max_(size - 1)
    keep = (left <= right) & (row >= 0) & (row < size)
    which = torch.nonzero(keep.flatten()).flatten()
    owner = index[which // row.shape[1]]
    return (
        owner // leaves,
        owner % leaves,
        row.flatten()[which],
        left.flatten()[which].long(),
        right.flatten()[which].long(),
    )


def corners(kind: Tensor, radius: Tensor, centre: Tensor, u: Tensor) -> Tensor:
    """Integer corners of polygons (n, 4, 2) as (x, y), float32; a triangle repeats its last corner.

    Squares: half side int(R/√2). Turned squares: those integer corners, rotated, moved, truncated towards zero.
    Rectangles: (±int(R cos a), ±int(R sin a)), a in (0, π/2). Triangles and quadrilaterals: sorted angles on the circle.
    """
    r = radius.float()[:, None]
    out = torch.empty(len(kind), 4, 2, device=kind.device)
    middle = centre.float()[:, None]
    half = (r / math.sqrt(2)).floor()
    sign_x, sign_y = (
        torch.tensor(s, device=kind.device)
        for s in ((-1.0, 1.0, 1.0, -1.0), (-1.0, -1.0, 1.0, 1.0))
    )
    for name, code in ((name, SHAPES.index(name)) for name in SHAPES if name != "circle"):
        chosen = torch.nonzero(kind == code).flatten()
        if not len(chosen):
            continue
        h, radii, v, c = half[chosen], r[chosen], u[chosen], middle[chosen]
        if name == "square":
            xy = torch.stack((sign_x * h, sign_y * h), -1) + c
        elif name == "oriented":
            turn = 2 * math.pi * v[:, :1]
            x, y, cos, sin = sign_x * h, sign_y * h, torch.cos(turn), torch.sin(turn)
            xy = (torch.stack((x * cos - y * sin, x * sin + y * cos), -1) + c).trunc()
        elif name == "rectangle":
            a = math.pi / 2 * v[:, :1]
            xy = (
                torch.stack(
                    (
                        sign_x * (radii * torch.cos(a)).floor(),
                        sign_y * (radii * torch.sin(a)).floor(),
                    ),
                    -1,
                )
                + c
            )
        else:
            angle = (2 * math.pi * v[:, : 3 if name == "triangle" else 4]).sort(-1).values
            if name == "triangle":
                angle = torch.cat((angle, angle[:, -1:]), 1)
            xy = (torch.stack((radii * torch.cos(angle), radii * torch.sin(angle)), -1) + c).trunc()
        out[chosen] = xy
    return out


def _polygon_rows(xy: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """Leftmost and rightmost pixel of convex polygons (n, 4, 2) in rows (n, m), fill and outline: float (n, m), left > right where empty.

    A row's pixels lie inside or on an 8-connected outline, that is within half a pixel of an edge along the edge's minor axis.
    """
    y = row.float()
    left, right = torch.full_like(y, 1e9), torch.full_like(y, -1e9)
    for k in range(4):
        a, b = xy[:, k], xy[:, (k + 1) % 4]
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        delta = b - a
        steep = delta[:, 0].abs() <= delta[:, 1].abs()
        slope = torch.where(
            delta[:, 1] == 0, 0.0, delta[:, 0] / torch.where(delta[:, 1] == 0, 1.0, delta[:, 1])
        )
        reach = torch.where(steep, 0.5, torch.where(delta[:, 1] == 0, 1e9, slope.abs() / 2))
        x = (y - a[:, 1:]).mul_(slope[:, None]).add_(a[:, :1])
        miss = (y < low[:, 1:]).logical_or_(y > high[:, 1:])
        lo = torch.maximum(x - reach[:, None], low[:, :1]).masked_fill_(miss, 1e9)
        hi = torch.minimum(x.add_(reach[:, None]), high[:, :1]).masked_fill_(miss, -1e9)
        torch.minimum(left, lo, out=left)
        torch.maximum(right, hi, out=right)
    # 1e-3: rounding of x must not lose a pixel on the tie
    return left.sub_(1e-3).ceil_(), right.add_(1e-3).floor_()
