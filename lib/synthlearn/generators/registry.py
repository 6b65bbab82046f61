"""Generators by name: this package's families and those that other packages offer.

A family's file registers its class under each of its names; other packages name their modules in
the entry-point group ``synthlearn.generators``.
"""

import dataclasses
import importlib.metadata
import re
import sys
from collections.abc import Callable
from typing import Any

from ..core.errors import ParameterError
from ..core.options import build, shown
from ..core.registry import Registry
from .base import Generator

GROUP = "synthlearn.generators"  # of the entry points
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)  # files are called by it


class GeneratorRegistry(Registry[type[Generator]]):
    """Classes by name, each name with defaults of its own for the class's options."""

    def __init__(self) -> None:
        super().__init__("generator", __package__, "All names: python -m synthlearn list")
        self.defaults: dict[str, dict[str, Any]] = {}

    def __getitem__(self, name: str) -> type[Generator]:
        try:
            return super().__getitem__(name)
        except ParameterError as error:  # a name is an argument of its own here, no setting
            _, _, hint = str(error).partition(f" = {shown(name)}: ")
            raise ParameterError(f"unknown generator {shown(name)}: {hint}") from None

    def _load(self) -> None:
        if not self._complete:
            super()._load()
            load_entry_points()


REGISTRY = GeneratorRegistry()


def register(name: str, **defaults: Any) -> Callable[[type[Generator]], type[Generator]]:
    """Class decorator: make a generator known as ``name``, with other defaults for its options.

    Raises: ParameterError for a name that another class has or that no file could have, a class
    that is no Generator, or a default of no option.

    >>> from synthlearn.generators.noise import WhiteNoise
    >>> register("noise-white")(WhiteNoise).__name__  # its own class may take a name again
    'WhiteNoise'
    >>> register("noise/white")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    synthlearn.core.errors.ParameterError: generator name 'noise/white': must be of letters, ...
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        must = "of letters, digits, '_', '.' and '-', at most 100: files are called by it"
        raise ParameterError(f"generator name {shown(name)}: must be {must}")

    def add(cls: type[Generator]) -> type[Generator]:
        if not _is_generator(cls):
            must = "a subclass of Generator, with a dataclass of Options and work_bytes above 0"
            raise ParameterError(f"generator {name!r}: {shown(cls)} must be {must}")
        unknown = defaults.keys() - {field.name for field in dataclasses.fields(cls.Options)}
        if unknown:
            wrong = f"a default for {min(unknown)!r}, which is no option of it"
            raise ParameterError(f"generator {name!r}: registered with {wrong}")
        REGISTRY.register(name)(cls)
        REGISTRY.defaults[name] = defaults
        return cls

    return add


def _is_generator(cls: Any) -> bool:
    return (
        isinstance(cls, type)
        and issubclass(cls, Generator)
        and dataclasses.is_dataclass(cls.Options)
        and cls.work_bytes > 0
    )


def load_entry_points() -> None:
    """Import what other packages offer; one that does not load is named on stderr, no more.

    >>> before = names()
    >>> load_entry_points()  # what is loaded already registers nothing new
    >>> names() == before
    True
    """
    try:
        offered = list(importlib.metadata.entry_points(group=GROUP))
    except Exception as error:  # one installed package with damaged metadata is enough
        _warn("installed packages that offer generators cannot be listed", error)
        return
    for entry in offered:
        try:
            entry.load()
        # whatever another's code does when it is imported
        except (Exception, SystemExit, GeneratorExit) as error:
            point = f"{entry.name!r} ({entry.value})"
            _warn(f"generators of the entry point {point} cannot be loaded", error)


def _warn(what: str, error: BaseException) -> None:
    why = " ".join(f"{type(error).__name__}: {error}".split())
    line = f"warning: {what} ({why}); all others work. Mend or uninstall that package"
    print(line, file=sys.stderr)


def names() -> list[str]:
    """All registered names, sorted.

    >>> "dead_leaves-mixed" in names()
    True
    """
    return sorted(REGISTRY)


def generator_class(name: str) -> type[Generator]:
    """The class behind a name. Raises ParameterError, with the nearest name, when there is none.

    >>> generator_class("dead_leaves-squares").__name__
    'DeadLeaves'
    """
    return REGISTRY[name]


def default_options(name: str) -> dict[str, Any]:
    """Options of a generator with their defaults; of a required one it is ``dataclasses.MISSING``.

    Raises: ParameterError for an unknown name.

    >>> default_options("dead_leaves-squares")
    {'shape': 'square', 'law': 'scene'}
    """
    fields = dataclasses.fields(generator_class(name).Options)
    return {f.name: REGISTRY.defaults[name].get(f.name, f.default) for f in fields}


def generator(name: str, /, **options: Any) -> Generator:
    """A generator by name, with options; ``python -m synthlearn list`` prints both.

    Raises: ParameterError for an unknown name or option, or an option of the wrong type or value.

    >>> import synthlearn as sl
    >>> squares = sl.generator("dead_leaves-mixed", shape="square")
    >>> squares.sample(range(4), size=32).shape
    torch.Size([4, 3, 32, 32])
    """
    cls = generator_class(name)
    given = {**REGISTRY.defaults[name], **options}
    return cls(name, build(cls.Options, f"generator {name!r}", given))
