"""A visual memory: embeddings of labelled images, and nothing else that was learned from them.

Rodríguez-Muñoz et al. 2025 ("Separating Knowledge and Perception with Procedural Data"): an encoder
that has seen no real image, and a store of embeddings that it looks neighbours up in. What is known
can be added and removed entry by entry: after a removal the memory is, to the bit, one that never
held the entry.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..core import files, progress
from ..core.errors import CheckpointError, ParameterError
from ..data.folders import check_utf8, class_folders
from ..data.pictures import read_picture
from ..learn.encoders import Encoder
from . import probe

# images at once, filled up with black: an embedding must not depend on which others are embedded
# with it
BATCH = 64
BLOCK = 64  # entries of which the nearest is looked at first
# Of a memory's files.
SCHEMA = 1
# The file that names a memory's entries.
INDEX = "index.json"


def embed(encoder: Encoder, images: Tensor, tap: str) -> Tensor:
    """Embeddings of unit length, float32 (n, d), of uint8 (n, 3, h, w): a layer's features."""
    parts = []
    for part in images.split(BATCH):
        full = torch.zeros((BATCH, *images.shape[1:]), dtype=torch.uint8)
        full[: len(part)] = part
        parts.append(probe.features(encoder, full, (tap,))[tap][: len(part)].cpu())
    return functional.normalize(torch.cat(parts)) if parts else torch.empty(0)


def maker(encoder: Encoder, source: str) -> dict[str, Any]:
    """What an embedding depends on: the encoder's file, or its name, options and (timm's) weights,
    and the layer, fc6 or the last before the projection."""
    tap = encoder.main_tap
    if Path(source).is_file():
        return {"encoder": files.sha256(Path(source)), "layer": tap}
    described = {"name": source.partition("@")[0], **encoder.options}
    if source.startswith("timm:"):  # a name says nothing about the weights
        described["weights"] = _weights(encoder)
    return {"encoder": described, "layer": tap}


