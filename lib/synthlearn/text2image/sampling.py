"""From noise to pictures along the probability-flow ODE dx/dσ = (x − D(x; σ))/σ, for any denoiser D, with guidance."""

import itertools
from collections.abc import Callable, Sequence

from torch import Tensor

from ..errors import ParameterError

Denoiser = Callable[[Tensor, float], Tensor]  # noisy x, its noise σ → the posterior mean of the clean x


def noise_levels(steps: int, high: float, low: float, rho: float = 7.0) -> list[float]:
    """``steps`` falling noise levels from ``high`` to ``low`` and 0 at the end, evenly spaced in σ^(1/ρ). Karras et al. 2022, eq. 5."""
    if steps < 2 or not 0 < low < high:
        raise ParameterError(f"steps = {steps}, noise {high} … {low}: at least 2 steps from a higher to a lower noise above 0")
    first, last = high ** (1 / rho), low ** (1 / rho)
    return [(first + i / (steps - 1) * (last - first)) ** rho for i in range(steps)] + [0.0]


def guided(conditional: Denoiser, free: Denoiser, w: float) -> Denoiser:
    """Classifier-free guidance: D_∅ + w·(D_c − D_∅); w = 1 is the caption alone, w = 0 none. Ho & Salimans 2022 (their w is this one less 1)."""
    if w == 1:
        return conditional

    def both(x: Tensor, noise: float) -> Tensor:
        without = free(x, noise)
        return without + w * (conditional(x, noise) - without)

    return both


def integrate(denoiser: Denoiser, x: Tensor, levels: Sequence[float], solver: str = "heun") -> Tensor:
    """Follow the ODE from ``x``, noise of standard deviation ``levels[0]``, down the levels.

    Args:
        solver: "euler" (DDIM without noise: a call per step) or "heun" (second order: two calls per step but the last). Karras et al. 2022, alg. 1.
    """
    if solver not in ("euler", "heun"):
        raise ParameterError(f"solver = {solver!r}: must be 'euler' or 'heun'")
    for level, following in itertools.pairwise(levels):
        slope = (x - denoiser(x, level)) / level
        moved = x + (following - level) * slope
        if solver == "heun" and following > 0:
            slope = (slope + (moved - denoiser(moved, following)) / following) / 2
            moved = x + (following - level) * slope
        x = moved
    return x


def to_bytes(x: Tensor) -> Tensor:
    """Pictures in −1 … 1, any float shape, as uint8; what lies outside is cut off."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte()
