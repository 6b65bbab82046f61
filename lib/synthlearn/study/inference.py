"""What committed runs say of their rows: estimates and differences, with the spread of runs pooled over each family of methods."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ..core import stats
from ..core.errors import DataError
from . import records

PRIMARY = "fc6_linear"
MAIN = "main"  # measurement: each record's own, see :func:`metric`
# Each method says its own in Method.family. Rows whose runs lie equally far apart: alignment and uniformity on any pictures; two views as each other's only positive; several positives; classes.
FAMILIES = {
    "align_uniform": "alignment and uniformity",
    "simclr": "two views",
    "moco": "two views",
    "supcon": "several positives",
    "stablerep": "several positives",
    "stablerep_plus": "several positives",
    "clip": "several positives",
    "supervised": "cross-entropy",
}
APART = {
    "noise-white": "white noise"
}  # generators whose runs lie further apart than others' of their method: Bartlett's p is 0.05 with it, 0.3 without
UNTRAINED = {"random": "untrained encoders", "raw_pixels": "pixels", "mean_colours": "pixels"}
Runs = Sequence[dict[str, Any]]


def metric(record: dict[str, Any]) -> dict[str, Any]:
    """The record's main measurement: fc6 of the small encoder, pooled features of others, the features themselves for baselines without one."""
    results = record["results"]
    return results.get(PRIMARY) or results.get("pooled_linear") or results["linear"]


def measured(record: dict[str, Any], name: str = MAIN) -> dict[str, Any]:
    """A measurement of a record by name."""
    return metric(record) if name == MAIN else record["results"][name]


def family(record: dict[str, Any]) -> str:
    """The family whose runs lie as far apart as this one's; a method that is in none is one of its own."""
    spec = record["spec"]
    if "method" not in spec:
        return UNTRAINED[spec["kind"]]
    return APART.get(spec.get("source", {}).get("generator", "")) or FAMILIES.get(
        spec["method"]["name"], spec["method"]["name"]
    )


def outcomes(found: Runs, name: str = MAIN) -> np.ndarray:
    """Which test images were right by a measurement: bool (runs, images). Raises DataError when the records' test sets differ."""
    sets = {r["spec"]["data"]["test_sha256"] for r in found}
    if len(sets) != 1:
        raise DataError(
            f"records of {found[0]['row']}: their test sets differ, they cannot be averaged; run the row again"
        )
    return np.stack(
        [records.unpack(m["correct"], m["n"]) for m in (measured(r, name) for r in found)]
    )


def committed(profile: str) -> dict[str, list[dict[str, Any]]]:
    """All committed runs of a profile by row: its records, then their twins, which are further runs of the same rows on another kind of device."""
    table: dict[str, list[dict[str, Any]]] = {}
    for r in [*records.read_all(profile), *(twin for _, twin in records.twins(profile))]:
        table.setdefault(r["row"], []).append(r)
    return table


def spread(record: dict[str, Any], name: str = MAIN) -> stats.Spread:
    """How far runs of this record's row lie apart, from all committed runs of its profile and family on its test images; unknown where no row has two."""
    return _spreads(records.stamp(record["profile"]), record["profile"], name).get(
        _alike(record), stats.Spread()
    )


def _alike(record: dict[str, Any]) -> tuple[str, str]:
    return family(record), record["spec"]["data"]["test_sha256"]


@cache
def _spreads(stamp: object, profile: str, name: str) -> dict[tuple[str, str], stats.Spread]:
    rows: dict[tuple[str, str], list[list[float]]] = {}
    agreements: dict[tuple[str, str], list[float]] = {}
    for every in committed(profile).values():
        runs = [r for r in every if name == MAIN or name in r["results"]]
        if not runs:
            continue
        which = _alike(runs[0])
        rows.setdefault(which, []).append([measured(r, name)["top1"] for r in runs])
        if len(runs) > 1:
            right = outcomes(runs, name)
            if varied := float(right.var(1).mean()):  # 0: all right or all wrong
                agreements.setdefault(which, []).append(stats.common(right) / varied)
    return {
        which: stats.pooled(values, float(np.mean(agreements.get(which, [1.0]))))
        for which, values in rows.items()
    }


def estimate(found: Runs, name: str = MAIN) -> stats.Estimate:
    """Mean top-1 of one row over its runs; by the main measurement or another by name."""
    return stats.mean(outcomes(found, name), spread(found[0], name))


def difference(a: Runs, b: Runs, name: str = MAIN) -> stats.Estimate:
    """Difference a − b of two rows' top-1, unpaired over runs, image by image over the same test images.

    Raises: DataError when the rows were measured on different images.
    """
    if a[0]["spec"]["data"]["test_sha256"] != b[0]["spec"]["data"]["test_sha256"]:
        raise DataError(
            f"{a[0]['row']} and {b[0]['row']} were measured on different test images and cannot be compared; run one of them again"
        )
    return stats.difference(
        outcomes(a, name), outcomes(b, name), spread(a[0], name), spread(b[0], name)
    )


def part(weight: float, found: Runs, name: str = MAIN, chosen: bool = False) -> stats.Part:
    """A row's runs as one part of a contrast; ``chosen``: one of the halves of :func:`best`, whose errors go together by :data:`stats.CHOICE`."""
    own = spread(found[0], name)
    if chosen:
        own = replace(own, variance=own.variance * (1 + stats.CHOICE))
    return weight, outcomes(found, name), own


def best(rows: Mapping[str, Runs]) -> tuple[list[tuple[float, Runs]], tuple[str, ...]]:
    """The best of many rows, chosen on every second run and taken on the others, both ways round: the parts, with weights of one half, and their rows.

    So that what made a row's runs the best of many does not count for it as well; luck with the test images, which both halves share, still does.
    A row of one run cannot be judged so and is left out.
    """
    halves = [
        {name: found[start::2] for name, found in rows.items() if len(found) > 1}
        for start in (0, 1)
    ]
    top1 = [
        {name: float(np.mean([metric(r)["top1"] for r in runs])) for name, runs in half.items()}
        for half in halves
    ]
    chosen = tuple(max(sorted(each), key=each.__getitem__) for each in top1)
    return [(0.5, halves[1][chosen[0]]), (0.5, halves[0][chosen[1]])], tuple(dict.fromkeys(chosen))


def share(many: Mapping[str, Runs], floor: Runs, ceiling: Runs) -> tuple[float, float, float]:
    """How far the best of many rows (see :func:`best`) goes from one row to another, as a share, with Fieller's 95 % interval over runs and images."""
    halves, _ = best(many)
    top, low, high = (
        [part(w, runs, chosen=True) for w, runs in halves],
        part(-1.0, floor),
        part(1.0, ceiling),
    )
    gone, way = stats.contrast([*top, low]), stats.contrast([high, low])
    left = stats.contrast([*top, (-1.0, *high[1:])])
    return stats.ratio(gone, way, left)
