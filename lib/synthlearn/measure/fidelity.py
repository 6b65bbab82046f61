"""How well images keep to their captions and how much they vary within one, in features of a
stated encoder.

Features are float (n, d).
"""

import torch
from torch import Tensor

from ..core.errors import ParameterError
from . import probe
from .regression import regression_for


def variety(x: Tensor, ids: Tensor) -> float:
    """Mean distance between two images of the same caption, int64 (n,), over captions with at
    least two, each caption counting once.

    >>> variety(torch.tensor([[0.0], [2.0], [9.0]]), torch.tensor([0, 0, 1]))
    2.0

    Raises: ParameterError when no caption has two images.
    """
    distances = []
    for c in ids.unique().tolist():
        of_caption = x[ids == c].double()
        if len(of_caption) > 1:
            distances.append(torch.pdist(of_caption).mean())
    if not distances:
        numbers = f"{len(ids)} pictures of {len(ids.unique())} captions"
        raise ParameterError(f"{numbers}: none has two; take more pictures")
    return float(torch.stack(distances).mean())


class ClassifierOracle:
    """A linear classifier on features of labelled images, asked whether an image shows what its
    caption names.

    Raises: DataError for what :func:`synthlearn.measure.probe.linear` refuses.
    """

    def __init__(self, x: Tensor, labels: Tensor, classes: int, seed: int = 0) -> None:
        probe.check(x, labels, x, labels, classes)
        self.regression = regression_for(x, labels, classes)
        self.solution = self.regression.fit(probe.choose_l2(x, labels, classes, seed))

    def predict(self, x: Tensor) -> Tensor:
        """Class of each image: int64 (n,)."""
        return self.regression.predict(x, self.solution)


def agreement(predicted: Tensor, labels: Tensor) -> float:
    """Share of images that are taken for their class, both int64 (n,): 0 … 1.

    >>> agreement(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 1, 2]))
    0.75
    """
    return float((predicted == labels).double().mean())


def imbalance(labels: Tensor, classes: int) -> float:
    """Total variation between the shares of classes among labels, int64 (n,), and equal shares:
    0 … 1 − 1/classes.

    >>> imbalance(torch.tensor([0, 0, 1, 1]), 2), imbalance(torch.tensor([0, 0, 0, 0]), 2)
    (0.0, 0.5)

    Raises: ParameterError for no labels.
    """
    if not len(labels):
        raise ParameterError("0 labels: there are no shares of classes; give at least one")
    share = torch.bincount(labels, minlength=classes).double() / len(labels)
    return float((share - 1 / classes).abs().sum() / 2)
