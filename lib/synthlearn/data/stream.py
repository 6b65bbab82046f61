"""From a source of images to batches of training: a fixed pool, a refreshed one, or a stream.

All are one rule. Index j of n is, in epoch e, image j + n·⌊e·r + φ_j⌋ of the source, where r is
the share of the pool that is new in every epoch and φ_j spreads the changes over the indices: r = 0
is a fixed pool, r = 1 a stream without repetition. What a run sees at a step is a function of
(seed, epoch, index), so a run that goes on after an interruption sees the same images.
"""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from ..core import deadline, files, progress
from ..core.errors import CheckpointError, ParameterError
from ..core.source import Source
from ..learn.order import Step

CHUNK = 256  # images of a call on the CPU; chosen here
CHUNK_GPU = 5000  # and on a GPU
POOLS_KEPT = 4  # in a GPU's memory, for the next rows
SLOW = 5.0  # seconds for the first CHUNK images, above which a pool is kept on disk
GOLDEN = 0.6180339887498949  # multiples of it, mod 1, fill [0, 1) evenly at any count


def pool(source: Source, n: int, size: int, seed: int = 0, device: str = "cpu") -> Tensor:
    """The first ``n`` images of a source, made once and kept under ``runs/pools``.

    A call that was cut off goes on where it stopped.
    Returns: uint8 (n, 3, s, s) on the CPU, mapped from its file, so that a pool may be larger than
    the memory.
    Raises: DataError when the disk refuses.

    >>> import os, tempfile
    >>> from unittest import mock
    >>> import synthlearn as sl
    >>> noise = sl.data.source("noise-white")
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     with mock.patch.dict(os.environ, SYNTHLEARN_RUNS=runs):
    ...         pool(noise, n=5, size=16).shape
    torch.Size([5, 3, 16, 16])
    """
    key = files.digest({"source": source.spec(), "n": n, "size": size, "seed": seed})
    name = source.name.replace(":", "-").replace("/", "-")
    path = files.runs() / "pools" / f"{name}-{key[:16]}.safetensors"
    if path.exists():
        try:
            return files.map_tensor(path, "images")
        except CheckpointError:  # damaged: make it again
            path.unlink()
    first = source.sample(torch.arange(1), size, seed, device)  # a real set keeps its own side
    with progress.bar(n, f"images of {source.name}", "image") as bar:

        def part(start: int) -> Tensor:
            deadline.check(f"pictures of {source.name}")
            bar.update(start - bar.n)
            return source.sample(torch.arange(start, min(start + CHUNK, n)), size, seed, device)

        files.grow_tensor(path, "images", (n, *first.shape[1:]), {"kind": "pool"}, part)
        bar.update(n - bar.n)
    return files.map_tensor(path, "images")


class Batches:
    """Batches of training by (epoch, indices); ``n`` indices make an epoch."""

    makes = False  # whether batches are made as they are asked for, which takes time

    def __init__(self, n: int, device: str) -> None:
        self.n, self.device = n, torch.device(device)

    def batch(self, epoch: int, indices: Tensor) -> Tensor:
        """Pictures of the indices (b,) in an epoch: uint8 (b, 3, s, s) on the training device."""
        raise NotImplementedError

    def prefetch(self, plan: Iterable[Step]) -> Iterator[tuple[Step, Tensor]]:
        """Steps with their images, in order.

        On a GPU the next batch is made in a stream of its own while the current one trains.
        """
        if self.device.type == "cuda":
            yield from self._in_a_stream(plan)
        elif self.makes and torch.get_num_threads() > 1:
            yield from self._in_a_thread(plan)
        else:
            yield from ((step, self.batch(*step[1:])) for step in plan)

    def _in_a_stream(self, plan: Iterable[Step]) -> Iterator[tuple[Step, Tensor]]:
        """On a GPU."""
        side = torch.cuda.Stream(self.device)

        def make(step: Step, planned: torch.cuda.Event) -> tuple[Step, Tensor, torch.cuda.Event]:
            with torch.cuda.stream(side):
                side.wait_event(planned)  # the indices are computed in the stream of training
                return step, self.batch(*step[1:]), side.record_event()

        with ThreadPoolExecutor(1) as worker:
            waiting = None
            for step in plan:
                planned = torch.cuda.current_stream(self.device).record_event()
                ready, waiting = waiting, worker.submit(make, step, planned)
                if ready is not None:
                    yield self._join(*ready.result())
            if waiting is not None:
                yield self._join(*waiting.result())

    def _in_a_thread(self, plan: Iterable[Step]) -> Iterator[tuple[Step, Tensor]]:
        """On a CPU: one of several threads makes the next batch while the others train."""
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as worker:
            # its setting reaches some libraries for all threads: it comes first
            worker.submit(torch.get_num_threads).result()
            with _a_thread_fewer():
                waiting: Future[Tensor] | None = None
                before: Step | None = None
                for step in plan:
                    made, waiting = waiting, worker.submit(self.batch, *step[1:])
                    if before is not None and made is not None:
                        yield before, made.result()
                    before = step
                if before is not None and waiting is not None:
                    yield before, waiting.result()

    def _join(self, step: Step, pictures: Tensor, event: Any) -> tuple[Step, Tensor]:
        """Pictures of another stream, for the stream of training to use."""
        here = torch.cuda.current_stream(self.device)
        here.wait_event(event)
        pictures.record_stream(here)
        return step, pictures


_fewer: list[int] = []  # threads that there were before each who took one and has not ended
_fewer_lock = threading.Lock()


