"""Flow matching with straight paths (Lipman et al. 2023): training of the learned text-to-image
model, and its denoiser.

x_t = (1 − t)·x₀ + t·ε, and the network learns the velocity ε − x₀. With σ = t/(1 − t) and
x_σ = x_t/(1 − t) this is the same process as x₀ + σε, so the model is sampled, and guided, as any
other denoiser here.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..core import deadline, files, progress, rng
from ..core.errors import CheckpointError, OutOfTime, ParameterError, TrainingDiverged
from ..core.graph import Replayed
from ..core.options import Options, build
from ..learn import checkpoint
from ..learn.weights import restore
from .sampling import Denoiser
from .unet import UNet

FREE = 0.1  # share of images whose caption is withheld; Ho & Salimans 2022
BETAS = (0.9, 0.99)  # of Adam; chosen here
WARM_UP = 500  # steps in which the rate climbs, at most a tenth of all; chosen here
FALL = 0.3  # share of the steps in which it falls to 0; chosen here
HALF_LIFE = 500_000  # of the averaged weights, in images, at most (code of Karras et al. 2022)
RAMP = 0.05  # and at most this share of the images so far (code of Karras et al. 2022)
POINTS = 100  # of the loss's curve
DIVERGED = 1e3  # of the loss: chosen here, no training that learns comes near


@dataclass(frozen=True)
class Recipe(Options):
    """``base``, ``levels``, ``blocks``, ``patch``: see :class:`UNet`. ``updates``, ``batch``,
    ``lr``: of Adam. ``precision``: "fp32", or "bf16" by autocast."""

    base: int = 64
    levels: int = 3
    blocks: int = 2
    updates: int = 6000
    batch: int = 256
    lr: float = 5e-4
    precision: str = "fp32"
    patch: int = 1
    allowed: ClassVar = {"precision": ("fp32", "bf16")}
    at_least: ClassVar = {
        "base": 4,
        "levels": 1,
        "blocks": 1,
        "patch": 1,
        "updates": 1,
        "batch": 1,
        "lr": 1e-9,
    }
    at_most: ClassVar = {
        "base": 1024,
        "levels": 4,
        "blocks": 8,
        "patch": 8,
        "updates": 10_000_000,
        "batch": 100_000,
        "lr": 1e9,
    }


def loss(network: nn.Module, x: Tensor, captions: Tensor, keys: Tensor) -> Tensor:
    """Mean squared error of the velocity at random times and noises, captions withheld at random.

    Args:
        x: clean images in −1 … 1, float (n, 3, s, s). captions: int64 (n,).
        keys: int64 (n,), of the random numbers.
    """
    draws = torch.arange(3, device=keys.device)
    of_time, of_noise, of_caption = rng.fold(keys[:, None], draws).unbind(1)
    t = rng.normal(of_time).sigmoid()
    noise = rng.normal(of_noise, tuple(x.shape[1:]))
    condition = torch.where(rng.uniform(of_caption) < FREE, -1, captions)
    t_pixel = t.view(-1, 1, 1, 1)
    x_t = ((1 - t_pixel) * x + t_pixel * noise).contiguous(memory_format=torch.channels_last)
    return (network(x_t, t, condition).float() - (noise - x)).square().mean()


def denoiser(network: nn.Module, captions: Tensor) -> Denoiser:
    """The posterior mean that a network's velocity stands for; captions int64 (n,), −1: none."""

    def denoise(x: Tensor, sigma: Any) -> Tensor:
        t = sigma / (1 + sigma)
        x_t = x * (1 - t)
        times = torch.as_tensor(t, dtype=x.dtype, device=x.device).expand(len(x))
        return x_t - t * network(x_t, times, captions).float()

    return denoise


def together(network: nn.Module, captions: Tensor, w: float | Tensor) -> Denoiser:
    """As :func:`synthlearn.text2image.sampling.guided`, images with their captions int64 (n,) and
    without in one batch of 2n."""
    both = denoiser(network, torch.cat((captions, torch.full_like(captions, -1))))

    def denoise(x: Tensor, sigma: Any) -> Tensor:
        conditional, free = both(torch.cat((x, x)), sigma).chunk(2)
        return free + w * (conditional - free)

    return denoise


