"""Work of fixed shapes as a CUDA graph: captured once, then replayed without the host; the same
function, called plainly, elsewhere."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

Outputs = tuple[Tensor, ...]
WARM_UP = 3  # calls before a capture, in which libraries choose their kernels


class Replayed:
    """A function of tensors whose shapes do not change; on a GPU its kernels are captured once for
    each set of shapes.

    Args:
        function: from tensors to a tuple of tensors. It may change in place what it closes over; it
            reads nothing back to the host.
        state: the tensors that it changes, put back after the calls that precede a capture.

    What a call returns is overwritten by the next one. Where a capture fails, a line on stderr says
    so and calls go on plainly.

    >>> double = Replayed(lambda x: (2 * x,), state=list)
    >>> double(torch.ones(2))
    (tensor([2., 2.]),)
    """

    def __init__(
        self, function: Callable[..., Outputs], state: Callable[[], Iterable[Tensor]]
    ) -> None:
        self.function, self.state, self.plain = function, state, False
        # by shapes: inputs in their places, outputs, and what replays
        self.captured: dict[tuple[Any, ...], tuple[list[Tensor], Outputs, Callable[[], None]]] = {}

    def __call__(self, *inputs: Tensor) -> Outputs:
        """What the function gives for inputs on one device."""
        if self.plain or not captures(inputs[0].device):
            return self.function(*inputs)
        shapes = tuple((x.shape, x.dtype) for x in inputs)
        if shapes not in self.captured:
            static = [x.clone() for x in inputs]
            try:
                self.captured[shapes] = (static, *self._capture(static))
            except RuntimeError as error:  # the work is then done as where there are no graphs
                reason = " ".join(str(error).split())[:200]
                print(
                    f"warning: no CUDA graph ({reason}); every step is launched by the host, "
                    "which is slower",
                    file=sys.stderr,
                )
                self.plain = True
                return self.function(*inputs)
        static, outputs, replay = self.captured[shapes]
        for place, x in zip(static, inputs, strict=True):
            place.copy_(x)
        replay()
        return outputs

    def _capture(self, static: list[Tensor]) -> tuple[Outputs, Callable[[], None]]:
        """Outputs of the captured work, and what does it again."""
        kept = [(x, x.clone()) for x in self.state()]
        try:
            # a seed set before the first call is that of its replay
            with torch.random.fork_rng([static[0].device] if static[0].is_cuda else []):
                warm_up(lambda: self.function(*static), static[0].device)
        finally:
            with torch.no_grad():
                for x, before in kept:
                    x.copy_(before)
        return capture(lambda: self.function(*static))


def captures(device: torch.device) -> bool:
    """Whether work on a device can be captured."""
    return device.type == "cuda"


def warm_up(work: Callable[[], Any], device: torch.device) -> None:
    """Call the work a few times in a stream of its own, as a capture needs."""
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream(device).wait_stream(side)


def capture(
    work: Callable[[], Outputs],
) -> tuple[Outputs, Callable[[], None]]:
    """Outputs of the work, whose kernels are recorded, not run; and what runs them."""
    graph = torch.cuda.CUDAGraph()
    # other threads may make images meanwhile
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = work()
    return outputs, graph.replay
