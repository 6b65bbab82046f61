"""Pictures mixed pixel by pixel from those of other generators.

Sums and boxes (Baradad et al. 2022), and shapes cut out by colour (Rodríguez-Muñoz et al. 2025).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..core import rng
from ..core.errors import ParameterError
from ..core.options import MOST, whole
from .base import Generator, Options
from .registry import generator, register

RULES = ("convex", "cutmix", "kml", "kml+convex")
ROLES = {"kml": 3, "kml+convex": 6}  # images that make one; of the other rules k, an option
MOST_PARTS = 100  # chosen here
ROUNDS = 3  # of 2-means; chosen here
# Below the next grey level: rounding must not turn 200 into 199 when images are cut to bytes.
HAIR = 1e-3


class Draw(IntEnum):
    """What is drawn for an image."""

    PARTS = 0
    MIXING = 1


@dataclass(frozen=True)
class MixedOptions(Options):
    """Options of mixed images.

    ``parts``: names of generators; one that is named twice gives other images each time.
    ``rule``: see :class:`Mixed`. ``k``: how many of the parts make an image. ``weights``: of the
    convex rule, "dirichlet" (1, …, 1) or "uniform" numbers over their sum.
    """

    parts: list[str]
    rule: str = "convex"
    k: int = 2
    weights: str = "dirichlet"
    allowed: ClassVar = {"rule": RULES, "weights": ("dirichlet", "uniform")}
    at_least: ClassVar = {"k": 1}
    at_most: ClassVar = {"k": MOST_PARTS}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            example = "['dead_leaves-mixed', 'fractals-sigma']"
            raise ParameterError(f"option parts = []: name at least one generator, as in {example}")
        if len(self.parts) > MOST_PARTS:
            many = f"{len(self.parts)} names, must be at most {MOST_PARTS}"
            raise ParameterError(f"option parts: {many}")
        for name in self.parts:
            generator(name)
        if self.k > len(self.parts):
            must = f"must be at most {len(self.parts)}, the number of parts"
            raise ParameterError(
                f"option k = {self.k}: {must}; a generator may be named several times"
            )


@register("mixed")
class Mixed(Generator):
    """Every image is made of images of ``k`` parts, drawn without repetition.

    convex: their weighted sum. cutmix: boxes of the others pasted into the first, each with a share
    of the area that is uniform before it is cut off at the border. kml, k-means leaves: the colours
    of one image, in two clusters, cut a mask, filled from two others. kml+convex: the mean of two
    of those. With k = 1, convex and cutmix are a mixture of whole sets.
    """

    Options = MixedOptions
    stream = "mixed"

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        self.parts = [generator(part) for part in options.parts]
        self.roles = ROLES.get(options.rule, options.k)

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "parts": [part.spec() for part in self.parts]}

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        pictures = self.ingredients(keys, indices, size, seed)
        key = rng.fold(keys, Draw.MIXING)
        if self.options.rule == "convex":
            return convex(pictures, weights(key, self.roles, self.options.weights))
        if self.options.rule == "cutmix":
            return cutmix(pictures, *boxes(key, self.roles))
        cut = torch.stack([leaves(three) for three in pictures.split(3, 1)], 1)
        return convex(cut, torch.full(cut.shape[:2], 1 / cut.shape[1], device=cut.device))

    def ingredients(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """The images that make each image, uint8 (n, roles, 3, s, s).

        Each is an image of its part that no other index or role uses.
        """
        role = torch.arange(self.roles, device=keys.device)
        order = rng.uniform(rng.fold(keys, Draw.PARTS), (len(self.parts),))
        drawn = order.argsort(dim=1, stable=True)[:, role % self.options.k]
        index = part_indices(indices, self.roles)
        out = torch.empty((*drawn.shape, 3, size, size), dtype=torch.uint8, device=keys.device)
        for number, part in enumerate(self.parts):
            own = drawn == number
            if bool(own.any()):
                out[own] = part.sample(index[own], size, seed, str(keys.device))
        return out


def part_indices(indices: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` images that make each image: int64 (n,) → (n, count).

    No index comes twice.

    Raises: ParameterError for an index whose parts would lie beyond 64 bits.
    """
    if len(indices):
        whole("index", int(indices.max()), 0, MOST // count - 1)
    return indices[:, None] * count + torch.arange(count, device=indices.device)


def weights(keys: Tensor, k: int, law: str = "dirichlet") -> Tensor:
    """Weights that sum to one, float (n, k), for keys (n,).

    "dirichlet": Dirichlet(1, …, 1). "uniform": uniform numbers over their sum.
    """
    u = rng.uniform(keys, (k,))
    share = -torch.log1p(-u) if law == "dirichlet" else u
    return share.clamp_min(1e-9) / share.clamp_min(1e-9).sum(1, keepdim=True)


def convex(pictures: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of uint8 (n, k, 3, s, s) by float (n, k): uint8 (n, 3, s, s).

    Cut off to whole levels, as the authors' are.
    """
    total = torch.full_like(pictures[:, 0], HAIR, dtype=torch.float32)
    for picture, weight in zip(pictures.unbind(1), weights.unbind(1), strict=True):
        total.addcmul_(picture.float(), weight[:, None, None, None])
    return total.clamp_max_(255).to(torch.uint8)


def boxes(keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Centres (n, k, 2) and half sides (n, k) of boxes in an image of side 1.

    Areas are Beta(1, 1) before they are cut off at the border.
    """
    u = rng.uniform(keys, (k, 3))
    return u[..., :2], u[..., 2].sqrt() / 2


def cutmix(pictures: Tensor, centres: Tensor, halves: Tensor) -> Tensor:
    """The first of uint8 (n, k, 3, s, s) with a box of each other pasted in turn.

    Boxes as of :func:`boxes`. Returns uint8 (n, 3, s, s).
    """
    place = (torch.arange(pictures.shape[-1], device=pictures.device) + 0.5) / pictures.shape[-1]
    within = (place - centres[..., None]).abs() < halves[..., None, None]  # n, k, axis, s
    out = pictures[:, 0].clone()
    for number in range(1, pictures.shape[1]):
        box = within[:, number, 0, :, None] & within[:, number, 1, None, :]
        out = torch.where(box[:, None], pictures[:, number], out)
    return out


def leaves(pictures: Tensor) -> Tensor:
    """K-means leaves of uint8 (n, 3, 3, s, s), a mask's image and two that fill it.

    Returns uint8 (n, 3, s, s).
    """
    mask = two_colours(pictures[:, 0]).float()[:, None]
    # the authors blur the mask before and after it is brought to the image's size
    for _ in range(2):
        mask = avg_pool2d(mask, 3, 1, 1, count_include_pad=False)
    second = pictures[:, 2].float()
    cut = torch.addcmul(second, mask, pictures[:, 1].float() - second)
    return cut.add_(HAIR).clamp_(0, 255).to(torch.uint8)


def two_colours(pictures: Tensor) -> Tensor:
    """Which pixels of uint8 (n, 3, s, s) are of the first of two clusters of colours.

    2-means from the lexicographically smallest and largest colour, a fixed number of rounds. One
    colour is one cluster, the first. Returns bool (n, s, s).
    """
    x = pictures.flatten(2).float()
    shift = torch.tensor([16, 8, 0], device=pictures.device, dtype=torch.int32)
    code = (pictures.int() << shift[:, None, None]).sum(1).flatten(1)
    ends = torch.stack([code.argmin(1), code.argmax(1)], 1)
    first, second = x.gather(2, ends[:, None].expand(-1, 3, -1)).unbind(2)
    pixels, everything = x.shape[2], x.sum(2)
    # sums of bytes are exact in float32 up to an image of 256 px, so that means do not depend on
    # the batch
    for _ in range(ROUNDS):
        farther = _nearer_second(x, first, second).float()
        count, other = farther.sum(1, keepdim=True), (x @ farther[:, :, None])[..., 0]
        rest = (everything - other) / (pixels - count).clamp_min(1)
        first = torch.where(count < pixels, rest, first)
        second = torch.where(count > 0, other / count.clamp_min(1), second)
    return ~_nearer_second(x, first, second).unflatten(1, pictures.shape[-2:])


def _nearer_second(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Which of float (n, 3, p) are nearer to the second of two colours (n, 3): bool (n, p)."""
    way = (second - first)[..., None]
    middle = (second.square() - first.square()).sum(1, keepdim=True) / 2
    return (x[:, 0] * way[:, 0]).addcmul_(x[:, 1], way[:, 1]).addcmul_(x[:, 2], way[:, 2]) > middle
