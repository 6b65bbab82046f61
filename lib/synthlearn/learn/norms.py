"""Batch norm over parts of a batch: each part's own statistics, as if the parts were passes of
their own."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM = nn.modules.batchnorm._BatchNorm  # base of the norms of any number of dimensions


class _InParts(BATCH_NORM):
    """A batch norm that normalises ``parts`` equal parts of a batch one by one; the first
    ``counted`` enter the running statistics."""

    parts: int
    counted: int

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        normalised = []
        for number, x in enumerate(input.chunk(self.parts)):
            counts = number < self.counted
            running = (self.running_mean, self.running_var) if counts else (None, None)
            momentum = self.momentum or 0.0
            normalised.append(
                functional.batch_norm(x, *running, self.weight, self.bias, True, momentum, self.eps)
            )
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(self.counted)
        return torch.cat(normalised)


def in_one_pass(
    module: nn.Module, x: Tensor, parts: int, counted: int, through: Callable[[Tensor], Tensor]
) -> Tensor:
    """What ``through`` gives for x with one call, in which batch norms of ``module`` see equal
    parts of the batch apart.

    The numbers are those of :func:`part_by_part`; sums over the whole batch (of weights' gradients)
    round in another order.

    Args:
        x: float (n, …).
        parts: how many; n is a multiple of it.
        counted: how many of them enter the running statistics.
        through: the module, or a method of it.
    """
    norms = [(m, type(m)) for m in module.modules() if isinstance(m, BATCH_NORM)]
    for norm, _ in norms:
        norm.__class__ = _InParts  # weights, statistics and their names stay
        norm.parts, norm.counted = parts, counted  # type: ignore[assignment]
    try:
        return through(x)
    finally:
        for norm, kind in norms:
            norm.__class__ = kind


def part_by_part(
    module: nn.Module, x: Tensor, parts: int, counted: int, through: Callable[[Tensor], Tensor]
) -> Tensor:
    """The same with a call for each part, which need not be equal."""
    outputs = []
    for number, part in enumerate(x.chunk(parts)):
        with contextlib.nullcontext() if number < counted else batch_statistics_only(module):
            outputs.append(through(part))
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0]


@contextlib.contextmanager
def batch_statistics_only(module: nn.Module) -> Iterator[None]:
    """Inside, batch norms in train mode use the batch's statistics but leave the running ones
    alone.

    The reference's running statistics come from first views only (authors' code of the noise
    paper: replicas' buffers are discarded).
    """
    norms = [m for m in module.modules() if isinstance(m, BATCH_NORM)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
