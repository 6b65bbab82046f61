"""Search for a generator's options by successive halving, read from ``workflow/search.toml``; every
trial leaves a record.

Jamieson and Talwalkar 2016: train all configurations a little, keep the best, train those more. The
choice is made on a half of the probe's training images that no classifier learned from; what the
choice would have been with other seeds is for the records to tell.
"""

import dataclasses
import multiprocessing
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core import files, progress, rng
from ..core.errors import ParameterError
from ..data import datasets, image_set
from ..data.image_set import ImageSet
from ..measure import probe
from . import records, store
from .comparison import Comparison, to_the_bit
from .experiment import Experiment
from .profiles import Profile
from .provenance import provenance
from .records import Cost, Result, Spec, Trial, pack
from .rows import Row

PROFILES = ("smoke", "cpu")
CHOICE = "half of the probe's training images, by turns within a class"
CHAPTER = "44_own_noise"
DRAWS = 2000  # of bootstraps


@dataclasses.dataclass(frozen=True)
class Rung:
    """A round: each configuration that is left is trained with each of ``seeds`` on ``n_images``
    for ``epochs``; the best ``keep`` go on.
    """

    n_images: int
    epochs: int
    seeds: tuple[int, ...]
    keep: int


@dataclasses.dataclass(frozen=True)
class Search:
    """A search in a profile: the generator, option → values, how many random configurations of that
    space, and the rungs."""

    name: str
    generator: str
    space: Mapping[str, tuple[Any, ...]]
    configs: int
    rungs: tuple[Rung, ...]

    def options(self, config: int) -> dict[str, Any]:
        """Options of a configuration: each option's value drawn with equal chances, a function of
        the number."""
        u = rng.uniform(rng.key("search", 0, config), (len(self.space),)).tolist()
        pairs = zip(self.space.items(), u, strict=True)
        return {option: values[int(x * len(values))] for (option, values), x in pairs}

    def row(self, config: int) -> Row:
        """The configuration as a row."""
        return Row(
            f"{self.name}-p{config:02d}",
            f"point {config}",
            "own",
            CHAPTER,
            source=self.generator,
            options=self.options(config),
        )

    def trials(self, profile: Profile) -> "Iterator[RunTrial]":
        """All trials that the rungs may ask for, each once."""
        every = (
            RunTrial(self, profile, config, rung, seed)
            for config in range(self.configs)
            for rung in self.rungs
            for seed in rung.seeds
        )
        return iter({trial.path: trial for trial in every}.values())


def searches() -> list[str]:
    """Names of all searches."""
    return list(files.read_workflow("search.toml"))


@cache
def get_search(name: str, profile: str) -> Search:
    """A search by name. Raises ParameterError for a search or profile that is not there."""
    table = files.read_workflow("search.toml")
    if name not in table:
        raise ParameterError(
            f"unknown search {name!r}: workflow/search.toml has {', '.join(table)}"
        )
    if profile not in PROFILES:
        has = f"a search has the profiles {', '.join(PROFILES)}"
        raise ParameterError(f"profile = {profile!r}: {has}")
    entry = table[name]
    rungs = [Rung(**{**rung, "seeds": tuple(rung["seeds"])}) for rung in entry[profile]["rungs"]]
    space = {option: tuple(values) for option, values in entry["space"].items()}
    return Search(name, entry["generator"], space, entry[profile]["points"], tuple(rungs))


@dataclasses.dataclass(frozen=True)
class RunTrial:
    """The job of one trial (:class:`.store.Job`): a configuration, trained for a rung with a seed,
    and scored on the deciding images. Trials of one size are shared by rungs."""

    search: Search
    profile: Profile
    config: int
    rung: Rung
    seed: int

    kind = Trial

    @cached_property
    def experiment(self) -> Experiment:
        """What is trained."""
        n, epochs = self.rung.n_images, self.rung.epochs
        profile = dataclasses.replace(self.profile, n_images=n, epochs=epochs)
        return Experiment(self.search.row(self.config), profile, self.seed)

    @property
    def title(self) -> str:
        """For people."""
        size = f"{self.rung.n_images:,} images"
        return f"{self.experiment.row.name} of the search, {size}, seed {self.seed}"

    @property
    def path(self) -> Path:
        """The record's file."""
        size = f"n{self.rung.n_images}-e{self.rung.epochs}"
        name = f"{self.experiment.row.name}-{size}-s{self.seed}.json"
        return store.folder(self.profile, Trial) / name

    @cached_property
    def spec(self) -> Spec:
        """All that decides its result."""
        return Spec({**self.experiment.spec.content, "choice": CHOICE})

    def specs(self) -> Iterator[Spec]:
        """Its one spec: the choice is made on one kind of device."""
        yield self.spec

    def make(self) -> Trial:
        """Train, keeping nothing, and score."""
        origin = provenance(self.spec, self.profile.device)
        began = time.perf_counter()
        result = self._result()
        cost = Cost(round(time.perf_counter() - began, 1))
        row, options = self.experiment.row.name, self.search.options(self.config)
        name = self.profile.name
        return Trial(row, name, self.spec, cost, origin, self.config, options, result)

    def _result(self) -> Result:
        training = self.experiment.training(keep=False)
        training.run()
        encoder = training.method.encoder
        learning, deciding = halves(self.profile)
        x, y = (probe.main_features(encoder, part.images).cpu() for part in (learning, deciding))
        classes = len(learning.classes)
        m = probe.linear(x, learning.labels, y, deciding.labels, classes, self.seed)
        return Result(**probe.summary(m), correct=pack(m.correct.numpy()))

    def settle(self, record: Trial) -> None:
        """Nothing is left to do."""

    def again(self, record: Trial, whole: bool) -> Comparison:
        """All of it: a trial is short."""
        again, recorded = self._result().top1, record.held_out.top1
        return to_the_bit({"held_out": again}, {"held_out": recorded})

    def seconds(self) -> None:
        """Nobody has counted."""


