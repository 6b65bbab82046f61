"""What an encoder is worth with few labels: accuracy from n examples of each class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..core import rng
from ..core.intervals import paired_t
from ..data import image_set
from ..data.image_set import ImageSet
from ..learn.encoders import Encoder
from . import probe
from .base import Accuracy, Measurement, Subject, encoder_of, measurement
from .regression import Standardiser

# Examples of each class (chosen here).
SHOTS = (1, 5, 10, 100)
# Draws of examples (chosen here).
DRAWS = 20
# Up to so many examples the nearest mean decides, ridge regression beyond (chosen here).
NEAREST_MEAN = 5


@dataclass(frozen=True)
class FewShotAccuracy(Accuracy):
    """The mean over ``draws`` of examples, and its t-interval over these; the same ``n`` test
    images for all."""

    draws: int

    @property
    def drawn(self) -> int:
        """Draws of examples."""
        return self.draws


def few_shot(
    encoder: Encoder, train: ImageSet, test: ImageSet, seed: int
) -> Iterator[tuple[str, FewShotAccuracy]]:
    """Accuracy from n examples of each class, a part for each n.

    Raises: DataError for sets that do not number the same classes.
    """
    image_set.agree(train, test)
    x, y = (probe.main_features(encoder, part.images) for part in (train, test))
    labels, truth = train.labels.to(x.device), test.labels.to(x.device)
    for shots in SHOTS:
        classify = nearest_mean if shots <= NEAREST_MEAN else ridge
        accuracies = []
        for draw in range(DRAWS):
            few = examples(train.labels, shots, seed, draw).to(x.device)
            predicted = classify(x[few], labels[few], y, len(test.classes))
            accuracies.append(float((predicted == truth).double().mean()))
        mean, low, high = paired_t(np.array(accuracies))
        yield (
            str(shots),
            FewShotAccuracy(
                top1=round(mean, 6),
                low=round(low, 6),
                high=round(high, 6),
                draws=DRAWS,
                n=len(test),
            ),
        )


def examples(labels: Tensor, shots: int, seed: int, draw: int) -> Tensor:
    """Positions of ``shots`` examples of each class (all of a smaller class), int64, a function of
    the labels int64 (n,), the seed and the draw.

    >>> labels = torch.arange(12) % 3
    >>> labels[examples(labels, 2, seed=0, draw=0)].bincount()
    tensor([2, 2, 2])
    """
    order = rng.permutation(rng.key("few-shot", seed, draw), len(labels))
    shuffled = labels[order]
    return order[image_set.rank_within_class(shuffled) < shots]


def nearest_mean(x: Tensor, labels: Tensor, y: Tensor, classes: int) -> Tensor:
    """Class whose mean example has the largest cosine: examples float (n, d) with labels int64
    (n,), asked float (m, d) → int64 (m,).

    >>> nearest_mean(torch.eye(2), torch.tensor([0, 1]), torch.tensor([[0.1, 3.0]]), 2)
    tensor([1])
    """
    means = x.new_zeros(classes, x.shape[1])
    means.index_add_(0, labels, functional.normalize(x, dim=1))
    return (functional.normalize(y, dim=1) @ functional.normalize(means, dim=1).T).argmax(1)


def ridge(x: Tensor, labels: Tensor, y: Tensor, classes: int) -> Tensor:
    """Least squares on ±1 targets, mean over examples + ‖w‖²/n, of standardised features over √d,
    solved in the dual: as :func:`nearest_mean`.

    >>> ridge(torch.eye(2), torch.tensor([0, 1]), torch.tensor([[0.1, 3.0]]), 2)
    tensor([1])
    """
    standardise = Standardiser(x)
    z = standardise(x).double()
    target = 2 * functional.one_hot(labels, classes).double() - 1
    kernel = z @ z.T / z.shape[1]
    eye = torch.eye(len(z), dtype=torch.float64, device=z.device)
    weight = torch.linalg.solve(kernel + eye, target - target.mean(0))
    scores: Tensor = standardise(y) @ (z.T @ weight).float() / z.shape[1] + target.mean(0).float()
    return scores.argmax(1)


@measurement("few_shot")
class FewShot(Measurement):
    """:func:`few_shot` of a run's encoder, on the data of its probe."""

    Result = FewShotAccuracy
    modules = ("transfer",)
    on_main_images = True
    is_linear_probe = True

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, FewShotAccuracy]]:
        """A part for each number of examples."""
        yield from few_shot(encoder_of(subject), *subject.probe_data(), seed)
