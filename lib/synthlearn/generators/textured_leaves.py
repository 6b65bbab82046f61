"""Dead leaves with textures: every leaf shows a statistical image instead of one colour.

"Learning to See by Looking at Noise" (2021).
"""

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ..core import deadline, files, progress, rng
from ..core.errors import CheckpointError, ParameterError
from .base import Generator, Options
from .dead_leaves import SHAPES, Draw, cover
from .registry import register
from .statistical import WaveletOptions, Wavelets

# the textures; authors' code
SOURCE = Wavelets("stat-spectrum_color_wmm", WaveletOptions(spectrum=True, color=True))
PART = 50  # textures in a file; chosen here
LARGEST = 8 << 30  # bytes of a bank; chosen here
_one_at_a_time = threading.Lock()  # chunks side by side would each fill the bank


@dataclass(frozen=True)
class TexturedLeavesOptions(Options):
    """Options of dead leaves with textures.

    ``shape``: as for plain dead leaves; turned squares fit the authors' published images best,
    their README says mixed. ``textures``: size of the bank that leaves draw from, with replacement.
    """

    shape: str = "oriented"
    textures: int = 10_000
    allowed: ClassVar = {"shape": (*SHAPES, "mixed")}
    at_least: ClassVar = {"textures": 1}
    at_most: ClassVar = {"textures": 100_000}


@register("dead_leaves-textures")
class TexturedLeaves(Generator):
    """Dead leaves, each a window onto a texture of a bank of statistical images.

    The textures are of "stat-spectrum_color_wmm"; a texture lies still, the leaf only shows it.
    """

    Options = TexturedLeavesOptions
    stream = "dead_leaves"
    work_bytes = 4 << 20

    def paint(self, keys: Tensor, indices: Tensor, size: int, seed: int) -> Tensor:
        top, _ = cover(keys, self.options.shape, size)
        # which texture a leaf shows is a function of image and leaf, in place of its colour
        leaves = rng.fold(keys, Draw.COLOUR)[:, None, None] + top
        which = rng.integers(leaves, 0, self.options.textures)
        with _one_at_a_time:
            textures = bank(self.options.textures, size, seed, str(keys.device))
        flat = which * size * size + torch.arange(size * size, device=keys.device).view(size, size)
        return torch.stack([channel.take(flat) for channel in textures], 1)


@lru_cache(maxsize=2)
def bank(n: int, size: int, seed: int, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """Red, green and blue of the first ``n`` textures of a seed: uint8 (n, size, size) each.

    They are kept under ``runs/textures``, in parts, and read back.

    Raises: ParameterError for a bank that is too large; DataError where it cannot be kept.
    """
    taken = 3 * n * size**2
    if taken > LARGEST:
        taking = f"take {taken / 2**30:.0f} GiB at {size} pixels, must be at most {LARGEST >> 30}"
        raise ParameterError(f"option textures = {n}: {taking}; lower textures or size")
    parts = []
    described = {
        **SOURCE.spec(),
        "size": size,
        "seed": seed,
        "device": device.split(":")[0],  # a GPU's images differ in rounding
    }
    folder = files.runs() / "textures" / files.digest(described)[:16]
    with progress.bar(n, "textures", "image") as bar:
        for start in range(0, n, PART):
            stop = min(start + PART, n)
            path = folder / f"{start:06d}-{stop:06d}.safetensors"
            part = _read(path)
            if part is None:
                deadline.check("textures")
                part = SOURCE.sample(range(start, stop), size, seed, device)
                files.save_tensors(path, {"images": part}, {"kind": "textures", **described})
            parts.append(part.to(device))
            bar.update(stop - start)
    red, green, blue = torch.cat(parts).unbind(1)
    return red.contiguous(), green.contiguous(), blue.contiguous()


def _read(path: Path) -> Tensor | None:
    try:
        return files.load_tensors(path)[0]["images"]
    except (CheckpointError, KeyError):  # missing, damaged or foreign: make it again
        return None
