"""Rules: what a claim asks of the records. One entry each: a function of what is known and the rule's arguments that gives evidence.

Every piece of evidence has two p-values, both on the two-sided scale: ``pro``, that what the claim says would look so by chance, and ``con``, that
the opposite would. 1: it says nothing in that direction.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import stats as distributions

from ..core import stats
from ..core.errors import ParameterError
from . import inference, units
from .inference import MAIN
from .rows import row, rows

DRAWS = 20_000  # of parametric simulations
PROPERTIES = {"frechet": "Fréchet distance", "log_volume": "log volume"}
MEASURES = {MAIN: "", "fc6_linear_bn": "batch norm re-estimated"}


@dataclass(frozen=True)
class Known:
    """All runs by row, and all further measurements by kind and row."""

    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    measured: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """What a rule found: in words with numbers, its two p-values, and the rows that it stands on.

    tested: whether all that it needs is recorded. control: whether the claim means nothing unless this is supported.
    runs: of the row or measurement that has fewest.
    away: how far from the rule's bound, positive where the claim says so; one_run, images: its variance that one more run of each row would share,
    and that runs do not take away: for :meth:`needs`.
    """

    text: str
    pro: float = 1.0
    con: float = 1.0
    rows: tuple[str, ...] = ()
    tested: bool = True
    control: bool = False
    runs: int = 0
    away: float = 0.0
    one_run: float = 0.0
    images: float = 0.0

    @property
    def verdict(self) -> str:
        """By itself, at 5 %."""
        if not self.tested:
            return "not tested"
        return (
            "supported"
            if self.pro <= stats.LEVEL
            else "contradicted"
            if self.con <= stats.LEVEL
            else "undecided"
        )

    def needs(self, level: float) -> int | None:
        """Runs of each row that would decide it at a level, if it is as it looks; None: more than a thousand, or runs do not decide it."""
        return (
            stats.runs_needed(self.away, self.one_run, self.images, level) if self.one_run else None
        )


Rule = Callable[[Known, Any], list[Evidence]]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule under the name that ``book/claims.toml`` calls it by."""

    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register


def missing(text: str, rows: Sequence[str] = ()) -> list[Evidence]:
    """Evidence that cannot be had yet."""
    return [Evidence(f"{text}: no record", rows=tuple(rows), tested=False)]


def points(e: stats.Estimate) -> str:
    """A difference with its interval, in percentage points."""
    return f"{100 * e.mean:+.1f} [{100 * e.low:+.1f}, {100 * e.high:+.1f}]"


def title(name: str) -> str:
    """A row's title, as the book calls it; a name that is no row's as it is."""
    return rows()[name].title if name in rows() else name


def titles(names: Sequence[str]) -> str:
    """Titles of several rows."""
    return " and ".join(title(name) for name in names)


Parts = Sequence[tuple[float, inference.Runs]]


def _contrast(
    text: str,
    parts: Parts,
    rows: Sequence[str],
    measure: str = MAIN,
    bound: float = 0.0,
    halves: Parts = (),
    control: bool = False,
) -> Evidence:
    """Evidence that a weighted sum of rows lies above a bound; ``halves``: further parts, of a row that was chosen as the best of many."""
    each = [
        *(inference.part(w, runs, measure) for w, runs in parts),
        *(inference.part(w, runs, measure, chosen=True) for w, runs in halves),
    ]
    e, counts = (
        stats.contrast(each),
        Counter(r["row"] for _, runs in (*parts, *halves) for r in runs),
    )
    split = [1] * len(parts) + [2] * len(halves)  # a half has half of its row's runs
    one_run = sum(
        k * w * w * spread.variance for k, (w, _, spread) in zip(split, each, strict=True)
    )
    known = (
        e.over != "images"
    )  # of runs that may lie apart by anything, a difference over images decides nothing
    told = f"{text}: {points(e)}" if known else f"{text}: {points(e)} over images alone"
    return Evidence(
        told,
        e.above(bound),
        e.below(bound),
        tuple(rows),
        known,
        control,
        min(counts.values()),
        e.mean - bound,
        one_run,
        e.fixed,
    )


