"""Pairs of ours and a reference loop that are measured in turns."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import MISSING
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image

import synthlearn as sl
from synthlearn.core import progress, rng
from synthlearn.core.augment import Augmentation
from synthlearn.generators import default_options, mixed, sigma_fractals, stylegan_network
from synthlearn.generators import fractaldb as fr
from synthlearn.measure import memory as memory_of

from . import reference
from .timing import digits, spread, timed

SIZE = 128
SLOW = "feature_vis"  # minutes for a picture of the paper's size on a CPU
PARTS = ["dead_leaves-mixed", "fractals-sigma", "stat-spectrum_color"]
Case = tuple[str, str, Callable[[], int], Callable[[], int], float | None, Callable[[], int] | None]


def generator_case(
    name: str,
    loop: Callable[[int], Any],
    ours: int,
    theirs: int,
    goal: float | None,
    device: str,
    **options: Any,
) -> Case:
    """Name, name of the reference, a call of ours and one of theirs that return how many pictures they made, the goal for the ratio, and what
    tells the memory that ours takes."""
    source = sl.generator(name, **options)
    counter = iter(range(0, 1 << 40, ours))

    def mine() -> int:
        start = next(counter)
        source.sample(torch.arange(start, start + ours), SIZE, device=device)
        return ours

    def reference_loop() -> int:
        for i in range(theirs):
            loop(i)
        return theirs

    label = name + "".join(f", {value}" for value in options.values())
    return label, loop.__name__, mine, reference_loop, goal, lambda: memory(name, options, ours)


def cases(device: str, only: str = "") -> list[Case]:
    """All pairs, or those whose names begin with ``only``; what these need is made, and nothing else."""
    random = np.random.default_rng(0)
    systems, p = fr.fractaldb_systems(fr.categories(64), 0)
    tamed, weights, _ = sigma_fractals.sigma_systems(rng.key("bench", torch.arange(64)))

    def opencv_loop(shape: str) -> Callable[[int], Any]:
        def opencv_leaves(i: int) -> Any:
            return reference.opencv_leaves(shape, SIZE, random)

        return opencv_leaves

    def python_fractal(i: int) -> Any:
        used = p[i % 64] > 0
        return reference.python_fractal(
            systems[i % 64][used].double().numpy(),
            p[i % 64][used].double().numpy(),
            SIZE,
            100_000,
            random,
        )

    def numba_fractal(i: int) -> Any:
        used = weights[i % 64] > 0
        return reference.numba_fractal(
            tamed[i % 64][used].double().numpy(),
            weights[i % 64][used].double().numpy(),
            SIZE,
            100_000,
            i,
        )

    def numpy_noise(i: int) -> Any:
        return reference.numpy_noise(SIZE, random)

    def statistics(spectrum: bool, wavelets: bool, color: bool) -> Callable[[int], Any]:
        def numpy_statistics(i: int) -> Any:
            return reference.numpy_statistics(spectrum, wavelets, color, SIZE, random)

        return numpy_statistics

    textures = random.integers(0, 256, (100, SIZE, SIZE, 3), dtype=np.uint8)

    def masked_textures(i: int) -> Any:
        return reference.masked_textures(textures, SIZE, random)

    def stylegan(kind: str) -> Callable[[int], Any]:
        o = sl.generator(f"stylegan-{kind}").options
        net = rng.key("bench")
        shared = cache(
            lambda: stylegan_network.network(
                int(net), stylegan.SIDE, o.width, o.kernels == "free", "cpu"
            )
        )

        def full_stylegan(i: int) -> Any:
            keys = rng.key("bench", torch.tensor([i]))
            with torch.no_grad():
                return reference.full_stylegan(shared(), keys, net, stylegan.SIDE, o)

        return full_stylegan

    scale = 1 if device == "cpu" else 64
    named = [
        generator_case("dead_leaves-squares", opencv_loop("square"), 96 * scale, 96, 1.5, device),
        generator_case("dead_leaves-oriented", opencv_loop("oriented"), 96 * scale, 96, 1.5, device),
        generator_case("dead_leaves-mixed", opencv_loop("mixed"), 96 * scale, 96, 1.5, device),
        generator_case("dead_leaves-textures", masked_textures, 96 * scale, 24, 10, device, textures=100),
        generator_case("stat-spectrum", statistics(True, False, False), 128 * scale, 8, 4, device),
        generator_case("stat-spectrum_color", statistics(True, False, True), 64 * scale, 8, 4, device),
        generator_case("stat-wmm", statistics(False, True, False), 32 * scale, 2, 3, device),
        generator_case("stat-spectrum_color_wmm", statistics(True, True, True), 32 * scale, 2, 3, device),
        generator_case("stylegan-highfreq", stylegan("highfreq"), 16 * scale, 1, 10, device),
        generator_case("stylegan-sparse", stylegan("sparse"), 16 * scale, 1, 10, device),
        generator_case("stylegan-oriented", stylegan("oriented"), 16 * scale, 1, 10, device),
        generator_case("fractals-fractaldb", python_fractal, 48 * scale, 1, 100, device),
        generator_case("fractals-fractaldb", numba_fractal, 48 * scale, 48, None, device, mode="point"),
        generator_case("fractals-sigma", numba_fractal, 256 * scale, 128, None, device),
        generator_case("noise-white", numpy_noise, 256 * scale, 256, None, device),
    ]  # fmt: skip
    more: dict[str, Callable[[], list[Case]]] = {
        "views": lambda: [
            view_case(v, size, crop, goal, device)
            for v, goal in (("exact", 1.8), ("linear", 3.0))
            for size, crop in ((48, 32), (128, 64))
        ],
        "mixed": lambda: [mixing_case(rule, 48 * scale, device) for rule in ("convex", "cutmix")],
        "k-means leaves": lambda: [leaves_case(64, device)],
        "memory": memory_cases,
    }
    for label, make in more.items():
        if label.startswith(only) or only.startswith(label):
            named += make()
    measured = {case[0].split(",")[0] for case in named}
    others = [
        name
        for name in sl.generators.names()
        if name not in measured
        and not name.startswith(SLOW)
        and MISSING not in default_options(name).values()
    ]
    few = {"stylegan": 16, "collage": 64}  # of the slow families
    named += [
        generator_case(
            name, numpy_noise, few.get(name.partition("-")[0], 256) * scale, 256, None, device
        )
        for name in others
        if name != "text2image"
    ]
    return [case for case in named if case[0].startswith(only)]


def mixing_case(rule: str, n: int, device: str) -> Case:
    """Mixed pictures against their parts alone: what mixing adds."""
    source = sl.generator("mixed", parts=PARTS, rule=rule, k=2)
    counter = iter(range(0, 1 << 40, n))

    def mine() -> int:
        start = next(counter)
        source.sample(torch.arange(start, start + n), SIZE, device=device)
        return n

    def parts() -> int:
        start = next(counter)
        index = torch.arange(start, start + n, device=device)
        source.ingredients(source.keys(index, device=device), index, SIZE, 0)
        return n

    return f"mixed, {rule}, 2 parts", "parts", mine, parts, 1 / 1.3, None


def leaves_case(n: int, device: str) -> Case:
    """K-means leaves of given pictures against OpenCV's k-means picture by picture."""
    pictures = (
        sl.generator("dead_leaves-mixed")
        .sample(range(3 * n), SIZE)
        .view(n, 3, 3, SIZE, SIZE)
        .to(device)
    )
    arrays = pictures.permute(0, 1, 3, 4, 2).contiguous().cpu().numpy()

    def mine() -> int:
        mixed.leaves(pictures)
        return n

    def opencv_kmeans() -> int:
        for three in arrays:
            reference.opencv_kmeans(three)
        return n

    return "k-means leaves of given pictures", "opencv_kmeans", mine, opencv_kmeans, None, None


