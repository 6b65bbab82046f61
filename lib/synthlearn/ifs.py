"""Iterated function systems: random walks over sets of affine maps.

A system is a set of affine maps; a random walk that applies one of them at each step fills its attractor. The walk of the published
renderers is one long chain per picture. Ours runs many short orbits side by side, which has the same law (measured in the book), so that a
step is one tensor operation over all pictures and orbits.
"""

import torch
from torch import Tensor

ORBITS, BURN_IN = 512, 20


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
    cumulative = probabilities.cumsum(1)
    if start.ndim == 2:
        start = start[:, None].expand(n, orbits, 2)
    x, y = start[..., 0].contiguous(), start[..., 1].contiguous()
    points = torch.empty((n, 2, steps, orbits), device=systems.device)
    parameters = systems.permute(2, 1, 0)[..., None]  # (6, maps, n, 1)
    used = [int((probabilities[:, m:].sum(1) > 0).sum()) for m in range(maps)]
    for step in range(steps):
        u = choices[:, step]
        new_x, new_y = x, y
        for m in range(maps):  # compute every map's step and keep the chosen one: dense arithmetic beats gathering parameters
            if not used[m]:
                break
            a, b, c, d, e, f = parameters[:, m]
            x_m = torch.addcmul(e, a, x).addcmul_(b, y)
            y_m = torch.addcmul(f, c, x).addcmul_(d, y)
            if m == 0:
                new_x, new_y = x_m, y_m
            else:
                take = u > cumulative[:, m - 1, None]
                new_x, new_y = torch.where(take, x_m, new_x), torch.where(take, y_m, new_y)
        x, y = new_x, new_y
        points[:, 0, step], points[:, 1, step] = x, y
    return points
