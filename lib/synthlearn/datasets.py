"""Real images: labelled sets in device memory, from archives, folders, scikit-learn or torchvision.

Archives are looked for in ``SYNTHLEARN_DATA``, beside the ``MANIFEST.json`` that describes them, checked by SHA-256 and kept as
one tensor file per split under ``runs/data``.
"""

import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import files, progress
from .errors import CheckpointError, DataError, ParameterError
from .image import resize

SPLITS = ("train", "test")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")
DIGITS_TRAIN = 1000  # of scikit-learn's 1,797 scans, in their order, so that most test writers are new
LEAST_SIDE = 32  # of real images as a source: smaller ones are enlarged to the least input of the encoder
CIFAR20K_PER_CLASS = 2000  # cifar10-20k: the first training images of each class of CIFAR-10, in the original order


@dataclass(frozen=True)
class ImageSet:
    """Labelled images: uint8 (n, 3, h, w), labels int64 (n,), names of the classes, and the SHA-256 of all pixels in (n, h, w, 3) order."""

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, per_class: int) -> "ImageSet":
        """The first ``per_class`` images of each class in their order; 0 means all."""
        if not per_class:
            return self
        keep = turn(self.labels) < per_class
        return replace(self, images=self.images[keep], labels=self.labels[keep])


def root() -> Path | None:
    """The folder of image sets, ``SYNTHLEARN_DATA``, or None where it is not set."""
    return Path(os.environ["SYNTHLEARN_DATA"]) if os.environ.get("SYNTHLEARN_DATA") else None


def manifest() -> dict[str, Any]:
    """The described archives of the data folder; empty without one. Raises DataError if the manifest cannot be read."""
    path = (root() or Path(os.devnull)) / "MANIFEST.json"
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); fetch the data folder again") from error


def names() -> list[str]:
    """Names of the sets that can be had here: scikit-learn's digits, CIFAR-10 by download, and the archives that are present."""
    return ["digits", "cifar10", *(name for name, entry in manifest().items() if (root() / entry["file"]).is_file())]


def locate(name: str) -> None:
    """Raise DataError unless ``name`` is a set that can be had here or a folder."""
    if name not in names() and name != "cifar10-20k" and not Path(name).is_dir():
        raise DataError(_missing(name))


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
    if name == "digits":
        return _digits(split)
    entries = manifest()
    if name in entries:
        return _cached(name, split, entries[name]["sha256"], lambda: _read_archive(name, entries[name], split))
    if name in ("cifar10", "cifar10-20k"):
        return _cached(name, split, "torchvision", lambda: _cifar10(name, split))
    if Path(name).is_dir():
        return _image_folder(Path(name), split, size or 64)
    raise DataError(_missing(name))


def _missing(name: str) -> str:
    here = f"SYNTHLEARN_DATA={root()}" if root() else "SYNTHLEARN_DATA is not set"
    return (
        f"data set {name!r} is not here ({here}): it must be one of {', '.join(names())}, a folder with train/ and test/ (or val/) "
        f"of class folders, or an archive described by MANIFEST.json in the folder that SYNTHLEARN_DATA names"
    )


def _finish(name: str, split: str, pixels: np.ndarray, labels: Iterable[int], classes: Iterable[str]) -> ImageSet:
    """From uint8 (n, h, w, 3) to an ImageSet."""
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return ImageSet(name, split, images, torch.as_tensor(np.asarray(labels), dtype=torch.int64), tuple(classes), digest)


def from_tensor(name: str, split: str, images: Tensor, labels: Tensor, classes: Iterable[str]) -> ImageSet:
    """An ImageSet of uint8 (n, 3, h, w) and int64 labels (n,)."""
    return _finish(name, split, images.permute(0, 2, 3, 1).numpy(), labels.numpy(), classes)


def _cached(name: str, split: str, version: str, read: Any) -> ImageSet:
    """``read()``, or its result kept under ``runs/data`` for the same version of the archive."""
    path = files.runs() / "data" / f"{name}-{split}-{version[:12]}.safetensors"
    if path.exists():
        try:
            tensors, header = files.load_tensors(path)
            return ImageSet(name, split, tensors["images"], tensors["labels"], tuple(header["classes"]), header["sha256"])
        except CheckpointError:  # a damaged cache is read again from its archive
            path.unlink()
    found = read()
    files.save_tensors(path, {"images": found.images, "labels": found.labels}, {"classes": list(found.classes), "sha256": found.sha256})
    return found


