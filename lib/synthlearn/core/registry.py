"""Things that are called by name: generators, methods, sources, measurements, rules.

A family's file registers its own; the files of a package are found by themselves, so that a further
one needs no list to be edited.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from .errors import ParameterError
from .options import shown

T = TypeVar("T")


class Registry(Generic[T]):
    """Names of one kind of thing.

    Args:
        kind: what they are, in messages: "method".
        package: whose modules register, as "synthlearn.learn.methods"; they are imported when a
            name is first asked for.
        where: how a reader finds all names, for the message.
    """

    def __init__(self, kind: str, package: str, where: str = "") -> None:
        self.kind, self.package, self.where = kind, package, where
        self._entries: dict[str, T] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: make a thing known as ``name``.

        Raises: ParameterError for a name that is taken.
        """

        def add(thing: T) -> T:
            holder = self._entries.get(name)
            # the same thing is another object when its module is run again
            if holder is not None and _place(holder) != _place(thing):
                taken = f"taken by {_place(holder)}; choose another"
                raise ParameterError(f"{self.kind} {shown(name)}: {taken}")
            self._entries[name] = thing
            return thing

        return add

    def __getitem__(self, name: str) -> T:
        """The thing of a name. Raises ParameterError, with the nearest name, when there is none."""
        self._load()
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(str(name), self._entries, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        rest = self.where or f"must be one of {', '.join(self._entries)}"
        raise ParameterError(f"{self.kind} = {shown(name)}: {hint}{rest}")

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries

    def items(self) -> Iterator[tuple[str, T]]:
        """Names with their things, in the order in which they were registered."""
        self._load()
        return iter(self._entries.items())

    def _load(self) -> None:
        if self._complete:
            return
        self._complete = True  # before: modules of the package may ask for names themselves
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")


def _place(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', repr(thing))}"
