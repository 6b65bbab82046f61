"""The training loop: images, a method over their views, updates; resumable to the bit on a CPU,
and on several processes as on one."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..core import deadline, distributed, progress, rng
from ..core.augment import Augmentation
from ..core.errors import OutOfTime, ParameterError, TrainingDiverged
from . import checkpoint as checkpoints
from .checkpoint import Progress
from .methods import Method
from .optimisation import Optimisation, learning_rate
from .order import Batches, CaptionOrder, Order, Step
from .step import copy_values, step_for

__all__ = ["Optimisation", "Trained", "Training"]

CURVE_POINTS = 200  # of a whole training; chosen here
COMPILED_FROM = 20_000  # steps on a GPU: compiling takes a minute or more
EXPLODED = 1e6  # no loss here is that large unless the weights run away


@dataclass
class Trained:
    """What training leaves.

    curves: name → values; "step" has the number of finished steps at each.
    seconds: of training, in all tries.
    resumed: number of tries that began from a checkpoint.
    """

    curves: dict[str, list[float]]
    seconds: float
    resumed: int


@dataclass
class Training:
    """What an encoder is trained on, and how.

    Args:
        images: uint8 (n, 3, h, w) on the training device, or batches of such.
        method: a loss over ``method.views`` views of each image, with the encoder inside.
        views: how they are drawn.
        optimisation: how weights are updated.
        seed: of the order of images and of the views. Both are functions of (seed, epoch, image):
            nothing random is kept.
        labels: class of each image, int64 (n,), for a labelled method.

    Raises: ParameterError if a labelled method has no labels, or no batch can be filled.

    >>> import synthlearn as sl
    >>> from synthlearn.learn.methods import AlignUniform
    >>> images = sl.generator("noise-white").sample(range(32), size=32)
    >>> method = AlignUniform(sl.encoders.SmallAlexNet(width=1 / 16, input_size=32))
    >>> views, settings = sl.augment.Augmentation(crop=32), Optimisation(epochs=2, batch_size=16)
    >>> trained = Training(images, method, views, settings).run()
    >>> trained.curves["step"]
    [1, 2, 3, 4]
    """

    images: Tensor | Batches
    method: Method
    views: Augmentation
    optimisation: Optimisation
    seed: int = 0
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        if self.method.labelled and self.labels is None:
            raise ParameterError(
                f"{type(self.method).__name__}: needs the classes of a fixed pool; "
                "choose a source that has classes, and refresh = 0"
            )

    @property
    def device(self) -> torch.device:
        """Where the training happens: where its images are."""
        return self.images.device

    def order(self) -> Order:
        """The order of its images; raises ParameterError when it fills no batch."""
        method, labels = self.method, self.labels
        if method.images_per_label and labels is not None:
            m = method.images_per_label
            return CaptionOrder(labels, m, self.optimisation, self.seed, self.device)
        n = len(self.images) if isinstance(self.images, Tensor) else self.images.n
        return Order(n, self.optimisation, self.seed, self.device)

    def views_seen(self) -> int:
        """Views that the whole training shows its network."""
        images = self.optimisation.epochs * self.order().images_per_epoch()
        return self.method.views * images

    def run(
        self,
        checkpoint: Path | None = None,
        identity: str = "",
        until: int | None = None,
        on_step: Callable[[int], None] | None = None,
    ) -> Trained:
        """Train the method's encoder in place. Under ``accelerate launch`` every process takes its
        share of each batch, see :mod:`synthlearn.core.distributed`.

        Args:
            checkpoint: file to continue from if it exists, written about every 20 seconds; the
                caller removes it once the encoder is in a safe place.
            identity: what a checkpoint must say it belongs to (the id of the row's spec).
            until: stop after this many steps, without finishing (to replay the start of a recorded
                run).
            on_step: called with the number of finished steps, for tests and progress.

        Raises: CheckpointError if the checkpoint is damaged or belongs to another run;
        TrainingDiverged if the loss is not finite; OutOfTime when the deadline has passed, after
        writing the checkpoint.
        """
        run = _Run(self, checkpoint, identity)
        run.loop(until, on_step)
        return run.finish()


class _Run:
    """One run of a training: what is set up, how far it is."""

    def __init__(self, training: Training, checkpoint: Path | None, identity: str) -> None:
        self.began = time.perf_counter()
        self.training, self.path, self.identity = training, checkpoint, identity
        method, device = training.method, training.device
        optimisation, labels = training.optimisation, training.labels
        self.order = training.order()
        _check_shares(self.order, optimisation)
        self.steps = optimisation.epochs * self.order.per_epoch
        self.labels = labels.to(device) if method.labelled and labels is not None else None
        compiled = self.steps >= COMPILED_FROM
        self.update = step_for(method, training.views, optimisation, device, compiled)
        self.progress = self._restored()
        self.before = self.progress.seconds  # of earlier tries
        self.saved = time.perf_counter()
        self.recent = _Recent(max(1, math.ceil(self.steps / CURVE_POINTS)), device)

    def _restored(self) -> Progress:
        """How far the checkpoint is, whose values are put in place; or the start."""
        if self.path is None or not self.path.exists():
            return Progress(curves={"step": []})
        optimiser = self.update.optimiser
        reached = checkpoints.restore(self.path, self.identity, self._states(), optimiser)
        reached.resumed += 1
        return reached

    def _states(self) -> dict[str, dict[str, Tensor]]:
        return {"method": self.update.method.state_dict()}

    def loop(self, until: int | None, on_step: Callable[[int], None] | None) -> None:
        """Make the steps that are left, up to ``until``."""
        reached, seed = self.progress, self.training.seed
        epoch, keys = -1, torch.zeros((), dtype=torch.int64)
        plan = self.order.plan(range(reached.step, min(self.steps, until or self.steps)))
        with progress.bar(self.steps, "training", "step") as bar:
            bar.update(reached.step)
            for step, pictures in self._batches(plan):
                if step.epoch != epoch:
                    epoch = step.epoch
                    keys = rng.key("views", seed, epoch, device=self.training.device)
                labels = None if self.labels is None else self.labels[step.indices]
                rate = learning_rate(step.number, self.steps, self.training.optimisation)
                self.recent.add(self.update(pictures, step.indices, keys, labels, rate))
                reached.step = step.number + 1
                if reached.step % self.recent.size == 0 or reached.step == self.steps:
                    self._add_point(rate)
                    bar.set_postfix(loss=f"{reached.curves['loss'][-1]:.3f}", refresh=False)
                bar.update()
                late = self._save_if_due()
                if on_step is not None:
                    on_step(reached.step)
                if late:
                    raise OutOfTime(
                        f"the time is over after {reached.step} of {self.steps} updates, "
                        "which are kept: the next call goes on from there"
                    )

    def _batches(self, plan: Iterable[Step]) -> Iterable[tuple[Step, Tensor]]:
        images = self.training.images
        if isinstance(images, Tensor):
            return ((step, images[step.indices]) for step in plan)
        return images.prefetch(plan)

    def _add_point(self, rate: float) -> None:
        """Append the means since the last point to the curves. Raises TrainingDiverged."""
        step, curves = self.progress.step, self.progress.curves
        curves["step"].append(step)
        for name, value in zip(self.update.terms, self.recent.means(), strict=True):
            if not math.isfinite(value) or abs(value) > EXPLODED:
                if self.path is not None:
                    self.path.unlink(missing_ok=True)
                raise TrainingDiverged(
                    f"{name} = {value} at step {step}, where lr was {rate:.3g}: training diverged; "
                    "try a lr three times lower, a larger batch_size, or precision = 'fp32' "
                    "(-p lr …, --set lr=…)"
                )
            curves.setdefault(name, []).append(round(value, 6))

    def _save_if_due(self) -> bool:
        """Write the checkpoint, between points of the curves alone, where it is time; whether the
        time is over."""
        if self.path is None or self.recent.filled:
            return False
        late, now = deadline.passed(), time.perf_counter()
        if distributed.first() and (late or now - self.saved > checkpoints.SECONDS):
            self.progress.seconds = self.before + now - self.began
            optimiser = self.update.optimiser
            checkpoints.save(self.path, self.identity, self.progress, self._states(), optimiser)
            self.saved = time.perf_counter()
        return late

    def finish(self) -> Trained:
        """Leave the trained values in the method that was given."""
        method = self.training.method
        if self.update.method is not method:
            copy_values(self.update.method, method)
        method.eval()
        seconds = self.before + time.perf_counter() - self.began
        return Trained(self.progress.curves, seconds, self.progress.resumed)


class _Recent:
    """Losses of up to ``size`` steps since the last point of the curves, kept on the device: the
    host waits for them once a point."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.size, self.device = size, device
        self.filled = 0
        self.values: Tensor | None = None  # (terms, size)

    def add(self, values: Tensor) -> None:
        """Keep a step's values, float32 (terms,)."""
        if self.values is None:
            self.values = torch.empty((len(values), self.size), device=self.device)
        self.values[:, self.filled] = values
        self.filled += 1

    def means(self) -> Iterator[float]:
        """Mean of each term, after which nothing is kept."""
        assert self.values is not None
        values, self.filled = self.values[:, : self.filled].cpu(), 0
        return (float(row.mean()) for row in values)


def _check_shares(order: Order, optimisation: Optimisation) -> None:
    """Raise ParameterError unless processes can share every batch of an epoch equally."""
    if isinstance(order, CaptionOrder):
        distributed.check_batches(order.at_once * order.per_epoch, order.at_once)
        return
    size = optimisation.batch_size
    kept = order.n if optimisation.last_batch == "kept" else order.n - order.n % size
    distributed.check_batches(kept, size)
