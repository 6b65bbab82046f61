"""Rules over further measurements."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core import stats
from ...measure.long_tail import BALANCED, REPEATED, VARIED
from .. import units
from ..measuring import Measured
from ..records import MeasurementRecord
from ..sets import two_sides
from .base import (
    NO_RECORD,
    Evidence,
    Known,
    Rule,
    missing,
    of_units,
    points,
    property_words,
    rule,
    title,
    titles,
)

AGREEMENT = "agreement with the caption's class"
OWN_EYE = "properties"
# measurements of sets of images, and in whose features
EYES = {OWN_EYE: "our encoder of real images", "neutral": "an ImageNet classifier"}


@rule("correlate")
@dataclass(frozen=True)
class Correlate(Rule):
    """Over the sets, accuracy goes up with a property among sets that are equal in another,
    ``held`` (Spearman's partial correlation). ``eye``: the measurement whose features see them.
    """

    property: str
    held: str
    sets: tuple[str, ...]
    eye: str = OWN_EYE

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the correlation."""
        order = sorted(self.sets)
        words = f"{property_words(self.property)}, {property_words(self.held)} held fixed"
        words += _seen_by(self.eye)
        if why := _lacks(known, self.eye, order):
            return missing(words, order, why=why)
        accuracy, x, held = _over_sets(known, self.eye, order, (self.property, self.held))
        rho, z = stats.partial(x, accuracy, held)
        interval = f"[{np.tanh(z.low):+z.2f}, {np.tanh(z.high):+z.2f}]"
        text = f"{words}: ρ = {rho:+z.2f} {interval} over {len(order)} sets"
        return [Evidence(text, z.above(0), z.below(0), tuple(order))]


@rule("outweighs")
@dataclass(frozen=True)
class Outweighs(Rule):
    """Over the sets, accuracy goes with a property among sets that are equally near to real images,
    by Fréchet distance, more than with nearness among sets that are equal in the property.

    Difference of two partial correlations of ranks, over draws of the sets. ``eye``: the
    measurement whose features see them."""

    property: str
    sets: tuple[str, ...]
    eye: str = OWN_EYE

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the difference."""
        order = sorted(self.sets)
        words = f"{property_words(self.property)} against nearness{_seen_by(self.eye)}"
        if why := _lacks(known, self.eye, order):
            return missing(words, order, why=why)
        measured = _over_sets(known, self.eye, order, (self.property, "frechet"))
        by_property, by_nearness = two_sides(*measured)
        apart = by_property - by_nearness
        text = f"{words}: ρ = {by_property} and {by_nearness}, apart {apart}"
        text += f", over {len(order)} sets"
        return [Evidence(text, apart.above, apart.below, tuple(order))]


def _lacks(known: Known, eye: str, order: Sequence[str]) -> str:
    return NO_RECORD if not known.runs.keys() >= set(order) else known.lacks(eye, order)


def _seen_by(eye: str) -> str:
    return f", seen by {EYES[eye]}" if eye != OWN_EYE else ""


def _over_sets(
    known: Known, eye: str, order: Sequence[str], which: Sequence[str]
) -> list[np.ndarray]:
    """Accuracies of sets, and their values of some properties in an eye: (n,) each."""
    records = known.of(eye)
    accuracy = np.array([known.runs[name].accuracy().mean for name in order])
    values = [np.array([records[n][0].results[key].number for n in order]) for key in which]
    return [accuracy, *values]


@rule("closest_group")
@dataclass(frozen=True)
class ClosestGroup(Rule):
    """The gap between real images and the best synthetic set is smaller in one group of transfer
    tasks than in each other.

    An encoder's deviations in two groups may go against each other (they do: −0.5 between natural
    and structured tasks), so errors are added."""

    group: str

    def evidence(self, known: Known) -> list[Evidence]:
        """Of each other group's gap against this one's."""
        gaps = units.closest(known.of("transfer"))
        if self.group not in gaps or len(gaps) < 2:
            return missing("gaps by group of tasks")
        near, chosen = gaps[self.group]
        evidence = []
        for other, (far, theirs) in gaps.items():
            if other == self.group:
                continue
            apart = stats.Estimate(
                far.mean - near.mean,
                far.error + near.error,
                min(far.df, near.df),
                near.runs,
                near.n,
                near.over,
                far.fixed + near.fixed,
            )
            gap = f"gap on {other} tasks (real images − {titles(theirs)})"
            less = f"gap on {self.group} ones (real images − {titles(chosen)})"
            text = f"{gap} − {less}, gain over chance"
            evidence.append(of_units(text, apart, ("real", *chosen, *theirs)))
        return evidence


@rule("memory")
@dataclass(frozen=True)
class Memory(Rule):
    """A memory of all images, seen by an encoder of noise, goes at least a share ``least`` of the
    way from an untrained encoder's to that of real images.
    """

    noise: str
    floor: str
    ceiling: str
    least: float

    def evidence(self, known: Known) -> list[Evidence]:
        """That there is a way, and that it goes far."""
        measured = known.of("memory")
        floor, noise, ceiling = names = (self.floor, self.noise, self.ceiling)
        if not {*names} <= measured.keys():
            return missing("neighbours in a memory", (noise, floor, ceiling))
        top1 = units.part(measured, units.largest_memory(measured))
        e = top1.contrast({noise: 1.0, floor: self.least - 1.0, ceiling: -self.least})
        each = ", ".join(f"{title(name)} {100 * top1.estimate(name).mean:.1f}" for name in names)
        text = f"{each} %; beyond {100 * self.least:.0f} % of the way, in points"
        apart = top1.apart(ceiling, floor)
        way = of_units(f"{title(ceiling)} − {title(floor)}", apart, (floor, ceiling), control=True)
        return [way, of_units(text, e, (noise, floor, ceiling))]


@rule("private")
@dataclass(frozen=True)
class Private(Rule):
    """Private classifiers on one row's features beat those on another's, at every ε."""

    noise: str
    floor: str

    def evidence(self, known: Known) -> list[Evidence]:
        """Of each ε."""
        measured, rows = known.of("private"), (self.noise, self.floor)
        if not {*rows} <= measured.keys():
            return missing("private classifiers", rows)
        words = f"{title(self.noise)} − {title(self.floor)}"
        return [
            of_units(f"{words} at ε = {e}", units.part(measured, e).apart(*rows), rows)
            for e in sorted(measured[self.noise][0].results, key=float)
        ]


@rule("long_tail")
@dataclass(frozen=True)
class LongTail(Rule):
    """A way to fill up rare classes gains on the tail over each way that reuses the images at hand,
    and costs the head at most a point more than as many balanced real images would.

    Paired over seeds, which draw the rare classes; spread pooled over all ways.
    """

    row: str
    arm: str

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the tail against each rival, and of the head."""
        records, rows = known.of("long_tail").get(self.row, ()), (self.row,)
        rivals = (REPEATED, VARIED)
        if len(records) < 2 or not {self.arm, BALANCED, *rivals} <= records[0].results.keys():
            return missing("rare classes", rows)
        tail = [
            of_units(f"tail, {self.arm} − {name}", _block(records, "tail", self.arm, name), rows)
            for name in rivals
        ]
        head = _block(records, "head", self.arm, BALANCED)
        text = f"head, {self.arm} − balanced real images"
        return [*tail, of_units(text, head, rows, -stats.MARGIN)]


