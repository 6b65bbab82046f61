"""Training on several processes as on one: shares of a batch, gathered outputs, common batch
statistics, added gradients.

Every process draws the same plan and the same initial weights, takes its share of each batch,
gathers what the network gave for all shares and computes the whole loss; gradients flow back
through its own share and are added up. So the loss and its gradient are those of one process up to
rounding, whatever the loss does across a batch. ``accelerate launch`` starts the processes on GPUs,
``torchrun`` on CPUs (where Accelerate starts several only with MPI); without them there is one.
"""

import os
import re
import sys
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from .errors import ParameterError


def start() -> None:
    """Join the processes that ``accelerate launch`` or ``torchrun`` started; the first says on
    stderr how many they are.

    Raises: ParameterError when one did and Accelerate is missing, or the environment names no
    number of processes.
    """
    world = os.environ.get("WORLD_SIZE", "1")
    remedy = "unset it, or start by torchrun or accelerate launch"
    if not re.fullmatch("[0-9]{1,6}", world):
        raise ParameterError(f"WORLD_SIZE = {world!r}: must be a whole number; {remedy}")
    if int(world) < 2:
        if any(name.startswith("ACCELERATE_") for name in os.environ):
            print(
                "1 process; on CPUs `accelerate launch` starts several only with MPI: "
                "use torchrun --nproc_per_node N",
                file=sys.stderr,
            )
        return
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise ParameterError(
            "several processes need Accelerate: pip install -e '.[scale]' in the checkout"
        ) from error
    try:
        PartialState(cpu=not torch.cuda.is_available())
    # an environment that lacks RANK, MASTER_ADDR …, or names no machine
    except (ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ParameterError(
            f"WORLD_SIZE = {world}: the processes do not meet ({reason}); {remedy}"
        ) from error
    if first():
        print(f"{world} processes", file=sys.stderr)


def several() -> bool:
    """Whether there are other processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def first() -> bool:
    """Whether this process writes the files."""
    return not several() or dist.get_rank() == 0


def wait() -> None:
    """Until all processes are here."""
    if several():
        dist.barrier()


def check_batches(n: int, batch_size: int) -> None:
    """Raise ParameterError unless every batch of an epoch of n images can be shared out equally."""
    world = dist.get_world_size() if several() else 1
    for size in (batch_size, n % batch_size):
        if size % world:
            raise ParameterError(
                f"a batch of {size} images ({n} in batches of {batch_size}) for {world} processes: "
                "must be a multiple; change batch_size or n_images"
            )


def share(n: int) -> slice:
    """This process's part of a batch of n."""
    if not several():
        return slice(0, n)
    rank, world = dist.get_rank(), dist.get_world_size()
    return slice(rank * n // world, (rank + 1) * n // world)


def gather(x: Tensor) -> Tensor:
    """Rows of all processes in their order, (world · n, …); gradients flow into this process's own
    rows."""
    if not several():
        return x
    parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, x.detach().contiguous())
    parts[dist.get_rank()] = x
    return torch.cat(parts)


def replicated(x: Tensor) -> Tensor:
    """What every process computes in the same way from the whole batch: its gradient, which
    :func:`add_gradients` will add up, counts once."""
    return x.detach() + (x - x.detach()) / dist.get_world_size() if several() else x


def add_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each gradient by the sum over processes."""
    if several():
        for p in parameters:
            if p.grad is not None:
                dist.all_reduce(p.grad)


class _Sum(torch.autograd.Function):
    """Sum over processes, whose gradient is the sum over processes too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient)
        return gradient


class _CommonBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the shares of all processes; torch's own needs GPUs."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        over = [d for d in range(input.ndim) if d != 1]
        x = input.float()
        n = x.numel() // x.shape[1] * dist.get_world_size()
        mean = _Sum.apply(x.sum(over)) / n  # type: ignore[no-untyped-call]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        centred = x - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(over)) / n  # type: ignore[no-untyped-call]
        if (
            self.track_running_stats
            and self.running_mean is not None
            and self.running_var is not None
            and self.num_batches_tracked is not None
        ):
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean.detach(), self.momentum or 0.0)
                self.running_var.lerp_(variance.detach() * n / (n - 1), self.momentum or 0.0)
        out = centred * (variance + self.eps).rsqrt().view(shape)
        scaled: Tensor = out * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)


def synchronise_statistics(module: nn.Module) -> None:
    """Make batch norms use all processes' shares, in place; weights and their names stay."""
    if several():
        for part in module.modules():
            if type(part) in (nn.BatchNorm1d, nn.BatchNorm2d):
                part.__class__ = _CommonBatchNorm
