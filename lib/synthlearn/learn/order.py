"""In which order images are trained on: a plan of steps, a function of (seed, epoch) alone."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from .optimisation import Optimisation


class Step(NamedTuple):
    """A step of a plan.

    number: from 0.
    epoch: from 0.
    indices: of its images, int64 (b,).
    """

    number: int
    epoch: int
    indices: Tensor


class Batches(Protocol):
    """Where images come from: ``n`` of them an epoch, on ``device`` (see
    :mod:`synthlearn.data.stream`)."""

    n: int
    device: torch.device

    def prefetch(self, plan: Iterable[Step]) -> Iterator[tuple[Step, Tensor]]:
        """The steps of a plan, each with its images, uint8 (b, 3, h, w)."""
        ...


class Order:
    """Indices 0 … n − 1 in a new order in every epoch, cut into batches.

    Raises: ParameterError when n images do not fill a batch.

    >>> order = Order(6, Optimisation(epochs=2, batch_size=3), 0, torch.device("cpu"))
    >>> [(step.number, step.epoch, len(step.indices)) for step in order.plan(range(4))]
    [(0, 0, 3), (1, 0, 3), (2, 1, 3), (3, 1, 3)]
    """

    def __init__(self, n: int, optimisation: Optimisation, seed: int, device: torch.device) -> None:
        self.n, self.seed, self.device = n, seed, device
        self.batch_size = optimisation.batch_size
        self.per_epoch = optimisation.steps_per_epoch(n)
        if not self.per_epoch:
            raise ParameterError(
                f"batch_size = {self.batch_size}: no batch of it in {n} images; "
                "lower it or raise n_images"
            )

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Indices of each step of an epoch, int64 each; a remainder may follow the last step."""
        key = rng.key("order", self.seed, epoch, device=self.device)
        batches: Sequence[Tensor] = rng.permutation(key, self.n).split(self.batch_size)
        return batches

    def plan(self, steps: Iterable[int]) -> Iterator[Step]:
        """Epoch and indices of each step."""
        planned, batches = 0, self.batches(0)
        for number in steps:
            epoch, batch = divmod(number, self.per_epoch)
            if epoch != planned:
                planned, batches = epoch, self.batches(epoch)
            yield Step(number, epoch, batches[batch])

    def images_per_epoch(self) -> int:
        """Pictures in the steps of an epoch: what is left over of n or of the captions is not."""
        return sum(map(len, self.batches(0)[: self.per_epoch]))


class CaptionOrder(Order):
    """Batches of ``m`` images of each of batch_size // m captions: StableRep's (Tian et al. 2023,
    authors' code).

    Every caption's images are dealt out in a new order in every epoch, m at a time; in a round each
    caption comes once. What is left over of a caption's images, and of a round's captions, waits
    for another epoch. A batch holds first one image of each caption, then another, so that its m
    equal parts have no two images of one caption.

    Args:
        captions: of each image by number, int64 (n,).

    Raises: ParameterError when a caption has fewer than m images, or a batch holds fewer than two
    captions.
    """

    def __init__(
        self, captions: Tensor, m: int, optimisation: Optimisation, seed: int, device: torch.device
    ) -> None:
        super().__init__(len(captions), optimisation, seed, device)
        self.captions, self.m = captions.to(device), m
        counts = torch.bincount(captions)
        counts = counts[counts > 0]
        self.number = len(counts)
        self.rounds = int(counts.min()) // m
        self.at_once = min(self.batch_size // m, self.number)  # captions in a batch
        if not self.rounds:
            raise ParameterError(
                f"{m} images per caption: a caption has {int(counts.min())}; "
                "lower images_per_caption or raise n_images"
            )
        if self.at_once < 2:
            raise ParameterError(
                f"batch_size = {self.batch_size}: holds {self.at_once} captions of {m} images "
                "each, at least 2 are needed; raise it"
            )
        self.per_epoch = self.rounds * (self.number // self.at_once)

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """As of any order; each (captions · m,), image by image."""
        key = rng.key("order", self.seed, epoch, device=self.device)
        order = rng.permutation(key, self.n)
        # caption by caption, each in its new order
        order = order[self.captions[order].argsort(stable=True)]
        counts = torch.bincount(self.captions)
        counts = counts[counts > 0]
        first = counts.cumsum(0) - counts
        batches: list[Tensor] = []
        for turn in range(self.rounds):
            key = rng.key("captions", self.seed, epoch, turn, device=self.device)
            captions = rng.permutation(key, self.number)
            images = torch.arange(turn * self.m, (turn + 1) * self.m, device=self.device)
            dealt = order[first[captions] + images[:, None]]  # (m, captions)
            parts = dealt.split(self.at_once, 1)
            batches += [part.flatten() for part in parts if part.shape[1] == self.at_once]
        return batches