class Sampler:
    """Pictures of captions by a network, by DPM-Solver++(2M) (Lu et al. 2022, algorithm 2).

    A step costs one call of the network: the denoised image is carried on along a line through
    the last two of them, in log σ. On a GPU a step is a graph, replayed at other levels.

    Args:
        network: of velocities, as :class:`UNet`.
        guided: whether there are two rows in a batch for each image.
        precision: as of the recipe.
    """

    def __init__(self, network: nn.Module, guided: bool, precision: str) -> None:
        self.network, self.guided, self.precision = network, guided, precision
        self._step = Replayed(self.step, tuple)

    def step(
        self,
        x: Tensor,
        before: Tensor,
        captions: Tensor,
        sigma: Tensor,
        shrink: Tensor,
        slope: Tensor,
        w: Tensor,
    ) -> tuple[Tensor, ...]:
        """Noisy images at the next level, and the denoised ones at this.

        Args:
            x: noisy images at level ``sigma``, float (n, 3, s, s).
            before: denoised ones at the level before.
            shrink: the next level over this. slope: how far the line goes on, in steps from
                ``before`` to now. Both, ``sigma`` and ``w`` are scalar tensors.
        """
        D_x = (
            together(self.network, captions, w) if self.guided else denoiser(self.network, captions)
        )
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            now = D_x(x, sigma)
        ahead = now + slope * (now - before)
        return ahead + shrink * (x - ahead), now

    @torch.no_grad()
    def __call__(
        self, noise: Tensor, captions: Tensor, levels: Sequence[float], w: float = 1.0
    ) -> Tensor:
        """Pictures in −1 … 1, float (n, 3, s, s), overwritten by the next call.

        Args:
            noise: of unit variance, float (n, 3, s, s). captions: int64 (n,).
            levels: of noise, falling to 0. w: guidance, 1 unless ``guided``.
        """
        x = noise.contiguous(memory_format=torch.channels_last) * levels[0]
        before = torch.zeros_like(x)
        for i, sigma in enumerate(levels[:-1]):
            scalars = (sigma, levels[i + 1] / sigma, slope(levels, i), w)
            tensors = (
                torch.full((), value, dtype=torch.float64, device=x.device) for value in scalars
            )
            x, before = self._step(x, before, captions, *tensors)
        return x


def slope(levels: Sequence[float], i: int) -> float:
    """How far step ``i`` goes on along the line through the last two denoised images: half of its
    length over that of the step before, in log σ. Nothing in the first step, which has no other,
    and in the last, to σ = 0.

    >>> [round(slope((4.0, 2.0, 1.0, 0.0), i), 3) for i in range(3)]
    [0.0, 0.5, 0.0]
    """
    if i == 0 or levels[i + 1] == 0:
        return 0.0
    return 0.5 * math.log(levels[i] / levels[i + 1]) / math.log(levels[i - 1] / levels[i])


