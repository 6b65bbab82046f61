"""Picture files, read as a viewer shows them."""

import contextlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..core import progress
from ..core.errors import DataError, reason
from ..core.image import resize

# Formats of Pillow that are no images here: EPS runs Ghostscript, the others open only in part.
UNREAD = ("EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG")
# of an image file, in pixels, as JPEG's: a longer one is a few bytes that fill the memory
LONGEST_SIDE = 65_535
PHOTOMETRIC = 262  # TIFF 6.0's tag "PhotometricInterpretation"; 0 means that white is zero


@cache
def _formats() -> tuple[str, ...]:
    """Pillow's formats that are read here."""
    Image.init()
    return tuple(kind for kind in Image.ID if kind not in UNREAD)


@cache
def suffixes() -> frozenset[str]:
    """Suffixes of image files, in lower case: all whose format Pillow opens here.

    >>> ".png" in suffixes(), ".eps" in suffixes()
    (True, False)
    """
    kinds = {*_formats()}
    return frozenset(s for s, kind in Image.registered_extensions().items() if kind in kinds)


def read_picture(path: Path, size: int) -> Tensor:
    """One image file as its centre square, uint8 (3, size, size), as a viewer shows it: turned as
    its EXIF data say, on white where it is transparent, greys of more than 8 bits by their range.

    Raises: DataError naming a file that is no image, or whose greys have no known range.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "half.png")
    ...     Image.new("RGBA", (12, 9), (0, 0, 0, 128)).save(path)  # black that lets light through
    ...     picture = read_picture(path, 8)
    >>> picture.shape, picture.unique()
    (torch.Size([3, 8, 8]), tensor([127], dtype=torch.uint8))
    """
    try:
        # from a stream: Pillow maps a file that it is given by path, and turns mapped TIFFs wrongly
        with open(path, "rb") as stream, Image.open(stream, formats=_formats()) as picture:
            if max(picture.size) > LONGEST_SIDE:
                sides = f"{picture.width} × {picture.height} pixels"
                raise ValueError(f"{sides}; a side has at most {LONGEST_SIDE:,}")
            if picture.format == "PNG":  # whose checksums over the pixels Pillow passes by
                with Image.open(path, formats=("PNG",)) as stored:
                    stored.verify()
            pixels = _as_viewed(picture)
    except Exception as error:  # the readers of some forty formats raise many kinds
        raise DataError(
            f"{path}: not a readable picture ({reason(error)}); remove or replace it"
        ) from error
    return resize(torch.from_numpy(pixels).permute(2, 0, 1)[None], size)[0]


def _as_viewed(picture: Image.Image) -> np.ndarray:
    """Pixels as a viewer shows them, uint8 (h, w, 3)."""
    # colours of 16 bits, which Pillow reads as the upper eight
    deep = any("16" in str(tile[3]) for tile in getattr(picture, "tile", ()))
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
        what = "FITS of whole numbers, whose range Pillow does not read"
        raise ValueError(f"{what}: save it with 8 bits or as PNG")
    # 16 bits have the mode "I" in old Pillows, and of PGM
    sixteen = picture.mode.startswith("I;16") or picture.format in ("PNG", "PPM")
    if sixteen and picture.mode != "F":
        grey = (levels.astype(np.int64) >> 8).astype(np.uint8)
        if _white_is_zero(picture):
            grey = 255 - grey
        hidden = picture.info.get("transparency")
        return np.where(levels == hidden, np.uint8(255), grey) if hidden is not None else grey
    if picture.mode == "F" and levels.min() >= 0 and levels.max() <= 1:
        return np.round((1 - levels if _white_is_zero(picture) else levels) * 255).astype(np.uint8)
    raise ValueError(
        f"greys of 32 bits from {levels.min():g} to {levels.max():g}, whose range the file does "
        f"not say: save it with 8 or 16 bits, or as floats from 0 to 1"
    )


def _white_is_zero(picture: Image.Image) -> bool:
    """Whether greys run from white to black, which Pillow minds in TIFFs of 8 bits alone."""
    tags = getattr(picture, "tag_v2", {})  # of TIFFs
    return picture.format == "TIFF" and tags.get(PHOTOMETRIC) == 0


def read_pictures(paths: Sequence[Path], size: int, description: str) -> Tensor:
    """Picture files as by :func:`read_picture`, behind a progress bar: uint8 (n, 3, size, size).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [Path(folder, name) for name in ("wide.png", "tall.png")]
    ...     Image.new("RGB", (12, 9)).save(paths[0])
    ...     Image.new("L", (9, 12)).save(paths[1])
    ...     read_pictures(paths, 8, "reading two pictures").shape
    torch.Size([2, 3, 8, 8])
    """
    images = torch.empty((len(paths), 3, size, size), dtype=torch.uint8)
    with progress.bar(len(paths), description, "image") as bar:
        for i, path in enumerate(paths):
            images[i] = read_picture(path, size)
            bar.update()
    return images
