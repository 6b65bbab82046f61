"""The views of :mod:`synthlearn.core.augment` as one Triton kernel: a program per view.

A program weighs the pixels of its window with PIL's triangle filter, mirrors, applies the four
colour steps in the view's own order with the view's own mean luma, and writes normalised pixels;
nothing between lies in memory. A view of up to ``HELD`` pixels stays in registers; of a larger one
what precedes the contrast step, which needs the mean of the whole view, is computed twice, tile by
tile.

The linear variant applies its maps pixel by pixel, unclamped, in place of composing them first:
the same but for rounding.
"""

# values in a kernel have types of Triton, which may be missing:
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations  # annotations name Triton's types, which may be missing

import torch
from torch import Tensor

from . import image
from .kernels import jit, tl, triton

if triton is not None:
    LUMA, MEAN, STD = (tl.constexpr(c) for c in (image.LUMA, image.MEAN, image.STD))
    YIQ, FROM_YIQ = tl.constexpr(image.YIQ), tl.constexpr(image.FROM_YIQ)

HELD = 64 * 64  # pixels that a program holds in registers, at most eight a thread


def tiles(crop: int) -> dict[str, int]:
    """Rows and columns (powers of two) of the tiles of a view, and how many there are."""
    columns = triton.next_power_of_2(crop)
    rows = min(columns, max(HELD // columns, 1))
    return {"ROWS": rows, "COLUMNS": columns, "TILES": triton.cdiv(crop, rows)}


def warps(pixels: int) -> int:
    """Warps that share the pixels of a tile: four to eight a thread, of at most 100 registers."""
    return min(max(pixels // 128, 1), 16)


def views(
    images: Tensor,
    source: Tensor,
    parameters: tuple[Tensor, ...],
    crop: int,
    linear: bool,
    dtype: torch.dtype,
) -> Tensor:
    """Views of images, all on one device.

    Args:
        images: uint8 (n, 3, h, w).
        source: int64 (m,), the image of each view.
        parameters: augment.Parameters of the m views; no image is reduced here.
        crop: side of a view.
        linear: the linear variant.
        dtype: of the views, a floating-point type.

    Returns: (m, 3, crop, crop), channels last in memory.
    """
    m = len(source)
    shape, place = (m, 3, crop, crop), images.device
    out = torch.empty(shape, dtype=dtype, device=place, memory_format=torch.channels_last)
    if not m:
        return out
    tile = tiles(crop)
    with torch.cuda.device_of(images):  # Triton launches on the current device
        _view[(m,)](
            out,
            images.contiguous(),
            source,
            *(x.contiguous() for x in parameters[:8]),
            *images.shape[-2:],
            CROP=crop,
            LINEAR=linear,
            **tile,
            num_warps=warps(tile["ROWS"] * tile["COLUMNS"]),
        )
    return out


@jit
def _luma(r, g, b):
    return LUMA[0] * r + LUMA[1] * g + LUMA[2] * b


@jit
def _mixed(r, g, b, MATRIX: tl.constexpr):
    """A constant 3 × 3 matrix on colours."""
    return (
        MATRIX[0][0] * r + MATRIX[0][1] * g + MATRIX[0][2] * b,
        MATRIX[1][0] * r + MATRIX[1][1] * g + MATRIX[1][2] * b,
        MATRIX[2][0] * r + MATRIX[2][1] * g + MATRIX[2][2] * b,
    )


@jit
def _clamped(x):
    return tl.minimum(tl.maximum(x, 0.0), 1.0)


@jit
def _lines(start, length, place, CROP: tl.constexpr):
    """Of rows or columns of the view: first source line of the filter, centre, support."""
    scale = length.to(tl.float32) / CROP
    support = tl.maximum(scale, 1.0)
    centre = start.to(tl.float32) + (place.to(tl.float32) + 0.5) * scale
    first = tl.maximum(tl.floor(centre - support + 0.5).to(tl.int32), start)
    return first, centre, support


@jit
def _triangle(line, centre, support, end):
    """Weights of source lines, as image.triangle_weights, before they are normalised."""
    weight = tl.maximum(1.0 - tl.abs(line.to(tl.float32) + 0.5 - centre) / support, 0.0)
    return tl.where(line < end, weight, 0.0)


@jit
def _total(first, centre, support, end, taps):
    total = tl.zeros_like(centre)
    tap = 0
    while tap < taps:
        total += _triangle(first + tap, centre, support, end)
        tap += 1
    return total


@jit
def _resized(picture, top, left, height, width, plane, stride, i, j, CROP: tl.constexpr):
    """Colours in [0, 1] of rows ``i`` and columns ``j`` of the resized window."""
    first_i, centre_i, support_i = _lines(top, height, i, CROP)
    first_j, centre_j, support_j = _lines(left, width, j, CROP)
    taps_i = tl.ceil(2 * support_i).to(tl.int32)
    taps_j = tl.ceil(2 * support_j).to(tl.int32)
    total_i = _total(first_i, centre_i, support_i, top + height, taps_i)
    total_j = _total(first_j, centre_j, support_j, left + width, taps_j) * 255
    r = tl.zeros((i.shape[0], j.shape[0]), tl.float32)
    g = tl.zeros_like(r)
    b = tl.zeros_like(r)
    tap_i = 0
    while tap_i < taps_i:
        y = first_i + tap_i
        weight_i = _triangle(y, centre_i, support_i, top + height) / total_i
        tap_j = 0
        while tap_j < taps_j:
            x = first_j + tap_j
            weight_j = _triangle(x, centre_j, support_j, left + width) / total_j
            weight = weight_i[:, None] * weight_j[None, :]
            at = picture + (y[:, None] * stride + x[None, :])
            r += weight * tl.load(at, mask=weight > 0, other=0).to(tl.float32)
            g += weight * tl.load(at + plane, mask=weight > 0, other=0).to(tl.float32)
            b += weight * tl.load(at + 2 * plane, mask=weight > 0, other=0).to(tl.float32)
            tap_j += 1
        tap_i += 1
    return r, g, b


@jit
def _channel(hue6, value, chroma, offset):
    """One of red, green and blue of a hue in sixths of a turn, as image.shift_hue."""
    k = hue6 + offset
    k -= 6 * tl.floor(k / 6)
    return value - chroma * _clamped(tl.minimum(k, 4 - k))


@jit
def _turned(r, g, b, turns, LINEAR: tl.constexpr):
    """The hue turned: in HSV, or in the linear variant in the I-Q plane."""
    if LINEAR:
        y, i, q = _mixed(r, g, b, YIQ)
        angle = 6.283185307179586 * turns
        cos, sin = tl.cos(angle), tl.sin(angle)
        return _mixed(y, cos * i + sin * q, cos * q - sin * i, FROM_YIQ)
    value = tl.maximum(tl.maximum(r, g), b)
    chroma = value - tl.minimum(tl.minimum(r, g), b)
    safe = tl.where(chroma == 0, 1.0, chroma)
    sector = tl.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    hue6 = tl.where(value == r, (g - b) / safe, sector) + 6 * turns
    return (
        _channel(hue6, value, chroma, 5.0),
        _channel(hue6, value, chroma, 3.0),
        _channel(hue6, value, chroma, 1.0),
    )


@jit
def _steps(r, g, b, factors, order, begin, end, LINEAR: tl.constexpr):
    """Colour steps ``begin`` … ``end`` − 1 of a view's order, none of which is the contrast."""
    step = begin
    while step < end:  # the interpreter knows no range() of numbers that were loaded
        operation = tl.load(order + step)
        factor = tl.load(factors + operation)
        if operation == 0:
            r, g, b = r * factor, g * factor, b * factor
        elif operation == 2:
            rest = (1 - factor) * _luma(r, g, b)
            r, g, b = factor * r + rest, factor * g + rest, factor * b + rest
        else:
            r, g, b = _turned(r, g, b, factor, LINEAR)
        if not LINEAR:
            r, g, b = _clamped(r), _clamped(g), _clamped(b)
        step += 1
    return r, g, b


# fmt: off
@jit
def _view(
    out, images, source, top, left, height, width, flip, factors, order, grey, rows, columns,
    CROP: tl.constexpr, LINEAR: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    TILES: tl.constexpr,
):
# fmt: on
    """One view, whole."""
    view = tl.program_id(0).to(tl.int64)
    plane = rows * columns
    picture = images + tl.load(source + view) * (3 * plane)
    y, h = tl.load(top + view).to(tl.int32), tl.load(height + view).to(tl.int32)
    x, w = tl.load(left + view).to(tl.int32), tl.load(width + view).to(tl.int32)
    factors += 4 * view
    order += 4 * view
    contrast = 0  # its place in the order
    for step in tl.static_range(1, 4):
        contrast += tl.where(tl.load(order + step) == 1, step, 0)
    j = tl.arange(0, COLUMNS)
    from_j = tl.minimum(j, CROP - 1)  # what hangs over the edge repeats it, and is left out below
    from_j = tl.where(tl.load(flip + view), CROP - 1 - from_j, from_j)

    total = 0.0
    r = tl.zeros((ROWS, COLUMNS), tl.float32)
    g, b = r, r
    for tile in range(TILES):
        i = tile * ROWS + tl.arange(0, ROWS)
        from_i = tl.minimum(i, CROP - 1)
        r, g, b = _resized(picture, y, x, h, w, plane, columns, from_i, from_j, CROP)
        r, g, b = _steps(r, g, b, factors, order, 0, contrast, LINEAR)
        inside = (i < CROP)[:, None] & (j < CROP)[None, :]
        total += tl.sum(tl.where(inside, _luma(r, g, b), 0.0))
    factor = tl.load(factors + 1)
    rest = (1 - factor) * (total / (CROP * CROP))

    for tile in range(TILES):
        i = tile * ROWS + tl.arange(0, ROWS)
        if TILES > 1:  # else the only one is at hand
            from_i = tl.minimum(i, CROP - 1)
            r, g, b = _resized(picture, y, x, h, w, plane, columns, from_i, from_j, CROP)
            r, g, b = _steps(r, g, b, factors, order, 0, contrast, LINEAR)
        r, g, b = factor * r + rest, factor * g + rest, factor * b + rest
        if not LINEAR:
            r, g, b = _clamped(r), _clamped(g), _clamped(b)
        r, g, b = _steps(r, g, b, factors, order, contrast + 1, 4, LINEAR)
        if tl.load(grey + view):
            r = _luma(r, g, b)
            g, b = r, r
        r, g, b = _clamped(r), _clamped(g), _clamped(b)  # of the exact variant they are
        at = out + ((view * CROP + i[:, None]) * CROP + j[None, :]) * 3
        inside = (i < CROP)[:, None] & (j < CROP)[None, :]
        tl.store(at, (r - MEAN[0]) / STD[0], mask=inside)
        tl.store(at + 1, (g - MEAN[1]) / STD[1], mask=inside)
        tl.store(at + 2, (b - MEAN[2]) / STD[2], mask=inside)
