"""Search for a generator's options by successive halving, read from ``workflow/search.toml``; every tried point leaves a record.

Jamieson and Talwalkar 2016: train all points a little, keep the best, train those more. The choice is made on a half of the probe's training
images that no classifier learned from; what the choice would have been with other seeds is for the records to tell.
"""

import dataclasses
import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..core import files, progress, rng
from ..core.errors import ParameterError
from ..data import datasets
from ..measure import probe
from . import records, run
from .profiles import Profile
from .rows import Row, spec

STUDIED = ("smoke", "cpu")


@dataclasses.dataclass(frozen=True)
class Rung:
    """A round: each point that is left is trained with each of ``seeds`` on ``n_images`` for ``epochs``; the best ``keep`` go on."""

    n_images: int
    epochs: int
    seeds: tuple[int, ...]
    keep: int


@dataclasses.dataclass(frozen=True)
class Search:
    """A search in a profile: the generator, option → values, how many random points of that space, and the rungs."""

    name: str
    generator: str
    space: dict[str, tuple[Any, ...]]
    points: int
    rungs: tuple[Rung, ...]

    def options(self, point: int) -> dict[str, Any]:
        """Options of a point: each option's value drawn with equal chances, a function of the number."""
        u = rng.uniform(rng.key("search", 0, point), (len(self.space),)).tolist()
        return {
            option: values[int(x * len(values))]
            for (option, values), x in zip(self.space.items(), u, strict=True)
        }

    def row(self, point: int) -> Row:
        """The point as a row."""
        return Row(
            f"{self.name}-p{point:02d}",
            "generator",
            f"point {point}",
            "own",
            "44_own_noise",
            origin=self.generator,
            own_options=self.options(point),
        )


@cache
def search(name: str, profile: str) -> Search:
    """A search by name. Raises ParameterError for a search or profile that the file does not have."""
    table = files.read_workflow("search.toml")
    if name not in table:
        raise ParameterError(
            f"unknown search {name!r}: workflow/search.toml has {', '.join(table)}"
        )
    if profile not in STUDIED:
        raise ParameterError(
            f"profile = {profile!r}: a search has the profiles {', '.join(STUDIED)}"
        )
    entry = table[name]
    rungs = tuple(
        Rung(**{**rung, "seeds": tuple(rung["seeds"])}) for rung in entry[profile]["rungs"]
    )
    return Search(
        name,
        entry["generator"],
        {option: tuple(values) for option, values in entry["space"].items()},
        entry[profile]["points"],
        rungs,
    )


def _profile(profile: Profile, rung: Rung) -> Profile:
    return dataclasses.replace(profile, n_images=rung.n_images, epochs=rung.epochs)


def path(found: Search, profile: Profile, point: int, rung: Rung, seed: int) -> Path:
    """A try's file; tries of one size are shared by rungs."""
    return (
        records.folder(profile, "search")
        / f"{found.row(point).name}-n{rung.n_images}-e{rung.epochs}-s{seed}.json"
    )


def described(found: Search, profile: Profile, point: int, rung: Rung, seed: int) -> dict[str, Any]:
    """All that decides a try's result."""
    return {
        **spec(found.row(point), _profile(profile, rung), seed),
        "choice": "half of the probe's training images, by turns within a class",
    }


def halves(profile: Profile) -> tuple[datasets.ImageSet, datasets.ImageSet]:
    """The probe's training images in two halves, each class by turns: one that classifiers learn from, one that decides."""
    every = datasets.load(profile.data, "train", profile.crop).first(profile.per_class)
    even = datasets.rank_within_class(every.labels) % 2 == 0
    first, second = (
        dataclasses.replace(every, images=every.images[part], labels=every.labels[part])
        for part in (even, ~even)
    )
    return first, second


def tried(found: Search, profile: Profile, point: int, rung: Rung, seed: int) -> dict[str, Any]:
    """The record of a try: read, or made and written. Whether a record is of other code is for ``status`` to say."""
    where, wanted = (
        path(found, profile, point, rung, seed),
        described(found, profile, point, rung, seed),
    )
    if where.exists() and (old := records.read(where))["id"] == files.digest(wanted):
        return old
    p = _profile(profile, rung)
    run.prepare(p)
    origin = run.provenance(wanted, p)
    began = time.perf_counter()
    encoder = run.short_trained(found.row(point), p, seed)
    tap = encoder.main_tap

    def read(images: datasets.ImageSet) -> Tensor:
        return probe.features(encoder, images.images, (tap,))[tap].cpu()

    training, deciding = halves(p)
    measured = probe.linear(
        read(training),
        training.labels,
        read(deciding),
        deciding.labels,
        len(training.classes),
        seed,
    )
    made = {"id": files.digest(wanted), "row": found.row(point).name, "point": point, "options": found.options(point), "profile": p.name, "spec": wanted,
            "results": {"held_out": {**probe.summary(measured), "correct": records.pack(measured.correct.numpy())}},
            "cost": {"wall_seconds": round(time.perf_counter() - began, 1)}, "provenance": origin}  # fmt: skip
    records.write(where, made)
    return records.read(where)


