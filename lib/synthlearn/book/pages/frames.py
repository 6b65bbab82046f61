"""Frames of sliders: a set along one law of its own."""

from torch import Tensor

from ...generators import generator

SIDE = 128  # of a frame in pixels


def systems(count: int, size: int = SIDE) -> dict[str, Tensor]:
    """The first instance of some FractalDB categories: label → uint8 (3, s, s)."""
    pictures = generator("fractals-fractaldb", mode="point").sample(range(count), size)
    return {f"system {i + 1}": picture for i, picture in enumerate(pictures)}
