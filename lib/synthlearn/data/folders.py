"""Folders of a user's images: labelled ones (ImageFolder), and any as a source.

An ImageFolder is ``train/CLASS/FILE`` and ``test/CLASS/FILE`` (or ``val/``). The classes of
``train/`` number both splits.
"""

import difflib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import PIL
import torch
from torch import Tensor

from ..core import files
from ..core.errors import DataError, ParameterError
from ..core.options import Options, as_indices, build
from ..core.progress import note
from ..core.source import Source
from .image_set import ImageSet, from_tensor
from .pictures import read_pictures, suffixes
from .sources import register

LABEL, MAPS = "generator.json", "labels"  # of what `generate` wrote: who made it, maps of it


def below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures at any depth below a folder, sorted, and the files that are none.

    Hidden files and folders are left out. Linked folders are followed, but each folder once and
    never one that holds ``folder``, so that loops end.
    Raises: DataError for a folder that cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for file in ("b.png", "a.png", "notes.txt"):
    ...         Path(name, file).touch()
    ...     pictures, others = below(Path(name))
    >>> [p.name for p in pictures], [p.name for p in others]
    (['a.png', 'b.png'], ['notes.txt'])
    """
    pictures, others, waiting = [], [], [folder]
    try:
        outer = {*folder.absolute().parents, *folder.resolve().parents}
        seen = {(s.st_dev, s.st_ino) for s in (p.stat() for p in outer)}
        while waiting:
            here = waiting.pop()
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            for path in sorted(here.iterdir(), reverse=True):
                if path.name.startswith("."):
                    continue
                if path.is_dir():
                    waiting.append(path)
                elif path.is_file() and path.suffix.lower() in suffixes():
                    pictures.append(path)
                else:
                    others.append(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise DataError(f"{folder}: cannot be read ({error})") from error
    return sorted(pictures), sorted(others)


def _first_three(names: Iterable[str]) -> str:
    """Names in a message, at most three of them."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:3]) + (", …" if len(quoted) > 3 else "")


def _note_left_out(folder: Path, others: Sequence[Path]) -> None:
    if others:
        note(
            f"{folder}: {len(others)} of its files left out, no pictures that Pillow "
            f"{PIL.__version__} reads: {_first_three(str(p.relative_to(folder)) for p in others)}"
        )


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """The images of ``folder/CLASS/…`` by class, both sorted. Folders that are hidden or hold no
    file are no classes; files that are no images are left out, and a line says which.

    Raises: DataError for no images at all, a class none of whose files is an image, and a
    class's name that is not UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for file in ("dog/1.png", "cat/1.png", "cat/2.png"):
    ...         Path(name, file).parent.mkdir(exist_ok=True)
    ...         Path(name, file).touch()
    ...     {kind: len(paths) for kind, paths in class_folders(Path(name)).items()}
    {'cat': 2, 'dog': 1}
    """
    classes: dict[str, list[Path]] = {}
    left_out = []
    if not files.is_folder(folder):
        raise DataError(
            f"{folder}: no such folder; pictures must lie in class folders, {folder}/CLASS/FILE"
        )
    try:
        entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})") from error
    for path in entries:
        if not path.is_dir():
            left_out.append(path)
            continue
        pictures, others = below(path)
        left_out += others
        if others and not pictures:
            raise DataError(
                f"{folder}: class {path.name!r}: none of its {len(others)} files is a picture that "
                f"Pillow {PIL.__version__} reads ({others[0].name!r} …); convert them to PNG, or "
                f"remove the folder"
            )
        if pictures:
            check_utf8(path)
            classes[path.name] = pictures
    if not classes:
        raise DataError(
            f"{folder}: no pictures there; they must lie in class folders, {folder}/CLASS/FILE"
        )
    _note_left_out(folder, left_out)
    return classes


def check_utf8(path: Path) -> None:
    """Raise DataError for a file or folder whose name is not UTF-8: it cannot be written down.

    >>> check_utf8(Path("Bäume"))
    >>> check_utf8(Path(os.fsdecode("Bäume".encode("latin-1"))))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    synthlearn.core.errors.DataError: .: the name ... is not UTF-8; rename it
    """
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{path.parent}: the name {path.name!r} is not UTF-8; rename it") from error


