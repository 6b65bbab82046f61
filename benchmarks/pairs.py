"""Pairs of ours and a reference loop that are measured in turns."""

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

import synthlearn as sl
from synthlearn.core import progress, rng
from synthlearn.core.augment import Augmentation
from synthlearn.core.errors import ParameterError
from synthlearn.core.vision import torchvision
from synthlearn.data import export
from synthlearn.generators import default_options, mixed, sigma_fractals, stylegan_network
from synthlearn.generators import fractaldb as fr
from synthlearn.generators.stylegan import SIDE
from synthlearn.measure import memory as memory_of

from . import reference
from .timing import digits, per_second, spread

SIZE = 128  # px of a picture
SLOW = "feature_vis"  # minutes for a picture of the paper's size on a CPU
PARTS = ["dead_leaves-mixed", "fractals-sigma", "stat-spectrum_color"]  # of mixed pictures
SYSTEMS = 64  # of fractals, by turns
POINTS = 100_000  # of a fractal's orbit
CARD = 64  # times as many pictures at once on a GPU
MOST = 1 << 40  # of picture numbers, which are used once
FEW = {"stylegan": 16, "collage": 64}  # pictures at once of the slow families
MANY = 256  # of the others
Loop = Callable[[int], Any]


@dataclass(frozen=True)
class Case:
    """A call of ours and one of a reference, which say how many things they made."""

    name: str
    against: str  # the reference's name
    ours: Callable[[], int]
    theirs: Callable[[], int]
    goal: float | None = None  # for the ratio of their speeds
    memory: Callable[[], int] | None = None  # MB that ours takes

    def measure(self, device: str, repeats: int) -> dict[str, Any]:
        """Speeds and their ratios, in turns, after a call of each that is not counted."""
        self.ours()
        self.theirs()
        pairs = []
        for _ in range(repeats):
            ours = per_second(self.ours, device)
            pairs.append((ours, per_second(self.theirs, "cpu")))
        return {
            "what": self.name,
            "against": self.against,
            "ours": spread([ours for ours, _ in pairs]),
            "reference": spread([theirs for _, theirs in pairs]),
            "ratio": spread([ours / theirs for ours, theirs in pairs]),
            "goal": self.goal,
            "memory_mb": self.memory() if self.memory and device == "cpu" else None,
        }


@dataclass(frozen=True)
class Pair:
    """A generator against a reference loop: pictures of a call of ours (on a CPU) and of theirs."""

    name: str
    loop: Loop
    ours: int
    theirs: int
    goal: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def case(self, device: str) -> Case:
        """The case on a device."""
        source = sl.generator(self.name, **self.options)
        n = self.ours * (1 if device == "cpu" else CARD)
        starts = iter(range(0, MOST, n))

        def ours() -> int:
            start = next(starts)
            source.sample(torch.arange(start, start + n), SIZE, device=device)
            return n

        def theirs() -> int:
            for i in range(self.theirs):
                self.loop(i)
            return self.theirs

        label = self.name + "".join(f", {value}" for value in self.options.values())
        against = getattr(self.loop, "func", self.loop).__name__
        needs = partial(memory, self.name, self.options, n)
        return Case(label, against, ours, theirs, self.goal, needs)


