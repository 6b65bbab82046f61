"""The one training loop: a feed of images, a method over its views, SGD; resumable to the bit on a CPU; on several processes as on one."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from . import distributed, encoders, files, progress, rng
from .augment import Augmentation
from .errors import CheckpointError, ParameterError, TrainingDiverged
from .methods import Method

MOMENTUM = 0.9
BETAS = (0.9, 0.98)  # of AdamW (StableRep, authors' code)
WARM_UP = 0.2  # share of a one-cycle schedule that climbs
STEP_EPOCHS = (155 / 200, 170 / 200, 185 / 200)  # of a step schedule: × 0.1 after each (the noise paper: 155, 170, 185 of 200)
CHECKPOINT_SECONDS = 20.0
CURVE_POINTS = 200
COMPILED_FROM = 2000  # steps on a GPU: compiling took 40 seconds on an H100 with sixteen cores
EXPLODED = 1e6  # no loss here is that large unless the weights run away
Step = tuple[int, int, Tensor]  # step, epoch, slots


@dataclass(frozen=True)
class Optimisation:
    """SGD with momentum 0.9 and weight decay on every parameter (authors' code), or AdamW with weight decay on matrices alone (StableRep's).

    ``lr`` is per 256 images of a batch. ``schedule``: "onecycle" climbs over the first fifth and falls by a cosine to zero;
    "step" is the paper's. ``precision``: "fp32", or "bf16" by autocast.
    """

    epochs: int
    batch_size: int
    lr: float = 0.12
    schedule: str = "onecycle"
    weight_decay: float = 1e-4
    precision: str = "fp32"
    optimiser: str = "sgd"

    def of(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over parameters; its rate is set at every step."""
        if self.optimiser == "sgd":
            return torch.optim.SGD(parameters, lr=0.0, momentum=MOMENTUM, weight_decay=self.weight_decay)
        every = list(parameters)
        groups = [
            {"params": [p for p in every if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=0.0, betas=BETAS)

    def described(self) -> dict[str, Any]:
        """For a record. SGD is not named: it is older than the choice, and so are most records."""
        fields = asdict(self)
        return {**fields, "betas": BETAS} if self.optimiser != "sgd" else {k: v for k, v in fields.items() if k != "optimiser"} | {"momentum": MOMENTUM}

    def steps_per_epoch(self, n: int) -> int:
        """Batches in an epoch of n images; a last, smaller one counts if it has at least two images."""
        return n // self.batch_size + (n % self.batch_size >= 2)


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


class Feed(Protocol):
    """Where batches come from: ``n`` slots an epoch, and the pictures of each step of a plan (see :mod:`synthlearn.stream`)."""

    n: int
    device: torch.device

    def ahead(self, plan: Iterable[Step]) -> Iterator[tuple[Step, Tensor]]:
        """The plan's steps, each with uint8 (b, 3, h, w) for its slots."""
        ...


class Order:
    """The n slots in a new order in every epoch, a function of (seed, epoch), cut into batches."""

    def __init__(self, n: int, o: Optimisation, seed: int, device: torch.device) -> None:
        self.n, self.o, self.seed, self.device = n, o, seed, device
        self.per_epoch = o.steps_per_epoch(n)

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Slots of each step of an epoch, int64 each."""
        return rng.permutation(rng.key("order", self.seed, epoch, device=self.device), self.n).split(self.o.batch_size)

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

    def __init__(self, captions: Tensor, m: int, o: Optimisation, seed: int, device: torch.device) -> None:
        super().__init__(len(captions), o, seed, device)
        self.captions, self.m = captions.to(device), m
        counts = torch.bincount(captions)
        counts = counts[counts > 0]
        self.number, self.rounds, self.at_once = len(counts), int(counts.min()) // m, min(o.batch_size // m, len(counts))
        if not self.rounds:
            raise ParameterError(f"{m} images per caption: a caption has {int(counts.min())}; lower images_per_caption or raise n_images")
        if self.at_once < 2:
            raise ParameterError(f"batch_size = {o.batch_size}: holds {self.at_once} captions of {m} images each, at least 2 are needed; raise it")
        self.per_epoch = self.rounds * (self.number // self.at_once)

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """As of any order; each (captions · m,), image by image."""
        order = rng.permutation(rng.key("order", self.seed, epoch, device=self.device), self.n)
        order = order[self.captions[order].argsort(stable=True)]  # caption by caption, each in its new order
        counts = torch.bincount(self.captions)
        counts = counts[counts > 0]
        first = counts.cumsum(0) - counts
        found = []
        for turn in range(self.rounds):
            who = rng.permutation(rng.key("captions", self.seed, epoch, turn, device=self.device), self.number)
            dealt = order[first[who] + torch.arange(turn * self.m, (turn + 1) * self.m, device=self.device)[:, None]]  # (m, captions)
            found += [part.flatten() for part in dealt.split(self.at_once, 1) if part.shape[1] == self.at_once]
        return found


def pretrain(
    images: Tensor | Feed,
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
    """Train a method's encoder in place. Under ``accelerate launch`` every process takes its share of each batch, see :mod:`synthlearn.distributed`.

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
        ParameterError if a labelled method has no labels.
    """
    if method.labelled and labels is None:
        raise ParameterError(f"{type(method).__name__}: needs the classes of a fixed pool; choose a source that has classes, and refresh = 0")
    device, n, began = images.device, len(images) if isinstance(images, Tensor) else images.n, time.perf_counter()
    method.to(device).train()
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    distributed.synchronise_statistics(method)
    trained = [p for p in method.parameters() if p.requires_grad]
    optimiser = o.of(trained)
    order: Order
    if method.images_per_label and labels is not None:
        order = CaptionOrder(labels, method.images_per_label, o, seed, device)
        distributed.check_batches(order.at_once * order.per_epoch, order.at_once)
    else:
        order = Order(n, o, seed, device)
        distributed.check_batches(n, o.batch_size)
    steps = o.epochs * order.per_epoch
    every = max(1, math.ceil(steps / CURVE_POINTS))
    start, resumed, spent = 0, 0, 0.0
    curves: dict[str, list[float]] = {"step": []}
    if checkpoint is not None and checkpoint.exists():
        start, resumed, curves, spent = _restore(checkpoint, method, optimiser, identity)
        resumed += 1
    if device.type == "cuda" and steps >= COMPILED_FROM:
        method.forward_encoder = torch.compile(method.encoder.forward)
    saved = time.perf_counter()
    recent: list[dict[str, Tensor]] = []
    planned = order.plan(range(start, min(steps, until or steps)))
    batches = ((step, images[step[2]]) for step in planned) if isinstance(images, Tensor) else images.ahead(planned)
    with progress.bar(steps, "training", "step") as shown:
        shown.update(start)
        for (step, epoch, index), batch in batches:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, steps, o)
            chosen = None if labels is None else labels[index.to(labels.device)].to(device)
            loss, terms = _step(batch, index, chosen, method, augmentation, o, rng.key("views", seed, epoch, device=device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            distributed.add_gradients(trained)
            optimiser.step()
            recent.append({"loss": loss.detach(), **terms})
            if (step + 1) % every == 0 or step + 1 == steps:
                _log(curves, step, recent, checkpoint, optimiser.param_groups[0]["lr"])
                recent = []
                shown.set_postfix(loss=f"{curves['loss'][-1]:.3f}", refresh=False)
            shown.update()
            if checkpoint is not None and distributed.first() and not recent and time.perf_counter() - saved > CHECKPOINT_SECONDS:
                _save(checkpoint, method, optimiser, step + 1, resumed, curves, spent + time.perf_counter() - began, identity)
                saved = time.perf_counter()
            if on_step is not None:
                on_step(step + 1)
    method.eval()
    return Trained(curves, spent + time.perf_counter() - began, resumed)


def _step(
    batch: Tensor, index: Tensor, labels: Tensor | None, method: Method, augmentation: Augmentation, o: Optimisation, keys: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of one batch: this process's share of the views goes through the network, the loss sees all of them."""
    together = method.images_per_label or 1  # the images of a caption stay in one process
    part = torch.arange(len(batch), device=index.device).view(together, -1)[:, distributed.share(len(batch) // together)].flatten()
    views = [
        augmentation(batch[part.to(batch.device)], rng.fold(keys, index[part], view)) for view in range(method.views)
    ]  # float32: colours are not to be rounded
    with torch.autocast(batch.device.type, torch.bfloat16, enabled=o.precision == "bf16"):
        outputs = method.outputs(views)
    labels = None if labels is None else distributed.gather(labels[part.to(labels.device)])
    return method.loss([distributed.gather(z.float()) for z in outputs], labels)


def _log(curves: dict[str, list[float]], step: int, recent: list[dict[str, Tensor]], checkpoint: Path | None, lr: float) -> None:
    """Append the means since the last point. Raises TrainingDiverged."""
    curves["step"].append(step + 1)
    for name in recent[0]:
        value = float(torch.stack([r[name] for r in recent]).mean())
        if not math.isfinite(value) or abs(value) > EXPLODED:
            if checkpoint is not None:
                checkpoint.unlink(missing_ok=True)
            raise TrainingDiverged(
                f"{name} = {value} at step {step + 1}, where lr was {lr:.3g}: training diverged; try a lr three times lower, a larger batch_size, or "
                f"precision = 'fp32' (-p lr …, --set lr=…)"
            )
        curves.setdefault(name, []).append(round(value, 6))


def _save(path: Path, method: Method, optimiser: torch.optim.Optimizer, step: int, resumed: int, curves: dict, seconds: float, identity: str) -> None:
    tensors = {f"method.{k}": v for k, v in method.state_dict().items()}
    for i, p in enumerate(p for group in optimiser.param_groups for p in group["params"]):
        tensors |= {f"optimiser.{i}.{key}": value for key, value in optimiser.state[p].items() if isinstance(value, Tensor)}
    files.save_tensors(path, tensors, {"kind": "checkpoint", "step": step, "resumed": resumed, "curves": curves, "seconds": seconds, "identity": identity})


def _restore(path: Path, method: Method, optimiser: torch.optim.Optimizer, identity: str) -> tuple[int, int, dict[str, list[float]], float]:
    tensors, header = files.load_tensors(path)
    if header.get("kind") != "checkpoint":
        raise CheckpointError(f"{path}: is no checkpoint of a training; choose another name, or delete it to start over")
    if header.get("identity") != identity:
        raise CheckpointError(f"{path}: belongs to another run ({str(header.get('identity'))[:12]}, not {identity[:12]}); delete it to start over")
    encoders.restore(method, {k.removeprefix("method."): v for k, v in tensors.items() if k.startswith("method.")}, path)
    each = [p for group in optimiser.param_groups for p in group["params"]]
    try:
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, i, key = name.split(".")
                parameter = each[int(i)]
                if key != "step" and value.shape != parameter.shape:
                    raise ValueError(f"{name} has shape {tuple(value.shape)}")
                optimiser.state[parameter][key] = value.to("cpu" if key == "step" else parameter.device)
        kinds = {"step": int, "resumed": int, "curves": dict, "seconds": float}
        if wrong := [name for name, kind in kinds.items() if not isinstance(header[name], kind)]:
            raise TypeError(f"{wrong[0]} = {str(header[wrong[0]])[:80]}")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: a checkpoint of another version ({error}); delete it to start over") from error
    return header["step"], header["resumed"], header["curves"], header["seconds"]
