"""Statistics over runs: what an interval is over, and how sure a difference is. One place; nothing
else computes an interval.

A run's accuracy = its row's value + the run's own deviation + what the test images happen to be.
Few runs of a row say little of how far runs lie apart, so that variance is pooled over the rows of
a family (Snedecor and Cochran 1989, 12.10), and Student's t takes its degrees of freedom; where two
families meet, Satterthwaite's (1946). Runs of two rows are not paired: a common seed was measured
to buy nothing. The images' share comes image by image from how far different runs agree; beside a
spread it counts as known (Cochran 1964). Holm 1979 over claims; Berger 1982 for claims of which
every part must hold (intersection–union).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy import stats as distributions

# Level of tests; intervals hold 1 − LEVEL (convention).
LEVEL = 0.05
# Chance to find a difference, of which a number of runs is asked (convention).
POWER = 0.8
# Level at which a mixture's quantile is met exactly: between that of an interval and that of Holm's
# first step (chosen here).
MATCHED = 0.005
# How far behind still counts as "at least as good", in shares of top-1 (chosen here).
MARGIN = 0.01
# Beyond this number "runs that would settle it" is no number any more (chosen here).
MOST_RUNS = 1000
# Most that two halves' errors correlate when each reports what the other chose. Their covariance is
# the squared Frobenius norm of the Hessian of E max(values + errors), in units of the errors'
# variance (Stein's lemma); it is largest, 9/(8π), where three candidates are equal and no other is
# near.
CHOICE = 9 / (8 * math.pi)
# Var of Fisher's z of a rank correlation over that of a plain one (Fieller, Hartley and Pearson
# 1957).
RANK_VARIANCE = 1.06


@dataclass(frozen=True)
class Spread:
    """How far runs of one row lie apart: ``variance`` of a run about its row's value, with ``df``
    degrees of freedom; 0: nothing is known.

    ``shared``: of an image's variance over right and wrong, the share that runs of a row have in
    common (0 … 1).
    """

    variance: float = 0.0
    df: float = 0.0
    shared: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """A mean or a difference with its standard error: over runs and test images, or with ``df``
    infinite and ``over`` "images" over those alone."""

    mean: float
    error: float
    df: float
    runs: int  # of the row that has fewest
    n: int  # test images
    over: str = "runs and images"
    fixed: float = 0.0  # part of the error's square that more runs do not take away

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.mean - self._half

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.mean + self._half

    @property
    def _half(self) -> float:
        return float(special.stdtrit(self.df, 1 - LEVEL / 2)) * self.error

    @property
    def p(self) -> float:
        """Two-sided p that the value is zero."""
        return min(self.above(0.0), self.below(0.0))

    def above(self, bound: float) -> float:
        """p of the test that the value is not above ``bound``; twice the one-sided one, at most 1,
        so that both directions may be asked."""
        if self.error == 0:
            return float(not self.mean > bound)
        return float(min(1.0, 2 * special.stdtr(self.df, (bound - self.mean) / self.error)))

    def below(self, bound: float) -> float:
        """The same in the other direction."""
        if self.error == 0:
            return float(not self.mean < bound)
        return float(min(1.0, 2 * special.stdtr(self.df, (self.mean - bound) / self.error)))


def pooled(rows: Iterable[Sequence[float]], shared: float = 1.0) -> Spread:
    """One variance of runs within rows, from several rows' values; a row of one run adds
    nothing."""
    each = [np.asarray(values, float) for values in rows if len(values) > 1]
    df = sum(len(values) - 1 for values in each)
    total = sum(float(((values - values.mean()) ** 2).sum()) for values in each)
    return Spread(total / df if df else 0.0, df, shared)


def _combined(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Sum of variances, each with its degrees of freedom (infinite: known), and degrees of freedom
    of the sum.

    Of the estimated ones, Satterthwaite's. What is known then takes its share of the quantile
    (Cochran 1964), not of Satterthwaite's sum: that would call a spread from few runs well known
    whenever it happens to be small, and tests at 0.005 reject three times as often as they say.
    """
    total = sum(variance for variance, _ in parts)
    estimated = [(variance, df) for variance, df in parts if variance > 0 and df < math.inf]
    if not estimated:
        return total, math.inf
    runs = sum(variance for variance, _ in estimated)
    df = 1 / sum((variance / runs) ** 2 / df for variance, df in estimated)
    if runs == total:
        return total, df
    known, few = special.ndtri(1 - MATCHED / 2), special.stdtrit(df, 1 - MATCHED / 2)
    return total, float(special.stdtridf(1 - MATCHED / 2, known + (few - known) * runs / total))


def common(outcomes: np.ndarray, shared: float = 1.0) -> float:
    """Variance over images of the chance that a run gets them right: mean covariance of two runs'
    ``outcomes`` bool (runs, images); of one run its share."""
    runs, top1 = len(outcomes), outcomes.mean(1)
    each = top1 * (1 - top1)
    if runs == 1:
        return float(each[0]) * shared
    return max(
        0.0, float((runs * runs * outcomes.mean(0).var() - each.sum()) / (runs * (runs - 1)))
    )