def _weights(encoder: Encoder) -> str:
    """SHA-256 over the names and values of an encoder's tensors, in hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(
            f"{name}\0".encode() + tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()


def read_folder(
    folder: Path, encoder: Encoder, made_by: dict[str, Any]
) -> tuple[list[str], list[str], Tensor]:
    """Names, classes and embeddings of the images at any depth of ``folder/CLASS``; a name is
    CLASS/FILE, or CLASS/…/FILE.

    Raises: DataError for no images, a file that is none, or a name that is not UTF-8.
    """
    by_class = class_folders(folder)
    paths = [path for of_class in by_class.values() for path in of_class]
    classes = [name for name, of_class in by_class.items() for _ in of_class]
    names = [path.relative_to(folder).as_posix() for path in paths]
    for path in paths:
        check_utf8(path)
    return names, classes, read(paths, encoder, made_by["layer"])


def read(paths: Sequence[Path], encoder: Encoder, tap: str) -> Tensor:
    """Embeddings of image files, float32 (n, d). Raises DataError for one that is no image."""
    side = round(encoder.options["input_size"] * probe.RESIZE)
    images = torch.empty((len(paths), 3, side, side), dtype=torch.uint8)
    with progress.bar(len(paths), "reading images", "image") as bar:
        for i, path in enumerate(paths):
            images[i] = read_picture(path, side)
            bar.update()
    return embed(encoder, images, tap)


def _kth_largest(x: Tensor, k: int) -> Tensor:
    """The k-th largest value of each row, (m, n) → (m, 1): found among the k blocks with the
    largest maxima, where the k largest values lie."""
    blocks = functional.pad(x, (0, -x.shape[1] % BLOCK), value=-torch.inf).unflatten(1, (-1, BLOCK))
    best = blocks.amax(2).topk(min(k, blocks.shape[1]), 1).indices
    candidates = blocks.gather(1, best[..., None].expand(-1, -1, BLOCK)).flatten(1)
    largest: Tensor = candidates.topk(k, 1).values
    return largest[:, -1:]


class Memory:
    """Entries with a name, a class and an embedding; ``made_by`` says which encoder's and layer's
    (kept with the memory and compared).

    Entries lie in any order in one table that grows by doubling; answers and files do not depend on
    the order.

    >>> memory = Memory({}, dimension=2)
    >>> memory.add(["rex", "tom"], ["dog", "cat"], torch.eye(2))
    >>> memory.classify(torch.tensor([[0.8, 0.6]]))
    ['dog']
    >>> memory.remove(["rex"])
    >>> memory.classify(torch.tensor([[0.8, 0.6]]))
    ['cat']
    """

    def __init__(self, made_by: dict[str, Any], dimension: int) -> None:
        self.made_by = made_by
        self.names: list[str] = []
        self.classes: list[str] = []
        self._table = torch.empty((1024, dimension))
        self._where: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    @property
    def embeddings(self) -> Tensor:
        """Embeddings of the entries, in the order of ``names``: float32 (n, d)."""
        return self._table[: len(self)]

    def add(self, names: Sequence[str], classes: Sequence[str], embeddings: Tensor) -> None:
        """Add entries: float32 (n, d) of unit length. Raises ParameterError for a name that is
        there already, numbers that do not agree or are not finite."""
        alike = len(names) == len(classes) == len(embeddings)
        if not alike or embeddings.shape[1:] != self._table.shape[1:]:
            shapes = f"{len(names)} names, {len(classes)} classes"
            raise ParameterError(
                f"{shapes}, embeddings {tuple(embeddings.shape)}: must agree, with "
                f"{self._table.shape[1]} numbers each"
            )
        if not bool(torch.isfinite(embeddings).all()):
            raise ParameterError(
                "embeddings: hold numbers that are not finite; use another encoder"
            )
        seen = set(self._where)
        for name in names:
            if name in seen:
                raise ParameterError(f"{name}: is in the memory already; remove it first")
            seen.add(name)
        while len(self) + len(names) > len(self._table):
            self._table = torch.cat((self._table, torch.empty_like(self._table)))
        self._table[len(self) : len(self) + len(names)] = embeddings
        self._where |= {name: len(self) + i for i, name in enumerate(names)}
        self.names += names
        self.classes += classes

    def remove(self, names: Iterable[str]) -> None:
        """Remove entries by name. Raises ParameterError for one that is not there, and removes none
        then."""
        names = list(dict.fromkeys(names))
        unknown = next((name for name in names if name not in self._where), None)
        if unknown is not None:
            raise ParameterError(f"{unknown}: not in the memory of {len(self)} entries")
        for name in names:  # the last entry takes the place
            place, last = self._where.pop(name), len(self) - 1
            if place != last:
                self._table[place] = self._table[last]
                self.names[place], self.classes[place] = self.names[last], self.classes[last]
                self._where[self.names[place]] = place
            self._table[last] = 0
            self.names.pop()
            self.classes.pop()

    def remove_class(self, name: str) -> None:
        """Remove every entry of a class. Raises ParameterError with the classes there are."""
        entries = [entry for entry, c in zip(self.names, self.classes, strict=True) if c == name]
        if not entries:
            known = ", ".join(sorted(set(self.classes)))
            raise ParameterError(f"class {name!r}: not in the memory; classes: {known}")
        self.remove(entries)

    def query(
        self, embeddings: Tensor, k: int = probe.NEIGHBOURS
    ) -> list[list[tuple[str, str, float]]]:
        """The nearest entries of each embedding float32 (m, d), at most ``k``: lists of (name,
        class, cosine), nearest first, equal ones by name.

        Raises: ParameterError for an empty memory.
        """
        if not len(self):
            raise ParameterError("the memory is empty: add images first")
        near = embeddings @ self.embeddings.T
        least = _kth_largest(near, min(k, len(self)))
        answers = []
        for similarity, edge in zip(near, least, strict=True):
            # all that are as near as the k-th: which ones are taken must not depend on order
            at = torch.nonzero(similarity >= edge).flatten().tolist()
            at.sort(key=lambda i: (-float(similarity[i]), self.names[i]))
            answers.append([(self.names[i], self.classes[i], float(similarity[i])) for i in at[:k]])
        return answers

    def classify(self, embeddings: Tensor, k: int = probe.NEIGHBOURS) -> list[str]:
        """The class of each embedding: that of its neighbours, weighted by exp(cosine / 0.07); of
        equal ones the first by name."""
        decided = []
        for neighbours in self.query(embeddings, k):
            votes: dict[str, float] = {}
            for _, c, cosine in neighbours:
                votes[c] = votes.get(c, 0.0) + float(torch.tensor(cosine / probe.TEMPERATURE).exp())
            decided.append(min(votes, key=lambda c: (-votes[c], c)))
        return decided

    def influential(self, embeddings: Tensor, k: int = probe.NEIGHBOURS) -> set[str]:
        """Names of the entries whose removal, each alone, changes the class of any of
        ``embeddings``: only a query's neighbours can."""
        index = {c: i for i, c in enumerate(sorted(set(self.classes)))}
        names: set[str] = set()
        for neighbours in self.query(embeddings, k + 1):
            cosines = torch.tensor([cosine for _, _, cosine in neighbours])
            classes = torch.tensor([index[c] for _, c, _ in neighbours])
            weight = (cosines / probe.TEMPERATURE).exp()
            votes = functional.one_hot(classes, len(index)) * weight[:, None]
            usual = votes[:k].sum(0).argmax()
            without = votes.sum(0) - votes[:k]  # the next one takes the place of each that goes
            changed = without.argmax(1) != usual
            # k neighbours decide; the last that was asked for only takes a place
            decisive = zip(neighbours, changed.tolist(), strict=False)
            names |= {name for (name, _, _), other in decisive if other}
        return names

    def save(self, folder: Path, replace: bool = True) -> None:
        """Write the entries, by name, as ``vectors-DIGEST.safetensors`` and an index that names
        them; the old state stays until the new one is whole.

        Other processes are kept out meanwhile. Raises ParameterError for a folder that holds a
        memory, unless ``replace``.
        """
        with files.locked(folder / INDEX):
            if not replace:
                refuse_existing(folder)
            self._write(folder)

    def _write(self, folder: Path) -> None:
        """As :meth:`save`, by the one who holds the lock."""
        order = sorted(range(len(self)), key=lambda i: self.names[i])
        names = [self.names[i] for i in order]
        classes = [self.classes[i] for i in order]
        vectors = self.embeddings[order]
        identity = _identity(names, classes, vectors, self.made_by)
        path = folder / f"vectors-{identity[:16]}.safetensors"
        files.save_tensors(path, {"embeddings": vectors}, {"kind": "memory", "id": identity})
        index = {
            "schema": SCHEMA,
            "id": identity,
            "vectors": path.name,
            "made_by": self.made_by,
            "names": names,
            "classes": classes,
        }
        files.write_json(folder / INDEX, index)
        for old in folder.glob(f"vectors-{'[0-9a-f]' * 16}.safetensors"):
            if old != path:
                old.unlink()

    @classmethod
    def load(cls, folder: Path) -> "Memory":
        """A memory from its folder. Raises CheckpointError for one that is missing, damaged or
        foreign."""
        while True:
            index = _read_index(folder)
            path = folder / index["vectors"]
            try:
                tensors, header = files.load_tensors(path)
                break
            except CheckpointError:
                if path.exists() or _read_index(folder) == index:
                    raise
                # another process has saved, and removed the vectors that the old index names
        table = tensors.get("embeddings")
        if (
            header.get("kind") != "memory"
            or header.get("id") != index["id"]
            or table is None
            or table.dim() != 2
            or len(table) != len(index["names"])
        ):
            raise CheckpointError(
                f"{folder}: index and vectors do not belong together; build it again"
            )
        if _identity(index["names"], index["classes"], table, index["made_by"]) != index["id"]:
            raise CheckpointError(
                f"{folder / INDEX}: damaged, its names and classes are not those that were "
                f"written; build it again"
            )
        memory = cls(index["made_by"], table.shape[1])
        memory.add(index["names"], index["classes"], table)
        return memory


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[Memory]:
    """The memory of a folder, saved at the end of the block; other processes are kept out from
    reading to writing.

    Raises: CheckpointError as :meth:`Memory.load`. After an error in the block the folder is as it
    was.
    """
    _read_index(folder)  # where there is no memory, no lock is made
    with files.locked(folder / INDEX):
        held = Memory.load(folder)
        yield held
        held._write(folder)


