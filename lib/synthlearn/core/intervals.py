"""Intervals that measurements write into their records; apart from :mod:`synthlearn.core.stats`, so
that records outlive changes of how the book infers."""

import math

import numpy as np
from scipy.stats import t

Z = 1.959963984540054


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a proportion ``right``/``n``."""
    centre = (right + Z * Z / 2) / (n + Z * Z)
    half = Z * math.sqrt(right * (n - right) / n + Z * Z / 4) / (n + Z * Z)
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_t(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences (S,), S ≥ 2, and its 95 % t-interval with S − 1 degrees of
    freedom."""
    s = len(differences)
    half = t.ppf(0.975, s - 1) * np.std(differences, ddof=1) / math.sqrt(s)
    mean = float(np.mean(differences))
    return mean, mean - float(half), mean + float(half)
