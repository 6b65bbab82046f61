"""Transfer tasks: rendered images whose label is a simple structure, and the suite of small tasks
in VTAB's three groups.

Rendered images have 64 pixels and one thing that decides the label; colours and everything else
are drawn independently of it. As in dSprites and CLEVR, the tasks ask for number, place, direction
and size. All random numbers are counted, so image i is a function of i.
"""

from collections.abc import Callable, Collection
from enum import IntEnum
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.errors import ParameterError
from ..data import datasets, image_set
from ..data.image_set import ImageSet

# All chosen here. Side of a rendered image in pixels,
SIDE = 64
# and points per pixel along each axis, of which a pixel is the mean.
OVERSAMPLING = 2
# Training images of a task at most: as many as in VTAB-1k (Zhai et al. 2019).
TRAIN = 1000
# Test images of a task at most.
TEST = 2000
# Shapes are counted on a grid of 4 × 4 cells, so none covers another.
CELLS = 4
# Discs at most in "count", and classes of "position" and "orientation".
CLASSES = 8
# Images that are drawn at once.
PART = 250
# Ratios of radii in "size".
RATIOS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2)
# Tasks by VTAB's groups.
GROUPS: dict[str, tuple[str, ...]] = {
    "natural": ("cifar10-20k", "cifar100-2k", "tiny-imagenet-100", "caltech97-64", "dtd-10"),
    "specialised": ("eurosat-64", "pbc-64", "gtsrb-32", "digits"),
    "structured": ("coil100-azimuth", "count", "position", "orientation", "size"),
}


class Draw(IntEnum):
    """Random draws of an image."""

    SHAPES = 0
    GROUND = 1
    FIGURE = 2


class Count(IntEnum):
    """Random draws of the shapes of "count"."""

    CELLS = 1
    AREA = 2
    SHIFT = 3


def _grid() -> tuple[Tensor, Tensor]:
    """x and y of the points, in pixels, (1, p, p) each."""
    place = (torch.arange(SIDE * OVERSAMPLING) + 0.5) / OVERSAMPLING
    return place[None, None, :], place[None, :, None]