Entries = tuple[Sequence[str], Sequence[str], Tensor]  # names, classes, embeddings


def build(folder: Path, made_by: dict[str, Any], entries: Entries, replace: bool) -> Memory:
    """A new memory in a folder. After an error the folder is as it was.

    Raises: ParameterError as :meth:`Memory.add` and :meth:`Memory.save`.
    """
    new = not os.path.lexists(folder)
    memory = Memory(made_by, entries[2].shape[1])
    memory.add(*entries)
    try:
        memory.save(folder, replace)
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()  # nothing was written: leave no empty folder behind
        raise
    return memory


def remove(folder: Path, names: Iterable[str], class_: str | None) -> Memory:
    """The memory of a folder without some entries and, where one is named, without a class.

    Raises: as :func:`changing`, :meth:`Memory.remove` and :meth:`Memory.remove_class`.
    """
    with changing(folder) as memory:
        memory.remove(names)
        if class_:
            memory.remove_class(class_)
    return memory


def refuse_existing(folder: Path) -> None:
    """Raise ParameterError for a folder that holds a memory."""
    if (folder / INDEX).exists():
        raise ParameterError(
            f"{folder}: holds a memory already; add to it with `memory add`, choose another "
            f"folder, or replace it with --force"
        )


def _identity(
    names: list[str], classes: list[str], vectors: Tensor, made_by: dict[str, Any]
) -> str:
    """Digest of all that a memory holds, in the order of its names."""
    held = hashlib.sha256(vectors.contiguous().numpy().tobytes()).hexdigest()
    return files.digest({"names": names, "classes": classes, "vectors": held, "made_by": made_by})


