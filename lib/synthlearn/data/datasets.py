"""Real images: labelled sets in device memory, from archives, folders, scikit-learn or torchvision.

Archives are looked for in ``SYNTHLEARN_DATA``, beside the ``MANIFEST.json`` that describes them,
checked by SHA-256 and kept as one tensor file per split under ``runs/data``. The classes of a
folder's ``train/`` number both of its splits.
"""

import contextlib
import difflib
import hashlib
import io
import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
import PIL
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..core import files, progress
from ..core.errors import CheckpointError, DataError, ParameterError
from ..core.image import resize
from ..core.options import Options, build
from ..core.source import Source
from .sources import register

SPLITS = ("train", "test")
# Formats of Pillow that are no pictures here: EPS runs Ghostscript, the others open only in part.
UNREAD = ("EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG")
LONGEST_SIDE = 65_535  # of a picture file in pixels, as JPEG's: a longer one is a few bytes that fill the memory
FOLDER_SIDE = 64  # of a folder's pictures where no size is asked for
BUILT_IN = ("digits", "cifar10", "cifar10-20k")
DIGITS_TRAIN = 1000  # of scikit-learn's 1,797 scans, in their order: most test writers are new
LEAST_SIDE = (
    32  # of real images as a source: smaller ones are enlarged to the encoder's least input
)
CIFAR20K_PER_CLASS = 2000  # cifar10-20k: the first of each class, in CIFAR-10's own order


@dataclass(frozen=True)
class ImageSet:
    """Labelled images: uint8 (n, 3, h, w), labels int64 (n,), names of the classes, and the SHA-256 of all pixels in (n, h, w, 3) order
    (of a folder, whose classes can change while its pictures do not, over that and the labels)."""

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, per_class: int) -> "ImageSet":
        """The first ``per_class`` images of each class in their order; 0 means all. Raises ParameterError for fewer."""
        if per_class < 0:
            raise ParameterError(f"per_class = {per_class}: must be 0, which is all, or more")
        if not per_class:
            return self
        keep = rank_within_class(self.labels) < min(per_class, len(self))
        return replace(self, images=self.images[keep], labels=self.labels[keep])


def root() -> Path | None:
    """The folder of image sets, ``SYNTHLEARN_DATA``, or None where it is not set."""
    return Path(os.environ["SYNTHLEARN_DATA"]) if os.environ.get("SYNTHLEARN_DATA") else None


def manifest() -> dict[str, Any]:
    """The described archives of the data folder; empty without one.

    Raises: DataError if the manifest cannot be read, or names the first thing in it that is wrong.
    """
    path = (root() or Path(os.devnull)) / "MANIFEST.json"
    if not path.is_file():
        return {}
    found = files.read_json(path, DataError, "fetch the data folder again")
    for name, entry in found.items():
        wrong = _wrong(name, entry)
        if wrong:
            raise DataError(f"{path}: set {name[:100]!r}: {wrong}; fetch the data folder again")
    return found


