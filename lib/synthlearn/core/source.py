"""The contract of a source: whatever gives images by index."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from torch import Tensor

from .errors import ParameterError

CLASSLESS = (
    "its pictures have no classes; a labelled method needs a source that has them "
    "(fractals-fractaldb, a real set)"
)


class Source:
    """A generator, captioned images, a folder, or a real set.

    name: as part of messages and file names. kind: "generator", "text2image", "folder" or "real".
    """

    name: str
    kind: ClassVar[str]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """One with these options. Raises ParameterError for a bad one."""
        return cls(**options)

    def spec(self) -> dict[str, Any]:
        """What decides the images besides seed, index and size: JSON-able, part of a record."""
        raise NotImplementedError

    def sample(
        self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu"
    ) -> Tensor:
        """Pictures by index: uint8 (n, 3, s, s)."""
        raise NotImplementedError

    def labels(self, indices: Iterable[int] | Tensor) -> Tensor:
        """Classes of images by index: int64 (n,). Raises ParameterError where there are none."""
        raise ParameterError(f"{self.name}: {CLASSLESS}")

    @property
    def labelled(self) -> bool:
        """Whether its images have classes."""
        return type(self).labels is not Source.labels

    def texts(self) -> tuple[str, ...]:
        """Captions by number, for images that have captions; else none."""
        return ()

    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by label; none where they have only numbers."""
        return self.texts()

    def prepare(self, device: str) -> None:
        """Make what the images need, where that takes training."""
