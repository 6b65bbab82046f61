"""What the chapters beyond the two papers show: how a mixed picture comes about, accuracy by the number of parts."""

from collections.abc import Sequence
from typing import Any

import torch

from .. import rng
from ..generators import generator
from ..generators.mixed import Mixed
from ..study import Profile
from ..study.rows import row as row_by_name
from . import figures
from .chapter import Records, baseline, estimate, percent

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


def by_parts(found: Records, profile: Profile, lines: dict[str, dict[int, str]], floor: str) -> figures.Shown:
    """Accuracy with intervals by the number of pictures in one: title of a line → number → row; dotted: the row ``floor``."""
    figure, axis = figures.new(height=3.2)
    said = []
    for (title, points), mark, colour in zip(lines.items(), "os^D", figures.LINES, strict=False):
        have = {k: estimate(found[name]) for k, name in points.items() if name in found}
        if not have:
            continue
        mean = [100 * e.mean for e in have.values()]
        bars = [[100 * (e.mean - e.low) for e in have.values()], [100 * (e.high - e.mean) for e in have.values()]]
        axis.errorbar(list(have), mean, yerr=bars, marker=mark, color=colour, label=title, capsize=3)
        said.append(f"{title}: " + ", ".join(f"{k}: {percent(e.mean)} %" for k, e in have.items()))
    least = estimate(found.get(floor) or baseline(profile, floor)).mean
    axis.axhline(100 * least, color=figures.INK, linestyle=":", linewidth=1)
    axis.set_xticks(sorted({k for points in lines.values() for k in points}))
    axis.set_xlabel("pictures in one")
    axis.set_ylabel("top-1, %")
    axis.legend(labelcolor=figures.INK, frameon=False)
    note = f"95 % intervals over seeds × images; dotted: {row_by_name(floor).title}, whole pictures."
    return figures.svg(figure, f"Accuracy by the number of pictures in one. {'; '.join(said)}; {row_by_name(floor).title} {percent(least)} %.", note)


def exponents(values: Sequence[float], size: int = SHOWN) -> dict[str, Any]:
    """One dead-leaves scene under other exponents of its radii: label → uint8 (3, s, s)."""
    from ..generators import dead_leaves

    key = rng.key("dead_leaves", 0, torch.tensor([4]))
    return {f"r^−{e:g}": dead_leaves.leaf_colours(key, dead_leaves.cover(key, "mixed", size, exponent=e)[0])[0] for e in values}


def systems(count: int, size: int = SHOWN) -> dict[str, Any]:
    """The first instance of some FractalDB categories: label → uint8 (3, s, s)."""
    source = generator("fractals-fractaldb", mode="point")
    return {f"system {i + 1}": picture for i, picture in enumerate(source.sample(range(count), size))}