@contextlib.contextmanager
def _a_thread_fewer() -> Iterator[None]:
    """One thread fewer than there are, for what makes batches has one of its own. Several at once
    take one between them, and the last to end gives it back, in whatever order they do."""
    with _fewer_lock:
        threads = _fewer[0] if _fewer else torch.get_num_threads()
        _fewer.append(threads)
        torch.set_num_threads(threads - 1)
    try:
        yield
    finally:
        with _fewer_lock:
            _fewer.pop()
            torch.set_num_threads(threads - 1 if _fewer else threads)


class Pool(Batches):
    """A fixed pool: uint8 (n, 3, s, s).

    It lies on the training device if it fits there, else on the CPU or mapped from disk.
    """

    def __init__(self, images: Tensor, device: str = "cpu") -> None:
        super().__init__(len(images), device)
        self.images = images.to(self.device) if _fits(images.numel(), self.device) else images

    def batch(self, epoch: int, indices: Tensor) -> Tensor:
        """As of any batches; the epoch changes nothing."""
        return self.images[indices.to(self.images.device)].to(self.device)


def _fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes of images leave a GPU enough for training.

    A CPU reads them from where they are.
    """
    return device.type == "cuda" and size < torch.cuda.mem_get_info(device)[0] // 2


# the last pools on a GPU: rows differ in their method or seed more often than in their images
_on_device: dict[str, Tensor] = {}


def device_pool(source: Source, n: int, size: int, seed: int, device: str) -> Tensor:
    """The first ``n`` images of a source in a GPU's memory: uint8 (n, 3, s, s).

    They stay there for the next rows, and are not written to disk, but for those that take minutes.

    >>> import synthlearn as sl
    >>> noise = sl.data.source("noise-white")
    >>> pictures = device_pool(noise, n=5, size=16, seed=0, device="cpu")
    >>> pictures.shape
    torch.Size([5, 3, 16, 16])
    >>> device_pool(noise, n=5, size=16, seed=0, device="cpu") is pictures  # kept
    True
    """
    key = files.digest(
        {"source": source.spec(), "n": n, "size": size, "seed": seed, "device": device}
    )
    if key not in _on_device:
        while len(_on_device) >= POOLS_KEPT:
            del _on_device[next(iter(_on_device))]
        began = time.perf_counter()
        parts = [source.sample(torch.arange(min(n, CHUNK)), size, seed, device).to(device)]
        int(parts[0].amax())  # it is there
        if time.perf_counter() - began > SLOW:
            parts = [pool(source, n, size, seed, device).to(device)]
        else:
            for start in range(len(parts[0]), n, CHUNK_GPU):
                indices = torch.arange(start, min(start + CHUNK_GPU, n))
                parts.append(source.sample(indices, size, seed, device).to(device))
        _on_device[key] = torch.cat(parts)
    return _on_device[key]


class RefreshedPool(Batches):
    """A pool of which a share is replaced in every epoch (1: a stream).

    Images are made when they are first asked for.
    """

    makes = True

    def __init__(
        self, source: Source, n: int, size: int, seed: int, device: str, refresh: float
    ) -> None:
        super().__init__(n, device)
        if not 0 < refresh <= 1:
            raise ParameterError(
                f"refresh = {refresh}: must be above 0 and at most 1, the share of the pool that "
                f"is new in every epoch; 0 is a fixed pool"
            )
        self.source, self.size, self.seed, self.refresh = source, size, seed, refresh
        self.replaced = torch.full((n,), -1)  # which replacement the pool has at an index
        self.images: Tensor | None = None  # a stream has no use for a pool

    def replacements(self, epoch: int, indices: Tensor) -> Tensor:
        """How often indices (b,) have been replaced up to an epoch, int64 (b,)."""
        return (epoch * self.refresh + (indices.double() * GOLDEN) % 1).floor().long()

    def batch(self, epoch: int, indices: Tensor) -> Tensor:
        """As of any batches; images that the pool does not hold yet are made."""
        indices = indices.cpu()
        replacement = self.replacements(epoch, indices)
        if self.refresh == 1:
            return self._make(indices, replacement)
        stale = self.replaced[indices] != replacement
        if bool(stale.any()):
            new = self._make(indices[stale], replacement[stale])
            if self.images is None:
                shape = (self.n, *new.shape[1:])
                self.images = torch.empty(shape, dtype=torch.uint8, device=self.device)
            self.images[indices[stale].to(self.device)] = new
            self.replaced[indices[stale]] = replacement[stale]
        assert self.images is not None
        return self.images[indices.to(self.device)]

    def _make(self, indices: Tensor, replacement: Tensor) -> Tensor:
        numbers = indices + self.n * replacement
        return self.source.sample(numbers, self.size, self.seed, str(self.device))


def batches(
    source: Source, n: int, size: int, seed: int = 0, device: str = "cpu", refresh: float = 0.0
) -> Batches:
    """The images of a training.

    Args:
        n: images of an epoch.
        refresh: 0 is a fixed pool, 1 a stream; between them, the share that is new in every epoch.

    >>> import synthlearn as sl
    >>> noise = sl.data.source("noise-white")
    >>> stream = sl.data.batches(noise, n=64, size=16, refresh=1.0)
    >>> stream.batch(0, torch.arange(8)).shape
    torch.Size([8, 3, 16, 16])
    """
    if refresh:
        return RefreshedPool(source, n, size, seed, device, refresh)
    if _fits(n * 3 * size**2, torch.device(device)):
        return Pool(device_pool(source, n, size, seed, device), device)
    return Pool(pool(source, n, size, seed, device), device)
