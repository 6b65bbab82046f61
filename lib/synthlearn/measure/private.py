"""A linear classifier with differential privacy on frozen features.

Abadi et al. 2016: the gradient of each example is clipped, noise is added to their sum, so that no single training image shows in the result by more
than (ε, δ) allows. For a softmax layer an example's gradient is the outer product of its errors and its features, whose norm is the product of two
norms: clipping needs no gradient of its own for each example. All examples are in every step (full batch). Accounting is opacus's.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.options import number, whole

DELTA = 1e-5
CLIP = 1.0  # of an example's gradient; features of norm √2 with their constant 1 make gradients of at most 2
RATES = (1.0, 4.0, 16.0)  # tried on a public data set, with each of
STEPS = (30, 100)
LEAST_STD = (
    1e-2  # of the mean one: a feature that public images do not vary must not outshout the others
)
EPSILONS, DELTAS, MOST_STEPS = (0.1, 100.0), (1e-8, 0.1), 1000  # done in minutes
# In ε, of the noise that is looked for, and of the accountant's own bound (opacus's default); of an
# ε below 1, shares of it: else the error is as large as ε, and so is the noise too large.
TOLERANCE, ACCOUNTANTS = 1e-3, 0.01


@dataclass(frozen=True)
class Setting:
    """Steps of gradient descent and their rate."""

    steps: int
    rate: float


def noise_multiplier(epsilon: float, steps: int, delta: float = DELTA) -> float:
    """Standard deviation of the noise, in units of the clipping norm, that makes ``steps`` full-batch steps (ε, δ)-private, by opacus's PRV accountant.

    Raises: ParameterError for ε, steps or δ that cannot be, or that the accountant cannot do.
    """
    return _noise_multiplier(
        number("epsilon (1 is strong privacy, 8 is weak)", epsilon, *EPSILONS),
        whole("steps", steps, 1, MOST_STEPS),
        number("delta (below 1/number of images)", delta, *DELTAS),
    )


@cache
def _noise_multiplier(epsilon: float, steps: int, delta: float) -> float:
    from opacus.accountants.utils import get_noise_multiplier

    share = min(1.0, epsilon)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of logarithms of 0 where every example is in the batch, and of a first guess by another accountant
        return float(get_noise_multiplier(target_epsilon=epsilon, target_delta=delta, sample_rate=1.0, steps=steps, accountant="prv",
                                          epsilon_tolerance=TOLERANCE * share, eps_error=ACCOUNTANTS * share))  # fmt: skip


def prepared(features: Tensor, public: Tensor) -> Tensor:
    """Features (n, d) standardised by the moments of ``public`` ones (m, d), scaled to a norm of 1, and a constant 1: float32 (n, d + 1).

    Moments of the private features would tell of them.
    """
    mean, std = public.mean(0), public.std(0, unbiased=False)
    z = functional.normalize((features - mean) / (std + LEAST_STD * std.mean()))
    return torch.cat((z, torch.ones(len(z), 1)), 1)


def clipped_sum(x: Tensor, labels: Tensor, weight: Tensor, clip: float = CLIP) -> Tensor:
    """Sum of the examples' clipped gradients of cross-entropy: x float (n, d), labels int64 (n,), weight (d, classes) → (d, classes)."""
    errors = (x @ weight).softmax(1)
    errors[torch.arange(len(x)), labels] -= 1
    norm = errors.norm(dim=1) * x.norm(dim=1)
    return x.T @ (errors * (clip / norm.clamp_min(clip))[:, None])


def fit(
    x: Tensor, labels: Tensor, classes: int, setting: Setting, noise: float, seed: int
) -> Tensor:
    """Weights (d, classes) by noisy gradient descent with momentum 0.9 from zero; ``noise``: of :func:`noise_multiplier`, 0 for none."""
    weight = torch.zeros(x.shape[1], classes)
    velocity = torch.zeros_like(weight)
    for step in range(setting.steps):
        total = clipped_sum(x, labels, weight) + noise * CLIP * rng.normal(
            rng.key("private", seed, step), tuple(weight.shape)
        )
        velocity = 0.9 * velocity + total / len(x)
        weight = weight - setting.rate * velocity
    return weight


def accuracy(x: Tensor, labels: Tensor, weight: Tensor) -> float:
    """Share of examples whose class has the largest output."""
    return float(((x @ weight).argmax(1) == labels).double().mean())


def chosen(
    training: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    classes: int,
    epsilon: float,
    scale: float,
    settings: Sequence[Setting],
) -> Setting:
    """The setting that is best on a public data set, (features, labels) to learn from and held out, under the noise that the private set will have.

    ``scale``: how many times larger the private set is; a step's noise there is as much smaller, and so it is here.
    """
    scores = {}
    for setting in settings:
        noise = noise_multiplier(epsilon, setting.steps) / scale
        scores[setting] = accuracy(*held, fit(*training, classes, setting, noise, 0))
    return max(settings, key=lambda setting: scores[setting])


def settings() -> list[Setting]:
    """All that are tried."""
    return [Setting(steps, rate) for steps in STEPS for rate in RATES]
