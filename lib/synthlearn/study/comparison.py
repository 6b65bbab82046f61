"""How a record is compared with what the code at hand gives: what is asked, whether it holds, and
what many comparisons say together.

On a machine with the record's fingerprint every bit must be equal. Elsewhere the last bits differ,
and training magnifies that within a few steps until two runs of one seed lie as far apart as those
of two. So there a start is asked for its first point up to rounding, and a whole run for what two
runs of a row differ by, as far as the committed ones tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import binom

from ..core import stats
from .records import SourceSpec

# Top-1 where nothing is trained. Pixels, mean colours and the random encoder were right on equally
# many images on AMD and on Intel; the slack is for a probe that chooses another L2.
UNTRAINED = 5e-3
# How far rounding moves a loss: about twice the most that was seen. Seen were 46 runs of the cpu
# profile made on a processor and again on a GPU; starts of seven, made on AMD or Intel, on another
# Intel and with fewer instructions (AVX2 for AVX-512); eight of the smoke profile with fewer, and
# with weights changed by 1e-7. In the cpu profile (two steps a point) loss moved by 1.1e-3 at step
# 2, between processors 2.6e-4; 1.6e-2 at step 4; 2.9e-2 at step 6; 0.2 later, as means of 20 steps.
# Two seeds differ by 0.05 at the first point: after it only a training that breaks would show.
FIRST, FIRST_STEPS = 2e-3, 2  # of the first point, where it is a mean of so few steps
LATER = ((4, 3e-2), (6, 1e-1), (math.inf, 0.4))  # up to a step
ROUGH = 0.05  # of a number of which nothing is known
FAILURE = 0.01  # how often false alarms alone may make many comparisons fail


@dataclass(frozen=True)
class Comparison:
    """One comparison with a record.

    agrees; asked: for what, in words; numbers: those compared.
    strict: chance has no part in it: it must agree, and then confirms the record for the code at
    hand.
    p: how often two runs of the row lie so far apart, where that is known. Without either it
    decides nothing."""

    agrees: bool
    asked: str
    numbers: str
    strict: bool = False
    p: float | None = None

    @property
    def word(self) -> str:
        """The answer."""
        if self.agrees:
            return "agrees"
        return "DIFFERS" if self.strict or self.p is not None else "unclear"


def to_the_bit(again: Mapping[str, Any], recorded: Mapping[str, Any]) -> Comparison:
    """On the record's kind of machine: everything must be equal."""
    same = again == recorded
    numbers = f"{again}" if same else f"{again} for {recorded}"
    return Comparison(same, "to the bit", numbers, strict=True)


def untrained(again: Mapping[str, float], recorded: Mapping[str, float]) -> Comparison:
    """Elsewhere, top-1 by probe where nothing is trained: nothing magnifies rounding."""
    halves = dict.fromkeys(again, UNTRAINED)
    return _within(halves, again, recorded, "up to rounding, for nothing is trained", strict=True)


def follows(source: SourceSpec) -> bool:
    """Whether a source gives the same images everywhere up to rounding: not where they come of an
    encoder or of a model trained here."""
    trained = source.text2image == "learned" or source.encoder
    return not trained and all(map(follows, source.parts))


def start(
    again: Sequence[float], recorded: Sequence[float], steps: Sequence[int], source: SourceSpec
) -> Comparison:
    """Elsewhere, the first points of a loss curve; ``steps``: the last step of each, ``source``:
    what the images come from, as recorded.
    """
    bounds = [next(bound for last, bound in LATER if step <= last) for step in steps]
    if sharp := follows(source) and steps[0] <= FIRST_STEPS:
        bounds[0] = FIRST
    points = list(zip(again, recorded, bounds, strict=True))
    grown = ", ".join(f"± {bound:g}" for bound in bounds[sharp:])
    asked = f"no more than rounding grows to ({grown})"
    if sharp:
        asked = f"first point of the loss up to rounding (± {FIRST:g}), then {asked}"
    else:
        asked = f"{asked}: that is too much to decide anything"
    agrees = all(abs(a - b) <= bound for a, b, bound in points)
    numbers = ", ".join(f"{a:.6f} for {b:.6f}" for a, b, _ in points)
    return Comparison(agrees, asked, numbers, strict=sharp)


