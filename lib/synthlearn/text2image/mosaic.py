"""Patch mosaics: samples of a caption by the ideal denoiser that sees real images by windows.

Kamb and Ganguli, "An analytic theory of creativity in convolutional diffusion models" (2025), call
it the local score machine: at every pixel it is the exact posterior mean over a caption's images,
given the noisy window around that pixel. Windows shrink with the noise, so that the coarse image
is settled first. Samples join parts of several real images: new in arrangement, not in texture.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError
from ..core.options import as_indices
from ..data.sources import register
from .captions import CaptionOptions, CaptionSource
from .sampling import Denoiser, guided, integrate, noise_levels, to_bytes

# All chosen here.
LEVELS = 12  # Euler steps
RHO = 5.0  # of their spacing
NOISE = (8.0, 0.05)  # largest and least, of images in −1 … 1
WINDOWS = ((2.0, 31), (1.2, 21), (0.7, 13), (0.35, 9), (0.0, 5))  # side above each noise
POOL = 80  # images that a caption's samples are made from
GROUP = 25  # samples after which they are drawn anew


def window(noise: float) -> int:
    """Side of the window in pixels, odd."""
    return next(side for least, side in WINDOWS if noise > least)


def denoise(x: Tensor, pool: Tensor, noise: float, side: int) -> Tensor:
    """Posterior mean at each pixel, given the window around it.

    The law is the empirical one of ``pool``, plus Gaussian noise.

    Args:
        x: float (n, c, h, w), noisy. pool: float (k, c, h, w), clean, equally likely.
        noise: standard deviation.
        side: of the window, odd; it is cut off at the border. From 2·max(h, w) − 1 on every window
            is the whole image.

    Returns: float (n, c, h, w).
    """
    n, c, h, w = x.shape
    k, pixels = len(pool), h * w
    a = x.permute(2, 3, 0, 1).reshape(pixels, n, c)
    b = pool.permute(2, 3, 1, 0).reshape(pixels, c, k)
    distance = a.square().sum(2, keepdim=True) + b.square().sum(1, keepdim=True) - 2 * a @ b
    for axis, length in enumerate((h, w)):
        place = torch.arange(length, device=x.device)
        band = ((place[:, None] - place).abs() <= side // 2).to(x.dtype)
        flat = distance.view(1, h, -1) if axis == 0 else distance.view(h, w, -1)
        distance = band @ flat
    weight = (distance.view(pixels, n, k) / (-2 * noise**2)).softmax(2)
    return (weight @ b.transpose(1, 2)).view(h, w, n, c).permute(2, 3, 0, 1)


@dataclass(frozen=True)
class MosaicOptions(CaptionOptions):
    """Besides those of captions, ``w``: guidance, D_∅ + w·(D_caption − D_∅); 1 is none.
    ``shuffled``: whether training gets captions at random, as a control."""

    w: float = 1.0
    shuffled: bool = False
    at_least: ClassVar = {"w": 0.0}
    at_most: ClassVar = {"w": 1000.0}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shuffled and self.told != "captions":
            both = f"shuffled = True, told = {self.told!r}"
            raise ParameterError(f"options {both}: captions alone are dealt out at random")


@register("mosaic")
class Mosaic(CaptionSource):
    """Pictures of captions as patch mosaics of real images.

    Image i is sample ⌊i/number⌋ of caption i mod number. Noise and pool are functions of (seed,
    caption, sample), so sweeps over ``w`` share them.
    """

    name = "mosaic"
    Options = MosaicOptions

    def labels(self, indices: Any) -> Tensor:
        """As of any; or drawn at random."""
        if not self.options.shuffled:
            return super().labels(indices)
        return rng.integers(rng.key("shuffled", as_indices(indices)), 0, self.options.number)

    @torch.no_grad()
    def sample(self, indices: Any, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Pictures by index: uint8 (n, 3, s, s); s as of :meth:`CaptionSource.resized`."""
        index = self.checked(indices, size, seed, device)
        images, captions = self.real()
        shape = tuple(images.images.shape[1:])
        out = torch.empty((len(index), *shape), dtype=torch.uint8, device=device)
        caption, number = index % self.options.number, index // self.options.number
        group = caption * (1 << 32) + number // GROUP
        for g in group.unique():
            rows = torch.nonzero(group == g).flatten()
            c = int(caption[rows[0]])
            key = rng.key("mosaic", seed, c, int(number[rows[0]]) // GROUP)
            noise_keys = rng.key("mosaic noise", seed, c, number[rows], device=device)
            noise = rng.normal(noise_keys, shape).view(len(rows), *shape)
            of_caption = images.images[captions.ids == c]
            out[rows.to(device)] = paint(noise, of_caption, key, images.images, self.options.w)
        return self.resized(out, size)


def paint(noise: Tensor, images: Tensor, key: Tensor, every: Tensor, w: float = 1.0) -> Tensor:
    """Mosaics of a caption's images: uint8 (n, 3, h, w).

    Args:
        noise: of unit variance, float (n, 3, h, w).
        images: of the caption, uint8 (k, 3, h, w); at most POOL of them and their mirror images are
            drawn by ``key``.
        every: images of all captions, from which guidance ``w`` leads away.
    """
    pool = _draw(images, rng.fold(key, 0)).to(noise.device)
    other = _draw(every, rng.fold(key, 1)).to(noise.device) if w != 1 else None
    return to_bytes(_paint(noise, pool, other, w))


def _draw(images: Tensor, key: Tensor) -> Tensor:
    """At most POOL of images and their mirror images, as floats in −1 … 1."""
    chosen = rng.permutation(key, 2 * len(images))[:POOL]
    picked = images[chosen // 2].float() / 127.5 - 1
    return torch.where((chosen % 2 == 1).view(-1, 1, 1, 1), picked.flip(3), picked)


def _paint(noise: Tensor, pool: Tensor, other: Tensor | None, w: float) -> Tensor:
    """From noise (n, 3, h, w) of unit variance to images in −1 … 1."""
    levels = noise_levels(LEVELS, *NOISE, RHO)

    def over(images: Tensor) -> Denoiser:
        return lambda x, sigma: denoise(x, images, sigma, window(sigma))

    denoiser = over(pool) if other is None else guided(over(pool), over(other), w)
    return integrate(denoiser, noise * levels[0], levels, "euler")