@rule("compare")
def compare(known: Known, asked: dict[str, Any]) -> list[Evidence]:
    """ "a > b": row a teaches more than row b; "a >= b": at least as much, up to :data:`stats.MARGIN`; each ``under`` every named measurement."""
    found = []
    for text, measure in itertools.product(asked["pairs"], asked["under"]):
        sign = ">=" if ">=" in text else ">"
        a, b = (side.strip() for side in text.split(sign))
        words = f"{title(a)} − {title(b)}" + f", {MEASURES[measure]}" * (measure != MAIN)
        have = all(
            name in known.runs
            and (measure == MAIN or all(measure in r["results"] for r in known.runs[name]))
            for name in (a, b)
        )
        if not have:
            found.append(
                Evidence(f"{words}: no record", rows=(a, b), tested=False, control=asked["control"])
            )
            continue
        bound = -stats.MARGIN if sign == ">=" else 0.0
        parts = [(1.0, known.runs[a]), (-1.0, known.runs[b])]
        found.append(_contrast(words, parts, (a, b), measure, bound, control=asked["control"]))
    return found


@rule("share")
def share(known: Known, asked: dict[str, Any]) -> list[Evidence]:
    """The best of many rows goes at most a share ``most`` of the way from the row ``floor`` to the row ``ceiling``."""
    floor, ceiling, most = asked["floor"], asked["ceiling"], asked["most"]
    if not {floor, ceiling, *asked["best_of"]} <= known.runs.keys():
        return missing("share of the way", (floor, ceiling))
    many = {name: known.runs[name] for name in asked["best_of"]}
    if not any(len(runs) > 1 for runs in many.values()):
        return missing("share of the way, two runs", (floor, ceiling))
    way = _contrast(
        f"{title(ceiling)} − {title(floor)}",
        [(1.0, known.runs[ceiling]), (-1.0, known.runs[floor])],
        (floor, ceiling),
        control=True,
    )
    halves, chosen = inference.best(many)
    parts = [(most, known.runs[ceiling]), (1 - most, known.runs[floor])]
    low, high = (inference.estimate(known.runs[name]).mean for name in (floor, ceiling))
    best = sum(w * inference.estimate(runs).mean for w, runs in halves)
    went = (
        f"{100 * (best - low) / (high - low):.0f} % of the way"
        if high > low
        else "a way that is none"
    )
    gone = f"{titles(chosen)} (chosen on one half of the runs, taken on the other) goes {went}"
    return [way, _contrast(f"{gone}; what it leaves beyond {100 * (1 - most):.0f} %, in points", parts, (floor, ceiling, *chosen),
                      halves=[(-w, runs) for w, runs in halves])]  # fmt: skip


@rule("nearest")
def nearest(known: Known, asked: dict[str, Any]) -> list[Evidence]:
    """The best of many rows is not the one that is nearest to real images by a property: it teaches more than that one."""
    values = {
        name: mine[0]["results"][asked["by"]]["value"]
        for name, mine in known.measured.get("properties", {}).items()
        if name in asked["best_of"]
    }
    words = PROPERTIES.get(asked["by"], asked["by"].replace("_", " "))
    if not set(asked["best_of"]) <= known.runs.keys() & values.keys():
        return missing(f"the set nearest by {words}")
    near = min(sorted(values), key=values.__getitem__)
    others = {name: known.runs[name] for name in asked["best_of"] if name != near}
    if not any(len(runs) > 1 for runs in others.values()):
        return missing(f"the set nearest by {words}")
    halves, chosen = inference.best(others)
    text = f"best of the others, {titles(chosen)} (chosen on one half of the runs, taken on the other) − {title(near)}, nearest by {words}"
    return [_contrast(text, [(-1.0, known.runs[near])], (near, *chosen), halves=halves)]


@rule("trend")
def trend(known: Known, asked: dict[str, Any]) -> list[Evidence]:
    """Accuracy rises with the logarithm of a number: the slope over rows (number, row), in points per tenfold, is positive."""
    x = np.log10([number for number, _ in asked["rows"]])
    names = [name for _, name in asked["rows"]]
    if not all(name in known.runs for name in names):
        return missing("slope", names)
    w = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    return [
        _contrast(
            "slope per tenfold",
            [(float(k), known.runs[name]) for k, name in zip(w, names, strict=True)],
            names,
        )
    ]


