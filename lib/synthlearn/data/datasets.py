"""Real image sets by name, or a folder by path.

Sets are scikit-learn's digits, CIFAR-10 by torchvision, and archives of the data folder; what is
read from archives is kept as one tensor file per split under ``runs/data``.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from ..core import files
from ..core.errors import CheckpointError, DataError, ParameterError, reason
from ..core.progress import note
from .archives import manifest, read_archive, root
from .folders import image_folder
from .image_set import ImageSet, agree, from_pixels, from_tensor

SPLITS = ("train", "test")
FOLDER_SIDE = 64  # of a folder's images where no size is asked for; chosen here
BUILT_IN = ("digits", "cifar10", "cifar10-20k")
DIGITS_TRAIN = 1000  # of scikit-learn's 1,797 scans, in their order: most test writers are new
DIGITS_WHITE = 16  # the scans' levels are 0 … 16
TORCHVISION = "torchvision"  # the version of what it downloads, in the place of a checksum
CIFAR20K_PER_CLASS = 2000  # cifar10-20k: the first of each class, in CIFAR-10's own order


def names() -> list[str]:
    """Names of the sets that can be had here: scikit-learn's digits, CIFAR-10 by download, and the
    archives that are present.

    >>> names()[:2]
    ['digits', 'cifar10']
    """
    folder = root() or Path()
    here = (name for name, entry in manifest().items() if (folder / entry["file"]).is_file())
    return ["digits", "cifar10", *here]


def locate(name: str) -> None:
    """Raise DataError unless ``name`` is a set that can be had here or a folder; ParameterError
    for an empty name.

    >>> locate("digits")
    >>> locate("no such set")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    synthlearn.core.errors.DataError: data set 'no such set' is not here (...
    """
    if not is_image_folder(name) and name not in BUILT_IN and name not in names():
        raise DataError(_missing(name))


def is_image_folder(name: str) -> bool:
    """Whether a set is a folder: names come first. Raises ParameterError for an empty name.

    >>> import tempfile
    >>> is_image_folder(tempfile.gettempdir()), is_image_folder("digits")
    (True, False)
    """
    if not name:
        raise ParameterError(
            "data = '': must be the name of a set or a folder (the working directory is '.')"
        )
    return name not in BUILT_IN and name not in manifest() and files.is_folder(name)


def load(name: str, split: str = "train", size: int | None = None) -> ImageSet:
    """An image set by name, or an ImageFolder by path.

    Args:
        name: one of :func:`names`, or a folder with ``train/`` and ``test/`` (or ``val/``), each
            of class folders.
        split: "train" or "test".
        size: side in pixels to which a folder's images are brought (centre square); archives
            keep their own.

    Raises: DataError if the set is missing, damaged, or of the wrong form; ParameterError for an
    unknown split.

    >>> import synthlearn as sl
    >>> digits = sl.data.load("digits", "test")
    >>> digits.images.shape, digits.classes[:3]
    (torch.Size([797, 3, 8, 8]), ('0', '1', '2'))
    """
    if split not in SPLITS:
        raise ParameterError(f"split = {split!r}: must be 'train' or 'test'")
    if is_image_folder(name):
        return image_folder(Path(name), split, size or FOLDER_SIDE)
    if name == "digits":
        return _digits(split)
    entries = manifest()
    if name in entries:
        entry = entries[name]
        return _cached(name, split, entry["sha256"], lambda: read_archive(name, entry, split))
    if name in BUILT_IN:
        return _cached(name, split, TORCHVISION, lambda: _cifar10(name, split))
    raise DataError(_missing(name))


def digest(name: str, split: str, size: int | None = None) -> str:
    """SHA-256 of a set's images, in hexadecimal: :attr:`ImageSet.sha256`, arguments and errors as
    of :func:`load`. Of a set that is kept, its file's header is read alone.

    >>> import synthlearn as sl
    >>> sl.data.datasets.digest("digits", "test") == sl.data.load("digits", "test").sha256
    True
    """
    if split in SPLITS and not is_image_folder(name):
        version = manifest().get(name, {}).get("sha256", TORCHVISION)
        try:
            header = files.read_header(_cache_path(name, split, version))
            if header["of"] == [name, split, version]:
                return str(header["sha256"])
        except (CheckpointError, KeyError):  # not kept, or damaged
            pass
    return load(name, split, size).sha256


def both(name: str, size: int | None = None) -> tuple[ImageSet, ImageSet]:
    """Train and test images of a set, of the same classes: arguments and errors as of :func:`load`.

    The test images come first: what is wrong with a folder is said before its many train images
    are read.

    >>> import synthlearn as sl
    >>> [len(part) for part in sl.data.both("digits")]
    [1000, 797]
    """
    test = load(name, "test", size)
    train = load(name, "train", size)
    agree(train, test)
    return train, test


def _missing(name: str) -> str:
    here = f"SYNTHLEARN_DATA={root()}" if root() else "SYNTHLEARN_DATA is not set"
    return (
        f"data set {name[:100]!r} is not here ({here}): it must be one of {', '.join(names())}, "
        f"a folder with train/ and test/ (or val/) of class folders, or an archive described by "
        f"MANIFEST.json in the folder that SYNTHLEARN_DATA names"
    )


def _cache_path(name: str, split: str, version: str) -> Path:
    return files.runs() / "data" / f"{name}-{split}-{version[:12]}.safetensors"


def _cached(name: str, split: str, version: str, read: Callable[[], ImageSet]) -> ImageSet:
    """``read()``, or its result kept under ``runs/data`` for the same version of the archive."""
    path = _cache_path(name, split, version)
    identity = [name, split, version]
    if path.exists():
        try:
            tensors, header = files.load_tensors(path)
            if header["of"] == identity:
                images, labels = tensors["images"], tensors["labels"]
                classes = tuple(header["classes"])
                return ImageSet(name, split, images, labels, classes, header["sha256"])
        except (CheckpointError, KeyError):  # damaged, or of an older version: read it again
            pass
    image_set = read()
    header = {"of": identity, "classes": list(image_set.classes), "sha256": image_set.sha256}
    try:
        files.save_tensors(path, {"images": image_set.images, "labels": image_set.labels}, header)
    except DataError as error:  # the cache only saves the time to read the archive
        note(f"{name}: read from its archive every time ({error})")
    return image_set


@cache
def _digits(split: str) -> ImageSet:
    from sklearn.datasets import load_digits  # scikit-learn takes a second to import

    scans = load_digits()
    grey = np.round(scans.images * (255 / DIGITS_WHITE)).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, 3)
    part = slice(None, DIGITS_TRAIN) if split == "train" else slice(DIGITS_TRAIN, None)
    classes = [str(digit) for digit in range(10)]
    return from_pixels("digits", split, pixels[part], scans.target[part], classes)


def _cifar10(name: str, split: str) -> ImageSet:
    """CIFAR-10 by torchvision (MD5-checked download), whole or as ``cifar10-20k``: the first 2,000
    training images per class."""
    from ..core.vision import torchvision

    where = (root() or files.runs() / "data") / "torchvision"
    try:
        source = torchvision.datasets.CIFAR10(str(where), train=split == "train", download=True)
    except Exception as error:  # torchvision passes on what its download, tar and files raise
        raise DataError(f"{_missing(name)}. Its download failed too: {reason(error)}") from error
    whole = from_pixels(name, split, source.data, source.targets, source.classes)
    if name == "cifar10" or split == "test":
        return whole
    part = whole.first(CIFAR20K_PER_CLASS)
    return from_tensor(name, split, part.images, part.labels, part.classes)
