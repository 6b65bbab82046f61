"""Intervals that measurements write into their records; apart from :mod:`synthlearn.core.stats`, so
that records outlive changes of how the book infers."""

import math

import numpy as np
from scipy.stats import t

# Quantile of the standard normal law that leaves 2.5 % above.
Z = 1.959963984540054


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a proportion ``right``/``n``, in shares.

    >>> [round(end, 3) for end in wilson(75, 100)]
    [0.657, 0.825]
    """
    centre = (right + Z * Z / 2) / (n + Z * Z)
    half = Z * math.sqrt(right * (n - right) / n + Z * Z / 4) / (n + Z * Z)
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_t(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences (S,), S ≥ 2, and its 95 % t-interval with S − 1 degrees of
    freedom.

    >>> [round(value, 3) for value in paired_t(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484]
    """
    s = len(differences)
    half = t.ppf(0.975, s - 1) * np.std(differences, ddof=1) / math.sqrt(s)
    mean = float(np.mean(differences))
    return mean, mean - float(half), mean + float(half)