def _read_index(folder: Path) -> dict[str, Any]:
    """The index of a memory, of the right form. Raises CheckpointError."""
    path = folder / INDEX
    wrong = ""
    if not path.exists():
        raise CheckpointError(
            f"{folder}: no memory there; make one with `python -m synthlearn memory build`"
        )
    index = files.read_json(path, CheckpointError, "build it again")
    names, classes, vectors, made_by = (
        index.get(field) for field in ("names", "classes", "vectors", "made_by")
    )
    if index.get("schema") != SCHEMA:
        wrong = f"schema {index.get('schema')!r}, not {SCHEMA}"
    elif (
        not isinstance(names, list)
        or not isinstance(classes, list)
        or not all(isinstance(x, str) for x in (*names, *classes))
    ):
        wrong = "names and classes must be lists of words"
    elif len(names) != len(classes) or len(set(names)) < len(names):
        wrong = "names and classes do not agree, or a name comes twice"
    elif not isinstance(vectors, str) or Path(vectors).name != vectors:
        wrong = f"vectors {vectors!r}"
    elif (
        not isinstance(made_by, dict)
        or not isinstance(made_by.get("encoder"), (str, dict))
        or not isinstance(made_by.get("layer"), str)
    ):
        wrong = "made_by does not name an encoder and a layer"
    if wrong:
        raise CheckpointError(f"{path}: not the index of a memory ({wrong}); build it again")
    return index