@dataclass(frozen=True)
class Listing:
    """A split of an ImageFolder: its images, the numbers of their classes, all classes."""

    paths: list[Path]
    labels: list[int]
    classes: list[str]


def listing(path: Path, split: str) -> Listing:
    """What a split of an ImageFolder holds. The classes of ``train/`` number both splits.

    Raises: DataError for fewer than two of them, and a test class that is none of them.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for file in ("train/cat/1.png", "train/dog/1.png", "test/dog/1.png"):
    ...         Path(name, file).parent.mkdir(parents=True)
    ...         Path(name, file).touch()
    ...     train, test = (listing(Path(name), split) for split in ("train", "test"))
    >>> train.labels, test.labels, test.classes
    ([0, 1], [1], ['cat', 'dog'])
    """
    only_val = (path / "val").is_dir() and not (path / "test").is_dir()
    part = path / ("train" if split == "train" else "val" if only_val else "test")
    for needed in (path / "train", part):
        if not needed.is_dir():
            raise DataError(
                f"{path}: has no {needed.name}/ folder; an ImageFolder here is "
                f"{path}/train/CLASS/FILE and {path}/test/CLASS/FILE (or val/)"
            )
    train = class_folders(path / "train")
    if len(train) < 2:
        raise DataError(
            f"{path / 'train'}: holds one class, {next(iter(train))!r}; at least two are needed "
            f"(for pictures without classes: --folder)"
        )
    pictures = train if split == "train" else _test_classes(part, train)
    number = {name: i for i, name in enumerate(train)}
    pairs = [(p, number[name]) for name, paths in pictures.items() for p in paths]
    return Listing([p for p, _ in pairs], [i for _, i in pairs], [*train])


