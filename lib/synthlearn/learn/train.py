"""The one training loop: a feed of images, a method over its views, an update; resumable to the bit on a CPU; on several processes as on one.

On a GPU a step is a CUDA graph, for which the host launches nothing and waits for nothing. A run whose step differs from the last run's in weights,
pictures or seed alone takes that step over.
"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..core import deadline, distributed, progress, rng
from ..core.augment import Augmentation
from ..core.errors import OutOfTime, ParameterError, TrainingDiverged
from ..core.graph import Replayed
from . import checkpoint as checkpoints
from .methods import Method

MOMENTUM = 0.9
BETAS = (0.9, 0.98)  # of AdamW (StableRep, authors' code)
WARM_UP = 0.2  # share of a one-cycle schedule that climbs
STEP_EPOCHS = (
    155 / 200,
    170 / 200,
    185 / 200,
)  # of a step schedule: × 0.1 after each (the noise paper: 155, 170, 185 of 200)
CURVE_POINTS = 200
COMPILED_FROM = 20_000  # steps on a GPU: compiling takes a minute or more
EXPLODED = 1e6  # no loss here is that large unless the weights run away
Step = tuple[int, int, Tensor]  # step, epoch, slots


@dataclass(frozen=True)
class Optimisation:
    """SGD with momentum 0.9 and weight decay on every parameter (authors' code), or AdamW with weight decay on matrices alone (StableRep's).

    ``lr`` is per 256 images of a batch. ``schedule``: "onecycle" climbs over the first fifth and falls by a cosine to zero;
    "step" is the paper's. ``precision``: "fp32", or "bf16" by autocast. ``last_batch`` of an epoch, smaller than the others: "kept", as in the
    reference, or it "waits": its images come in another epoch, all batches have one size.
    """

    epochs: int
    batch_size: int
    lr: float = 0.12
    schedule: str = "onecycle"
    weight_decay: float = 1e-4
    precision: str = "fp32"
    optimiser: str = "sgd"
    last_batch: str = "kept"

    def of(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over parameters of one device; its rate is set at every step, on a GPU in a tensor."""
        every = list(parameters)
        on_gpu = every[0].device.type == "cuda"
        more: dict[str, Any] = (
            {"lr": torch.zeros((), device=every[0].device), "fused": True}
            if on_gpu
            else {"lr": 0.0}
        )
        if self.optimiser == "sgd":
            optimiser: torch.optim.Optimizer = torch.optim.SGD(
                every, momentum=MOMENTUM, weight_decay=self.weight_decay, **more
            )
        else:
            groups = [
                {"params": [p for p in every if p.ndim > 1], "weight_decay": self.weight_decay},
                {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0},
            ]
            optimiser = torch.optim.AdamW(
                groups, betas=BETAS, **more, **({"capturable": True} if on_gpu else {})
            )
        if on_gpu:  # what a step changes has its place before the first one
            for p in every:
                optimiser.state[p] = self._state(p)
        return optimiser

    def _state(self, p: Tensor) -> dict[str, Tensor]:
        """What the optimiser keeps of a parameter, before any step."""
        if self.optimiser == "sgd":
            return {"momentum_buffer": torch.zeros_like(p)}
        return {
            "step": torch.zeros((), device=p.device),
            "exp_avg": torch.zeros_like(p),
            "exp_avg_sq": torch.zeros_like(p),
        }

    def described(self) -> dict[str, Any]:
        """For a record. SGD and a kept last batch are not named: they are older than the choices, and so are most records."""
        fields = asdict(self)
        if self.last_batch == "kept":
            del fields["last_batch"]
        return (
            {**fields, "betas": BETAS}
            if self.optimiser != "sgd"
            else {k: v for k, v in fields.items() if k != "optimiser"} | {"momentum": MOMENTUM}
        )

    def steps_per_epoch(self, n: int) -> int:
        """Batches in an epoch of n images; a last, smaller one that is kept counts if it has at least two images."""
        return n // self.batch_size + (self.last_batch == "kept" and n % self.batch_size >= 2)


@dataclass
class Trained:
    """What training leaves: curves (name → values at ``steps``), seconds in this process, number of tries that began from a checkpoint."""

    curves: dict[str, list[float]]
    seconds: float
    resumed: int


def learning_rate(step: int, steps: int, o: Optimisation) -> float:
    """Learning rate at ``step`` (from 0) of ``steps``."""
    peak = o.lr * o.batch_size / 256
    share = step / steps
    if o.schedule == "step":
        return peak * 0.1 ** sum(share >= s for s in STEP_EPOCHS)
    if share < WARM_UP:
        return peak * (step + 1) / max(1, round(steps * WARM_UP))
    return peak * 0.5 * (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))


