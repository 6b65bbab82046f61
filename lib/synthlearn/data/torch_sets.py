"""Data sets for others' trainers: images of a source for torch's DataLoader, timm, lightly and
Hugging Face's ``datasets``.

Nothing is stored. An image is a function of source, seed, index and size alone, so that workers,
ranks and a run that goes on have nothing to share but numbers.
"""

import importlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch import distributed as dist
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from ..core import rng
from ..core.errors import ParameterError
from ..core.image import SIZES
from ..core.options import LEAST, MOST, number, shown, the_device, whole
from ..core.source import Source
from ..learn.order import Step
from . import stream
from .held import Held, checked_number, checked_source, number_of

Transform = Callable[[Any], Any]
Sample = tuple[Any, int]
PART = 1000  # images of a shard of Hugging Face's, the least that a worker takes; chosen here
NO_LABEL = 0  # of images that have no classes
MANY = 1 << 20  # images whose classes are looked at together
FAR = 1 << 40  # batches and images that a state may say were given, at most; see Stream
WORKERS = 1 << 10  # of a DataLoader, at most
BEGINNING = {"batches": 0, "given": 0, "workers": 1}  # of an epoch


class _Drawn(Held):
    """What Images and Stream share: where images come from, and the form in which they go."""

    def __init__(
        self,
        source: Source | str,
        size: int,
        seed: int,
        transform: Transform | None,
        views: int,
        pil: bool,
    ) -> None:
        self.source = checked_source(source)
        self.size, self.seed = whole("size", size, *SIZES), whole("seed", seed)
        # others' loaders put their own here: timm's create_loader, LightlyDataset
        self.transform = _checked_transform(transform)
        self.views, self.pil = whole("views", views, 1), pil
        if views > 1 and transform is None:
            what = "without a transform they would be the same image"
            raise ParameterError(f"views = {views}: {what}; give transform=, or leave views out")
        if not isinstance(pil, bool):
            raise ParameterError(f"pil = {shown(pil)}: must be True or False")
        self.source.prepare("cpu")

    def _samples(self, indices: Tensor) -> Iterator[Sample]:
        """Images of int64 (n,), in their form, each with its label."""
        indices = round_and_round(self.source, indices)
        images = self.source.sample(indices, self.size, self.seed)
        for image, label in zip(images, labels(self.source, indices).tolist(), strict=True):
            yield self._formed(image), label

    def _formed(self, image: Tensor) -> Any:
        """An image uint8 (3, s, s) as it is given to the user."""
        one = Image.fromarray(image.permute(1, 2, 0).numpy()) if self.pil else image
        if self.transform is None:
            return one
        if self.views == 1:
            return self.transform(one)
        return tuple(self.transform(one) for _ in range(self.views))


