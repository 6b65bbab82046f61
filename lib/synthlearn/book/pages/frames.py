"""Frames of sliders: a set along one law of its own."""

from collections.abc import Sequence

from torch import Tensor

from ...generators import dead_leaves, generator

SIDE = 128  # of a frame in pixels
SCENE = 4  # picture of the set whose radii change


def exponents(values: Sequence[float], size: int = SIDE) -> dict[str, Tensor]:
    """One dead-leaves scene under other exponents of its radii: label → uint8 (3, s, s)."""
    key = generator("dead_leaves-mixed").keys([SCENE])
    frames = {}
    for exponent in values:
        scene, *_ = dead_leaves.cover(key, "mixed", size, exponent=exponent)
        frames[f"exponent −{exponent:g}"] = dead_leaves.leaf_colours(key, scene)[0]
    return frames


def systems(count: int, size: int = SIDE) -> dict[str, Tensor]:
    """The first instance of some FractalDB categories: label → uint8 (3, s, s)."""
    pictures = generator("fractals-fractaldb", mode="point").sample(range(count), size)
    return {f"system {i + 1}": picture for i, picture in enumerate(pictures)}