class Loops:
    """The reference loops over pictures of ``SIZE`` px, with what they share; each takes the number
    of a picture last."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    @cached_property
    def textures(self) -> np.ndarray:
        """A hundred pictures to fill leaves with."""
        return self.random.integers(0, 256, (100, SIZE, SIZE, 3), dtype=np.uint8)

    @cached_property
    def fractaldb(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Maps and probabilities of FractalDB's systems."""
        systems, p = fr.fractaldb_systems(fr.categories(SYSTEMS), 0)
        return _without_empty(systems, p)

    @cached_property
    def sigma(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Maps and probabilities of sigma fractals."""
        systems, p, _ = sigma_fractals.sigma_systems(rng.key("bench", torch.arange(SYSTEMS)))
        return _without_empty(systems, p)

    def opencv_leaves(self, shape: str, i: int) -> Any:
        """Leaves of a shape."""
        return reference.opencv_leaves(shape, SIZE, self.random)

    def masked_textures(self, i: int) -> Any:
        """Leaves filled with textures."""
        return reference.masked_textures(self.textures, SIZE, self.random)

    def python_fractal(self, i: int) -> Any:
        """A system of FractalDB with pastes."""
        return reference.python_fractal(*self.fractaldb[i % SYSTEMS], SIZE, POINTS, self.random)

    def python_contours(self, i: int) -> Any:
        """Rings of VisualAtom."""
        return reference.python_contours(SIZE, random.Random(i))

    def numba_fractal(self, i: int) -> Any:
        """A sigma fractal."""
        return reference.numba_fractal(*self.sigma[i % SYSTEMS], SIZE, POINTS, i)

    def numpy_noise(self, i: int) -> Any:
        """White noise."""
        return reference.numpy_noise(SIZE, self.random)

    def numpy_statistics(self, spectrum: bool, wavelets: bool, color: bool, i: int) -> Any:
        """A picture with some of the three statistics."""
        return reference.numpy_statistics(spectrum, wavelets, color, SIZE, self.random)

    @cache  # noqa: B019  # lives as long as the benchmarks
    def _stylegan(self, kind: str) -> tuple[Any, Any]:
        options = sl.generator(f"stylegan-{kind}").options
        net = int(rng.key("bench"))
        free = options.kernels == "free"
        return options, stylegan_network.network(net, SIDE, options.width, free, "cpu")

    def full_stylegan(self, kind: str, i: int) -> Any:
        """A StyleGAN of a kind with all its channels."""
        options, shared = self._stylegan(kind)
        keys = rng.key("bench", torch.tensor([i]))
        with torch.no_grad():
            return reference.full_stylegan(shared, keys, rng.key("bench"), SIDE, options)


def _without_empty(systems: torch.Tensor, p: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each system's maps and probabilities, without maps that are never drawn."""
    pairs = zip(systems.double().numpy(), p.double().numpy(), strict=True)
    return [(maps[weights > 0], weights[weights > 0]) for maps, weights in pairs]


def generator_pairs(loops: Loops) -> list[Pair]:
    """Generators that have a reference loop of their own; goals as set before measuring."""
    leaves, gan = loops.opencv_leaves, loops.full_stylegan
    statistics = loops.numpy_statistics
    spectrum = partial(statistics, True, False, False)
    spectrum_color = partial(statistics, True, False, True)
    wavelets = partial(statistics, False, True, False)
    everything = partial(statistics, True, True, True)
    return [
        Pair("dead_leaves-squares", partial(leaves, "square"), 96, 96, 1.5),
        Pair("dead_leaves-oriented", partial(leaves, "oriented"), 96, 96, 1.5),
        Pair("dead_leaves-mixed", partial(leaves, "mixed"), 96, 96, 1.5),
        Pair("dead_leaves-textures", loops.masked_textures, 96, 24, 10, {"textures": 100}),
        Pair("stat-spectrum", spectrum, 128, 8, 4),
        Pair("stat-spectrum_color", spectrum_color, 64, 8, 4),
        Pair("stat-wmm", wavelets, 32, 2, 3),
        Pair("stat-spectrum_color_wmm", everything, 32, 2, 3),
        Pair("stylegan-highfreq", partial(gan, "highfreq"), 16, 1, 10),
        Pair("stylegan-sparse", partial(gan, "sparse"), 16, 1, 10),
        Pair("stylegan-oriented", partial(gan, "oriented"), 16, 1, 10),
        Pair("fractals-fractaldb", loops.python_fractal, 48, 1, 100),
        Pair("fractals-fractaldb", loops.numba_fractal, 48, 48, options={"mode": "point"}),
        Pair("fractals-sigma", loops.numba_fractal, 256, 128),
        Pair("formula-visualatom", loops.python_contours, 128, 8, 100),
        Pair("noise-white", loops.numpy_noise, 256, 256),
    ]


def other_pairs(pairs: list[Pair], loops: Loops) -> list[Pair]:
    """The other generators, against NumPy's noise; without those that need options or a model."""
    measured = {pair.name for pair in pairs}
    others = [
        name
        for name in sl.generators.names()
        if name not in measured
        and not name.startswith(SLOW)
        and name != "text2image"
        and MISSING not in default_options(name).values()
    ]
    sizes = [FEW.get(name.partition("-")[0], MANY) for name in others]
    return [Pair(name, loops.numpy_noise, n, MANY) for name, n in zip(others, sizes, strict=True)]


def cases(device: str, only: str = "") -> list[Case]:
    """All pairs, or those whose names begin with ``only``; what these need is made, and nothing
    else."""
    loops = Loops()
    pairs = generator_pairs(loops)
    every = [pair.case(device) for pair in pairs]
    more: dict[str, Callable[[], list[Case]]] = {
        "views": partial(view_cases, device),
        "mixed": partial(mixing_cases, device),
        "k-means leaves": lambda: [leaves_case(64, device)],
        "memory": memory_cases,
        "data set": partial(data_set_cases, device),
    }
    for label, make in more.items():
        if label.startswith(only) or only.startswith(label):
            every += make()
    every += [pair.case(device) for pair in other_pairs(pairs, loops)]
    return [case for case in every if case.name.startswith(only)]


def mixing_cases(device: str) -> list[Case]:
    """Both rules of mixing."""
    n = 48 * (1 if device == "cpu" else CARD)
    return [mixing_case(rule, n, device) for rule in ("convex", "cutmix")]


def mixing_case(rule: str, n: int, device: str) -> Case:
    """Mixed pictures against their parts alone: what mixing adds."""
    source = sl.generator("mixed", parts=PARTS, rule=rule, k=2)
    starts = iter(range(0, MOST, n))

    def ours() -> int:
        start = next(starts)
        source.sample(torch.arange(start, start + n), SIZE, device=device)
        return n

    def parts() -> int:
        start = next(starts)
        index = torch.arange(start, start + n, device=device)
        source.ingredients(source.keys(index, device=device), index, SIZE, 0)
        return n

    return Case(f"mixed, {rule}, 2 parts", "parts", ours, parts, 1 / 1.3)


def leaves_case(n: int, device: str) -> Case:
    """K-means leaves of given pictures against OpenCV's k-means picture by picture."""
    pictures = sl.generator("dead_leaves-mixed").sample(range(3 * n), SIZE)
    pictures = pictures.view(n, 3, 3, SIZE, SIZE).to(device)
    arrays = pictures.permute(0, 1, 3, 4, 2).contiguous().cpu().numpy()

    def ours() -> int:
        mixed.leaves(pictures)
        return n

    def opencv_kmeans() -> int:
        for three in arrays:
            reference.opencv_kmeans(three)
        return n

    return Case("k-means leaves of given pictures", "opencv_kmeans", ours, opencv_kmeans)


def memory_cases() -> list[Case]:
    """A memory of 50,000 images: questions, and images that come and go, against NumPy's arrays."""
    entries = 50_000
    dimension = 1024
    asked = 64  # images at once
    random = torch.Generator().manual_seed(0)
    x = torch.nn.functional.normalize(torch.randn(entries, dimension, generator=random))
    array = x.numpy()
    held = memory_of.Memory({}, dimension)
    held.add([str(i) for i in range(entries)], [str(i % 100) for i in range(entries)], x)

    def query() -> int:
        held.query(x[:asked])
        return asked

    def numpy_neighbours() -> int:
        for row in array[:8]:
            np.argsort(-(array @ row))[:20]
        return 8

    def come_and_go() -> int:
        new = [f"new {i}" for i in range(asked)]
        held.add(new, new, x[:asked])
        held.remove(new)
        return 2 * asked

    def numpy_copies() -> int:
        np.delete(np.concatenate([array, array[:1]]), 0, axis=0)
        return 2

    where = f"memory, {entries:,} images"
    return [
        Case(f"{where}: questions", "numpy_neighbours", query, numpy_neighbours),
        Case(f"{where}: adding and removing", "numpy_copies", come_and_go, numpy_copies),
    ]


def data_set_cases(device: str) -> list[Case]:
    """Our data sets for others' trainers, against PNG files and memory, read by as many workers of
    a DataLoader."""
    side, n, batch, workers = 64, 256, 64, 2
    images = sl.data.Images("dead_leaves-mixed", n, side)
    folder = tempfile.TemporaryDirectory()  # goes when the last case does
    export.write(images.source, n, side, 0, Path(folder.name))
    pixels = torchvision.transforms.PILToTensor()
    files = torchvision.datasets.ImageFolder(f"{folder.name}/train", pixels)
    stored = TensorDataset(images.source.sample(range(n), side), torch.zeros(n, dtype=torch.int64))
    made = sl.data.DeviceLoader("dead_leaves-mixed", n, side, batch, device)

    def loader(data: Any) -> Any:
        return DataLoader(data, batch, num_workers=workers, persistent_workers=True)

    def through(batches: Any) -> Callable[[], int]:
        return lambda: bool(folder) * sum(len(x.to(device)) for x, _ in batches)

    ours, memory, png_files = (through(loader(data)) for data in (images, stored, files))
    where = f"{side} px, {workers} workers"
    return [
        Case(f"data set, {where}", "png_files", ours, png_files),
        Case(f"data set, {where}", "memory", ours, memory),
        Case(f"data set on the device, {side} px", "png_files", through(made), png_files),
    ]


def view_cases(device: str) -> list[Case]:
    """Both variants of views, at the sizes of two profiles."""
    return [
        view_case(variant, size, crop, goal, device)
        for variant, goal in (("exact", 1.8), ("linear", 3.0))
        for size, crop in ((48, 32), (128, 64))
    ]


def view_case(variant: str, size: int, crop: int, goal: float, device: str) -> Case:
    """Batched views against torchvision's pipeline on PIL images."""
    images = sl.generator("dead_leaves-mixed").sample(range(256), size).to(device)
    pictures = [Image.fromarray(x.permute(1, 2, 0).cpu().numpy()) for x in images]
    augmentation = Augmentation(crop, 0.2, variant=variant)
    pipeline = reference.pil_views(crop, 0.2)
    keys = rng.key("bench", torch.arange(256), device=device)

    def ours() -> int:
        augmentation(images, keys)
        return 256

    def pil_views() -> int:
        for picture in pictures:
            pipeline(picture)
        return 256

    return Case(f"views, {variant}, {size} → {crop} px", "pil_views", ours, pil_views, goal)


# What a fresh process runs: its arguments are the generator, its options, threads, pictures, size.
# VmHWM is its own peak; ru_maxrss would begin at the parent's.
PEAK = """
import json, sys, torch, synthlearn as sl

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

name, options, threads, n, size = sys.argv[1:]
torch.set_num_threads(int(threads))
source = sl.generator(name, **json.loads(options))
source.sample([], int(size))
before = peak()
source.sample(range(int(n)), int(size))
print(peak() - before)
"""


def memory(name: str, options: Mapping[str, Any], n: int) -> int:
    """MB that a fresh process needs more to make ``n`` pictures on a CPU than to make none."""
    numbers = [str(number) for number in (torch.get_num_threads(), n, SIZE)]
    command = [sys.executable, "-c", PEAK, name, json.dumps(dict(options)), *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) >> 10


def line(row: Mapping[str, Any]) -> str:
    """A case as a line: speed, ratio to its reference, goal and memory where there are any."""
    low, middle, high = map(digits, row["ratio"])
    ours = digits(row["ours"][1])
    text = f"{row['what']:36s} {ours:>9s}/s {middle:>8s} × {row['against']} [{low}, {high}]"
    if row["goal"]:
        text += f"   goal {row['goal']:g}"
    if row["memory_mb"] is not None:
        text += f"   memory {row['memory_mb'] or 'below 1'} MB"
    return text


def measure(device: str, repeats: int, only: str = "") -> list[dict[str, Any]]:
    """The rows of all pairs, or of those whose names begin with ``only``; each is printed as it is
    measured. Raises ParameterError where no name begins so."""
    every = cases(device, only)
    if not every:
        names = "a generator (python -m synthlearn list), views, mixed, k-means leaves, memory or "
        names += "data set"
        raise ParameterError(f"--only {only}: no pair's name begins so; give the name of {names}")
    rows = []
    with progress.bar(len(every), "benchmarks", "case") as bar:
        for case in every:
            rows.append(case.measure(device, repeats))
            progress.say(line(rows[-1]))
            bar.update()
    return rows
