"""The training images of a real set as a source: what synthetic images are compared with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ..core.image import resize
from ..core.options import Options, build
from ..core.source import Source
from . import datasets
from .folders import Listing, contents_digest, listing, positions
from .image_set import ImageSet, class_balanced_order
from .pictures import read_pictures
from .sources import register

LEAST_SIDE = 32  # smaller images are enlarged to this, the encoder's least input


@dataclass(frozen=True)
class RealOptions(Options):
    """``data``: name of a set, or a folder with train/ and test/."""

    data: str


@register("real")
class RealImages(Source):
    """The training images of a real set, labels hidden, as a source: the study's upper bound.

    Of a folder only the images that are asked for are read, so that it may be larger than the
    memory.
    """

    kind = "real"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """One with the options of :class:`RealOptions`."""
        return cls(build(RealOptions, "source 'real'", options).data)

    def __init__(self, data: str) -> None:
        self.data, self.name = data, f"real:{Path(data).name[:50]}"  # part of file names

    @cached_property
    def _folder(self) -> Listing | None:
        """What the folder holds; None for a set that is known by name."""
        return listing(Path(self.data), "train") if datasets.is_image_folder(self.data) else None

    @cached_property
    def _set(self) -> ImageSet:
        """The set that is known by name, read when its images are first asked for."""
        return datasets.load(self.data, "train")

    @cached_property
    def _sha256(self) -> str:
        if self._folder is None:
            return datasets.digest(self.data, "train")
        return contents_digest(Path(self.data), self._folder.paths)

    @cached_property
    def _labels(self) -> Tensor:
        return self._set.labels if self._folder is None else torch.tensor(self._folder.labels)

    @cached_property
    def _order(self) -> Tensor:
        return class_balanced_order(self._labels)

    def _positions(self, indices: Iterable[int] | Tensor) -> Tensor:
        """Positions in the set of the images with these indices: int64 (n,)."""
        n = len(self._labels)
        return self._order[positions(indices, n, f"{self.data}: holds {n} training images")]

    def spec(self) -> dict[str, Any]:
        """Name of the set and the SHA-256 of its training pixels, of a folder of its files."""
        return {"real": self.data, "sha256": self._sha256}

    def number(self) -> int:
        """How many images there are."""
        return len(self._labels)

    def sample(
        self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu"
    ) -> Tensor:
        """Images by index: classes take turns, so any first n hold equally many of each.

        Returns uint8 (n, 3, s, s); s is the smaller of ``size`` and the set's own side, but at
        least 32 where ``size`` is.
        Raises: ParameterError for an index that is negative or not whole, DataError past the end.
        """
        if self._folder is not None:
            paths = [self._folder.paths[i] for i in self._positions(indices).tolist()]
            return read_pictures(paths, size, f"reading {Path(self.data).name}").to(device)
        images = self._set.images[self._positions(indices)]
        own = min(images.shape[-2:])
        return resize(images, min(size, max(own, LEAST_SIDE))).to(device)

    def labels(self, indices: Iterable[int] | Tensor) -> Tensor:
        """Classes of images by index, int64 (n,)."""
        return self._labels[self._positions(indices)]

    def class_names(self) -> tuple[str, ...]:
        """Names of the set's classes."""
        return tuple((self._set if self._folder is None else self._folder).classes)