def _digits(split: str) -> ImageSet:
    from sklearn.datasets import load_digits  # scikit-learn takes a second to import

    scans = load_digits()
    pixels = np.repeat(np.round(scans.images * (255 / 16)).astype(np.uint8)[..., None], 3, 3)
    part = slice(None, DIGITS_TRAIN) if split == "train" else slice(DIGITS_TRAIN, None)
    return _finish("digits", split, pixels[part], scans.target[part], [str(d) for d in range(10)])


def _read_archive(name: str, entry: dict[str, Any], split: str) -> ImageSet:
    path = root() / entry["file"]
    if not path.is_file():
        raise DataError(f"data set {name!r}: {path} is missing; put the archive there, or point SYNTHLEARN_DATA at the folder that has it")
    if files.sha256(path) != entry["sha256"]:
        raise DataError(f"data set {name!r}: {path} is damaged (its SHA-256 is not the manifest's {entry['sha256'][:12]}…); fetch it again")
    if split not in entry["splits"]:
        raise DataError(f"data set {name!r} has no split {split!r}: it has {', '.join(entry['splits'])}")
    pixels, labels = (_read_pages if path.suffix == ".zip" else _read_tar)(path, entry, split)
    if len(labels) != entry["splits"][split]["n"]:
        raise DataError(f"data set {name!r}: {path} holds {len(labels)} {split} images, its manifest says {entry['splits'][split]['n']}")
    return _finish(name, split, pixels, labels, [c["name"] for c in entry["classes"]])


