"""Generators whose images are of categories, as the formula families' are."""

from collections.abc import Iterable

from torch import Tensor

from ..core.options import as_indices
from .base import Generator


class Categories(Generator):
    """Image i is of category i mod ``categories``, an option of each."""

    def labels(self, indices: Iterable[int] | Tensor) -> Tensor:
        """Categories of images by index, int64 (n,).

        Raises: ParameterError for an index that cannot be.

        >>> import synthlearn as sl
        >>> sl.generator("formula-rcdb", categories=3).labels(range(5))
        tensor([0, 1, 2, 0, 1])
        """
        return self.category(as_indices(indices))

    def category(self, indices: Tensor) -> Tensor:
        """:meth:`labels` of indices that have been checked: on a GPU, to look at them waits."""
        return indices % self.options.categories
