"""The straightforward way to do the same, one picture at a time: what our speeds are divided by.

``opencv_leaves`` is a sensible loop: OpenCV's fills, cover tested every 200 leaves (the published
code tests it after every leaf and is some fifty times slower). ``python_fractal`` is the published
way: a Python loop over points with a paste each. ``numba_fractal`` is a compiled chaos game, as
published for sigma fractals. ``numpy_statistics`` follows the authors' MATLAB with NumPy and
pyrtools. ``masked_textures`` fills textured leaves the published way, a pass over the picture for
every leaf. ``python_contours`` is VisualAtom as published: Python loops over contours and vertices,
a line of PIL's for each two. ``full_stylegan`` is the whole network with all its channels, as a
deep-learning library would run it. ``pil_views`` is torchvision's pipeline on PIL images."""

import math
import random

import cv2
import numba
import numpy as np
import torch
from PIL import Image, ImageDraw
from pyrtools.pyramids import SteerablePyramidSpace
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from synthlearn.core import rng
from synthlearn.core.vision import torchvision
from synthlearn.generators import contours as rings
from synthlearn.generators import dead_leaves as dl
from synthlearn.generators import pyramid, stylegan_network, stylegan_tied

COVER_EVERY = 200
NOISE = rings.noise_table().tolist()
RADII = dl.radius_grid()[0].numpy()
CUMULATIVE = dl.radius_grid()[1].numpy().cumsum().clip(max=1)


