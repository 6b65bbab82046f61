"""A visual memory: embeddings of labelled images, and nothing else that was learned from them.

Rodríguez-Muñoz et al. 2025 ("Separating Knowledge and Perception with Procedural Data"): an encoder that has seen no real image, and a store of
embeddings that it looks neighbours up in. What is known can be added and removed entry by entry: after a removal the memory is, to the bit, one
that never held the entry.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from . import files, probe, progress
from .datasets import SUFFIXES, read_picture
from .encoders import Encoder
from .errors import CheckpointError, DataError, ParameterError

BATCH = 64  # images at once, filled up with black: an embedding must not depend on which others are embedded with it
BLOCK = 64  # entries of which the nearest is looked at first
SCHEMA, INDEX = 1, "index.json"


def embed(encoder: Encoder, images: Tensor, tap: str) -> Tensor:
    """Embeddings of unit length, float32 (n, d), of uint8 (n, 3, h, w): a layer's features."""
    parts = []
    for part in images.split(BATCH):
        full = torch.zeros((BATCH, *images.shape[1:]), dtype=torch.uint8)
        full[: len(part)] = part
        parts.append(probe.features(encoder, full, (tap,))[tap][: len(part)].cpu())
    return functional.normalize(torch.cat(parts)) if parts else torch.empty(0)


def maker(encoder: Encoder, source: str) -> dict[str, Any]:
    """What an embedding depends on: the encoder's file or description, and the layer, fc6 or the last before the projection."""
    tap = "fc6" if "fc6" in encoder.taps else encoder.taps[-1]
    described = files.sha256(Path(source)) if Path(source).is_file() else {"name": source, **encoder.options}
    return {"encoder": described, "layer": tap}


