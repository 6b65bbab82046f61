"""Several generators as one: every image is one of theirs."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from ..core.options import between, shown
from .base import Generator, Options
from .registry import generator, register

LIGHTEST = 1e-6  # weight of a part: float32 holds their shares; chosen here
HEAVIEST = 1e6  # weight of a part; chosen here
MOST_PARTS = 100  # chosen here


@dataclass(frozen=True)
class MixtureOptions(Options):
    """``parts``: name of a generator → its weight; weights need not add up to one."""

    parts: dict[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            example = "{'dead_leaves-mixed': 1, 'stat-spectrum': 2}"
            must = f"name at least one generator and its weight, as in {example}"
            raise ParameterError(f"option parts = {{}}: {must}")
        if len(self.parts) > MOST_PARTS:
            many = f"{len(self.parts)} names, must be at most {MOST_PARTS}"
            raise ParameterError(f"option parts: {many}")
        for name, weight in self.parts.items():
            if not LIGHTEST <= weight <= HEAVIEST:
                must = f"a number{between(LIGHTEST, HEAVIEST)}, its weight against the others"
                raise ParameterError(f"option parts[{name!r}] = {shown(weight)}: must be {must}")
            generator(name)


@register("mixture")
class Mixture(Generator):
    """Every image is that of one of the parts, drawn by weight, with the same index and seed."""

    Options = MixtureOptions
    stream = "mixture"
    scene = 0

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        self.parts = [generator(part) for part in options.parts]

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "parts": [part.spec() for part in self.parts]}

    def choose(self, keys: Tensor) -> Tensor:
        """Number of the part of each image, int64 (n,)."""
        weights = torch.tensor([float(w) for w in self.options.parts.values()], device=keys.device)
        edges = weights.cumsum(0) / weights.sum()
        number = torch.searchsorted(edges, rng.uniform(keys), right=True)
        return number.clamp_max(len(self.parts) - 1)

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        out = torch.empty((len(keys), 3, size, size), dtype=torch.uint8, device=keys.device)
        chosen = self.choose(keys)
        for number, part in enumerate(self.parts):
            own = chosen == number
            if bool(own.any()):
                out[own] = part.sample(indices[own], size, seed, str(keys.device))
        return out