Part = tuple[float, np.ndarray, Spread]  # weight, outcomes bool (runs, images), spread


def contrast(parts: Sequence[Part]) -> Estimate:
    """Weighted sum of rows' accuracies, all on the same images: Σ w · accuracy. No run may stand in
    two parts.

    Variance: of each family Σ w²/runs times its spread's, and of the images what different runs
    have in common, weighted; over images alone where a spread is unknown."""
    n = parts[0][1].shape[1]
    runs = min(len(outcomes) for _, outcomes, _ in parts)
    means = [outcomes.mean(0) for _, outcomes, _ in parts]
    value = sum(w * float(mean.mean()) for (w, _, _), mean in zip(parts, means, strict=True))
    if not all(spread.df for _, _, spread in parts):
        seen = sum(w * mean for (w, _, _), mean in zip(parts, means, strict=True))
        return Estimate(value, math.sqrt(float(np.var(seen)) / n), math.inf, runs, n, "images")
    of_runs: dict[Spread, float] = {}
    for w, outcomes, spread in parts:
        of_runs[spread] = of_runs.get(spread, 0.0) + spread.variance * w * w / len(outcomes)
    images = images_share(parts)
    variance, df = _combined(
        [*((v, spread.df) for spread, v in of_runs.items()), (images, math.inf)]
    )
    return Estimate(value, math.sqrt(variance), df, runs, n, fixed=images)


def images_share(parts: Sequence[Part]) -> float:
    """Variance of a contrast that more runs would not take away: over images, of the weighted sum
    of chances, over their number."""
    means = np.stack([outcomes.mean(0) for _, outcomes, _ in parts])
    means -= means.mean(1, keepdims=True)
    together = means @ means.T / means.shape[1]
    np.fill_diagonal(together, [common(outcomes, spread.shared) for _, outcomes, spread in parts])
    w = np.array([w for w, _, _ in parts])
    images = int(means.shape[1])
    return max(0.0, float(w @ together @ w)) / images


def mean(outcomes: np.ndarray, spread: Spread) -> Estimate:
    """A row's accuracy from ``outcomes`` bool (runs, images)."""
    return contrast([(1.0, outcomes, spread)])


def difference(a: np.ndarray, b: np.ndarray, spread_a: Spread, spread_b: Spread) -> Estimate:
    """Accuracy of one row − another's, from outcomes bool (runs, images) on the same images; equal
    spreads are one family's, one estimate."""
    return contrast([(1.0, a, spread_a), (-1.0, b, spread_b)])


def of_units(
    value: float,
    share: float,
    images: float,
    spread: Spread,
    runs: int,
    n: int,
    over: str = "encoders and images",
) -> Estimate:
    """A number made of one number per encoder: its variance is ``share`` of an encoder's, by
    ``spread``, and ``images``, what the test images bring."""
    variance, df = _combined(
        [(share * spread.variance, spread.df), (images, math.inf)]
        if spread.df
        else [(images, math.inf)]
    )
    return Estimate(value, math.sqrt(variance), df, runs, n, over, images)


def runs_apart(spread: Spread, level: float = LEVEL) -> float:
    """How far two runs of one row lie apart in all but a share ``level`` of cases, tested on the
    same images; NaN where nothing is known of runs.

    The images' share does not enter: both runs are asked the same ones, and that they err on
    different ones among these is in what was pooled.
    """
    return float(distributions.t.isf(level / 2, spread.df)) * math.sqrt(2 * spread.variance)


def runs_needed(
    apart: float, variance: float, images: float = 0.0, level: float = LEVEL
) -> int | None:
    """Runs of each of two rows that find a difference of ``apart`` in four of five studies at a
    two-sided ``level``.

    variance: sum of both rows' run variances. images: variance that more runs do not take away.
    None: more than :data:`MOST_RUNS`, or no number of runs.
    """
    wanted = float(distributions.norm.isf(level / 2) + distributions.norm.ppf(POWER))
    left = (apart / wanted) ** 2 - images
    needed = variance / left if left > 0 else math.inf
    return max(1, math.ceil(needed)) if needed <= MOST_RUNS else None


def ratio(a: Estimate, b: Estimate, apart: Estimate) -> tuple[float, float, float]:
    """a/b with Fieller's (1954) 95 % interval, from both and from the error of their difference
    ``apart``; infinite where b may be zero, NaN where it is."""
    t = float(distributions.t.ppf(1 - LEVEL / 2, min(a.df, b.df)))
    va, vb = (t * a.error) ** 2, (t * b.error) ** 2
    together = (va + vb - (t * apart.error) ** 2) / 2
    one, two, three = b.mean**2 - vb, a.mean * b.mean - together, a.mean**2 - va
    if one <= 0:
        return a.mean / b.mean if b.mean else math.nan, -math.inf, math.inf
    half = math.sqrt(max(0.0, two * two - one * three))
    return a.mean / b.mean, (two - half) / one, (two + half) / one


def paired(differences: Sequence[float]) -> Estimate:
    """Mean of paired differences as an estimate over their units alone, Student's t with one degree
    of freedom fewer than there are."""
    d = np.asarray(differences, float)
    return Estimate(
        float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d)), len(d) - 1, len(d), 0, "runs"
    )