@rule("correlate")
def correlate(known: Known, asked: dict[str, Any]) -> list[Evidence]:
    """Over the sets, accuracy goes up with a property among sets that are equal in another, ``held`` (Spearman's partial correlation)."""
    properties = known.measured.get("properties", {})
    order = sorted(asked["sets"])
    said, fixed = (
        PROPERTIES.get(asked[k], asked[k].replace("_", " ")) for k in ("property", "held")
    )
    words = f"{said}, {fixed} held fixed"
    if not set(order) <= properties.keys() & known.runs.keys():
        return missing(words, order)
    accuracy = np.array([inference.estimate(known.runs[n]).mean for n in order])
    x, held = (
        np.array([properties[n][0]["results"][asked[k]]["value"] for n in order])
        for k in ("property", "held")
    )
    rho, z = stats.partial(x, accuracy, held)
    text = f"{words}: ρ = {rho:+.2f} [{np.tanh(z.low):+.2f}, {np.tanh(z.high):+.2f}] over {len(order)} sets"
    return [Evidence(text, z.above(0), z.below(0), tuple(order))]


@rule("range")
def spread_of_rows(known: Known, asked: list[str]) -> list[Evidence]:
    """Rows differ: F test of equal accuracies with the pooled spread of runs; against it: all pairs lie within :data:`stats.MARGIN`."""
    if not all(name in known.runs for name in asked):
        return missing("range of accuracy", asked)
    each = [inference.estimate(known.runs[name]) for name in asked]
    spread, n = (
        inference.spread(known.runs[asked[0]][0]),
        np.array([len(known.runs[name]) for name in asked]),
    )
    means = np.array([e.mean for e in each])
    text = f"accuracy over {len(asked)} rows: {', '.join(f'{100 * m:.1f}' for m in means)}"
    if not spread.df:
        return missing(text, asked)
    pairs = list(
        itertools.combinations([inference.part(1.0, known.runs[name]) for name in asked], 2)
    )
    images = (
        float(np.mean([stats.images_share([a, (-1.0, *b[1:])]) for a, b in pairs])) / 2
    )  # of one row: what they have in common moves all alike
    between = float((n * (means - np.average(means, weights=n)) ** 2).sum()) / (len(asked) - 1)
    pro = float(
        distributions.f.sf(
            between / (spread.variance + n.mean() * images), len(asked) - 1, spread.df
        )
    )
    apart = [stats.contrast([a, (-1.0, *b[1:])]) for a, b in pairs]
    con = max(max(e.above(-stats.MARGIN), e.below(stats.MARGIN)) for e in apart)
    return [Evidence(text, pro, con, tuple(asked), runs=int(n.min()))]


@rule("best_along")
def best_along(known: Known, asked: dict[str, Any]) -> list[Evidence]:
    """The best row along the grid ``lower`` lies before the best along ``upper``, or the place of the ``least`` value of a property does.

    lower, upper: lists of (place, row). Draws of the rows' accuracies from their errors say how often the order holds.
    """
    names = [name for side in ("lower", "upper") for _, name in asked.get(side, ())]
    if not all(name in known.runs for name in names):
        return missing("places along the grid", names)
    rng = np.random.default_rng(0)

    def places(side: str) -> np.ndarray:
        estimates = [inference.estimate(known.runs[name]) for _, name in asked[side]]
        draws = rng.normal(
            [e.mean for e in estimates], [e.error for e in estimates], (DRAWS, len(estimates))
        )
        return np.array([place for place, _ in asked[side]])[draws.argmax(1)]

    upper = places("upper")
    if "lower" in asked:
        lower, words = places("lower"), "the first method's best place lies below the second's"
    else:
        by = asked["least"]
        found = known.measured.get("guidance", {})
        if not all(name in found for name in names):
            return missing(f"{by} along the grid", names)
        least = min(asked["upper"], key=lambda each: found[each[1]][0]["results"][by]["value"])[0]
        lower, words = (
            np.full(DRAWS, least),
            f"{PROPERTIES.get(by, by)} is least at {least:g}, the best accuracy lies above",
        )
    holds, fails = (
        float((1 + side.sum()) / (DRAWS + 1)) for side in (lower >= upper, lower <= upper)
    )
    return [Evidence(f"{words}: in {100 * float((lower < upper).mean()):.0f} % of draws", min(1.0, 2 * holds), min(1.0, 2 * fails), tuple(names),
                     runs=min(len(known.runs[name]) for name in names))]  # fmt: skip


