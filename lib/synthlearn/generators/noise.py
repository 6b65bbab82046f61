"""White noise: a baseline without structure."""

from torch import Tensor

from ..core import rng
from .base import Generator
from .registry import register


@register("noise-white")
class WhiteNoise(Generator):
    """Independent uniform bytes in every pixel and channel, at the image's own size."""

    stream = "noise"
    scene = 0  # white noise has no scene to average

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        return rng.integers(keys, 0, 256, (3, size, size)).byte()