class Batches(Protocol):
    """Where batches come from: ``n`` slots an epoch, and the pictures of each step of a plan (see :mod:`synthlearn.data.stream`)."""

    n: int
    device: torch.device

    def prefetch(self, plan: Iterable[Step]) -> Iterator[tuple[Step, Tensor]]:
        """The plan's steps, each with uint8 (b, 3, h, w) for its slots."""
        ...


class Order:
    """The n slots in a new order in every epoch, a function of (seed, epoch), cut into batches."""

    def __init__(self, n: int, o: Optimisation, seed: int, device: torch.device) -> None:
        self.n, self.o, self.seed, self.device = n, o, seed, device
        self.per_epoch = o.steps_per_epoch(n)
        if not self.per_epoch:
            raise ParameterError(
                f"batch_size = {o.batch_size}: no batch of it in {n} images; lower it or raise n_images"
            )

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Slots of each step of an epoch, int64 each."""
        return rng.permutation(
            rng.key("order", self.seed, epoch, device=self.device), self.n
        ).split(self.o.batch_size)

    def plan(self, steps: Iterable[int]) -> Iterator[Step]:
        """Epoch and slots of each step."""
        batches, of_epoch = self.batches(0), 0
        for step in steps:
            epoch, batch = divmod(step, self.per_epoch)
            if epoch != of_epoch:
                batches, of_epoch = self.batches(epoch), epoch
            yield step, epoch, batches[batch]


class CaptionOrder(Order):
    """Batches of ``m`` images of each of batch_size // m captions: StableRep's (Tian et al. 2023, authors' code).

    Every caption's images are dealt out in a new order in every epoch, m at a time; in a round each caption comes once. What is left over of
    a caption's images, and of a round's captions, waits for another epoch. A batch holds first one image of each caption, then another, so
    that its m equal parts have no two images of one caption.

    Raises: ParameterError when a caption has fewer than m images, or a batch holds fewer than two captions.
    """

    def __init__(
        self, captions: Tensor, m: int, o: Optimisation, seed: int, device: torch.device
    ) -> None:
        super().__init__(len(captions), o, seed, device)
        self.captions, self.m = captions.to(device), m
        counts = torch.bincount(captions)
        counts = counts[counts > 0]
        self.number, self.rounds, self.at_once = (
            len(counts),
            int(counts.min()) // m,
            min(o.batch_size // m, len(counts)),
        )
        if not self.rounds:
            raise ParameterError(
                f"{m} images per caption: a caption has {int(counts.min())}; lower images_per_caption or raise n_images"
            )
        if self.at_once < 2:
            raise ParameterError(
                f"batch_size = {o.batch_size}: holds {self.at_once} captions of {m} images each, at least 2 are needed; raise it"
            )
        self.per_epoch = self.rounds * (self.number // self.at_once)

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """As of any order; each (captions · m,), image by image."""
        order = rng.permutation(rng.key("order", self.seed, epoch, device=self.device), self.n)
        order = order[
            self.captions[order].argsort(stable=True)
        ]  # caption by caption, each in its new order
        counts = torch.bincount(self.captions)
        counts = counts[counts > 0]
        first = counts.cumsum(0) - counts
        found = []
        for turn in range(self.rounds):
            who = rng.permutation(
                rng.key("captions", self.seed, epoch, turn, device=self.device), self.number
            )
            dealt = order[
                first[who]
                + torch.arange(turn * self.m, (turn + 1) * self.m, device=self.device)[:, None]
            ]  # (m, captions)
            found += [
                part.flatten()
                for part in dealt.split(self.at_once, 1)
                if part.shape[1] == self.at_once
            ]
        return found


class Training:
    """One method's updates: the one step there is, whatever the method.

    The step is a function of tensors of fixed shapes: pictures → views → :meth:`Method.outputs` → loss → update. What it changes keeps its place in
    memory, and it reads nothing back, so that a GPU can replay it.
    """

    def __init__(
        self, method: Method, views: Augmentation, o: Optimisation, device: torch.device
    ) -> None:
        self.method, self.views, self.o, self.device = method, views, o, device
        method.to(device).train()
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        distributed.synchronise_statistics(method)
        self.trained = [p for p in method.parameters() if p.requires_grad]
        self.optimiser = o.of(self.trained)
        self.terms: list[str] = []  # names of what a step returns
        self._replayed = Replayed(self._update, self.state)

    def step(
        self, pictures: Tensor, slots: Tensor, keys: Tensor, labels: Tensor | None, rate: float
    ) -> Tensor:
        """One update.

        Args:
            pictures: uint8 (b, 3, h, w), with their slots, int64 (b,), and classes, int64 (b,), for a labelled method.
            keys: int64 scalar, of the views of the epoch.
            rate: the learning rate.

        Returns: the loss and its parts, float32 (terms,), overwritten by the next step.
        """
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        inputs = (pictures, slots, keys, *(() if labels is None else (labels,)))
        return (self._update if distributed.several() else self._replayed)(*inputs)[0]

    def _update(
        self, pictures: Tensor, slots: Tensor, keys: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor]:
        def share(x: Tensor) -> Tensor:  # of this process; the images of a caption stay in one
            together = x.view(self.method.images_per_label or 1, -1, *x.shape[1:])
            return together[:, distributed.share(together.shape[1])].flatten(0, 1)

        each = torch.stack(
            [rng.fold(keys, share(slots), view) for view in range(self.method.views)]
        )
        half = self.o.precision == "bf16"
        # colours are computed in float32 and rounded once, as the first layer would
        views = self.views(share(pictures), each, torch.bfloat16 if half else torch.float32)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            outputs = self.method.outputs(views)
        outputs = [distributed.gather(z.float()) for z in outputs]
        loss, parts = self.method.loss(
            outputs, None if labels is None else distributed.gather(share(labels))
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        distributed.add_gradients(self.trained)
        self.optimiser.step()
        self.method.after([z.detach() for z in outputs])
        self.terms = ["loss", *parts]
        return (torch.stack([loss.detach(), *parts.values()]),)

    def state(self) -> list[Tensor]:
        """All that a step changes."""
        kept = [
            value
            for p in self.trained
            for value in self.optimiser.state[p].values()
            if isinstance(value, Tensor)
        ]
        return [*self.method.parameters(), *self.method.buffers(), *kept]

    @torch.no_grad()
    def take(self, method: Method) -> None:
        """Copy the values of a method of the same form into place, and forget what the optimiser has seen."""
        for place, value in zip(_tensors(self.method), _tensors(method), strict=True):
            place.copy_(value)
        for p in self.trained:
            for value in self.optimiser.state[p].values():
                value.zero_()


def _tensors(method: Method) -> list[Tensor]:
    return [*method.parameters(), *method.buffers()]


def _form(
    method: Method, views: Augmentation, o: Optimisation, device: torch.device, compiled: bool
) -> tuple[Any, ...]:
    """All that decides a step but values: trainings of one form may share it."""
    shapes = [(x.shape, x.dtype) for x in _tensors(method)]
    settings = (o.precision, o.optimiser, o.weight_decay)
    return (
        type(method),
        method.o,
        type(method.encoder),
        method.encoder.options,
        views,
        settings,
        device,
        compiled,
        shapes,
    )


_last: list[
    tuple[tuple[Any, ...], Training]
] = []  # the last form on a GPU and its training, whose graphs the next one may use


def _shared(device: torch.device) -> bool:
    return device.type == "cuda" and not distributed.several()


def _training(
    method: Method, views: Augmentation, o: Optimisation, device: torch.device, compiled: bool
) -> Training:
    """A training of the method; on a GPU of a copy of it, in the place of the last one's where their forms are the same."""
    method.to(device).train()
    if not _shared(device):
        return Training(method, views, o, device)
    form = _form(method, views, o, device, compiled)
    if not _last or _last[0][0] != form:
        _last.clear()  # before the new one needs its memory
        _last.append((form, Training(copy.deepcopy(method), views, o, device)))
        if compiled:
            encoder: Any = _last[0][1].method.encoder
            encoder.embed = torch.compile(encoder.embed)
    _last[0][1].take(method)
    return _last[0][1]