def rate(step: int, o: Recipe) -> float:
    """Learning rate at a step, from 0: up, level, and down to 0."""
    climb, fall = max(1, min(WARM_UP, o.updates // 10)), o.updates * (1 - FALL)
    return o.lr * min((step + 1) / climb, 1.0, (o.updates - step) / (o.updates - fall))


def forgotten(step: int, o: Recipe) -> float:
    """Share of the averaged weights that the weights after a step, from 0, take over."""
    return 1 - 0.5 ** (o.batch / min(HALF_LIFE, RAMP * (step + 1) * o.batch))


class Training:
    """A network, its averaged weights and its optimiser, on one device; an update is a function of
    tensors and reads nothing back.

    Args:
        network: a :class:`UNet`. images: uint8 (n, 3, s, s). captions: int64 (n,), of each.
    """

    def __init__(self, network: nn.Module, images: Tensor, captions: Tensor, o: Recipe) -> None:
        device = images.device
        self.network, self.images, self.captions, self.options = network, images, captions, o
        self.state = network.state_dict()
        self.averaged = {name: x.clone() for name, x in self.state.items()}
        weights = [name for name, x in self.state.items() if x.is_floating_point()]
        self._now = [self.state[name] for name in weights]
        self._averages = [self.averaged[name] for name in weights]
        self.sum = torch.zeros((), device=device)  # of losses since it was read
        parameters = list(network.parameters())
        self.optimiser = torch.optim.Adam(parameters, o.lr, BETAS, capturable=True, fused=True)
        self.lr = self.optimiser.param_groups[0]["lr"] = torch.full((), o.lr, device=device)
        # what Adam would make at the first update: a graph has to find it in place
        for p in parameters:
            zeros = {key: torch.zeros_like(p) for key in ("exp_avg", "exp_avg_sq")}
            self.optimiser.state[p] = {"step": torch.zeros((), device=device), **zeros}
        self._stream = rng.key("flow", device=device)
        self._n = torch.arange(o.batch, device=device)

    def changed(self) -> list[Tensor]:
        """All that an update changes."""
        return [
            *self._now,
            *self._averages,
            self.sum,
            *(x for state in self.optimiser.state.values() for x in state.values()),
        ]

    def update(self, step: Tensor, lr: Tensor, share: Tensor) -> tuple[Tensor, ...]:
        """An update from random images, mirrored at random.

        Args:
            step: int64 scalar, the number of the update, which decides what is drawn (dropout
                apart). lr: float32 scalar.
            share: float32 scalar, of the averaged weights, that the new ones take over.

        Returns: the sum of losses since it was last set to 0, a scalar.
        """
        keys = rng.fold(self._stream, step, self._n)
        draws = torch.arange(3, 5, device=keys.device)
        of_picture, of_mirror = rng.fold(keys[:, None], draws).unbind(1)
        chosen = rng.integers(of_picture, 0, len(self.images))
        x = self.images[chosen].float() / 127.5 - 1
        x = torch.where((rng.uniform(of_mirror) < 0.5).view(-1, 1, 1, 1), x.flip(3), x)
        with torch.autocast(
            x.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"
        ):
            value = loss(self.network, x, self.captions[chosen], keys)
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        self.lr.copy_(lr)
        self.optimiser.step()
        with torch.no_grad():
            change = torch._foreach_sub(self._now, self._averages)
            torch._foreach_mul_(change, share)
            torch._foreach_add_(self._averages, change)
            self.sum += value.detach()
        return (self.sum,)


def _network(texts: Sequence[str], side: int, recipe: Recipe) -> UNet:
    return UNet(texts, side, recipe.base, recipe.levels, recipe.blocks, recipe.patch)


@torch.enable_grad()  # also when it is first needed inside sampling
def train(
    path: Path,
    images: Tensor,
    captions: Tensor,
    texts: Sequence[str],
    recipe: Recipe,
    identity: str,
    device: str = "cpu",
) -> None:
    """Train a model and write its averaged weights to ``path``, with what it is and its loss.

    A call that was cut off goes on from its checkpoint.

    Args:
        images: uint8 (n, 3, s, s). captions: int64 (n,), of each. texts: by number.
        identity: what the checkpoint must say that it belongs to.

    Raises: TrainingDiverged; CheckpointError if the checkpoint is damaged or another model's;
    OutOfTime, with the checkpoint kept.
    """
    unet = _network(texts, images.shape[-1], recipe)
    unet.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = Training(unet, images.to(device), captions.to(device), recipe)
    run = _Run(training, path, identity)
    cards = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(cards):
        run.loop(recipe, device)
    run.write(recipe, texts, images.shape[-1])


class _Run:
    """A model's training: where it begins, what it keeps, how it ends."""

    def __init__(self, training: Training, path: Path, identity: str) -> None:
        self.training, self.path, self.identity = training, path, identity
        self.unfinished = path.with_suffix(".part.safetensors")
        self.states = {
            "network": training.state,
            "averaged": training.averaged,
            "loss": {"sum": training.sum},
        }
        self.reached = checkpoint.Progress(curves={"loss": []})
        if self.unfinished.exists():
            restored = (self.unfinished, identity, self.states, training.optimiser)
            self.reached = checkpoint.restore(*restored)
            self.reached.resumed += 1
        self.curve, self.before = self.reached.curves["loss"], self.reached.seconds
        self.began = self.saved = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of all calls together."""
        return self.before + time.perf_counter() - self.began

    def loop(self, recipe: Recipe, device: str) -> None:
        """Make the updates that are left."""
        every = max(1, recipe.updates // POINTS)
        update = Replayed(self.training.update, self.training.changed)
        with progress.bar(recipe.updates, "training a text-to-image model", "step") as bar:
            bar.update(self.reached.step)
            for step in range(self.reached.step, recipe.updates):
                # of dropout, so that a run that goes on draws as one that was not cut off; a graph
                # reads it when it is replayed
                torch.manual_seed(step)
                of_step = (step, rate(step, recipe), forgotten(step, recipe))
                update(*(torch.full((), value, device=device) for value in of_step))
                self.reached.step = step + 1
                if self.reached.step % every == 0:
                    self._add_point(every, recipe.lr)
                    bar.set_postfix(loss=f"{self.curve[-1]:.3f}", refresh=False)
                bar.update()
                self._save_if_due(recipe.updates)

    def _add_point(self, every: int, lr: float) -> None:
        """The mean loss since the last point. Raises TrainingDiverged."""
        self.curve.append(round(float(self.training.sum) / every, 5))
        self.training.sum.zero_()
        if not self.curve[-1] < DIVERGED:
            self.unfinished.unlink(missing_ok=True)
            where = f"step {self.reached.step} of the text-to-image model"
            raise TrainingDiverged(f"loss = {self.curve[-1]} at {where}: lower lr (now {lr:g})")

    def _save_if_due(self, updates: int) -> None:
        """Raises OutOfTime when the deadline has passed, after writing the checkpoint."""
        late = deadline.passed() and self.reached.step < updates
        if late or time.perf_counter() - self.saved > checkpoint.SECONDS:
            self.reached.seconds = self.seconds
            kept = (self.unfinished, self.identity, self.reached, self.states)
            checkpoint.save(*kept, self.training.optimiser)
            self.saved = time.perf_counter()
        if late:
            done = f"{self.reached.step:,} of {updates:,} updates are done and kept"
            raise OutOfTime(f"{self.path.name}, a text-to-image model: {done}; call again to go on")

    def write(self, recipe: Recipe, texts: Sequence[str], side: int) -> None:
        """Write the averaged weights at half the size: samples differ by less than a grey level."""
        averaged = self.training.averaged.items()
        half = {name: p.half() if p.is_floating_point() else p for name, p in averaged}
        header = {
            "kind": "text2image",
            "recipe": asdict(recipe),
            "texts": list(texts),
            "side": side,
            "identity": self.identity,
            "loss": self.curve,
            "seconds": round(self.seconds, 1),
            "pictures": recipe.updates * recipe.batch,
        }
        files.save_tensors(self.path, half, header)
        self.unfinished.unlink(missing_ok=True)


def load(path: Path, device: str = "cpu") -> tuple[UNet, dict[str, Any]]:
    """A trained model and its header.

    Raises: CheckpointError for a file that is missing, damaged, or of another kind.
    """
    tensors, header = files.load_tensors(path)
    if header.get("kind") != "text2image":
        raise CheckpointError(
            f"{path}: holds no text-to-image model (its header says {header.get('kind')!r})"
        )
    try:
        o = build(Recipe, "the recipe", header["recipe"])
        network = _network(header["texts"], header["side"], o)
    except (ParameterError, KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"its header describes no text-to-image model ({error})"
        raise CheckpointError(f"{path}: {what}; delete it and train again") from error
    restore(
        network,
        {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()},
        path,
    )
    return network.to(device, memory_format=torch.channels_last).eval(), header  # type: ignore[call-overload]
