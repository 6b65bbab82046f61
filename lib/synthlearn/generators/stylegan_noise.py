"""Noise that random StyleGANs add to their layers: pink maps, bare or under a smooth envelope."""

import math
from enum import IntEnum
from functools import lru_cache

import torch
from torch import Tensor

from ..core import rng

NOISE_SLOPE = (0.5, 1.5)  # range of α, amplitudes are 1/f^α; authors' code
ENVELOPE = 4  # samples of the envelope along a side; authors' code
LOBES = 3  # of the Lanczos filter that enlarges it, as PIL's


class Draw(IntEnum):
    """What is drawn for a map."""

    SLOPE = 0
    PHASE = 1
    ENVELOPE = 2


def pink_noise(keys: Tensor, side: int) -> Tensor:
    """Maps of amplitude 1/f^α, α ~ U(0.5, 1.5), uniform phases, mean 0.

    keys: int64 (n,). Returns float (n, side, side): one row and column of the period are cut.
    """
    period = side + 1
    half = period // 2 + 1
    slope = rng.uniform(rng.fold(keys, Draw.SLOPE), (), *NOISE_SLOPE)
    phase = rng.uniform(rng.fold(keys, Draw.PHASE), (period, half), 0, 2 * math.pi)
    phase[:, half:, 0] = -phase[:, 1:half, 0].flip(1)  # so that the map is real
    f = torch.fft.fftfreq(period, 1 / period, device=keys.device)
    radius = torch.hypot(f[:, None], f[:half])
    radius[0, 0] = 1
    amplitude = radius ** -slope[:, None, None]
    amplitude[:, 0, 0] = 0
    x = torch.fft.irfft2(torch.polar(amplitude, phase), s=(period, period))[:, :side, :side]
    return x - x.mean((1, 2), keepdim=True)


@lru_cache(maxsize=16)
def lanczos(side: int) -> Tensor:
    """Rows of a Lanczos-3 enlargement of ENVELOPE samples, float (side, ENVELOPE).

    Cut off at the border and normalised as PIL does.
    """
    centre = (torch.arange(side, dtype=torch.float64)[:, None] + 0.5) * ENVELOPE / side
    x = centre - (torch.arange(ENVELOPE) + 0.5)
    weight = torch.where(x.abs() < LOBES, torch.sinc(x) * torch.sinc(x / LOBES), 0.0)
    return (weight / weight.sum(1, keepdim=True)).float()


def enveloped_noise(keys: Tensor, side: int) -> Tensor:
    """Pink maps times a smooth envelope of 4×4 Laplace(0, 1) samples, deviation 1.

    keys: int64 (n,). Returns float (n, side, side).
    """
    u = rng.uniform(rng.fold(keys, Draw.ENVELOPE), (ENVELOPE, ENVELOPE)) - 0.5 + 2.0**-25
    laplace = -torch.sign(u) * torch.log1p(-2 * u.abs())
    enlarge = lanczos(side).to(keys.device)
    x = pink_noise(keys, side) * (enlarge @ laplace @ enlarge.T)
    return x / x.std((1, 2), keepdim=True)