def read_folder(folder: Path, encoder: Encoder, made_by: dict[str, Any]) -> tuple[list[str], list[str], Tensor]:
    """Names, classes and embeddings of the images of ``folder/CLASS/FILE``; a name is CLASS/FILE. Raises DataError for no images, or one that is none."""
    found = [(path, path.parent.name) for path in sorted(folder.glob("*/*")) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise DataError(f"{folder}: no images there; a folder of them is {folder}/CLASS/FILE ({', '.join(SUFFIXES)})")
    return [f"{c}/{path.name}" for path, c in found], [c for _, c in found], read([path for path, _ in found], encoder, made_by["layer"])


def read(paths: Sequence[Path], encoder: Encoder, tap: str) -> Tensor:
    """Embeddings of image files, float32 (n, d). Raises DataError for one that is no image."""
    side = round(encoder.options["input_size"] * probe.RESIZE)
    images = torch.empty((len(paths), 3, side, side), dtype=torch.uint8)
    with progress.bar(len(paths), "reading images", "image") as shown:
        for i, path in enumerate(paths):
            images[i] = read_picture(path, side)
            shown.update()
    return embed(encoder, images, tap)


def _kth_largest(x: Tensor, k: int) -> Tensor:
    """The k-th largest value of each row, (m, n) → (m, 1): found among the k blocks with the largest maxima, where the k largest values lie."""
    blocks = functional.pad(x, (0, -x.shape[1] % BLOCK), value=-torch.inf).unflatten(1, (-1, BLOCK))
    best = blocks.amax(2).topk(min(k, blocks.shape[1]), 1).indices
    return blocks.gather(1, best[..., None].expand(-1, -1, BLOCK)).flatten(1).topk(k, 1).values[:, -1:]


class Memory:
    """Entries with a name, a class and an embedding; ``made_by`` says which encoder's and layer's (kept with the memory and compared).

    Entries lie in any order in one table that grows by doubling; answers and files do not depend on the order.
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
        """Add entries: float32 (n, d) of unit length. Raises ParameterError for a name that is there already, or numbers that do not agree."""
        if not len(names) == len(classes) == len(embeddings) or embeddings.shape[1:] != self._table.shape[1:]:
            shape = tuple(embeddings.shape)
            raise ParameterError(f"{len(names)} names, {len(classes)} classes, embeddings {shape}: must agree, with {self._table.shape[1]} numbers each")
        known = next((name for i, name in enumerate(names) if name in self._where or name in names[:i]), None)
        if known is not None:
            raise ParameterError(f"{known}: is in the memory already; remove it first")
        while len(self) + len(names) > len(self._table):
            self._table = torch.cat((self._table, torch.empty_like(self._table)))
        self._table[len(self) : len(self) + len(names)] = embeddings
        self._where |= {name: len(self) + i for i, name in enumerate(names)}
        self.names += names
        self.classes += classes

    def remove(self, names: Iterable[str]) -> None:
        """Remove entries by name. Raises ParameterError for one that is not there, and removes none then."""
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
        mine = [entry for entry, c in zip(self.names, self.classes, strict=True) if c == name]
        if not mine:
            raise ParameterError(f"class {name!r}: not in the memory; classes: {', '.join(sorted(set(self.classes)))}")
        self.remove(mine)

    def query(self, embeddings: Tensor, k: int = probe.NEIGHBOURS) -> list[list[tuple[str, str, float]]]:
        """The nearest entries of each embedding float32 (m, d), at most ``k``: lists of (name, class, cosine), nearest first, equal ones by name.

        Raises: ParameterError for an empty memory.
        """
        if not len(self):
            raise ParameterError("the memory is empty: add images first")
        near = embeddings @ self.embeddings.T
        least = _kth_largest(near, min(k, len(self)))
        found = []
        for similarity, edge in zip(near, least, strict=True):
            at = torch.nonzero(similarity >= edge).flatten().tolist()  # all that are as near as the k-th: which ones are taken must not depend on order
            at.sort(key=lambda i: (-float(similarity[i]), self.names[i]))
            found.append([(self.names[i], self.classes[i], float(similarity[i])) for i in at[:k]])
        return found

    def classify(self, embeddings: Tensor, k: int = probe.NEIGHBOURS) -> list[str]:
        """The class of each embedding: that of its neighbours, weighted by exp(cosine / 0.07); of equal ones the first by name."""
        decided = []
        for neighbours in self.query(embeddings, k):
            votes: dict[str, float] = {}
            for _, c, cosine in neighbours:
                votes[c] = votes.get(c, 0.0) + float(torch.tensor(cosine / probe.TEMPERATURE).exp())
            decided.append(min(votes, key=lambda c: (-votes[c], c)))
        return decided

    def influential(self, embeddings: Tensor, k: int = probe.NEIGHBOURS) -> set[str]:
        """Names of the entries whose removal, each alone, changes the class of any of ``embeddings``: only a query's neighbours can."""
        index, found = {c: i for i, c in enumerate(sorted(set(self.classes)))}, set()
        for neighbours in self.query(embeddings, k + 1):
            weight = (torch.tensor([cosine for _, _, cosine in neighbours]) / probe.TEMPERATURE).exp()
            votes = functional.one_hot(torch.tensor([index[c] for _, c, _ in neighbours]), len(index)) * weight[:, None]
            usual = votes[:k].sum(0).argmax()
            without = votes.sum(0) - votes[:k]  # the next one takes the place of each that goes
            changed = without.argmax(1) != usual
            found |= {name for (name, _, _), other in zip(neighbours, changed.tolist(), strict=False) if other}
        return found

    def save(self, folder: Path) -> None:
        """Write the entries, by name, as ``vectors-DIGEST.safetensors`` and an index that names them; the old state stays until the new one is whole."""
        order = sorted(range(len(self)), key=lambda i: self.names[i])
        names, classes, vectors = [self.names[i] for i in order], [self.classes[i] for i in order], self.embeddings[order]
        held = hashlib.sha256(vectors.numpy().tobytes()).hexdigest()
        identity = files.digest({"names": names, "classes": classes, "vectors": held, "made_by": self.made_by})
        path = folder / f"vectors-{identity[:16]}.safetensors"
        files.save_tensors(path, {"embeddings": vectors}, {"kind": "memory", "id": identity})
        index = {"schema": SCHEMA, "id": identity, "vectors": path.name, "made_by": self.made_by, "names": names, "classes": classes}
        files.write_json(folder / INDEX, index)
        for old in folder.glob("vectors-*.safetensors"):
            if old != path:
                old.unlink()

    @classmethod
    def load(cls, folder: Path) -> "Memory":
        """A memory from its folder. Raises CheckpointError for one that is missing, damaged or foreign."""
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            names, classes, vectors, made_by = index["names"], index["classes"], index["vectors"], index["made_by"]
            if index["schema"] != SCHEMA or len(names) != len(classes) or Path(vectors).name != vectors:
                raise ValueError("its fields do not agree")
        except FileNotFoundError as error:
            raise CheckpointError(f"{folder}: no memory there; make one with `python -m synthlearn memory build`") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder / INDEX}: not the index of a memory ({error}); build it again") from error
        tensors, header = files.load_tensors(folder / vectors)
        table = tensors.get("embeddings")
        if header.get("kind") != "memory" or header.get("id") != index["id"] or table is None or table.dim() != 2 or len(table) != len(names):
            raise CheckpointError(f"{folder}: index and vectors do not belong together; build it again")
        memory = cls(made_by, table.shape[1])
        memory.add(names, classes, table)
        return memory