@rule("closest_group")
def closest_group(known: Known, group: str) -> list[Evidence]:
    """The gap between real images and the best synthetic set is smaller in one group of transfer tasks than in each other.

    An encoder's deviations in two groups may go against each other (they do: −0.5 between natural and structured tasks), so errors are added."""
    gaps = units.closest(known.measured.get("transfer", {}))
    if group not in gaps or len(gaps) < 2:
        return missing("gaps by group of tasks")
    found = []
    for other in gaps:
        if other != group:
            (near, chosen), (far, theirs) = gaps[group], gaps[other]
            apart = stats.Estimate(
                far.mean - near.mean,
                far.error + near.error,
                min(far.df, near.df),
                near.runs,
                near.n,
                near.over,
                far.fixed + near.fixed,
            )
            text = f"gap on {other} tasks (real images − {titles(theirs)}) − gap on {group} ones (real images − {titles(chosen)}), gain over chance"
            found.append(_unit(text, apart, ("real", *chosen, *theirs)))
    return found


def _unit(text: str, e: stats.Estimate, rows: Sequence[str], bound: float = 0.0) -> Evidence:
    """Evidence that a number of which each encoder gives one lies above a bound."""
    variance = (e.error**2 - e.fixed) * e.runs
    return Evidence(f"{text}: {points(e)}", e.above(bound), e.below(bound), tuple(rows), "encoders" in e.over or e.over == "runs",
                    runs=e.runs, away=e.mean - bound, one_run=variance, images=e.fixed)  # fmt: skip


@rule("memory")
def memory(known: Known, asked: dict[str, Any]) -> list[Evidence]:
    """A memory of all images, seen by an encoder of noise, goes at least a share ``least`` of the way from an untrained encoder's to that of real images."""
    found = known.measured.get("memory", {})
    noise, floor, ceiling, least = asked["noise"], asked["floor"], asked["ceiling"], asked["least"]
    if not {noise, floor, ceiling} <= found.keys():
        return missing("neighbours in a memory", (noise, floor, ceiling))
    whole = max((name for name in found[noise][0]["results"] if name.isdigit()), key=int)
    top1 = units.part(found, whole)
    e = top1.contrast({noise: 1.0, floor: least - 1.0, ceiling: -least})
    a, b, c = (top1.estimate(name).mean for name in (floor, noise, ceiling))
    text = f"{title(floor)} {100 * a:.1f}, {title(noise)} {100 * b:.1f}, {title(ceiling)} {100 * c:.1f} %; beyond {100 * least:.0f} % of the way, in points"
    way = _unit(f"{title(ceiling)} − {title(floor)}", top1.apart(ceiling, floor), (floor, ceiling))
    return [replace(way, control=True), _unit(text, e, (noise, floor, ceiling))]


@rule("private")
def private(known: Known, asked: dict[str, str]) -> list[Evidence]:
    """Private classifiers on one row's features beat those on another's, at every ε."""
    found = known.measured.get("private", {})
    noise, floor = asked["noise"], asked["floor"]
    if not {noise, floor} <= found.keys():
        return missing("private classifiers", (noise, floor))
    budgets = sorted(found[noise][0]["results"], key=float)
    return [
        _unit(
            f"{title(noise)} − {title(floor)} at ε = {e}",
            units.part(found, e).apart(noise, floor),
            (noise, floor),
        )
        for e in budgets
    ]


@rule("long_tail")
def long_tail(known: Known, asked: dict[str, str]) -> list[Evidence]:
    """A way to fill up rare classes gains on the tail over each way that reuses the images at hand, and costs the head at most a point more than as many
    balanced real images would. Paired over seeds, which draw the rare classes; spread pooled over all ways."""
    found = known.measured.get("long_tail", {}).get(asked["row"], [])
    arm = asked["arm"]
    rivals = ("repeated", "varied")
    if len(found) < 2 or not {arm, "balanced", *rivals} <= found[0]["results"].keys():
        return missing("rare classes", (asked["row"],))
    text = "tail, {a} − {b}"
    each = [
        _unit(text.format(a=arm, b=name), _block(found, "tail", arm, name), (asked["row"],))
        for name in rivals
    ]
    return [
        *each,
        _unit(
            f"head, {arm} − balanced real images",
            _block(found, "head", arm, "balanced"),
            (asked["row"],),
            -stats.MARGIN,
        ),
    ]


