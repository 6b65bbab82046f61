"""The contract of a generator: images by index.

Image i of ``generator.sample(indices, size, seed, device)`` depends on (name, options, seed, i,
size) alone. A family subclasses :class:`Generator`, declares its options as a frozen dataclass, and
implements ``paint``; checks, random keys, chunks, threads and sizes are here.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core import rng
from ..core.errors import ParameterError, SynthlearnError
from ..core.image import SIZES, area_resize
from ..core.options import Options, as_indices, check_device, whole
from ..core.source import Source

CPU_MEMORY = 1 << 26  # bytes of a chunk on a CPU, which should stay near the caches; chosen here
MOST_MEMORY = 16 << 30  # of a chunk on a GPU: thousands of images, enough to keep it busy
SCENE = 128  # pixels at which the papers state their laws


class Generator(Source):
    """A deterministic source of images; subclasses set the attributes and implement ``paint``.

    The random integers are the same on every device; floating-point rounding may move a GPU's
    image off a CPU's by half a level on average (tested where there is a GPU). On one kind of
    processor images are equal to the bit.
    """

    kind: ClassVar[str] = "generator"
    Options: ClassVar[type[Options]] = Options
    #: raised whenever the images change
    revision: ClassVar[int] = 1
    #: names the random numbers; where a class gives none, the generator's name up to its first "-"
    stream: ClassVar[str] = ""
    #: smaller images are painted at this side and area-averaged; 0: always at their own size
    scene: ClassVar[int] = SCENE
    #: at least the peak of painting a 128-px image
    work_bytes: ClassVar[int] = 2 << 20

    def __init__(self, name: str, options: Any) -> None:
        self.name = name
        self.options = options  # of the class's Options

    def __repr__(self) -> str:
        return f"<generator {self.name} {dataclasses.asdict(self.options)}>"

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """Pictures of a chunk: what a family implements.

        Args:
            keys: int64 (n,), as of :meth:`keys`.
            indices: int64 (n,).
            size: side in pixels, as of :meth:`scene_size`.
            seed: whole number from 0; ``keys`` hold it already.

        Returns: uint8 (n, 3, size, size) on the keys' device.
        """
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        """What decides the images besides seed, index and size: JSON-able, part of a record."""
        return {
            "generator": self.name,
            "options": dataclasses.asdict(self.options),
            "revision": self.revision,
        }

    def keys(
        self, indices: Iterable[int] | Tensor, seed: int = 0, device: str | torch.device = "cpu"
    ) -> Tensor:
        """The random keys of images, int64 (n,) on ``device``: the one place where they are made.

        Raises: ParameterError for a seed or index that cannot be.

        >>> import synthlearn as sl
        >>> sl.generator("noise-white").keys(range(3)).shape
        torch.Size([3])
        """
        stream = self.stream or self.name.split("-")[0]
        index = indices if isinstance(indices, Tensor) else as_indices(indices)
        return rng.key(stream, whole("seed", seed), index, device=device)

    def scene_size(self, size: int) -> int:
        """Side in pixels at which images of side ``size`` are painted."""
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
        torch.OutOfMemoryError where not even one image fits (a chunk that does not is halved).

        >>> import synthlearn as sl
        >>> leaves = sl.generator("dead_leaves-mixed")
        >>> pictures = leaves.sample([7, 3], size=32, seed=1)
        >>> pictures.shape, pictures.dtype
        (torch.Size([2, 3, 32, 32]), torch.uint8)
        >>> bool((leaves.sample([3], size=32, seed=1)[0] == pictures[1]).all())
        True
        """
        size, seed = whole("size", size, *SIZES), whole("seed", seed)
        device = check_device(device)
        index = as_indices(indices).to(device)
        keys = self.keys(index, seed, device)
        canvas = self.scene_size(size)
        out = torch.empty((len(index), 3, size, size), dtype=torch.uint8, device=device)

        def fill(start: int, chunk: int) -> None:
            part = slice(start, start + chunk)
            with torch.no_grad():  # a setting of each thread
                painted = self._painted(keys[part], index[part], canvas, seed)
                out[part] = area_resize(painted, size)

        chunk = self.chunk(canvas, device)
        if device == "cpu" and torch.get_num_threads() > 1:
            _side_by_side(fill, len(index), chunk)
        else:
            _one_by_one(fill, len(index), chunk)
        return out

    def _painted(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        """:meth:`paint`, checked.

        Whatever another package's raises becomes a ParameterError that names the generator, but for
        a lack of memory.
        """
        try:
            painted = self.paint(keys, indices, size, seed)
        except (Exception, SystemExit) as error:
            ours = type(self).__module__.startswith(__package__)
            lacking = isinstance(error, MemoryError | torch.OutOfMemoryError)
            if ours or lacking or isinstance(error, SynthlearnError) or "memory" in str(error):
                raise
            why = " ".join(f"{type(error).__name__}: {error}".split())
            place = f"its paint() of {type(self).__module__} fails ({why})"
            remedy = "mend it, or uninstall that package"
            raise ParameterError(f"generator {self.name!r}: {place}; {remedy}") from error
        must = (len(keys), 3, size, size)
        if not isinstance(painted, Tensor):
            what = f"a {type(painted).__name__}"
        elif painted.dtype != torch.uint8 or painted.shape != must:
            what = f"{painted.dtype} {tuple(painted.shape)}"
        else:
            return painted
        wrong = f"paints {what}, must give uint8 {must}; mend its paint()"
        raise ParameterError(f"generator {self.name!r}: {wrong}")

    def chunk(self, canvas: int, device: str) -> int:
        """How many images to paint at once, in :func:`working_memory`."""
        return max(1, int(working_memory(device) // (self.work_bytes * (canvas / SCENE) ** 2)))


def _one_by_one(fill: Callable[[int, int], None], n: int, chunk: int) -> None:
    """Fill n images in chunks, smaller ones where the device's memory does not hold them."""
    start = 0
    while start < n:
        try:
            fill(start, chunk)
            start += chunk
        except torch.OutOfMemoryError:  # others use the device, too
            if chunk == 1:
                raise
            chunk = -(-min(chunk, n - start) // 2)


def _side_by_side(fill: Callable[[int, int], None], n: int, chunk: int) -> None:
    """Fill n images in chunks side by side, each on one thread.

    Sums split over threads round in another order, and scatters, most of the work, do not use
    several threads themselves. A setting in one thread reaches some of torch's libraries for all,
    so it is put back whatever happens.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        set_threads = torch.set_num_threads
        with ThreadPoolExecutor(threads, initializer=set_threads, initargs=(1,)) as workers:
            list(workers.map(fill, range(0, n, chunk), itertools.repeat(chunk)))
    finally:
        torch.set_num_threads(threads)


def working_memory(device: str | torch.device) -> int:
    """Bytes that a chunk may take.

    64 MiB on a CPU. On a GPU a quarter of what is free there, at most 16 GiB; what torch's
    allocator holds and nothing uses is free, too.
    """
    device = torch.device(device)
    if device.type != "cuda":
        return CPU_MEMORY
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(MOST_MEMORY, (torch.cuda.mem_get_info(device)[0] + unused) // 4)
