"""FractalDB (Kataoka et al. 2020): attractors of unconstrained affine systems, in grey patches.

Law and constants: the authors' code. A category is a system whose points fill enough of an image;
a search finds them in order, see :func:`categories`.
"""

import contextlib
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from ..core import files, rng
from ..core.errors import CheckpointError, DataError
from ..core.image import hsv_to_rgb
from .base import Options
from .categories import Categories
from .ifs import BURN_IN, ORBITS, walk
from .registry import register

# Of the authors' code:
MIN_MAPS = 2  # of a system
MAX_MAPS = 7  # of a system
SEARCH_SIZE = 512  # pixels along a side, of a search
SEARCH_POINTS = 100_000  # of an orbit, in a search
SEARCH_FILL = 0.2  # share of the pixels that a category's points fill, at least
PADDING = 6  # pixels around the window that points are stretched to
WEIGHT_STEPS = (-2, -1, 1, 2)  # a parameter times 1 + step·strength
INSTANCES = 25  # of a category: the identity, and each step of each of six parameters
MASKS = 511  # non-empty patterns of 3×3 pixels
GREY = 127  # of a patch
HUES = 128  # steps of the hue, by point number
LEVEL = 0.75  # saturation and value
# Chosen here, for what theirs does with an orbit that leaves the numbers:
DIVERGED = 1e6  # a coordinate past it ends the image
BACK_OFF = 8  # steps dropped before the first that diverges
KEEP_POINTS = 1000  # if fewer remain, the origin alone is drawn
SEARCH_BATCH = 16  # trials at once


class SystemDraw(IntEnum):
    """What is drawn for a trial of the search."""

    COUNT = 0
    MAPS = 1


class Draw(IntEnum):
    """What is drawn for an image."""

    FACTOR = 1
    FLIP = 2
    MASK = 7  # and a point's number, or 0 for the image's one mask


