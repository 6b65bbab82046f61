"""Pictures that several chapters beyond the papers' own figures show: how a mixed picture comes about, scenes along one parameter."""

from collections.abc import Sequence
from typing import Any

import torch

from .. import rng
from ..generators import dead_leaves, generator
from ..generators.mixed import Mixed
from ..study import Profile
from ..study.rows import row as row_by_name
from . import figures

SHOWN = 128  # side of shown pictures in pixels


def mixing_sheet(name: str, profile: Profile, n: int = 2) -> figures.Shown:
    """Pictures of a row of mixed pictures, each behind those that it is made of: a line per picture."""
    row = row_by_name(name)
    source = row.source(profile, 0)
    assert isinstance(source, Mixed)
    index = torch.arange(n)
    parts = source.ingredients(rng.key("mixed", 0, index), index, SHOWN, 0)
    made = source.sample(index, SHOWN)
    columns = parts.shape[1] + 1
    alt = f"{row.title}: in each line the {columns - 1} pictures that go in, and at its end the one that comes out."
    return figures.contact_sheet(torch.cat([parts, made[:, None]], 1).flatten(0, 1), alt, alt, columns)


def exponents(values: Sequence[float], size: int = SHOWN) -> dict[str, Any]:
    """One dead-leaves scene under other exponents of its radii: label → uint8 (3, s, s)."""
    key = rng.key("dead_leaves", 0, torch.tensor([4]))
    return {f"exponent −{e:g}": dead_leaves.leaf_colours(key, dead_leaves.cover(key, "mixed", size, exponent=e)[0])[0] for e in values}


def systems(count: int, size: int = SHOWN) -> dict[str, Any]:
    """The first instance of some FractalDB categories: label → uint8 (3, s, s)."""
    source = generator("fractals-fractaldb", mode="point")
    return {f"system {i + 1}": picture for i, picture in enumerate(source.sample(range(count), size))}
