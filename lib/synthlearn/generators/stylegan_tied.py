"""Random StyleGANs with tied kernels: a layer costs two look-ups a pixel, at any width.

Input channel i of a layer has the same 3×3 kernel for every output channel, up to a sign. Then all
output channels of a layer are ReLU(±M + noise + bias) of one single map M, and whatever reads them
(the next layer's nine taps, the to-RGB layer) is a piecewise linear function of the two numbers
noise ± M at a pixel, with knots at the biases. So these networks never hold their channels, and the
images are those of the full network.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from .stylegan_network import (
    EPSILON,
    GAIN,
    Draw,
    Layer,
    Network,
    NetworkDraw,
    StyleGANOptions,
    layers,
    smooth,
    smooth_pooled,
    styles,
    upsample,
    upsample_bilinear,
)
from .stylegan_noise import enveloped_noise, pink_noise

KERNELS = 40  # in a bank; authors' code
LEAST_KERNELS = 5  # of a bank that an oriented image uses; authors' code
NOISE_SIDE = 512  # pixels at which a map for all layers is drawn; authors' code
NOISE_MAPS = 100  # that a layer of a network has; authors' code
STRENGTH = 0.3  # of the noise, at most; authors' code


class LayerDraw(IntEnum):
    """What is drawn for a layer of an image."""

    KERNEL = 0
    BANK_ORDER = 1
    BANK_COUNT = 2
    SIGN = 3
    BIAS = 4
    NOISE_MAP = 5
    STRENGTH = 6


def sign_kernels() -> Tensor:
    """The kernels of highfreq and sparse, signs only: float (40, 3, 3).

    16 edges over a full turn, 16 bars, 8 spots.
    """
    edges = (
        "+0-+0-+0- +--+0-++- +--++-++- ---+0-+++ ---000+++ ----0++++ --+-+++++ --+-0+-++ "
        "-0+-0+-0+ -++-0+--+ -++--+--+ +++-0+--- +++000--- ++++0---- ++-+----- ++-+0-+--"
    )
    vertical = "+-++-++-+"
    rising = "-+++-+++-"
    horizontal = "+++---+++"
    falling = "++-+-+-++"
    # diagonals are rarer: rounding to signs
    bars = " ".join(
        (vertical, vertical, rising, horizontal, horizontal, horizontal, falling, vertical)
    )
    spots = "0000+0000 ----+---- 0+0+++0+0 -+-+++-+-"
    edge, bar, spot = (
        torch.tensor([["-0+".index(c) - 1.0 for c in word] for word in words.split()])
        for words in (edges, bars, spots)
    )
    return torch.cat((edge, bar, -bar, spot, -spot)).view(-1, 3, 3)


def oriented_kernels() -> Tensor:
    """The kernels of oriented: float (40, 3, 3).

    8 edges and 8 bars over half a turn, without mean, 4 spots, and all of them negated.
    """
    angle = torch.arange(8) * math.pi / 8
    offset = torch.arange(-1.0, 2.0)
    cos = torch.cos(angle)[:, None, None]
    sin = torch.sin(angle)[:, None, None]
    across = offset * cos - offset[:, None] * sin  # distance from the line, in pixels
    edges = (-across).clamp(-1, 1)
    bars = (2 * across.abs() - 1).clamp(-1, 1)
    bars = bars - bars.mean((1, 2), keepdim=True)
    half = torch.cat((edges, bars, sign_kernels()[32:36]))
    return torch.cat((half, -half))


@dataclass(frozen=True)
class TiedLayer:
    """What a layer draws for each image.

    kernel of every input channel (n, inputs, 3, 3); sign ±1 and bias of every output channel
    (n, outputs); noise, already times its strength (n, side, side).
    """

    kernel: Tensor
    sign: Tensor
    bias: Tensor
    noise: Tensor


def shared_noise(keys: Tensor, side: int) -> dict[int, Tensor]:
    """One enveloped map per image, area-averaged to every side r: r → (n, r, r)."""
    x = enveloped_noise(rng.fold(keys, Draw.ENVELOPED_NOISE), max(NOISE_SIDE, side))
    maps = {x.shape[-1]: x}
    while x.shape[-1] > 4:
        x = functional.avg_pool2d(x[:, None], 2)[:, 0]
        maps[x.shape[-1]] = x
    return maps


def draw_layers(
    plan: list[Layer],
    keys: Tensor,
    net: Tensor,
    noise: dict[int, Tensor] | None,
    options: StyleGANOptions,
) -> list[TiedLayer]:
    """Draw all layers for images ``keys`` (n,) of the network with key ``net``.

    noise: maps by side, or None if each layer has maps of its own.
    """
    bank = (sign_kernels() if options.kernels == "signs" else oriented_kernels()).to(keys.device)
    number = torch.arange(len(plan), device=keys.device)
    kinds = torch.arange(len(LayerDraw), device=keys.device)
    # (n, layers, kinds of draws)
    own = rng.fold(keys[:, None, None], Draw.TIED_LAYER + number[:, None], kinds)
    most = max(max(layer.inputs, layer.outputs) for layer in plan)
    u = rng.uniform(own[..., LayerDraw.KERNEL], (most,))
    if options.kernels == "signs":
        which = (u * KERNELS).long()
    else:
        order = rng.bits(own[..., LayerDraw.BANK_ORDER], (KERNELS,)).argsort(2)
        count = rng.integers(own[..., LayerDraw.BANK_COUNT], LEAST_KERNELS, KERNELS + 1)
        which = order.gather(2, (u * count[..., None]).long())
    sign = torch.where(rng.uniform(own[..., LayerDraw.SIGN], (most,)) < 0.5, -1.0, 1.0)
    bias = rng.uniform(own[..., LayerDraw.BIAS], (most,), options.bias_low, options.bias_high)
    strength = rng.uniform(own[..., LayerDraw.STRENGTH], (), 0, STRENGTH)[..., None, None]
    chosen = rng.integers(own[..., LayerDraw.NOISE_MAP], 0, NOISE_MAPS)
    maps = rng.fold(net, NetworkDraw.NOISE_MAP + number, chosen)
    tied = []
    for i, layer in enumerate(plan):
        x = noise[layer.side] if noise else _own_noise(maps[:, i], layer.side, options.noise)
        kernel = bank[which[:, i, : layer.inputs]]
        outputs = slice(layer.outputs)
        tied.append(TiedLayer(kernel, sign[:, i, outputs], bias[:, i, outputs], x * strength[:, i]))
    return tied


def _own_noise(keys: Tensor, side: int, law: str) -> Tensor:
    """Maps of a layer, float (n, side, side) of keys (n,), of deviation 1 or, for "none", zero."""
    if law == "none":
        return torch.zeros(len(keys), side, side, device=keys.device)
    x = pink_noise(keys, side) if law == "pink" else enveloped_noise(keys, side)
    return x / x.std((1, 2), keepdim=True)


def tied_synthesis(
    shared: Network, keys: Tensor, net: Tensor, side: int, options: StyleGANOptions
) -> Tensor:
    """RGB maps of images ``keys`` (n,) of a network with key ``net``, one by one.

    Returns float (n, 3, side, side).
    """
    if len(keys) > 1:  # a processor adds up in another order for other batches
        return torch.cat([tied_synthesis(shared, key, net, side, options) for key in keys.split(1)])
    return _synthesis(shared, keys, net, side, options, PLAIN)


def tied_synthesis_gathered(
    shared: Network, keys: Tensor, net: Tensor, side: int, options: StyleGANOptions
) -> Tensor:
    """:func:`tied_synthesis` for a GPU: all images at once, by kernels that move fewer bytes."""
    return _synthesis(shared, keys, net, side, options, GATHERED)


@dataclass(frozen=True)
class Steps:
    """A layer's three steps, in one of two ways of the same result."""

    assemble: Callable[[Tensor, bool], Tensor]
    read: Callable[[Tensor, TiedLayer, Tensor], Tensor]
    upsample: Callable[[Tensor], Tensor]


