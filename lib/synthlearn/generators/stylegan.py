"""Random StyleGANs: untrained synthesis networks as a source of pictures ("Learning to See by Looking at Noise", 2021).

The network is that of StyleGAN2 (Karras et al. 2020) in its 'skip' form; the four sets differ in kernels, noise and biases (authors'
code). Three of them tie their kernels: input channel i of a layer has the same 3×3 kernel for every output channel, up to a sign. Then
all output channels of a layer are ReLU(±M + noise + bias) of one single map M, and whatever reads them (the next layer's nine taps,
the to-RGB layer) is a piecewise linear function of the two numbers noise ± M at a pixel, with knots at the biases. So these networks
never hold their channels: a layer costs two look-ups per pixel, at any width, and the pictures are those of the full network.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.errors import ParameterError
from .base import Generator, Options
from .registry import register

SIDE = 256  # pixels at which the paper's networks paint
LATENT, CHANNELS_MAX, CHANNELS_TIMES_SIDE = 512, 512, 32768
KERNELS, LEAST_KERNELS = 40, 5
NOISE_SIDE, NOISE_SLOPE, NOISE_MAPS, STRENGTH, ENVELOPE = 512, (0.5, 1.5), 100, 0.3, 4
GAIN, EPSILON = math.sqrt(2), 1e-8
FULL_FREE, FULL_TIED = 64, 256  # pictures of SIDE that fill a GPU: of a width of 1, of any
# mean and standard deviation that an output channel is given, R, G, B: each ~ N(value, spread)
MEAN, MEAN_SPREAD = (0.483, 0.455, 0.401), (0.145, 0.142, 0.161)
STD, STD_SPREAD = (0.219, 0.213, 0.213), (0.063, 0.062, 0.069)


def sign_kernels() -> Tensor:
    """The kernels of highfreq and sparse, signs only: 16 edges over a full turn, 16 bars, 8 spots; float (40, 3, 3)."""
    edges = (
        "+0-+0-+0- +--+0-++- +--++-++- ---+0-+++ ---000+++ ----0++++ --+-+++++ --+-0+-++ "
        "-0+-0+-0+ -++-0+--+ -++--+--+ +++-0+--- +++000--- ++++0---- ++-+----- ++-+0-+--"
    )
    vertical, rising, horizontal, falling = "+-++-++-+", "-+++-+++-", "+++---+++", "++-+-+-++"
    bars = " ".join(
        (vertical, vertical, rising, horizontal, horizontal, horizontal, falling, vertical)
    )  # diagonals are rarer: rounding to signs
    spots = "0000+0000 ----+---- 0+0+++0+0 -+-+++-+-"
    edge, bar, spot = (
        torch.tensor([["-0+".index(c) - 1.0 for c in word] for word in words.split()])
        for words in (edges, bars, spots)
    )
    return torch.cat((edge, bar, -bar, spot, -spot)).view(-1, 3, 3)


def oriented_kernels() -> Tensor:
    """The kernels of oriented: 8 edges and 8 bars over half a turn, without mean, 4 spots, and all of them negated; float (40, 3, 3)."""
    angle = torch.arange(8) * math.pi / 8
    offset = torch.arange(-1.0, 2.0)
    across = (
        offset * torch.cos(angle)[:, None, None] - offset[:, None] * torch.sin(angle)[:, None, None]
    )  # distance from the line, in pixels
    edges = (-across).clamp(-1, 1)
    bars = (2 * across.abs() - 1).clamp(-1, 1)
    bars = bars - bars.mean((1, 2), keepdim=True)
    half = torch.cat((edges, bars, sign_kernels()[32:36]))
    return torch.cat((half, -half))


def channels(side: int, width: float) -> int:
    """Channels of a block of this resolution."""
    return max(4, round(min(CHANNELS_TIMES_SIDE // side, CHANNELS_MAX) * width))


@dataclass(frozen=True)
class Layer:
    """A 3×3 convolution of the synthesis network: channels in and out, resolution of its output, whether it doubles it."""

    inputs: int
    outputs: int
    side: int
    up: bool


def layers(side: int, width: float) -> list[Layer]:
    """The convolutions in order: one at 4 px, two for every doubling up to ``side``."""
    found = [Layer(channels(4, width), channels(4, width), 4, False)]
    for k in range(3, side.bit_length()):
        r = 1 << k
        found += [
            Layer(channels(r // 2, width), channels(r, width), r, True),
            Layer(channels(r, width), channels(r, width), r, False),
        ]
    return found


@dataclass(frozen=True)
class Network:
    """What images of one network share: affine maps of the latents to the styles of the convolutions and of the to-RGB layers, the constant
    input (c, 4, 4), and, where kernels are free, those and the to-RGB weights."""

    affine: list[Tensor]
    rgb_affine: list[Tensor]
    constant: Tensor
    kernels: list[Tensor]
    rgb: list[Tensor]


@lru_cache(maxsize=2)
def network(key: int, side: int, width: float, free: bool, device: str) -> Network:
    """Draw a network from an integer key: everything ~ N(0, 1)."""
    keys = torch.tensor(key, device=device)
    convolutions = layers(side, width)
    painters = [layer.outputs for layer in convolutions if not layer.up]

    def draw(kind: int, number: int, *shape: int) -> Tensor:
        return rng.normal(rng.fold(keys, kind, number), shape)

    return Network(
        [draw(0, i, layer.inputs, LATENT) for i, layer in enumerate(convolutions)],
        [draw(1, i, c, LATENT) for i, c in enumerate(painters)],
        draw(2, 0, convolutions[0].inputs, 4, 4),
        [draw(3, i, layer.outputs, layer.inputs, 3, 3) for i, layer in enumerate(convolutions)]
        if free
        else [],
        [draw(4, i, 3, c) for i, c in enumerate(painters)] if free else [],
    )


def pink_noise(keys: Tensor, side: int) -> Tensor:
    """Maps of amplitude 1/f^α, α ~ U(0.5, 1.5), uniform phases, mean 0: float (n, side, side) of keys (n,); one row and column of the period are cut."""
    period = side + 1
    slope = rng.uniform(rng.fold(keys, 0), (), *NOISE_SLOPE)
    phase = rng.uniform(rng.fold(keys, 1), (period, period // 2 + 1), 0, 2 * math.pi)
    phase[:, period // 2 + 1 :, 0] = -phase[:, 1 : period // 2 + 1, 0].flip(
        1
    )  # so that the map is real
    f = torch.fft.fftfreq(period, 1 / period, device=keys.device)
    radius = torch.hypot(f[:, None], f[: period // 2 + 1])
    radius[0, 0] = 1
    amplitude = radius ** -slope[:, None, None]
    amplitude[:, 0, 0] = 0
    x = torch.fft.irfft2(torch.polar(amplitude, phase), s=(period, period))[:, :side, :side]
    return x - x.mean((1, 2), keepdim=True)


@lru_cache(maxsize=16)
def _lanczos(target: int) -> Tensor:
    """Rows of a Lanczos-3 enlargement of ENVELOPE samples to ``target``, cut at the border and normalised as PIL does; float (target, ENVELOPE)."""
    x = (torch.arange(target, dtype=torch.float64)[:, None] + 0.5) * ENVELOPE / target - (
        torch.arange(ENVELOPE) + 0.5
    )
    weight = torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), 0.0)
    return (weight / weight.sum(1, keepdim=True)).float()


def enveloped_noise(keys: Tensor, side: int) -> Tensor:
    """Pink maps times a smooth envelope of 4×4 Laplace(0, 1) samples, sample standard deviation 1: float (n, side, side)."""
    u = rng.uniform(rng.fold(keys, 2), (ENVELOPE, ENVELOPE)) - 0.5 + 2.0**-25
    laplace = -torch.sign(u) * torch.log1p(-2 * u.abs())
    enlarge = _lanczos(side).to(keys.device)
    x = pink_noise(keys, side) * (enlarge @ laplace @ enlarge.T)
    return x / x.std((1, 2), keepdim=True)


@dataclass(frozen=True)
class StyleGANOptions(Options):
    """``kernels``: "free", drawn per network, or tied, drawn per picture from a bank: "signs", or a random part of "oriented".
    ``noise``: "none"; "pink", one of 100 maps that each layer of a network has; "envelope", one map with an envelope for all layers of a
    picture; "envelope_bank", both. ``bias_low``, ``bias_high``: range of the biases. ``width``: factor on all channels.
    ``images_per_network``: how many pictures share a network."""

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
        "width": 1 / 64, "images_per_network": 1, "bias_low": -10.0, "bias_high": -10.0,
    }  # fmt: skip
    at_most: ClassVar = {
        "width": 4.0, "images_per_network": 1_000_000_000, "bias_low": 10.0, "bias_high": 10.0,
    }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bias_low > self.bias_high:
            both = f"bias_low = {self.bias_low}, bias_high = {self.bias_high}"
            raise ParameterError(f"options {both}: bias_low must be at most bias_high")
        if self.kernels == "free" and (self.noise != "none" or self.bias_low or self.bias_high):
            raise ParameterError(
                'option kernels = "free": such networks have neither noise nor biases; leave noise, bias_low and bias_high, or tie the kernels'
            )


@register("stylegan-random")
@register("stylegan-highfreq", kernels="signs", noise="pink")
@register("stylegan-sparse", kernels="signs", noise="envelope", bias_high=0.2)
@register("stylegan-oriented", kernels="oriented", noise="envelope", bias_low=-0.2, bias_high=0.2)
class StyleGAN(Generator):
    """Untrained StyleGAN2 synthesis networks, painted at 256 px, each output channel given the mean and contrast of photographs."""

    Options = StyleGANOptions
    stream = "stylegan"
    scene = SIDE
    work_bytes = (
        16 << 20
    )  # of a width of 1; in half precision on a GPU, where tied kernels take less

    def scene_size(self, size: int) -> int:
        return max(self.scene, 1 << (size - 1).bit_length())

    def chunk(self, canvas: int, device: str) -> int:
        """As of any generator; on a GPU no more than fill it: past that a larger chunk buys nothing."""
        o, most = self.options, super().chunk(canvas, device)
        if device == "cpu":
            return most
        full = FULL_FREE / max(1, o.width) if o.kernels == "free" else FULL_TIED
        return max(1, min(most, int(full * (SIDE / canvas) ** 2)))

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        o, out = self.options, torch.empty((len(keys), 3, size, size), device=keys.device)
        free, cpu = o.kernels == "free", keys.device.type == "cpu"
        places: dict[int, list[int]] = {}  # the one thing that the host reads, once for a chunk
        for place, net in enumerate((indices // o.images_per_network).tolist()):
            places.setdefault(net, []).append(place)
        for net, chosen in places.items():
            key = int(rng.key("stylegan-network", seed, net))
            shared, mine = network(key, size, o.width, free, str(keys.device)), keys[chosen]
            if free:
                synthesis = free_synthesis if cpu else free_synthesis_half
                out[chosen] = synthesis(shared, mine, size, o.width)
            else:
                draw = tied_synthesis if cpu else tied_synthesis_gathered
                out[chosen] = draw(shared, mine, torch.tensor(key, device=keys.device), size, o)
        return to_photographic(out, keys)


def styles(shared: Network, keys: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Styles (n, c) of the convolutions and of the to-RGB layers; a to-RGB layer shares its latent with the convolution after it."""
    w = functional.leaky_relu(rng.normal(rng.fold(keys, 0), (len(shared.affine) + 1, LATENT)), 0.2)
    convolutions = [w[:, i] @ a.T / math.sqrt(LATENT) + 1 for i, a in enumerate(shared.affine)]
    painters = [
        (w[:, 2 * i + 1] @ a.T / math.sqrt(LATENT) + 1) / math.sqrt(len(a))
        for i, a in enumerate(shared.rgb_affine)
    ]
    return convolutions, painters