def halves(profile: Profile) -> tuple[ImageSet, ImageSet]:
    """The probe's training images in two halves, each class by turns: one that classifiers learn
    from, one that decides."""
    every = datasets.load(profile.data, "train", profile.crop).first(profile.per_class)
    even = image_set.rank_within_class(every.labels) % 2 == 0
    first, second = (
        dataclasses.replace(every, images=every.images[part], labels=every.labels[part])
        for part in (even, ~even)
    )
    return first, second


def trial(job: RunTrial) -> Trial:
    """The record of a trial: read, or made and written. Whether a record is of other code is for
    ``status`` to say: a search is not begun anew by an edit."""
    if has_record(job):
        return records.read(job.path, Trial)
    return store.get(job)


def has_record(job: RunTrial) -> bool:
    """Whether there is a record of the trial's spec."""
    return job.path.exists() and records.read(job.path, Trial).id == job.spec.id


def outcomes(search: Search, profile: Profile, config: int, rung: Rung) -> np.ndarray:
    """Which deciding images a configuration of a rung gets right: bool (seeds, images)."""
    jobs = [RunTrial(search, profile, config, rung, seed) for seed in rung.seeds]
    return np.stack([trial(job).held_out.outcomes for job in jobs])


Standing = list[tuple[int, np.ndarray]]  # configurations, best first, with their outcomes


def search_all(search: Search, profile: Profile, jobs: int = 1) -> list[Standing]:
    """Go through the rungs, ``jobs`` trials side by side; trials that have a record are not made
    again.

    Returns: rung by rung the configurations that were tried, best first, each with its outcomes
    bool (seeds, images); of equal ones the smaller number first."""
    if jobs < 1:
        raise ParameterError(f"jobs = {jobs}: must be at least 1")
    left, standings = list(range(search.configs)), list[Standing]()
    for number, rung in enumerate(search.rungs, 1):
        every = [
            RunTrial(search, profile, config, rung, seed) for config in left for seed in rung.seeds
        ]
        missing = [job for job in every if not has_record(job)]
        title = f"rung {number} of {len(search.rungs)}"
        with progress.bar(len(every), title, "trial") as bar:
            bar.update(len(every) - len(missing))
            for _ in map(trial, missing) if jobs == 1 else _side_by_side(missing, jobs):
                bar.update()
        scored = [(config, outcomes(search, profile, config, rung)) for config in left]
        standings.append(sorted(scored, key=lambda each: (-each[1].mean(), each[0])))
        left = [config for config, _ in standings[-1][: rung.keep]]
    return standings


def _side_by_side(missing: Sequence[RunTrial], jobs: int) -> Iterator[Trial]:
    """Trials in processes of their own, as they are done."""
    # Ctrl-C reaches all of them; this process says so
    quiet = (signal.SIGINT, signal.SIG_DFL)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, signal.signal, quiet) as workers:
        try:
            for done in as_completed([workers.submit(trial, job) for job in missing]):
                yield done.result()
        except BaseException:  # what is done has its record; nothing goes on alone
            workers.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def choices(last: Standing, draws: int = DRAWS) -> dict[int, float]:
    """How often each finalist would be chosen if seeds and deciding images were drawn again, with
    repetition: configuration → share."""
    numbers = np.random.default_rng(0)
    right = np.stack([each for _, each in last]).astype(np.float32)  # configs, seeds, images
    chosen = np.zeros(len(last))
    for _ in range(draws):
        seeds = numbers.integers(right.shape[1], size=right.shape[1])
        images = numbers.integers(right.shape[2], size=right.shape[2])
        chosen[right[:, seeds][:, :, images].mean((1, 2)).argmax()] += 1
    shares = zip(last, chosen / draws, strict=True)
    return {config: float(share) for (config, _), share in shares}


@dataclasses.dataclass(frozen=True)
class Effect:
    """Mean accuracy of the configurations that have a value of an option − mean of the others, with
    a 95 % bootstrap interval over configurations; ``configs``: how many have it."""

    option: str
    value: Any
    configs: int
    mean: float
    low: float
    high: float


def effects(search: Search, rung: Standing, draws: int = DRAWS) -> list[Effect]:
    """Of each value of each option that two configurations have, and two have not."""
    score, numbers = np.array([right.mean() for _, right in rung]), np.random.default_rng(0)
    every = []
    for option, values in search.space.items():
        has = np.array([search.options(config)[option] for config, _ in rung], dtype=object)
        for value in values:
            own, others = score[has == value], score[has != value]
            if len(own) < 2 or len(others) < 2:
                continue
            a, b = (
                x[numbers.integers(len(x), size=(draws, len(x)))].mean(1) for x in (own, others)
            )
            low, high = np.quantile(a - b, (0.025, 0.975))
            mean = float(own.mean() - others.mean())
            every.append(Effect(option, value, len(own), mean, float(low), float(high)))
    return every
