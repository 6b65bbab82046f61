"""The page on fractals: one that grows point by point, others, and instances of one category."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...core import rng
from ...generators import fractaldb
from ..html import Html
from ..sheets import labelled, slider

SIDE = 128  # pixels of a fractal; chosen here
WHITE = 255
SHELL = 13  # number of the category that grows, a spiral shell; chosen here for its shape
# Categories whose shapes differ; the slider opens in the middle. Chosen here
OTHERS = (1, 4, 8, 9, 34, 13, 47, 36, 23, 18, 31, 0)
POINTS = (100, 300, 1000, 3000, 10_000, 100_000)  # of the stages
# What is multiplied in an instance, and its number among the 25
INSTANCES = {"as it was found": 0, "e × 0.2": 17, "a × 0.6": 2, "b × 1.8": 8}


def _drawn(
    systems: Tensor, shares: Tensor, points: int = 100_000, mode: str = "point", size: int = SIDE
) -> Tensor:
    key = rng.key("chapter", torch.tensor([0]))
    number = fractaldb.draw_fractaldb(systems, shares, key, 0, size, points, mode)
    return (WHITE * (number >= 0).byte()).expand(3, -1, -1)


def _category(number: int) -> tuple[Tensor, Tensor]:
    """Maps (1, 7, 6) and probabilities (1, 7) of a category of FractalDB, seed 0."""
    return fractaldb.fractaldb_systems(fractaldb.categories(number + 1)[number:], 0)


def growth(number: int = SHELL, size: int = SIDE) -> Html:
    """A category point by point, and then in patches.

    >>> growth(0, 32).alt.split(",")[0]
    'A fractal that appears point by point'
    """
    system = _category(number)
    frames = {f"{n:,} points": _drawn(*system, n, size=size) for n in POINTS}
    frames["patches"] = _drawn(*system, POINTS[-1], "patch", size)
    return slider(
        frames,
        "A fractal that appears point by point, then filled with a stipple of small patches",
        "One category as its points fall. Last: each point pastes a random 3 × 3 pattern.",
        scale=2,
    )


def systems(numbers: Sequence[int] = OTHERS, size: int = SIDE) -> Html:
    """Some categories, one at a time."""
    return slider(
        {f"category {n + 1}": _drawn(*_category(n), size=size) for n in numbers},
        "A fractal: spirals, streaks, wings, or a cloud with spikes",
        "Twelve of the thousand categories, chosen for their variety: most look like the last one.",
        scale=2,
    )


def instances(number: int = SHELL, size: int = SIDE) -> Html:
    """A category and instances of it, one parameter of all maps multiplied."""
    maps, shares = _category(number)
    factors = fractaldb.weight_vectors(0.4)
    panels = {name: _drawn(maps * factors[k], shares, size=size) for name, k in INSTANCES.items()}
    return labelled(
        panels,
        "A spiral shell as it was found, or with one parameter changed",
        "Four of the 25 instances of one category. One parameter of all maps is multiplied.",
    )
