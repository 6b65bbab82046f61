"""Rules over runs."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats as distributions

from ...core import stats
from ..records import MAIN, Run
from ..runs import best, spread
from .base import (
    NO_RECORD,
    Evidence,
    Known,
    Rule,
    missing,
    of_contrast,
    property_words,
    rule,
    title,
    titles,
)

DRAWS = 20_000  # of parametric simulations
FOUND = 1.0  # seconds in which images are found, not made
PROBES = {MAIN: "", "fc6_linear_bn": "batch norm re-estimated"}
CHOSEN = "(chosen on one half of the runs, taken on the other)"
Grid = tuple[tuple[float, str], ...]  # places along a scale, and the row at each


@rule("compare")
@dataclass(frozen=True)
class Compare(Rule):
    """ "a > b": row a teaches more than row b; "a >= b": at least as much, up to
    :data:`stats.MARGIN`; each ``under`` every named probe."""

    pairs: tuple[str, ...]
    under: tuple[str, ...] = (MAIN,)
    control: bool = False

    def evidence(self, known: Known) -> list[Evidence]:
        """Of each pair under each probe."""
        each = itertools.product(self.pairs, self.under)
        return [one for pair, probe in each for one in self._of(known, pair, probe)]

    def _of(self, known: Known, pair: str, probe: str) -> list[Evidence]:
        sign = ">=" if ">=" in pair else ">"
        a, b = (side.strip() for side in pair.split(sign))
        words = f"{title(a)} − {title(b)}" + f", {PROBES[probe]}" * (probe != MAIN)
        if not all(name in known.runs and known.runs[name].has(probe) for name in (a, b)):
            return missing(words, (a, b), self.control)
        bound = -stats.MARGIN if sign == ">=" else 0.0
        parts = [(1.0, known.runs[a]), (-1.0, known.runs[b])]
        return [of_contrast(words, parts, (a, b), probe, bound, control=self.control)]


@rule("share")
@dataclass(frozen=True)
class Share(Rule):
    """The best of many rows goes at most a share ``most`` of the way from the row ``floor`` to the
    row ``ceiling``.
    """

    floor: str
    ceiling: str
    best_of: tuple[str, ...]
    most: float

    def evidence(self, known: Known) -> list[Evidence]:
        """That there is a way, and what is left of it."""
        ends = (self.floor, self.ceiling)
        if not {*ends, *self.best_of} <= known.runs.keys():
            return missing("share of the way", ends)
        many = {name: known.runs[name] for name in self.best_of}
        if not any(len(runs) > 1 for runs in many.values()):
            return missing("share of the way, two runs", ends)
        floor, ceiling = (known.runs[name] for name in ends)
        words = f"{title(self.ceiling)} − {title(self.floor)}"
        way = of_contrast(words, [(1.0, ceiling), (-1.0, floor)], ends, control=True)
        halves, chosen = best(many)
        low, high = floor.accuracy().mean, ceiling.accuracy().mean
        top = sum(w * runs.accuracy().mean for w, runs in halves)
        went = "a way that is none"
        if high > low:
            went = f"{100 * (top - low) / (high - low):.0f} % of the way"
        gone = f"{titles(chosen)} {CHOSEN} goes {went}"
        left = f"{gone}; what it leaves beyond {100 * (1 - self.most):.0f} %, in points"
        parts = [(self.most, ceiling), (1 - self.most, floor)]
        taken = [(-w, runs) for w, runs in halves]
        return [way, of_contrast(left, parts, (*ends, *chosen), halves=taken)]


@rule("nearest")
@dataclass(frozen=True)
class Nearest(Rule):
    """The best of many rows is not the one that is nearest to real images by a property: it teaches
    more than that one."""

    by: str
    best_of: tuple[str, ...]

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the best of the others against the nearest."""
        nearest = f"nearest by {property_words(self.by)}"
        why = known.lacks("properties", self.best_of)
        if why or not set(self.best_of) <= known.runs.keys():
            return missing(f"the set {nearest}", why=why or NO_RECORD)
        measured = known.of("properties")
        values = {name: measured[name][0].results[self.by].number for name in self.best_of}
        near = min(sorted(values), key=values.__getitem__)
        others = {name: known.runs[name] for name in self.best_of if name != near}
        if not any(len(runs) > 1 for runs in others.values()):
            return missing(f"the set {nearest}")
        halves, chosen = best(others)
        text = f"best of the others, {titles(chosen)} {CHOSEN} − {title(near)}, {nearest}"
        parts = [(-1.0, known.runs[near])]
        return [of_contrast(text, parts, (near, *chosen), halves=halves)]


