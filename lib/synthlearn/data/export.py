"""Write a generator's images to disk: an ImageFolder of PNG files, or webdataset shards.

Three files of ours say what a folder holds. ``generator.json``, the identity of the set and the
number of its images, is written before the first of them; ``generator.sha256`` gets the checksum
of each file as it is finished, in sha256sum's form; the data card comes last. Hence a call that was
killed is completed by the same command, a damaged file is noticed and made again, and no other set
gets into the folder.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..core import files, progress
from ..core.errors import DataError, ParameterError
from ..generators import Generator
from ..generators.annotations import annotate, check_annotations
from . import card
from .folders import LABEL, MAPS

FORMS = ("imagefolder", "webdataset")
SHARD = 1000  # images in a shard; chosen here
BATCH = 64  # images at most that each thread paints before they are written; chosen here
MOST = 10**8  # names have eight digits, so that their order is that of the images
SUMS = "generator.sha256"  # checksums of files
CARDS = ("README.md", "generator.md")  # names of the card; the second where the first is a user's
REMEDY = "choose another folder, or delete this one and run the command again"


def write(
    generator: Generator,
    n: int,
    size: int,
    seed: int,
    out: Path,
    form: str = "imagefolder",
    device: str = "cpu",
    labels: Sequence[str] = (),
) -> str:
    """Write images 0 … n − 1. Where the generator has classes, they are kept.

    Args:
        out: folder. What it holds of this set already stays if its checksum is right; a larger n
            adds to it. Files of others beside it are left alone.
        form: "imagefolder" → ``out/train/NAME/00000000.png``, or ``out/train/CLASS/00000000.png``
            with eight digits of the class; "webdataset" → ``out/shard-00000.tar`` of 1,000 PNG
            files each, and a ``.cls`` member with the class of each.
        labels: maps to write beside each image, as of
            :func:`~synthlearn.generators.annotations.annotate`. In an ImageFolder they are
            ``out/labels/instances/00000000.png``, 16 bits a pixel, edges 8 bits, 0 or 255; in a
            shard ``.instances.npy`` members, uint16 (size, size), of edges bool.

    Returns: one line that says what is there.
    Raises: ParameterError for a parameter that cannot be, and when ``out`` holds another set, more
    images of this one, or images of others where these would go; DataError when ``out`` cannot
    be written or its ``generator.json`` is damaged.

    >>> import tempfile, synthlearn as sl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = Path(folder) / "noise"
    ...     line = write(sl.generator("noise-white"), 3, 16, seed=0, out=out)
    ...     sorted(path.name for path in out.rglob("*.png"))
    ['00000000.png', '00000001.png', '00000002.png']
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST:
        raise ParameterError(f"n = {n!r}: must be 1 or more, and at most {MOST:,}")
    if form not in FORMS:
        raise ParameterError(f"form = {form!r}: must be one of {', '.join(map(repr, FORMS))}")
    generator.sample([], size, seed, device)  # refuses a size, seed or device that cannot be
    if labels:
        check_annotations(generator, labels)
    new = not os.path.lexists(out)
    try:
        files.check_target(out / LABEL)
        with files.locked(out / LABEL):
            exported = _Set(generator, n, size, seed, out, form, device, sorted({*labels}))
            with progress.bar(n, generator.name, "image") as bar:
                exported.write(bar)
            remark = exported.write_card()
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                out.rmdir()  # nothing was written: leave no empty folder behind
        raise
    return f"{out}: {n} pictures of {generator.name}, {size}×{size}, seed {seed}{remark}"


