"""Networks that can be trained: the noise paper's SmallAlexNet, ResNets, a small ViT.

All have named taps, at which features are read, and end in unit vectors. Their initial weights are
counter-based random numbers: the same on any machine.
"""

import importlib
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import options, rng
from ..core.errors import ParameterError
from ..core.image import MEAN, STD

# SmallAlexNet, by the authors' code of "Learning to See by Looking at Noise"
CHANNELS = (96, 192, 384, 384, 192)  # of the convolutions
POOLED = (0, 1, 4)  # convolutions that end in a max-pool 3×3, stride 2
HIDDEN = 4096  # units of fc6 and fc7
OUTPUT = 128  # numbers of a unit vector, of every encoder
INIT_STD = 0.02  # of the initial weights

WIDTHS = (1 / 32, 4)  # factors on its channels that can be built; chosen here
SIDES = (32, 512)  # of any encoder's input, in pixels; chosen here
MOST_WEIGHTS = 600_000_000  # of one layer; fc6 of width 1 has 573 million at 224 px

SMALL_ALEXNET = "SmallAlexNet"
RESNETS = {"resnet18": 512, "resnet50": 2048}  # pooled units
VIT = "vit"
TRAINABLE = (SMALL_ALEXNET, *RESNETS, VIT)


class Encoder(nn.Module):
    """What every encoder offers: names of its taps, the input normalisation (mean, std), options
    with at least ``input_size``, and features.

    One that can be trained also has ``forward``, unit vectors of ``output_size`` numbers;
    ``embed``, what comes before the projection, of ``embedding_size`` numbers; and
    ``first_layer``, the weights (channels, 3, k, k) that see the image.

    As they stand, the methods are those of a ``trunk`` that ends in pooled units, with a ``head``
    for the projection.
    """

    taps: tuple[str, ...] = ("pooled",)
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] = (MEAN, STD)
    options: dict[str, Any]
    output_size: int = OUTPUT
    embedding_size: int
    trunk: Any
    head: nn.Module

    @property
    def first_layer(self) -> Tensor:
        """Weights of the first layer, (channels, 3, k, k)."""
        raise NotImplementedError

    @property
    def main_tap(self) -> str:
        """The tap that is probed: fc6, or the last of an encoder without it."""
        return "fc6" if "fc6" in self.taps else self.taps[-1]

    @property
    def last_convolution(self) -> str:
        """The tap in whose few numbers images are compared: conv5, or the last without it."""
        return "conv5" if "conv5" in self.taps else self.taps[-1]

    def embed(self, x: Tensor) -> Tensor:
        """The embedding (n, embedding_size) of normalised float (n, 3, s, s), with gradient."""
        embedding: Tensor = self.trunk(x)
        return embedding

    def project(self, h: Tensor) -> Tensor:
        """Unit vectors (n, output_size) of embeddings (n, embedding_size)."""
        return functional.normalize(self.head(h), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Unit vectors (n, output_size) of normalised float (n, 3, s, s)."""
        return self.project(self.embed(x))

    def features(self, x: Tensor, taps: tuple[str, ...] = ("pooled",)) -> dict[str, Tensor]:
        """Activations (n, d) by tap, of normalised float (n, 3, s, s)."""
        return {"pooled": self.embed(x)}


def check_side(input_size: Any) -> None:
    """Raise ParameterError unless an encoder can be built for inputs of that side in pixels."""
    options.whole("input_size", input_size, *SIDES)


class SmallAlexNet(Encoder):
    """The noise paper's small encoder: five 3×3 convolutions and three linear layers, unit outputs
    of 128 numbers.

    Args:
        width: factor on all channels and on fc6, fc7; 1 has 58,678,368 parameters at 64 px.
        input_size: side of the input in pixels, 32 … 512.
        seed: of the initial weights, N(0, 0.02²) by counter-based numbers.

    Raises: ParameterError for a width or input size that cannot be built.

    >>> encoder = SmallAlexNet(width=1 / 16, input_size=32)
    >>> encoder(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 128])
    """

    taps = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")

    def __init__(self, width: float = 1.0, input_size: int = 64, seed: int = 0) -> None:
        super().__init__()
        check_side(input_size)
        options.number("width", width, *WIDTHS)
        self.options = {"width": width, "input_size": input_size}
        channels = [3, *(round(c * width) for c in CHANNELS)]
        hidden = round(HIDDEN * width)
        side = input_size
        for _ in POOLED:
            side = (side - 3) // 2 + 1
        pixels = channels[-1] * side**2  # numbers that the convolutions leave of an image
        if pixels * hidden > MOST_WEIGHTS:
            raise ParameterError(
                f"width = {width}, input_size = {input_size}: "
                f"fc6 would have {pixels * hidden:,} weights; "
                f"at most {MOST_WEIGHTS:,} are allowed: lower the width or the size"
            )
        self.conv = nn.ModuleList(
            _convolution(channels[i], channels[i + 1], i in POOLED) for i in range(len(CHANNELS))
        )
        self.fc6 = _linear(pixels, hidden)
        self.fc7 = _linear(hidden, hidden)
        self.fc8 = nn.Linear(hidden, OUTPUT)
        self.embedding_size = hidden
        self.initialise(seed)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw all weights anew: N(0, 0.02²); biases 0."""
        layers = (m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear))
        for number, layer in enumerate(layers):
            key = rng.key("encoder", seed, number)
            layer.weight.copy_(rng.normal(key, tuple(layer.weight.shape)) * INIT_STD)
            if layer.bias is not None:
                layer.bias.zero_()

    def features(self, x: Tensor, taps: tuple[str, ...] = ("fc6",)) -> dict[str, Tensor]:
        """Activations after ReLU by tap, of normalised float (n, 3, s, s): fc taps (n, d); conv
        taps averaged over space, (n, channels).

        Raises: ParameterError for a tap that it has not.
        """
        unknown = [tap for tap in taps if tap not in self.taps]
        if unknown:
            raise ParameterError(f"tap {unknown[0]!r}: must be one of {', '.join(self.taps)}")
        activations = {}
        for i, block in enumerate(self.conv):
            x = block(x)
            if f"conv{i + 1}" in taps:
                activations[f"conv{i + 1}"] = x.mean((2, 3))
        if {"fc6", "fc7"} & set(taps):  # the convolutions alone take images of any size
            activations["fc6"] = self.fc6(x.flatten(1))
        if "fc7" in taps:
            activations["fc7"] = self.fc7(activations["fc6"])
        return {tap: activations[tap] for tap in taps}

    @property
    def first_layer(self) -> Tensor:
        """Weights of the first convolution, (channels, 3, 3, 3)."""
        return next(self.conv[0].parameters())

    def embed(self, x: Tensor) -> Tensor:
        """As of any encoder: fc7."""
        for block in self.conv:
            x = block(x)
        embedding: Tensor = self.fc7(self.fc6(x.flatten(1)))
        return embedding

    def project(self, h: Tensor) -> Tensor:
        """As of any encoder."""
        return functional.normalize(self.fc8(h), dim=1)


