"""From noise to images along the probability-flow ODE dx/dσ = (x − D(x; σ))/σ, with guidance.

D is any denoiser. Names are those of Karras et al. 2022, algorithm 1: ``x_cur`` at noise ``t_cur``,
the slope ``d_cur`` there, and what follows.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ..core.errors import ParameterError

# noisy x, its noise σ → the posterior mean of the clean x; σ is a float, and in a graph that is
# replayed with other levels a scalar tensor
Denoiser = Callable[[Tensor, Any], Tensor]


def noise_levels(steps: int, high: float, low: float, rho: float = 7.0) -> list[float]:
    """``steps`` falling noise levels from ``high`` to ``low``, and 0 at the end.

    They are evenly spaced in σ^(1/ρ): Karras et al. 2022, eq. 5.

    >>> noise_levels(3, 9.0, 1.0, rho=2.0)
    [9.0, 4.0, 1.0, 0.0]
    """
    if steps < 2 or not 0 < low < high:
        what = f"steps = {steps}, noise {high} … {low}"
        raise ParameterError(f"{what}: at least 2 steps from a higher to a lower noise above 0")
    first, last = high ** (1 / rho), low ** (1 / rho)
    return [(first + i / (steps - 1) * (last - first)) ** rho for i in range(steps)] + [0.0]


def guided(conditional: Denoiser, free: Denoiser, w: float) -> Denoiser:
    """Classifier-free guidance: D_∅ + w·(D_c − D_∅); w = 1 is the caption alone, w = 0 none.

    Ho & Salimans 2022, whose w is this one less 1.
    """
    if w == 1:
        return conditional

    def denoiser(x: Tensor, sigma: Any) -> Tensor:
        D_free = free(x, sigma)
        return D_free + w * (conditional(x, sigma) - D_free)

    return denoiser


def integrate(
    denoiser: Denoiser, x: Tensor, levels: Sequence[float], solver: str = "heun"
) -> Tensor:
    """Follow the ODE from ``x``, noise of standard deviation ``levels[0]``, down the levels.

    Args:
        solver: "euler" (DDIM without noise: a call per step) or "heun" (second order: two calls
            per step but the last). Karras et al. 2022, alg. 1.
    """
    if solver not in ("euler", "heun"):
        raise ParameterError(f"solver = {solver!r}: must be 'euler' or 'heun'")
    for t_cur, t_next in itertools.pairwise(levels):
        x = step(denoiser, x, t_cur, t_next, solver == "heun" and t_next > 0)
    return x


def step(denoiser: Denoiser, x_cur: Tensor, t_cur: Any, t_next: Any, corrected: bool) -> Tensor:
    """From one noise level to the next along the slope at ``x_cur``.

    ``corrected``: along the mean of it and the slope where that leads (Heun).
    """
    d_cur = (x_cur - denoiser(x_cur, t_cur)) / t_cur
    x_next = x_cur + (t_next - t_cur) * d_cur
    if not corrected:
        return x_next
    d_mean = (d_cur + (x_next - denoiser(x_next, t_next)) / t_next) / 2
    return x_cur + (t_next - t_cur) * d_mean


def to_bytes(x: Tensor) -> Tensor:
    """Pictures in −1 … 1, any float shape, as uint8; what lies outside is cut off."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte()
