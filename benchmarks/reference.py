"""The straightforward way to do the same, one picture at a time: what our speeds are divided by.

``opencv_leaves`` is a sensible loop: OpenCV's fills, cover tested every 200 leaves (the published
code tests it after every leaf and is some fifty times slower). ``python_fractal`` is the published
way: a Python loop over points with a paste each. ``numba_fractal`` is a compiled chaos game, as
published for sigma fractals. ``numpy_statistics`` follows the authors' MATLAB with NumPy and
pyrtools. ``masked_textures`` fills textured leaves the published way, a pass over the picture for
every leaf. ``full_stylegan`` is the whole network with all its channels, as a deep-learning library
would run it. ``pil_views`` is torchvision's pipeline on PIL images."""

import math

import cv2
import numba
import numpy as np
import torch
from PIL import Image
from pyrtools.pyramids import SteerablePyramidSpace
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from synthlearn.core import rng
from synthlearn.core.vision import torchvision
from synthlearn.generators import dead_leaves as dl
from synthlearn.generators import pyramid, stylegan_network, stylegan_tied

COVER_EVERY = 200
RADII = dl.radius_grid()[0].numpy()
CUMULATIVE = dl.radius_grid()[1].numpy().cumsum().clip(max=1)


def _corners(
    kind: np.ndarray, r: np.ndarray, centre: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Corners of n polygons, int32 (n, 4, 2), drawn for all leaves at once as a careful author
    would; circles have none.
    """
    n = len(r)
    half, a = (r / math.sqrt(2)).astype(int)[:, None], rng.uniform(0, 2 * math.pi, (n, 1))
    x, y = half * np.array([-1, 1, 1, -1]), half * np.array([-1, -1, 1, 1])
    corners = np.stack((x, y), 2)
    turned = np.stack((x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)), 2)
    sides = np.stack(
        (
            (r[:, None] * np.cos(a / 4)).astype(int) * np.array([-1, 1, 1, -1]),
            (r[:, None] * np.sin(a / 4)).astype(int) * np.array([-1, -1, 1, 1]),
        ),
        2,
    )
    angles = rng.uniform(0, 2 * math.pi, (n, 4))
    angles[kind == dl.SHAPES.index("triangle"), 3] = 7  # sorted last, then drawn twice
    angles = np.sort(angles, 1)
    angles[kind == dl.SHAPES.index("triangle"), 3] = angles[kind == dl.SHAPES.index("triangle"), 2]
    inscribed = r[:, None, None] * np.stack((np.cos(angles), np.sin(angles)), 2)
    which = kind[:, None, None]
    corners = np.select(
        [which == 1, which == 2, which == 3, which >= 4], [corners, turned, sides, inscribed], 0
    )
    return (corners + centre[:, None]).astype(np.int32)


def opencv_leaves(shape: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """One dead-leaves picture, uint8 (size, size, 3): parameters of 200 leaves at a time, then a
    loop over OpenCV's fills.
    """
    canvas = np.zeros((size, size, 3), np.uint8)
    for _ in range(dl.MAX_LEAVES // COVER_EVERY):
        kind = (
            rng.integers(0, 6, COVER_EVERY)
            if shape == "mixed"
            else np.full(COVER_EVERY, dl.SHAPES.index(shape))
        )
        r = np.maximum(
            (RADII[np.searchsorted(CUMULATIVE, rng.random(COVER_EVERY))] * size).astype(int), 1
        )
        centre, colour = (
            rng.integers(0, size, (COVER_EVERY, 2)),
            rng.integers(0, 255, (COVER_EVERY, 3)).tolist(),
        )
        corners, where, radius = _corners(kind, r, centre, rng), centre.tolist(), r.tolist()
        for i, circle in enumerate((kind == 0).tolist()):
            if circle:
                cv2.circle(canvas, where[i], radius[i], colour[i], -1)
            else:
                cv2.fillConvexPoly(canvas, corners[i], colour[i])
        if canvas.any(2).all():
            break
    return canvas


def python_fractal(
    systems: np.ndarray, probabilities: np.ndarray, size: int, points: int, rng: np.random.Generator
) -> np.ndarray:
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
    low0, low1, high0, high1 = (
        orbit[:, 0].min(),
        orbit[:, 1].min(),
        orbit[:, 0].max(),
        orbit[:, 1].max(),
    )
    image = np.zeros((size, size))
    for t in range(len(orbit)):
        image[
            int((orbit[t, 0] - low0) * (size - 1) / (high0 - low0)),
            int((orbit[t, 1] - low1) * (size - 1) / (high1 - low1)),
        ] += 1
    return image


def numba_fractal(
    systems: np.ndarray, probabilities: np.ndarray, size: int, points: int, seed: int
) -> np.ndarray:
    """One sigma fractal on black, uint8 (size, size, 3): compiled orbit, count, colour by OpenCV."""
    image = _count(_orbit(systems, probabilities.cumsum(), points, seed), size)
    value = image / image.max()
    hsv = np.stack(
        (
            (255 * value).astype(np.uint8),
            np.full_like(value, 180, np.uint8),
            np.full_like(value, 200, np.uint8),
        ),
        2,
    )
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * (value > 0)[..., None].astype(np.uint8)


def _matched(x: np.ndarray, cumulative: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values with another distribution: a piecewise linear map between the edges of equal bins."""
    counts, own = np.histogram(x, len(edges) - 1)
    counts = counts + 1e-8 * counts.mean()
    return np.interp(
        x, own, np.interp(np.concatenate(([0], counts.cumsum())) / counts.sum(), cumulative, edges)
    )


def _band(band: np.ndarray, rows: int, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Distribution at the grid's edges, and standard deviation, that a band of this many rows is to
    have.
    """
    x = np.linspace(-200, 200, 801)
    h = np.exp(-((np.abs(x) / 4.0 ** (rows / len(band))) ** random.uniform(0.4, 0.8)))
    return np.concatenate(([0], h.cumsum())) / h.sum(), float(np.sqrt((h * x * x).sum() / h.sum()))


def numpy_statistics(
    spectrum: bool, wavelets: bool, color: bool, size: int, random: np.random.Generator
) -> np.ndarray:
    """One statistical picture, uint8 (size, size, 3): ten rounds, channel by channel, in NumPy; the
    pyramid by pyrtools.
    """
    n = 3 + int(20 * random.random())
    share = 0.001 + random.random(n)
    palette = (
        random.random((n, 3))[
            np.sort(random.choice(n, size * size, p=share / share.sum()))
        ].reshape(size, size, 3)
        * 256
    )
    side = 1 + int(10 * random.random())
    palette = np.stack(
        [ndimage.uniform_filter(palette[..., c], side, mode="constant") for c in range(3)], 2
    ) + 10 * random.random((size, size, 3))
    pixels = 256 * (palette - palette.min()) / np.ptp(palette)
    mean = pixels.reshape(-1, 3).mean(0)
    axes = np.linalg.eigh(np.cov(pixels.reshape(-1, 3).T))[1][:, ::-1]
    channels = (pixels.reshape(-1, 3) - mean) @ axes
    histograms = []
    for channel in channels.T:
        counts, edges = np.histogram(channel, 256)
        histograms.append(
            (
                np.concatenate(([0], (counts + 1e-8 * counts.mean()).cumsum()))
                / (counts.sum() + 2.56e-6 * counts.mean()),
                edges,
            )
        )
    s, d = random.uniform(0.5, 3.5), random.normal(0, 0.05)
    f = np.abs(np.fft.fftfreq(size))
    amplitude = 1 / (2.2e-16 + f ** (s + d) + f[:, None] ** (s - d))
    amplitude[0, 0] = 0
    x = 256 * random.random((3, size, size))
    scales = pyramid.height(size)
    targets: list[dict] = [{} for _ in range(3)]
    for _ in range(10):
        if spectrum:
            for c in range(3):
                m, sd = x[c].mean(), x[c].std()
                y = np.fft.ifft2(amplitude * np.exp(1j * np.angle(np.fft.fft2(x[c] - m)))).real
                x[c] = (y - y.mean()) / y.std() * sd + m
        if wavelets:
            for c in range(3):
                pyr = SteerablePyramidSpace(x[c], order=3, height=scales, edge_type="reflect1")
                for name, band in pyr.pyr_coeffs.items():
                    if name != "residual_lowpass":
                        cumulative, sd = targets[c].setdefault(name, _band(band, size, random))
                        y = _matched(
                            band.ravel(), cumulative, np.linspace(-200.25, 200.25, 802)
                        ).reshape(band.shape)
                        pyr.pyr_coeffs[name] = (y - y.mean()) / y.std() * sd
                x[c] = pyr.recon_pyr()
        if color:
            for c in range(3):
                x[c] = _matched(x[c].ravel(), *histograms[c]).reshape(size, size)
    rgb = (axes @ x.reshape(3, -1)).T.reshape(size, size, 3) + mean
    rgb -= rgb.min()
    return (255 * rgb / rgb.max()).round().astype(np.uint8)


def masked_textures(textures: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """One picture of textured leaves, uint8 (size, size, 3): leaves as by ``opencv_leaves``, then
    one pass over the picture for every colour.
    """
    canvas = opencv_leaves("oriented", size, rng)
    code = canvas.astype(np.int32) @ np.array([65536, 256, 1])
    out = np.empty_like(canvas)
    for leaf in np.unique(code):
        mask = code == leaf
        out[mask] = textures[rng.integers(len(textures))][mask]
    return out


def full_stylegan(
    shared: stylegan_network.Network,
    keys: Tensor,
    net: Tensor,
    side: int,
    o: stylegan_network.StyleGANOptions,
) -> Tensor:
    """Random StyleGANs with tied kernels, all channels held: RGB maps (n, 3, side, side), one
    modulated convolution after the other, picture by picture.
    """
    convolutions, painters = stylegan_network.styles(shared, keys)
    noise = stylegan_tied.shared_noise(keys, side) if o.noise == "envelope" else None
    filter4 = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64 * 4
    plan, pictures = stylegan_network.layers(side, o.width), []
    for i in range(len(keys)):
        own = noise and {r: maps[i : i + 1] for r, maps in noise.items()}
        draws = stylegan_tied.draw_layers(plan, keys[i : i + 1], net, own, o)
        x, image = shared.constant[None], torch.zeros(1, 3, 2, 2)
        for number, (layer, draw) in enumerate(zip(plan, draws, strict=True)):
            kernel = draw.sign[0][:, None, None, None] * draw.kernel[0][None]
            modulated = kernel * convolutions[number][i][None, :, None, None]
            modulated = modulated / (modulated.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            if layer.up:
                x = functional.conv_transpose2d(x, modulated.transpose(0, 1), stride=2)
                x = functional.conv2d(
                    functional.pad(x, (1, 1, 1, 1)).transpose(0, 1), filter4[None, None]
                ).transpose(0, 1)
            else:
                x = functional.conv2d(x, modulated, padding=1)
            x = functional.relu(
                x + draw.noise[:, None] + draw.bias[0][None, :, None, None]
            ) * math.sqrt(2)
            if not layer.up:
                weight = (
                    rng.normal(rng.fold(keys[i], 10 + number // 2), (3, layer.outputs))
                    * painters[number // 2][i]
                )
                zeros = torch.zeros(1, 3, layer.side, layer.side)
                zeros[..., ::2, ::2] = image
                image = functional.conv2d(
                    functional.pad(zeros, (2, 1, 2, 1)).transpose(0, 1), filter4[None, None]
                ).transpose(0, 1)
                image = image + functional.conv2d(x, weight[:, :, None, None])
        pictures.append(image)
    return torch.cat(pictures)


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


def opencv_kmeans(three: np.ndarray) -> np.ndarray:
    """K-means leaves of three pictures uint8 (3, h, w, 3): OpenCV's 2-means with three rounds,
    blurs, a blend.
    """
    colours = np.unique(three[0].reshape(-1, 3), axis=0).astype(np.float32)
    pixels = three[0].reshape(-1, 3).astype(np.float32)
    nearer = ((pixels - colours[0]) ** 2).sum(1) <= ((pixels - colours[-1]) ** 2).sum(1)
    start = (~nearer).astype(np.int32)[:, None]
    rounds = (cv2.TERM_CRITERIA_MAX_ITER, 3, 0.0)
    _, label, _ = cv2.kmeans(pixels, 2, start, rounds, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    mask = cv2.blur(
        cv2.blur((label == 0).reshape(three.shape[1:3]).astype(np.float32), (3, 3)), (3, 3)
    )[..., None]
    return (mask * three[1] + (1 - mask) * three[2]).astype(np.uint8)
