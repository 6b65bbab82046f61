"""Training, generation and measurement against what the hardware allows: the tables of "On a GPU".

Every speed has a floor: the operations at the measured peak of a matrix product of their precision,
or the bytes at the measured speed of a copy. What a floor leaves out (norms, pooling, a solver's
iterations) is part of what is measured against it.
"""

import contextlib
import copy
import gc
import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import synthlearn as sl
from synthlearn.core import kernels, rng
from synthlearn.core.augment import Augmentation
from synthlearn.core.graph import Replayed
from synthlearn.data import stream
from synthlearn.data.image_set import ImageSet
from synthlearn.learn import encoders, methods, train
from synthlearn.learn.encoders import SmallAlexNet
from synthlearn.learn.step import UpdateStep
from synthlearn.measure import probe
from synthlearn.text2image import flow
from synthlearn.text2image.learned import NOISE, LearnedOptions
from synthlearn.text2image.sampling import noise_levels
from synthlearn.text2image.unet import UNet

from .stored import Files, TinyViT, write_pictures
from .timing import clock, digits, median, per_second

KINDS = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}
SCALE_MIN = 0.2  # of the profiles' views
SMALLER_IS_BETTER = ("ms", "s")
CAPTIONS = 50
LONG_ENOUGH = 0.3  # seconds of a call of a generator, below which it makes more at once
MOST_AT_ONCE = 16_384  # pictures
GOALS: dict[str, int | None] = {  # generators, images/s at 128 px
    "programs": 20_000,
    "dead_leaves-mixed": 20_000,
    "dead_leaves-textures": 20_000,
    "fractals-fractaldb": 20_000,
    "stat-spectrum_color": 20_000,
    "collage-found": None,
    "stylegan-oriented": 5000,
    "stat-spectrum_color_wmm": 2000,
    "fractals-sigma": 20_000,
    "stylegan-random": 1000,
    "feature_vis-random": 60,
}
Entry = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """A training: alignment and uniformity over a SmallAlexNet.

    n, side: pictures of an epoch and their side in px; epochs: of the whole training; run: how many
    of them are run.
    """

    name: str
    width: float
    side: int
    crop: int
    batch: int
    n: int
    epochs: int
    run: int
    precision: str = "fp32"
    goal: float | None = None  # ms a step

    def optimisation(self) -> train.Optimisation:
        """Of the profiles, but for what differs here."""
        return train.Optimisation(
            self.epochs,
            self.batch,
            precision=self.precision,
            last_batch="kept" if self is CPU_PROFILE else "waits",
        )

    def views(self) -> Augmentation:
        """Of the profiles."""
        return Augmentation(self.crop, SCALE_MIN)

    def encoder(self, seed: int = 0) -> SmallAlexNet:
        """A new one."""
        return SmallAlexNet(self.width, self.crop, seed)


@dataclass(frozen=True)
class Sizes:
    """How large what is measured is: views as (side, crop, batch); probe as (train, features,
    classes); sets: labelled pictures for training and testing; rows: how many are made; pictures:
    stored ones; drawn: samples at once; few: pictures of a generator's first call.
    """

    product: int
    kinds: tuple[str, ...]
    copied: int  # bytes
    repeats: int
    views: tuple[tuple[int, int, int], ...]
    trainings: tuple[Work, ...]
    base: int
    batch: int
    drawn: int
    unet: str  # precision
    probe: tuple[int, int, int]
    sets: tuple[int, int]
    rows: int
    stored: Work
    generator_side: int
    few: int