def blocks(values: np.ndarray, a: int, b: int) -> Estimate:
    """Treatment a − treatment b from ``values`` (treatments, blocks): paired over blocks, the
    spread of what is left pooled over all treatments."""
    left = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    df = (values.shape[0] - 1) * (values.shape[1] - 1)
    error = math.sqrt(2 * float((left**2).sum()) / df / values.shape[1])
    return Estimate(float((values[a] - values[b]).mean()), error, df, values.shape[1], 0, "runs")


def holm(p: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which of several hypotheses Holm's step-down procedure rejects."""
    rejected = [False] * len(p)
    for i, k in enumerate(np.argsort(p, kind="stable")):
        if not p[k] <= level / (len(p) - i):
            break
        rejected[k] = True
    return rejected


def correlation(x: np.ndarray, y: np.ndarray, kind: str = "spearman") -> tuple[float, float, float]:
    """Correlation over rows, "pearson" or "spearman", with a bootstrap 95 % interval over rows;
    draws with all values tied are left out.

    NaN for fewer than three rows, when all values of a side are tied, or one is not a number.
    """
    if len(x) < 3 or not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return (float("nan"),) * 3
    k = np.random.default_rng(0).integers(0, len(x), (2000, len(x)))
    a, b = (np.vstack([v, v[k]]) for v in (x, y))  # all rows, then draws of them
    a, b = (v[(np.ptp(a, 1) > 0) & (np.ptp(b, 1) > 0)] for v in (a, b))
    if kind == "spearman":
        a, b = distributions.rankdata(a, axis=1), distributions.rankdata(b, axis=1)
    a, b = (v - v.mean(1, keepdims=True) for v in (a, b))
    r = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    low, high = np.quantile(r[1:], (0.025, 0.975))
    return float(r[0]), float(low), float(high)


def permutation_p(x: np.ndarray, y: np.ndarray, draws: int = 10_000) -> float:
    """Two-sided p of Spearman's correlation being zero, by random permutations of one side; never
    below 1/(draws + 1)."""
    if not (np.ptp(x) > 0 and np.ptp(y) > 0):  # all tied, or not all are numbers
        return 1.0
    a, b = (distributions.zscore(distributions.rankdata(v)) for v in (x, y))
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.broadcast_to(b, (draws, len(b))), axis=1)
    return float((1 + (np.abs(shuffled @ a) >= abs(b @ a) - 1e-9).sum()) / (draws + 1))


def partial_rho(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Spearman's partial correlation of x and y, ``held`` kept fixed, over the last axis: (…, n) →
    (…); 0 where ``held`` or a tie leaves nothing to correlate.

    >>> x = np.array([1, 2, 3, 4, 5, 6])
    >>> round(float(partial_rho(x, x**2, x[[1, 0, 3, 2, 5, 4]])), 6)
    1.0
    """
    a, b, c = (distributions.rankdata(v, axis=-1) for v in (x, y, held))
    a, b, c = (v - v.mean(-1, keepdims=True) for v in (a, b, c))

    def scalar(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        product: np.ndarray = (u * v).sum(-1)
        return product

    squared = scalar(c, c)
    usable = squared > 0
    a, b = (v - (scalar(v, c) / np.where(usable, squared, 1))[..., None] * c for v in (a, b))
    left = np.sqrt(scalar(a, a) * scalar(b, b))
    usable = left > 1e-9
    rho: np.ndarray = np.where(usable, scalar(a, b) / np.where(usable, left, 1), 0.0)
    return rho


def partial(x: np.ndarray, y: np.ndarray, held: np.ndarray) -> tuple[float, Estimate]:
    """Spearman's partial correlation of x and y (n,), n ≥ 6, ``held`` (n,) kept fixed; and Fisher's
    z of it, over the n rows."""
    rho = float(partial_rho(x, y, held))
    z = math.atanh(min(1 - 1e-12, max(-1 + 1e-12, rho)))
    return rho, Estimate(
        z, math.sqrt(RANK_VARIANCE / (len(x) - 4)), math.inf, len(x), len(x), "sets"
    )


def reliability(rows: Sequence[Sequence[float]], splits: int = 200) -> float:
    """How far a second study of the same size would rank the rows alike, 0 … 1: each row's runs
    halved at random, Spearman's correlation of the halves' means, over ``splits`` halvings, stepped
    up to all runs (Spearman 1910, Brown 1910).

    Rows of one run cannot be halved and are left out; NaN where fewer than three rows are left.
    """
    rng = np.random.default_rng(0)
    halved = [np.asarray(values, float) for values in rows if len(values) > 1]
    if len(halved) < 3:
        return math.nan
    correlations = []
    for _ in range(splits):
        halves = [np.array_split(rng.permutation(values), 2) for values in halved]
        a, b = (np.array([half[side].mean() for half in halves]) for side in (0, 1))
        correlations.append(float(distributions.spearmanr(a, b).statistic))
    # of one halving it may be near −1, where the step goes to −∞
    r = max(0.0, float(np.mean(correlations)))
    return 2 * r / (1 + r)
