"""Iterated function systems: random walks over sets of affine maps.

A system is a set of affine maps; a random walk that applies one of them at each step fills its
attractor. The walk of the published renderers is one long chain per image. Ours runs many short
orbits side by side, which has the same law (measured in the book), so that a step is one tensor
operation over all images and orbits.
"""

import torch
from torch import Tensor

ORBITS = 512  # side by side, of an image; chosen here
BURN_IN = 20  # steps of an orbit that are not shown; chosen here
STEPS_AT_ONCE = 16  # whose parameters are looked up together, 32 bytes a point; chosen here


def walk(systems: Tensor, probabilities: Tensor, choices: Tensor, start: Tensor) -> Tensor:
    """Run orbits of affine systems side by side.

    Args:
        systems: float (n, maps, 6), rows a, b, c, d, e, f of (x, y) → (ax + by + e, cx + dy + f).
        probabilities: float (n, maps), zero for maps that a system does not have.
        choices: uniforms in [0, 1) that pick the maps, (n or 1, steps, orbits).
        start: float (n, 2) or (n, orbits, 2), before the first step.

    Returns: float (n, 2, steps, orbits), the points after each step.
    """
    n, maps, _ = systems.shape
    steps, orbits = choices.shape[1:]
    edges = probabilities.cumsum(1)[:, : maps - 1, None, None]
    tables = systems.permute(2, 0, 1).flatten(1)  # (6, n · maps)
    first = maps * torch.arange(n, device=systems.device)[:, None, None]  # a system's own maps
    if start.ndim == 2:
        start = start[:, None].expand(n, orbits, 2)
    x, y = start.unbind(-1)
    points = torch.empty((n, 2, steps, orbits), device=systems.device)
    for step in range(0, steps, STEPS_AT_ONCE):
        part = slice(step, step + STEPS_AT_ONCE)
        u = choices[:, part]
        chosen = torch.zeros((n, *u.shape[1:]), dtype=torch.uint8, device=systems.device)
        for m in range(maps - 1):
            chosen += (u > edges[:, m]).view(torch.uint8)
        place = chosen.long().add_(first).flatten()
        parameters = tables.index_select(1, place).view(6, *chosen.shape).unbind(2)
        for (a, b, c, d, e, f), point in zip(parameters, points[:, :, part].unbind(2), strict=True):
            next_x, next_y = point.unbind(1)
            torch.addcmul(e, a, x, out=next_x).addcmul_(b, y)
            torch.addcmul(f, c, x, out=next_y).addcmul_(d, y)
            x, y = next_x, next_y
    return points
