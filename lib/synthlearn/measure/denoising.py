"""Denoising: what images teach a small network about the images that it must restore.

A residual network in the manner of DnCNN (Zhang et al. 2017) is trained on patches of a set with
Gaussian noise, and asked to take the same noise off natural images that it has never seen. No
labels, no features, no probe: the answer is in decibels within a minute.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..core import deadline, rng
from ..core.options import Options
from .base import Measurement, Part, Subject, measurement

WIDTH, DEPTH = 24, 5  # channels and convolutions: 16,947 parameters; chosen here
PATCH = 32  # side of a training patch in pixels, and of a test image; chosen here
BATCH = 16  # patches of an update; chosen here
RATE, RISE = 5e-3, 0.1  # of Adam: up on a line in this share, down on a cosine; chosen here
GREY, SPREAD = 0.45, 0.25  # of images, roughly: what a network sees has mean 0 and variance 1
NATURAL = "natural"  # the part


@dataclass(frozen=True)
class DenoisingOptions(Options):
    """``sigma``: standard deviation of the noise in grey levels of 255. ``images`` that patches are
    cut from, ``updates`` of the network, natural ``test`` images."""

    sigma: float = 25.0
    images: int = 200
    updates: int = 150
    test: int = 200
    at_least: ClassVar = {"sigma": 0.1, "images": 1, "updates": 1, "test": 2}
    at_most: ClassVar = {"sigma": 255.0, "images": 10**6, "updates": 10**6, "test": 10**6}


@dataclass(frozen=True)
class Psnr(Part):
    """Mean peak signal-to-noise ratio of ``n`` restored images in dB, and of the noisy ones."""

    is_accuracy = False

    psnr: float
    noisy: float

    @property
    def number(self) -> float:
        """Of the restored images."""
        return self.psnr


class Denoiser(nn.Module):
    """Takes noise of standard deviation ``sigma`` off images: float (n, 3, s, s) in [0, 1].

    x̂ = y − σ f(y): convolutions with ReLU between them guess the noise. The last one starts at
    zero, so that an untrained denoiser changes nothing.

    >>> y = torch.rand(2, 3, 8, 8)
    >>> bool((Denoiser(0.1)(y) == y).all())
    True
    """

    def __init__(self, sigma: float, seed: int = 0) -> None:
        super().__init__()
        self.sigma = sigma
        sides = [3] + [WIDTH] * (DEPTH - 1) + [3]
        layers = [nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(sides)]
        with torch.no_grad():
            for number, layer in enumerate(layers):
                shape, key = tuple(layer.weight.shape), rng.key("denoiser", seed, number)
                scale = (2 / (9 * shape[1])) ** 0.5 if number < DEPTH - 1 else 0.0  # He et al. 2015
                layer.weight.copy_(rng.normal(key, shape) * scale)
                layer.get_parameter("bias").zero_()
        between = (each for layer in layers for each in (layer, nn.ReLU()))
        self.noise = nn.Sequential(*list(between)[:-1])

    def forward(self, y: Tensor) -> Tensor:
        """Restored images."""
        noise: Tensor = self.noise((y - GREY) / SPREAD)
        return y - self.sigma * noise


def patches(images: Tensor, keys: Tensor) -> Tensor:
    """A patch of an image for each key, at a random place, mirrored or not.

    Args:
        images: uint8 (n, 3, s, s), s at least :data:`PATCH`.
        keys: int64 (m,).

    Returns: float (m, 3, PATCH, PATCH) in [0, 1].

    >>> patches(torch.full((2, 3, 48, 48), 255, dtype=torch.uint8), torch.arange(3)).unique()
    tensor([1.])
    """
    room = images.shape[-1] - PATCH + 1
    u = rng.uniform(keys, (4,))
    which, top, left = ((u[:, k] * n).long() for k, n in enumerate((len(images), room, room)))
    place = torch.arange(PATCH, device=images.device)
    columns = torch.where(u[:, 3:] < 0.5, place, PATCH - 1 - place) + left[:, None]
    rows = (top[:, None] + place)[:, None, :, None]
    channels = torch.arange(3, device=images.device)[:, None, None]
    return images[which[:, None, None, None], channels, rows, columns[:, None, None]].float() / 255


def train(images: Tensor, sigma: float, updates: int, seed: int) -> Denoiser:
    """A denoiser trained on patches of images (n, 3, s, s), uint8, with noise of ``sigma`` in
    [0, 1]: mean squared error, Adam.

    Raises: OutOfTime where the deadline passes.
    """
    network = Denoiser(sigma, seed).to(images.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    for update in range(updates):
        deadline.check("denoising")
        number = torch.arange(update * BATCH, (update + 1) * BATCH, device=images.device)
        x = patches(images, rng.key("denoising patches", seed, number))
        noise = rng.normal(rng.key("denoising noise", seed, number), (3, PATCH, PATCH))
        loss = (network(x + sigma * noise) - x).square().mean() / sigma**2
        optimiser.param_groups[0]["lr"] = RATE * rate((update + 0.5) / updates)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network


def rate(done: float) -> float:
    """Share of the highest rate when a share ``done`` of the updates is over.

    >>> [round(rate(x), 6) for x in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if done < RISE:
        return done / RISE
    return (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """−10 log₁₀ of the mean squared difference of images in [0, 1], (n, 3, s, s): float64 (n,).

    >>> psnr(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.1)).round(decimals=4)
    tensor([20.], dtype=torch.float64)
    """
    return -10 * (x.double() - y.double()).square().flatten(1).mean(1).log10()


@torch.no_grad()
def restored(network: Denoiser, x: Tensor, sigma: float) -> Psnr:
    """How well a denoiser restores images (n, 3, s, s) in [0, 1]. The noise is the same whatever
    the network; it is not cut off at black and white, and what is restored is."""
    noise = rng.normal(
        rng.key("denoising test", torch.arange(len(x), device=x.device)), x.shape[1:]
    )
    y = x + sigma * noise
    clean = torch.cat([network(part).clamp(0, 1) for part in y.split(BATCH)])
    values = [round(float(psnr(each, x).mean()), 4) for each in (clean, y)]
    return Psnr(len(x), *values)


@measurement("denoising")
class Denoising(Measurement):
    """A denoiser trained on a run's images, and natural ones, the test images of its probe."""

    Options = DenoisingOptions
    options: DenoisingOptions
    Result = Psnr
    trains = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, Psnr]]:
        """One part."""
        options, settings = self.options, subject.settings
        size, sigma = max(settings.image_size, PATCH), options.sigma / 255
        images = subject.source().sample(range(options.images), size, seed, settings.device)
        network = train(images, sigma, options.updates, seed)
        natural = subject.probe_data()[1].images[: options.test].to(settings.device)
        yield NATURAL, restored(network, natural.float() / 255, sigma)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The images, and the options."""
        return {"source": subject.source_spec(), **vars(self.options)}