def _smooth(x: Tensor) -> Tensor:
    """[1, 3, 3, 1]/4 along both axes, valid part: (…, h, w) → (…, h − 3, w − 3)."""
    x = (x[..., 3:, :] + x[..., :-3, :]) + 3 * (x[..., 2:-1, :] + x[..., 1:-2, :])
    return ((x[..., 3:] + x[..., :-3]) + 3 * (x[..., 2:-1] + x[..., 1:-2])) / 16


def upsample(x: Tensor) -> Tensor:
    """Twice the resolution by zero insertion and the filter [1, 3, 3, 1]: (n, c, h, h) → (n, c, 2h, 2h)."""
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, 2 * h + 3, 2 * w + 3)
    padded[..., 2 : 2 + 2 * h : 2, 2 : 2 + 2 * w : 2] = x
    return _smooth(padded)


def _smooth_pooled(x: Tensor) -> Tensor:
    """A quarter of :func:`_smooth` after padding by one: (n, c, 2h + 1, 2h + 1) → (n, c, 2h, 2h).

    [1, 3, 3, 1]/8 is three means of two neighbours, a kernel each.
    """
    x = functional.avg_pool2d(x, 2, 1, padding=1)
    return functional.avg_pool2d(functional.avg_pool2d(x, 2, 1), 2, 1)