@rule("trend")
@dataclass(frozen=True)
class Trend(Rule):
    """Accuracy rises with the logarithm of a number: the slope over rows (number, row), in points
    per tenfold, is positive.
    """

    rows: Grid

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the slope."""
        names = [name for _, name in self.rows]
        if not all(name in known.runs for name in names):
            return missing("slope", names)
        x = np.log10([number for number, _ in self.rows])
        w = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        parts = [(float(k), known.runs[name]) for k, name in zip(w, names, strict=True)]
        return [of_contrast("slope per tenfold", parts, names)]


@rule("range")
@dataclass(frozen=True)
class Range(Rule):
    """Rows differ: F test of equal accuracies with the pooled spread of runs; against it: all pairs
    lie within :data:`stats.MARGIN`."""

    rows: tuple[str, ...]

    def evidence(self, known: Known) -> list[Evidence]:
        """Of all rows together."""
        if not all(name in known.runs for name in self.rows):
            return missing("range of accuracy", self.rows)
        every = [known.runs[name] for name in self.rows]
        apart, n = spread(every[0].first), np.array([len(runs) for runs in every])
        means = np.array([runs.accuracy().mean for runs in every])
        values = ", ".join(f"{100 * m:.1f}" for m in means)
        text = f"accuracy over {len(every)} rows: {values}"
        if not apart.df:
            return missing(text, self.rows)
        pairs = list(itertools.combinations([runs.part(1.0) for runs in every], 2))
        opposed = [[a, (-1.0, *b[1:])] for a, b in pairs]
        # of one row: what they have in common moves all alike
        images = float(np.mean([stats.images_share(pair) for pair in opposed])) / 2
        freedom = len(every) - 1
        between = float((n * (means - np.average(means, weights=n)) ** 2).sum()) / freedom
        ratio = between / (apart.variance + n.mean() * images)
        pro = float(distributions.f.sf(ratio, freedom, apart.df))
        each = [stats.contrast(pair) for pair in opposed]
        con = max(max(e.above(-stats.MARGIN), e.below(stats.MARGIN)) for e in each)
        return [Evidence(text, pro, con, tuple(self.rows), runs=int(n.min()))]


@rule("best_along")
@dataclass(frozen=True)
class BestAlong(Rule):
    """The best row along the grid ``lower`` lies before the best along ``upper``, or the place of
    the ``least`` value of a property of images does.

    Of two grids, draws of the rows' accuracies from their errors say how often the order holds. Of
    one and a place in it, a row beyond the place has to beat each row up to it: draws of rows that
    are all equal would lie beyond a place at the grid's end far too often.
    """

    upper: Grid
    lower: Grid = ()
    least: str = ""

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the order of the two places."""
        names = [name for _, name in (*self.lower, *self.upper)]
        if not all(name in known.runs for name in names):
            return missing("places along the grid", names)
        if not all(spread(known.runs[name].first).df for name in names):
            return missing("places along the grid, two runs of a row", names)
        runs = min(len(known.runs[name]) for name in names)
        rng = np.random.default_rng(0)
        upper = _places(known, self.upper, rng)
        if self.lower:
            lower = _places(known, self.lower, rng)
            words = "the first method's best place lies below the second's"
            pro, con = (
                min(1.0, 2 * float((1 + against.sum()) / (DRAWS + 1)))
                for against in (lower >= upper, lower <= upper)
            )
            text = f"{words}: in {100 * float((lower < upper).mean()):.0f} % of draws"
            return [Evidence(text, pro, con, tuple(names), runs=runs)]
        words = f"{property_words(self.least)} along the grid"
        if why := known.lacks("guidance", names):
            return missing(words, names, why=why)
        values = known.of("guidance")
        place, _ = min(self.upper, key=lambda at: values[at[1]][0].results[self.least].number)
        sides = {
            sign: (
                [n for at, n in self.upper if sign * (at - place) > 0],
                [n for at, n in self.upper if sign * (at - place) <= 0],
            )
            for sign in (1, -1)
        }
        pro, con = (_one_beats_all(known, *sides[sign]) for sign in (1, -1))
        text = (
            f"{words} is least at {place:g}; the best accuracy lies above in "
            f"{100 * float((upper > place).mean()):.0f} % of draws, below in "
            f"{100 * float((upper < place).mean()):.0f} %"
        )
        return [Evidence(text, pro, con, tuple(names), runs=runs)]


def _one_beats_all(known: Known, winners: Sequence[str], losers: Sequence[str]) -> float:
    """p of one row among some that beats each of the others: intersection–union over these,
    Bonferroni over those; 1 where nothing is on a side."""
    each = [
        max(
            stats.contrast([known.runs[a].part(1.0), known.runs[b].part(-1.0)]).above(0.0)
            for b in losers
        )
        for a in winners
        if losers
    ]
    return min([1.0, *(len(winners) * p for p in each)])


def _places(known: Known, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Where the best row along a grid lies in each draw: float (draws,)."""
    estimates = [known.runs[name].accuracy() for _, name in grid]
    means, errors = [e.mean for e in estimates], [e.error for e in estimates]
    draws = rng.normal(means, errors, (DRAWS, len(estimates)))
    places: np.ndarray = np.array([place for place, _ in grid])[draws.argmax(1)]
    return places


@rule("generation")
@dataclass(frozen=True)
class Generation(Rule):
    """Making the images costs more seconds than training on them: logarithm of the ratio over the
    runs that made their own images.
    """

    rows: tuple[str, ...]

    def evidence(self, known: Known) -> list[Evidence]:
        """Of the mean ratio."""
        of_rows = [[_cost_ratio(run) for run in known.runs.get(name, ())] for name in self.rows]
        ratios = [float(np.log(r)) for of_row in of_rows for r in of_row if r]
        if len(ratios) < 2 or not all(map(any, of_rows)):
            return missing("seconds of making and of training", self.rows)
        e = stats.paired(ratios)
        mean, low, high = (np.exp(value) for value in (e.mean, e.low, e.high))
        ratio = f"{mean:.1f} [{low:.1f}, {high:.1f}] over {len(ratios)} runs"
        text = f"seconds of making over seconds of training: {ratio}"
        fewest = min(sum(map(bool, of_row)) for of_row in of_rows)
        return [Evidence(text, e.above(0), e.below(0), self.rows, runs=fewest)]


def _cost_ratio(run: Run) -> float:
    """Seconds of making over seconds of training, 0 of a run that found its images made."""
    made, trained = run.cost.pool_seconds or 0.0, run.cost.train_seconds or 0.0
    return made / trained if made > FOUND and trained else 0.0
