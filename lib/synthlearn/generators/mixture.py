"""Several generators as one: every picture is one of theirs."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from ..core.options import between, shown
from .base import Generator, Options
from .registry import generator, register

LIGHTEST, HEAVIEST = 1e-6, 1e6  # weights
MOST_PARTS = 100


@dataclass(frozen=True)
class MixtureOptions(Options):
    """``parts``: name of a generator → its weight; weights need not add up to one."""

    parts: dict[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            raise ParameterError(
                "option parts = {}: name at least one generator and its weight, as in {'dead_leaves-mixed': 1, 'stat-spectrum': 2}"
            )
        if len(self.parts) > MOST_PARTS:
            raise ParameterError(
                f"option parts: {len(self.parts)} names, must be at most {MOST_PARTS}"
            )
        for name, weight in self.parts.items():
            if not LIGHTEST <= weight <= HEAVIEST:  # float32 holds their shares
                must = f"a number{between(LIGHTEST, HEAVIEST)}, its weight against the others"
                raise ParameterError(f"option parts[{name!r}] = {shown(weight)}: must be {must}")
            generator(name)


@register("mixture")
class Mixture(Generator):
    """Every picture comes from one of the parts, drawn by weight; it is the picture of that part with the same index and seed."""

    Options = MixtureOptions
    stream = "mixture"
    scene = 0

    def __init__(self, name: str, options: Any) -> None:
        super().__init__(name, options)
        self.parts = [generator(part) for part in options.parts]

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "parts": [part.spec() for part in self.parts]}

    def choose(self, keys: Tensor) -> Tensor:
        """Number of the part of each picture, int64 (n,)."""
        weights = torch.tensor([float(w) for w in self.options.parts.values()], device=keys.device)
        return torch.searchsorted(
            weights.cumsum(0) / weights.sum(), rng.uniform(keys), right=True
        ).clamp_max(len(self.parts) - 1)

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        out = torch.empty((len(keys), 3, size, size), dtype=torch.uint8, device=keys.device)
        chosen = self.choose(keys)
        for number, part in enumerate(self.parts):
            mine = chosen == number
            if bool(mine.any()):
                out[mine] = part.sample(indices[mine], size, seed, str(keys.device))
        return out
