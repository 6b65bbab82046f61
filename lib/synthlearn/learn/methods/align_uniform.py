"""Alignment and uniformity: the method of "Learning to See by Looking at Noise" (small scale)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...core.options import Options
from .. import losses
from .base import Loss, Method, method


@dataclass(frozen=True)
class AlignUniformOptions(Options):
    """``alpha``: exponent of alignment. ``t``: sharpness of uniformity. ``uniform_weight``: of
    uniformity; alignment's is 1."""

    alpha: float = 2.0
    t: float = 2.0
    uniform_weight: float = 1.0
    at_least: ClassVar = {"alpha": 0.0, "t": 0.0, "uniform_weight": 0.0}
    at_most: ClassVar = {"alpha": 100.0, "t": 1000.0, "uniform_weight": 1e6}


@method("align_uniform")
class AlignUniform(Method):
    """align + uniform_weight · (uniform of each view)/2."""

    Options = AlignUniformOptions
    family = "alignment and uniformity"
    options: AlignUniformOptions

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """As of any method; parts: align, uniform."""
        x, y = outputs
        align = losses.align(x, y, self.options.alpha)
        uniform = (losses.uniform(x, self.options.t) + losses.uniform(y, self.options.t)) / 2
        parts = {"align": align.detach(), "uniform": uniform.detach()}
        return align + self.options.uniform_weight * uniform, parts