def pretrain(
    images: Tensor | Batches,
    method: Method,
    augmentation: Augmentation,
    o: Optimisation,
    seed: int = 0,
    checkpoint: Path | None = None,
    identity: str = "",
    on_step: Callable[[int], None] | None = None,
    until: int | None = None,
    labels: Tensor | None = None,
) -> Trained:
    """Train a method's encoder in place. Under ``accelerate launch`` every process takes its share of each batch, see :mod:`synthlearn.core.distributed`.

    Args:
        images: uint8 (n, 3, h, w) on the training device, or a feed of such.
        method: a loss over ``method.views`` views of each image, with the encoder inside.
        seed: of the order of images and of the views. Both are functions of (seed, epoch, image): nothing random is kept.
        checkpoint: file to continue from if it exists, written about every 20 seconds; the caller removes it once the encoder
            is in a safe place.
        identity: what a checkpoint must say it belongs to (the id of the row's spec).
        on_step: called with the number of finished steps, for tests and progress.
        until: stop after this many steps, without finishing (to replay the start of a recorded run).
        labels: class of each slot, int64 (n,), for a labelled method.

    Raises: CheckpointError if the checkpoint is damaged or belongs to another run; TrainingDiverged if the loss is not finite;
        ParameterError if a labelled method has no labels; OutOfTime when the deadline has passed, after writing the checkpoint.
    """
    if method.labelled and labels is None:
        raise ParameterError(
            f"{type(method).__name__}: needs the classes of a fixed pool; choose a source that has classes, and refresh = 0"
        )
    device, n, began = (
        images.device,
        len(images) if isinstance(images, Tensor) else images.n,
        time.perf_counter(),
    )
    order: Order
    if method.images_per_label and labels is not None:
        order = CaptionOrder(labels, method.images_per_label, o, seed, device)
        distributed.check_batches(order.at_once * order.per_epoch, order.at_once)
    else:
        order = Order(n, o, seed, device)
        distributed.check_batches(
            n if o.last_batch == "kept" else n - n % o.batch_size, o.batch_size
        )
    labels = labels.to(device) if method.labelled and labels is not None else None
    steps = o.epochs * order.per_epoch
    training = _training(method, augmentation, o, device, steps >= COMPILED_FROM)
    every = max(1, math.ceil(steps / CURVE_POINTS))
    states = {"method": training.method.state_dict()}
    reached = checkpoints.Progress(curves={"step": []})
    if checkpoint is not None and checkpoint.exists():
        reached = checkpoints.restore(checkpoint, identity, states, training.optimiser)
        reached.resumed += 1
    saved, spent, recent = time.perf_counter(), reached.seconds, None
    planned = order.plan(range(reached.step, min(steps, until or steps)))
    batches = (
        ((step, images[step[2]]) for step in planned)
        if isinstance(images, Tensor)
        else images.prefetch(planned)
    )
    of_epoch, keys = -1, torch.zeros((), dtype=torch.int64)
    with progress.bar(steps, "training", "step") as shown:
        shown.update(reached.step)
        for (step, epoch, slots), pictures in batches:
            if epoch != of_epoch:
                of_epoch, keys = epoch, rng.key("views", seed, epoch, device=device)
            rate = learning_rate(step, steps, o)
            found = training.step(
                pictures, slots, keys, None if labels is None else labels[slots], rate
            )
            if recent is None:
                recent, filled = torch.empty((len(found), every), device=device), 0
            recent[:, filled] = found
            filled += 1
            reached.step = step + 1
            if reached.step % every == 0 or reached.step == steps:
                _log(
                    reached,
                    dict(zip(training.terms, recent[:, :filled].cpu(), strict=True)),
                    checkpoint,
                    rate,
                )
                filled = 0
                shown.set_postfix(loss=f"{reached.curves['loss'][-1]:.3f}", refresh=False)
            shown.update()
            late = checkpoint is not None and deadline.passed() and not filled
            if (
                checkpoint is not None
                and distributed.first()
                and not filled
                and (late or time.perf_counter() - saved > checkpoints.SECONDS)
            ):
                reached.seconds = spent + time.perf_counter() - began
                checkpoints.save(checkpoint, identity, reached, states, training.optimiser)
                saved = time.perf_counter()
            if on_step is not None:
                on_step(reached.step)
            if late:
                raise OutOfTime(
                    f"the time is over after {reached.step} of {steps} updates, which are kept: the next call goes on from there"
                )
    if training.method is not method:
        with torch.no_grad():
            for place, value in zip(_tensors(method), _tensors(training.method), strict=True):
                place.copy_(value)
    method.eval()
    return Trained(reached.curves, spent + time.perf_counter() - began, reached.resumed)


def _log(
    reached: checkpoints.Progress, recent: dict[str, Tensor], checkpoint: Path | None, lr: float
) -> None:
    """Append the means since the last point; ``recent``: values by name, (steps,). Raises TrainingDiverged."""
    curves = reached.curves
    curves["step"].append(reached.step)
    for name, values in recent.items():
        value = float(values.mean())
        if not math.isfinite(value) or abs(value) > EXPLODED:
            if checkpoint is not None:
                checkpoint.unlink(missing_ok=True)
            raise TrainingDiverged(
                f"{name} = {value} at step {reached.step}, where lr was {lr:.3g}: training diverged; try a lr three times lower, a larger batch_size, or "
                f"precision = 'fp32' (-p lr …, --set lr=…)"
            )
        curves.setdefault(name, []).append(round(value, 6))
