"""The contract of a generator and the one registry of names.

``generator(name, **options).sample(indices, size, seed, device)`` gives uint8 pictures; picture i depends on
(name, options, seed, i, size) alone. A family subclasses :class:`Generator`, declares its options as a frozen dataclass,
and implements ``paint``: everything else (validation, chunks, sizes) is here.
"""

import dataclasses
import difflib
import functools
import importlib
import importlib.metadata
import itertools
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError, SynthlearnError
from ..core.image import SIZES, area_resize
from ..core.options import Options, as_indices, build, check_device, shown, whole

MOST_MEMORY = 16 << 30  # of a chunk on a GPU: that is thousands of pictures, enough to keep it busy
SCENE = (
    128  # pixels at which the papers state their laws; smaller pictures are these, area-averaged
)


class Generator:
    """A deterministic source of pictures. Subclasses set the class attributes and implement :meth:`paint`.

    The random integers are the same on every device; floating-point rounding may move a GPU's picture off a CPU's by half a level
    on average (tested where there is a GPU). On one kind of processor pictures are equal to the bit.
    """

    Options: ClassVar[type[Options]] = Options
    revision: ClassVar[int] = 1  # raised whenever the pictures change
    scene: ClassVar[int] = (
        SCENE  # pictures smaller than this are painted at it and area-averaged; 0: always at their own size
    )
    work_bytes: ClassVar[int] = 2 << 20  # at least the peak of painting a 128-px picture

    def __init__(self, name: str, options: Any) -> None:
        self.name, self.options = name, options  # options: of the class's Options

    def __repr__(self) -> str:
        return f"<generator {self.name} {dataclasses.asdict(self.options)}>"

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """Pictures for int64 ``indices`` (n,) with their random ``keys`` (n,): uint8 (n, 3, size, size) on the keys' device."""
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        """What decides the pictures besides seed, index and size: JSON-able, part of a record."""
        return {
            "generator": self.name,
            "options": dataclasses.asdict(self.options),
            "revision": self.revision,
        }

    def scene_size(self, size: int) -> int:
        """Side in pixels at which pictures of side ``size`` are painted."""
        return max(size, self.scene)

    @torch.no_grad()
    def sample(
        self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu"
    ) -> Tensor:
        """Pictures by index.

        Args:
            indices: whole numbers from 0, any order, repeats allowed; (n,).
            size: side in pixels, 8 … 1024.
            seed: whole number from 0; another seed is another set.
            device: "cpu", "cuda" or "cuda:N".

        Returns: uint8 (n, 3, size, size) on ``device``.
        Raises: ParameterError for a size, seed, index or device that cannot be;
        torch.OutOfMemoryError where not even one picture fits (a chunk that does not is halved).
        """
        size, seed = whole("size", size, *SIZES), whole("seed", seed)
        check_device(device)
        index = as_indices(indices).to(device)
        canvas = self.scene_size(size)
        out = torch.empty((len(index), 3, size, size), dtype=torch.uint8, device=device)
        chunk, threads = self.chunk(canvas, device), torch.get_num_threads()
        keys = rng.key(self.name.split("-")[0], seed, index, device=device)

        def work(start: int, chunk: int) -> None:
            part = slice(start, start + chunk)
            with torch.no_grad():  # a setting of each thread
                painted = self._painted(keys[part], index[part], canvas, seed)
                must = (len(keys[part]), 3, canvas, canvas)
                if (
                    not isinstance(painted, Tensor)
                    or painted.dtype != torch.uint8
                    or painted.shape != must
                ):
                    found = (
                        f"{painted.dtype} {tuple(painted.shape)}"
                        if isinstance(painted, Tensor)
                        else f"a {type(painted).__name__}"
                    )
                    raise ParameterError(
                        f"generator {self.name!r}: paints {found}, must give uint8 {must}; mend its paint()"
                    )
                out[part] = area_resize(painted, size)

        if device != "cpu" or threads == 1:
            start = 0
            while start < len(index):
                try:
                    work(start, chunk)
                    start += chunk
                except torch.OutOfMemoryError:  # others use the device, too
                    if chunk == 1:
                        raise
                    chunk = -(-min(chunk, len(index) - start) // 2)
            return out
        # Chunks side by side, each on one thread: sums split over threads round in another order,
        # and scatters, most of the work, do not use several threads themselves. A setting in one
        # thread reaches some of torch's libraries for all, so it is put back whatever happens.
        torch.set_num_threads(1)
        try:
            set_threads = torch.set_num_threads
            with ThreadPoolExecutor(threads, initializer=set_threads, initargs=(1,)) as workers:
                list(workers.map(work, range(0, len(index), chunk), itertools.repeat(chunk)))
        finally:
            torch.set_num_threads(threads)
        return out

    def _painted(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """:meth:`paint`; whatever another package's raises becomes a ParameterError that names the generator, but for a lack of memory."""
        try:
            return self.paint(keys, indices, size, seed)
        except (Exception, SystemExit) as error:
            ours = type(self).__module__.startswith(__package__) or isinstance(
                error, SynthlearnError
            )
            lacking = isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in str(
                error
            )
            if ours or lacking:
                raise
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise ParameterError(
                f"generator {self.name!r}: its paint() of {type(self).__module__} fails ({why}); mend it, or uninstall that package"
            ) from error

    def chunk(self, canvas: int, device: str) -> int:
        """How many pictures to paint at once, in :func:`working_memory`."""
        return max(1, int(working_memory(device) // (self.work_bytes * (canvas / SCENE) ** 2)))


def working_memory(device: str | torch.device) -> int:
    """Bytes that a chunk may take.

    64 MiB on a CPU: it should stay near the caches. On a GPU a quarter of what is free there, at
    most 16 GiB; what torch's allocator holds and nothing uses is free, too.
    """
    device = torch.device(device)
    if device.type != "cuda":
        return 1 << 26
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(MOST_MEMORY, (torch.cuda.mem_get_info(device)[0] + unused) // 4)


_REGISTRY: dict[str, tuple[type[Generator], dict[str, Any]]] = {}


def register(name: str, **defaults: Any) -> Callable[[type[Generator]], type[Generator]]:
    """Class decorator: make a generator known as ``name``, with other defaults for its options.

    Raises: ParameterError for a name that another class has or that no file could have, a class
    that is no Generator, or a default of no option.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", name, re.ASCII):
        raise ParameterError(
            f"generator name {shown(name)}: must be of letters, digits, '_', '.' and '-', at most 100: files are called by it"
        )

    def add(cls: type[Generator]) -> type[Generator]:
        if (
            not isinstance(cls, type)
            or not issubclass(cls, Generator)
            or not dataclasses.is_dataclass(cls.Options)
            or cls.work_bytes <= 0
        ):
            raise ParameterError(
                f"generator {name!r}: {shown(cls)} must be a subclass of Generator, with a dataclass of Options and work_bytes above 0"
            )
        holder = _REGISTRY[name][0] if name in _REGISTRY else cls
        same = holder.__module__ == cls.__module__ and holder.__qualname__ == cls.__qualname__
        if not same:  # the same class is another object when its module is run again
            where = holder.__module__
            raise ParameterError(f"generator name {name!r}: taken by {where}; choose another")
        unknown = defaults.keys() - {f.name for f in dataclasses.fields(cls.Options)}
        if unknown:
            wrong = f"a default for {min(unknown)!r}, which is no option of it"
            raise ParameterError(f"generator {name!r}: registered with {wrong}")
        _REGISTRY[name] = (cls, defaults)
        return cls

    return add


@functools.cache
def _load() -> None:
    """Import all families, ours and those of the entry points ``synthlearn.generators``, once.

    A package that does not load is named on stderr; the others' generators are there.
    """
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    try:
        offered = list(importlib.metadata.entry_points(group="synthlearn.generators"))
    except Exception as error:  # one installed package with damaged metadata is enough
        _warn("installed packages that offer generators cannot be listed", error)
        return
    for entry in offered:
        try:
            entry.load()
        except (
            Exception,
            SystemExit,
            GeneratorExit,
        ) as error:  # whatever another's code does when it is imported
            point = f"{entry.name!r} ({entry.value})"
            _warn(f"generators of the entry point {point} cannot be loaded", error)


def _warn(what: str, error: BaseException) -> None:
    why = " ".join(f"{type(error).__name__}: {error}".split())
    line = f"warning: {what} ({why}); all others work. Mend or uninstall that package"
    print(line, file=sys.stderr)


def names() -> list[str]:
    """All registered names, sorted."""
    _load()
    return sorted(_REGISTRY)


def generator_class(name: str) -> type[Generator]:
    """The class behind a name. Raises ParameterError, with the nearest name, when there is none."""
    if name not in names():
        near = difflib.get_close_matches(str(name), _REGISTRY, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        where = "All names: python -m synthlearn list"
        raise ParameterError(f"unknown generator {shown(name)}: {hint}{where}")
    return _REGISTRY[name][0]


def default_options(name: str) -> dict[str, Any]:
    """Option names of a generator and their defaults; required ones map to ``dataclasses.MISSING``."""
    cls = generator_class(name)
    return {
        f.name: _REGISTRY[name][1].get(f.name, f.default) for f in dataclasses.fields(cls.Options)
    }


def generator(name: str, /, **options: Any) -> Generator:
    """A generator by name, with options.

    Raises: ParameterError for an unknown name or option, or an option of the wrong type or value.
    """
    cls = generator_class(name)
    return cls(name, build(cls.Options, f"generator {name!r}", {**_REGISTRY[name][1], **options}))
