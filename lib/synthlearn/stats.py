"""Statistics over records: intervals, paired comparisons, rank agreement. One place, all from per-image outcomes."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats as distributions

Z = 1.959963984540054
DRAWS = 10_000


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a proportion ``right``/``n``."""
    centre = (right + Z * Z / 2) / (n + Z * Z)
    half = Z * math.sqrt(right * (n - right) / n + Z * Z / 4) / (n + Z * Z)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval: bootstrap over seeds × images, widened by √(S/(S − 1)) for few seeds; with one seed over images alone."""

    mean: float
    low: float
    high: float
    seeds: int
    n: int
    p: float = float("nan")  # two-sided, that the mean is zero; for differences


def bootstrap(outcomes: np.ndarray) -> Estimate:
    """Hierarchical bootstrap of the mean of ``outcomes`` (seeds, images), any numbers.

    Seeds are drawn with replacement and, in each draw, images with replacement, the same images for all seeds. Images with the same
    outcomes over seeds are interchangeable, so only their counts are drawn: exact, and fast.
    """
    s, n = outcomes.shape
    code = np.zeros(n, dtype=np.int64)  # of each image's outcomes over seeds; sorting numbers is faster than sorting rows
    for seed in outcomes:
        levels, place = np.unique(seed, return_inverse=True)
        _, first, code, counts = np.unique(code * len(levels) + place, return_index=True, return_inverse=True, return_counts=True)
    patterns = outcomes[:, first].T.astype(float)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(n, counts / n, size=DRAWS) / n
    seeds = rng.integers(0, s, size=(DRAWS, s))
    per_seed = weights @ patterns
    draws = np.take_along_axis(per_seed, seeds, axis=1).mean(1)
    mean = float(outcomes.mean())
    stretch = math.sqrt(s / (s - 1)) if s > 1 else 1.0
    low, high = (mean + stretch * (np.quantile(draws, q) - mean) for q in (0.025, 0.975))
    error = stretch * float(draws.std())
    p = 2 * distributions.norm.sf(abs(mean) / error) if error > 0 else float(mean == 0)
    return Estimate(mean, float(low), float(high), s, n, float(p))


def paired_t(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean of per-seed differences (S,), S ≥ 2, and its 95 % t-interval with S − 1 degrees of freedom."""
    s = len(differences)
    half = distributions.t.ppf(0.975, s - 1) * np.std(differences, ddof=1) / math.sqrt(s)
    mean = float(np.mean(differences))
    return mean, mean - float(half), mean + float(half)


def holm(p: list[float], level: float = 0.05) -> list[bool]:
    """Which of several hypotheses Holm's step-down procedure rejects."""
    rejected = [False] * len(p)
    for i, k in enumerate(np.argsort(p, kind="stable")):
        if not p[k] <= level / (len(p) - i):
            break
        rejected[k] = True
    return rejected


def correlation(x: np.ndarray, y: np.ndarray, kind: str = "spearman") -> tuple[float, float, float]:
    """Correlation over rows, "pearson" or "spearman", with a bootstrap 95 % interval over rows; draws with all values tied are left out.

    NaN for fewer than three rows, or when all values of a side are tied.
    """
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
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
    """Two-sided p of Spearman's correlation being zero, by random permutations of one side; never below 1/(draws + 1)."""
    if len(set(x)) < 2 or len(set(y)) < 2:
        return 1.0
    a, b = (distributions.zscore(distributions.rankdata(v)) for v in (x, y))
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.broadcast_to(b, (draws, len(b))), axis=1)
    return float((1 + (np.abs(shuffled @ a) >= abs(b @ a) - 1e-9).sum()) / (draws + 1))


def split_half(outcomes: np.ndarray, splits: int = 100) -> float:
    """Reliability of a ranking of rows: outcomes (rows, seeds, images); mean over random halves of the images of the Spearman–Brown corrected correlation."""
    rng = np.random.default_rng(0)
    per_image = outcomes.mean(1)
    found = []
    for _ in range(splits):
        order = rng.permutation(per_image.shape[1])
        a, b = (per_image[:, half].mean(1) for half in np.array_split(order, 2))
        r = distributions.spearmanr(a, b).statistic
        found.append(2 * r / (1 + r))
    return float(np.mean(found))