def _convolution(into: int, out: int, pooled: bool) -> nn.Sequential:
    layers = [
        nn.Conv2d(into, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers, *([nn.MaxPool2d(3, 2)] if pooled else []))


def _linear(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(into, out, bias=False), nn.BatchNorm1d(out), nn.ReLU())


def resnet_trunk(name: str, seed: int) -> nn.Module:
    """torchvision's ResNet up to its pooled units, with weights as by its default initialisation
    but from counted random numbers."""
    # slow to import, and only needed here
    vision = importlib.import_module("synthlearn.core.vision")
    network: nn.Module = vision.torchvision.models.get_model(name, weights=None)
    network.fc = nn.Identity()
    layers = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    for number, layer in enumerate(layers):
        fan_out = layer.out_channels * layer.kernel_size[0] ** 2
        weight = rng.normal(rng.key(name, seed, number), tuple(layer.weight.shape))
        layer.weight.data = weight * math.sqrt(2 / fan_out)
    return network


class ResNet(Encoder):
    """A ResNet with MoCo v2's head, Linear–ReLU–Linear to unit vectors of 128 numbers; its one tap
    is ``pooled``, before the head.

    Args:
        name: "resnet18" or "resnet50".
        input_size: side of the input in pixels, 32 … 512.
        seed: of the initial weights, by counter-based numbers.

    Raises: ParameterError for another name or size.
    """

    def __init__(self, name: str = "resnet50", input_size: int = 224, seed: int = 0) -> None:
        super().__init__()
        check_side(input_size)
        if not isinstance(name, str) or name not in RESNETS:
            raise ParameterError(f"encoder = {name!r}: must be one of {', '.join(TRAINABLE)}")
        self.options = {"name": name, "input_size": input_size}
        self.trunk = resnet_trunk(name, seed)
        self.embedding_size = RESNETS[name]
        wide, narrow = (nn.Linear(self.embedding_size, d) for d in (self.embedding_size, OUTPUT))
        self.head = nn.Sequential(wide, nn.ReLU(), narrow)
        with torch.no_grad():
            for number, layer in ((0, wide), (2, narrow)):
                bound = layer.in_features**-0.5  # as torch's own
                key, shape = rng.key(f"{name}-head", seed, number), tuple(layer.weight.shape)
                layer.weight.copy_(rng.uniform(key, shape, -bound, bound))
                layer.bias.zero_()

    @property
    def first_layer(self) -> Tensor:
        """Weights of the first convolution, (64, 3, 7, 7)."""
        weight: Tensor = self.trunk.conv1.weight
        return weight


def require_timm(name: str) -> Any:
    """timm, for an encoder of that name. Raises ParameterError when it is not installed."""
    importlib.import_module("synthlearn.core.vision")  # timm imports torchvision: see that it can
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ParameterError(
            f"encoder {name}: timm is not installed; pip install -e '.[models]' in the checkout"
        ) from error


class ViT(Encoder):
    """A Vision Transformer of timm with StableRep's head: three linear layers with batch norm
    between them. Its one tap, ``pooled``, is the class token after the last norm.

    StableRep's smallest has width 384, 12 layers and 16 px patches of 224 px; this one 192, 6
    layers and patches of an eighth of the input.

    Args:
        input_size: side of the input in pixels, a multiple of 8, 32 … 512.
        seed: of the initial weights, N(0, 0.02²), by counter-based numbers.

    Raises: ParameterError for another size, or without timm.
    """

    embedding_size = 192
    depth = 6  # layers
    heads = 3
    hidden = 768  # units of the head's inner layers
    patches = 8  # along a side

    def __init__(self, input_size: int = 32, seed: int = 0) -> None:
        super().__init__()
        check_side(input_size)
        if input_size % self.patches:
            raise ParameterError(
                f"input_size = {input_size}: the ViT needs a multiple of {self.patches}"
            )
        self.options = {"input_size": input_size}
        transformer = require_timm(VIT).models.vision_transformer.VisionTransformer
        self.trunk = transformer(
            img_size=input_size,
            patch_size=input_size // self.patches,
            embed_dim=self.embedding_size,
            depth=self.depth,
            num_heads=self.heads,
            num_classes=0,
        )
        layers: list[nn.Module] = []
        for into, out in ((self.embedding_size, self.hidden), (self.hidden, self.hidden)):
            layers += [nn.Linear(into, out), nn.BatchNorm1d(out), nn.ReLU()]
        self.head = nn.Sequential(*layers, nn.Linear(self.hidden, OUTPUT))
        with torch.no_grad():
            for number, (name, p) in enumerate(self.named_parameters()):
                if p.ndim > 1:
                    p.copy_(rng.normal(rng.key(VIT, seed, number), tuple(p.shape)) * INIT_STD)
                elif name.endswith("bias"):
                    p.zero_()

    @property
    def first_layer(self) -> Tensor:
        """Weights of the patch embedding, (192, 3, p, p)."""
        weight: Tensor = self.trunk.patch_embed.proj.weight
        return weight