class Images(_Drawn, Dataset[Sample]):
    """The first ``n`` images of a source as a map-style data set, as torchvision's are.

    An item is (image, label): a uint8 tensor (3, size, size), and the image's class, or 0 where
    the source has none. A DataLoader asks for a batch at once, which is faster than one by one.
    It can be pickled, so that workers may be spawned.

    Args:
        source: a name (see ``python -m synthlearn list``), or a source with options of its own, as
            ``sl.generator("fractals-fractaldb", categories=100)`` or a folder.
        n: number of images.
        size: side in pixels. Of a real set the images may be smaller.
        seed: another seed is another set.
        transform: of one image, as torchvision's v2 transforms are.
        views: how often the transform is drawn for an image; an item is then (views, label), with
            a tuple of views.
        pil: the transform gets, or the item holds, a PIL image; timm's and older transforms ask
            for one.

    Raises: ParameterError for an unknown source or a value that cannot be; DataError where the
    source has fewer images.

    >>> import synthlearn as sl
    >>> images = sl.data.Images("dead_leaves-mixed", n=1000, size=32)
    >>> image, label = images[7]
    >>> image.shape, image.dtype, label, images.classes
    (torch.Size([3, 32, 32]), torch.uint8, 0, ['dead_leaves-mixed'])
    >>> loader = torch.utils.data.DataLoader(images, batch_size=16, shuffle=True)
    >>> batch, labels = next(iter(loader))
    >>> batch.shape, labels.shape
    (torch.Size([16, 3, 32, 32]), torch.Size([16]))
    """

    def __init__(
        self,
        source: Source | str,
        n: int,
        size: int,
        seed: int = 0,
        transform: Transform | None = None,
        views: int = 1,
        pil: bool = False,
    ) -> None:
        super().__init__(source, size, seed, transform, views, pil)
        self.n = checked_number("n", n, self.source)

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes by label, found once: of a real set its own, of captions the
        captions, of a generator's classes the folders that ``generate`` would write; one of all,
        the source's name, where it has none."""
        return class_names(self.source, self.n)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Sample:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Items of a batch, made at once.

        Raises: IndexError for an index that is past the end, ParameterError for what is none.
        """
        places = [whole("index", i, LEAST) for i in indices]
        for i in places:
            if not -self.n <= i < self.n:
                raise IndexError(f"index {i}: there are {self.n} images, from 0 to {self.n - 1}")
        return list(self._samples(torch.tensor([i % self.n for i in places], dtype=torch.int64)))

    def to_hf(self, streaming: bool = True) -> Any:
        """As a data set of Hugging Face's ``datasets``, with columns ``image`` and ``label``.

        Args:
            streaming: an IterableDataset, whose images are made when they are asked for, in shards
                of 1,000; else a Dataset, which writes them into the cache of ``datasets`` once.

        ``with_format("torch")`` gives tensors, uint8 (3, size, size).
        Raises: ParameterError without ``datasets``, for a set with a transform, and for
        ``streaming`` that is neither True nor False.

        >>> import synthlearn as sl
        >>> rows = sl.data.Images("noise-white", n=4, size=16).to_hf().with_format("torch")
        >>> next(iter(rows))["image"].shape
        torch.Size([3, 16, 16])
        """
        if self.transform is not None or self.pil:
            what = "a set of Hugging Face's holds the images themselves"
            raise ParameterError(f"transform or pil is set: {what}; make it without them, then map")
        if not isinstance(streaming, bool):
            raise ParameterError(f"streaming = {shown(streaming)}: must be True or False")
        hf = _hugging_face()
        kind = hf.IterableDataset if streaming else hf.Dataset
        features = hf.Features({"image": hf.Image(), "label": hf.ClassLabel(names=self.classes)})
        parts = [(start, min(start + PART, self.n)) for start in range(0, self.n, PART)]
        return kind.from_generator(
            _rows, features=features, gen_kwargs={"images": self, "parts": parts}
        )


class Stream(_Drawn, IterableDataset[Sample]):
    """Images of a source one after the other, as an iterable data set: each goes to one worker of
    one rank.

    Items are as of :class:`Images`. Ranks take turns of ``batch_size`` images, and on each rank its
    workers; with a DataLoader of that batch size the order is that of one process. Ranks get
    equally many images where ``n`` is a multiple of batch_size × ranks.

    Args:
        n: images of an epoch, over all ranks; None: without end, and 2^40 of them are an epoch's
            own. Each epoch shows the same images until :meth:`set_epoch` says that it is another,
            whose images are new. A folder or a real set has so many images, and then they come
            again.
        batch_size: of the DataLoader, and how many images are made at once.
        shard: number of this rank, and of all ranks. None: those of torch.distributed, else of
            ``RANK`` and ``WORLD_SIZE`` in the environment, else (0, 1).
        source, size, seed, transform, views, pil: as of :class:`Images`.

    Raises: ParameterError for an unknown source or a value that cannot be; DataError where the
    source has fewer images than ``n``.

    >>> import synthlearn as sl
    >>> stream = sl.data.Stream("noise-white", size=16, n=10, batch_size=4)
    >>> [len(batch) for batch, _ in torch.utils.data.DataLoader(stream, batch_size=4)]
    [4, 4, 2]
    >>> of_two = {"n": 10, "batch_size": 4, "shard": (0, 2)}
    >>> len(list(sl.data.Stream("noise-white", size=16, **of_two)))  # 4, and 2 of the next turn
    6
    """

    def __init__(
        self,
        source: Source | str,
        size: int,
        seed: int = 0,
        n: int | None = None,
        batch_size: int = 64,
        transform: Transform | None = None,
        views: int = 1,
        pil: bool = False,
        shard: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(source, size, seed, transform, views, pil)
        self.n = None if n is None else checked_number("n", n, self.source)
        self.batch_size = whole("batch_size", batch_size, 1)
        self.rank, self.ranks = _this_process() if shard is None else _checked_shard(shard)
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._start = torch.tensor([*BEGINNING.values()])
        # which iteration has begun there: its number of workers, its seed; which of them have
        self._begun = torch.zeros(2 + WORKERS, dtype=torch.int64)
        self._share()
        self._own: dict[str, int] | None = None  # a state of this worker alone
        self._at = BEGINNING

    def _share(self) -> None:
        """So that all this reaches workers that live on, and those of a later iteration."""
        for numbers in (self._epoch, self._start, self._begun):
            numbers.share_memory_()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._share()

    def __len__(self) -> int:
        if self.n is None:
            raise TypeError("a stream without end has no length; give it n")
        turns, rest = divmod(self.n, self.batch_size * self.ranks)
        return turns * self.batch_size + min(
            max(rest - self.rank * self.batch_size, 0), self.batch_size
        )

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, whose images are its own; where it is this one already, go on."""
        if _checked_epoch(epoch, self.n) != int(self._epoch):
            self._epoch.fill_(epoch)
            self._begin_at(BEGINNING)

    def _begin_at(self, place: dict[str, int]) -> None:
        """Let the next iteration begin at a place, that of each worker."""
        self._at = place
        if get_worker_info():  # torchdata gives each worker the state that was its own
            self._own = place
            return
        self._own = None
        self._start.copy_(torch.tensor([*place.values()]))
        self._begun.zero_()

    def _place(self, worker: int, workers: int, iteration: int) -> dict[str, int]:
        """Where a worker begins: where a state was in one iteration, then at the beginning."""
        start = dict(zip(BEGINNING, self._start.tolist(), strict=True))
        if self._own is not None:
            start = self._own
        elif int(self._begun[0]):
            same = self._begun[:2].tolist() == [workers, iteration]
            if not same or self._begun[2 + worker]:
                return BEGINNING
        if start["given"] and start["workers"] != workers:
            what = f"it was taken with {start['workers']} workers, and here are {workers}"
            raise ParameterError(f"state of a stream: {what}; use as many, or give batches")
        if self._own is None:
            self._begun[1] = iteration
            self._begun[2 + worker] = 1
            self._begun[0] = workers  # last: who sees it sees the seed
        self._own = None
        return start

    def __iter__(self) -> Iterator[Sample]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        iteration = info.seed - info.id if info else 0  # torch draws another for each
        at = self._at = {**self._place(worker, workers, iteration), "workers": workers}
        own, skipped = divmod(at["given"], self.batch_size)
        turn = at["batches"] + worker + workers * own
        first = int(self._epoch) * (self.n or FAR)
        while True:
            begin = (turn * self.ranks + self.rank) * self.batch_size
            end = (
                begin + self.batch_size if self.n is None else min(begin + self.batch_size, self.n)
            )
            if begin >= end:
                return
            for sample in self._samples(torch.arange(first + begin + skipped, first + end)):
                at["given"] += 1
                yield sample
            skipped, turn = 0, turn + workers

    def state_dict(self, batches: int | None = None) -> dict[str, Any]:
        """Where it is, for :meth:`load_state_dict`: numbers and texts.

        Args:
            batches: how many this rank has taken of a DataLoader in this epoch. None: count what
                this copy has given. The workers of a DataLoader have copies of their own, so that
                with workers only the user knows; torchdata's StatefulDataLoader asks the workers.
        """
        at = self._at
        if batches is not None:
            at = {**BEGINNING, "batches": whole("batches", batches, 0, FAR)}
        return {"of": self._identity, "epoch": int(self._epoch), **at}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a stream was: the next iteration begins there, the one after it at the
        beginning of the epoch.

        Raises: ParameterError for the state of another stream, and for what is none.

        >>> import synthlearn as sl
        >>> stream = sl.data.Stream("noise-white", size=16)
        >>> it = iter(stream)
        >>> before = [next(it) for _ in range(3)]
        >>> later = sl.data.Stream("noise-white", size=16)
        >>> later.load_state_dict(stream.state_dict())
        >>> torch.equal(next(iter(later))[0], next(it)[0])
        True
        """
        names = ("of", "epoch", *BEGINNING)
        if not isinstance(state, Mapping) or not {*names} <= {*state}:
            what = f"{shown(state)} has not all of {', '.join(names)}"
            raise ParameterError(f"state of a stream: {what}; give what state_dict() returned")
        theirs = state["of"] if isinstance(state["of"], Mapping) else {}
        for name, value in self._identity.items():
            if theirs.get(name) != value:
                what = f"its {name} is {shown(theirs.get(name))}, that of this one {shown(value)}"
                raise ParameterError(f"state of a stream: {what}; make the stream as it was")
        epoch = _checked_epoch(state["epoch"], self.n)
        at = {name: whole(name, state[name], low, FAR) for name, low in BEGINNING.items()}
        self._epoch.fill_(epoch)
        self._begin_at(at)

    @cached_property
    def _identity(self) -> dict[str, Any]:
        """What must agree for a state to mean the same, as JSON would give it back."""
        # to tell two folders apart by their contents would mean to read them
        there = number_of(self.source)
        spec: dict[str, Any] = {"images": there}
        if there is None:
            spec = json.loads(json.dumps(self.source.spec()))
        options = spec.pop("options", {})
        return {
            "source": self.source.name,
            **spec,
            **{f"option {name}": value for name, value in options.items()},
            "size": self.size,
            "seed": self.seed,
            "n": self.n,
            "batch_size": self.batch_size,
            "ranks": self.ranks,
        }


class DeviceLoader:
    """Batches of a source that are made on the device that trains, the next one while the current
    one trains: on a GPU in a stream of its own, on a CPU by one of several threads.

    An iteration is an epoch: (images, labels) with uint8 (b, 3, size, size) and int64 (b,), n // b
    times, in a new order in every epoch. It needs no DataLoader and no workers.

    Args:
        source: a name, or a source with options of its own, as of :class:`Images`.
        n: images of an epoch.
        size: side in pixels.
        batch_size: b; of n images, what does not fill a batch waits for another epoch.
        device: "cpu", "cuda", "cuda:N", or "auto": a card where there is one; a torch.device too.
        seed: of images and order.
        refresh: share of the images that is new in every epoch: 1, none comes twice; 0, a fixed
            pool, made once. A folder or a real set has so many images, and then they come again.
        transform: of a whole batch, on the device.

    Raises: ParameterError for an unknown source or a value that cannot be; DataError where the
    source has fewer images than ``n``.

    >>> import synthlearn as sl
    >>> loader = sl.data.DeviceLoader("noise-white", n=64, size=16, batch_size=32, device="cpu")
    >>> [(images.shape, len(labels)) for images, labels in loader]
    [(torch.Size([32, 3, 16, 16]), 32), (torch.Size([32, 3, 16, 16]), 32)]
    """

    def __init__(
        self,
        source: Source | str,
        n: int,
        size: int,
        batch_size: int = 256,
        device: str | torch.device = "auto",
        seed: int = 0,
        refresh: float = 1.0,
        transform: Transform | None = None,
    ) -> None:
        self.source = checked_source(source)
        self.n = checked_number("n", n, self.source)
        self.batch_size = whole("batch_size", batch_size, 1, self.n)
        self.seed, self.epoch = whole("seed", seed), 0
        self.transform = _checked_transform(transform)
        size = whole("size", size, *SIZES)
        used = the_device(device)
        self.source.prepare(used)
        refresh = number("refresh", refresh, 0.0, 1.0)
        images = _Again(self.source) if refresh and number_of(self.source) else self.source
        self.batches = stream.batches(images, self.n, size, self.seed, used, refresh)

    def __len__(self) -> int:
        return self.n // self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration is; without it they are counted."""
        self.epoch = _checked_epoch(epoch, self.n)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = rng.permutation(rng.key("order", self.seed, epoch), self.n)
        plan = (Step(i, epoch, part) for i, part in enumerate(order.split(self.batch_size)))
        whole_ones = (step for step in plan if len(step.indices) == self.batch_size)
        for step, images in self.batches.prefetch(whole_ones):
            numbers = step.indices
            if isinstance(self.batches, stream.RefreshedPool):
                numbers = numbers + self.n * self.batches.replacements(epoch, numbers)
            classes = labels(self.source, round_and_round(self.source, numbers))
            classes = classes.to(images.device, non_blocking=True)
            yield images if self.transform is None else self.transform(images), classes