def _test_classes(part: Path, train: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """The images of a test part by class. Raises DataError for a class that ``train`` lacks."""
    test = class_folders(part)
    for unknown in sorted(test.keys() - train.keys()):
        lower = {name.lower(): name for name in train}
        near = difflib.get_close_matches(unknown.lower(), lower, n=1)
        hint = f": did you mean {lower[near[0]]!r}?" if near else "; rename or remove it"
        raise DataError(
            f"{part}: class {unknown!r} is none of the {len(train)} classes of "
            f"{part.parent / 'train'}{hint}"
        )
    if lacking := sorted(train.keys() - test.keys()):
        note(
            f"{part}: has no pictures of {len(lacking)} classes of train/: {_first_three(lacking)}"
        )
    return test


def image_folder(path: Path, split: str, size: int) -> ImageSet:
    """A split of an ImageFolder, its images as squares of ``size`` pixels; the last two are kept.

    Raises: DataError as :func:`listing`, and for files that cannot be read.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for file in ("train/cat/1.png", "train/dog/1.png"):
    ...         Path(name, file).parent.mkdir(parents=True)
    ...         Image.new("RGB", (12, 9)).save(Path(name, file))
    ...     train = image_folder(Path(name), "train", size=8)
    >>> train.images.shape, train.classes
    (torch.Size([2, 3, 8, 8]), ('cat', 'dog'))
    """
    split_listing = listing(path, split)
    try:
        status = [(p, p.stat()) for p in split_listing.paths]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    stamps = tuple((p, s.st_ino, s.st_mtime_ns, s.st_size) for p, s in status)
    labels, classes = tuple(split_listing.labels), tuple(split_listing.classes)
    return _read_folder(path, split, size, stamps, labels, classes)


@lru_cache(maxsize=2)  # train and test: a set is asked for many times
def _read_folder(
    path: Path,
    split: str,
    size: int,
    stamps: tuple[tuple[Path, int, int, int], ...],
    labels: tuple[int, ...],
    classes: tuple[str, ...],
) -> ImageSet:
    """The images of a split; ``stamps`` tell one state of the files from another."""
    images = read_pictures([p for p, *_ in stamps], size, f"reading {path.name} {split}")
    image_set = from_tensor(str(path), split, images, torch.tensor(labels), classes)
    return replace(image_set, sha256=files.digest([image_set.sha256, labels, classes]))


def contents_digest(folder: Path, paths: Iterable[Path]) -> str:
    """SHA-256 over the names below ``folder`` and the contents of files, in hexadecimal.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = Path(name, "a.png")
    ...     path.touch()
    ...     before = contents_digest(Path(name), [path])
    ...     path = path.rename(Path(name, "b.png"))
    ...     contents_digest(Path(name), [path]) == before
    False
    """
    digest = hashlib.sha256()
    for path in paths:
        name = os.fsencode(path.relative_to(folder))
        digest.update(name + f"\0{files.sha256(path)}\0".encode())
    return digest.hexdigest()


def positions(indices: Iterable[int] | Tensor, n: int, subject: str) -> Tensor:
    """Indices of n images: int64, on the CPU.

    Raises: ParameterError for one that is negative or not whole, DataError for one past the end.

    >>> positions([2, 0], 3, "letters: holds 3 images")
    tensor([2, 0])
    >>> positions([3], 3, "letters: holds 3 images")
    Traceback (most recent call last):
        ...
    synthlearn.core.errors.DataError: letters: holds 3 images, 4 are asked for; lower n_images
    """
    values = as_indices(indices).cpu()
    if len(values) and int(values.max()) >= n:
        raise DataError(f"{subject}, {int(values.max()) + 1} are asked for; lower n_images")
    return values


def check_no_maps(folder: Path) -> None:
    """Raise DataError for a folder of images whose generator also wrote maps of them: maps are
    pictures as files go, and would be trained on.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     check_no_maps(Path(name))  # none there
    ...     Path(name, MAPS).mkdir()
    ...     Path(name, LABEL).touch()
    ...     check_no_maps(Path(name))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    synthlearn.core.errors.DataError: ... which are no images; give ...
    """
    if (folder / LABEL).is_file() and (folder / MAPS).is_dir():
        raise DataError(
            f"{str(folder)[:200]!r}: `generate --labels` wrote maps beside its images, which are "
            f"no images; give {str(folder / 'train')[-200:]!r}"
        )


@dataclass(frozen=True)
class FolderOptions(Options):
    """``path``: of the folder."""

    path: str


@register("folder")
class Folder(Source):
    """Every image below a folder, without labels, as a source to pre-train on (the authors'
    released sets, one's own). Files that are no images are left out, and a line says which."""

    kind = "folder"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """One with the options of :class:`FolderOptions`."""
        return cls(build(FolderOptions, "source 'folder'", options).path)

    def __init__(self, path: str | Path) -> None:
        """Raises ParameterError for an empty path, DataError where no images are, or maps of them
        beside them."""
        if path == "":
            raise ParameterError("folder = '': must be a folder (the working directory is '.')")
        self.path = Path(path)
        check_no_maps(self.path)
        self.files, others = below(self.path) if files.is_folder(path) else ([], [])
        if not self.files:
            rest = f"; its {len(others)} files are none" if others else ""
            raise DataError(f"folder {str(path)[:200]!r}: no pictures there{rest}")
        _note_left_out(self.path, others)
        self.name = f"folder:{self.path.name[:50]}"  # part of file names

    @cached_property
    def _sha256(self) -> str:
        return contents_digest(self.path, self.files)

    def spec(self) -> dict[str, Any]:
        """Number of files and the SHA-256 over their names and contents."""
        return {"folder": self.path.name, "files": len(self.files), "sha256": self._sha256}

    def number(self) -> int:
        """How many images there are."""
        return len(self.files)

    def spread(self, n: int) -> list[int]:
        """Indices of ``n`` images evenly spaced: the first ones may be of one sub-folder."""
        return [i * len(self.files) // n for i in range(n)]

    def sample(
        self, indices: Iterable[int] | Tensor, size: int = 128, seed: int = 0, device: str = "cpu"
    ) -> Tensor:
        """Pictures by index in sorted order: uint8 (n, 3, size, size).

        ``seed`` does nothing: there is one set.
        Raises: ParameterError for an index that is negative or not whole, DataError past the end.
        """
        n = len(self.files)
        places = positions(indices, n, f"{self.path}: holds {n} pictures")
        paths = [self.files[i] for i in places.tolist()]
        return read_pictures(paths, size, f"reading {self.path.name}").to(device)
