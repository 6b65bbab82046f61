"""The training step, the same for every method.

On a GPU it is a CUDA graph, for which the host launches nothing and waits for nothing. A run whose
step differs from the last run's in weights, images or seed alone takes that step over.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from ..core import distributed, rng
from ..core.augment import Augmentation
from ..core.graph import Replayed
from .methods import Method
from .optimisation import Optimisation


class UpdateStep:
    """One method's updates: images → views → :meth:`Method.outputs` → loss → update.

    The step is a function of tensors of fixed shapes. What it changes keeps its place in memory,
    and it reads nothing back, so that a GPU can replay it.

    >>> from synthlearn.learn.encoders import SmallAlexNet
    >>> from synthlearn.learn.methods import SimCLR
    >>> method = SimCLR(SmallAlexNet(width=1 / 16, input_size=32))
    >>> settings = Optimisation(epochs=1, batch_size=8)
    >>> update = UpdateStep(method, Augmentation(crop=32), settings, torch.device("cpu"))
    >>> pictures = torch.zeros(8, 3, 40, 40, dtype=torch.uint8)
    >>> values = update(pictures, torch.arange(8), rng.key("views", 0, 0), None, rate=0.1)
    >>> dict(zip(update.terms, values.tolist(), strict=True)).keys()
    dict_keys(['loss', 'align', 'uniform'])
    """

    def __init__(
        self, method: Method, views: Augmentation, optimisation: Optimisation, device: torch.device
    ) -> None:
        self.method, self.views = method, views
        self.optimisation, self.device = optimisation, device
        method.to(device).train()
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        distributed.synchronise_statistics(method)
        self.parameters = [p for p in method.parameters() if p.requires_grad]
        self.optimiser = optimisation.build(self.parameters)
        self.terms: list[str] = []  # names of what a step returns
        self._replayed = Replayed(self._update, self.state)

    def __call__(
        self, pictures: Tensor, indices: Tensor, keys: Tensor, labels: Tensor | None, rate: float
    ) -> Tensor:
        """One update.

        Args:
            pictures: uint8 (b, 3, h, w).
            indices: of the images, int64 (b,).
            keys: int64 scalar, of the views of the epoch.
            labels: classes of the images, int64 (b,), for a labelled method.
            rate: the learning rate.

        Returns: the loss and its parts, float32 (terms,), overwritten by the next step.
        """
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        inputs = (pictures, indices, keys, *(() if labels is None else (labels,)))
        return (self._update if distributed.several() else self._replayed)(*inputs)[0]

    def _update(
        self, pictures: Tensor, indices: Tensor, keys: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor]:
        each = torch.stack(
            [rng.fold(keys, self._share(indices), view) for view in range(self.method.views)]
        )
        half = self.optimisation.precision == "bf16"
        # colours are computed in float32 and rounded once, as the first layer would
        dtype = torch.bfloat16 if half else torch.float32
        views = self.views(self._share(pictures), each, dtype)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            outputs = self.method.outputs(views)
        outputs = [distributed.gather(z.float()) for z in outputs]
        classes = None if labels is None else distributed.gather(self._share(labels))
        loss, parts = self.method.loss(outputs, classes)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        distributed.add_gradients(self.parameters)
        self.optimiser.step()
        self.method.after_step([z.detach() for z in outputs])
        self.terms = ["loss", *parts]
        return (torch.stack([loss.detach(), *parts.values()]),)

    def _share(self, x: Tensor) -> Tensor:
        """This process's rows of a batch; the images of a caption stay in one process."""
        together = x.view(self.method.images_per_label or 1, -1, *x.shape[1:])
        return together[:, distributed.share(together.shape[1])].flatten(0, 1)

    def state(self) -> list[Tensor]:
        """All that a step changes."""
        kept = [
            value
            for p in self.parameters
            for value in self.optimiser.state[p].values()
            if isinstance(value, Tensor)
        ]
        return [*tensors(self.method), *kept]

    @torch.no_grad()
    def take(self, method: Method) -> None:
        """Copy the values of a method of the same form into place, and forget what the optimiser
        has seen."""
        copy_values(method, self.method)
        for p in self.parameters:
            for value in self.optimiser.state[p].values():
                value.zero_()


def tensors(method: Method) -> list[Tensor]:
    """Parameters and buffers of a method."""
    return [*method.parameters(), *method.buffers()]


@torch.no_grad()
def copy_values(source: Method, target: Method) -> None:
    """Copy the values of a method into the places of another of the same form."""
    for place, value in zip(tensors(target), tensors(source), strict=True):
        place.copy_(value)


# the last form of a step on a GPU and that step, whose graphs the next run may use
_last: list[tuple[tuple[Any, ...], UpdateStep]] = []


def step_for(
    method: Method,
    views: Augmentation,
    optimisation: Optimisation,
    device: torch.device,
    compiled: bool,
) -> UpdateStep:
    """The step of a method; on a GPU that of a copy of it, in the place of the last run's where
    their forms are the same.

    Args:
        compiled: compile the network, which a GPU alone does.
    """
    method.to(device).train()
    if not _is_shared(device):
        return UpdateStep(method, views, optimisation, device)
    form = _form(method, views, optimisation, device, compiled)
    if not _last or _last[0][0] != form:
        _last.clear()  # before the new one needs its memory
        _last.append((form, UpdateStep(copy.deepcopy(method), views, optimisation, device)))
        if compiled:
            encoder: Any = _last[0][1].method.encoder
            encoder.embed = torch.compile(encoder.embed)
    _last[0][1].take(method)
    return _last[0][1]


def _is_shared(device: torch.device) -> bool:
    return device.type == "cuda" and not distributed.several()


def _form(
    method: Method,
    views: Augmentation,
    optimisation: Optimisation,
    device: torch.device,
    compiled: bool,
) -> tuple[Any, ...]:
    """All that decides a step but values: runs of one form may share it."""
    shapes = [(x.shape, x.dtype) for x in tensors(method)]
    settings = (optimisation.precision, optimisation.optimiser, optimisation.weight_decay)
    return (
        type(method),
        method.options,
        type(method.encoder),
        method.encoder.options,
        views,
        settings,
        device,
        compiled,
        shapes,
    )
