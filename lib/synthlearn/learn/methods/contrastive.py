"""Contrastive methods within a batch: SimCLR, and SupCon, which knows the classes."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...core.options import Options
from .. import losses
from .base import Loss, Method, method


@dataclass(frozen=True)
class SimCLROptions(Options):
    """``temperature``: 0.5 for short schedules (Chen et al. 2020 on CIFAR-10)."""

    temperature: float = 0.5
    at_least: ClassVar = {"temperature": 1e-3}
    at_most: ClassVar = {"temperature": 100.0}


@method("simclr")
class SimCLR(Method):
    """NT-Xent over two views (Chen et al. 2020)."""

    Options = SimCLROptions
    family = "two views"
    options: SimCLROptions

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """As of any method; parts: align, uniform."""
        x, y = outputs
        value = losses.nt_xent(x, y, self.options.temperature)
        parts = {"align": losses.align(x, y).detach(), "uniform": losses.uniform(x).detach()}
        return value, parts


@dataclass(frozen=True)
class SupConOptions(Options):
    """``temperature``: Khosla et al. 2020's."""

    temperature: float = 0.1
    at_least: ClassVar = {"temperature": 1e-3}
    at_most: ClassVar = {"temperature": 100.0}


@method("supcon")
class SupCon(Method):
    """Supervised contrastive loss, "out": views of a class are positives (Khosla et al. 2020)."""

    Options = SupConOptions
    labelled = True
    family = "several positives"
    options: SupConOptions

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """As of any method; parts: align."""
        assert labels is not None
        x, y = outputs
        z, of_each = torch.cat((x, y)), labels.repeat(2)
        value = losses.sup_con_unchecked(z, of_each, self.options.temperature)
        return value, {"align": losses.align(x, y).detach()}
