"""A linear classifier with differential privacy on frozen features.

Abadi et al. 2016: the gradient of each example is clipped, noise is added to their sum, so that no
single training image shows in the result by more than (ε, δ) allows. For a softmax layer an
example's gradient is the outer product of its errors and its features, whose norm is the product of
two norms: clipping needs no gradient of its own for each example. All examples are in every step
(full batch). Accounting is opacus's.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.intervals import paired_t
from ..core.options import Options, number, whole
from ..data import datasets
from ..data.image_set import ImageSet
from . import probe, tasks
from .base import Accuracy, Measurement, Subject, encoder_of, measurement

# δ of all privacy here; below 1/number of images (chosen here).
DELTA = 1e-5
# Clipping norm of an example's gradient; features of norm √2 with their constant 1 make gradients
# of at most 2 (chosen here).
CLIP = 1.0
# Momentum of the descent (chosen here).
MOMENTUM = 0.9
# Rates that are tried on a public data set, with each number of steps (chosen here).
RATES = (1.0, 4.0, 16.0)
STEPS = (30, 100)
# Added to each feature's standard deviation, in shares of the mean one: a feature that public
# images do not vary must not outshout the others (chosen here).
LEAST_STD = 1e-2
# Draws of the noise (chosen here).
NOISES = 5
# Bounds of ε, δ and steps: done in minutes (chosen here).
EPSILONS = (0.1, 100.0)
DELTAS = (1e-8, 0.1)
MOST_STEPS = 1000
# In ε, of the noise that is looked for, and of the accountant's own bound (opacus's default); of an
# ε below 1, shares of it: else the error is as large as ε, and so is the noise too large.
TOLERANCE = 1e-3
ACCOUNTANTS = 0.01


@dataclass(frozen=True)
class Setting:
    """Steps of gradient descent and their rate."""

    steps: int
    rate: float


SETTINGS = tuple(Setting(steps, rate) for steps in STEPS for rate in RATES)


def noise_multiplier(epsilon: float, steps: int, delta: float = DELTA) -> float:
    """Standard deviation of the noise, in units of the clipping norm, that makes ``steps``
    full-batch steps (ε, δ)-private, by opacus's PRV accountant.

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
        # of logarithms of 0 where every example is in the batch, and of a first guess by another
        # accountant
        warnings.simplefilter("ignore")
        noise = get_noise_multiplier(
            target_epsilon=epsilon,
            target_delta=delta,
            sample_rate=1.0,
            steps=steps,
            accountant="prv",
            epsilon_tolerance=TOLERANCE * share,
            eps_error=ACCOUNTANTS * share,
        )
    return float(noise)


def prepare(features: Tensor, public: Tensor) -> Tensor:
    """Features (n, d) standardised by the moments of ``public`` ones (m, d), scaled to a norm of 1,
    and a constant 1: float32 (n, d + 1).

    Moments of the private features would tell of them.

    >>> prepare(torch.rand(5, 3), torch.rand(9, 3)).norm(dim=1)
    tensor([1.4142, 1.4142, 1.4142, 1.4142, 1.4142])
    """
    mean, std = public.mean(0), public.std(0, unbiased=False)
    z = functional.normalize((features - mean) / (std + LEAST_STD * std.mean()))
    return torch.cat((z, torch.ones(len(z), 1)), 1)


def clipped_sum(x: Tensor, labels: Tensor, weight: Tensor, clip: float = CLIP) -> Tensor:
    """Sum of the examples' clipped gradients of cross-entropy: x float (n, d), labels int64 (n,),
    weight (d, classes) → (d, classes)."""
    errors = (x @ weight).softmax(1)
    errors[torch.arange(len(x)), labels] -= 1
    norm = errors.norm(dim=1) * x.norm(dim=1)
    total: Tensor = x.T @ (errors * (clip / norm.clamp_min(clip))[:, None])
    return total