@dataclasses.dataclass
class _Set:
    """The files of one set in a folder, whose lock is held."""

    generator: Generator
    n: int
    size: int
    seed: int
    out: Path
    form: str
    device: str
    labels: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.labelled = self.generator.labelled
        described = {
            **self.generator.spec(),
            "size": self.size,
            "seed": self.seed,
            "n": self.n,
            "format": self.form,
            "device": torch.device(self.device).type,  # a GPU rounds in its own way
            "synthlearn": importlib.metadata.version("synthlearn"),
            "license": card.LICENCE,
            **({"labels": list(self.labels)} if self.labels else {}),
        }
        self.described = json.loads(json.dumps(described))  # tuples are lists in a file
        self.stored = self._read_label()
        self._refuse_foreign_pictures()
        self.sums = self._read_sums()
        self.begun = False

    def _read_label(self) -> dict[str, Any] | None:
        """What the folder is said to hold, if that is this set or the start of it."""
        label = self.out / LABEL
        if not label.exists():
            return None
        stored = files.read_json(label, DataError, REMEDY)
        sealed = stored.pop("digest", None)
        if sealed != files.digest(stored) or type(stored.get("n")) is not int:
            raise DataError(f"{label}: damaged, or not of this version's `generate`; {REMEDY}")
        keys = sorted(stored.keys() | self.described.keys())
        other = [k for k in keys if k != "n" and stored.get(k) != self.described.get(k)]
        if other:
            what = f"holds another set ({label} says which: another {', '.join(other)})"
            raise ParameterError(f"out = {str(self.out)!r}: {what}; choose another folder")
        if stored["n"] > self.n:
            what = f"{self.out} is of {stored['n']} pictures of this set, and none is removed"
            remedy = f"ask for {stored['n']} or more, or choose another folder"
            raise ParameterError(f"n = {self.n}: {what}; {remedy}")
        return stored

    def _refuse_foreign_pictures(self) -> None:
        """Raise ParameterError for what a reader of the set would take for a part of it."""
        if self.form == "imagefolder":
            paths = self._pictures_of_train()
            stems = (re.fullmatch(r".*/(\d{8})\.png", path) for path in paths)
            own = set(self._names([int(m[1]) for m in stems if m and int(m[1]) < self.n]))
            self._refuse_links()
        else:
            paths = {path.name for path in self.out.glob("shard-*.tar")}
            own = set(self._shards())
        if self.stored is None:
            own = set()
            paths |= {
                x for x in (SUMS, *[MAPS] * bool(self.labels)) if os.path.lexists(self.out / x)
            }
        if paths - own:
            no_label = f"there, and no {LABEL} that says what it is"
            why = "not of this set" if self.stored else no_label
            remedy = "choose another folder, or move it away"
            raise ParameterError(f"out = {str(self.out)!r}: {min(paths - own)} is {why}; {remedy}")

    def _pictures_of_train(self) -> set[str]:
        """Pictures and linked folders below ``train``, hidden ones left out."""
        Image.init()  # fills EXTENSION
        below = (path.relative_to(self.out) for path in (self.out / "train").rglob("*"))
        seen = {
            path.as_posix()
            for path in below
            if path.suffix.lower() in Image.EXTENSION
            or ((self.out / path).is_dir() and (self.out / path).is_symlink())
        }
        return {path for path in seen if "/." not in f"/{path}"}

    def _refuse_links(self) -> None:
        """Raise ParameterError for a link, or a file, in place of a folder of images."""
        for folder in (Path("train"), Path("train", self.generator.name)):
            path = self.out / folder
            if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
                why = "a link or no folder, and pictures would go there"
                remedy = "choose another folder, or move it away"
                raise ParameterError(f"out = {str(self.out)!r}: {folder} is {why}; {remedy}")

    def _names(self, index: Sequence[int]) -> list[str]:
        """Files of images in an ImageFolder, relative to the folder."""
        if not self.labelled:
            return [f"train/{self.generator.name}/{i:08d}.png" for i in index]
        classes = self.generator.labels(torch.tensor(index, dtype=torch.int64)).tolist()
        return [f"train/{c:08d}/{i:08d}.png" for i, c in zip(index, classes, strict=True)]

    def _maps(self, i: int) -> list[str]:
        """Files of the maps of image i in an ImageFolder, relative to the folder."""
        return [f"{MAPS}/{label}/{i:08d}.png" for label in self.labels]

    def _shards(self) -> dict[str, range]:
        """Shards in order, with the images that each holds."""
        return {f"shard-{i:05d}.tar": part for i, part in enumerate(self._parts())}

    def _parts(self) -> list[range]:
        """The images in parts of a shard each."""
        return [range(start, min(start + SHARD, self.n)) for start in range(0, self.n, SHARD)]

    def _read_sums(self) -> dict[str, str]:
        """Checksums of files; later lines hold, and half a line of a killed process does not."""
        with contextlib.suppress(OSError):  # none yet; or no file, which writing it will refuse
            text = (self.out / SUMS).read_text(encoding="utf-8", errors="replace")
            lines = (re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in text.split("\n"))
            return {line[2]: line[1] for line in lines if line}
        return {}

    def _holds(self, name: str) -> bool:
        """Whether a file is there as it was written."""
        path = self.out / name
        with contextlib.suppress(OSError):  # cannot be read: make it again
            return name in self.sums and path.is_file() and files.sha256(path) == self.sums[name]
        return False

    def _keep(self, name: str, checksum: str) -> None:
        """Note the checksum of a finished file."""
        self.sums[name] = checksum
        files.append_line(self.out / SUMS, f"{checksum}  {name}")

    def _begin(self) -> None:
        """Before the first image is written: say what the folder will hold."""
        if self.begun:
            return
        self.begun = True
        if self.stored != self.described:
            for name in filter(self._ours, CARDS):  # of fewer images
                (self.out / name).unlink(missing_ok=True)
            sealed = {**self.described, "digest": files.digest(self.described)}
            files.write_json(self.out / LABEL, sealed)
        self._write_sums(self.sums)

    def _write_sums(self, names: Iterable[str]) -> str:
        """Write the checksums of files, and return the checksum of that file."""
        text = "".join(f"{self.sums[name]}  {name}\n" for name in names)
        files.write_text(self.out / SUMS, text)
        return hashlib.sha256(text.encode()).hexdigest()

    def _contents(self, index: Sequence[int]) -> Iterator[list[bytes]]:
        """Of one image after the other its PNG file, then those of its maps."""
        chunk = self.generator.chunk(self.generator.scene_size(self.size), self.device)
        batch = torch.get_num_threads() * min(BATCH, chunk)
        as_file = _map_png if self.form == "imagefolder" else _map_npy
        for start in range(0, len(index), batch):
            part = index[start : start + batch]
            if self.labels:
                known = annotate(
                    self.generator, part, self.size, self.seed, self.device, self.labels
                )
            else:
                known = {"images": self.generator.sample(part, self.size, self.seed, self.device)}
            self._begin()
            for k, picture in enumerate(known["images"]):
                yield [_png(picture), *(as_file(known[label][k]) for label in self.labels)]

    def write(self, bar: Any) -> None:
        """Write what is missing or damaged; ``bar`` counts each image."""
        if self.form == "imagefolder":
            for index in self._parts():
                self._write_pictures(index, bar)
        else:
            for name, index in self._shards().items():
                self._write_shard(name, index, bar)

    def _write_pictures(self, index: range, bar: Any) -> None:
        missing = {}
        for i, name in zip(index, self._names(index), strict=True):
            if all(map(self._holds, (name, *self._maps(i)))):
                bar.update()
            else:
                missing[i] = name
        contents = self._contents(list(missing))
        for (i, name), each in zip(missing.items(), contents, strict=True):
            for path, content in zip((name, *self._maps(i)), each, strict=True):
                with files.atomic(self.out / path) as temporary:
                    temporary.write_bytes(content)
                self._keep(path, hashlib.sha256(content).hexdigest())
            bar.update()

    def _write_shard(self, name: str, index: range, bar: Any) -> None:
        classes = self.generator.labels(torch.tensor(index)).tolist() if self.labelled else None
        own = ("png", *(f"{label}.npy" for label in self.labels))
        kinds = own if classes is None else ("cls", *own)
        if self._holds(name):
            with tarfile.open(self.out / name) as archive:  # shorter where n was smaller
                if archive.getnames() == [f"{i:08d}.{kind}" for i in index for kind in kinds]:
                    bar.update(len(index))
                    return
        with files.atomic(self.out / name) as temporary:
            with tarfile.open(temporary, "w") as archive:
                for place, contents in enumerate(self._contents(index)):
                    if classes is not None:
                        _add(archive, f"{index[place]:08d}.cls", str(classes[place]).encode())
                    for kind, content in zip(own, contents, strict=True):
                        _add(archive, f"{index[place]:08d}.{kind}", content)
                    bar.update()
            checksum = files.sha256(temporary)
        self._keep(name, checksum)

    def write_card(self) -> str:
        """Write the checksums in order and the card; a remark where the card is not README.md."""
        names: Iterable[str] = self._shards()
        if self.form == "imagefolder":
            maps = (path for i in range(self.n) for path in self._maps(i))
            names = [*self._names(range(self.n)), *maps]
        checksum = self._write_sums(names)
        for name in filter(self._ours, CARDS):
            files.write_text(
                self.out / name, card.markdown(self.generator, self.described, checksum, SUMS)
            )
            return "" if name == CARDS[0] else f"; {CARDS[0]} is yours, the card is {name}"
        return f"; {' and '.join(CARDS)} are yours, so there is no card"

    def _ours(self, name: str) -> bool:
        """Whether a card is ours, or none is there: a user's own is left alone."""
        path = self.out / name
        if not os.path.lexists(path):
            return True
        if path.is_symlink() or not path.is_file():
            return False
        return card.MARK in path.read_text(encoding="utf-8", errors="replace")


def _png(picture: Tensor) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()).save(stream, "PNG")
    return stream.getvalue()


def _map_png(values: Tensor) -> bytes:
    """A map as a grey PNG file: 0 or 255 of a bool one, else 16 bits."""
    boolean = values.dtype == torch.bool
    array = values.cpu().numpy().astype(np.uint8) * 255 if boolean else _small(values)
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def _map_npy(values: Tensor) -> bytes:
    """A map as a file of NumPy's."""
    stream = io.BytesIO()
    np.save(stream, values.cpu().numpy() if values.dtype == torch.bool else _small(values))
    return stream.getvalue()


def _small(values: Tensor) -> Any:
    """Numbers of objects as uint16. Raises DataError for more objects than that holds."""
    if values.numel() and int(values.max()) > np.iinfo(np.uint16).max:
        most = "a file of 16 bits holds 65,535; leave out this label"
        raise DataError(f"an image of {int(values.max()):,} objects: {most}")
    return values.cpu().numpy().astype(np.uint16)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
