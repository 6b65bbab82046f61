"""The straightforward way to do the same, one picture at a time: what our speeds are divided by.

``opencv_leaves`` is a sensible loop: OpenCV's fills, cover tested every 200 leaves (the published code tests it after every leaf
and is some fifty times slower). ``python_fractal`` is the published way: a Python loop over points with a paste each.
``numba_fractal`` is a compiled chaos game, as published for sigma fractals. ``pil_views`` is torchvision's pipeline on PIL images.
"""

import math

import cv2
import numba
import numpy as np
from PIL import Image

from synthlearn.generators import dead_leaves as dl
from synthlearn.vision import torchvision

COVER_EVERY = 200
RADII = dl.radius_grid()[0].numpy()
CUMULATIVE = dl.radius_grid()[1].numpy().cumsum().clip(max=1)


def _corners(kind: np.ndarray, r: np.ndarray, centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Corners of n polygons, int32 (n, 4, 2), drawn for all leaves at once as a careful author would; circles have none."""
    n = len(r)
    half, a = (r / math.sqrt(2)).astype(int)[:, None], rng.uniform(0, 2 * math.pi, (n, 1))
    x, y = half * np.array([-1, 1, 1, -1]), half * np.array([-1, -1, 1, 1])
    corners = np.stack((x, y), 2)
    turned = np.stack((x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)), 2)
    sides = np.stack(
        ((r[:, None] * np.cos(a / 4)).astype(int) * np.array([-1, 1, 1, -1]), (r[:, None] * np.sin(a / 4)).astype(int) * np.array([-1, -1, 1, 1])), 2
    )
    angles = rng.uniform(0, 2 * math.pi, (n, 4))
    angles[kind == dl.SHAPES.index("triangle"), 3] = 7  # sorted last, then drawn twice
    angles = np.sort(angles, 1)
    angles[kind == dl.SHAPES.index("triangle"), 3] = angles[kind == dl.SHAPES.index("triangle"), 2]
    inscribed = r[:, None, None] * np.stack((np.cos(angles), np.sin(angles)), 2)
    which = kind[:, None, None]
    corners = np.select([which == 1, which == 2, which == 3, which >= 4], [corners, turned, sides, inscribed], 0)
    return (corners + centre[:, None]).astype(np.int32)


def opencv_leaves(shape: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """One dead-leaves picture, uint8 (size, size, 3): parameters of 200 leaves at a time, then a loop over OpenCV's fills."""
    canvas = np.zeros((size, size, 3), np.uint8)
    for _ in range(dl.MAX_LEAVES // COVER_EVERY):
        kind = rng.integers(0, 6, COVER_EVERY) if shape == "mixed" else np.full(COVER_EVERY, dl.SHAPES.index(shape))
        r = np.maximum((RADII[np.searchsorted(CUMULATIVE, rng.random(COVER_EVERY))] * size).astype(int), 1)
        centre, colour = rng.integers(0, size, (COVER_EVERY, 2)), rng.integers(0, 255, (COVER_EVERY, 3)).tolist()
        corners, where, radius = _corners(kind, r, centre, rng), centre.tolist(), r.tolist()
        for i, circle in enumerate((kind == 0).tolist()):
            if circle:
                cv2.circle(canvas, where[i], radius[i], colour[i], -1)
            else:
                cv2.fillConvexPoly(canvas, corners[i], colour[i])
        if canvas.any(2).all():
            break
    return canvas


def python_fractal(systems: np.ndarray, probabilities: np.ndarray, size: int, points: int, rng: np.random.Generator) -> np.ndarray:
    """One FractalDB patch picture, uint8 (size, size, 3): orbit and pastes in Python loops."""
    cumulative = probabilities.cumsum()
    x = y = 0.0
    orbit = np.zeros((points, 2))
    for t in range(1, points):
        a, b, c, d, e, f = systems[min(np.searchsorted(cumulative, rng.random()), len(systems) - 1)]
        x, y = a * x + b * y + e, c * x + d * y + f
        orbit[t] = x, y
    low, high = orbit.min(0), orbit.max(0)
    pixels = ((orbit - low) / (high - low) * (size - 12) + 6).astype(int)
    image = Image.new("RGB", (size, size))
    for px, py in pixels:
        bits = rng.integers(1, 512)
        patch = np.array([(bits >> k) & 1 for k in range(9)], np.uint8).reshape(3, 3) * 127
        image.paste(Image.fromarray(patch).convert("RGB"), (int(px) + 1, int(py) + 1))
    return np.asarray(image)[::-1]


@numba.njit(cache=False)
def _orbit(systems, cumulative, points, seed):
    np.random.seed(seed)
    out = np.empty((points, 2))
    x = y = 0.0
    for t in range(points):
        u = np.random.random()
        j = 0
        while j < len(cumulative) - 1 and u > cumulative[j]:
            j += 1
        s = systems[j]
        x, y = s[0] * x + s[1] * y + s[4], s[2] * x + s[3] * y + s[5]
        out[t, 0], out[t, 1] = x, y
    return out


@numba.njit(cache=False)
def _count(orbit, size):
    low0, low1, high0, high1 = orbit[:, 0].min(), orbit[:, 1].min(), orbit[:, 0].max(), orbit[:, 1].max()
    image = np.zeros((size, size))
    for t in range(len(orbit)):
        image[int((orbit[t, 0] - low0) * (size - 1) / (high0 - low0)), int((orbit[t, 1] - low1) * (size - 1) / (high1 - low1))] += 1
    return image


def numba_fractal(systems: np.ndarray, probabilities: np.ndarray, size: int, points: int, seed: int) -> np.ndarray:
    """One sigma fractal on black, uint8 (size, size, 3): compiled orbit, count, colour by OpenCV."""
    image = _count(_orbit(systems, probabilities.cumsum(), points, seed), size)
    value = image / image.max()
    hsv = np.stack(((255 * value).astype(np.uint8), np.full_like(value, 180, np.uint8), np.full_like(value, 200, np.uint8)), 2)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * (value > 0)[..., None].astype(np.uint8)


def numpy_noise(size: int, rng: np.random.Generator) -> np.ndarray:
    """One picture of white noise, uint8 (size, size, 3)."""
    return rng.integers(0, 256, (size, size, 3), dtype=np.uint8)


def pil_views(crop: int, scale_min: float):
    """torchvision's pipeline on one PIL image: crop, flip, jitter, grey, tensor, normalise."""
    t = torchvision.transforms
    return t.Compose([
        t.RandomResizedCrop(crop, (scale_min, 1)), t.RandomHorizontalFlip(), t.ColorJitter(0.4, 0.4, 0.4, 0.4), t.RandomGrayscale(0.2), t.ToTensor(),
        t.Normalize((0.44, 0.43, 0.39), (0.27, 0.26, 0.27)),
    ])  # fmt: skip