VIEWS_GOAL = 60_000  # a second, in training on a card
CPU_PROFILE = Work(
    "the cpu profile's sizes",
    width=0.25,
    side=48,
    crop=32,
    batch=256,
    n=10_000,
    epochs=10,
    run=5,
    goal=3.0,
)
GPU_PROFILE = Work(
    "the gpu profile's sizes",
    width=1.0,
    side=48,
    crop=32,
    batch=512,
    n=20_000,
    epochs=100,
    run=3,
    precision="bf16",
    goal=1e3 * 2 * 512 / VIEWS_GOAL,
)
LARGE = Work(
    "width 1, 64 px, batch 768",
    width=1.0,
    side=128,
    crop=64,
    batch=768,
    n=6912,
    epochs=100,
    run=3,
    precision="bf16",
    goal=1e3 * 2 * 768 / VIEWS_GOAL,
)
STORED = Work(
    "stored",
    width=1.0,
    side=128,
    crop=64,
    batch=256,
    n=4096,
    epochs=100,
    run=9,
    precision="bf16",
)
TINY_WORK = Work("tiny", width=0.125, side=48, crop=32, batch=16, n=40, epochs=10, run=2)
CARD = Sizes(
    product=8192,
    kinds=("bf16", "fp32", "fp64"),
    copied=1 << 30,
    repeats=5,
    views=((128, 64, 768), (48, 32, 512)),
    trainings=(CPU_PROFILE, GPU_PROFILE, LARGE),
    base=64,
    batch=256,
    drawn=2048,
    unet="bf16",
    probe=(10_000, 4096, 100),
    sets=(20_000, 10_000),
    rows=2,
    stored=STORED,
    generator_side=128,
    few=64,
)
ON_CPU = Sizes(
    product=2048,
    kinds=("fp32", "fp64"),
    copied=1 << 28,
    repeats=3,
    views=((48, 32, 256), (128, 64, 256)),
    trainings=(replace(CPU_PROFILE, n=1024, run=3, goal=None),),
    base=24,
    batch=64,
    drawn=20,
    unet="fp32",
    probe=(10_000, 1024, 10),
    sets=(10_000, 10_000),
    rows=0,
    stored=STORED,
    generator_side=128,
    few=64,
)
TINY = Sizes(
    product=128,
    kinds=("bf16", "fp32", "fp64"),
    copied=1 << 20,
    repeats=1,
    views=((48, 32, 8),),
    trainings=(TINY_WORK,),
    base=16,
    batch=4,
    drawn=4,
    unet="fp32",
    probe=(60, 16, 3),
    sets=(40, 20),
    rows=1,
    stored=replace(TINY_WORK, name="stored", batch=8, n=20),
    generator_side=32,
    few=2,
)


class TimeLimitError(Exception):
    """A part took longer than it may."""


@dataclass
class Bench:
    """Where it is measured, how large, and the peaks: FLOP/s by precision, bytes/s under "copy"."""

    device: str
    sizes: Sizes
    peaks: dict[str, float] = field(default_factory=dict)

    def median(self, call: Callable[[], int]) -> float:
        """Things per second."""
        return median(call, self.device, self.sizes.repeats)

    def entry(
        self,
        what: str,
        value: float,
        unit: str,
        goal: float | None = None,
        floor: float | None = None,
    ) -> Entry:
        """A measurement; ``floor``: its value if the hardware alone decided, in the same unit.
        Goals are of a card's sizes.
        """
        goal = goal if self.sizes is CARD else None
        smaller = unit in SMALLER_IS_BETTER
        met = share = None
        if goal is not None:
            met = value <= goal if smaller else value >= goal
        if floor:
            share = floor / value if smaller else value / floor
        memory = torch.cuda.max_memory_allocated() >> 20 if self.device != "cpu" else None
        return {
            "what": what,
            "value": value,
            "unit": unit,
            "goal": goal,
            "met": met,
            "floor": floor,
            "share": share,
            "memory_mb": memory,
        }

    def seconds(self, work: float, peak: str) -> float | None:
        """Least time of so many operations of a precision, or bytes of a copy; None where that peak
        was not measured.
        """
        return work / self.peaks[peak] if peak in self.peaks else None

    def rate(self, work: float, peak: str) -> float | None:
        """Most things per second of so many operations or bytes each."""
        return self.peaks[peak] / work if peak in self.peaks else None


