"""Sources of images by name: one registry over generators, captioned images, folders and real
sets."""

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

from ..core.errors import ParameterError
from ..core.options import shown
from ..core.registry import Registry
from ..core.source import Source
from ..generators import generator, generator_class, names

# all but generators, which have names and defaults of their own; text2image stands above this room
SOURCES: Registry[type[Source]] = Registry("source", "synthlearn.text2image")
S = TypeVar("S", bound=type[Source])


def register(name: str) -> Callable[[S], S]:
    """Class decorator: make a source known as ``name``.

    >>> register("real")(source_class("real")).__name__  # its own class may take a name again
    'RealImages'
    >>> register("real")(Source)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    synthlearn.core.errors.ParameterError: source 'real': taken by synthlearn.data.real...
    """

    def add(kind: S) -> S:
        SOURCES.register(name)(kind)
        return kind

    return add


def source_class(name: str) -> type[Source]:
    """The class behind a source's name. Raises ParameterError, with the nearest name, for none.

    >>> source_class("folder").__name__, source_class("noise-white").__name__
    ('Folder', 'WhiteNoise')
    """
    if name in SOURCES:
        return SOURCES[name]
    if name in names():
        return generator_class(name)
    every = [*SOURCES, *names()]
    near = difflib.get_close_matches(str(name), every, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    others = f"{', '.join(SOURCES)}, or a generator (python -m synthlearn list)"
    raise ParameterError(f"unknown source {shown(name)}: {hint}There are {others}")


def source(name: str, /, **options: Any) -> Source:
    """A source of images by name, with its options.

    Args:
        name: of a generator; "real" (option ``data``, a real set), "folder" (option ``path``);
            "mosaic", "gaussian", "learned" or "captioned": images that have captions.

    Raises: ParameterError for a name or option that does not exist, or cannot be.

    >>> source("real", data="digits").spec()["real"], source("noise-white").kind
    ('digits', 'generator')
    """
    kind = source_class(name)
    return generator(name, **options) if kind.kind == "generator" else kind.of(options)
