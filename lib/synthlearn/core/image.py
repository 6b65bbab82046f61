"""Pure functions on image tensors: resizing, luma, colour spaces."""

from collections.abc import Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor

# STL-10's, which the noise paper's code uses for every set
MEAN = (0.44087801806139126, 0.42790631331699347, 0.3867879370752931)
STD = (0.26826768628079806, 0.2610450402318512, 0.26866836876860795)
SIZES = (8, 1024)  # sides in pixels of the images that are made
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL's "L" and torchvision's grayscale
# RGB → (Y, I, Q); a turn of the I–Q plane shifts the hue and keeps the luma
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
# and back: torch.linalg.inv of it in float32; records depend on the last digit
FROM_YIQ = (
    (1.0, 0.9561706781387329, 0.6214325428009033),
    (1.0, -0.2726885974407196, -0.6468132734298706),
    (1.0000001192092896, -1.1037440299987793, 1.7006231546401978),
)


def constant(values: Sequence[float] | Sequence[Sequence[float]], device: torch.device) -> Tensor:
    """Numbers as a float32 tensor on a device: a vector, or a matrix given by rows.

    Off the CPU they are filled in on the device: a copy from the host would make it wait, and a
    graph can not hold one.
    """
    if device.type == "cpu":
        return torch.tensor(values)
    scalar = partial(torch.full, (), device=device)
    return torch.stack([scalar(v) if isinstance(v, float) else constant(v, device) for v in values])


def luma(x: Tensor) -> Tensor:
    """Rec. 601 grey of float images (…, 3, h, w): (…, 1, h, w)."""
    r, g, b = x.unbind(-3)
    return (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b).unsqueeze(-3)


@lru_cache(maxsize=32)
def _area_matrix(source: int, target: int) -> Tensor:
    edges = torch.arange(target + 1, dtype=torch.float64) * source / target
    pixel = torch.arange(source, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], pixel + 1) - torch.maximum(edges[:-1, None], pixel)
    return (overlap.clamp_min(0) * target / source).float()


def area_resize(x: Tensor, size: int) -> Tensor:
    """Exact area average of uint8 squares (n, c, m, m) to uint8 (n, c, size, size)."""
    if x.shape[-1] == size:
        return x
    matrix = _area_matrix(x.shape[-1], size).to(x.device)
    return (matrix @ x.float() @ matrix.T).add_(0.5).clamp_(0, 255).to(torch.uint8)


def triangle_weights(start: Tensor, length: Tensor, source: int, target: int) -> Tensor:
    """Rows of PIL's antialiased bilinear resize of the window [start, start + length) of ``source``
    pixels to ``target`` pixels.

    start, length: float (n,), in pixels. Returns float (n, target, source) with rows that sum to
    one; the support is cut at the window as PIL cuts it at the border of the cropped image.
    """
    scale = (length / target)[:, None, None]
    support = scale.clamp_min(1.0)
    centre = (
        start[:, None, None] + (torch.arange(target, device=start.device) + 0.5)[:, None] * scale
    )
    pixel = torch.arange(source, device=start.device) + 0.5
    weight = (1 - (pixel - centre).abs() / support).clamp_min_(0)
    inside = (pixel > start[:, None, None]) & (pixel < (start + length)[:, None, None])
    weight = weight * inside
    return weight / weight.sum(-1, keepdim=True)


def resize(x: Tensor, size: int) -> Tensor:
    """Centre square of uint8 (n, c, h, w), resized like PIL's bilinear (antialiased) to uint8
    (n, c, size, size)."""
    h, w = x.shape[-2:]
    side = min(h, w)
    if (h, w) == (size, size):
        return x
    top, left = (h - side) // 2, (w - side) // 2
    one = torch.zeros(1, device=x.device)
    rows = triangle_weights(one + top, one + side, h, size)
    cols = triangle_weights(one + left, one + side, w, size)
    return (rows @ x.float() @ cols.transpose(1, 2)).add_(0.5).clamp_(0, 255).to(torch.uint8)


def hsv_to_rgb(h: Tensor, s: Tensor, v: Tensor) -> Tensor:
    """RGB in [0, 1], stacked on a new axis −3, from hue (turns, any real), saturation and value in
    [0, 1] of one shape (…, h, w)."""
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = torch.remainder(h * 6 + offset, 6.0)
        channels.append(v - v * s * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=-3)


def shift_hue(x: Tensor, shift: Tensor) -> Tensor:
    """Turn the HSV hue of float RGB (n, 3, h, w) in [0, 1] by ``shift`` (n,) turns; value and
    saturation stay exactly."""
    r, g, b = x.unbind(1)
    value, low = x.amax(1), x.amin(1)
    chroma = value - low
    safe = torch.where(chroma == 0, 1.0, chroma)
    hue6 = torch.where(
        value == r, (g - b) / safe, torch.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    hue6 = hue6 + 6 * shift[:, None, None]
    out = torch.empty_like(x)
    for channel, offset in enumerate((5.0, 3.0, 1.0)):
        k = torch.remainder(hue6 + offset, 6.0)
        out[:, channel] = value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)
    return out


def to_tiles(x: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Lay out uint8 (n, 3, s, s) row by row as one image with transparent gaps: uint8
    (rows·(s + gap) − gap, columns·(s + gap) − gap, 4)."""
    n, _, s, _ = x.shape
    rows = -(-n // columns)
    sheet = torch.zeros((4, rows * (s + gap) - gap, columns * (s + gap) - gap), dtype=torch.uint8)
    for i in range(n):
        top, left = (i // columns) * (s + gap), (i % columns) * (s + gap)
        sheet[:3, top : top + s, left : left + s] = x[i].cpu()
        sheet[3, top : top + s, left : left + s] = 255
    return sheet.permute(1, 2, 0)