def _block(records: Sequence[MeasurementRecord], part: str, a: str, b: str) -> stats.Estimate:
    """Accuracy on a part of the classes, way a − way b, paired over seeds."""
    names = list(records[0].results)
    values = [[getattr(r.results[name], part) for r in records] for name in names]
    return stats.blocks(np.array(values), names.index(a), names.index(b))


@rule("along_guidance")
@dataclass(frozen=True)
class AlongGuidance(Rule):
    """Samples keep to their captions more and vary less with every step of guidance: agreement
    rises by more than chance, variety falls, by however little (its error is not recorded).
    """

    rows: tuple[str, ...]

    def evidence(self, known: Known) -> list[Evidence]:
        """Of each step."""
        if why := known.lacks("guidance", self.rows):
            return missing("agreement along guidance", self.rows, why=why)
        measured = known.of("guidance")
        steps = []
        for a, b in itertools.pairwise(self.rows):
            e = _agreement_gain(measured, a, b)
            before, after = (measured[name][0].results["variety"].number for name in (a, b))
            gain = f"{AGREEMENT}, {title(b)} − {title(a)}: {points(e)}"
            text = f"{gain}; variety within a caption {before:.2f} → {after:.2f}"
            pro = e.above(0) if after < before else 1.0
            steps.append(Evidence(text, pro, e.below(0), (a, b), runs=1))
        return steps


@rule("guidance_holds")
@dataclass(frozen=True)
class GuidanceHolds(Rule):
    """A control: from no guidance to a little, samples keep to their captions more; else guidance
    breaks this model and nothing is learned of it."""

    rows: tuple[str, ...]

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the first step."""
        if why := known.lacks("guidance", self.rows):
            return missing("agreement at little guidance", self.rows, control=True, why=why)
        measured = known.of("guidance")
        a, b = self.rows
        e = _agreement_gain(measured, a, b)
        text = f"{AGREEMENT}, {title(b)} − {title(a)}: {points(e)}"
        whole = Evidence(text, e.above(0), e.below(0), self.rows, runs=1)
        return [replace(whole, control=True)]


def _agreement_gain(measured: Measured, a: str, b: str) -> stats.Estimate:
    """Agreement of samples with their captions, b − a, over samples; other samples of each."""
    first, second = (measured[name][0].results["agreement"] for name in (a, b))
    variance = sum(part.number * (1 - part.number) / part.n for part in (first, second))
    gain = second.number - first.number
    return stats.Estimate(gain, float(np.sqrt(variance)), float("inf"), 1, first.n, "samples")
