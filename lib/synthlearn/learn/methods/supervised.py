"""Supervised training: cross-entropy over the classes of the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core import rng
from ...core.options import Options
from .base import Loss, Method, method

INIT_STD = 0.02  # of the classifier's weights, as of the encoder's


@dataclass(frozen=True)
class SupervisedOptions(Options):
    """None: cross-entropy without smoothing."""


@method("supervised")
class Supervised(Method):
    """Cross-entropy over the classes, of one view (Kataoka et al. 2020).

    The linear layer on the encoder's embedding is dropped afterwards.
    """

    Options = SupervisedOptions
    views = 1
    labelled = True
    family = "cross-entropy"
    options: SupervisedOptions

    def set_up(self, classes: int, texts: Sequence[str]) -> None:
        """Make the classifier."""
        self.head = nn.Linear(self.encoder.embedding_size, classes)
        with torch.no_grad():
            weight = rng.normal(rng.key("head", self.seed), tuple(self.head.weight.shape))
            self.head.weight.copy_(weight * INIT_STD)
            self.head.bias.zero_()

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Logits of the one view, (n, classes)."""
        return [self.head(self.encode(views, 1, embed=True))]

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """As of any method; parts: accuracy on the batch."""
        assert labels is not None
        (logits,) = outputs
        accuracy = (logits.argmax(1) == labels).float().mean()
        return functional.cross_entropy(logits, labels), {"accuracy": accuracy}
