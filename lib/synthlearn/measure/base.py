"""The contract of a measurement and its results, and the one registry of names.

A measurement is one file: its law, its options, and :meth:`Measurement.parts`, which yields named
results one after the other, so that the first alone can be made again.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, Self, TypeVar

from torch import Tensor

from ..core.augment import Augmentation
from ..core.errors import ParameterError
from ..core.options import Options
from ..core.registry import Registry
from ..data.image_set import ImageSet
from ..learn.encoders import Encoder
from .probe import ProbeResult, summary


class Settings(Protocol):
    """What a measurement may ask of the settings of a run."""

    @property
    def n_images(self) -> int:
        """Pictures that it trains on."""
        ...

    @property
    def image_size(self) -> int:
        """Their side in pixels."""
        ...

    @property
    def crop(self) -> int:
        """Side of a view in pixels."""
        ...

    @property
    def data(self) -> str:
        """Real set of the probe."""
        ...

    @property
    def per_class(self) -> int:
        """How many of its training images of each class; 0: all."""
        ...

    @property
    def device(self) -> str:
        """Where to compute."""
        ...


class Subject(Protocol):
    """What is measured: a run's encoder and images, and its probe's data, made when asked for."""

    @property
    def settings(self) -> Settings:
        """Of the run."""
        ...

    def encoder(self) -> Encoder | None:
        """The run's encoder; None where plain pixels stand for features."""
        ...

    def reference(self) -> Encoder:
        """The encoder in whose features images are compared."""
        ...

    def reference_id(self) -> str:
        """Id of that encoder's record."""
        ...

    def probe_data(self) -> tuple[ImageSet, ImageSet]:
        """Training images, so many of each class, and test images, at the size of views."""
        ...

    def pictures(self, n: int) -> Tensor:
        """The first ``n`` images that it trains on: uint8 (n, 3, s, s)."""
        ...

    def source(self) -> Any:
        """Where its images come from."""
        ...

    def source_spec(self) -> Mapping[str, Any]:
        """What decides them, as its record has it; empty where there are none."""
        ...

    def views(self) -> Augmentation:
        """The views that it trains on."""
        ...


@dataclasses.dataclass(frozen=True)
class Part:
    """A named result. Its fields are what a record holds, under their own names or, where these are
    no identifiers, those of ``written``."""

    written: ClassVar[Mapping[str, str]] = {}  # field → its key in a record
    is_accuracy: ClassVar[bool] = True

    n: int  # images that it is over

    @property
    def number(self) -> float:
        """The result as one number."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """As a record holds it; what is None is left out."""
        return {
            self.written.get(name, name): value
            for name, value in vars(self).items()
            if value is not None
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """As :meth:`to_json` gave it. Raises TypeError for fields that it has not, or that lack."""
        names = {key: name for name, key in cls.written.items()}
        return cls(**{names.get(key, key): value for key, value in content.items()})


@dataclasses.dataclass(frozen=True)
class Accuracy(Part):
    """Top-1 on ``n`` test images with its 95 % interval, and what to know of it, in words."""

    top1: float
    low: float
    high: float
    note: str | None = dataclasses.field(default=None, kw_only=True)

    @classmethod
    def of(cls, result: ProbeResult, **more: Any) -> Self:
        """A probe's accuracy, and the further fields of a subclass."""
        return cls(**summary(result), **more)

    @property
    def number(self) -> float:
        """Top-1."""
        return self.top1

    @property
    def of_encoder(self) -> float:
        """The encoder's number, unrounded where there is one for each draw."""
        return self.top1

    @property
    def drawn(self) -> int:
        """Draws (of examples, of noise) whose mean it is, with the interval over them; 0: none."""
        return 0


@dataclasses.dataclass(frozen=True)
class Value(Part):
    """A value of ``n`` images, and that of as many real ones."""

    is_accuracy = False

    value: float
    real: float

    @property
    def number(self) -> float:
        """The images' value."""
        return self.value


class Measurement:
    """Something measured of a run. Subclasses set the class attributes and implement ``parts``.

    Args:
        options: of the class's ``Options``; its defaults where None.
    """

    name: ClassVar[str] = ""  # set by :func:`measurement`
    Options: ClassVar[type[Options]] = Options
    Result: ClassVar[type[Part]] = Accuracy  # of its parts
    # Names of modules in the specs of older records: a field of the schema, and not what is hashed.
    modules: ClassVar[tuple[str, ...]] = ()
    # Whether it asks the main probe's test images by frozen features, so that encoders of a row
    # agree about images as far as they do there; and whether by linear classifiers, as the main
    # probe does.
    on_main_images: ClassVar[bool] = False
    is_linear_probe: ClassVar[bool] = False
    trains: ClassVar[bool] = False  # whether it trains, so that rounding grows even for baselines
    of_pictures: ClassVar[bool] = False  # whether it looks at images in the reference's features

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options

    def parts(self, subject: Subject, seed: int) -> Iterator[tuple[str, Part]]:
        """Named results, one after the other."""
        raise NotImplementedError

    def spec_fields(self, subject: Subject) -> dict[str, Any]:
        """What decides the result besides the run, its data and the seed: JSON-able, part of a
        record's spec."""
        return {"modules": self.modules} if self.modules else {}

    @classmethod
    def part(cls, name: str, content: Mapping[str, Any]) -> Part:
        """A result of this name from a record."""
        return cls.Result.from_json(content)


def encoder_of(subject: Subject) -> Encoder:
    """The run's encoder. Raises ParameterError for a run that has none."""
    encoder = subject.encoder()
    if encoder is None:
        raise ParameterError("plain pixels have no encoder to measure; plan rows that have one")
    return encoder


MEASUREMENTS: Registry[type[Measurement]] = Registry("measurement", "synthlearn.measure")
M = TypeVar("M", bound=type[Measurement])


def measurement(name: str) -> Callable[[M], M]:
    """Class decorator: make a measurement known as ``name``."""

    def add(kind: M) -> M:
        MEASUREMENTS.register(name)(kind)
        kind.name = name
        return kind

    return add
