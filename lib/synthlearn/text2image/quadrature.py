"""The mean of guided samples of a Gaussian by quadrature: what the sampler is held against."""

import itertools

from scipy.integrate import quad


def guided_mean(
    mean: float,
    variance: float,
    mean_all: float,
    variance_all: float,
    w: float,
    noise: float = 80.0,
) -> float:
    """Where the guided ODE takes 0 from ``noise``, one coordinate, by variation of constants.

    With u = σ² and Φ(u) = (v_c + u)^(w/2)·(v + u)^((1−w)/2):
    Φ(0)·∫₀^{noise²} ½[wμ_c/(v_c + u) + (1 − w)μ/(v + u)]/Φ(u) du.
    """

    def phi(u: float) -> float:
        return (variance + u) ** (w / 2) * (variance_all + u) ** ((1 - w) / 2)

    def pull(u: float) -> float:
        return (w * mean / (variance + u) + (1 - w) * mean_all / (variance_all + u)) / (2 * phi(u))

    edges = [0.0, 1.0, 10.0, 100.0, noise**2]
    return phi(0) * sum(quad(pull, a, b)[0] for a, b in itertools.pairwise(edges))