def memory_cases() -> list[Case]:
    """A memory of 50,000 images: questions, and images that come and go, against NumPy's arrays."""
    entries, dimension, asked = 50_000, 1024, 64
    x = torch.nn.functional.normalize(
        torch.randn(entries, dimension, generator=torch.Generator().manual_seed(0))
    )
    held, array = memory_of.Memory({}, dimension), x.numpy()
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
        (f"{where}: questions", "numpy_neighbours", query, numpy_neighbours, None, None),
        (f"{where}: adding and removing", "numpy_copies", come_and_go, numpy_copies, None, None),
    ]


def view_case(variant: str, size: int, crop: int, goal: float, device: str) -> Case:
    """Batched views against torchvision's pipeline on PIL images."""
    images = sl.generator("dead_leaves-mixed").sample(range(256), size).to(device)
    pictures = [Image.fromarray(x.permute(1, 2, 0).cpu().numpy()) for x in images]
    ours, theirs = Augmentation(crop, 0.2, variant=variant), reference.pil_views(crop, 0.2)
    keys = rng.key("bench", torch.arange(256), device=device)

    def mine() -> int:
        ours(images, keys)
        return 256

    def pil_views() -> int:
        for picture in pictures:
            theirs(picture)
        return 256

    return f"views, {variant}, {size} → {crop} px", "pil_views", mine, pil_views, goal, None


def memory(name: str, options: dict[str, Any], n: int) -> int:
    """MB that a fresh process needs more to make ``n`` pictures of 128 px on a CPU than to make none."""
    peak = "int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"  # ru_maxrss would begin at the parent's
    script = (
        "import sys, json, torch, synthlearn as sl; torch.set_num_threads(int(sys.argv[3]));"
        f"g = sl.generator(sys.argv[1], **json.loads(sys.argv[2])); g.sample([], {SIZE}); before = {peak};"
        f"g.sample(range({n}), {SIZE}); print({peak} - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, name, json.dumps(options), str(torch.get_num_threads())],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) >> 10


def told(row: dict[str, Any]) -> str:
    """A case's line: speed, ratio to its reference, goal and memory where there are any."""
    low, middle, high = map(digits, row["ratio"])
    line = f"{row['what']:36s} {digits(row['ours'][1]):>9s}/s {middle:>8s} × {row['against']} [{low}, {high}]"
    line += f"   goal {row['goal']:g}" if row["goal"] else ""
    return line + (
        f"   memory {row['memory_mb'] or 'below 1'} MB" if row["memory_mb"] is not None else ""
    )


def measure(device: str, repeats: int, only: str = "") -> list[dict[str, Any]]:
    """The rows of all pairs, or of those whose names begin with ``only``; each is told as it is measured."""
    every, rows = cases(device, only), []
    with progress.bar(len(every), "benchmarks", "case") as shown:
        for name, against, ours, theirs, goal, needs in every:
            ours(), theirs()  # warm up and compile
            pairs = [(timed(ours, device), timed(theirs, "cpu")) for _ in range(repeats)]
            row = {
                "what": name,
                "against": against,
                "ours": spread([a for a, _ in pairs]),
                "reference": spread([b for _, b in pairs]),
            }
            rows.append(
                {
                    **row,
                    "ratio": spread([a / b for a, b in pairs]),
                    "goal": goal,
                    "memory_mb": needs() if needs and device == "cpu" else None,
                }
            )
            progress.say(told(rows[-1]))
            shown.update()
    return rows
