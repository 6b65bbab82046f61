"""Numbers of which each trained encoder gives one: transfer, few examples, layers, fine-tuning, memories, private learning.

Encoders of one row lie further apart than test images or draws of a noise can tell, so encoders are the units. Few are measured of each row: how far
they lie apart is pooled over all rows of a measurement. Of single images the measurements keep nothing; the images' share of a difference is the sum
of both rows', as if they were right about unrelated images, which can only be too wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import stats as distributions

from ..core import stats
from ..core.errors import DataError
from ..measure import tasks
from . import inference, records
from .rows import row

SHARES = ("top1", "before")  # fields that are shares of a part's ``n`` test images
PIXELS = tuple(
    kind for kind, family in inference.UNTRAINED.items() if family == "pixels"
)  # rows that have no encoder
PROBES = (
    "layers",
    "few_shot",
)  # linear classifiers of frozen features, on the main probe's test images: one encoder's share is taken from there
ALIKE = (
    *PROBES,
    "memory",
    "private",
)  # on those images by frozen features: encoders of a row agree about images as far as they do there
LENT = "; the encoder's share taken from the main probe"
SAME = "; chosen and reported on the same encoder"
Measured = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Units:
    """One number per encoder.

    values: of each row, one per encoder. images: variance of the row's mean that the test images bring, 0 where it is not known.
    n: test images. spread: of encoders within rows. over: what intervals are over.
    """

    values: dict[str, tuple[float, ...]]
    images: dict[str, float]
    n: int
    spread: stats.Spread
    over: str = "encoders and images"

    def estimate(self, row: str) -> stats.Estimate:
        """A row's mean over its encoders."""
        return self.contrast({row: 1.0})

    def apart(self, a: str, b: str) -> stats.Estimate:
        """Difference a − b of two rows' means, unpaired."""
        return self.contrast({a: 1.0, b: -1.0})

    def contrast(self, weights: dict[str, float]) -> stats.Estimate:
        """Sum of weights × rows' means, unpaired. Raises DataError for a row that was not measured."""
        if missing := sorted(weights.keys() - self.values.keys()):
            raise DataError(
                f"{', '.join(missing)}: not measured here, only {', '.join(self.values)}; measure it or leave it out"
            )
        value = sum(w * float(np.mean(self.values[name])) for name, w in weights.items())
        share = sum(
            w * w / len(self.values[name]) for name, w in weights.items() if name not in PIXELS
        )
        images = sum(w * w * self.images[name] for name, w in weights.items())
        encoders = min(len(self.values[name]) for name in weights)
        return stats.of_units(
            value, share, images, self.spread, encoders, self.n, self.over if share else "images"
        )


def parts(measured: Measured) -> list[str]:
    """Names of a measurement's parts in their order (files hold them sorted by letters): numbers rise."""
    names = next(iter(measured.values()))[0]["results"]
    return sorted(
        names, key=lambda name: (int("0" + name.split()[0]) if name[0].isdigit() else 0, name)
    )


def whole(measured: Measured) -> str:
    """Name of the part that holds the largest memory."""
    return [name for name in parts(measured) if name.isdigit()][-1]


def part(measured: Measured, name: str, field: str = "top1") -> Units:
    """A part of a measurement, a field of it for each encoder; of several draws (of a noise, of examples) an encoder's number is their mean.

    Where no row has two encoders, linear probes take their spread from the main probe, if its runs are committed; of others nothing is known.
    """
    found = {row: [r["results"][name] for r in mine] for row, mine in measured.items()}
    values = {
        row: tuple(
            float(np.mean(p["each"] if field == "top1" and "each" in p else p[field])) for p in mine
        )
        for row, mine in found.items()
    }
    what, main = next(iter(measured.values()))[0].get("spec", {}).get("what"), _main_probe(measured)
    spread, n = _spread(values, main.shared), next(iter(found.values()))[0]["n"]
    if spread.df:
        return Units(
            values,
            {
                row: _of_images(mine, values[row], field, spread.shared)
                for row, mine in found.items()
            },
            n,
            spread,
        )
    spread = main if what in PROBES else stats.Spread()
    drawn = {row: _of_draws(mine[0]) for row, mine in found.items()}
    images = {
        row: drawn[row] + _of_images(mine, values[row], field, spread.shared)
        for row, mine in found.items()
    }
    return Units(
        values,
        images,
        n,
        spread,
        f"images{' and draws' * any(drawn.values())}{LENT * (spread.df > 0)}",
    )


def gains(measured: Measured, names: Sequence[str]) -> Units:
    """Mean gain over chance, (top-1 − chance)/(1 − chance), of some transfer tasks; the tasks are fixed."""
    found = {
        row: [[r["results"][name] for name in names] for r in mine]
        for row, mine in measured.items()
    }
    values = {
        row: tuple(float(np.mean([task["gain"] for task in each])) for each in mine)
        for row, mine in found.items()
    }
    images = {
        row: float(np.mean([_of_tasks(each) for each in mine])) for row, mine in found.items()
    }
    spread, n = _spread(values), sum(task["n"] for task in next(iter(found.values()))[0])
    return Units(values, images, n, spread, "encoders and images" if spread.df else "images")


