"""Numbers of which each trained encoder gives one: transfer, few examples, layers, fine-tuning,
memories, private learning.

Encoders of one row lie further apart than test images or draws of a noise can tell, so encoders are
the units. Few are measured of each row: how far they lie apart is pooled over all rows of a
measurement. Of single images the measurements keep nothing; the images' share of a difference is
the sum of both rows', as if they were right about unrelated images, which can only be too wide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import stats as distributions

from ..core import stats
from ..core.errors import DataError, ParameterError
from ..measure import tasks
from ..measure.base import MEASUREMENTS, Accuracy, Measurement, Part
from ..measure.initialisation import ArmAccuracy
from ..measure.robustness import CORRUPTED, MeanAccuracy
from ..measure.transfer import TaskAccuracy
from . import runs, store
from .measuring import Measured
from .records import MeasurementRecord, Run
from .rows import get_row

TOP1 = "top1"
SHARES = (TOP1, "before")  # fields that are shares of a part's ``n`` test images
# rows that have no encoder
PIXELS = tuple(kind for kind, family in runs.UNTRAINED.items() if family == "pixels")
LENT = "; the encoder's share taken from the main probe"
SAME = "; chosen and reported on the same encoder"
Values = Mapping[str, tuple[float, ...]]  # of each row, one per encoder


@dataclass(frozen=True)
class Units:
    """One number per encoder.

    values: of each row, one per encoder. images: variance of the row's mean that the test images
    bring, 0 where it is not known.
    n: test images. spread: of encoders within rows. over: what intervals are over.
    """

    values: Values
    images: Mapping[str, float]
    n: int
    spread: stats.Spread
    over: str = "encoders and images"

    def estimate(self, row: str) -> stats.Estimate:
        """A row's mean over its encoders."""
        return self.contrast({row: 1.0})

    def apart(self, a: str, b: str) -> stats.Estimate:
        """Difference a − b of two rows' means, unpaired."""
        return self.contrast({a: 1.0, b: -1.0} if a != b else {a: 0.0})

    def contrast(self, weights: Mapping[str, float]) -> stats.Estimate:
        """Sum of weights × rows' means, unpaired. Raises DataError for a row not measured."""
        if missing := sorted(weights.keys() - self.values.keys()):
            there = f"not measured here, only {', '.join(self.values)}"
            raise DataError(f"{', '.join(missing)}: {there}; measure it or leave it out")
        counts = {name: len(self.values[name]) for name in weights}
        value = sum(w * float(np.mean(self.values[name])) for name, w in weights.items())
        share = sum(w * w / counts[name] for name, w in weights.items() if name not in PIXELS)
        images = sum(w * w * self.images[name] for name, w in weights.items())
        over = self.over if share else "images"
        least = min(counts.values())
        return stats.of_units(value, share, images, self.spread, least, self.n, over)


def _first(measured: Measured) -> MeasurementRecord:
    return next(iter(measured.values()))[0]


def measurement_of(measured: Measured) -> type[Measurement]:
    """What was measured."""
    return MEASUREMENTS[_first(measured).measurement]


def parts(measured: Measured) -> list[str]:
    """Names of a measurement's parts in their order (files hold them sorted by letters): numbers
    rise."""

    def place(name: str) -> tuple[int, str]:
        return (int("0" + name.split()[0]) if name[0].isdigit() else 0, name)

    return sorted(_first(measured).results, key=place)


def largest_memory(measured: Measured) -> str:
    """Name of the part that holds the largest memory."""
    return [name for name in parts(measured) if name.isdigit()][-1]


def part(measured: Measured, name: str, field: str = TOP1) -> Units:
    """A part of a measurement, a field of it for each encoder; of several draws (of a noise, of
    examples) an encoder's number is their mean.

    Raises: ParameterError for a part or a field that there is not.

    Where no row has two encoders, linear probes take their spread from the main probe, if its runs
    are committed; of others nothing is known."""
    for record in (record for records in measured.values() for record in records):
        if name not in record.results:
            known = ", ".join(record.results)
            raise ParameterError(f"{record.measurement} has no part {name!r}; parts are {known}")
    every = {row: [r.results[name] for r in records] for row, records in measured.items()}
    values = {row: tuple(_number(p, field) for p in each) for row, each in every.items()}
    main, n = _main_probe(measured), _first(measured).results[name].n

    def images(shared: float) -> dict[str, float]:
        return {row: _of_images(r, values[row], field, shared) for row, r in every.items()}

    apart = _spread(values, main.shared)
    if apart.df:
        return Units(values, images(apart.shared), n, apart)
    apart = main if measurement_of(measured).is_linear_probe else stats.Spread()
    drawn = {row: _of_draws(results[0]) for row, results in every.items()}
    share = {row: drawn[row] + of_images for row, of_images in images(apart.shared).items()}
    over = f"images{' and draws' * any(drawn.values())}{LENT * (apart.df > 0)}"
    return Units(values, share, n, apart, over)


