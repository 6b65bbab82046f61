"""Random StyleGANs whose kernels are drawn one by one, for a network: all channels are computed."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .stylegan_network import (
    EPSILON,
    GAIN,
    Network,
    layers,
    smooth,
    smooth_pooled,
    styles,
    upsample,
    upsample_bilinear,
)


def free_synthesis(shared: Network, keys: Tensor, side: int, width: float) -> Tensor:
    """RGB maps of images ``keys`` (n,), one by one: float (n, 3, side, side)."""
    if len(keys) > 1:  # a processor adds up in another order for other batches
        return torch.cat([free_synthesis(shared, key, side, width) for key in keys.split(1)])
    convolutions, painters = styles(shared, keys)
    plan = layers(side, width)
    x = shared.constant.expand(len(keys), -1, -1, -1)
    image = torch.zeros(len(keys), 3, 2, 2, device=keys.device)
    for number, (layer, style) in enumerate(zip(plan, convolutions, strict=True)):
        kernel = shared.kernels[number]
        gain = torch.rsqrt(style.square() @ kernel.square().sum((2, 3)).T + EPSILON)
        x = x * style[..., None, None]
        if layer.up:
            x = functional.conv_transpose2d(x, kernel.transpose(0, 1), stride=2)
            x = smooth(functional.pad(x, (1, 1, 1, 1)))
        else:
            x = functional.conv2d(x, kernel, padding=1)
        x = functional.relu(x * gain[..., None, None]) * GAIN
        if not layer.up:
            weight = shared.rgb[number // 2] * painters[number // 2][:, None]
            rgb = (weight @ x.flatten(2)).unflatten(2, (layer.side, layer.side))
            image = upsample(image) + rgb
    return image


def free_synthesis_half(shared: Network, keys: Tensor, side: int, width: float) -> Tensor:
    """:func:`free_synthesis` for a GPU: all images at once, channels last, the maps in float16.

    Its 11 bits are TF32's, so sums of products, which are float32, come out as by that; range is no
    matter, as every map is normalised. What scales a channel waits until after the ReLU, for one
    product with the next layer's style. An image takes 90 GFLOP, at half the bytes of float32.
    """
    convolutions, painters = styles(shared, keys)
    plan = layers(side, width)
    x = (shared.constant * convolutions[0][..., None, None]).half()
    image = torch.zeros(len(keys), 3, 2, 2, device=keys.device)
    for number, (layer, style) in enumerate(zip(plan, convolutions, strict=True)):
        x = x.contiguous(memory_format=torch.channels_last)
        kernel = shared.kernels[number]
        gain = GAIN * torch.rsqrt(style.square() @ kernel.square().sum((2, 3)).T + EPSILON)
        shift = 2.0 ** -round(math.log2(3 * math.sqrt(layer.inputs)))  # exact; maps stay near 1
        kernel = (kernel * shift).half()
        if layer.up:
            x = smooth_pooled(functional.conv_transpose2d(x, kernel.transpose(0, 1), stride=2))
            gain = 4 * gain
        else:
            x = functional.conv2d(x, kernel, padding=1)
        x = functional.relu_(x)
        gain = gain / shift
        if not layer.up:
            weight = shared.rgb[number // 2] * (painters[number // 2] * gain)[:, None]
            rgb = (weight.half() @ x.flatten(2)).unflatten(2, (layer.side, layer.side))
            image = upsample_bilinear(image) + rgb
        if number + 1 < len(plan):
            x *= (gain * convolutions[number + 1]).half()[..., None, None]
    return image
