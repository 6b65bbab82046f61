"""Losses as pure functions on tensors, and the methods that draw views for them."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .errors import ParameterError


def _check(x: Tensor, least: int) -> None:
    if x.ndim != 2 or len(x) < least:
        raise ParameterError(f"features of shape {tuple(x.shape)}: must be (n, d) with n ≥ {least}")


def align(x: Tensor, y: Tensor, alpha: float = 2) -> Tensor:
    """Mean of ‖x_i − y_i‖^alpha over two views of the same n images: scalar in [0, 2^alpha]. Wang & Isola 2020, eq. 4.

    Args:
        x, y: float (n, d), rows of unit length, n ≥ 1.
        alpha: exponent; 2 is smooth where views coincide.

    Raises: ParameterError if the shapes differ or are not (n, d).
    """
    _check(x, 1)
    if x.shape != y.shape:
        raise ParameterError(f"views of shapes {tuple(x.shape)} and {tuple(y.shape)}: must be equal")
    squared = (x.float() - y.float()).square().sum(1)
    return squared.mean() if alpha == 2 else squared.pow(alpha / 2).mean()


def uniform(x: Tensor, t: float = 2) -> Tensor:
    """log mean over pairs i < j of exp(−t‖x_i − x_j‖²): scalar in [−4t, 0]. Wang & Isola 2020, eq. 5.

    Args:
        x: float (n, d), rows of unit length, n ≥ 2; one view only.
        t: sharpness of the Gaussian kernel.

    Raises: ParameterError if x is not (n, d) with n ≥ 2.
    """
    _check(x, 2)
    return torch.pdist(x.float()).square().mul(-t).exp().mean().log()


@dataclass(frozen=True)
class AlignUniform:
    """align + (uniform of each view)/2, both weights 1, as the noise paper trains ("Learning to See …", small scale)."""

    views: ClassVar[int] = 2
    name: ClassVar[str] = "align_uniform"
    alpha: float = 2.0
    t: float = 2.0

    def __call__(self, outputs: list[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of two views' outputs, each float (n, d) of unit rows: (scalar, its two terms by name)."""
        x, y = outputs
        a, u = align(x, y, self.alpha), (uniform(x, self.t) + uniform(y, self.t)) / 2
        return a + u, {"align": a.detach(), "uniform": u.detach()}


METHODS = {"align_uniform": AlignUniform}
