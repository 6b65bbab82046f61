"""The synthesis network of StyleGAN2 (Karras et al. 2020) in its 'skip' form, untrained.

What both ways of convolution, free kernels and tied ones, share: the layers, the numbers that the
images of a network have in common, the styles, and the filters that double a resolution.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.errors import ParameterError
from .base import Options

LATENT = 512  # numbers of a latent; Karras et al. 2020
CHANNELS_MAX = 512  # of a layer; Karras et al. 2020
CHANNELS_TIMES_SIDE = 32768  # channels of a layer times its side, above 64 px; Karras et al. 2020
LEAST_CHANNELS = 4  # of a layer, however narrow the network; chosen here
SLOPE = 0.2  # of the latents' leaky ReLU; Karras et al. 2020
GAIN = math.sqrt(2)  # of a layer's ReLU; Karras et al. 2020
EPSILON = 1e-8  # in the norm of a layer's weights; Karras et al. 2020


class Draw(IntEnum):
    """What is drawn for an image."""

    LATENT = 0
    ENVELOPED_NOISE = 1  # one map for all layers
    PHOTOGRAPHIC = 2  # means and deviations of the channels
    TIED_RGB = 10  # and one more a block: to-RGB weights
    TIED_LAYER = 100  # and one more a layer, see stylegan_tied.LayerDraw


class NetworkDraw(IntEnum):
    """What is drawn for a network, once for all its images."""

    AFFINE = 0
    RGB_AFFINE = 1
    CONSTANT = 2
    KERNELS = 3
    RGB = 4
    NOISE_MAP = 1000  # and one more a layer


@dataclass(frozen=True)
class StyleGANOptions(Options):
    """Options of the random StyleGANs.

    ``kernels``: "free", drawn per network, or tied, drawn per image from a bank: "signs", or a
    random part of "oriented". ``noise``: "none"; "pink", one of 100 maps that each layer of a
    network has; "envelope", one map with an envelope for all layers of an image; "envelope_bank",
    both. ``bias_low``, ``bias_high``: range of the biases. ``width``: factor on all channels.
    ``images_per_network``: how many images share a network.
    """

    kernels: str = "free"
    noise: str = "none"
    bias_low: float = 0.0
    bias_high: float = 0.0
    width: float = 1.0
    images_per_network: int = 400
    allowed: ClassVar = {
        "kernels": ("free", "signs", "oriented"),
        "noise": ("none", "pink", "envelope", "envelope_bank"),
    }
    at_least: ClassVar = {
        "width": 1 / 64,
        "images_per_network": 1,
        "bias_low": -10.0,
        "bias_high": -10.0,
    }
    at_most: ClassVar = {
        "width": 4.0,
        "images_per_network": 1_000_000_000,
        "bias_low": 10.0,
        "bias_high": 10.0,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bias_low > self.bias_high:
            both = f"bias_low = {self.bias_low}, bias_high = {self.bias_high}"
            raise ParameterError(f"options {both}: bias_low must be at most bias_high")
        if self.kernels == "free" and (self.noise != "none" or self.bias_low or self.bias_high):
            why = "such networks have neither noise nor biases"
            remedy = "leave noise, bias_low and bias_high, or tie the kernels"
            raise ParameterError(f'option kernels = "free": {why}; {remedy}')


@dataclass(frozen=True)
class Layer:
    """A 3×3 convolution: channels in and out, side of its output, whether it doubles the side."""

    inputs: int
    outputs: int
    side: int
    up: bool


def channels(side: int, width: float) -> int:
    """Channels of a layer of this side."""
    most = min(CHANNELS_TIMES_SIDE // side, CHANNELS_MAX)
    return max(LEAST_CHANNELS, round(most * width))


def layers(side: int, width: float) -> list[Layer]:
    """The convolutions in order: one at 4 px, two for every doubling up to ``side``."""
    plan = [Layer(channels(4, width), channels(4, width), 4, False)]
    for k in range(3, side.bit_length()):
        r = 1 << k
        plan += [
            Layer(channels(r // 2, width), channels(r, width), r, True),
            Layer(channels(r, width), channels(r, width), r, False),
        ]
    return plan


@dataclass(frozen=True)
class Network:
    """What images of one network share.

    Affine maps of the latents to the styles of the convolutions and of the to-RGB layers, the
    constant input (c, 4, 4), and, where kernels are free, those and the to-RGB weights.
    """

    affine: list[Tensor]
    rgb_affine: list[Tensor]
    constant: Tensor
    kernels: list[Tensor]
    rgb: list[Tensor]


@lru_cache(maxsize=2)
def network(key: int, side: int, width: float, free: bool, device: str) -> Network:
    """Draw a network from an integer key: everything ~ N(0, 1)."""
    keys = torch.tensor(key, device=device)
    plan = layers(side, width)
    painters = [layer.outputs for layer in plan if not layer.up]

    def draw(kind: NetworkDraw, number: int, *shape: int) -> Tensor:
        return rng.normal(rng.fold(keys, kind, number), shape)

    kernels: list[Tensor] = []
    rgb: list[Tensor] = []
    if free:
        shapes = [(layer.outputs, layer.inputs, 3, 3) for layer in plan]
        kernels = [draw(NetworkDraw.KERNELS, i, *shape) for i, shape in enumerate(shapes)]
        rgb = [draw(NetworkDraw.RGB, i, 3, c) for i, c in enumerate(painters)]
    return Network(
        affine=[draw(NetworkDraw.AFFINE, i, layer.inputs, LATENT) for i, layer in enumerate(plan)],
        rgb_affine=[draw(NetworkDraw.RGB_AFFINE, i, c, LATENT) for i, c in enumerate(painters)],
        constant=draw(NetworkDraw.CONSTANT, 0, plan[0].inputs, 4, 4),
        kernels=kernels,
        rgb=rgb,
    )


def styles(shared: Network, keys: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Styles (n, c) of the convolutions and of the to-RGB layers, for images ``keys`` (n,).

    A to-RGB layer shares its latent with the convolution after it.
    """
    z = rng.normal(rng.fold(keys, Draw.LATENT), (len(shared.affine) + 1, LATENT))
    w = functional.leaky_relu(z, SLOPE)
    convolutions = [w[:, i] @ a.T / math.sqrt(LATENT) + 1 for i, a in enumerate(shared.affine)]
    painters = [
        (w[:, 2 * i + 1] @ a.T / math.sqrt(LATENT) + 1) / math.sqrt(len(a))
        for i, a in enumerate(shared.rgb_affine)
    ]
    return convolutions, painters


