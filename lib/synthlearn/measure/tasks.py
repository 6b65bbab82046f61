"""Transfer tasks: rendered pictures whose label is a simple structure, and the suite of small tasks
in VTAB's three groups.

Rendered pictures have 64 pixels and one thing that decides the label; colours and everything else
are drawn independently of it. As in dSprites and CLEVR, the tasks ask for number, place, direction
and size. All random numbers are counted, so picture i is a function of i.
"""

from collections.abc import Callable, Collection
from functools import cache

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from ..data import datasets
from ..data.datasets import ImageSet

SIDE, OVERSAMPLING = 64, 2  # pixels; points per pixel and axis, averaged
TRAIN, TEST = 1000, 2000  # images per task at most
CELLS = 4  # shapes are counted on a grid of 4 × 4 cells, so none covers another
RATIOS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2)  # of radii in "size"
GROUPS: dict[str, tuple[str, ...]] = {
    "natural": ("cifar10-20k", "cifar100-2k", "tiny-imagenet-100", "caltech97-64", "dtd-10"),
    "specialised": ("eurosat-64", "pbc-64", "gtsrb-32", "digits"),
    "structured": ("coil100-azimuth", "count", "position", "orientation", "size"),
}


def _grid() -> tuple[Tensor, Tensor]:
    """x and y of the points, in pixels, (1, p, p) each."""
    place = (torch.arange(SIDE * OVERSAMPLING) + 0.5) / OVERSAMPLING
    return place[None, None, :], place[None, :, None]


def _disc(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Points inside discs (n, k) at x, y: bool (n, p, p), any of the k. A radius of 0 is no
    disc."""
    px, py = _grid()
    inside = torch.zeros(len(x), SIDE * OVERSAMPLING, SIDE * OVERSAMPLING, dtype=torch.bool)
    for i in range(x.shape[1]):
        inside |= (px - x[:, i, None, None]).square() + (
            py - y[:, i, None, None]
        ).square() < radius[:, i, None, None].square()
    return inside


def count(keys: Tensor, label: Tensor) -> Tensor:
    """Label + 1 discs (1 … 8) in cells of a grid; their common area does not depend on their
    number."""
    n, cells = len(keys), CELLS * CELLS
    chosen = rng.uniform(rng.fold(keys, 1), (cells,)).argsort(1)[:, :8]
    area = 36 + 28 * rng.uniform(
        rng.fold(keys, 2)
    )  # squared radius of one disc alone; the largest just fits its cell
    radius = (area[:, None] / (label[:, None] + 1)).sqrt() * (torch.arange(8) <= label[:, None])
    cell = SIDE / CELLS
    slack = (cell / 2 - radius).clamp_min(0)
    shift = rng.uniform(rng.fold(keys, 3), (8, 2), -1, 1).view(n, 8, 2)
    return _disc(
        (chosen % CELLS + 0.5) * cell + shift[..., 0] * slack,
        (chosen // CELLS + 0.5) * cell + shift[..., 1] * slack,
        radius,
    )


def position(keys: Tensor, label: Tensor) -> Tensor:
    """A disc whose centre lies in one of eight columns."""
    u = rng.uniform(keys, (3,), 0, 1).view(len(keys), 3)
    radius = 4 + 4 * u[:, 0:1]
    x = 8 + (label[:, None] + u[:, 1:2]) * (SIDE - 16) / 8
    return _disc(x, 8 + u[:, 2:3] * (SIDE - 16), radius)


def orientation(keys: Tensor, label: Tensor) -> Tensor:
    """A bar at one of eight directions, 22.5° apart, each blurred by ± 8°."""
    u = rng.uniform(keys, (5,), 0, 1).view(len(keys), 5, 1, 1)
    angle = torch.deg2rad(label.view(-1, 1, 1) * 22.5 + 16 * (u[:, 0] - 0.5))
    px, py = _grid()
    dx, dy = px - (22 + 20 * u[:, 1]), py - (22 + 20 * u[:, 2])
    along, across = dx * angle.cos() + dy * angle.sin(), dy * angle.cos() - dx * angle.sin()
    return (along.abs() < 10 + 8 * u[:, 3]) & (across.abs() < 1.5 + 2 * u[:, 4])


def size(keys: Tensor, label: Tensor) -> Tensor:
    """Two discs, left and right in either order, whose radii have one of six ratios; their common
    area does not depend on it."""
    u = rng.uniform(keys, (4,), 0, 1).view(len(keys), 4)
    ratio = torch.tensor(RATIOS)[label]
    large = ((130 + 90 * u[:, 0]) / (1 + ratio**-2)).sqrt()
    radius = torch.stack((large, large / ratio), 1)
    radius = torch.where((u[:, 1] < 0.5)[:, None], radius, radius.flip(1))
    return _disc(
        torch.tensor([[16.0, 48.0]]).expand(len(keys), 2), 18 + (SIDE - 36) * u[:, 2:4], radius
    )


RENDERED: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "count": (count, 8),
    "position": (position, 8),
    "orientation": (orientation, 8),
    "size": (size, 6),
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
    inside = torch.cat(
        [draw(rng.fold(k, 0), c) for k, c in zip(keys.split(250), label.split(250), strict=True)]
    )
    share = torch.nn.functional.avg_pool2d(inside.float(), OVERSAMPLING)[:, None]
    ground = rng.uniform(rng.fold(keys, 1), (3,)).view(n, 3)
    figure = (
        ground + 0.25 + 0.5 * rng.uniform(rng.fold(keys, 2), (3,)).view(n, 3)
    ) % 1  # differs from the ground in every channel
    pixels = ground[:, :, None, None] * (1 - share) + figure[:, :, None, None] * share
    images = pixels.mul(255).round().byte()
    return datasets.from_tensor(name, split, images, label, [str(c) for c in range(classes)])


def load(name: str) -> tuple[ImageSet, ImageSet]:
    """A task's train and test images: of the smallest equal number per class that makes at most
    1,000 and 2,000; all where there are fewer."""
    if name in RENDERED:
        return rendered(name, "train", TRAIN), rendered(name, "test", TEST)
    train, test = datasets.both(name)
    return train.first(max(1, TRAIN // len(train.classes))), test.first(
        max(1, TEST // len(test.classes))
    )


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