def flop(call: Callable[[], Any]) -> int:
    """Operations of a call, multiplications and additions counted apart."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def flop_per_view(encoder: encoders.Encoder, crop: int) -> float:
    """Forward and backward, of a view."""
    model = copy.deepcopy(encoder).to("meta")
    x = torch.zeros(4, 3, crop, crop, device="meta")
    return flop(lambda: model.project(model.embed(x)).sum().backward()) / len(x)


def peaks(bench: Bench) -> Iterator[Entry]:
    """Matrix products and a copy: what all else is held against."""
    n, device = bench.sizes.product, bench.device
    for kind in bench.sizes.kinds:
        a = torch.randn(n, n, device=device).to(KINDS[kind])
        bench.peaks[kind] = 2 * n**3 * bench.median(partial(_count, partial(torch.matmul, a, a)))
        yield bench.entry(f"matrix product {n}³, {kind}", bench.peaks[kind] / 1e12, "TFLOP/s")
    x = torch.empty(bench.sizes.copied, dtype=torch.uint8, device=device)
    y = torch.empty_like(x)
    bench.peaks["copy"] = 2 * len(x) * bench.median(partial(_count, partial(y.copy_, x)))
    yield bench.entry("memory, read and written", bench.peaks["copy"] / 1e9, "GB/s")


def _count(call: Callable[[], Any], n: int = 1, times: int = 1) -> int:
    """Call it ``times``: how many things that made, ``n`` by each call."""
    for _ in range(times):
        call()
    return n * times


def views(side: int, crop: int, batch: int, bench: Bench) -> Iterator[Entry]:
    """Exact and linear ones, by the kernel and by tensor operations."""
    pictures = _pictures(batch, side, bench.device)
    keys = rng.key("bench", torch.arange(batch), device=bench.device)
    floor = bench.rate(3 * (side**2 + 4 * crop**2), "copy")  # uint8 read, float32 written
    for variant in ("exact", "linear"):
        augmentation = Augmentation(crop, SCALE_MIN, variant=variant)
        ways: dict[str, Callable[..., Tensor]] = {
            "tensors": partial(augmentation.by_tensors, subsets=bench.device == "cpu")
        }
        if kernels.available(torch.device(bench.device)):
            ways = {"kernel": augmentation.by_kernel, **ways}
        for way, make in ways.items():
            speed = bench.median(partial(_count, partial(make, pictures, keys), batch))
            yield bench.entry(
                f"views, {variant}, {side} → {crop} px, batch {batch}, by {way}",
                speed,
                "views/s",
                floor=floor,
            )


def _pictures(n: int, side: int, device: str) -> Tensor:
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, device=device)


def training_of(bench: Bench, work: Work) -> tuple[UpdateStep, Callable[[], Any]]:
    """A training, and one update of it."""
    device, method = torch.device(bench.device), methods.AlignUniform(work.encoder())
    training = UpdateStep(method, work.views(), work.optimisation(), device)
    pictures = _pictures(work.batch, work.side, bench.device)
    slots, key = torch.arange(work.batch, device=device), rng.key("bench", device=bench.device)
    return training, partial(training, pictures, slots, key, None, 0.01)


def steps(work: Work, bench: Bench) -> Iterator[Entry]:
    """Views, forward, loss, backward and update of one batch; the forward pass alone."""
    training, update = training_of(bench, work)
    times = 5 if bench.device != "cpu" else 1
    label = f"{work.name}, {work.precision}"
    floor = _floor(training.method.encoder, work, bench)
    ms = 1e3 / bench.median(partial(_count, update, 1, times))
    yield bench.entry(f"training step, {label}", ms, "ms", work.goal, floor)
    x = torch.randn(2 * work.batch, 3, work.crop, work.crop, device=bench.device)
    x = x.to(KINDS[work.precision], memory_format=torch.channels_last)

    @torch.no_grad()
    def forward(x: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(bench.device, torch.bfloat16, enabled=work.precision == "bf16"):
            return tuple(training.method.outputs(x))

    replayed = Replayed(forward, training.method.buffers)
    ms = 1e3 / bench.median(partial(_count, partial(replayed, x), 1, times))
    yield bench.entry(f"forward alone, {label}", ms, "ms", floor=floor and floor / 3)


def _floor(encoder: encoders.Encoder, work: Work, bench: Bench) -> float | None:
    """Least ms of a training step, forward and backward of both views."""
    operations = flop_per_view(encoder, work.crop) * 2 * work.batch
    return _ms(bench.seconds(operations, work.precision))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def compilation(work: Work, bench: Bench) -> Iterator[Entry]:
    """The same step with its encoder compiled, and what compiling takes."""
    training, update = training_of(bench, work)
    encoder: Any = training.method.encoder
    floor = _floor(encoder, work, bench)
    encoder.embed = torch.compile(encoder.embed)
    seconds = 1 / per_second(partial(_count, update), bench.device)
    yield bench.entry(f"first step with torch.compile, {work.name}", seconds, "s")
    ms = 1e3 / bench.median(partial(_count, update))
    yield bench.entry(f"training step with torch.compile, {work.name}", ms, "ms", work.goal, floor)


def loop_speed(
    bench: Bench, feed: stream.Batches, encoder: encoders.Encoder, work: Work
) -> tuple[float, float]:
    """Views per second and ms a step of a training, over whole epochs after the first one."""
    optimisation = work.optimisation()
    per_epoch = optimisation.steps_per_epoch(work.n)
    pictures = min(work.n, per_epoch * work.batch)  # of an epoch: what fills no batch may wait
    marks: list[float] = []

    def on_step(done: int) -> None:
        if done in (per_epoch, work.run * per_epoch):
            marks.append(clock(bench.device))

    training = train.Training(feed, methods.AlignUniform(encoder), work.views(), optimisation)
    training.run(until=work.run * per_epoch, on_step=on_step)
    seconds, epochs = marks[1] - marks[0], work.run - 1
    return 2 * pictures * epochs / seconds, 1e3 * seconds / (epochs * per_epoch)


def loop(work: Work, bench: Bench) -> Iterator[Entry]:
    """The whole loop of a training, pictures in memory."""
    encoder = work.encoder().to(bench.device)
    floor = bench.rate(flop_per_view(encoder, work.crop), work.precision)
    goal = work.goal and 1e3 * 2 * work.batch / work.goal
    feed = stream.Pool(_pictures(work.n, work.side, bench.device), bench.device)
    speed, ms = loop_speed(bench, feed, encoder, work)
    label = f"{work.name}, {work.precision}"
    yield bench.entry(f"whole loop, {label}", speed, "views/s", goal, floor)
    least = _ms(floor and 2 * work.batch / floor)
    yield bench.entry(f"a step of the whole loop, {label}", ms, "ms", work.goal, least)


def _unet(bench: Bench) -> UNet:
    net: Any = UNet([f"a picture of kind {i}" for i in range(CAPTIONS)], 32, bench.sizes.base)
    return net.to(bench.device, memory_format=torch.channels_last)  # which torch's stubs lack


def unet_updates(bench: Bench) -> Iterator[Entry]:
    """An update of the learned text-to-image model, and a whole training of it."""
    sizes, device = bench.sizes, bench.device
    recipe = flow.Recipe(base=sizes.base, batch=sizes.batch, precision=sizes.unet)
    net, n = _unet(bench), max(2 * recipe.batch, 1000)
    floor = bench.seconds(3 * _unet_flop(net) * recipe.batch, recipe.precision)
    captions = torch.arange(n, device=device) % CAPTIONS
    training = flow.Training(net, _pictures(n, 32, device), captions, recipe)
    update = Replayed(training.update, training.changed)
    inputs = [torch.full((), value, device=device) for value in (1, 1e-4, 0.01)]
    times = 3 if device != "cpu" else 1
    seconds = 1 / bench.median(partial(_count, partial(update, *inputs), 1, times))
    label = f"base {recipe.base}, batch {recipe.batch}, 32 px, {recipe.precision}"
    yield bench.entry(f"U-Net update, {label}", 1e3 * seconds, "ms", 15.0, _ms(floor))
    yield bench.entry("6,000 such updates", 6000 * seconds, "s", 90.0, floor and 6000 * floor)


def _unet_flop(net: nn.Module) -> float:
    """Of a picture's forward pass."""
    model, x = copy.deepcopy(net).cpu(), torch.zeros(2, 3, 32, 32)
    with torch.no_grad():
        return flop(lambda: model(x, torch.full((2,), 0.5), torch.zeros(2, dtype=torch.int64))) / 2