def fit(
    x: Tensor, labels: Tensor, classes: int, setting: Setting, noise: float, seed: int
) -> Tensor:
    """Weights (d, classes) by noisy gradient descent with momentum from zero; ``noise``: of
    :func:`noise_multiplier`, 0 for none."""
    weight = torch.zeros(x.shape[1], classes)
    velocity = torch.zeros_like(weight)
    for step in range(setting.steps):
        total = clipped_sum(x, labels, weight) + noise * CLIP * rng.normal(
            rng.key("private", seed, step), tuple(weight.shape)
        )
        velocity = MOMENTUM * velocity + total / len(x)
        weight = weight - setting.rate * velocity
    return weight


def accuracy(x: Tensor, labels: Tensor, weight: Tensor) -> float:
    """Share of examples whose class has the largest output.

    >>> accuracy(torch.eye(2), torch.tensor([0, 0]), torch.eye(2))
    0.5
    """
    return float(((x @ weight).argmax(1) == labels).double().mean())


def choose(
    training: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    classes: int,
    epsilon: float,
    scale: float,
    settings: Sequence[Setting] = SETTINGS,
) -> Setting:
    """The setting that is best on a public data set, (features, labels) to learn from and held out,
    under the noise that the private set will have.

    ``scale``: how many times larger the private set is; a step's noise there is as much smaller,
    and so it is here.
    """
    scores = {}
    for setting in settings:
        noise = noise_multiplier(epsilon, setting.steps) / scale
        scores[setting] = accuracy(*held, fit(*training, classes, setting, noise, 0))
    return max(settings, key=lambda setting: scores[setting])


@dataclass(frozen=True)
class PrivateOptions(Options):
    """Each ε that is asked for, and the public set on which its setting is chosen: a real set or a
    rendered task."""

    epsilons: list[float] = field(default_factory=lambda: [1.0, 2.0, 4.0, 8.0])
    public: str = "eurosat-64"


@dataclass(frozen=True)
class PrivateAccuracy(Accuracy):
    """The mean over draws of the noise, ``each`` of them, and its t-interval over these; the
    setting that was chosen of so many ``tried``, and the noise multiplier."""

    each: list[float]
    steps: int
    rate: float
    noise: float
    tried: int

    @property
    def of_encoder(self) -> float:
        """The mean over draws."""
        return float(np.mean(self.each))

    @property
    def drawn(self) -> int:
        """Draws of the noise."""
        return len(self.each)


@measurement("private")
class Private(Measurement):
    """Private linear classifiers on a run's features, on the data of its probe."""

    Options = PrivateOptions
    options: PrivateOptions
    Result = PrivateAccuracy
    modules = ("private",)
    on_main_images = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, PrivateAccuracy]]:
        """A part for each ε."""
        encoder, crop = encoder_of(subject), subject.settings.crop
        train, test = subject.probe_data()
        public_train, public_test = self._public(crop)
        features, asked, public, held = (
            probe.main_features(encoder, probe.large_enough(part.images, crop)).cpu()
            for part in (train, test, public_train, public_test)
        )
        x, y, u, v = (prepare(part, public) for part in (features, asked, public, held))
        known = (u, public_train.labels), (v, public_test.labels), len(public_train.classes)
        scale = len(x) / len(u)
        for epsilon in self.options.epsilons:
            setting = choose(*known, epsilon, scale)
            noise = noise_multiplier(epsilon, setting.steps)
            each = []
            for draw in range(NOISES):
                weight = fit(x, train.labels, len(train.classes), setting, noise, draw)
                each.append(accuracy(y, test.labels, weight))
            mean, low, high = paired_t(np.array(each))
            yield (
                f"{epsilon:g}",
                PrivateAccuracy(
                    top1=round(mean, 6),
                    low=round(low, 6),
                    high=round(high, 6),
                    each=[round(a, 6) for a in each],
                    n=len(y),
                    steps=setting.steps,
                    rate=setting.rate,
                    noise=round(noise, 4),
                    tried=len(SETTINGS),
                ),
            )

    def _public(self, crop: int) -> tuple[ImageSet, ImageSet]:
        """Training and test images of the public set."""
        if self.options.public in tasks.RENDERED:
            return tasks.load(self.options.public)
        return datasets.both(self.options.public, crop)

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """The options, with the public set's images."""
        public = self._public(subject.settings.crop)
        return {
            **super().spec_fields(subject),
            "epsilons": self.options.epsilons,
            "noises": NOISES,
            "public": [part.sha256 for part in public],
        }
