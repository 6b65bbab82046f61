"""Archives of image sets: a data folder, the manifest that describes it, and the readers.

Archives are looked for in ``SYNTHLEARN_DATA``, beside the ``MANIFEST.json`` that describes them,
and checked by SHA-256.
"""

import io
import os
import re
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from ..core import files, progress
from ..core.errors import DataError, ParameterError, reason
from ..core.options import whole
from .image_set import ImageSet, from_pixels

NAME_BYTES = 200  # at most, of a set's or a file's name: a file system takes 255


def root() -> Path | None:
    """The folder of image sets, ``SYNTHLEARN_DATA``, or None where it is not set.

    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, SYNTHLEARN_DATA="pictures"):
    ...     str(root())
    'pictures'
    """
    return Path(os.environ["SYNTHLEARN_DATA"]) if os.environ.get("SYNTHLEARN_DATA") else None


def manifest() -> dict[str, Any]:
    """The described archives of the data folder; empty without one.

    Raises: DataError if the manifest cannot be read, or names the first thing in it that is wrong.

    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, SYNTHLEARN_DATA=""):  # no data folder
    ...     manifest()
    {}
    """
    path = (root() or Path(os.devnull)) / "MANIFEST.json"
    if not path.is_file():
        return {}
    entries = files.read_json(path, DataError, "fetch the data folder again")
    for name, entry in entries.items():
        if fault := _fault(name, entry):
            raise DataError(f"{path}: set {name[:100]!r}: {fault}; fetch the data folder again")
    return entries


def _positive(value: Any) -> bool:
    """Whether a value of the manifest is a whole number above 0."""
    try:
        whole("number", value, 1)
    except ParameterError:
        return False
    return True


def _fault(name: str, entry: Any) -> str:
    """What is wrong with a set of the manifest; "" where nothing is."""
    if not re.fullmatch(r"[\w.-]+", name) or len(name.encode()) > NAME_BYTES:
        return f"a name must be of letters, digits, '_', '.' and '-', at most {NAME_BYTES} bytes"
    if not isinstance(entry, dict):
        return "must be an object"
    file, side, splits, classes = (entry.get(k) for k in ("file", "size", "splits", "classes"))
    if not isinstance(file, str) or not file or "\0" in file:
        return f"file = {file!r}: must be the archive's name"
    outside = Path(file).is_absolute() or ".." in Path(file).parts
    if outside or len(file.encode(errors="replace")) > NAME_BYTES:
        return f"file = {file!r}: must be a short name inside the data folder"
    if not re.fullmatch(r"[0-9a-f]{64}", str(entry.get("sha256"))):
        return f"sha256 = {str(entry.get('sha256'))[:80]!r}: must be 64 hexadecimal digits"
    if not isinstance(side, list) or len(side) != 2 or not all(map(_positive, side)):
        return f"size = {str(side)[:80]}: must be width and height in pixels"
    if not isinstance(splits, dict) or not all(
        isinstance(s, dict) and _positive(s.get("n")) for s in splits.values()
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


def read_archive(name: str, entry: dict[str, Any], split: str) -> ImageSet:
    """A split of a set from its archive, which its entry in the manifest describes.

    Raises: DataError for an archive that is missing, damaged, or not as it is described.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     picture, tar = Path(folder, "1.png"), Path(folder, "cats.tar")
    ...     Image.new("RGB", (8, 8)).save(picture)
    ...     with tarfile.open(tar, "w") as archive:
    ...         archive.add(picture, "test/cat/1.png")
    ...     entry = {"file": tar, "sha256": files.sha256(tar), "size": [8, 8]}
    ...     entry |= {"splits": {"test": {"n": 1}}, "classes": [{"id": "cat", "name": "Cat"}]}
    ...     cats = read_archive("cats", entry, "test")
    >>> cats.images.shape, cats.classes
    (torch.Size([1, 3, 8, 8]), ('Cat',))
    """
    path = (root() or Path()) / entry["file"]
    subject = f"data set {name!r}"
    if not path.is_file():
        raise DataError(
            f"{subject}: {path} is missing; put the archive there, or point SYNTHLEARN_DATA at "
            f"the folder that has it"
        )
    if files.sha256(path) != entry["sha256"]:
        expected = f"its SHA-256 is not the manifest's {entry['sha256'][:12]}…"
        raise DataError(f"{subject}: {path} is damaged ({expected}); fetch it again")
    if split not in entry["splits"]:
        known = ", ".join(entry["splits"])
        raise DataError(f"{subject} has no split {split!r}: it has {known}")
    try:
        pixels, labels = (_read_pages if path.suffix == ".zip" else _read_tar)(path, entry, split)
    except DataError:
        raise
    except Exception as error:  # readers of tar, xz, zip, NumPy and images raise many kinds
        raise DataError(
            f"{subject}: {path} is not such an archive ({reason(error)}); make it as its manifest "
            f"describes it"
        ) from error
    return from_pixels(name, split, pixels, labels, [c["name"] for c in entry["classes"]])


def _read_pages(path: Path, entry: dict[str, Any], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Lossless WebP pages of tiles, row by row, with ``split/labels.npy``."""
    width, height = entry["size"]
    n, classes = entry["splits"][split]["n"], len(entry["classes"])
    with zipfile.ZipFile(path) as archive:
        labels = np.load(io.BytesIO(archive.read(f"{split}/labels.npy")), allow_pickle=False)
        if labels.shape != (n,) or labels.dtype.kind not in "iu":
            raise DataError(
                f"{path}: {split}/labels.npy holds {labels.dtype} {labels.shape}, its manifest "
                f"says {n} whole numbers"
            )
        if labels.min() < 0 or labels.max() >= classes:
            raise DataError(
                f"{path}: {split}/labels.npy holds labels from {labels.min()} to {labels.max()}, "
                f"its manifest says {classes} classes"
            )
        pages = []
        members = [name for name in archive.namelist() if name.startswith(f"{split}/")]
        for member in sorted(name for name in members if name.endswith(".webp")):
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
    with tarfile.open(path) as archive, progress.bar(n, f"reading {path.name}", "image") as bar:
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
                    f"{path}: member {member.name!r}: has {picture.width} × {picture.height} "
                    f"pixels, its manifest says {size[0]} × {size[1]}"
                )
            images.append(np.asarray(picture.convert("RGB")))
            labels.append(number[parts[1]])
            bar.update()
    if len(images) != n:
        raise DataError(f"{path}: holds {len(images)} {split} images, its manifest says {n}")
    return np.stack(images), np.array(labels)