def sampler(bench: Bench) -> Iterator[Entry]:
    """Samples of one guidance scale as the study draws them, without guidance and with it, which
    asks the network twice.
    """
    net, n, steps = _unet(bench).eval(), bench.sizes.drawn, LearnedOptions.steps
    levels = noise_levels(steps, *NOISE)
    noise = torch.randn(n, 3, 32, 32, device=bench.device)
    captions = torch.arange(n, device=bench.device) % CAPTIONS
    for w, suffix in ((1.0, ""), (2.0, ", guided")):
        draw = flow.Sampler(net, w != 1, bench.sizes.unet)
        speed = bench.median(partial(_count, partial(draw, noise, captions, levels, w), n))
        asked = steps * (1 + (w != 1))  # how often, for a picture
        floor = bench.rate(_unet_flop(net) * asked, bench.sizes.unet)
        label = f"base {bench.sizes.base}, {steps} steps{suffix}"
        yield bench.entry(f"samples, {label}, {n} at once", speed, "images/s", 20_000 / 15, floor)
        least = floor and 20_000 / floor
        yield bench.entry(f"20,000 samples, {label}", 20_000 / speed, "s", 15.0, least)


def one_probe(bench: Bench) -> Iterator[Entry]:
    """A linear probe with its choice of L2, on random features."""
    n, d, classes = bench.sizes.probe
    f = torch.randn(n, d, device=bench.device).relu()
    y = torch.randint(0, classes, (n,), device=bench.device)
    # the products zᵀz of the choice and of the fit
    floor = bench.seconds(2 * n * d**2 * (2 - probe.HELD_OUT), "fp64")
    call = partial(_count, partial(probe.linear, f, y, f[:1000], y[:1000], classes))
    what = f"linear probe, {n:,} × {d:,} features, {classes} classes"
    yield bench.entry(what, 1 / per_second(call, bench.device), "s", floor=floor)