def corrupted_apart(measured: Measured, a: str, b: str) -> stats.Estimate:
    """Difference of two rows' mean accuracies under corruptions, unpaired over classifiers; the
    images' share from how both do on each image, which are the same ones for all."""
    of = part(measured, CORRUPTED)
    each = [np.mean([_by_image(record) for record in measured[row]], 0) for row in (a, b)]
    share = float(np.var(each[0] - each[1])) / of.n
    return replace(of, images={a: share / 2, b: share / 2}).apart(a, b)


def _by_image(record: MeasurementRecord) -> np.ndarray:
    result = record.results[CORRUPTED]
    assert isinstance(result, MeanAccuracy)
    return result.each


def _number(result: Part, field: str) -> float:
    if field == TOP1 and isinstance(result, Accuracy):
        return result.of_encoder
    if not isinstance(getattr(result, field, None), int | float):
        numbers = [key for key, value in vars(result).items() if isinstance(value, int | float)]
        raise ParameterError(f"field = {field!r} of a part: must be one of {', '.join(numbers)}")
    return float(getattr(result, field))


def tasks_of(record: MeasurementRecord) -> dict[str, TaskAccuracy]:
    """Results of a transfer measurement by task."""
    results = record.results.items()
    return {name: part for name, part in results if isinstance(part, TaskAccuracy)}


def gains(measured: Measured, names: Sequence[str]) -> Units:
    """Mean gain over chance, (top-1 − chance)/(1 − chance), of some transfer tasks; the tasks are
    fixed."""
    every = {
        row: [[tasks_of(record)[name] for name in names] for record in records]
        for row, records in measured.items()
    }
    values = {
        row: tuple(float(np.mean([task.gain for task in each])) for each in encoders)
        for row, encoders in every.items()
    }
    images = {row: float(np.mean([_of_tasks(e) for e in each])) for row, each in every.items()}
    apart, n = _spread(values), sum(task.n for task in next(iter(every.values()))[0])
    return Units(values, images, n, apart, "encoders and images" if apart.df else "images")


def arms(records: Sequence[MeasurementRecord], per_class: int, tuned: bool = False) -> Units:
    """Arms of one row's encoders in place of rows: what is kept of the weights, frozen or
    fine-tuned on so many images of each class. Spread of encoders pooled over arms.

    Arms of an encoder are taken as unrelated: what they share, start and test images, can only make
    an interval too wide."""
    every: dict[str, list[ArmAccuracy]] = {}
    for record in records:
        for result in record.results.values():
            assert isinstance(result, ArmAccuracy)
            if result.per_class == per_class and bool(result.epochs) == tuned:
                every.setdefault(result.arm, []).append(result)
    values = {arm: tuple(result.top1 for result in results) for arm, results in every.items()}
    images = {arm: _of_images(results, values[arm], TOP1, 1.0) for arm, results in every.items()}
    apart = _spread(values)
    n = max((result.n for results in every.values() for result in results), default=0)
    return Units(values, images, n, apart, "encoders and images" if apart.df else "images")


def kept(arms: Units, arm: str) -> tuple[float, float, float]:
    """Share of what training gains over a random start that an arm keeps, with Fieller's 95 %
    interval; infinite where there may be no gain."""
    gain, whole = arms.apart(arm, "random"), arms.apart("trained", "random")
    return stats.ratio(gain, whole, arms.apart(arm, "trained"))


def groups(measured: Measured) -> list[str]:
    """The groups of :data:`tasks.GROUPS` of which tasks were measured."""
    there = {task.group for task in tasks_of(_first(measured)).values()}
    return [name for name in tasks.GROUPS if name in there]


def group(measured: Measured, group: str) -> Units:
    """Mean gain over chance of a group's tasks."""
    every = tasks_of(_first(measured)).items()
    return gains(measured, [name for name, task in every if task.group == group])


