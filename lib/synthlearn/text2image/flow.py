"""Flow matching with straight paths (Lipman et al. 2023): training of the learned text-to-image model, and its denoiser.

x_t = (1 − t)·x₀ + t·ε, and the network learns the velocity ε − x₀. With σ = t/(1 − t) and x_σ = x_t/(1 − t) this is the same process as
x₀ + σε, so the model is sampled, and guided, as any other denoiser here.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .. import files, progress, rng
from ..encoders import restore
from ..errors import CheckpointError, ParameterError, TrainingDiverged
from ..options import Options, build
from .sampling import Denoiser
from .unet import UNet

FREE = 0.1  # share of pictures whose caption is withheld
BETAS, WARM_UP, FALL = (0.9, 0.99), 500, 0.3  # of Adam; steps that climb, at most a tenth; share that falls to 0
HALF_LIFE, RAMP = 500_000, 0.05  # of the averaged weights, in pictures: at most so many, and at most this share of those seen (Karras et al. 2022)
CHECKPOINT_SECONDS, POINTS = 20.0, 100


@dataclass(frozen=True)
class Recipe(Options):
    """``base``, ``levels``, ``blocks``: see :class:`UNet`. ``updates``, ``batch``, ``lr``: of Adam. ``precision``: "fp32", or "bf16" by autocast."""

    base: int = 64
    levels: int = 3
    blocks: int = 2
    updates: int = 6000
    batch: int = 256
    lr: float = 5e-4
    precision: str = "fp32"
    allowed: ClassVar = {"precision": ("fp32", "bf16")}
    at_least: ClassVar = {"base": 4, "levels": 1, "blocks": 1, "updates": 1, "batch": 1, "lr": 1e-9}
    at_most: ClassVar = {
        "base": 1024, "levels": 4, "blocks": 8, "updates": 10_000_000, "batch": 100_000, "lr": 1e9,
    }  # fmt: skip


def loss(network: nn.Module, x: Tensor, captions: Tensor, keys: Tensor) -> Tensor:
    """Mean squared error of the velocity at random times and noises, captions withheld at random.

    Args:
        x: clean pictures in −1 … 1, float (n, 3, s, s). captions: int64 (n,). keys: int64 (n,), of the random numbers.
    """
    t = rng.normal(rng.fold(keys, 0)).sigmoid()
    noise = rng.normal(rng.fold(keys, 1), tuple(x.shape[1:])).view_as(x)
    told = torch.where(rng.uniform(rng.fold(keys, 2)) < FREE, -1, captions)
    at = t.view(-1, 1, 1, 1)
    return (network((1 - at) * x + at * noise, t, told).float() - (noise - x)).square().mean()


def denoiser(network: nn.Module, captions: Tensor) -> Denoiser:
    """The posterior mean that a network's velocity stands for, for captions int64 (n,), −1: none."""

    def of(x: Tensor, noise: float) -> Tensor:
        t = noise / (1 + noise)
        at = x * (1 - t)
        return at - t * network(at, torch.full((len(x),), t, device=x.device), captions).float()

    return of