def upsample_bilinear(x: Tensor) -> Tensor:
    """:func:`upsample` in one kernel: the filter weighs by 3/4 and 1/4, with zeros around."""
    padded = functional.pad(x, (1, 1, 1, 1))
    return functional.interpolate(padded, scale_factor=2, mode="bilinear")[..., 2:-2, 2:-2]


def free_synthesis(shared: Network, keys: Tensor, side: int, width: float) -> Tensor:
    """RGB maps (n, 3, side, side) of a network with kernels of its own, picture by picture."""
    if len(keys) > 1:  # a processor adds up in another order for other batches
        return torch.cat([free_synthesis(shared, key, side, width) for key in keys.split(1)])
    convolutions, painters = styles(shared, keys)
    x = shared.constant.expand(len(keys), -1, -1, -1)
    image = torch.zeros(len(keys), 3, 2, 2, device=keys.device)
    for number, (layer, style, kernel) in enumerate(
        zip(layers(side, width), convolutions, shared.kernels, strict=True)
    ):
        gain = torch.rsqrt(style.square() @ kernel.square().sum((2, 3)).T + EPSILON)[
            ..., None, None
        ]
        x = x * style[..., None, None]
        if layer.up:
            x = _smooth(
                functional.pad(
                    functional.conv_transpose2d(x, kernel.transpose(0, 1), stride=2), (1, 1, 1, 1)
                )
            )
        else:
            x = functional.conv2d(x, kernel, padding=1)
        x = functional.relu(x * gain) * GAIN
        if not layer.up:
            weight = shared.rgb[number // 2] * painters[number // 2][:, None]
            image = upsample(image) + (weight @ x.flatten(2)).unflatten(2, (layer.side, layer.side))
    return image


def free_synthesis_half(shared: Network, keys: Tensor, side: int, width: float) -> Tensor:
    """:func:`free_synthesis` for a GPU: all pictures at once, channels last, the maps in float16.

    Its 11 bits are TF32's, so sums of products, which are float32, come out as by that; range is no
    matter, as every map is normalised. What scales a channel waits until after the ReLU, for one
    product with the next layer's style. A picture takes 90 GFLOP, at half the bytes of float32.
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
            x = _smooth_pooled(functional.conv_transpose2d(x, kernel.transpose(0, 1), stride=2))
            gain = 4 * gain
        else:
            x = functional.conv2d(x, kernel, padding=1)
        x, gain = functional.relu_(x), gain / shift
        if not layer.up:
            weight = shared.rgb[number // 2] * (painters[number // 2] * gain)[:, None]
            rgb = (weight.half() @ x.flatten(2)).unflatten(2, (layer.side, layer.side))
            image = upsample_bilinear(image) + rgb
        if number + 1 < len(plan):
            x *= (gain * convolutions[number + 1]).half()[..., None, None]
    return image


@dataclass(frozen=True)
class Draw:
    """What a tied layer draws for each picture: kernel of every input channel (n, inputs, 3, 3); sign ±1 and bias of every output channel
    (n, outputs); noise, already times its strength (n, side, side)."""

    kernel: Tensor
    sign: Tensor
    bias: Tensor
    noise: Tensor


def shared_noise(keys: Tensor, side: int) -> dict[int, Tensor]:
    """One enveloped map per picture, area-averaged to every resolution: resolution → (n, r, r)."""
    x = enveloped_noise(rng.fold(keys, 1), max(NOISE_SIDE, side))
    found = {x.shape[-1]: x}
    while x.shape[-1] > 4:
        x = functional.avg_pool2d(x[:, None], 2)[:, 0]
        found[x.shape[-1]] = x
    return found


def draw_layers(
    plan: list[Layer],
    keys: Tensor,
    net: Tensor,
    noise: dict[int, Tensor] | None,
    o: StyleGANOptions,
) -> list[Draw]:
    """Draw all layers for pictures ``keys`` (n,) of the network with key ``net``.

    noise: maps by resolution, or None if each layer has maps of its own.
    """
    bank = (sign_kernels() if o.kernels == "signs" else oriented_kernels()).to(keys.device)
    number, kind = (torch.arange(count, device=keys.device) for count in (len(plan), 7))
    own = rng.fold(keys[:, None, None], 100 + number[:, None], kind)  # (n, layers, kinds of draws)
    most = max(max(layer.inputs, layer.outputs) for layer in plan)
    u = rng.uniform(own[..., 0], (most,))
    if o.kernels == "signs":
        which = (u * KERNELS).long()
    else:
        order = rng.bits(own[..., 1], (KERNELS,)).argsort(2)
        count = rng.integers(own[..., 2], LEAST_KERNELS, KERNELS + 1)
        which = order.gather(2, (u * count[..., None]).long())
    sign = torch.where(rng.uniform(own[..., 3], (most,)) < 0.5, -1.0, 1.0)
    bias = rng.uniform(own[..., 4], (most,), o.bias_low, o.bias_high)
    strength = rng.uniform(own[..., 6], (), 0, STRENGTH)[..., None, None]
    maps = rng.fold(net, 1000 + number, rng.integers(own[..., 5], 0, NOISE_MAPS))
    found = []
    for i, layer in enumerate(plan):
        if noise is not None:
            x = noise[layer.side]
        elif o.noise == "none":
            x = torch.zeros(len(keys), layer.side, layer.side, device=keys.device)
        else:
            x = (pink_noise if o.noise == "pink" else enveloped_noise)(maps[:, i], layer.side)
            x = x / x.std((1, 2), keepdim=True)
        kernel = bank[which[:, i, : layer.inputs]]
        outputs = slice(layer.outputs)
        found.append(Draw(kernel, sign[:, i, outputs], bias[:, i, outputs], x * strength[:, i]))
    return found


def tied_synthesis(
    shared: Network,
    keys: Tensor,
    net: Tensor,
    side: int,
    o: StyleGANOptions,
) -> Tensor:
    """RGB maps (n, 3, side, side) of a network with tied kernels, one map a layer, by picture."""
    if len(keys) > 1:  # as above
        return torch.cat([tied_synthesis(shared, key, net, side, o) for key in keys.split(1)])
    return _tied(shared, keys, net, side, o, _assemble, read_channels, upsample)


def tied_synthesis_gathered(
    shared: Network,
    keys: Tensor,
    net: Tensor,
    side: int,
    o: StyleGANOptions,
) -> Tensor:
    """:func:`tied_synthesis` for a GPU: all pictures at once, by kernels that move fewer bytes."""
    ways = _assemble_folded, read_channels_gathered, upsample_bilinear
    return _tied(shared, keys, net, side, o, *ways)


def _tied(
    shared: Network,
    keys: Tensor,
    net: Tensor,
    side: int,
    o: StyleGANOptions,
    assemble: Callable[[Tensor, bool], Tensor],
    read_channels: Callable[[Tensor, Draw, Tensor], Tensor],
    upsample: Callable[[Tensor], Tensor],
) -> Tensor:
    """RGB maps (n, 3, side, side) of a network with tied kernels, by one map per layer."""
    convolutions, painters = styles(shared, keys)
    noise = shared_noise(keys, side) if o.noise == "envelope" else None
    plan = layers(side, o.width)
    draws = draw_layers(plan, keys, net, noise, o)
    image = torch.zeros(len(keys), 3, 2, 2, device=keys.device)
    taps = torch.einsum(
        "ni,niyx,ihw->nyxhw", convolutions[0], draws[0].kernel, shared.constant
    )  # what the first layer adds at each of its nine taps
    for number, (layer, draw) in enumerate(zip(plan, draws, strict=True)):
        norm = (convolutions[number].square() * draw.kernel.square().sum((2, 3))).sum(1)
        single = assemble(taps, layer.up) * torch.rsqrt(norm + EPSILON)[:, None, None]
        readers = []
        if not layer.up:
            block = number // 2
            readers.append(
                rng.normal(rng.fold(keys, 10 + block), (3, layer.outputs))
                * painters[block][:, None]
            )
        if number + 1 < len(plan):
            readers.append(
                (convolutions[number + 1][..., None, None] * draws[number + 1].kernel)
                .flatten(2)
                .transpose(1, 2)
            )
        read = read_channels(single, draw, torch.cat(readers, 1))
        if not layer.up:
            image = upsample(image) + read[:, :3]
        taps = read[:, -9:].unflatten(1, (3, 3)) if number + 1 < len(plan) else taps
    return image


def _assemble(taps: Tensor, up: bool) -> Tensor:
    """A convolution's output (n, h', w') from what each input pixel adds at each tap, (n, 3, 3, h, w): a cross-correlation with zeros around, or
    a transposed convolution of stride 2, smoothed."""
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
    return _smooth(out)


def _assemble_folded(taps: Tensor, up: bool) -> Tensor:
    """:func:`_assemble` in one kernel, and three for smoothing."""
    n, _, _, h, w = taps.shape
    if not up:
        return functional.fold(taps.flip(1, 2).view(n, 9, -1), (h, w), 3, padding=1)[:, 0]
    spread = functional.fold(taps.reshape(n, 9, -1), (2 * h + 1, 2 * w + 1), 3, stride=2)
    return 4 * _smooth_pooled(spread)[:, 0]


def read_channels(single: Tensor, draw: Draw, weights: Tensor) -> Tensor:
    """Σ_c weights_c · √2 · ReLU(sign_c · single + noise + bias_c), for k sets of weights (n, k, c): (n, k, h, w), without holding the channels.

    Of the channels of one sign, those with bias above −v are on at v = noise ± single: prefix sums over sorted biases give slope and offset.
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


def read_channels_gathered(single: Tensor, draw: Draw, weights: Tensor) -> Tensor:
    """:func:`read_channels` with pixels innermost throughout, as a GPU reads and writes fastest."""
    n, k, _ = weights.shape
    table, knots, v = _lines(single, draw, weights)
    on = torch.searchsorted(knots, v)[:, :, None].expand(n, 2, 2 * k, -1)
    found = table.flatten(2, 3).gather(3, on).unflatten(2, (2, k))  # (n, 2, slope and offset, k, …)
    read = torch.addcmul(found[:, 0, 1], found[:, 0, 0], v[:, 0, None])
    read.addcmul_(found[:, 1, 0], v[:, 1, None]).add_(found[:, 1, 1])
    return read.unflatten(2, single.shape[1:])


def _lines(single: Tensor, draw: Draw, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes and offsets between the knots (n, 2, 2, k, c + 1), the knots (n, 2, c), and v at each
    pixel (n, 2, h·w); the 2 of all three are the signs."""
    n, k, c = weights.shape
    knots, order = (-draw.bias).sort(1)
    signs = torch.tensor([1.0, -1.0], device=single.device)
    mine = weights[:, None] * (draw.sign[:, None] == signs[:, None])[:, :, None]  # (n, 2, k, c)
    mine = torch.stack((mine, mine * draw.bias[:, None, None]), 2).gather(
        4, order[:, None, None, None].expand(n, 2, 2, k, c)
    )
    table = functional.pad(mine.double().cumsum(4), (1, 0)).mul_(GAIN).float()
    v = (signs[:, None] * single.flatten(1)[:, None] + draw.noise.flatten(1)[:, None]).contiguous()
    return table, knots[:, None].expand(n, 2, c).contiguous(), v


def to_photographic(x: Tensor, keys: Tensor) -> Tensor:
    """Give every channel of (n, 3, h, w) a drawn mean and contrast, clip to [0, 1], cut to bytes."""
    z = rng.normal(rng.fold(keys, 2), (2, 3))
    mean, spread, std, std_spread = (
        torch.tensor(t, device=x.device) for t in (MEAN, MEAN_SPREAD, STD, STD_SPREAD)
    )
    x = x - x.mean((2, 3), keepdim=True)
    x = x / x.square().mean((2, 3), keepdim=True).sqrt().clamp_min(1e-12)
    x = (
        x * (std + std_spread * z[:, 1])[..., None, None]
        + (mean + spread * z[:, 0])[..., None, None]
    )
    return (x.clamp(0, 1) * 255).byte()