def _disc(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Points inside discs (n, k) at x, y: bool (n, p, p), any of the k. A radius of 0 is no
    disc."""
    px, py = _grid()
    inside = torch.zeros(len(x), SIDE * OVERSAMPLING, SIDE * OVERSAMPLING, dtype=torch.bool)
    x, y, radius = (values[:, :, None, None] for values in (x, y, radius))
    for i in range(x.shape[1]):
        distance = (px - x[:, i]).square() + (py - y[:, i]).square()
        inside |= distance < radius[:, i].square()
    return inside


def count(keys: Tensor, label: Tensor) -> Tensor:
    """Label + 1 discs (1 … 8) in cells of a grid; their common area does not depend on their
    number."""
    order = rng.uniform(rng.fold(keys, Count.CELLS), (CELLS * CELLS,)).argsort(1)
    chosen = order[:, :CLASSES]
    # squared radius of one disc alone; the largest just fits its cell
    area = 36 + 28 * rng.uniform(rng.fold(keys, Count.AREA))
    drawn = torch.arange(CLASSES) <= label[:, None]
    radius = (area[:, None] / (label[:, None] + 1)).sqrt() * drawn
    cell = SIDE / CELLS
    slack = (cell / 2 - radius).clamp_min(0)
    shift = rng.uniform(rng.fold(keys, Count.SHIFT), (CLASSES, 2), -1, 1)
    shift = shift.view(len(keys), CLASSES, 2)
    return _disc(
        (chosen % CELLS + 0.5) * cell + shift[..., 0] * slack,
        (chosen // CELLS + 0.5) * cell + shift[..., 1] * slack,
        radius,
    )


def position(keys: Tensor, label: Tensor) -> Tensor:
    """A disc whose centre lies in one of eight columns."""
    u = rng.uniform(keys, (3,), 0, 1).view(len(keys), 3)
    radius = 4 + 4 * u[:, 0:1]
    x = 8 + (label[:, None] + u[:, 1:2]) * (SIDE - 16) / CLASSES
    return _disc(x, 8 + u[:, 2:3] * (SIDE - 16), radius)


def orientation(keys: Tensor, label: Tensor) -> Tensor:
    """A bar at one of eight directions, 22.5° apart, each blurred by ± 8°."""
    u = rng.uniform(keys, (5,), 0, 1).view(len(keys), 5, 1, 1)
    angle = torch.deg2rad(label.view(-1, 1, 1) * 22.5 + 16 * (u[:, 0] - 0.5))
    px, py = _grid()
    dx, dy = px - (22 + 20 * u[:, 1]), py - (22 + 20 * u[:, 2])
    along = dx * angle.cos() + dy * angle.sin()
    across = dy * angle.cos() - dx * angle.sin()
    return (along.abs() < 10 + 8 * u[:, 3]) & (across.abs() < 1.5 + 2 * u[:, 4])


def size(keys: Tensor, label: Tensor) -> Tensor:
    """Two discs, left and right in either order, whose radii have one of six ratios; their common
    area does not depend on it."""
    u = rng.uniform(keys, (4,), 0, 1).view(len(keys), 4)
    ratio = torch.tensor(RATIOS)[label]
    large = ((130 + 90 * u[:, 0]) / (1 + ratio**-2)).sqrt()
    radius = torch.stack((large, large / ratio), 1)
    radius = torch.where((u[:, 1] < 0.5)[:, None], radius, radius.flip(1))
    x = torch.tensor([[16.0, 48.0]]).expand(len(keys), 2)
    return _disc(x, 18 + (SIDE - 36) * u[:, 2:4], radius)


RENDERED: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "count": (count, CLASSES),
    "position": (position, CLASSES),
    "orientation": (orientation, CLASSES),
    "size": (size, len(RATIOS)),
}


@cache
def rendered(name: str, split: str, n: int) -> ImageSet:
    """A rendered task: uint8 (n, 3, 64, 64) with classes that take turns. Raises ParameterError for
    an unknown one."""
    if name not in RENDERED:
        raise ParameterError(f"task {name!r}: must be one of {', '.join(RENDERED)}")
    draw, classes = RENDERED[name]
    keys = rng.key(f"task-{name}", datasets.SPLITS.index(split), torch.arange(n))
    label = torch.arange(n) % classes
    parts = zip(keys.split(PART), label.split(PART), strict=True)
    inside = torch.cat([draw(rng.fold(k, Draw.SHAPES), c) for k, c in parts])
    share = functional.avg_pool2d(inside.float(), OVERSAMPLING)[:, None]
    ground = rng.uniform(rng.fold(keys, Draw.GROUND), (3,)).view(n, 3)
    # differs from the ground in every channel
    apart = 0.5 * rng.uniform(rng.fold(keys, Draw.FIGURE), (3,)).view(n, 3)
    figure = (ground + 0.25 + apart) % 1
    pixels = ground[:, :, None, None] * (1 - share) + figure[:, :, None, None] * share
    images = pixels.mul(255).round().byte()
    return image_set.from_tensor(name, split, images, label, [str(c) for c in range(classes)])


def load(name: str) -> tuple[ImageSet, ImageSet]:
    """A task's train and test images: of the smallest equal number per class that makes at most
    1,000 and 2,000; all where there are fewer."""
    if name in RENDERED:
        return rendered(name, "train", TRAIN), rendered(name, "test", TEST)
    train, test = datasets.both(name)
    classes = len(train.classes)
    return train.first(max(1, TRAIN // classes)), test.first(max(1, TEST // classes))


def suite(names: Collection[str] = ()) -> dict[str, list[str]]:
    """The tasks that can be had here, by group; if ``names`` are given, those of them.

    >>> suite(["position", "digits"])
    {'specialised': ['digits'], 'structured': ['position']}

    Raises: ParameterError for a name that no task here has.
    """
    here = {*datasets.names(), *RENDERED}
    groups = {group: [name for name in tasks if name in here] for group, tasks in GROUPS.items()}
    every = [name for tasks in groups.values() for name in tasks]
    if unknown := [name for name in names if name not in every]:
        raise ParameterError(f"task {unknown[0]!r}: must be one of {', '.join(every)}")
    if not names:
        return groups
    named = {group: [name for name in tasks if name in names] for group, tasks in groups.items()}
    return {group: tasks for group, tasks in named.items() if tasks}