def groups(measured: Measured) -> list[str]:
    """The groups of :data:`tasks.GROUPS` of which tasks were measured."""
    there = {p["group"] for p in next(iter(measured.values()))[0]["results"].values()}
    return [name for name in tasks.GROUPS if name in there]


def group(measured: Measured, group: str) -> Units:
    """Mean gain over chance of a group's tasks."""
    return gains(
        measured,
        [
            task
            for task, p in next(iter(measured.values()))[0]["results"].items()
            if p["group"] == group
        ],
    )


def best_gap(
    units: Units, candidates: Sequence[str], real: str
) -> tuple[stats.Estimate, tuple[str, ...]]:
    """A row − the best of several others: chosen by every second encoder, reported on the others, both ways round, averaged; and the rows chosen.

    So that what made a row the best of many does not count for it as well. The value is that of what is chosen, which may lie under the true best's.
    Candidates of one encoder are left out, unless none has two: then the choice is reported on itself, and ``over`` says so.

    A report is the mean of those of a row's encoders that had no part in its choice, of variance σ²/their number. The mean of both reports has a
    quarter of both variances and of twice their covariance, at most :data:`stats.CHOICE` of them: who is chosen here depends on what is reported there.
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

    chosen = highest(0), highest(1)
    best = (means[chosen[0]][1] + means[chosen[1]][0]) / 2
    share = (1 + agree) / 4 * (1 / len(halved[chosen[0]][1]) + 1 / len(halved[chosen[1]][0]))
    mine = units.estimate(real)
    images = units.images[real] + (units.images[chosen[0]] + units.images[chosen[1]]) / 2
    encoders = min(mine.runs, *(len(units.values[name]) for name in chosen))
    gap = stats.of_units(
        mine.mean - best,
        share + 1 / len(units.values[real]),
        images,
        units.spread,
        encoders,
        units.n,
        over,
    )
    return gap, tuple(dict.fromkeys(chosen))


def closest(measured: Measured) -> dict[str, tuple[stats.Estimate, tuple[str, ...]]]:
    """Real images − best synthetic set (no variants) in each group of transfer tasks, with the sets that were chosen; empty without both."""
    noise = [name for name in measured if "." not in name and row(name).kind == "generator"]
    return (
        {name: best_gap(group(measured, name), noise, "real") for name in groups(measured)}
        if "real" in measured and noise
        else {}
    )


def _spread(values: dict[str, tuple[float, ...]], shared: float = 1.0) -> stats.Spread:
    return stats.pooled([mine for name, mine in values.items() if name not in PIXELS], shared)


def _main_probe(measured: Measured) -> stats.Spread:
    """How far the main probe's accuracies of these rows' runs lie apart, each family once, by its degrees of freedom.

    Unknown unless the runs are committed, and their test images those of the measurement."""
    stamp, found = records.stamp(), []
    for name, (first, *_) in measured.items():
        spec = first.get("spec", {})
        if name not in PIXELS and spec.get("what") in ALIKE:
            images, spread = _main_spread(stamp, first["profile"], name)
            found += [spread] * (images == spec["data"]["test_sha256"] and spread.df > 0)
    known = list(dict.fromkeys(found))
    if not known:
        return stats.Spread()
    df = [spread.df for spread in known]
    return stats.Spread(
        float(np.average([s.variance for s in known], weights=df)),
        sum(df),
        float(np.average([s.shared for s in known], weights=df)),
    )


@cache
def _main_spread(stamp: object, profile: str, name: str) -> tuple[str, stats.Spread]:
    """Test images of a row's committed runs, and how far the main probe's accuracies of such runs lie apart; unknown without any."""
    first = _first_runs(stamp, profile).get(name)
    return (
        (first["spec"]["data"]["test_sha256"], inference.spread(first))
        if first
        else ("", stats.Spread())
    )


@cache
def _first_runs(stamp: object, profile: str) -> dict[str, dict[str, Any]]:
    return {name: runs[0] for name, runs in inference.committed(profile).items()}


def _of_images(
    mine: Sequence[dict[str, Any]], values: Sequence[float], field: str, shared: float
) -> float:
    """Variance that the test images bring to a row's mean: the share that its encoders have in common."""
    return (
        shared * float(np.mean([x * (1 - x) / p["n"] for x, p in zip(values, mine, strict=True)]))
        if field in SHARES
        else 0.0
    )


def _of_tasks(found: Sequence[dict[str, Any]]) -> float:
    """Variance that the test images of some tasks bring to their mean gain, as if all encoders of a row were right about the same images."""
    return float(
        sum(p["top1"] * (1 - p["top1"]) / p["n"] / (1 - p["chance"]) ** 2 for p in found)
        / len(found) ** 2
    )


def _of_draws(part: dict[str, Any]) -> float:
    """Variance of one encoder's mean over its draws, from Student's interval over these; 0 without draws. Several encoders' spread holds it."""
    draws = part.get("draws") or len(part.get("each", ()))
    return (
        (
            (part["high"] - part["low"])
            / 2
            / float(distributions.t.ppf(1 - stats.LEVEL / 2, draws - 1))
        )
        ** 2
        if draws
        else 0.0
    )
