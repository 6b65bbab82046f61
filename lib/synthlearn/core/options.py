"""Values from outside, checked at the door: options of every kind, whole numbers, indices, devices.

Options of a generator, a method or a source of captions are frozen dataclasses on one base, which
checks them when they are made; :func:`build` makes one from names and values.
"""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from .errors import ParameterError

AUTO = "auto"  # a device or a precision: the best one that is here
LEAST, MOST = -(1 << 63), (1 << 63) - 1  # of 64 bits, as tensors, seeds and files hold them
SHOWN = 60  # characters of a value in a message


def shown(value: Any) -> str:
    """A value in a message: on one line, cut off where it is long."""
    try:
        text = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # too many digits, or too deep, for Python to write it out
        return f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 2]} …"


def _number(bound: float) -> str:
    if bound in (LEAST, MOST):
        return "-2^63" if bound == LEAST else "2^63 - 1"
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def between(least: float | None, most: float | None) -> str:
    """Bounds in words, with a space before them; "" where there are none."""
    if least is None:
        return "" if most is None else f" of at most {_number(most)}"
    if most is None:
        return f" of at least {_number(least)}"
    return f" from {_number(least)} to {_number(most)}"


def whole(name: str, value: Any, least: int = 0, most: int = MOST) -> int:
    """A whole number as an int; NumPy's and torch's count, truth values and fractions do not.

    Raises: ParameterError, with ``name``, unless it lies between the bounds.
    """
    truth = isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
    if hasattr(value, "__index__") and not truth:
        try:
            number = value.__index__()
        except TypeError:  # a tensor of fractions, or of several numbers
            number = None
        if number is not None and least <= number <= most:
            return int(number)
    raise ParameterError(f"{name} = {shown(value)}: must be a whole number{between(least, most)}")


def number(name: str, value: Any, least: float, most: float) -> float:
    """A number between bounds as a float. Raises ParameterError, with ``name``, for all else."""
    if not _holds(value, float) or not least <= value <= most:
        raise ParameterError(f"{name} = {shown(value)}: must be a number{between(least, most)}")
    return float(value)


def as_indices(values: Iterable[int] | Tensor) -> Tensor:
    """Numbers of images as int64 (n,), where a tensor was, else on the CPU.

    Raises: ParameterError unless they are one row of whole numbers from 0 to 2^63 - 1.
    """
    if not isinstance(values, Tensor):
        if not isinstance(values, Iterable):
            raise ParameterError(f"indices = {shown(values)}: must be whole numbers, as range(8)")
        return torch.tensor([whole("index", value) for value in values], dtype=torch.int64)
    if values.ndim != 1:
        raise ParameterError(f"indices of shape {tuple(values.shape)}: must be one row, (n,)")
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ParameterError(f"indices of type {values.dtype}: must be whole numbers, torch.int64")
    indices = values.to(torch.int64)
    if len(indices):  # what is beyond 63 bits has become negative
        whole("index", int(indices.min()))
    return indices


def the_device(name: Any) -> str:
    """The device that is meant: for "auto" the first card, where there is one, else the processor.

    Raises: ParameterError as :func:`check_device`.
    """
    if name == AUTO:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return check_device(name)


def check_device(device: Any) -> str:
    """A device as a text: "cpu", "cuda" or "cuda:N". A torch.device of these is one, too.

    Raises: ParameterError for one that is not here.

    >>> check_device("cpu"), check_device(torch.device("cpu"))
    ('cpu', 'cpu')
    """
    if isinstance(device, torch.device):
        device = str(device)
    cards = torch.cuda.device_count()
    number = isinstance(device, str) and re.fullmatch(r"cuda(?::(0|[1-9][0-9]{0,3}))?", device)
    usable = device == "cpu" if not number else int(number[1] or 0) < cards
    if usable and device != "cpu":
        try:
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError):  # a card that its driver cannot use
            usable = False
    if not usable:
        present = ["cpu", *(["cuda"] if cards else []), *(f"cuda:{i}" for i in range(cards))]
        raise ParameterError(
            f"device = {shown(device)}: not on this machine; present: {', '.join(present)}"
        )
    return str(device)


def _holds(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated type; numbers are finite, whole ones of 64 bits."""
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and LEAST <= value <= MOST
    if kind is float:
        return _holds(value, int) or (isinstance(value, float) and math.isfinite(value))
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return any(_holds(value, one) for one in inner)
    if origin is list:
        return isinstance(value, list) and all(_holds(each, inner[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            _holds(key, inner[0]) and _holds(each, inner[1]) for key, each in value.items()
        )
    return isinstance(value, kind) if isinstance(kind, type) else True


def _words(kind: Any) -> str:
    """An annotated type in words."""
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if kind in plain:
        return plain[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    many = {int: "whole numbers", float: "numbers", bool: "truth values", str: "names"}
    if origin is list:
        return f'a list of {many.get(inner[0], "values")}, as in ["a", "b"]'
    if origin is dict:
        return f'a table of names and {many.get(inner[1], "values")}, as in {{"a": 1}}'
    return f"of type {getattr(kind, '__name__', kind)}"


@dataclasses.dataclass(frozen=True)
class Options:
    """Base of all option sets: frozen, and checked when made.

    A field is of its annotated type, elements of lists and tables too; numbers are finite, whole
    ones of 64 bits. Class attributes say more by field: ``allowed`` the choices, ``at_least`` and
    ``at_most`` the bounds. A subclass names those of its own fields; its bases' hold as well.

    Raises: ParameterError, naming the option, its value and what is allowed.
    """

    allowed: ClassVar[dict[str, tuple[Any, ...]]] = {}
    at_least: ClassVar[dict[str, float]] = {}
    at_most: ClassVar[dict[str, float]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for limits in ("allowed", "at_least", "at_most"):
            merged: dict[str, Any] = {}
            for base in reversed(cls.__mro__):
                merged |= vars(base).get(limits, {})
            setattr(cls, limits, merged)

    def __post_init__(self) -> None:
        kinds = typing.get_type_hints(type(self))  # annotations may be texts
        for field in dataclasses.fields(self):
            name, kind, value = field.name, kinds[field.name], getattr(self, field.name)
            least, most = self.at_least.get(name), self.at_most.get(name)
            if kind is int:
                least, most = LEAST if least is None else least, MOST if most is None else most
            good = _holds(value, kind)
            must = _words(kind) + between(least, most)
            if name in self.allowed:
                good = good and value in self.allowed[name]
                must = f"one of {', '.join(map(repr, self.allowed[name]))}"
            if good and least is not None:
                good = value >= least
            if good and most is not None:
                good = value <= most
            if not good:
                raise ParameterError(f"option {name} = {shown(value)}: must be {must}")
            if kind is float:
                object.__setattr__(self, name, float(value))


def build(kind: Any, owner: str, given: Mapping[str, Any]) -> Any:
    """Options of a class from names and values; ``owner``, in messages, is whose they are.

    Raises: ParameterError for an option that does not exist, is missing, or has a bad value.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in given:
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise ParameterError(f"unknown option {shown(name)} of {owner}: allowed are {known}")
    for name, field in fields.items():
        nothing = field.default is field.default_factory is dataclasses.MISSING
        if name not in given and nothing:
            raise ParameterError(f"{owner} needs the option {name!r}")
    return kind(**given)