def smooth(x: Tensor) -> Tensor:
    """[1, 3, 3, 1]/4 along both axes, valid part: (…, h, w) → (…, h − 3, w − 3)."""
    x = (x[..., 3:, :] + x[..., :-3, :]) + 3 * (x[..., 2:-1, :] + x[..., 1:-2, :])
    return ((x[..., 3:] + x[..., :-3]) + 3 * (x[..., 2:-1] + x[..., 1:-2])) / 16


def smooth_pooled(x: Tensor) -> Tensor:
    """A quarter of :func:`smooth` after padding by one: (n, c, 2h + 1, 2h + 1) → (n, c, 2h, 2h).

    [1, 3, 3, 1]/8 is three means of two neighbours, a kernel each.
    """
    x = functional.avg_pool2d(x, 2, 1, padding=1)
    return functional.avg_pool2d(functional.avg_pool2d(x, 2, 1), 2, 1)


def upsample(x: Tensor) -> Tensor:
    """Twice the side by zeros between pixels and the filter [1, 3, 3, 1].

    (n, c, h, h) → (n, c, 2h, 2h).
    """
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, 2 * h + 3, 2 * w + 3)
    padded[..., 2 : 2 + 2 * h : 2, 2 : 2 + 2 * w : 2] = x
    return smooth(padded)


def upsample_bilinear(x: Tensor) -> Tensor:
    """:func:`upsample` in one kernel: the filter weighs by 3/4 and 1/4, with zeros around."""
    padded = functional.pad(x, (1, 1, 1, 1))
    return functional.interpolate(padded, scale_factor=2, mode="bilinear")[..., 2:-2, 2:-2]
