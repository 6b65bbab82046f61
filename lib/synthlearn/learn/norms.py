"""Batch norm over parts of a batch: each part's own statistics, as if the parts were passes of their own."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM = nn.modules.batchnorm._BatchNorm


class _InParts(BATCH_NORM):
    """A batch norm that normalises ``parts`` equal parts of a batch one by one; the first ``counted`` enter the running statistics."""

    parts: int
    counted: int

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        found = []
        for number, x in enumerate(input.chunk(self.parts)):
            running = (
                (self.running_mean, self.running_var) if number < self.counted else (None, None)
            )
            found.append(
                functional.batch_norm(
                    x, *running, self.weight, self.bias, True, self.momentum or 0.0, self.eps
                )
            )
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(self.counted)
        return torch.cat(found)


def in_one_pass(
    module: nn.Module, x: Tensor, parts: int, counted: int, through: Callable[[Tensor], Tensor]
) -> Tensor:
    """What ``through`` gives for x, ``parts`` equal parts of a batch, with one call; batch norms of ``module`` see the parts apart.

    The numbers are those of :func:`part_by_part`; sums over the whole batch (of weights' gradients) round in another order.
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
    found = []
    for number, part in enumerate(x.chunk(parts)):
        with contextlib.nullcontext() if number < counted else batch_statistics_only(module):
            found.append(through(part))
    return torch.cat(found) if len(found) > 1 else found[0]


@contextlib.contextmanager
def batch_statistics_only(module: nn.Module) -> Iterator[None]:
    """Inside, batch norms in train mode use the batch's statistics but leave the running ones alone.

    The reference's running statistics come from first views only (spec of the paper's code: replicas' buffers are discarded).
    """
    norms = [m for m in module.modules() if isinstance(m, BATCH_NORM)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