def _synthesis(
    shared: Network,
    keys: Tensor,
    net: Tensor,
    side: int,
    options: StyleGANOptions,
    steps: Steps,
) -> Tensor:
    """RGB maps (n, 3, side, side) by one map a layer."""
    convolutions, painters = styles(shared, keys)
    noise = shared_noise(keys, side) if options.noise == "envelope" else None
    plan = layers(side, options.width)
    draws = draw_layers(plan, keys, net, noise, options)
    image = torch.zeros(len(keys), 3, 2, 2, device=keys.device)
    # what the first layer adds at each of its nine taps
    taps = torch.einsum("ni,niyx,ihw->nyxhw", convolutions[0], draws[0].kernel, shared.constant)
    for number, (layer, draw) in enumerate(zip(plan, draws, strict=True)):
        norm = (convolutions[number].square() * draw.kernel.square().sum((2, 3))).sum(1)
        single = steps.assemble(taps, layer.up) * torch.rsqrt(norm + EPSILON)[:, None, None]
        readers = []
        if not layer.up:
            block = number // 2
            rgb = rng.normal(rng.fold(keys, Draw.TIED_RGB + block), (3, layer.outputs))
            readers.append(rgb * painters[block][:, None])
        if number + 1 < len(plan):
            following = convolutions[number + 1][..., None, None] * draws[number + 1].kernel
            readers.append(following.flatten(2).transpose(1, 2))
        read = steps.read(single, draw, torch.cat(readers, 1))
        if not layer.up:
            image = steps.upsample(image) + read[:, :3]
        if number + 1 < len(plan):
            taps = read[:, -9:].unflatten(1, (3, 3))
    return image