def _wrong(name: str, entry: Any) -> str:
    """What is wrong with a set of the manifest; "" where nothing is."""

    def whole(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0

    if not re.fullmatch(r"[\w.-]+", name) or len(name.encode()) > 200:
        return "a name must be of letters, digits, '_', '.' and '-', at most 200 bytes"
    if not isinstance(entry, dict):
        return "must be an object"
    file, side, splits, classes = (entry.get(k) for k in ("file", "size", "splits", "classes"))
    if not isinstance(file, str) or not file or "\0" in file:
        return f"file = {file!r}: must be the archive's name"
    if (
        len(file.encode(errors="replace")) > 200
        or Path(file).is_absolute()
        or ".." in Path(file).parts
    ):
        return f"file = {file!r}: must be a short name inside the data folder"
    if not re.fullmatch(r"[0-9a-f]{64}", str(entry.get("sha256"))):
        return f"sha256 = {str(entry.get('sha256'))[:80]!r}: must be 64 hexadecimal digits"
    if not isinstance(side, list) or len(side) != 2 or not all(map(whole, side)):
        return f"size = {str(side)[:80]}: must be width and height in pixels"
    if not isinstance(splits, dict) or not all(
        isinstance(s, dict) and whole(s.get("n")) for s in splits.values()
    ):
        return "splits: must say n, the number of images, of each"
    if not isinstance(classes, list) or not all(
        isinstance(c, dict) and isinstance(c.get("id"), str) and isinstance(c.get("name"), str)
        for c in classes
    ):
        return "classes: must be a list of objects with id and name"
    if len({c["id"] for c in classes}) < max(2, len(classes)):
        return "classes: must be two or more, each with an id of its own"
    return ""


def names() -> list[str]:
    """Names of the sets that can be had here: scikit-learn's digits, CIFAR-10 by download, and the
    archives that are present."""
    here = (name for name, entry in manifest().items() if (root() / entry["file"]).is_file())
    return ["digits", "cifar10", *here]


def locate(name: str) -> None:
    """Raise DataError unless ``name`` is a set that can be had here or a folder; ParameterError
    for an empty name."""
    if not _by_path(name) and name not in BUILT_IN and name not in names():
        raise DataError(_missing(name))


def _by_path(name: str) -> bool:
    """Whether a set is a folder: names come first. Raises ParameterError for an empty name."""
    if not name:
        raise ParameterError(
            "data = '': must be the name of a set or a folder (the working directory is '.')"
        )
    return name not in BUILT_IN and name not in manifest() and _is_folder(name)


def _is_folder(name: str | Path) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # a name that is too long for a file
        return False


def load(name: str, split: str = "train", size: int | None = None) -> ImageSet:
    """An image set by name, or an ImageFolder by path.

    Args:
        name: one of :func:`names`, or a folder with ``train/`` and ``test/`` (or ``val/``), each of class folders.
        split: "train" or "test".
        size: side in pixels to which a folder's pictures are brought (centre square); archives keep their own.

    Raises: DataError if the set is missing, damaged, or of the wrong form; ParameterError for an unknown split.
    """
    if split not in SPLITS:
        raise ParameterError(f"split = {split!r}: must be 'train' or 'test'")
    if _by_path(name):
        return _image_folder(Path(name), split, size or FOLDER_SIDE)
    if name == "digits":
        return _digits(split)
    entries = manifest()
    if name in entries:
        entry = entries[name]
        return _cached(name, split, entry["sha256"], lambda: _read_archive(name, entry, split))
    if name in ("cifar10", "cifar10-20k"):
        return _cached(name, split, "torchvision", lambda: _cifar10(name, split))
    raise DataError(_missing(name))


def both(name: str, size: int | None = None) -> tuple[ImageSet, ImageSet]:
    """Train and test images of a set, of the same classes: arguments and errors as of :func:`load`.

    The test images come first: what is wrong with a folder is said before its many train images
    are read.
    """
    test = load(name, "test", size)
    train = load(name, "train", size)
    agree(train, test)
    return train, test


def agree(train: ImageSet, test: ImageSet) -> None:
    """Raise DataError unless two sets number the same classes, two or more, in the same way."""
    if train.classes != test.classes:
        lacking = sorted({*train.classes} ^ {*test.classes})
        what = f"{lacking[0]!r} is in one alone" if lacking else "they come in another order"
        raise DataError(
            f"classes of {train.name} {train.split} and {test.name} {test.split} differ: {what}; labels of the two would not mean the same"
        )
    if len(train.classes) < 2:
        raise DataError(
            f"{train.name}: {len(train.classes)} class; at least two are needed to tell apart"
        )


def _missing(name: str) -> str:
    here = f"SYNTHLEARN_DATA={root()}" if root() else "SYNTHLEARN_DATA is not set"
    return (
        f"data set {name[:100]!r} is not here ({here}): it must be one of {', '.join(names())}, "
        f"a folder with train/ and test/ (or val/) of class folders, or an archive described by "
        f"MANIFEST.json in the folder that SYNTHLEARN_DATA names"
    )


def _why(error: Exception) -> str:
    """What an error of a reader says, in one line of at most 300 characters."""
    said = " ".join(str(error).split())[:300]
    return said if " " in said else f"{type(error).__name__} {said}".strip()


@cache
def _tell(line: str) -> None:
    """A line on standard error, once per process: sets are read again and again."""
    print(line, file=sys.stderr, flush=True)


def _finish(
    name: str, split: str, pixels: np.ndarray, labels: Iterable[int], classes: Iterable[str]
) -> ImageSet:
    """From uint8 (n, h, w, 3) to an ImageSet."""
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return ImageSet(
        name,
        split,
        images,
        torch.as_tensor(np.asarray(labels), dtype=torch.int64),
        tuple(classes),
        digest,
    )


def from_tensor(
    name: str, split: str, images: Tensor, labels: Tensor, classes: Iterable[str]
) -> ImageSet:
    """An ImageSet of uint8 (n, 3, h, w) and int64 labels (n,)."""
    return _finish(name, split, images.permute(0, 2, 3, 1).numpy(), labels.numpy(), classes)


def _cached(name: str, split: str, version: str, read: Callable[[], ImageSet]) -> ImageSet:
    """``read()``, or its result kept under ``runs/data`` for the same version of the archive."""
    path = files.runs() / "data" / f"{name}-{split}-{version[:12]}.safetensors"
    identity = [name, split, version]
    if path.exists():
        try:
            tensors, header = files.load_tensors(path)
            if header["of"] == identity:
                images, labels = tensors["images"], tensors["labels"]
                return ImageSet(
                    name, split, images, labels, tuple(header["classes"]), header["sha256"]
                )
        except (
            CheckpointError,
            KeyError,
        ):  # damaged, or of an older version: read again from its archive
            pass
    found = read()
    header = {"of": identity, "classes": list(found.classes), "sha256": found.sha256}
    try:
        files.save_tensors(path, {"images": found.images, "labels": found.labels}, header)
    except DataError as error:  # the cache only saves the time to read the archive
        _tell(f"{name}: read from its archive every time ({error})")
    return found


def _digits(split: str) -> ImageSet:
    from sklearn.datasets import load_digits  # scikit-learn takes a second to import

    scans = load_digits()
    pixels = np.repeat(np.round(scans.images * (255 / 16)).astype(np.uint8)[..., None], 3, 3)
    part = slice(None, DIGITS_TRAIN) if split == "train" else slice(DIGITS_TRAIN, None)
    return _finish("digits", split, pixels[part], scans.target[part], [str(d) for d in range(10)])


def _read_archive(name: str, entry: dict[str, Any], split: str) -> ImageSet:
    path = root() / entry["file"]
    said = f"data set {name!r}"
    if not path.is_file():
        raise DataError(
            f"{said}: {path} is missing; put the archive there, or point SYNTHLEARN_DATA at the folder that has it"
        )
    if files.sha256(path) != entry["sha256"]:
        raise DataError(
            f"{said}: {path} is damaged (its SHA-256 is not the manifest's {entry['sha256'][:12]}…); fetch it again"
        )
    if split not in entry["splits"]:
        known = ", ".join(entry["splits"])
        raise DataError(f"{said} has no split {split!r}: it has {known}")
    try:
        pixels, labels = (_read_pages if path.suffix == ".zip" else _read_tar)(path, entry, split)
    except DataError:
        raise
    except Exception as error:  # readers of tar, xz, zip, NumPy and pictures raise many kinds
        raise DataError(
            f"{said}: {path} is not such an archive ({_why(error)}); make it as its manifest describes it"
        ) from error
    return _finish(name, split, pixels, labels, [c["name"] for c in entry["classes"]])


def _read_pages(path: Path, entry: dict[str, Any], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Lossless WebP pages of tiles, row by row, with ``split/labels.npy``."""
    width, height = entry["size"]
    n, classes = entry["splits"][split]["n"], len(entry["classes"])
    with zipfile.ZipFile(path) as archive:
        labels = np.load(io.BytesIO(archive.read(f"{split}/labels.npy")), allow_pickle=False)
        if labels.shape != (n,) or labels.dtype.kind not in "iu":
            raise DataError(
                f"{path}: {split}/labels.npy holds {labels.dtype} {labels.shape}, its manifest says {n} whole numbers"
            )
        if labels.min() < 0 or labels.max() >= classes:
            raise DataError(
                f"{path}: {split}/labels.npy holds labels from {labels.min()} to {labels.max()}, its manifest says {classes} classes"
            )
        pages = []
        listed = archive.namelist()
        for member in sorted(
            m for m in listed if m.startswith(f"{split}/") and m.endswith(".webp")
        ):
            page = np.asarray(Image.open(io.BytesIO(archive.read(member))).convert("RGB"))
            rows, columns = page.shape[0] // height, page.shape[1] // width
            tiles = page.reshape(rows, height, columns, width, 3).swapaxes(1, 2)
            pages.append(tiles.reshape(-1, height, width, 3))
    if sum(map(len, pages)) < n:
        raise DataError(
            f"{path}: holds {sum(map(len, pages))} {split} images, its manifest says {n}"
        )
    return np.concatenate(pages)[:n], labels


def _read_tar(path: Path, entry: dict[str, Any], split: str) -> tuple[np.ndarray, np.ndarray]:
    """A tar of ``split/class/file``, in the order of its members."""
    number = {c["id"]: i for i, c in enumerate(entry["classes"])}
    size, n = tuple(entry["size"]), entry["splits"][split]["n"]
    images, labels = [], []
    with tarfile.open(path) as archive, progress.bar(n, f"reading {path.name}", "image") as shown:
        for member in archive:
            if member.isdir():
                continue
            parts = PurePosixPath(member.name).parts  # without "./"
            if not member.isreg() or len(parts) != 3 or parts[0] not in entry["splits"]:
                raise DataError(f"{path}: member {member.name!r}: must be a file SPLIT/CLASS/FILE")
            if parts[1] not in number:
                raise DataError(f"{path}: member {member.name!r}: its class is not in the manifest")
            if parts[0] != split:
                continue
            content = archive.extractfile(member)
            picture = Image.open(content)  # type: ignore[arg-type]  # a regular file has content
            if picture.size != size:
                raise DataError(
                    f"{path}: member {member.name!r}: has {picture.width} × {picture.height} pixels, its manifest says {size[0]} × {size[1]}"
                )
            images.append(np.asarray(picture.convert("RGB")))
            labels.append(number[parts[1]])
            shown.update()
    if len(images) != n:
        raise DataError(f"{path}: holds {len(images)} {split} images, its manifest says {n}")
    return np.stack(images), np.array(labels)


def _cifar10(name: str, split: str) -> ImageSet:
    """CIFAR-10 by torchvision (MD5-checked download), whole or as ``cifar10-20k``: the first 2,000 training images per class."""
    from ..core.vision import torchvision

    where = (root() or files.runs() / "data") / "torchvision"
    try:
        source = torchvision.datasets.CIFAR10(str(where), train=split == "train", download=True)
    except Exception as error:  # torchvision passes on what its download, tar and files raise
        raise DataError(f"{_missing(name)}. Its download failed too: {_why(error)}") from error
    found = _finish(name, split, source.data, source.targets, source.classes)
    if name == "cifar10-20k" and split == "train":
        kept = found.first(CIFAR20K_PER_CLASS)
        return _finish(
            name, split, kept.images.permute(0, 2, 3, 1).numpy(), kept.labels.numpy(), found.classes
        )
    return found


@cache
def _formats() -> tuple[str, ...]:
    """Pillow's formats that are read here."""
    Image.init()
    return tuple(kind for kind in Image.ID if kind not in UNREAD)


@cache
def suffixes() -> frozenset[str]:
    """Suffixes of picture files, in lower case: all whose format Pillow opens here."""
    kinds = {*_formats()}
    return frozenset(s for s, kind in Image.registered_extensions().items() if kind in kinds)


def read_picture(path: Path, size: int) -> Tensor:
    """One picture file as its centre square, uint8 (3, size, size), as a viewer shows it: turned as
    its EXIF data say, on white where it is transparent, greys of more than 8 bits by their range.

    Raises: DataError naming a file that is no picture, or whose greys have no known range.
    """
    try:
        # from a stream: Pillow maps a file that it is given by path, and turns mapped TIFFs wrongly
        with open(path, "rb") as stream, Image.open(stream, formats=_formats()) as picture:
            if max(picture.size) > LONGEST_SIDE:
                raise ValueError(
                    f"{picture.width} × {picture.height} pixels; a side has at most {LONGEST_SIDE:,}"
                )
            if picture.format == "PNG":  # whose checksums over the pixels Pillow passes by
                with Image.open(path, formats=("PNG",)) as stored:
                    stored.verify()
            pixels = _shown(picture)
    except Exception as error:  # the readers of some forty formats raise many kinds
        raise DataError(
            f"{path}: not a readable picture ({_why(error)}); remove or replace it"
        ) from error
    return resize(torch.from_numpy(pixels).permute(2, 0, 1)[None], size)[0]


def _shown(picture: Image.Image) -> np.ndarray:
    """Pixels as a viewer shows them, uint8 (h, w, 3)."""
    deep = any(
        "16" in str(tile[3]) for tile in getattr(picture, "tile", ())
    )  # colours of 16 bits, which Pillow reads as the upper eight
    with contextlib.suppress(Exception):  # damaged EXIF data: as it is stored
        ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith(("I", "F")):
        return np.repeat(_grey(picture)[..., None], 3, 2)
    hidden = picture.info.get("transparency")
    if deep and isinstance(hidden, tuple):
        picture.info["transparency"] = tuple(level >> 8 for level in hidden)
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, "white")
        return np.array(Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB"))
    return np.array(picture.convert("RGB"))


def _grey(picture: Image.Image) -> np.ndarray:
    """Greys of more than 8 bits, uint8 (h, w): of 16 bits the upper eight, as Pillow reads colours
    of 16 bits; floats from 0 to 1. Raises ValueError where the range is not known."""
    levels = np.asarray(picture)
    if picture.format == "FITS" and picture.mode != "F":
        raise ValueError(
            "FITS of whole numbers, whose range Pillow does not read: save it with 8 bits or as PNG"
        )
    sixteen = picture.mode.startswith("I;16") or picture.format in (
        "PNG",
        "PPM",
    )  # "I" in old Pillows, and of PGM
    if sixteen and picture.mode != "F":
        found = (levels.astype(np.int64) >> 8).astype(np.uint8)
        if _white_is_zero(picture):
            found = 255 - found
        hidden = picture.info.get("transparency")
        return np.where(levels == hidden, np.uint8(255), found) if hidden is not None else found
    if picture.mode == "F" and levels.min() >= 0 and levels.max() <= 1:
        return np.round((1 - levels if _white_is_zero(picture) else levels) * 255).astype(np.uint8)
    raise ValueError(
        f"greys of 32 bits from {levels.min():g} to {levels.max():g}, whose range the file does not say: save it with 8 or 16 bits, or as floats from 0 to 1"
    )


def _white_is_zero(picture: Image.Image) -> bool:
    """Whether greys run from white to black, which Pillow minds in TIFFs of 8 bits alone."""
    return picture.format == "TIFF" and picture.tag_v2.get(262) == 0  # type: ignore[attr-defined]  # of TIFFs


def _read_pictures(paths: Sequence[Path], size: int, description: str) -> Tensor:
    images = torch.empty((len(paths), 3, size, size), dtype=torch.uint8)
    with progress.bar(len(paths), description, "image") as shown:
        for i, path in enumerate(paths):
            images[i] = read_picture(path, size)
            shown.update()
    return images


def below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures at any depth below a folder, sorted, and the files that are none.

    Hidden files and folders are left out. Linked folders are followed, but each folder once and
    never one that holds ``folder``, so that loops end.
    Raises: DataError for a folder that cannot be read.
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


def _tell_left_out(folder: Path, others: Sequence[Path]) -> None:
    if others:
        named = ", ".join(repr(str(p.relative_to(folder))) for p in others[:3])
        more = ", …" if len(others) > 3 else ""
        _tell(
            f"{folder}: {len(others)} of its files left out, no pictures that Pillow {PIL.__version__} reads: {named}{more}"
        )


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """The pictures of ``folder/CLASS/…`` by class, both sorted. Folders that are hidden or hold no
    file are no classes; files that are no pictures are left out, and a line says which.

    Raises: DataError for no pictures at all, a class none of whose files is a picture, and a
    class's name that is not UTF-8.
    """
    found, left_out = {}, []
    if not _is_folder(folder):
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
            found[path.name] = pictures
    if not found:
        raise DataError(
            f"{folder}: no pictures there; they must lie in class folders, {folder}/CLASS/FILE"
        )
    _tell_left_out(folder, left_out)
    return found


def check_utf8(path: Path) -> None:
    """Raise DataError for a file or folder whose name is not UTF-8: it cannot be written down."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{path.parent}: the name {path.name!r} is not UTF-8; rename it") from error


Listed = tuple[list[Path], list[int], list[str]]  # pictures, the numbers of their classes, classes


def _listed(path: Path, split: str) -> Listed:
    """What a split of an ImageFolder holds. The classes of ``train/`` number both splits.

    Raises: DataError for fewer than two of them, and a test class that is none of them.
    """
    test = (
        path / "test" if (path / "test").is_dir() or not (path / "val").is_dir() else path / "val"
    )
    part = path / "train" if split == "train" else test
    for wanted in (path / "train", part):
        if not wanted.is_dir():
            raise DataError(
                f"{path}: has no {wanted.name}/ folder; an ImageFolder here is {path}/train/CLASS/FILE and {path}/test/CLASS/FILE (or val/)"
            )
    mine = train = class_folders(path / "train")
    if len(train) < 2:
        raise DataError(
            f"{path / 'train'}: holds one class, {next(iter(train))!r}; at least two are needed (for pictures without classes: --folder)"
        )
    if split != "train":
        mine = class_folders(part)
        for unknown in sorted(mine.keys() - train.keys()):
            near = difflib.get_close_matches(unknown.lower(), {c.lower(): c for c in train}, n=1)
            hint = next((f": did you mean {c!r}?" for c in train if c.lower() in near), "")
            raise DataError(
                f"{part}: class {unknown!r} is none of the {len(train)} classes of {path / 'train'}{hint or '; rename or remove it'}"
            )
        if lacking := sorted(train.keys() - mine.keys()):
            named = ", ".join(map(repr, lacking[:3])) + (", …" if len(lacking) > 3 else "")
            _tell(f"{part}: has no pictures of {len(lacking)} classes of train/: {named}")
    number = {c: i for i, c in enumerate(train)}
    listed = [(p, number[c]) for c, pictures in mine.items() for p in pictures]
    return [p for p, _ in listed], [i for _, i in listed], [*train]


def _image_folder(path: Path, split: str, size: int) -> ImageSet:
    paths, labels, classes = _listed(path, split)
    try:
        stamps = tuple((p, s.st_ino, s.st_mtime_ns, s.st_size) for p in paths for s in (p.stat(),))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    return _read_folder(path, split, size, stamps, tuple(labels), tuple(classes))


@lru_cache(maxsize=2)  # train and test: a set is asked for many times
def _read_folder(
    path: Path,
    split: str,
    size: int,
    stamps: tuple[tuple[Path, int, int, int], ...],
    labels: tuple[int, ...],
    classes: tuple[str, ...],
) -> ImageSet:
    """The pictures of a split; ``stamps`` tell one state of the files from another."""
    images = _read_pictures([p for p, *_ in stamps], size, f"reading {path.name} {split}")
    found = _finish(str(path), split, images.permute(0, 2, 3, 1).numpy(), labels, classes)
    return replace(found, sha256=files.digest([found.sha256, labels, classes]))


def _contents(folder: Path, paths: Iterable[Path]) -> str:
    """SHA-256 over the names below ``folder`` and the contents of files, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        name = os.fsencode(path.relative_to(folder))
        digest.update(name + f"\0{files.sha256(path)}\0".encode())
    return digest.hexdigest()


def _positions(indices: Iterable[int], n: int, said: str) -> list[int]:
    """Indices of n pictures as integers.

    Raises: ParameterError for one that is negative or not whole, DataError for one past the end.
    """
    found = []
    for i in indices:
        try:
            number = int(i)
        except (TypeError, ValueError, OverflowError):
            number = -1
        if number < 0 or number != i:
            raise ParameterError(f"index {i!r}: must be a whole number, 0 or more")
        found.append(number)
    if found and max(found) >= n:
        raise DataError(f"{said}, {max(found) + 1} are asked for; lower n_images")
    return found


@dataclass(frozen=True)
class FolderOptions(Options):
    """``path``: of the folder."""

    path: str


@register("folder")
class Folder(Source):
    """Every picture below a folder, without labels, as a source to pre-train on (the authors'
    released sets, one's own). Files that are no pictures are left out, and a line says which."""

    kind = "folder"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """One with the options of :class:`FolderOptions`."""
        return cls(build(FolderOptions, "source 'folder'", options).path)

    def __init__(self, path: str | Path) -> None:
        """Raises ParameterError for an empty path, DataError where no pictures are."""
        if path == "":
            raise ParameterError("folder = '': must be a folder (the working directory is '.')")
        self.path = Path(path)
        self.files, others = below(self.path) if _is_folder(path) else ([], [])
        if not self.files:
            held = f"; its {len(others)} files are none" if others else ""
            raise DataError(f"folder {str(path)[:200]!r}: no pictures there{held}")
        _tell_left_out(self.path, others)
        self.name = f"folder:{self.path.name[:50]}"  # part of file names

    @cached_property
    def _sha256(self) -> str:
        return _contents(self.path, self.files)

    def spec(self) -> dict[str, Any]:
        """Number of files and the SHA-256 over their names and contents."""
        return {"folder": self.path.name, "files": len(self.files), "sha256": self._sha256}

    def number(self) -> int:
        """How many pictures there are."""
        return len(self.files)

    def spread(self, n: int) -> list[int]:
        """Indices of ``n`` pictures evenly spaced over the folder: its first ones may be of one sub-folder."""
        return [i * len(self.files) // n for i in range(n)]

    def sample(
        self, indices: Iterable[int], size: int = 128, seed: int = 0, device: str = "cpu"
    ) -> Tensor:
        """Pictures by index in sorted order: uint8 (n, 3, size, size).

        ``seed`` does nothing: there is one set.
        Raises: ParameterError for an index that is negative or not whole, DataError past the end.
        """
        n = len(self.files)
        chosen = _positions(indices, n, f"{self.path}: holds {n} pictures")
        paths = [self.files[i] for i in chosen]
        return _read_pictures(paths, size, f"reading {self.path.name}").to(device)


@dataclass(frozen=True)
class RealOptions(Options):
    """``data``: name of a set, or a folder with train/ and test/."""

    data: str


@register("real")
class RealImages(Source):
    """The training images of a real set, labels hidden, as a source: the study's upper bound.

    Of a folder only the pictures that are asked for are read, so that it may be larger than the
    memory.
    """

    kind = "real"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """One with the options of :class:`RealOptions`."""
        return cls(build(RealOptions, "source 'real'", options).data)

    def __init__(self, data: str) -> None:
        self.data, self.name = data, f"real:{Path(data).name[:50]}"  # part of file names

    @cached_property
    def _folder(self) -> Listed | None:
        """What the folder holds; None for a set that is known by name."""
        return _listed(Path(self.data), "train") if _by_path(self.data) else None

    @cached_property
    def _sha256(self) -> str:
        if self._folder is None:
            return load(self.data, "train").sha256
        return _contents(Path(self.data), self._folder[0])

    @cached_property
    def _labels(self) -> Tensor:
        if self._folder is None:
            return load(self.data, "train").labels
        return torch.tensor(self._folder[1])

    @cached_property
    def _order(self) -> Tensor:
        return torch.argsort(rank_within_class(self._labels), stable=True)

    def _chosen(self, indices: Iterable[int]) -> Tensor:
        """Positions in the set of the pictures with these indices: int64 (n,)."""
        n = len(self._labels)
        chosen = _positions(indices, n, f"{self.data}: holds {n} training images")
        return self._order[torch.tensor(chosen, dtype=torch.int64)]

    def spec(self) -> dict[str, Any]:
        """Name of the set and the SHA-256 of its training pixels, of a folder of its files."""
        return {"real": self.data, "sha256": self._sha256}

    def number(self) -> int:
        """How many images there are."""
        return len(self._labels)

    def sample(
        self, indices: Iterable[int], size: int = 128, seed: int = 0, device: str = "cpu"
    ) -> Tensor:
        """Images by index: classes take turns, so any first n hold equally many of each.

        Returns uint8 (n, 3, s, s); s is the smaller of ``size`` and the set's own side, but at
        least 32 where ``size`` is.
        Raises: ParameterError for an index that is negative or not whole, DataError past the end.
        """
        if self._folder is not None:
            paths = [self._folder[0][i] for i in self._chosen(indices).tolist()]
            return _read_pictures(paths, size, f"reading {Path(self.data).name}").to(device)
        source = load(self.data, "train")
        images = source.images[self._chosen(indices)]
        own = min(images.shape[-2:])
        return resize(images, min(size, max(own, LEAST_SIDE))).to(device)

    def labels(self, indices: Iterable[int]) -> Tensor:
        """Classes of images by index, int64 (n,)."""
        return self._labels[self._chosen(indices)]


def class_balanced_order(images: ImageSet) -> Tensor:
    """Positions of images in the order in which classes take turns: int64 (n,)."""
    return torch.argsort(rank_within_class(images.labels), stable=True)


def rank_within_class(labels: Tensor) -> Tensor:
    """How many images of the same class come before each image: int64 (n,)."""
    order, sizes = labels.argsort(stable=True), labels.bincount()
    first = sizes.cumsum(0) - sizes  # where each class begins in that order
    before = torch.empty_like(labels)
    before[order] = torch.arange(len(labels), device=labels.device) - first[labels[order]]
    return before


def sample(images: ImageSet, n: int) -> ImageSet:
    """``n`` images that stand for a set (all of a smaller one), every class in its share.

    A set that lies class by class, each class in one piece, gives its classes in turns; one whose
    classes are mixed gives its first images.
    """
    chosen = sampled(images, n)
    return replace(images, images=images.images[chosen], labels=images.labels[chosen])


def sampled(images: ImageSet, n: int) -> Tensor:
    """Positions of the images of :func:`sample`: int64 (n,)."""
    pieces = 1 + int((images.labels[1:] != images.labels[:-1]).sum())
    order = (
        class_balanced_order(images)
        if pieces == len(images.labels.unique())
        else torch.arange(len(images))
    )
    return order[:n]


def digest_of(name: str, split: str, size: int) -> str:
    """SHA-256 of a set's images at a size, hexadecimal, as :attr:`ImageSet.sha256`."""
    return load(name, split, size).sha256