def _corners(
    kind: np.ndarray, r: np.ndarray, centre: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Corners of n polygons, int32 (n, 4, 2), drawn for all leaves at once as a careful author
    would; circles have none.
    """
    n = len(r)
    right, down = np.array([-1, 1, 1, -1]), np.array([-1, -1, 1, 1])
    half, a = (r / math.sqrt(2)).astype(int)[:, None], rng.uniform(0, 2 * math.pi, (n, 1))
    x, y = half * right, half * down
    corners = np.stack((x, y), 2)
    turned = np.stack((x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)), 2)
    wide = (r[:, None] * np.cos(a / 4)).astype(int)
    high = (r[:, None] * np.sin(a / 4)).astype(int)
    sides = np.stack((wide * right, high * down), 2)
    angles = rng.uniform(0, 2 * math.pi, (n, 4))
    triangle = kind == dl.SHAPES.index("triangle")
    angles[triangle, 3] = 7  # sorted last, then drawn twice
    angles = np.sort(angles, 1)
    angles[triangle, 3] = angles[triangle, 2]
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
        if shape == "mixed":
            kind = rng.integers(0, 6, COVER_EVERY)
        else:
            kind = np.full(COVER_EVERY, dl.SHAPES.index(shape))
        share = RADII[np.searchsorted(CUMULATIVE, rng.random(COVER_EVERY))]
        r = np.maximum((share * size).astype(int), 1)
        centre = rng.integers(0, size, (COVER_EVERY, 2))
        colour = rng.integers(0, 255, (COVER_EVERY, 3)).tolist()
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


def python_contours(size: int, rng: random.Random) -> np.ndarray:
    """One VisualAtom picture, uint8 (size, size): rings in Python loops, a line of PIL for each two
    vertices; the noise is looked up, which takes as long as a call of a compiled library.
    """
    scale, table = size / rings.CANVAS, NOISE
    vertices, contours = rng.randint(*rings.ATOM_VERTICES), rng.randint(*rings.CONTOURS)
    kappa, omega = rng.uniform(0, rings.NOISE_MOST), rng.uniform(0, rings.WIDTH_MOST)
    radius, (n1, n2) = rng.randint(*rings.ATOM_RADIUS), rng.sample(range(rings.WAVE_MOST + 1), 2)
    ovals = rng.uniform(1, rings.OVAL_MOST), rng.uniform(1, rings.OVAL_MOST)
    centre = [(rings.CANVAS + rng.randint(-rings.CANVAS, rings.CANVAS)) / 2 for _ in "xy"]
    angle = 2 * math.pi / vertices
    x = [math.cos(angle * v) * radius * ovals[0] + centre[0] for v in range(vertices)]
    y = [math.sin(angle * v) * radius * ovals[1] + centre[1] for v in range(vertices)]
    image = Image.new("L", (size, size))
    draw = ImageDraw.Draw(image)
    for _ in range(contours):
        grey = rng.randint(0, 255)
        for v in range(vertices):
            wave = 0.5 * math.sin(angle * v * n1) + 0.5 * math.sin(angle * v * n2)
            outward = kappa + omega + wave
            x[v] += math.cos(angle * v) * (outward - kappa * table[rng.getrandbits(16)])
            y[v] += math.sin(angle * v) * (outward - kappa * table[rng.getrandbits(16)])
        for v in range(vertices):
            after = (v + 1) % vertices
            ends = x[v] * scale, y[v] * scale, x[after] * scale, y[after] * scale
            draw.line(ends, fill=grey, width=1)
    return np.asarray(image)


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
    low0, high0 = orbit[:, 0].min(), orbit[:, 0].max()
    low1, high1 = orbit[:, 1].min(), orbit[:, 1].max()
    image = np.zeros((size, size))
    for t in range(len(orbit)):
        row = int((orbit[t, 0] - low0) * (size - 1) / (high0 - low0))
        column = int((orbit[t, 1] - low1) * (size - 1) / (high1 - low1))
        image[row, column] += 1
    return image


def numba_fractal(
    systems: np.ndarray, probabilities: np.ndarray, size: int, points: int, seed: int
) -> np.ndarray:
    """One sigma fractal on black, uint8 (size, size, 3): a compiled chaos game, hues by OpenCV."""
    image = _count(_orbit(systems, probabilities.cumsum(), points, seed), size)
    value = image / image.max()
    hue = (255 * value).astype(np.uint8)
    hsv = np.stack((hue, np.full_like(hue, 180), np.full_like(hue, 200)), 2)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * (value > 0)[..., None].astype(np.uint8)


def _match(x: np.ndarray, cumulative: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values with another distribution: a piecewise linear map between the edges of equal bins."""
    counts, own = np.histogram(x, len(edges) - 1)
    counts = counts + 1e-8 * counts.mean()
    reached = np.concatenate(([0], counts.cumsum())) / counts.sum()
    return np.interp(x, own, np.interp(reached, cumulative, edges))


def _histogram(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative distribution of values, and the edges of its bins."""
    counts, edges = np.histogram(x, 256)
    counts = counts + 1e-8 * counts.mean()
    return np.concatenate(([0], counts.cumsum())) / counts.sum(), edges


def _band(band: np.ndarray, rows: int, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Distribution at the grid's edges, and standard deviation, that a band of this many rows is to
    have.
    """
    x = np.linspace(-200, 200, 801)
    h = np.exp(-((np.abs(x) / 4.0 ** (rows / len(band))) ** random.uniform(0.4, 0.8)))
    return np.concatenate(([0], h.cumsum())) / h.sum(), float(np.sqrt((h * x * x).sum() / h.sum()))


def _scaled(y: np.ndarray, deviation: float) -> np.ndarray:
    """Values of mean 0 and this standard deviation."""
    return (y - y.mean()) / y.std() * deviation


def _palette(size: int, random: np.random.Generator) -> np.ndarray:
    """Blurred stripes of a few colours with some noise, float (size, size, 3): what the histograms
    and axes of colour are taken from.
    """
    n = 3 + int(20 * random.random())
    share = 0.001 + random.random(n)
    colours = random.random((n, 3))
    which = np.sort(random.choice(n, size * size, p=share / share.sum()))
    stripes = colours[which].reshape(size, size, 3) * 256
    side = 1 + int(10 * random.random())
    blurred = [ndimage.uniform_filter(stripes[..., c], side, mode="constant") for c in range(3)]
    noisy = np.stack(blurred, 2) + 10 * random.random((size, size, 3))
    return 256 * (noisy - noisy.min()) / np.ptp(noisy)


def _amplitude(size: int, random: np.random.Generator) -> np.ndarray:
    """Amplitudes of a spectrum that falls with a power of the frequency, (size, size)."""
    s, d = random.uniform(0.5, 3.5), random.normal(0, 0.05)
    f = np.abs(np.fft.fftfreq(size))
    amplitude = 1 / (2.2e-16 + f ** (s + d) + f[:, None] ** (s - d))
    amplitude[0, 0] = 0
    return amplitude


def _with_spectrum(x: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """A channel with these amplitudes, its own phases, mean and standard deviation."""
    phase = np.angle(np.fft.fft2(x - x.mean()))
    return _scaled(np.fft.ifft2(amplitude * np.exp(1j * phase)).real, x.std()) + x.mean()


def _with_wavelets(x: np.ndarray, targets: dict, random: np.random.Generator) -> np.ndarray:
    """A channel whose bands have the distributions of ``targets``; a new band's is drawn."""
    size = len(x)
    pyr = SteerablePyramidSpace(x, order=3, height=pyramid.height(size), edge_type="reflect1")
    edges = np.linspace(-200.25, 200.25, 802)
    for name, band in pyr.pyr_coeffs.items():
        if name != "residual_lowpass":
            if name not in targets:
                targets[name] = _band(band, size, random)
            cumulative, deviation = targets[name]
            matched = _match(band.ravel(), cumulative, edges).reshape(band.shape)
            pyr.pyr_coeffs[name] = _scaled(matched, deviation)
    return pyr.recon_pyr()


def numpy_statistics(
    spectrum: bool, wavelets: bool, color: bool, size: int, random: np.random.Generator
) -> np.ndarray:
    """One statistical picture, uint8 (size, size, 3): ten rounds, channel by channel, in NumPy; the
    pyramid by pyrtools.
    """
    pixels = _palette(size, random).reshape(-1, 3)
    mean = pixels.mean(0)
    axes = np.linalg.eigh(np.cov(pixels.T))[1][:, ::-1]
    histograms = [_histogram(channel) for channel in ((pixels - mean) @ axes).T]
    amplitude = _amplitude(size, random)
    x = 256 * random.random((3, size, size))
    targets: list[dict] = [{} for _ in range(3)]
    for _ in range(10):
        if spectrum:
            for c in range(3):
                x[c] = _with_spectrum(x[c], amplitude)
        if wavelets:
            for c in range(3):
                x[c] = _with_wavelets(x[c], targets[c], random)
        if color:
            for c in range(3):
                x[c] = _match(x[c].ravel(), *histograms[c]).reshape(size, size)
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


FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64 * 4


def _filtered(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Maps (1, c, h, w) through the filter of an enlargement, channel by channel."""
    padded = functional.pad(x, padding).transpose(0, 1)
    return functional.conv2d(padded, FILTER[None, None]).transpose(0, 1)


def full_stylegan(
    shared: stylegan_network.Network,
    keys: Tensor,
    net: Tensor,
    side: int,
    options: stylegan_network.StyleGANOptions,
) -> Tensor:
    """Random StyleGANs with tied kernels, all channels held: RGB maps (n, 3, side, side), one
    modulated convolution after the other, picture by picture.
    """
    convolutions, painters = stylegan_network.styles(shared, keys)
    noise = stylegan_tied.shared_noise(keys, side) if options.noise == "envelope" else None
    plan, pictures = stylegan_network.layers(side, options.width), []
    for i in range(len(keys)):
        own = noise and {r: maps[i : i + 1] for r, maps in noise.items()}
        draws = stylegan_tied.draw_layers(plan, keys[i : i + 1], net, own, options)
        x, image = shared.constant[None], torch.zeros(1, 3, 2, 2)
        for number, (layer, draw) in enumerate(zip(plan, draws, strict=True)):
            kernel = draw.sign[0][:, None, None, None] * draw.kernel[0][None]
            modulated = kernel * convolutions[number][i][None, :, None, None]
            modulated = modulated / (modulated.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            if layer.up:
                x = functional.conv_transpose2d(x, modulated.transpose(0, 1), stride=2)
                x = _filtered(x, (1, 1, 1, 1))
            else:
                x = functional.conv2d(x, modulated, padding=1)
            x = x + draw.noise[:, None] + draw.bias[0][None, :, None, None]
            x = functional.relu(x) * math.sqrt(2)
            if not layer.up:
                weight = rng.normal(rng.fold(keys[i], 10 + number // 2), (3, layer.outputs))
                weight = weight * painters[number // 2][i]
                zeros = torch.zeros(1, 3, layer.side, layer.side)
                zeros[..., ::2, ::2] = image
                image = _filtered(zeros, (2, 1, 2, 1))
                image = image + functional.conv2d(x, weight[:, :, None, None])
        pictures.append(image)
    return torch.cat(pictures)


def numpy_noise(size: int, rng: np.random.Generator) -> np.ndarray:
    """One picture of white noise, uint8 (size, size, 3)."""
    return rng.integers(0, 256, (size, size, 3), dtype=np.uint8)


def pil_views(crop: int, scale_min: float):
    """torchvision's pipeline on one PIL image: crop, flip, jitter, grey, tensor, normalise."""
    t = torchvision.transforms
    steps = [
        t.RandomResizedCrop(crop, (scale_min, 1)),
        t.RandomHorizontalFlip(),
        t.ColorJitter(0.4, 0.4, 0.4, 0.4),
        t.RandomGrayscale(0.2),
        t.ToTensor(),
        t.Normalize((0.44, 0.43, 0.39), (0.27, 0.26, 0.27)),
    ]
    return t.Compose(steps)


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
    mask = (label == 0).reshape(three.shape[1:3]).astype(np.float32)
    mask = cv2.blur(cv2.blur(mask, (3, 3)), (3, 3))[..., None]
    return (mask * three[1] + (1 - mask) * three[2]).astype(np.uint8)