def outcomes(found: Search, profile: Profile, point: int, rung: Rung) -> np.ndarray:
    """Which deciding images a point of a rung gets right: bool (seeds, images)."""
    measured = [
        tried(found, profile, point, rung, seed)["results"]["held_out"] for seed in rung.seeds
    ]
    return np.stack([records.unpack(m["correct"], m["n"]) for m in measured])


def missing(
    found: Search, profile: Profile, points: Sequence[int], rung: Rung
) -> list[tuple[int, int]]:
    """Tries of a rung, (point, seed), that have no record of their spec."""

    def here(point: int, seed: int) -> bool:
        where = path(found, profile, point, rung, seed)
        return where.exists() and records.read(where)["id"] == files.digest(
            described(found, profile, point, rung, seed)
        )

    return [(point, seed) for point in points for seed in rung.seeds if not here(point, seed)]


def made(found: Search, profile: Profile) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Tries of the rungs as they are now that have a record: (point, record, "fresh" or "stale": of another spec or other code)."""
    for point in range(found.points):
        for rung in found.rungs:
            for seed in rung.seeds:
                where = path(found, profile, point, rung, seed)
                if where.exists():
                    record = records.read(where)
                    yield (
                        point,
                        record,
                        "fresh"
                        if records.fresh(record, [described(found, profile, point, rung, seed)])
                        else "stale",
                    )


def search_all(
    found: Search, profile: Profile, jobs: int = 1
) -> list[list[tuple[int, np.ndarray]]]:
    """Go through the rungs, ``jobs`` tries side by side; tries that have a record are not made again.

    Returns: rung by rung the points that were tried, best first, each with its outcomes bool (seeds, images); of equal ones the smaller number first.
    """
    if jobs < 1:
        raise ParameterError(f"jobs = {jobs}: must be at least 1")
    left, standing = list(range(found.points)), []
    for number, rung in enumerate(found.rungs):
        todo = missing(found, profile, left, rung)
        with progress.bar(
            len(left) * len(rung.seeds), f"rung {number + 1} of {len(found.rungs)}", "try"
        ) as shown:
            shown.update(len(left) * len(rung.seeds) - len(todo))
            if jobs == 1:
                for point, seed in todo:
                    tried(found, profile, point, rung, seed)
                    shown.update()
            else:
                quiet = (
                    signal.SIGINT,
                    signal.SIG_DFL,
                )  # Ctrl-C reaches all of them; this process says so
                with ProcessPoolExecutor(
                    jobs, multiprocessing.get_context("spawn"), signal.signal, quiet
                ) as workers:
                    try:
                        for done in as_completed(
                            [
                                workers.submit(tried, found, profile, point, rung, seed)
                                for point, seed in todo
                            ]
                        ):
                            done.result()
                            shown.update()
                    except BaseException:  # what is done has its record; nothing goes on alone
                        workers.shutdown(wait=False, cancel_futures=True)
                        for child in multiprocessing.active_children():
                            child.terminate()
                        raise
        scored = [(point, outcomes(found, profile, point, rung)) for point in left]
        standing.append(sorted(scored, key=lambda each: (-each[1].mean(), each[0])))
        left = [point for point, _ in standing[-1][: rung.keep]]
    return standing


def choices(last: Sequence[tuple[int, np.ndarray]], draws: int = 2000) -> dict[int, float]:
    """How often each finalist would be chosen if seeds and deciding images were drawn again, with repetition: point → share."""
    numbers = np.random.default_rng(0)
    right = np.stack([found for _, found in last]).astype(np.float32)  # points, seeds, images
    chosen = np.zeros(len(last))
    for _ in range(draws):
        seeds, images = (
            numbers.integers(right.shape[1], size=right.shape[1]),
            numbers.integers(right.shape[2], size=right.shape[2]),
        )
        chosen[right[:, seeds][:, :, images].mean((1, 2)).argmax()] += 1
    return {point: float(share) for (point, _), share in zip(last, chosen / draws, strict=True)}


def effects(
    found: Search, rung: Sequence[tuple[int, np.ndarray]], draws: int = 2000
) -> list[dict[str, Any]]:
    """Of each value of each option: mean accuracy of the points that have it − mean of the others, with a 95 % bootstrap interval over points."""
    score, numbers = np.array([right.mean() for _, right in rung]), np.random.default_rng(0)
    effects = []
    for option, values in found.space.items():
        has = np.array([found.options(point)[option] for point, _ in rung], dtype=object)
        for value in values:
            mine, others = score[has == value], score[has != value]
            if len(mine) < 2 or len(others) < 2:
                continue
            a, b = (
                x[numbers.integers(len(x), size=(draws, len(x)))].mean(1) for x in (mine, others)
            )
            low, high = np.quantile(a - b, (0.025, 0.975))
            effects.append(
                {
                    "option": option,
                    "value": value,
                    "points": len(mine),
                    "mean": float(mine.mean() - others.mean()),
                    "low": float(low),
                    "high": float(high),
                }
            )
    return effects