def _block(found: Sequence[dict[str, Any]], part: str, a: str, b: str) -> stats.Estimate:
    """Accuracy on a part of the classes, way a − way b, paired over seeds."""
    names = list(found[0]["results"])
    return stats.blocks(
        np.array([[r["results"][name][part] for r in found] for name in names]),
        names.index(a),
        names.index(b),
    )


@rule("along_guidance")
def along_guidance(known: Known, names: list[str]) -> list[Evidence]:
    """Samples keep to their captions more and vary less with every step of guidance: agreement rises by more than chance, variety falls."""
    found = known.measured.get("guidance", {})
    if not all(name in found for name in names):
        return missing("agreement along guidance", names)
    steps = []
    for a, b in itertools.pairwise(names):
        e, (va, vb) = (
            _agreement_gain(found, a, b),
            (found[name][0]["results"]["variety"]["value"] for name in (a, b)),
        )
        narrows = vb < va
        text = f"agreement with the caption's class, {title(b)} − {title(a)}: {points(e)}; variety within a caption {va:.2f} → {vb:.2f}"
        steps.append(Evidence(text, e.above(0) if narrows else 1.0, e.below(0), (a, b), runs=1))
    return steps


def _agreement_gain(found: dict[str, list[dict[str, Any]]], a: str, b: str) -> stats.Estimate:
    """Agreement of samples with their captions, b − a, over samples; other samples of each."""
    (pa, n), (pb, m) = (
        (
            found[name][0]["results"]["agreement"]["value"],
            found[name][0]["results"]["agreement"]["n"],
        )
        for name in (a, b)
    )
    return stats.Estimate(
        pb - pa,
        float(np.sqrt(pa * (1 - pa) / n + pb * (1 - pb) / m)),
        float("inf"),
        1,
        n,
        "samples",
    )


@rule("guidance_holds")
def guidance_holds(known: Known, names: list[str]) -> list[Evidence]:
    """A control: from no guidance to a little, samples keep to their captions more; else guidance breaks this model and nothing is learned of it."""
    found = known.measured.get("guidance", {})
    if not all(name in found for name in names):
        return [
            Evidence(
                "agreement at little guidance: no record",
                rows=tuple(names),
                tested=False,
                control=True,
            )
        ]
    e = _agreement_gain(found, *names)
    text = f"agreement with the caption's class, {title(names[1])} − {title(names[0])}: {points(e)}"
    return [Evidence(text, e.above(0), e.below(0), tuple(names), control=True, runs=1)]


@rule("generation")
def generation(known: Known, names: list[str]) -> list[Evidence]:
    """Making the images costs more seconds than training on them: logarithm of the ratio over the runs that made their own images."""
    costs = [r["cost"] for name in names for r in known.runs.get(name, ())]
    ratios = [
        np.log(cost["pool_seconds"] / cost["train_seconds"])
        for cost in costs
        if cost["pool_seconds"] > 1
    ]
    if len(ratios) < 2:
        return missing("seconds of making and of training", names)
    e = stats.paired(ratios)
    text = f"seconds of making over seconds of training: {np.exp(e.mean):.1f} [{np.exp(e.low):.1f}, {np.exp(e.high):.1f}] over {len(ratios)} runs"
    return [Evidence(text, e.above(0), e.below(0), tuple(names), runs=len(ratios))]


def expanded(pairs: Sequence[str], sets: dict[str, list[str]]) -> list[str]:
    """Comparisons with every "@name" replaced by each row of that set; a row is not compared with itself.

    Raises: ParameterError for a set that does not exist or a rule without a sign.
    """
    found = []
    for text in pairs:
        sign = ">=" if ">=" in text else ">"
        if text.count(">") != 1:
            raise ParameterError(f"book/claims.toml: {text!r} is not 'a > b' or 'a >= b'")
        sides = [members(side.strip(), sets) for side in text.split(sign)]
        found += [f"{a} {sign} {b}" for a in sides[0] for b in sides[1] if a != b]
    return found


def members(name: str, sets: dict[str, list[str]]) -> list[str]:
    """The rows of "@name", or the row itself."""
    if not name.startswith("@"):
        return [row(name).name]
    if name[1:] not in sets:
        raise ParameterError(
            f"book/claims.toml: no set {name!r}; there are {', '.join('@' + s for s in sets)}"
        )
    return sets[name[1:]]
