"""What goes with accuracy over sets of images: partial correlations, with draws over the sets.

Ranks throughout (Spearman). Intervals and p-values are of the percentile bootstrap.
"""

from dataclasses import dataclass

import numpy as np

from ..core.stats import partial_rho

DRAWS = 4000


@dataclass(frozen=True)
class Drawn:
    """A number over sets, and the same over each draw of as many sets with replacement."""

    value: float
    draws: np.ndarray

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of the draws."""
        low, high = np.quantile(self.draws, (0.025, 0.975))
        return float(low), float(high)

    @property
    def above(self) -> float:
        """Two-sided p that it is above 0 by chance."""
        return self._p(self.draws <= 0)

    @property
    def below(self) -> float:
        """Two-sided p that it is below 0 by chance."""
        return self._p(self.draws >= 0)

    def _p(self, against: np.ndarray) -> float:
        return min(1.0, 2 * float(1 + against.sum()) / (len(against) + 1))

    def __sub__(self, other: "Drawn") -> "Drawn":
        return Drawn(self.value - other.value, self.draws - other.draws)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:+z.2f} [{low:+z.2f}, {high:+z.2f}]"


def two_sides(
    accuracy: np.ndarray, diversity: np.ndarray, distance: np.ndarray
) -> tuple[Drawn, Drawn]:
    """How accuracy goes with diversity among sets that are equally far from real images, and with
    nearness to real images among sets that are equally diverse: all (n,), n ≥ 6."""
    n = len(accuracy)
    index = np.random.default_rng(0).integers(0, n, (DRAWS, n))
    y, wide, far = (np.vstack([v, v[index]]) for v in (accuracy, diversity, distance))
    by_diversity, by_nearness = partial_rho(wide, y, far), partial_rho(-far, y, wide)
    return (
        Drawn(float(by_diversity[0]), by_diversity[1:]),
        Drawn(float(by_nearness[0]), by_nearness[1:]),
    )