def _read_pages(path: Path, entry: dict[str, Any], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Lossless WebP pages of tiles, row by row, with ``split/labels.npy``."""
    tile = entry["size"][0]
    with zipfile.ZipFile(path) as archive:
        labels = np.load(io.BytesIO(archive.read(f"{split}/labels.npy")), allow_pickle=False)
        pages = []
        for member in sorted(m for m in archive.namelist() if m.startswith(f"{split}/") and m.endswith(".webp")):
            page = np.asarray(Image.open(io.BytesIO(archive.read(member))).convert("RGB"))
            rows, columns = page.shape[0] // tile, page.shape[1] // tile
            pages.append(page.reshape(rows, tile, columns, tile, 3).swapaxes(1, 2).reshape(-1, tile, tile, 3))
    return np.concatenate(pages)[: len(labels)], labels


def _read_tar(path: Path, entry: dict[str, Any], split: str) -> tuple[np.ndarray, np.ndarray]:
    """A tar of ``split/class/file``, in the order of its members."""
    number = {c["id"]: i for i, c in enumerate(entry["classes"])}
    images, labels = [], []
    with tarfile.open(path) as archive, progress.bar(entry["splits"][split]["n"], f"reading {path.name}", "image") as shown:
        for member in archive:
            part, label, _ = member.name.split("/")
            content = archive.extractfile(member)
            if part == split and content is not None:
                images.append(np.asarray(Image.open(content).convert("RGB")))
                labels.append(number[label])
                shown.update()
    return np.stack(images), np.array(labels)


def _cifar10(name: str, split: str) -> ImageSet:
    """CIFAR-10 by torchvision (MD5-checked download), whole or as ``cifar10-20k``: the first 2,000 training images per class."""
    from .vision import torchvision

    where = (root() or files.runs() / "data") / "torchvision"
    try:
        source = torchvision.datasets.CIFAR10(str(where), train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{_missing(name)}. Its download failed too: {error}") from error
    found = _finish(name, split, source.data, source.targets, source.classes)
    if name == "cifar10-20k" and split == "train":
        kept = found.first(CIFAR20K_PER_CLASS)
        return _finish(name, split, kept.images.permute(0, 2, 3, 1).numpy(), kept.labels.numpy(), found.classes)
    return found


def read_picture(path: Path, size: int) -> Tensor:
    """One picture file as its centre square, uint8 (3, size, size). Raises DataError naming a file that is no picture."""
    try:
        with Image.open(path) as picture:
            pixels = np.array(picture.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable picture ({error}); remove or replace it") from error
    return resize(torch.from_numpy(pixels).permute(2, 0, 1)[None], size)[0]


def _read_pictures(paths: list[Path], size: int, description: str) -> Tensor:
    images = torch.empty((len(paths), 3, size, size), dtype=torch.uint8)
    with progress.bar(len(paths), description, "image") as shown:
        for i, path in enumerate(paths):
            images[i] = read_picture(path, size)
            shown.update()
    return images


def _image_folder(path: Path, split: str, size: int) -> ImageSet:
    part = path / split if split == "train" or (path / "test").is_dir() else path / "val"
    if not part.is_dir():
        raise DataError(f"{path}: has no {part.name}/ folder; an ImageFolder here is {path}/train/CLASS/FILE and {path}/test/CLASS/FILE (or val/)")
    classes = sorted(p.name for p in part.iterdir() if p.is_dir())
    listed = [(p, i) for i, c in enumerate(classes) for p in sorted((part / c).rglob("*")) if p.suffix.lower() in SUFFIXES]
    if not listed:
        raise DataError(f"{part}: holds no pictures in class folders ({', '.join(SUFFIXES)})")
    images = _read_pictures([p for p, _ in listed], size, f"reading {part}")
    return _finish(str(path), split, images.permute(0, 2, 3, 1).numpy(), [i for _, i in listed], classes)


class Folder:
    """Every picture below a folder, without labels, as a source to pre-train on (the authors' released sets, one's own)."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.files = sorted(p for p in self.path.rglob("*") if p.suffix.lower() in SUFFIXES) if self.path.is_dir() else []
        if not self.files:
            raise DataError(f"folder {str(path)!r}: no pictures there ({', '.join(SUFFIXES)})")
        self.name = f"folder:{self.path.name}"

    def spec(self) -> dict[str, Any]:
        """Number of files and the SHA-256 over their names and contents."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(f"{path.relative_to(self.path)}\0{files.sha256(path)}\0".encode())
        return {"folder": self.path.name, "files": len(self.files), "sha256": digest.hexdigest()}

    def sample(self, indices: Iterable[int], size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Pictures by index in sorted order: uint8 (n, 3, size, size). ``seed`` does nothing: there is one set. Raises DataError past the end."""
        chosen = [int(i) for i in indices]
        if chosen and max(chosen) >= len(self.files):
            raise DataError(f"{self.path}: holds {len(self.files)} pictures, {max(chosen) + 1} are asked for; lower n_images")
        return _read_pictures([self.files[i] for i in chosen], size, f"reading {self.path.name}").to(device)


class RealImages:
    """The training images of a real set, labels hidden, as a source: the study's upper bound."""

    def __init__(self, data: str) -> None:
        self.data, self.name = data, f"real:{data}"

    def spec(self) -> dict[str, Any]:
        """Name of the set and the SHA-256 of its training pixels."""
        return {"real": self.data, "sha256": load(self.data, "train").sha256}

    def sample(self, indices: Iterable[int], size: int = 128, seed: int = 0, device: str = "cpu") -> Tensor:
        """Images by index: classes take turns, so any first n hold equally many of each. uint8 (n, 3, s, s).

        s is the smaller of ``size`` and the set's own side, but at least 32 where ``size`` is.
        """
        source = load(self.data, "train", size)
        order = turns(source)
        index = torch.as_tensor([int(i) for i in indices])
        if len(index) and int(index.max()) >= len(source):
            raise DataError(f"{self.data}: holds {len(source)} training images, {int(index.max()) + 1} are asked for; lower n_images")
        images = source.images[order[index]]
        own = min(images.shape[-2:])
        return resize(images, min(size, max(own, LEAST_SIDE))).to(device)

    def labels(self, indices: Iterable[int]) -> Tensor:
        """Classes of images by index, int64 (n,)."""
        source = load(self.data, "train")
        return source.labels[turns(source)[torch.as_tensor([int(i) for i in indices])]]


def turns(images: ImageSet) -> Tensor:
    """Positions of images in the order in which classes take turns: int64 (n,)."""
    return torch.argsort(turn(images.labels), stable=True)


def turn(labels: Tensor) -> Tensor:
    """How many images of the same class come before each image: int64 (n,)."""
    return (torch.nn.functional.one_hot(labels).cumsum(0).gather(1, labels[:, None]))[:, 0] - 1
