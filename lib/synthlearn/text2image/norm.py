"""Group norm that keeps channels last and the type of its input, with SiLU: for a U-Net on a GPU.

torch's own there copies to another memory format and back, and autocast makes it float32. In Triton
a program norms some groups of a picture: it reads them twice, from memory and then from the cache,
and writes once. The version of torch operations, a pass for each sum and a few for the rest, is its
reference and the way without Triton.
"""

from __future__ import annotations  # annotations name Triton's types, which may be missing

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..core.kernels import available, jit, tl

# Of a program; chosen here.
CHANNELS = 32  # at most
TILE = 4096  # numbers at a time
WARPS = 8


def group_norm(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, silu: bool = False, eps: float = 1e-5
) -> Tensor:
    """Norm over groups of channels, then SiLU if asked, in the memory format and type of the input.

    It is computed in float32.

    Args:
        x: (n, c, h, w). weight, bias: float32 (n, c), or (1, c) for all images.
        groups: of channels, a power of two that divides c.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.autocast(x.device.type, enabled=False):
        if available(x.device):
            return Fused.apply(x, weight.float(), bias.float(), groups, silu, eps)
        out: Tensor = Plain.apply(x, weight.float(), bias.float(), groups, eps)
        return functional.silu(out) if silu else out


class Plain(torch.autograd.Function):
    """By torch operations, without SiLU: a pass over x for each sum, one for the output; each reads
    and writes the input's own type."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        """As :func:`group_norm`."""
        count = x[0].numel() // groups
        first = x.sum((2, 3), dtype=torch.float32)
        second = torch.linalg.vector_norm(x, dim=(2, 3), dtype=torch.float32).square()
        mean = _over(first, groups) / count
        inverse = (_over(second, groups) / count - mean.square()).clamp_min(0).add(eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.groups, ctx.count = groups, count
        factor = weight * inverse
        return _affine(bias - mean * factor, x, factor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias."""
        x, weight, mean, inverse = ctx.saved_tensors
        (gradient,) = gradients
        to_bias = gradient.sum((2, 3), dtype=torch.float32)
        to_weight = ((gradient * x).sum((2, 3), dtype=torch.float32) - mean * to_bias) * inverse
        # what the scale of the group takes away
        along = _over(weight * to_weight, ctx.groups) / ctx.count * inverse.square()
        level = _over(weight * to_bias, ctx.groups) / ctx.count * inverse  # and its mean
        to_x = _affine(_affine(mean * along - level, x, -along), gradient, weight * inverse)
        return to_x, *_of_rows(to_weight, to_bias, len(weight)), None, None


class Fused(torch.autograd.Function):
    """By a Triton kernel for each direction; the gradient's kernel computes again what SiLU was
    applied to."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, silu: bool, eps: float
    ) -> Tensor:
        """As :func:`group_norm`."""
        n, c, h, w = x.shape
        out, weight, bias = torch.empty_like(x), weight.contiguous(), bias.contiguous()
        mean, inverse = (torch.empty((n, groups), device=x.device) for _ in range(2))
        shape = tiles(c, groups, h * w)
        stride = c if len(weight) > 1 else 0
        _forward[n, groups // shape["G"]](
            x,
            weight,
            bias,
            out,
            mean,
            inverse,
            h * w,
            c,
            stride,
            groups,
            eps,
            SILU=silu,
            **shape,
            num_warps=WARPS,
        )
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.groups, ctx.silu = groups, silu
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias."""
        x, weight, bias, mean, inverse = ctx.saved_tensors
        n, c, h, w = x.shape
        gradient, to_x = (
            gradients[0].contiguous(memory_format=torch.channels_last),
            torch.empty_like(x),
        )
        to_weight, to_bias = (torch.empty((n, c), device=x.device) for _ in range(2))
        shape = tiles(c, ctx.groups, h * w)
        stride = c if len(weight) > 1 else 0
        _backward[n, ctx.groups // shape["G"]](
            x,
            weight,
            bias,
            mean,
            inverse,
            gradient,
            to_x,
            to_weight,
            to_bias,
            h * w,
            c,
            stride,
            ctx.groups,
            SILU=ctx.silu,
            **shape,
            num_warps=WARPS,
        )
        return to_x, *_of_rows(to_weight, to_bias, len(weight)), None, None, None


def tiles(channels: int, groups: int, places: int) -> dict[str, int]:
    """Of a program: P places at a time, G groups, the D channels of each, in a place for E, a power
    of two."""
    d = channels // groups
    e = 1 << (d - 1).bit_length()
    g = min(groups, max(1, CHANNELS // e))
    return {
        "P": min(max(1, TILE // (g * e)), 1 << (places - 1).bit_length()),
        "G": g,
        "D": d,
        "E": e,
    }


@jit
def _forward(  # type: ignore[no-untyped-def]
    x, weight, bias, out, mean, inverse, places, channels, stride, groups, eps,
    SILU: tl.constexpr, P: tl.constexpr, G: tl.constexpr, D: tl.constexpr, E: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    group = tl.program_id(1) * G + tl.arange(0, G)
    channel, inside = group[:, None] * D + tl.arange(0, E)[None, :], (tl.arange(0, E) < D)[None, :]
    first, second = tl.zeros((P, G, E), tl.float32), tl.zeros((P, G, E), tl.float32)
    start = 0
    while start < places:  # the interpreter knows no range() of a kernel's arguments
        place = start + tl.arange(0, P)
        at = n * places * channels + place[:, None, None] * channels + channel[None, :, :]
        v = tl.load(
            x + at, mask=(place < places)[:, None, None] & inside[None, :, :], other=0.0
        ).to(tl.float32)
        first += v
        second += v * v
        start += P
    m = tl.sum(tl.sum(first, 0), 1) / (places * D)
    spread = tl.sum(tl.sum(second, 0), 1) / (places * D) - m * m
    r = 1 / tl.sqrt(tl.maximum(spread, 0.0) + eps)
    tl.store(mean + n * groups + group, m)
    tl.store(inverse + n * groups + group, r)
    factor = tl.load(weight + n * stride + channel, mask=inside, other=0.0) * r[:, None]
    level = tl.load(bias + n * stride + channel, mask=inside, other=0.0) - m[:, None] * factor
    start = 0
    while start < places:
        place = start + tl.arange(0, P)
        at = n * places * channels + place[:, None, None] * channels + channel[None, :, :]
        kept = (place < places)[:, None, None] & inside[None, :, :]
        y = (
            tl.load(x + at, mask=kept, other=0.0).to(tl.float32) * factor[None, :, :]
            + level[None, :, :]
        )
        if SILU:
            y = y * tl.sigmoid(y)
        tl.store(out + at, y.to(out.dtype.element_ty), mask=kept)
        start += P


@jit
def _before_silu(x, gradient, kept, factor, level, SILU: tl.constexpr):  # type: ignore[no-untyped-def]
    """What was normed, and the gradient of what SILU was applied to."""
    v = tl.load(x, mask=kept, other=0.0).to(tl.float32)
    d = tl.load(gradient, mask=kept, other=0.0).to(tl.float32)
    if SILU:
        y = v * factor[None, :, :] + level[None, :, :]
        s = tl.sigmoid(y)
        d = d * s * (1 + y * (1 - s))
    return v, d


@jit
def _backward(  # type: ignore[no-untyped-def]
    x, weight, bias, mean, inverse, gradient, to_x, to_weight, to_bias,
    places, channels, stride, groups,
    SILU: tl.constexpr, P: tl.constexpr, G: tl.constexpr, D: tl.constexpr, E: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    group = tl.program_id(1) * G + tl.arange(0, G)
    channel, inside = group[:, None] * D + tl.arange(0, E)[None, :], (tl.arange(0, E) < D)[None, :]
    m, r = (
        tl.load(mean + n * groups + group)[:, None],
        tl.load(inverse + n * groups + group)[:, None],
    )
    w = tl.load(weight + n * stride + channel, mask=inside, other=0.0)
    factor = w * r
    level = tl.load(bias + n * stride + channel, mask=inside, other=0.0) - m * factor
    first, second = tl.zeros((P, G, E), tl.float32), tl.zeros((P, G, E), tl.float32)
    start = 0
    while start < places:
        place = start + tl.arange(0, P)
        at = n * places * channels + place[:, None, None] * channels + channel[None, :, :]
        kept = (place < places)[:, None, None] & inside[None, :, :]
        v, d = _before_silu(x + at, gradient + at, kept, factor, level, SILU)
        first += d
        second += d * v
        start += P
    of_bias = tl.sum(first, 0)
    of_weight = (tl.sum(second, 0) - m * of_bias) * r
    tl.store(to_bias + n * channels + channel, of_bias, mask=inside)
    tl.store(to_weight + n * channels + channel, of_weight, mask=inside)
    along = tl.sum(w * of_weight, 1)[:, None] / (places * D) * r * r
    shift = m * along - tl.sum(w * of_bias, 1)[:, None] / (places * D) * r
    start = 0
    while start < places:
        place = start + tl.arange(0, P)
        at = n * places * channels + place[:, None, None] * channels + channel[None, :, :]
        kept = (place < places)[:, None, None] & inside[None, :, :]
        v, d = _before_silu(x + at, gradient + at, kept, factor, level, SILU)
        tl.store(
            to_x + at,
            (d * factor[None, :, :] - v * along[None, :, :] + shift[None, :, :]).to(
                to_x.dtype.element_ty
            ),
            mask=kept,
        )
        start += P


def _of_rows(to_weight: Tensor, to_bias: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Gradients by image (n, c), or added up where one weight is for all."""
    return (
        (to_weight, to_bias)
        if rows > 1
        else (to_weight.sum(0, keepdim=True), to_bias.sum(0, keepdim=True))
    )


def _over(x: Tensor, groups: int) -> Tensor:
    """Sums over groups of channels, for every channel: float (n, c)."""
    n, c = x.shape
    return x.view(n, groups, -1).sum(2, keepdim=True).expand(n, groups, c // groups).reshape(n, c)


def _affine(shift: Tensor, x: Tensor, factor: Tensor) -> Tensor:
    """shift + x·factor in one pass, computed in float32 and rounded to the type of x (n, c, h, w);
    factor (n, c), shift (n, c) or of x's shape."""
    at = shift[:, :, None, None] if shift.ndim == 2 else shift
    return torch.addcmul(at, x, factor[:, :, None, None], out=torch.empty_like(x))
