"""From noise to pictures along the probability-flow ODE dx/dσ = (x − D(x; σ))/σ, for any denoiser D, with guidance."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ..core.errors import ParameterError

# noisy x, its noise σ (a float; in a graph that is replayed with other levels a scalar tensor) → the posterior mean of the clean x
Denoiser = Callable[[Tensor, Any], Tensor]


def noise_levels(steps: int, high: float, low: float, rho: float = 7.0) -> list[float]:
    """``steps`` falling noise levels from ``high`` to ``low`` and 0 at the end, evenly spaced in σ^(1/ρ). Karras et al. 2022, eq. 5."""
    if steps < 2 or not 0 < low < high:
        raise ParameterError(
            f"steps = {steps}, noise {high} … {low}: at least 2 steps from a higher to a lower noise above 0"
        )
    first, last = high ** (1 / rho), low ** (1 / rho)
    return [(first + i / (steps - 1) * (last - first)) ** rho for i in range(steps)] + [0.0]


def guided(conditional: Denoiser, free: Denoiser, w: float) -> Denoiser:
    """Classifier-free guidance: D_∅ + w·(D_c − D_∅); w = 1 is the caption alone, w = 0 none. Ho & Salimans 2022 (their w is this one less 1)."""
    if w == 1:
        return conditional

    def both(x: Tensor, noise: Any) -> Tensor:
        without = free(x, noise)
        return without + w * (conditional(x, noise) - without)

    return both


def integrate(
    denoiser: Denoiser, x: Tensor, levels: Sequence[float], solver: str = "heun"
) -> Tensor:
    """Follow the ODE from ``x``, noise of standard deviation ``levels[0]``, down the levels.

    Args:
        solver: "euler" (DDIM without noise: a call per step) or "heun" (second order: two calls per step but the last). Karras et al. 2022, alg. 1.
    """
    if solver not in ("euler", "heun"):
        raise ParameterError(f"solver = {solver!r}: must be 'euler' or 'heun'")
    for level, following in itertools.pairwise(levels):
        x = step(denoiser, x, level, following, solver == "heun" and following > 0)
    return x


def step(denoiser: Denoiser, x: Tensor, level: Any, following: Any, corrected: bool) -> Tensor:
    """From one level to the following one along the slope at ``x``; ``corrected``: along the mean of it and the slope where that leads (Heun)."""
    slope = (x - denoiser(x, level)) / level
    moved = x + (following - level) * slope
    if not corrected:
        return moved
    slope = (slope + (moved - denoiser(moved, following)) / following) / 2
    return x + (following - level) * slope


def to_bytes(x: Tensor) -> Tensor:
    """Pictures in −1 … 1, any float shape, as uint8; what lies outside is cut off."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte()