def fractaldb_systems(trials: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Systems number ``trials`` (n,) of a search.

    Returns maps, float (n, 7, 6), and probabilities ∝ |determinant|, float (n, 7); absent maps are
    zero.
    """
    keys = rng.key("fractaldb-search", seed, trials, device=trials.device)
    count = rng.integers(rng.fold(keys, SystemDraw.COUNT), MIN_MAPS, MAX_MAPS + 1)
    systems = rng.uniform(rng.fold(keys, SystemDraw.MAPS), (MAX_MAPS, 6), -1, 1)
    present = torch.arange(MAX_MAPS, device=trials.device) < count[:, None]
    a, b, c, d, _, _ = systems.unbind(-1)
    weight = (a * d - b * c).abs() * present
    return systems * present[..., None], weight / weight.sum(1, keepdim=True)


def fractaldb_points(
    systems: Tensor, probabilities: Tensor, seed: int, points: int
) -> tuple[Tensor, Tensor]:
    """Orbits from the origin with one fixed sequence of choices for all images, in drawing order.

    Returns points, float (n, 2, points), whose first is the origin, and how many of them are drawn,
    int64 (n,): an orbit that passes 1e6 ends the image some steps earlier; if fewer than 1,000
    points remain, the origin alone is drawn.
    """
    orbits = min(ORBITS, max(1, points // 16))
    steps = -(-(points - 1) // orbits)
    key = rng.key("fractaldb-orbit", seed, device=systems.device)
    choices = rng.uniform(key[None], (BURN_IN + steps, orbits))
    xy = walk(systems, probabilities, choices, systems.new_zeros(len(systems), 2))
    # steps before the first that diverges (NaN compares false)
    finite = (xy.abs().amax((1, 3)) <= DIVERGED).cumprod(1).sum(1)
    kept = torch.where(finite == BURN_IN + steps, steps, finite - BURN_IN - BACK_OFF).clamp_min(0)
    drawn = (kept * orbits + 1).clamp_max(points)
    if points >= KEEP_POINTS:
        drawn = torch.where(drawn < KEEP_POINTS, torch.ones_like(drawn), drawn)
    xy = xy[:, :, BURN_IN:].flatten(2)[:, :, : points - 1]
    return torch.cat((torch.zeros_like(xy[..., :1]), xy), -1), drawn


def fractaldb_pixels(points: Tensor, drawn: Tensor, size: int, padding: int = PADDING) -> Tensor:
    """Pixel number (row·size + column) of each point, size² if not drawn: int64 (n, points).

    Each axis is stretched to the window [padding, size − padding] on its own; the image is
    flipped top to bottom.
    """
    valid = torch.arange(points.shape[-1], device=points.device) < drawn[:, None]
    # in place of others the origin, which is in the window anyway
    xy = torch.where(valid[:, None], points, torch.zeros((), device=points.device))
    low, high = xy.amin(-1, keepdim=True), xy.amax(-1, keepdim=True)
    extent = torch.where(high > low, high - low, torch.ones_like(high))
    # in place and in 32 bits: nothing here but memory takes time
    pixel = xy.sub_(low).div_(extent).mul_(size - 2 * padding).add_(padding).int()
    return torch.where(valid, (size - 1 - pixel[:, 1]) * size + pixel[:, 0], size * size).long()


def last_point(pixels: Tensor, size: int) -> Tensor:
    """Number of the last point drawn at each pixel, −1 where none is: int32 (n, size, size)."""
    n, count = pixels.shape
    number = torch.arange(count, dtype=torch.int32, device=pixels.device).expand(n, count)
    last = torch.full((n, size * size + 1), -1, dtype=torch.int32, device=pixels.device)
    return last.scatter_reduce_(1, pixels, number, "amax")[:, :-1].view(n, size, size)


def paste_patches(last: Tensor, keys: Tensor, per_point: bool = True) -> Tensor:
    """Number of the point whose patch shows at each pixel, −1 where black: int32 (n, size, size).

    Every point pastes a 3×3 block two pixels right of and below the point's pixel minus one, zeros
    included; its mask is one of the 511 non-empty patterns, drawn anew for each point (the authors'
    code) or once per image. The last paste wins.
    """
    size = last.shape[-1]
    # A candidate is 16 · number + cell, −16 at least where there is none: the largest of the nine
    # is the last paste and its cell, and rows and columns can take their turns. Rows count upwards
    # in the authors' array, which is flipped afterwards: the block lies above and right of the
    # point.
    x = functional.pad(16 * last, (3, 0, 0, 3), value=-16)
    below = [x[:, dy : dy + size] for dy in (1, 2, 3)]
    x = torch.maximum(torch.maximum(below[0], below[1] + 3), below[2] + 6)
    left = [x[..., 3 - dx : 3 - dx + size] for dx in (1, 2, 3)]
    x = torch.maximum(torch.maximum(left[0], left[1] + 1), left[2] + 2)
    winner, cell = x >> 4, x & 15
    owner = winner if per_point else torch.zeros_like(winner)
    mask = 1 + rng.integers(rng.fold(keys[:, None, None], Draw.MASK, owner), 0, MASKS)
    return torch.where((mask >> cell & 1).bool(), winner, -1)


def point_colours(number: Tensor) -> Tensor:
    """Colours of points by their number (n, h, w), black for −1: uint8 (n, 3, h, w).

    Hue in 128 steps, saturation and value 0.75; hue is mirrored, as the authors write BGR into RGB.
    """
    hue = (number.remainder(HUES)).float() / HUES
    level = torch.full_like(hue, LEVEL)
    rgb = (hsv_to_rgb(2 / 3 - hue, level, level) * 255).byte()
    return rgb * (number >= 0).unsqueeze(1)


def weight_vectors(strength: float) -> Tensor:
    """The factors on (a … f) of FractalDB's instances, float (25, 6).

    The identity, then per parameter 1 − 2w, 1 − w, 1 + w, 1 + 2w of the strength w.
    """
    vectors = torch.ones(INSTANCES, 6)
    for parameter in range(6):
        for j, step in enumerate(WEIGHT_STEPS):
            vectors[1 + 4 * parameter + j, parameter] = 1 + step * strength
    return vectors


def search(
    count: int, seed: int, limit: int | None = None, device: str = "cpu", progress: bool = True
) -> list[int]:
    """Trial numbers of the first systems whose points fill ≥ 0.2 of 512² pixels.

    Args:
        count: how many to find.
        seed: of the search.
        limit: trials at most; fewer than ``count`` may be among them.
        device: "cpu", "cuda" or "cuda:N".
        progress: whether to show a bar.
    """
    accepted: list[int] = []
    trial = 0
    with tqdm(total=count, desc="category search", unit="category", disable=not progress) as bar:
        while len(accepted) < count and (limit is None or trial < limit):
            end = trial + SEARCH_BATCH if limit is None else min(trial + SEARCH_BATCH, limit)
            trials = torch.arange(trial, end, device=device)
            trial = end
            full = trials[search_fill(trials, seed) >= SEARCH_FILL].tolist()
            full = full[: count - len(accepted)]
            accepted += full
            bar.update(len(full))
    return accepted


def search_fill(trials: Tensor, seed: int) -> Tensor:
    """Share of the pixels of a search's image that systems ``trials`` (n,) fill, float (n,)."""
    points, drawn = fractaldb_points(*fractaldb_systems(trials, seed), 0, SEARCH_POINTS)
    shape = len(trials), SEARCH_SIZE**2 + 1
    occupied = torch.zeros(shape, dtype=torch.bool, device=trials.device)
    occupied.scatter_(1, fractaldb_pixels(points, drawn, SEARCH_SIZE), True)
    return occupied[:, :-1].sum(1) / SEARCH_SIZE**2


@cache
def categories(count: int, seed: int = 0) -> Tensor:
    """Trial numbers of the categories of a search, int64 (count,).

    Seed 0's first 1,000 come with the library; others are searched once and kept under
    ``runs/fractaldb``.
    """
    if seed == 0:
        text = (resources.files(__package__) / "fractaldb_categories.txt").read_text("utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        known = [int(word) for line in lines for word in line.split()]
        if count <= len(known):
            return torch.tensor(known[:count])
    path = files.runs() / "fractaldb" / f"categories-{count}-seed{seed}.safetensors"
    asked = {"categories": count, "search_seed": seed}
    with contextlib.suppress(CheckpointError):  # missing or damaged: search
        tensors, header = files.load_tensors(path)
        if header == asked:
            return tensors["trials"]
    trials = torch.tensor(search(count, seed))
    with contextlib.suppress(DataError):  # a folder that cannot be written costs another search
        files.save_tensors(path, {"trials": trials}, asked)
    return trials


@dataclass(frozen=True)
class FractalDBOptions(Options):
    """Options of FractalDB.

    ``mode``: points or 3×3 patches; ``color``: grey 127 or a hue by drawing order; ``patch``: a
    mask per point (the authors' code) or per image; ``categories`` of the search ``search_seed``;
    ``weight``: strength w of the 25 instance factors (0.4 in the released recipe); ``points`` per
    image.
    """

    mode: str = "patch"
    color: bool = False
    patch: str = "per-point"
    categories: int = 1000
    search_seed: int = 0
    weight: float = 0.4
    points: int = 100_000
    allowed: ClassVar = {"mode": ("point", "patch"), "patch": ("per-point", "per-image")}
    at_least: ClassVar = {"categories": 1, "points": 16, "search_seed": 0, "weight": 0.0}
    at_most: ClassVar = {"categories": 100_000, "points": 2_000_000, "weight": 10.0}


@register("fractals-fractaldb")
class FractalDB(Categories):
    """FractalDB: image i is of category i mod ``categories``; factor, flips, masks are drawn."""

    Options = FractalDBOptions
    stream = "fractals"
    work_bytes = 8 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        options, device = self.options, keys.device
        trials = categories(options.categories, options.search_seed).to(device)
        systems, probabilities = fractaldb_systems(
            trials[self.category(indices)], options.search_seed
        )
        factor = rng.integers(rng.fold(keys, Draw.FACTOR), 0, INSTANCES)
        systems = systems * weight_vectors(options.weight).to(device)[factor, None]
        number = draw_fractaldb(
            systems,
            probabilities,
            keys,
            seed,
            size,
            options.points,
            options.mode,
            options.patch == "per-point",
        )
        flip = rng.integers(rng.fold(keys, Draw.FLIP), 0, 4)[:, None, None]
        number = torch.where((flip & 1).bool(), number.flip(1), number)
        number = torch.where((flip & 2).bool(), number.flip(2), number)
        if options.color:
            return point_colours(number)
        return (GREY * (number >= 0).byte())[:, None].expand(-1, 3, -1, -1)


def draw_fractaldb(
    systems: Tensor,
    probabilities: Tensor,
    keys: Tensor,
    seed: int,
    size: int,
    points: int = 100_000,
    mode: str = "patch",
    per_point: bool = True,
) -> Tensor:
    """Number of the point shown at each pixel of one image per system, −1 where black.

    systems, probabilities: as of :func:`fractaldb_systems`. seed: of the choices. Returns int32
    (n, size, size).
    """
    pixels = fractaldb_pixels(*fractaldb_points(systems, probabilities, seed, points), size)
    number = last_point(pixels, size)
    return paste_patches(number, keys, per_point) if mode == "patch" else number
