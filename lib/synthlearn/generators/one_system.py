"""One system a class: OFDB (Nakamura et al. 2023) and 1p-frac (Nakamura et al. 2024).

OFDB takes FractalDB's categories with one instance of each and varies only how it is drawn. 1p-frac
makes a thousand classes of a single system, each a small perturbation of it. Laws: the authors'
code; their random textures are left out.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from . import fractaldb
from .base import Options
from .categories import Categories
from .registry import register
from .sigma_fractals import sigma_systems

# Of the authors' code:
MAPS = 2  # of 1p-frac's system
SIGMA = 3.5  # sum of its singular values, the smaller ones doubled
SIGMA_APART = 0.1  # from it, at most
LEAST_FILL = 0.05  # share of an image that is not black, else the class is drawn anew
# Chosen here:
SYSTEM = 55  # number of 1p-frac's system: the first near SIGMA that fills a fifth of 128² pixels
TRIALS = 16  # perturbations of a class, the first of which that fills enough is taken
TRIAL_POINTS = 20_000  # of an orbit, to see how much it fills
TRIAL_SIZE = 128  # pixels along a side, likewise


class Draw(IntEnum):
    """What is drawn for a class."""

    FACTORS = 8  # and a trial's number; fractaldb.Draw has those of an image


def one_system(number: int = SYSTEM) -> tuple[Tensor, Tensor]:
    """1p-frac's system, or another: maps, float (1, 7, 6), and probabilities, float (1, 7)."""
    key = rng.key("1p-frac-system", torch.tensor([number]))
    systems, probabilities, _ = sigma_systems(key, MAPS)
    absent = fractaldb.MAX_MAPS - MAPS
    pad = torch.nn.functional.pad
    return pad(systems, (0, 0, 0, absent)), pad(probabilities, (0, absent))


def filled(systems: Tensor, probabilities: Tensor) -> Tensor:
    """Share of 128² pixels that 20,000 points of systems fill, float (n,)."""
    points, drawn = fractaldb.fractaldb_points(systems, probabilities, 0, TRIAL_POINTS)
    pixels = fractaldb.fractaldb_pixels(points, drawn, TRIAL_SIZE)
    seen = torch.zeros(len(systems), TRIAL_SIZE**2 + 1, dtype=torch.bool)
    return seen.scatter_(1, pixels, True)[:, :-1].float().mean(1)


@cache
def perturbed(count: int, delta: float) -> Tensor:
    """The first ``count`` classes of 1p-frac: maps, float (count, 7, 6).

    Every number of the system times U(1 − delta, 1 + delta), drawn anew while the class fills 5 %
    of an image or less, sixteen times at most.
    """
    system, probabilities = one_system()
    keys = rng.key("1p-frac-class", torch.arange(count))
    classes = system.repeat(count, 1, 1)
    open_ = torch.arange(count)
    for trial in range(TRIALS):
        factor = rng.uniform(rng.fold(keys[open_], Draw.FACTORS, trial), system.shape[1:])
        classes[open_] = system * (1 + delta * (2 * factor - 1))
        fill = torch.cat(
            [filled(part, probabilities.expand(len(part), -1)) for part in classes[open_].split(64)]
        )
        open_ = open_[fill <= LEAST_FILL]
        if not len(open_):
            break
    return classes


@dataclass(frozen=True)
class OneOptions(Options):
    """Options of sets of one system a class.

    ``law``: "ofdb", FractalDB's categories, or "1p-frac", perturbations by ``delta`` of one system;
    ``categories``: how many classes; ``points`` of an image.
    """

    law: str = "ofdb"
    categories: int = 1000
    delta: float = 0.1
    points: int = 100_000
    allowed: ClassVar = {"law": ("ofdb", "1p-frac")}
    at_least: ClassVar = {"categories": 1, "delta": 0.0, "points": 16}
    at_most: ClassVar = {"categories": 10_000, "delta": 1.0, "points": 2_000_000}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.law == "ofdb" and self.delta != type(self).delta:
            both = f"options law = 'ofdb', delta = {self.delta:g}"
            raise ParameterError(f"{both}: only '1p-frac' perturbs its system; leave delta out")


@register("formula-one")
class OneSystem(Categories):
    """One system a class; image i is of class i mod ``categories``.

    OFDB's images of a class differ in their 3×3 pattern, one for all points of an image; those of
    1p-frac in their patterns point by point.
    """

    Options = OneOptions
    stream = "formula-one"
    work_bytes = 8 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        options, device, label = self.options, keys.device, self.category(indices)
        if options.law == "ofdb":
            trials = fractaldb.categories(options.categories).to(device)
            systems, probabilities = fractaldb.fractaldb_systems(trials[label], 0)
        else:
            systems = perturbed(options.categories, options.delta).to(device)[label]
            probabilities = one_system()[1].to(device).expand(len(systems), -1)
        per_point = options.law == "1p-frac"
        number = fractaldb.draw_fractaldb(
            systems, probabilities, keys, 0, size, options.points, "patch", per_point
        )
        return (fractaldb.GREY * (number >= 0).byte())[:, None].expand(-1, 3, -1, -1)
