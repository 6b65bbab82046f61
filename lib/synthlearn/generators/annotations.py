"""What a generator knows of its images: which object shows at each pixel, which lie in front, and
where they meet.

A family's painter decides all of it and keeps only colours. Here the same random numbers give the
order of painting at every pixel; numbers of objects and their boundaries follow from that alone.
A family of another package joins in by :func:`painting_order`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from ..core.image import SIZES
from ..core.options import as_indices, check_device, shown, whole
from ..core.source import Source
from .base import Generator
from .collage import Collage
from .collage import Draw as CollageDraw
from .dead_leaves import MAX_LEAVES, DeadLeaves, cover
from .fractaldb import FractalDB
from .mixed import boxes, cutmix
from .registry import generator_class, names
from .sigma_fractals import SigmaFractals, _instance
from .textured_leaves import TexturedLeaves

LABELS = ("instances", "order", "edges")
# generator, keys (n,), indices (n,), painted side, seed → int32 (n, s, s)
Order = Callable[[Any, Tensor, Tensor, int, int], Tensor]
_ORDERS: dict[type[Generator], Order] = {}


def painting_order(family: type[Generator]) -> Callable[[Order], Order]:
    """Decorator: the function gives the order of painting of a family's images.

    It is called as ``function(generator, keys, indices, size, seed)``, as ``paint`` is, and returns
    int32 (n, size, size): at each pixel the object that shows, numbered from 1 in the order of
    painting, so that the larger of two numbers lies in front; 0 where there is none.

    >>> from synthlearn.generators.noise import WhiteNoise
    >>> @painting_order(WhiteNoise)
    ... def nothing(generator, keys, indices, size, seed):
    ...     return torch.zeros((len(keys), size, size), dtype=torch.int32)
    >>> annotate(WhiteNoise("noise-white", None), [0], size=16)["edges"].any()
    tensor(False)
    >>> del _ORDERS[WhiteNoise]
    """

    def add(function: Order) -> Order:
        _ORDERS[family] = function
        return function

    return add


def has_annotations(source: Any) -> bool:
    """Whether :func:`annotate` can say something of a generator's images.

    >>> import synthlearn as sl
    >>> [has_annotations(sl.generator(name)) for name in ("dead_leaves-mixed", "noise-white")]
    [True, False]
    """
    return _family(type(source)) is not None


def _family(kind: type) -> type[Generator] | None:
    """The class that a generator's order of painting is known by, None where it is not known."""
    return next((each for each in kind.__mro__ if each in _ORDERS), None)


def check_annotations(source: Any, labels: Sequence[str] = LABELS) -> None:
    """Raise ParameterError for labels that there are not, or that a generator cannot give.

    >>> import synthlearn as sl
    >>> check_annotations(sl.generator("dead_leaves-mixed"), ["edges"])
    """
    if not isinstance(source, Source):
        raise ParameterError(f"source = {shown(source)}: must be a generator, as sl.generator(…)")
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        must = f"must be a list of them, as {list(LABELS)}"
        raise ParameterError(f"labels = {shown(labels)}: {must}")
    for name in labels:
        if name not in LABELS:
            must = ", ".join(map(repr, LABELS))
            raise ParameterError(f"labels: {shown(name)} is none; must be of {must}")
    if not has_annotations(source):
        able = [name for name in names() if _family(generator_class(name))]
        can = f"choose one of {', '.join(able)}"
        raise ParameterError(f"labels of {source.name!r}: its images have no objects; {can}")
    if isinstance(source, Collage) and source.options.rule == "convex":
        why = "two objects show at every pixel of a convex mix"
        raise ParameterError(f"labels of {source.name!r}: {why}; choose rule none or cutmix")


@torch.no_grad()
def annotate(
    source: Generator,
    indices: Iterable[int] | Tensor,
    size: int = 128,
    seed: int = 0,
    device: str = "cpu",
    labels: Sequence[str] = LABELS,
) -> dict[str, Tensor]:
    """Pictures by index, with what their generator knows of them.

    Args:
        source: a generator of dead leaves, with or without textures, of fractals or collages.
        indices, size, seed, device: as of :meth:`Generator.sample`.
        labels: which of the maps to give.

    Returns a dictionary of tensors on ``device``:

    - ``images``: uint8 (n, 3, size, size), to the bit what ``source.sample`` gives;
    - ``instances``: int32 (n, size, size), the object that shows at each pixel, 1 … k in the order
      of painting, k the number of objects that show anywhere; 0 is background;
    - ``order``: int32 (n, size, size), which of *all* objects it is, hidden ones counted, 0 for
      background: of two objects the one with the larger number lies in front;
    - ``edges``: bool (n, size, size), whether the pixel to the right or the one below shows another
      object.

    Images smaller than their scene are painted at :meth:`Generator.scene_size` and
    area-averaged. Their labels are those of the painted pixel in the middle of each pixel, the
    lower right of four; so instances are numbered as in the large image, and an object that no
    such pixel meets is missing. Edges are taken afterwards. Labels are of objects before a
    fractal's blur.

    Raises: ParameterError for a generator without objects, an unknown label, and as ``sample``.

    >>> import synthlearn as sl
    >>> leaves = sl.generator("dead_leaves-mixed")
    >>> known = annotate(leaves, [7, 3], size=64, labels=("instances", "edges"))
    >>> {name: tuple(x.shape) for name, x in known.items()}
    {'images': (2, 3, 64, 64), 'instances': (2, 64, 64), 'edges': (2, 64, 64)}
    """
    check_annotations(source, labels)
    size, seed = whole("size", size, *SIZES), whole("seed", seed)
    device = check_device(device)
    index = as_indices(indices).to(device)
    maps = {"images": source.sample(index, size, seed, device)}
    canvas = source.scene_size(size)
    chunk = source.chunk(canvas, device)
    parts = [
        _numbers(_order(source, part, canvas, seed, device), size)
        for part in index.split(chunk)
        if len(part)
    ]
    empty = torch.empty((0, size, size), dtype=torch.int32, device=device)
    instances = torch.cat((empty, *(part[0] for part in parts)))
    order = torch.cat((empty, *(part[1] for part in parts)))
    every = {"instances": instances, "order": order, "edges": boundaries(instances)}
    return maps | {name: every[name] for name in LABELS if name in labels}


