"""ExFractalDB (Kataoka et al. 2022): attractors of affine systems in space, seen from all sides.

Law of the systems and constants: the authors' code. Theirs are seen from twelve places on a circle
in perspective; ours from any side without perspective, as grey points.
"""

import itertools
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import ClassVar

import torch
from torch import Tensor
from tqdm import tqdm

from ..core import rng
from .base import Options
from .categories import Categories
from .ifs import BURN_IN, ORBITS
from .registry import register

# Of the authors' code:
MIN_MAPS = 2  # of a system
MAX_MAPS = 7  # of a system
NUMBERS = 12  # of a map: a 3 × 3 matrix by rows, then a translation
SEARCH_POINTS = 10_000  # of an orbit, in a search
SEARCH_VARIANCE = 0.05  # of each coordinate of a category's points in [−1, 1], at least
FACTORS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6)
INSTANCES = 1 + NUMBERS * len(FACTORS)  # of a category: one number of all maps times a factor
# Chosen here:
DIVERGED = 1e6  # a coordinate past it ends the image
GREY = 255  # of a point

SEARCH_BATCH = 64  # trials at once


class SystemDraw(IntEnum):
    """What is drawn for a trial of the search."""

    COUNT = 0
    MAPS = 1


class Draw(IntEnum):
    """What is drawn for an image."""

    FACTOR = 0
    VIEW = 1
    CHOICES = 2


def exfractal_systems(trials: Tensor) -> tuple[Tensor, Tensor]:
    """Systems number ``trials`` (n,) of the search.

    Returns maps, float (n, 7, 12), and probabilities ∝ |determinant|, float (n, 7); absent maps are
    zero.
    """
    keys = rng.key("exfractal-search", trials, device=trials.device)
    count = rng.integers(rng.fold(keys, SystemDraw.COUNT), MIN_MAPS, MAX_MAPS + 1)
    systems = rng.uniform(rng.fold(keys, SystemDraw.MAPS), (MAX_MAPS, NUMBERS), -1, 1)
    present = torch.arange(MAX_MAPS, device=trials.device) < count[:, None]
    weight = _determinant(systems).abs() * present
    return systems * present[..., None], weight / weight.sum(1, keepdim=True)


def _determinant(systems: Tensor) -> Tensor:
    """Of the matrices of maps (…, 12)."""
    a, b, c, d, e, f, g, h, i = systems[..., :9].unbind(-1)
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def walk(systems: Tensor, probabilities: Tensor, choices: Tensor) -> Tensor:
    """Orbits in space from the origin, side by side, without the first 20 steps.

    Args:
        systems: float (n, maps, 12).
        probabilities: float (n, maps).
        choices: uniforms in [0, 1) that pick the maps, (n or 1, steps, orbits).

    Returns: float (n, 3, (steps − 20)·orbits); 0 where a coordinate has passed 1e6, from there on.
    """
    n, maps, _ = systems.shape
    steps, orbits = choices.shape[1:]
    edges = probabilities.cumsum(1)[:, : maps - 1, None]
    tables = systems.reshape(n * maps, NUMBERS)
    first = maps * torch.arange(n, device=systems.device)[:, None]
    x = y = z = torch.zeros(n, orbits, device=systems.device)
    points = torch.zeros((n, 3, steps - BURN_IN, orbits), device=systems.device)
    alive = torch.ones(n, orbits, dtype=torch.bool, device=systems.device)
    for step in range(steps):
        chosen = (choices[:, step, None] > edges).sum(1) + first
        m = tables.index_select(0, chosen.flatten()).view(n, orbits, NUMBERS).unbind(-1)
        x, y, z = (m[3 * r] * x + m[3 * r + 1] * y + m[3 * r + 2] * z + m[9 + r] for r in range(3))
        alive = alive & (torch.maximum(torch.maximum(x.abs(), y.abs()), z.abs()) <= DIVERGED)
        x, y, z = (torch.where(alive, a, 0) for a in (x, y, z))
        if step >= BURN_IN:
            for axis, a in enumerate((x, y, z)):
                points[:, axis, step - BURN_IN] = a
    return points.flatten(2)


