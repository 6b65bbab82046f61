"""Typed records of made-up runs and measurements."""

import dataclasses

import numpy as np

from synthlearn.measure.base import MEASUREMENTS
from synthlearn.measure.visual_memory import Influence, WithoutClass
from synthlearn.study.records import (
    Cost,
    MeasurementRecord,
    Provenance,
    Result,
    Run,
    Spec,
    pack,
)

NOWHERE = Provenance("0" * 10, "0" * 64, "cpu", 1, "3.11", "2.6", "2026-01-01T00:00:00+00:00")


def result(right):
    """Of a probe: which test images were right."""
    right = np.asarray(right, bool)
    top1 = float(right.mean())
    return Result(top1, top1, top1, len(right), pack(right))


def run(row, seed, results, spec, profile="cpu", cost=None):
    """A run with these results, by probe, and what is said of its spec."""
    content = {"seed": seed, "row": row, **spec}
    return Run(row, profile, Spec(content), cost or Cost(1.0), NOWHERE, results)


BLANK = {float: 0.5, int: 1000, str: "natural", list[float]: [], dict[str, int]: {}}


def part(measurement, name, **given):
    """A part of a measurement; what is not given of it is blank. Draws of a noise are all alike."""
    kind = MEASUREMENTS[measurement].Result
    if measurement == "memory" and not name.isdigit():
        kind = {"influential": Influence, "without a class": WithoutClass}[name]
    blank = {f.name: BLANK[f.type] for f in dataclasses.fields(kind) if f.name != "note"}
    if "each" in blank and "top1" in given:
        blank["each"] = [given["top1"]] * 2
    return kind(**{**blank, **given})


def measured(measurement, row, seed, results, profile="cpu", test="t"):
    """A record of a further measurement with these parts by name."""
    content = {"what": measurement, "seed": seed, "row": row, "data": {"test_sha256": test}}
    return MeasurementRecord(row, profile, Spec(content), Cost(1.0), NOWHERE, results)