def labelled_sets(n: int, tests: int, side: int, device: str) -> tuple[ImageSet, ImageSet]:
    """Ten faint patterns in noise, for training and testing: uint8 on the CPU."""
    labels = torch.arange(n + tests) % 10
    patterns = 20 * torch.randn(10, 3, side, side, device=device)

    def pictures(part: Tensor) -> Tensor:
        noise = 50 * torch.randn(len(part), 3, side, side, device=device)
        return (128 + noise + patterns[part]).clamp(0, 255).byte().cpu()

    images = torch.cat([pictures(part) for part in labels.split(5000)])
    names = tuple(f"pattern {i}" for i in range(10))
    return (
        ImageSet("patterns", "train", images[:n], labels[:n], names, ""),
        ImageSet("patterns", "test", images[n:], labels[n:], names, ""),
    )


def all_probes(work: Work, bench: Bench) -> Iterator[Entry]:
    """All measurements of a row, of an untrained encoder."""
    sets = labelled_sets(*bench.sizes.sets, work.crop, bench.device)
    encoder = work.encoder().to(bench.device)
    n, d = len(sets[0]), encoder.embedding_size
    floor = bench.seconds(3 * 2 * n * d**2 * (2 - probe.HELD_OUT), "fp64")
    seconds = 1 / per_second(partial(_count, partial(probe.measure, encoder, *sets)), bench.device)
    yield bench.entry(f"all measurements of a row, {work.name}", seconds, "s", 2.0, floor)


def rows(work: Work, bench: Bench) -> Iterator[Entry]:
    """From nothing to a measured encoder, several of one form in one process; a first one is not
    counted.
    """
    n, tests = (min(n, 10_000) for n in bench.sizes.sets)
    train_set, test_set = labelled_sets(n, tests, work.crop, bench.device)
    source, seeds = sl.generator("dead_leaves-mixed"), itertools.count()

    def row() -> None:
        seed = next(seeds)
        pictures = source.sample(torch.arange(work.n), work.side, seed, bench.device)
        method = methods.AlignUniform(work.encoder(seed).to(bench.device))
        pool = stream.Pool(pictures, bench.device)
        train.Training(pool, method, work.views(), work.optimisation(), seed).run()
        probe.measure(method.encoder, train_set, test_set, seed)

    row()
    speed = 60 * per_second(partial(_count, row, 1, bench.sizes.rows), bench.device)
    views = 2 * work.n * work.epochs
    floor = bench.rate(flop_per_view(work.encoder(), work.crop) * views, work.precision)
    what = f"rows, {work.name}, in one process"
    yield bench.entry(what, speed, "rows/min", 10.0, floor and 60 * floor)


def generator(name: str, bench: Bench) -> Iterator[Entry]:
    """Pictures of one set, more at once until a call takes long enough."""
    source, side, n, start = sl.generator(name), bench.sizes.generator_side, bench.sizes.few, 10_000
    # compiles, and makes what all pictures share
    source.sample(range(n), side, device=bench.device)

    def more() -> int:
        nonlocal start
        source.sample(torch.arange(start, start + n), side, device=bench.device)
        start += n
        return n

    seconds = n / per_second(more, bench.device)
    while seconds < LONG_ENOUGH and n < MOST_AT_ONCE and bench.sizes is not TINY:
        n *= 4
        seconds = n / per_second(more, bench.device)
    speed = n / seconds if seconds > 1 else median(more, bench.device, 3, 0)
    floor = bench.rate(3 * side**2, "copy")
    yield bench.entry(f"generator {name}, {side} px", speed, "images/s", GOALS[name], floor)