def search_variance(trials: Tensor) -> Tensor:
    """Least variance of a coordinate of the points of systems ``trials`` (n,), float (n,), when
    one minimum and one maximum over all coordinates become −1 and 1; 0 for points that leave the
    numbers.
    """
    steps = BURN_IN + -(-SEARCH_POINTS // ORBITS)
    key = rng.key("exfractal-orbit", device=trials.device)
    choices = rng.uniform(key[None], (steps, ORBITS))
    points = walk(*exfractal_systems(trials), choices)
    extent = points.amax((1, 2)) - points.amin((1, 2))
    variance = points.var(2).amin(1) * (2 / extent.clamp_min(1e-12)) ** 2
    return variance.masked_fill((points == 0).all(1).any(1), 0)


def search(count: int) -> list[int]:
    """Trial numbers of the first ``count`` systems whose points fill space well enough: about one
    in a hundred does.

    >>> search(1)
    [270]
    """
    accepted: list[int] = []
    with tqdm(total=count, desc="category search", unit="category", disable=count < 9) as bar:
        for start in itertools.count(0, SEARCH_BATCH):
            trials = torch.arange(start, start + SEARCH_BATCH)
            more = trials[search_variance(trials) > SEARCH_VARIANCE].tolist()
            accepted += more
            bar.update(len(more))
            if len(accepted) >= count:
                break
    return accepted[:count]


@cache
def categories() -> Tensor:
    """Trial numbers of the 1,000 categories, int64 (1000,); :func:`search` has found them."""
    text = (resources.files(__package__) / "exfractal_categories.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return torch.tensor([int(word) for line in lines for word in line.split()])


def rotations(keys: Tensor) -> Tensor:
    """Uniform rotations in space by key (n,), float (n, 3, 3): of a random unit quaternion."""
    w, x, y, z = torch.nn.functional.normalize(rng.normal(keys, (4,)), dim=1).unbind(1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def weight_vectors() -> Tensor:
    """The factors of the 145 instances on the twelve numbers of all maps, float (145, 12)."""
    vectors = torch.ones(INSTANCES, NUMBERS)
    for number in range(NUMBERS):
        for j, factor in enumerate(FACTORS):
            vectors[1 + number * len(FACTORS) + j, number] = factor
    return vectors


def project(points: Tensor, turn: Tensor, size: int) -> Tensor:
    """Images of points seen along the third axis of rotations: bool (n, size, size).

    points: float (n, 3, m); the middle is their mean, and the image shows as far as the farthest
    coordinate lies from it, on all sides. turn: float (n, 3, 3).
    """
    middle = points - points.mean(2, keepdim=True)
    far = middle.square().sum(1).amax(1).sqrt().clamp_min(1e-12)
    seen = (turn[:, :2, :, None] * middle[:, None]).sum(2) / far[:, None, None]
    pixel = ((seen + 1) * (size / 2)).long().clamp_(0, size - 1)
    shown = torch.zeros(len(points), size * size, dtype=torch.bool, device=points.device)
    return shown.scatter_(1, pixel[:, 1] * size + pixel[:, 0], True).view(-1, size, size)


@dataclass(frozen=True)
class ExFractalOptions(Options):
    """``categories``: the first so many of the search; ``points`` of an image."""

    categories: int = 1000
    points: int = 10_000
    at_least: ClassVar = {"categories": 1, "points": 16}
    at_most: ClassVar = {"categories": 1000, "points": 1_000_000}


@register("formula-exfractal")
class ExFractal(Categories):
    """ExFractalDB: image i is of category i mod ``categories``; factor and view are drawn."""

    Options = ExFractalOptions
    stream = "exfractal"
    work_bytes = 3 << 20

    def chunk(self, canvas: int, device: str) -> int:
        """As of any generator; more points than usual take more memory."""
        usual = super().chunk(canvas, device)
        return max(1, min(usual, usual * 10_000 // self.options.points))

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        options, device = self.options, keys.device
        trials = categories().to(device)[self.category(indices)]
        systems, probabilities = exfractal_systems(trials)
        factor = rng.integers(rng.fold(keys, Draw.FACTOR), 0, INSTANCES)
        systems = systems * weight_vectors().to(device)[factor, None]
        orbits = min(ORBITS, max(1, options.points // 16))
        steps = BURN_IN + -(-options.points // orbits)
        choices = rng.uniform(rng.fold(keys, Draw.CHOICES), (steps, orbits))
        points = walk(systems, probabilities, choices)[:, :, : options.points]
        shown = project(points, rotations(rng.fold(keys, Draw.VIEW)), size)
        return (GREY * shown.byte())[:, None].expand(-1, 3, -1, -1)