def best_gap(
    units: Units, candidates: Sequence[str], real: str
) -> tuple[stats.Estimate, tuple[str, ...]]:
    """A row − the best of several others: chosen by every second encoder, reported on the others,
    both ways round, averaged; and the rows chosen.

    So that what made a row the best of many does not count for it as well. The value is that of
    what is chosen, which may lie under the true best's. Candidates of one encoder are left out,
    unless none
    has two: then the choice is reported on itself, and ``over`` says so.

    A report is the mean of those of a row's encoders that had no part in its choice, of variance
    σ²/their number. The mean of both reports has a quarter of both variances and of twice their
    covariance, at most :data:`stats.CHOICE` of them: who is chosen here depends on what is reported
    there.
    """
    halved = {
        name: (units.values[name][::2], units.values[name][1::2])
        for name in candidates
        if len(units.values[name]) > 1
    }
    over = units.over if halved else units.over + SAME
    agree = stats.CHOICE if halved else 1.0
    halved = halved or {name: (units.values[name], units.values[name]) for name in candidates}
    means = {name: [float(np.mean(half)) for half in halves] for name, halves in halved.items()}

    def highest(half: int) -> str:
        return max(means, key=lambda name: means[name][half])

    first, second = highest(0), highest(1)
    best = (means[first][1] + means[second][0]) / 2
    share = (1 + agree) / 4 * (1 / len(halved[first][1]) + 1 / len(halved[second][0]))
    own = units.estimate(real)
    images = units.images[real] + (units.images[first] + units.images[second]) / 2
    encoders = min(own.runs, len(units.values[first]), len(units.values[second]))
    share += 1 / len(units.values[real])
    gap = own.mean - best
    e = stats.of_units(gap, share, images, units.spread, encoders, units.n, over)
    return e, tuple(dict.fromkeys((first, second)))


def closest(measured: Measured) -> dict[str, tuple[stats.Estimate, tuple[str, ...]]]:
    """Real images − best synthetic set (no variants) in each group of transfer tasks, with the sets
    that were chosen; empty without both."""
    rows = [get_row(name) for name in measured]
    noise = [row.name for row in rows if not row.is_variant and row.kind == "generator"]
    if "real" not in measured or not noise:
        return {}
    return {name: best_gap(group(measured, name), noise, "real") for name in groups(measured)}


def _spread(values: Values, shared: float = 1.0) -> stats.Spread:
    return stats.pooled([each for row, each in values.items() if row not in PIXELS], shared)


def _main_probe(measured: Measured) -> stats.Spread:
    """How far the main probe's accuracies of these rows' runs lie apart, each family once, by its
    degrees of freedom.

    Unknown unless the runs are committed, and their test images those of the measurement.
    """
    spreads: list[stats.Spread] = []
    if measurement_of(measured).on_main_images:
        for name, (first, *_) in measured.items():
            run = None if name in PIXELS else _first_runs(store.stamp(), first.profile).get(name)
            if run is not None and run.spec.test_images == first.spec.test_images:
                spreads.append(runs.spread(run))
    known = [spread for spread in dict.fromkeys(spreads) if spread.df > 0]
    if not known:
        return stats.Spread()
    df = [spread.df for spread in known]

    def average(values: Sequence[float]) -> float:
        return float(np.average(values, weights=df))

    variance, shared = ([s.variance for s in known], [s.shared for s in known])
    return stats.Spread(average(variance), sum(df), average(shared))


@cache
def _first_runs(stamp: store.Stamp, profile: str) -> Mapping[str, Run]:
    return {name: every.first for name, every in runs.committed(profile).items()}


def _of_images(
    results: Sequence[Part], values: Sequence[float], field: str, shared: float
) -> float:
    """Variance that the test images bring to a row's mean: the share that its encoders have in
    common."""
    if field not in SHARES:
        return 0.0
    each = [_of_image(part, x) / part.n for x, part in zip(values, results, strict=True)]
    return shared * float(np.mean(each))


def _of_image(result: Part, mean: float) -> float:
    """Variance of what single test images add to a mean: right or wrong, or a share of kinds."""
    return float(np.var(result.each)) if isinstance(result, MeanAccuracy) else mean * (1 - mean)


def _of_tasks(tasks: Sequence[TaskAccuracy]) -> float:
    """Variance that the test images of some tasks bring to their mean gain, as if all encoders of a
    row were right about the same images."""
    each = [t.top1 * (1 - t.top1) / t.n / (1 - t.chance) ** 2 for t in tasks]
    return float(sum(each) / len(tasks) ** 2)


def _of_draws(result: Part) -> float:
    """Variance of one encoder's mean over its draws, from Student's interval over these; 0 without
    draws. Several encoders' spread holds it."""
    if not isinstance(result, Accuracy) or not result.drawn:
        return 0.0
    quantile = float(distributions.t.ppf(1 - stats.LEVEL / 2, result.drawn - 1))
    return ((result.high - result.low) / 2 / quantile) ** 2