def storage(model: str, bench: Bench) -> Iterator[Entry]:
    """Training with pictures that lie in memory, in files, or are made when they are needed."""
    work, device = bench.sizes.stored, bench.device
    source = sl.generator("dead_leaves-mixed")
    pictures = source.sample(torch.arange(work.n), work.side, device=device)
    new: Callable[[], encoders.Encoder] = (
        work.encoder if model == "SmallAlexNet" else partial(TinyViT, work.crop)
    )
    floor = bench.rate(2 * flop_per_view(new(), work.crop), work.precision)
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(pictures.cpu(), Path(folder))
        feeds = {
            "memory": stream.Pool(pictures, device),
            "generated": stream.RefreshedPool(source, work.n, work.side, 0, device, 1.0),
            "files": Files(Path(folder), work.n, device, min(16, os.cpu_count() or 1)),
        }
        for way, feed in feeds.items():
            speed = loop_speed(bench, feed, new().to(device), work)[0] / 2
            what = f"training {model}, {work.side} px, pictures: {way}"
            entry = bench.entry(what, speed, "images/s", floor=floor)
            yield {**entry, "model": model, "way": way}


@dataclass(frozen=True)
class Part:
    """What is measured under one limit of time."""

    name: str
    measure: Callable[[Bench], Iterator[Entry]]
    seconds: float


def parts(sizes: Sizes, card: bool) -> list[Part]:
    """All there is to measure, the most telling first; ``card``: with what needs a GPU to be of
    use.
    """
    first, last = sizes.trainings[0], sizes.trainings[min(1, len(sizes.trainings) - 1)]
    every = [Part("peaks", peaks, 15)]
    every += [Part(f"step, {work.name}", partial(steps, work), 20) for work in sizes.trainings]
    every += [Part(f"loop, {work.name}", partial(loop, work), 30) for work in sizes.trainings[:2]]
    every += [Part(f"views, {v[0]} → {v[1]} px", partial(views, *v), 20) for v in sizes.views]
    every += [Part("unet", unet_updates, 30), Part("sampler", sampler, 20)]
    every += [Part("probe", one_probe, 20), Part("probes", partial(all_probes, last), 20)]
    if not card:
        return [Part(part.name, part.measure, 600) for part in every]
    every += [Part("rows", partial(rows, first), 30)]
    every += [Part(f"generator {name}", partial(generator, name), 12) for name in GOALS]
    models = ("ViT-Tiny", "SmallAlexNet")
    every += [Part(f"stored, {model}", partial(storage, model), 15) for model in models]
    return [*every, Part("compiled", partial(compilation, last), 150)]


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitError inside when so many seconds are over; again every few seconds, should it
    be lost on its way.
    """

    def over(*_: Any) -> None:
        raise TimeLimitError(f"stopped after {seconds:.0f} s")

    if seconds <= 0:
        raise TimeLimitError("no time was left")
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, 5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measure(
    bench: Bench, wanted: Sequence[Part], seconds: float, keep: Callable[[list[Entry]], Any]
) -> list[Entry]:
    """Measure all parts in so many seconds. What fails or takes too long is an entry with its
    "error", and the next part begins.

    ``keep`` is called with all entries after each part.
    """
    until, entries = time.monotonic() + seconds, []
    print(HEADER, flush=True)
    for part in wanted:
        if bench.device != "cpu":
            gc.collect()  # a graph keeps its memory, and refers to itself
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            with time_limit(min(part.seconds, until - time.monotonic())):
                for entry in part.measure(bench):
                    entries.append(entry | {"part": part.name})
                    print(line(entry), flush=True)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            entries.append({"what": part.name, "part": part.name, "value": None, "error": reason})
            print(f"| {part.name} | {reason} |", flush=True)
        keep(entries)
    return entries


HEADER = """| what | measured | goal | floor | share of the floor | memory, MB |
|---|---|---|---|---|---|"""


def line(entry: Entry) -> str:
    """A measurement as a line of a table."""
    value, goal = f"{digits(entry['value'])} {entry['unit']}", ""
    floor = share = memory = ""
    if entry["goal"] is not None:
        goal = f"{digits(entry['goal'])} {'✓' if entry['met'] else '✗'}"
    if entry["floor"] is not None:
        floor, share = digits(entry["floor"]), f"{100 * entry['share']:.2g} %"
    if entry["memory_mb"] is not None:
        memory = f"{entry['memory_mb']:,}"
    return f"| {' | '.join((entry['what'], value, goal, floor, share, memory))} |"