def assemble(taps: Tensor, up: bool) -> Tensor:
    """A convolution's output from what each input pixel adds at each tap.

    taps: float (n, 3, 3, h, w). Returns a cross-correlation with zeros around, (n, h, w), or, for
    ``up``, a transposed convolution of stride 2, smoothed, (n, 2h, 2w).
    """
    n, _, _, h, w = taps.shape
    if not up:
        padded = functional.pad(taps, (1, 1, 1, 1))
        total = torch.zeros_like(taps[:, 0, 0])
        for y in range(3):
            for x in range(3):
                total += padded[:, y, x, y : y + h, x : x + w]
        return total
    out = taps.new_zeros(n, 2 * h + 3, 2 * w + 3)
    for y in range(3):
        for x in range(3):
            out[:, 1 + y : 1 + y + 2 * h : 2, 1 + x : 1 + x + 2 * w : 2] += taps[:, y, x]
    return smooth(out)


def assemble_folded(taps: Tensor, up: bool) -> Tensor:
    """:func:`assemble` in one kernel, and three for smoothing."""
    n, _, _, h, w = taps.shape
    if not up:
        return functional.fold(taps.flip(1, 2).view(n, 9, -1), (h, w), 3, padding=1)[:, 0]
    spread = functional.fold(taps.reshape(n, 9, -1), (2 * h + 1, 2 * w + 1), 3, stride=2)
    return 4 * smooth_pooled(spread)[:, 0]


def read_channels(single: Tensor, draw: TiedLayer, weights: Tensor) -> Tensor:
    """Σ_c weights_c · √2 · ReLU(sign_c · single + noise + bias_c), without holding the channels.

    single: float (n, h, w). weights: float (n, k, c), k sets. Returns float (n, k, h, w).

    Of the channels of one sign, those with bias above −v are on at v = noise ± single: prefix sums
    over sorted biases give slope and offset.
    """
    n, k, c = weights.shape
    table, knots, v = _lines(single, draw, weights)
    slope, offset = table.permute(2, 0, 1, 4, 3).reshape(2, n * 2 * (c + 1), k)
    on = torch.searchsorted(knots, v)
    on += (torch.arange(2 * n, device=single.device) * (c + 1)).view(n, 2, 1)
    read = slope.index_select(0, on.flatten()).view(n, 2, -1, k).mul_(v[..., None])
    read += offset.index_select(0, on.flatten()).view(n, 2, -1, k)
    read = read[:, 0] + read[:, 1]
    return read.transpose(1, 2).reshape(n, k, *single.shape[1:])


def read_channels_gathered(single: Tensor, draw: TiedLayer, weights: Tensor) -> Tensor:
    """:func:`read_channels` with pixels innermost throughout, as a GPU reads and writes fastest."""
    n, k, _ = weights.shape
    table, knots, v = _lines(single, draw, weights)
    on = torch.searchsorted(knots, v)[:, :, None].expand(n, 2, 2 * k, -1)
    # (n, 2, slope and offset, k, h · w)
    line = table.flatten(2, 3).gather(3, on).unflatten(2, (2, k))
    read = torch.addcmul(line[:, 0, 1], line[:, 0, 0], v[:, 0, None])
    read.addcmul_(line[:, 1, 0], v[:, 1, None]).add_(line[:, 1, 1])
    return read.unflatten(2, single.shape[1:])


def _lines(single: Tensor, draw: TiedLayer, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes and offsets between the knots (n, 2, 2, k, c + 1), the knots (n, 2, c), and v at each
    pixel (n, 2, h · w); the first 2 of each are the signs."""
    n, k, c = weights.shape
    knots, order = (-draw.bias).sort(1)
    signs = torch.tensor([1.0, -1.0], device=single.device)
    own = weights[:, None] * (draw.sign[:, None] == signs[:, None])[:, :, None]  # (n, 2, k, c)
    both = torch.stack((own, own * draw.bias[:, None, None]), 2)
    both = both.gather(4, order[:, None, None, None].expand(n, 2, 2, k, c))
    table = functional.pad(both.double().cumsum(4), (1, 0)).mul_(GAIN).float()
    v = (signs[:, None] * single.flatten(1)[:, None] + draw.noise.flatten(1)[:, None]).contiguous()
    return table, knots[:, None].expand(n, 2, c).contiguous(), v


PLAIN = Steps(assemble, read_channels, upsample)
GATHERED = Steps(assemble_folded, read_channels_gathered, upsample_bilinear)
