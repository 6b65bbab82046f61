"""How well pictures keep to their captions, how much they vary within one, and how often they repeat an image: in features of a stated encoder.

Features are float (n, d).
"""

import torch
from torch import Tensor

from ..core.errors import ParameterError
from . import probe


def variety(x: Tensor, ids: Tensor) -> float:
    """Mean distance between two pictures of the same caption, over captions with at least two, each caption counting once.

    Raises: ParameterError when no caption has two pictures.
    """
    found = []
    for c in ids.unique().tolist():
        mine = x[ids == c].double()
        if len(mine) > 1:
            found.append(torch.pdist(mine).mean())
    if not found:
        raise ParameterError(
            f"{len(ids)} pictures of {len(ids.unique())} captions: none has two; take more pictures"
        )
    return float(torch.stack(found).mean())


class Judge:
    """A linear classifier on features of labelled images: who says whether a picture shows what its caption names.

    Raises: DataError for what :func:`synthlearn.measure.probe.linear` refuses.
    """

    def __init__(self, x: Tensor, labels: Tensor, classes: int, seed: int = 0) -> None:
        probe.check(x, labels, x, labels, classes)
        self.problem = probe.problem(x, labels, classes)
        self.solution = self.problem.fit(probe.choose_l2(x, labels, classes, seed))

    def says(self, x: Tensor) -> Tensor:
        """Class of each picture: int64 (n,)."""
        return self.problem.predict(x, self.solution)

    def agreement(self, x: Tensor, labels: Tensor) -> float:
        """Share of pictures that it takes for their class, int64 (n,)."""
        return float((self.says(x) == labels).double().mean())


def imbalance(labels: Tensor, classes: int) -> float:
    """Total variation between the shares of classes among labels, int64 (n,), and equal shares: 0 … 1 − 1/classes.

    Raises: ParameterError for no labels.
    """
    if not len(labels):
        raise ParameterError("0 labels: there are no shares of classes; give at least one")
    share = torch.bincount(labels, minlength=classes).double() / len(labels)
    return float((share - 1 / classes).abs().sum() / 2)