def rate(step: int, o: Recipe) -> float:
    """Learning rate at a step, from 0: up, level, and down to 0."""
    climb, fall = max(1, min(WARM_UP, o.updates // 10)), o.updates * (1 - FALL)
    return o.lr * min((step + 1) / climb, 1.0, (o.updates - step) / (o.updates - fall))


@torch.enable_grad()  # also when it is first needed inside sampling
def train(path: Path, images: Tensor, captions: Tensor, texts: Sequence[str], o: Recipe, identity: str, device: str = "cpu") -> None:
    """Train a model and write its averaged weights to ``path``, with what it is and its loss; a call that was cut off goes on from its checkpoint.

    Args:
        images: uint8 (n, 3, s, s). captions: int64 (n,), of each. texts: by number.
        identity: what the checkpoint must say that it belongs to.

    Raises: TrainingDiverged; CheckpointError if the checkpoint is damaged or another model's.
    """
    network = UNet(texts, images.shape[-1], o.base, o.levels, o.blocks).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), betas=BETAS)
    averaged = {name: p.detach().clone() for name, p in network.state_dict().items()}
    images, captions, checkpoint = images.to(device), captions.to(device), path.with_suffix(".part.safetensors")
    began, start, spent = time.perf_counter(), 0, 0.0
    curve: list[float] = []
    recent: list[Tensor] = []
    if checkpoint.exists():
        start, spent, curve = _restore(checkpoint, network, optimiser, averaged, identity)
    saved, every = time.perf_counter(), max(1, o.updates // POINTS)
    n = torch.arange(o.batch, device=device)
    cards = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with progress.bar(o.updates, "training a text-to-image model", "step") as shown, torch.random.fork_rng(cards):
        shown.update(start)
        for step in range(start, o.updates):
            torch.manual_seed(step)  # of dropout, so that a run that goes on draws as one that was not cut off
            keys = rng.key("flow", step, n, device=device)
            chosen = rng.integers(rng.fold(keys, 3), 0, len(images))
            x = images[chosen].float() / 127.5 - 1
            x = torch.where((rng.uniform(rng.fold(keys, 4)) < 0.5).view(-1, 1, 1, 1), x.flip(3), x)
            for group in optimiser.param_groups:
                group["lr"] = rate(step, o)
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=o.precision == "bf16"):
                value = loss(network, x.contiguous(memory_format=torch.channels_last), captions[chosen], keys)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            optimiser.step()
            half_life = min(HALF_LIFE, RAMP * (step + 1) * o.batch)
            with torch.no_grad():
                now = list(network.state_dict().values())
                kept = [i for i, p in enumerate(now) if p.is_floating_point()]
                torch._foreach_lerp_([list(averaged.values())[i] for i in kept], [now[i] for i in kept], 1 - 0.5 ** (o.batch / half_life))
            recent.append(value.detach())
            if (step + 1) % every == 0:
                curve.append(round(float(torch.stack(recent).mean()), 5))
                recent = []
                if not curve[-1] < 1e3:
                    checkpoint.unlink(missing_ok=True)
                    raise TrainingDiverged(f"loss = {curve[-1]} at step {step + 1} of the text-to-image model: lower lr (now {o.lr:g})")
                shown.set_postfix(loss=f"{curve[-1]:.3f}", refresh=False)
                if time.perf_counter() - saved > CHECKPOINT_SECONDS:
                    _save(checkpoint, network, optimiser, averaged, step + 1, spent + time.perf_counter() - began, curve, identity)
                    saved = time.perf_counter()
            shown.update()
    seconds = spent + time.perf_counter() - began
    half = {name: p.half() if p.is_floating_point() else p for name, p in averaged.items()}  # half the size; samples differ by less than a grey level
    header = {"kind": "text2image", "recipe": asdict(o), "texts": list(texts), "side": images.shape[-1], "identity": identity,
              "loss": curve, "seconds": round(seconds, 1), "pictures": o.updates * o.batch}  # fmt: skip
    files.save_tensors(path, half, header)
    checkpoint.unlink(missing_ok=True)


def load(path: Path, device: str = "cpu") -> tuple[UNet, dict[str, Any]]:
    """A trained model and its header. Raises CheckpointError for a file that is missing, damaged, or of another kind."""
    tensors, header = files.load_tensors(path)
    if header.get("kind") != "text2image":
        raise CheckpointError(f"{path}: holds no text-to-image model (its header says {header.get('kind')!r})")
    try:
        o = build(Recipe, "the recipe", header["recipe"])
        network = UNet(header["texts"], header["side"], o.base, o.levels, o.blocks)
    except (ParameterError, KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"its header describes no text-to-image model ({error})"
        raise CheckpointError(f"{path}: {what}; delete it and train again") from error
    restore(network, {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}, path)
    return network.to(device, memory_format=torch.channels_last).eval(), header  # type: ignore[call-overload]


def _save(
    path: Path, network: UNet, optimiser: torch.optim.Optimizer, averaged: dict[str, Tensor], step: int, seconds: float, curve: list[float], identity: str
) -> None:
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()} | {f"averaged.{k}": v for k, v in averaged.items()}
    for i, p in enumerate(optimiser.param_groups[0]["params"]):
        tensors |= {f"optimiser.{i}.{key}": value for key, value in optimiser.state[p].items()}
    header = {"kind": "checkpoint", "step": step, "seconds": seconds, "curve": curve, "identity": identity}
    files.save_tensors(path, {k: v.contiguous() for k, v in tensors.items()}, header)


def _restore(path: Path, network: UNet, optimiser: torch.optim.Optimizer, averaged: dict[str, Tensor], identity: str) -> tuple[int, float, list[float]]:
    tensors, header = files.load_tensors(path)
    if header.get("kind") != "checkpoint" or header.get("identity") != identity:
        raise CheckpointError(f"{path}: belongs to another model; delete it to start over")
    restore(network, {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}, path)
    parameters = optimiser.param_groups[0]["params"]
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "averaged":
            averaged[rest].copy_(value)
        if kind == "optimiser":
            i, key = rest.split(".")
            p = parameters[int(i)]
            optimiser.state[p][key] = value if key == "step" else value.to(p.device)
    return header["step"], header["seconds"], header["curve"]
