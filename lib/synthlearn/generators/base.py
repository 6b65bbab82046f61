"""The contract of a generator and the one registry of names.

``generator(name, **options).sample(indices, size, seed, device)`` gives uint8 pictures; picture i depends on
(name, options, seed, i, size) alone. A family subclasses :class:`Generator`, declares its options as a frozen dataclass,
and implements ``paint``: everything else (validation, chunks, sizes) is here.
"""

import dataclasses
import difflib
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import rng
from ..errors import ParameterError
from ..image import area_resize

SCENE = 128  # pixels at which the papers state their laws; smaller pictures are these, area-averaged
SIZES = (8, 1024)


@dataclasses.dataclass(frozen=True)
class Options:
    """Base of all option sets: frozen, typed, validated by type and by the class attribute ``allowed`` where given."""

    allowed: ClassVar[dict[str, tuple[Any, ...]]] = {}
    at_least: ClassVar[dict[str, float]] = {}

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), field.type
            if kind is float and isinstance(value, int) and not isinstance(value, bool):
                object.__setattr__(self, field.name, float(value))
            elif isinstance(kind, type) and (not isinstance(value, kind) or (kind is not bool and isinstance(value, bool))):
                raise ParameterError(f"option {field.name} = {value!r}: must be of type {kind.__name__}")
            if field.name in self.allowed and value not in self.allowed[field.name]:
                raise ParameterError(f"option {field.name} = {value!r}: must be one of {', '.join(map(repr, self.allowed[field.name]))}")
            if field.name in self.at_least and value < self.at_least[field.name]:
                raise ParameterError(f"option {field.name} = {value!r}: must be at least {self.at_least[field.name]}")


class Generator:
    """A deterministic source of pictures. Subclasses set the class attributes and implement :meth:`paint`.

    The random integers are the same on every device; floating-point rounding may move a GPU's picture off a CPU's by half a level
    on average (tested where there is a GPU). On one kind of processor pictures are equal to the bit.
    """

    Options: ClassVar[type[Options]] = Options
    revision: ClassVar[int] = 1  # raised whenever the pictures change
    scene: ClassVar[int] = SCENE  # pictures smaller than this are painted at it and area-averaged; 0: always at their own size
    work_bytes: ClassVar[int] = 1 << 20  # memory that painting one 128-px picture takes, for the size of a chunk

    def __init__(self, name: str, options: Any) -> None:
        self.name, self.options = name, options  # options: of the class's Options

    def __repr__(self) -> str:
        return f"<generator {self.name} {dataclasses.asdict(self.options)}>"

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """Pictures for int64 ``indices`` (n,) with their random ``keys`` (n,): uint8 (n, 3, size, size) on the keys' device."""
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        """What decides the pictures besides seed, index and size: JSON-able, part of a record."""
        return {"generator": self.name, "options": dataclasses.asdict(self.options), "revision": self.revision}

    def scene_size(self, size: int) -> int:
        """Side in pixels at which pictures of side ``size`` are painted."""
        return max(size, self.scene)

    @torch.no_grad()
    def sample(self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Pictures by index.

        Args:
            indices: non-negative integers, any order, repeats allowed; (n,).
            size: side in pixels, 8 … 1024.
            seed: whole number; another seed is another set.
            device: "cpu", "cuda" …

        Returns: uint8 (n, 3, size, size) on ``device``.
        Raises: ParameterError for a size, index or device that cannot be.
        """
        if not isinstance(size, int) or not SIZES[0] <= size <= SIZES[1]:
            raise ParameterError(f"size = {size!r}: must be a whole number from {SIZES[0]} to {SIZES[1]} pixels")
        check_device(device)
        index = torch.as_tensor(indices if isinstance(indices, Tensor) else list(indices), dtype=torch.int64).to(device)
        if index.numel() and int(index.min()) < 0:
            raise ParameterError(f"index {int(index.min())}: indices must be 0 or more")
        canvas = self.scene_size(size)
        out = torch.empty((len(index), 3, size, size), dtype=torch.uint8, device=device)
        chunk = self.chunk(canvas, device)
        keys = rng.key(self.name.split("-")[0], seed, index, device=device)

        def work(start: int) -> None:
            part = slice(start, start + chunk)
            with torch.no_grad():  # a setting of each thread
                out[part] = area_resize(self.paint(keys[part], index[part], canvas, seed), size)

        starts, threads = range(0, len(index), chunk), torch.get_num_threads()
        if device == "cpu" and threads > 1 and len(starts) > 1:
            # Chunks side by side, each on one thread: scatters, which are most of the work, do not use several threads themselves.
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as workers:
                list(workers.map(work, starts))
            torch.set_num_threads(threads)  # the workers' setting reaches some of torch's libraries for all threads
        else:
            for start in starts:
                work(start)
        return out

    def chunk(self, canvas: int, device: str) -> int:
        """How many pictures to paint at once: 64 MiB of working memory on a CPU (it should stay near the caches), a quarter of what is free on a GPU."""
        memory = torch.cuda.mem_get_info()[0] // 4 if device.startswith("cuda") else 1 << 26
        return max(1, int(memory // (self.work_bytes * (canvas / SCENE) ** 2)))


def check_device(device: str) -> None:
    """Raise ParameterError unless torch can compute on ``device``."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        present = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise ParameterError(f"device = {device!r}: not on this machine; present: {', '.join(present)}") from error


_REGISTRY: dict[str, tuple[type[Generator], dict[str, Any]]] = {}


def register(name: str, **defaults: Any) -> Callable[[type[Generator]], type[Generator]]:
    """Class decorator: make a generator known as ``name``, with other defaults for some of its options."""

    def add(cls: type[Generator]) -> type[Generator]:
        _REGISTRY[name] = (cls, defaults)
        return cls

    return add


def _load() -> None:
    """Import every family of this package, and those that others' packages offer under ``synthlearn.generators``."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    for entry in importlib.metadata.entry_points(group="synthlearn.generators"):
        entry.load()


def names() -> list[str]:
    """All registered names, sorted."""
    _load()
    return sorted(_REGISTRY)


def generator_class(name: str) -> type[Generator]:
    """The class behind a name. Raises ParameterError, with the nearest name, when there is none."""
    if name not in names():
        near = difflib.get_close_matches(name, _REGISTRY, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ParameterError(f"unknown generator {name!r}: {hint}All names: python -m synthlearn list")
    return _REGISTRY[name][0]


def default_options(name: str) -> dict[str, Any]:
    """Option names of a generator and their defaults; required ones map to ``dataclasses.MISSING``."""
    cls = generator_class(name)
    return {f.name: _REGISTRY[name][1].get(f.name, f.default) for f in dataclasses.fields(cls.Options)}


def generator(name: str, **options: Any) -> Generator:
    """A generator by name, with options.

    Raises: ParameterError for an unknown name or option, or an option of the wrong type or value.
    """
    cls = generator_class(name)
    known = default_options(name)
    for option in options:
        if option not in known:
            raise ParameterError(f"unknown option {option!r} of generator {name!r}: allowed are {', '.join(known) or 'none'}")
    chosen = {**known, **options}
    for option, value in chosen.items():
        if value is dataclasses.MISSING:
            raise ParameterError(f"generator {name!r} needs the option {option!r}")
    return cls(name, cls.Options(**chosen))