def _order(source: Generator, index: Tensor, canvas: int, seed: int, device: str) -> Tensor:
    """The order of painting at each painted pixel: int32 (n, canvas, canvas)."""
    family = _family(type(source))
    assert family is not None  # as checked
    return _ORDERS[family](source, source.keys(index, seed, device), index, canvas, seed)


def _numbers(order: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Instances and order of painting at ``size`` from the painted order (n, m, m)."""
    middle = (torch.arange(size, device=order.device) * 2 + 1) * order.shape[-1] // (2 * size)
    small = order[:, middle[:, None], middle]
    return ranks(order).gather(1, small.flatten(1).long()).view(small.shape), small


def ranks(order: Tensor) -> Tensor:
    """The place of each number among those that show: 0 of 0, then 1, 2, … by size.

    Args:
        order: whole numbers from 0, (n, h, w).

    Returns: int32 (n, largest + 1), by number.

    >>> ranks(torch.tensor([[[0, 7], [3, 7]]]))[0, [0, 3, 7]]
    tensor([0, 1, 2], dtype=torch.int32)
    """
    flat = order.flatten(1).long()
    most = int(flat.max()) if flat.numel() else 0
    shows = torch.zeros((len(flat), most + 1), dtype=torch.int32, device=order.device)
    shows.scatter_(1, flat, 1)
    shows[:, 0] = 0
    return shows.cumsum(1, dtype=torch.int32)


def boundaries(instances: Tensor) -> Tensor:
    """Where the pixel to the right or below shows another object: (n, h, w) → bool (n, h, w).

    >>> boundaries(torch.tensor([[[1, 1, 2], [1, 1, 2]]])).int()
    tensor([[[0, 1, 0],
             [0, 1, 0]]], dtype=torch.int32)
    """
    edges = torch.zeros_like(instances, dtype=torch.bool)
    edges[:, :, :-1] |= instances[:, :, :-1] != instances[:, :, 1:]
    edges[:, :-1] |= instances[:, :-1] != instances[:, 1:]
    return edges


@painting_order(DeadLeaves)
@painting_order(TexturedLeaves)
def _of_leaves(source: Any, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
    """Leaf k of an image, numbered from 0, is object k + 1; no pixel stays bare."""
    top, _ = cover(keys, source.options.shape, size)
    return top + 1


@painting_order(Collage)
def _of_collages(source: Any, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
    """As of leaves; of two collages that are mixed by a box, all leaves in it lie in front."""
    options = source.options

    def one(keys: Tensor) -> Tensor:
        return cover(keys, options.shape, size, exponent=options.exponent)[0] + 1

    if options.rule == "none":
        return one(keys)
    behind, front = (one(rng.fold(keys, CollageDraw.PART, k)) for k in (0, 1))
    # the box as the painter cuts it: white pasted into black
    box = torch.zeros((len(keys), 2, 3, size, size), dtype=torch.uint8, device=keys.device)
    box[:, 1] = 1
    inside = cutmix(box, *boxes(rng.fold(keys, CollageDraw.MIXING), 2))[:, 0].bool()
    return torch.where(inside, front + MAX_LEAVES, behind)


@painting_order(SigmaFractals)
def _of_fractals(source: Any, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
    """One to five fractals, later ones in front of earlier ones and of the background."""
    numbers, own, count = source.instances(keys, indices)
    numbers, which = numbers.unique(return_inverse=True)
    renderings = source.renderings if keys.is_cuda else source.cached_renderings
    densities = renderings(numbers, size // 2, seed)
    order = torch.zeros((len(keys), size, size), dtype=torch.int32, device=keys.device)
    for slot in range(own.shape[1]):
        placed = _instance(densities[which[:, slot]], own[:, slot], size)
        visible = (placed.amax(1) > 0) & (slot < count)[:, None, None]
        order = torch.where(visible, slot + 1, order)
    return order


@painting_order(FractalDB)
def _of_fractal(source: Any, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
    """One fractal, wherever it is not black."""
    return (source.paint(keys, indices, size, seed) > 0).any(1).int()
