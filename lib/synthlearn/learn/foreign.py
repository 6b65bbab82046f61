"""Our encoders as others know them: the weights under the names of timm, torchvision or a plain
``nn.Sequential``, and the lines of Python that load them there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..core.errors import ParameterError
from .networks import POOLED, Encoder, ResNet, SmallAlexNet, ViT

LIBRARIES = ("timm", "torchvision", "torch")
# torchvision's names of a block's parts, by timm's
BLOCK = {
    "norm1.": "ln_1.",
    "attn.qkv.": "self_attention.in_proj_",
    "attn.proj.": "self_attention.out_proj.",
    "norm2.": "ln_2.",
    "mlp.fc1.": "mlp.0.",
    "mlp.fc2.": "mlp.3.",
}
OUTSIDE = {
    "cls_token": "class_token",
    "pos_embed": "encoder.pos_embedding",
    "patch_embed.proj.": "conv_proj.",
    "norm.": "encoder.ln.",
}
RESNET_TIMM = """\
import timm

network = timm.create_model("{name}", num_classes=0, checkpoint_path="{file}").eval()
"""
RESNET_TORCHVISION = """\
import torch, torchvision
from safetensors.torch import load_file

network = torchvision.models.{name}()
network.fc = torch.nn.Identity()
network.load_state_dict(load_file("{file}"))
network.eval()
"""
VIT_TIMM = """\
import timm

shape = dict(img_size={side}, patch_size={patch}, depth={depth}, num_classes=0)
network = timm.create_model("vit_tiny_patch16_224", **shape, checkpoint_path="{file}").eval()
"""
VIT_TORCHVISION = """\
import torch, torchvision
from safetensors.torch import load_file

network = torchvision.models.VisionTransformer({side}, {patch}, {depth}, {heads}, {width}, {mlp})
network.heads = torch.nn.Identity()
network.load_state_dict(load_file("{file}"))
network.eval()
"""
ALEXNET_TORCH = """\
from torch import nn
from safetensors.torch import load_file

channels, layers = {channels}, []
for i in range(5):
    layers += [nn.Conv2d(channels[i], channels[i + 1], 3, padding=1, bias=False)]
    layers += [nn.BatchNorm2d(channels[i + 1]), nn.ReLU()]
    layers += [nn.MaxPool2d(3, 2)] if i in {pooled} else []
layers += [nn.Flatten()]
for units in ({pixels}, {hidden}):  # fc6 and fc7
    layers += [nn.Linear(units, {hidden}, bias=False), nn.BatchNorm1d({hidden}), nn.ReLU()]
network = nn.Sequential(*layers)
network.load_state_dict(load_file("{file}"))
network.eval()
fc6 = network[:-3]  # the layer that this study probes
"""


@dataclass(frozen=True)
class Foreign:
    """An encoder as another library has it.

    tensors: by that library's names. lines: Python that makes ``network`` of them, with {file} for
    their file; it gives the embedding (n, d) of normalised float (n, 3, s, s).
    """

    tensors: dict[str, Tensor]
    lines: str


def foreign(encoder: Encoder, to: str) -> Foreign:
    """An encoder for a library, without the head that only its pre-training needs.

    Args:
        encoder: a SmallAlexNet, ResNet or ViT of ours.
        to: "timm", "torchvision" or "torch".

    Raises: ParameterError for a library that has no such network.

    >>> resnet = ResNet("resnet18", input_size=32)
    >>> list(foreign(resnet, "timm").tensors)[:2]
    ['conv1.weight', 'bn1.weight']
    """
    ways: Mapping[tuple[type[Encoder], str], Callable[[Any], Foreign]] = {
        (ResNet, "timm"): lambda resnet: _resnet(resnet, RESNET_TIMM),
        (ResNet, "torchvision"): lambda resnet: _resnet(resnet, RESNET_TORCHVISION),
        (ViT, "timm"): lambda vit: _vit(vit, vit.trunk.state_dict(), VIT_TIMM),
        (ViT, "torchvision"): lambda vit: _vit(vit, _torchvisions(vit), VIT_TORCHVISION),
        (SmallAlexNet, "torch"): _alexnet,
    }
    kind = type(encoder)
    fit = [library for one, library in ways if one is kind]
    if not fit:
        raise ParameterError(f"{kind.__name__}: is no encoder of `pretrain`; give a file of one")
    if to not in fit:
        where = " or ".join(fit)
        raise ParameterError(f"to = {to!r}: a {kind.__name__} goes to {where}; name one of these")
    return ways[kind, to](encoder)


def _resnet(encoder: ResNet, lines: str) -> Foreign:
    """Both libraries name its layers alike."""
    return Foreign(encoder.trunk.state_dict(), _filled(lines, name=encoder.options["name"]))


def _vit(encoder: ViT, tensors: dict[str, Tensor], lines: str) -> Foreign:
    shape = {
        "side": encoder.options["input_size"],
        "patch": encoder.options["input_size"] // encoder.patches,
        "depth": encoder.depth,
        "heads": encoder.heads,
        "width": encoder.embedding_size,
        "mlp": encoder.trunk.blocks[0].mlp.fc1.out_features,
    }
    return Foreign(tensors, _filled(lines, **shape))


def _torchvisions(encoder: ViT) -> dict[str, Tensor]:
    """Weights of timm's transformer under torchvision's names: the layers are the same."""
    tensors = {}
    for name, tensor in encoder.trunk.state_dict().items():
        front, rest, names = "", name, OUTSIDE
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            front, names = f"encoder.layers.encoder_layer_{number}.", BLOCK
        theirs = next(old for old in names if rest.startswith(old))
        tensors[front + names[theirs] + rest.removeprefix(theirs)] = tensor
    return tensors


def _alexnet(encoder: SmallAlexNet) -> Foreign:
    """Its layers one after the other, up to fc7."""
    parts = [layer for block in encoder.conv for layer in block.children()]
    network = nn.Sequential(*parts, nn.Flatten(), *encoder.fc6, *encoder.fc7)
    convolutions = [layer for layer in parts if isinstance(layer, nn.Conv2d)]
    channels = [3, *(layer.out_channels for layer in convolutions)]
    units = encoder.fc6[0].in_features
    shape = {"channels": channels, "pooled": POOLED, "pixels": units}
    lines = _filled(ALEXNET_TORCH, **shape, hidden=encoder.embedding_size)
    return Foreign(network.state_dict(), lines)


def _filled(lines: str, **values: Any) -> str:
    """Lines with values for the names in braces, but for {file}."""
    return lines.format(**values, file="{file}")


def same_features(encoder: Encoder) -> str:
    """What to know of its stem and pooling, in a sentence, for those who expect another."""
    side = encoder.options["input_size"]
    if isinstance(encoder, ResNet):
        stem = "the stem is the library's own, a 7×7 convolution of stride 2 and a max-pool"
        last = max(1, side // 32)
        return f"{stem}: at {side} px the last map is {last}×{last} (no 3×3 stem as for CIFAR)"
    if isinstance(encoder, ViT):
        patch = side // encoder.patches
        return f"patches of {patch}×{patch} px, {encoder.depth} layers; the class token is read"
    return f"made for {side} px alone; fc6 and fc7 take maps of one size"
