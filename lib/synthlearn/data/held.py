"""A source in the hands of others' programs: checked when it is given, and light to pickle."""

from dataclasses import dataclass
from typing import Any

from ..core.errors import DataError, ParameterError
from ..core.options import shown, whole
from ..core.source import Source
from ..generators import Generator
from . import sources


def checked_source(source: Any) -> Source:
    """A source by itself or by its name. Raises ParameterError for what is none.

    >>> checked_source("noise-white").name
    'noise-white'
    """
    if isinstance(source, str):
        return sources.source(source)
    if not isinstance(source, Source):
        must = "must be a name (python -m synthlearn list), or a source, as sl.generator(…)"
        raise ParameterError(f"source = {shown(source)}: {must}")
    return source


def number_of(source: Source) -> int | None:
    """How many images a source has, of a folder or a real set; None: without end.

    >>> number_of(sources.source("real", data="digits")), number_of(sources.source("noise-white"))
    (1000, None)
    """
    number = getattr(source, "number", None)
    return None if number is None else int(number())


def checked_number(name: str, value: Any, source: Source) -> int:
    """A number of images of a source, from 1.

    Raises: DataError where the source has fewer, ParameterError for what is no number.

    >>> checked_number("n", 20, sources.source("noise-white"))
    20
    """
    n, there = whole(name, value, 1), number_of(source)
    if there is not None and n > there:
        raise DataError(f"{name} = {n}: {source.name} has {there} images; lower {name}")
    return n


@dataclass(frozen=True)
class _Recipe:
    """What a generator is made of."""

    kind: type[Generator]
    name: str
    options: Any


class Held:
    """Holds ``source``, and can be pickled with any of ours, so that workers may be spawned.

    A generator travels as its class, name and options: what it keeps for speed, locks with it,
    stays where it is.
    """

    source: Source

    def __getstate__(self) -> dict[str, Any]:
        state, source = dict(vars(self)), self.source
        if isinstance(source, Generator):
            state["source"] = _Recipe(type(source), source.name, source.options)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(recipe := state["source"], _Recipe):
            self.source = recipe.kind(recipe.name, recipe.options)