class _Again(Source):
    """A source with so many images, round and round."""

    kind = "again"

    def __init__(self, source: Source) -> None:
        self.source, self.name = source, source.name

    def sample(self, indices: Any, size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        return self.source.sample(round_and_round(self.source, indices), size, seed, device)


def round_and_round(source: Source, indices: Tensor) -> Tensor:
    """Indices that a source has: where it has so many images, they are counted round and round.

    >>> import synthlearn as sl
    >>> digits = sl.data.source("real", data="digits")  # 1,000 of them
    >>> round_and_round(digits, torch.tensor([999, 1000, 2003]))
    tensor([999,   0,   3])
    """
    there = number_of(source)
    return indices if there is None else indices % there


def labels(source: Source, indices: Tensor) -> Tensor:
    """Classes of images by index, int64 (n,); 0 where the source has none.

    >>> import synthlearn as sl
    >>> labels(sl.generator("noise-white"), torch.arange(3))
    tensor([0, 0, 0])
    """
    if not source.labelled:
        return torch.full((len(indices),), NO_LABEL)
    return source.labels(indices).to(torch.int64)


def class_names(source: Source, n: int) -> list[str]:
    """Names of the classes of a source's first ``n`` images, by label.

    >>> import synthlearn as sl
    >>> class_names(sl.generator("fractals-fractaldb", categories=3), 100)
    ['00000000', '00000001', '00000002']
    """
    if not source.labelled:
        return [source.name]
    names = source.class_names()
    parts = (torch.arange(start, min(start + MANY, n)) for start in range(0, n, MANY))
    most = max(int(labels(source, part).max()) for part in parts)
    return list(names) if most < len(names) else [f"{c:08d}" for c in range(most + 1)]


def _rows(images: Images, parts: Iterable[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    """Rows of a Hugging Face data set, part by part."""
    for start, stop in parts:
        for begin in range(start, stop, stream.CHUNK):
            index = list(range(begin, min(begin + stream.CHUNK, stop)))
            for image, label in images.__getitems__(index):
                yield {"image": Image.fromarray(image.permute(1, 2, 0).numpy()), "label": label}


def _hugging_face() -> Any:
    """Hugging Face's datasets. Raises ParameterError where it is not installed."""
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise ParameterError("to_hf: datasets is not installed; pip install datasets") from error


def _checked_transform(transform: Transform | None) -> Transform | None:
    """Raise ParameterError for a transform that cannot be called."""
    if transform is None or callable(transform):
        return transform
    must = "must be a function of an image, as torchvision.transforms.v2's are"
    raise ParameterError(f"transform = {shown(transform)}: {must}")


def _checked_epoch(epoch: Any, n: int | None) -> int:
    """An epoch whose images have numbers of 64 bits. Raises ParameterError for another."""
    return whole("epoch", epoch, 0, MOST // (n or FAR) - 1)


def _this_process() -> tuple[int, int]:
    """Rank, and number of ranks, of this process."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    ranks = os.environ.get("WORLD_SIZE", "1")
    if ranks == "1":  # RANK is some other program's
        return 0, 1
    return _checked_shard((os.environ.get("RANK", ""), ranks))


def _checked_shard(shard: Any) -> tuple[int, int]:
    """Rank and number of ranks as numbers. Raises ParameterError for those that cannot be."""
    match shard:
        case (rank, ranks) if str(rank).isdecimal() and str(ranks).isdecimal():
            if int(rank) < int(ranks):
                return int(rank), int(ranks)
    must = "must be a rank from 0 and, above it, the number of ranks"
    raise ParameterError(f"shard = {shown(shard)}: {must}; give shard, or see RANK and WORLD_SIZE")
