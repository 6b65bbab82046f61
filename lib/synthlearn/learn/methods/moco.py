"""MoCo v2: a queue of keys from earlier batches."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ...core import rng
from ...core.options import Options
from .. import losses
from .base import Loss, Method, method


@dataclass(frozen=True)
class MoCoOptions(Options):
    """Options of MoCo.

    temperature: as in v2.
    queue: keys kept (65,536 at full scale).
    momentum: of the key encoder (0.999 at full scale: with a few hundred steps it would stay at
        its start).
    group: images that share batch statistics, the keys' shuffled.
    """

    temperature: float = 0.2
    queue: int = 4096
    momentum: float = 0.99
    group: int = 32
    at_least: ClassVar = {"temperature": 1e-3, "queue": 1, "momentum": 0.0, "group": 2}
    at_most: ClassVar = {
        "temperature": 100.0,
        "queue": 1_000_000,
        "momentum": 1.0,
        "group": 100_000,
    }


@method("moco")
class MoCo(Method):
    """MoCo v2: queries must find their keys among those of earlier batches (Chen et al. 2020).

    Keys are made by a slowly following copy of the encoder.

    Batch statistics are per group, over shuffled keys: within one group a query and its key would
    share them, which gives the pair away.
    """

    Options = MoCoOptions
    family = "two views"
    options: MoCoOptions
    queue: Tensor
    written: Tensor
    shuffle: Tensor

    def set_up(self, classes: int, texts: Sequence[str]) -> None:
        """Make the key encoder and the queue."""
        self.key_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        shape = (self.options.queue, self.encoder.output_size)
        start = functional.normalize(rng.normal(rng.key("queue", self.seed), shape), dim=1)
        self.register_buffer("queue", start)
        # keys so far: the next goes to written mod queue
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))
        # key of the orders of batches
        self.register_buffer("shuffle", rng.key("shuffle", self.seed), persistent=False)

    def outputs(self, views: Tensor) -> list[Tensor]:
        """Queries of the first view and keys of the second, after the key encoder has followed."""
        first, second = views.chunk(2)
        parts = max(1, len(first) // self.options.group)  # none smaller than a group
        with torch.no_grad():
            for slow, fast in zip(
                self.key_encoder.parameters(), self.encoder.parameters(), strict=True
            ):
                slow.lerp_(fast, 1 - self.options.momentum)
            order = rng.permutation(rng.fold(self.shuffle, self.written), len(second))
            keys = self.encode(second[order], parts, parts, self.key_encoder)
            keys = torch.empty_like(keys).index_copy_(0, order, keys)
        return [self.encode(first, parts, parts), keys]

    def loss(self, outputs: list[Tensor], labels: Tensor | None = None) -> Loss:
        """The loss against the queue as it is; parts: align, uniform."""
        q, k = outputs
        value = losses.info_nce(q, k, self.queue, self.options.temperature)
        parts = {"align": losses.align(q, k).detach(), "uniform": losses.uniform(q).detach()}
        return value, parts

    @torch.no_grad()
    def after_step(self, outputs: list[Tensor]) -> None:
        """The keys take the place of the oldest in the queue."""
        keys = outputs[1]
        places = self.written + torch.arange(len(keys), device=keys.device)
        self.queue.index_copy_(0, places % self.options.queue, keys)
        self.written.add_(len(keys))
