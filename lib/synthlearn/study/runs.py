"""Runs of rows, and what they say: accuracies and differences, with the spread of runs pooled over
each family of methods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import overload

import numpy as np

from ..core import stats
from ..core.errors import DataError
from ..learn.methods import METHODS
from . import store
from .records import MAIN, Run
from .rows import Row, get_row

# generators whose runs lie further apart than others' of their method: Bartlett's p is 0.05 with
# white noise in its method's family, 0.3 without
APART = {"noise-white": "white noise"}
UNTRAINED = {
    "random": "untrained encoders",
    "raw_pixels": "pixels",
    "mean_colours": "pixels",
    "reference": "network of others",
}


@dataclass(frozen=True)
class Runs(Sequence[Run]):
    """Runs of one row, at least one: its records by seed, then their twins, which are further runs
    of the same seeds on another kind of device.
    """

    runs: tuple[Run, ...]

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> "Runs": ...
    def __getitem__(self, at: int | slice) -> "Run | Runs":
        return Runs(self.runs[at]) if isinstance(at, slice) else self.runs[at]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    @property
    def row(self) -> Row:
        """The row that they are of."""
        return get_row(self.first.row)

    @property
    def first(self) -> Run:
        """The first one: of seed 0, where that is there."""
        return self.runs[0]

    @property
    def by_seed(self) -> dict[int, Run]:
        """The run of each seed; of twins the record."""
        return {run.seed: run for run in reversed(self.runs)}

    def has(self, probe: str) -> bool:
        """Whether all of them have a probe's result."""
        return probe == MAIN or all(probe in run.results for run in self.runs)

    def outcomes(self, probe: str = MAIN) -> np.ndarray:
        """Which test images were right by a probe: bool (runs, images).

        Raises: DataError when the runs' test sets differ.
        """
        if len({run.spec.test_images for run in self.runs}) != 1:
            differ = "their test sets differ, they cannot be averaged"
            raise DataError(f"records of {self.first.row}: {differ}; run the row again")
        return np.stack([run.result(probe).outcomes for run in self.runs])

    def accuracy(self, probe: str = MAIN) -> stats.Estimate:
        """Mean top-1 over the runs, by the main probe or another."""
        return stats.mean(self.outcomes(probe), spread(self.first, probe))

    def difference(self, other: "Runs", probe: str = MAIN) -> stats.Estimate:
        """This row's top-1 − another's, unpaired over runs, image by image over the same images.

        Raises: DataError when the rows were measured on different images.
        """
        if self.first.spec.test_images != other.first.spec.test_images:
            rows = f"{self.first.row} and {other.first.row}"
            differ = "were measured on different test images and cannot be compared"
            raise DataError(f"{rows} {differ}; run one of them again")
        return stats.contrast([self.part(1.0, probe), other.part(-1.0, probe)])

    def part(self, weight: float, probe: str = MAIN, chosen: bool = False) -> stats.Part:
        """The runs as one part of a contrast; ``chosen``: one of the halves of :func:`best`, whose
        errors go together by :data:`stats.CHOICE`."""
        own = spread(self.first, probe)
        if chosen:
            own = replace(own, variance=own.variance * (1 + stats.CHOICE))
        return weight, self.outcomes(probe), own


def committed(profile: str) -> dict[str, Runs]:
    """All committed runs of a profile by row: its records, then their twins."""
    return dict(_committed(store.stamp(profile), profile))


@cache
def _committed(stamp: store.Stamp, profile: str) -> Mapping[str, Runs]:
    twins = [twin for _, twin in store.device_pairs(profile)]
    rows: dict[str, list[Run]] = {}
    for run in [*store.committed(Run, profile), *twins]:
        rows.setdefault(run.row, []).append(run)
    return {name: Runs(tuple(runs)) for name, runs in rows.items()}


def family(run: Run) -> str:
    """The family whose runs lie as far apart as this one's."""
    if not run.spec.method:
        return UNTRAINED[run.spec.kind]
    generator = run.spec.source.generator if run.spec.source else ""
    return APART.get(generator) or METHODS[run.spec.method].family


def spread(run: Run, probe: str = MAIN) -> stats.Spread:
    """How far runs of this run's row lie apart, from all committed runs of its profile and family
    on its test images; unknown where no row has two.
    """
    every = _spreads(store.stamp(run.profile), run.profile, probe)
    return every.get(_alike(run), stats.Spread())


def _alike(run: Run) -> tuple[str, str]:
    return family(run), run.spec.test_images


@cache
def _spreads(stamp: store.Stamp, profile: str, probe: str) -> dict[tuple[str, str], stats.Spread]:
    values: dict[tuple[str, str], list[list[float]]] = {}
    agreements: dict[tuple[str, str], list[float]] = {}
    for every in committed(profile).values():
        measured = [run for run in every if probe == MAIN or probe in run.results]
        if not measured:
            continue
        runs = Runs(tuple(measured))
        which = _alike(runs.first)
        values.setdefault(which, []).append([run.result(probe).top1 for run in runs])
        if len(runs) > 1:
            right = runs.outcomes(probe)
            if varied := float(right.var(1).mean()):  # 0: all right or all wrong
                agreements.setdefault(which, []).append(stats.common(right) / varied)
    return {
        which: stats.pooled(each, float(np.mean(agreements.get(which, [1.0]))))
        for which, each in values.items()
    }


def best(rows: Mapping[str, Runs]) -> tuple[list[tuple[float, Runs]], tuple[str, ...]]:
    """The best of many rows, chosen on every second run and taken on the others, both ways round:
    the parts, with weights of one half, and their rows.

    So that what made a row's runs the best of many does not count for it as well; luck with the
    test images, which both halves share, still does. A row of one run cannot be judged so and is
    left out."""
    halves = [
        {name: runs[start::2] for name, runs in rows.items() if len(runs) > 1} for start in (0, 1)
    ]
    top1 = [
        {name: float(np.mean([run.main.top1 for run in runs])) for name, runs in half.items()}
        for half in halves
    ]
    first, second = (max(sorted(each), key=each.__getitem__) for each in top1)
    parts = [(0.5, halves[1][first]), (0.5, halves[0][second])]
    return parts, tuple(dict.fromkeys((first, second)))


def share(many: Mapping[str, Runs], floor: Runs, ceiling: Runs) -> tuple[float, float, float]:
    """How far the best of many rows (see :func:`best`) goes from one row to another, as a share,
    with Fieller's 95 % interval over runs and images.
    """
    halves, _ = best(many)
    top = [runs.part(weight, chosen=True) for weight, runs in halves]
    low, high = floor.part(-1.0), ceiling.part(1.0)
    gone, way = stats.contrast([*top, low]), stats.contrast([high, low])
    return stats.ratio(gone, way, stats.contrast([*top, (-1.0, *high[1:])]))
