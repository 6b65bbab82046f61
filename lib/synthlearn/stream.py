"""From a source of images to a pool of them on the training device."""

from typing import Any, Protocol

import torch
from torch import Tensor

from . import files, progress
from .datasets import Folder, RealImages
from .errors import CheckpointError
from .generators import generator

CHUNK = 256


class Source(Protocol):
    """Anything that gives pictures by index: a generator, a folder, a real set."""

    name: str

    def spec(self) -> dict[str, Any]:
        """What decides the pictures, JSON-able."""
        ...

    def sample(self, indices: Any, size: int, seed: int, device: str) -> Tensor:
        """Pictures by index: uint8 (n, 3, s, s)."""
        ...


def source(kind: str, name: str, options: dict[str, Any] | None = None) -> Source:
    """A source by kind ("generator", "folder" or "real") and name. Raises what the kind raises for a bad name."""
    if kind == "generator":
        return generator(name, **(options or {}))
    return Folder(name) if kind == "folder" else RealImages(name)


def pool(source: Source, n: int, size: int, seed: int = 0, device: str = "cpu") -> Tensor:
    """The first ``n`` pictures of a source: uint8 (n, 3, s, s) on ``device``.

    On a CPU they are kept under ``runs/pools`` and read back by the next call with the same arguments.
    """
    key = files.digest({"source": source.spec(), "n": n, "size": size, "seed": seed})
    path = files.runs() / "pools" / f"{source.name.replace(':', '-').replace('/', '-')}-{key[:16]}.safetensors"
    keep = device == "cpu"
    if keep and path.exists():
        try:
            return files.load_tensors(path)[0]["images"]
        except CheckpointError:  # damaged: make it again
            path.unlink()
    parts = []
    with progress.bar(n, f"images of {source.name}", "image") as shown:
        for start in range(0, n, CHUNK):
            part = source.sample(torch.arange(start, min(start + CHUNK, n)), size, seed, device)
            parts.append(part)
            shown.update(len(part))
    images = torch.cat(parts)
    if keep:
        files.save_tensors(path, {"images": images}, {"kind": "pool"})
    return images
