"""Things that are called by name: generators, methods, sources, measurements, rules.

A family's file registers its own; the files of a package are found by themselves, so that a further
one needs no list to be edited.
"""

import dataclasses
import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from .errors import ExtensionError, ParameterError, SynthlearnError, described
from .options import Options, shown

T = TypeVar("T")
# what a class of options says of its options, and of which types
LIMITS: dict[str, Any] = {"allowed": tuple | list, "at_least": int | float, "at_most": int | float}


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

        Raises: ParameterError for a name that is taken or none, and for a thing that lacks what its
        kind has to have.
        """
        if not isinstance(name, str) or not name.strip():
            must = f'must be a text, as in @{self.kind}("name")'
            raise ParameterError(f"name of a {self.kind} = {shown(name)}: {must}")

        def add(thing: T) -> T:
            holder = self._entries.get(name)
            # the same thing is another object when its module is run again
            if holder is not None and _place(holder) != _place(thing):
                taken = f"taken by {_place(holder)}; choose another"
                raise ParameterError(f"{self.kind} {shown(name)}: {taken}")
            if wrong := self._lacks(thing):
                raise ExtensionError(f"{self.kind} {shown(name)}: {wrong}; mend {_place(thing)}")
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
        try:
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                self._import(f"{self.package}.{module.name}")
        except BaseException:
            self._complete = False
            raise

    def _import(self, module: str) -> None:
        try:
            importlib.import_module(module)
        except ParameterError as error:  # of what it registers
            raise ExtensionError(f"{module}: {error}") from error
        except (SynthlearnError, MemoryError):
            raise
        except Exception as error:
            remedy = "mend that file, or take it out of its folder"
            why = described(error, module)
            raise ExtensionError(f"{module} cannot be imported ({why}); {remedy}") from error

    def _lacks(self, thing: Any) -> str:
        """What keeps a thing from being one of its kind, "" for nothing.

        The contract is the class of the kind's name in the package's ``base``, where there is one.
        """
        base: Any = getattr(sys.modules.get(f"{self.package}.base"), self.kind.title(), None)
        if not inspect.isclass(base):
            return ""
        if not (inspect.isclass(thing) and issubclass(thing, base)):
            return f"must be a subclass of {self.kind.title()}"
        for name, function in vars(base).items():
            code = getattr(function, "__code__", None)
            abstract = code is not None and "NotImplementedError" in code.co_names
            if abstract and getattr(thing, name) is function:
                return f"lacks {name}(), which a {self.kind} has to have"
        if "Options" not in getattr(base, "__annotations__", {}):
            return ""
        return _wrong_options(getattr(thing, "Options", None))


def _wrong_options(options: Any) -> str:
    """What is wrong with a class of options, "" for nothing."""
    if not (inspect.isclass(options) and issubclass(options, Options)):
        return f"Options = {shown(options)}: must be a frozen dataclass on core.options.Options"
    fields = {field.name: field for field in dataclasses.fields(options)}
    known, kind = ", ".join(fields) or "none", options.__name__
    for name, value in vars(options).items():
        if name.startswith("_") or name in fields or name in LIMITS or callable(value):
            continue
        if not isinstance(value, property | classmethod | staticmethod):
            typed = f"an option has a type, as in {name}: int = 1, under @dataclass(frozen=True)"
            return f"{kind}.{name} does nothing: {typed}; limits are {', '.join(LIMITS)}"
    for limit, kinds in LIMITS.items():
        for name, value in getattr(options, limit).items():
            if name not in fields:
                return f"{kind}.{limit} names {name!r}, no option; options are {known}"
            if not isinstance(value, kinds):
                must = "a tuple of values" if limit == "allowed" else "a number"
                return f"{kind}.{limit}[{name!r}] = {shown(value)}: must be {must}"
    nothing = dataclasses.MISSING
    whole = all((f.default, f.default_factory) != (nothing, nothing) for f in fields.values())
    if whole and options.__post_init__ is Options.__post_init__:  # its own may ask for more
        try:
            options()
        except (ParameterError, NameError, TypeError) as error:
            return f"{kind}: a default is not allowed: {error}"
    return ""


def _place(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', repr(thing))}"