def runs(
    again: Mapping[str, float],
    recorded: Mapping[str, float],
    spreads: Mapping[str, stats.Spread],
    what: str = "runs",
) -> Comparison:
    """Elsewhere, what was measured, by name: each number within what two ``what`` of a row differ
    by, all of them in 95 % of cases (Bonferroni). ``spreads``: of runs, by name."""
    if not all(spreads[name].df for name in again):
        halves = {name: ROUGH * abs(number) for name, number in recorded.items()}
        unknown = f"how far {what} of a row lie apart is not known, so this decides nothing"
        return _within(halves, again, recorded, f"within {100 * ROUGH:g} %: {unknown}")
    level = stats.LEVEL / len(again)
    halves = {name: stats.runs_apart(spreads[name], level) for name in again}
    apart = [(again[name] - recorded[name], spreads[name]) for name in again]
    p = min(stats.of_units(number, 2.0, 0.0, spread, 1, 0).p for number, spread in apart)
    asked = f"within what two {what} of a row differ by"
    return _within(halves, again, recorded, asked, p=min(1.0, len(again) * p))


def _within(
    halves: Mapping[str, float],
    again: Mapping[str, float],
    recorded: Mapping[str, float],
    asked: str,
    strict: bool = False,
    p: float | None = None,
) -> Comparison:
    agrees = all(abs(again[name] - recorded[name]) <= halves[name] for name in again)
    words = [f"{k} {again[k]:g} for {recorded[k]:g} (± {halves[k]:.2g})" for k in again]
    return Comparison(agrees, asked, ", ".join(words), strict, p)


def failed(comparisons: Sequence[Comparison]) -> bool:
    """Whether a strict comparison failed, or more of the others, or one by more, than chance
    explains in 99 of 100 cases each.
    """
    p = [c.p for c in comparisons if c.p is not None]
    strict = any(c.strict and not c.agrees for c in comparisons)
    return strict or (bool(p) and min(_tail(p), len(p) * min(p)) < FAILURE)


def _tail(p: Sequence[float]) -> float:
    """How often as many as fail here, or more, fail by chance. Measurements of one encoder are
    taken as independent, which they are not quite.
    """
    return float(binom.sf(sum(each <= stats.LEVEL for each in p) - 1, len(p), stats.LEVEL))


def summary(comparisons: Sequence[Comparison]) -> str:
    """What all comparisons say together: how many agree, how many false alarms are to be expected,
    what is confirmed.
    """
    if not comparisons:
        return "Nothing to compare: none of these has a record."
    n, agree = len(comparisons), sum(c.agrees for c in comparisons)
    lines = [f"{n} comparison{'s' * (n > 1)}: {agree} agree, {n - agree} do not."]
    if strict := [c.agrees for c in comparisons if c.strict]:
        lines.append(
            f"To the bit or up to rounding: {sum(strict)} of {len(strict)} agree. "
            "No false alarm is to be expected. What agrees is confirmed."
        )
    if p := [c.p for c in comparisons if c.p is not None]:
        lines.append(
            f"Within what two runs of a row differ by: {sum(each > stats.LEVEL for each in p)} of "
            f"{len(p)} agree; {stats.LEVEL * len(p):.2g} or fewer false alarms are to be expected "
            f"({100 * stats.LEVEL:g} %), and as many as here or more in {100 * _tail(p):.2g} % "
            "of cases.\n"
            "Agreement there means that it may be a run of the same row; it confirms no record."
        )
    if rest := n - len(strict) - len(p):
        unknown = "Too little is known of how far such values lie apart"
        lines.append(f"{unknown}: {rest}, which decide nothing.")
    more = "FAILED: more differs" if failed(comparisons) else "No more differs"
    return "\n".join([*lines, f"{more} than rounding and chance explain."])
