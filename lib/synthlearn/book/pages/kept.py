"""Samples of the learned text-to-image model that chapters show, kept in the repository.

Training that model takes hours of a core, and a chapter has to run without it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core import files
from ...core.image import resize
from ...text2image import Learned, flow
from ...text2image.captions import CaptionSource

FILE = "results/samples/learned.safetensors"  # made by write
ALONG = (0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # guidance of the slider
EVENLY = 10  # captions of each, from the first to the last class
# Guidance → further images: captions, out of OF in their places, and how many of each.
OF = 50
FURTHER = {1.0: ((0, 23, 45), 8), 2.0: ((2, 17, 31, 48), 10)}


def evenly(source: CaptionSource) -> Tensor:
    """Indices of the first samples of :data:`EVENLY` captions, spread over all."""
    return torch.arange(EVENLY) * (source.options.number // EVENLY)


def of_caption(source: CaptionSource, caption: int, n: int) -> Tensor:
    """Indices of the first samples of a caption."""
    return torch.arange(n) * source.options.number + caption


def places(source: CaptionSource, captions: Sequence[int]) -> list[int]:
    """Captions that were chosen of :data:`OF`, of as many as a source has."""
    return [c * source.options.number // OF for c in captions]


def sample(source: CaptionSource, indices: Tensor, size: int) -> Tensor:
    """Images of a source by index, those that are kept of a learned model from the repository:
    uint8 (n, 3, size, size).

    Raises: DataError for a damaged file.
    """
    if isinstance(source, Learned) and has(source):
        images = dict(zip(*_kept(source.options.w), strict=True))
        if {*indices.tolist()} <= images.keys():
            chosen = torch.stack([images[i] for i in indices.tolist()])
            return resize(source.resized(chosen, size), size)
    return resize(source.sample(indices, size), size)


def has(source: Learned) -> bool:
    """Whether samples of this model are kept.

    >>> has(Learned(data="digits", number=20))
    False
    """
    return (files.root() / FILE).exists() and _load()[1]["model"] == source.identity()


def training(source: Learned) -> Mapping[str, Any]:
    """The model's ``parameters``, and of its training the images ``seen``, the ``first`` and the
    ``last`` loss, and ``seconds``; trained if it has to be.
    """
    if has(source):
        kept: Mapping[str, Any] = _load()[1]["training"]
        return kept
    source.prepare("cpu")
    network, header = flow.load(source.path())
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "seen": header["pictures"],
        "first": header["loss"][0],
        "last": float(np.mean(header["loss"][-10:])),
        "seconds": header["seconds"],
    }


def write(source: Learned) -> None:
    """Keep the samples that chapters show, and what the training took:

    python -c "import synthlearn as sl; from synthlearn.book.pages import captions, kept;
    kept.write(captions.captioned(sl.study.resolve('cpu'), 'learned'))"
    """
    tensors, side = {}, source.real()[0].images.shape[-1]
    for w in ALONG:
        captions, n = FURTHER.get(w, ((), 0))
        further = [of_caption(source, c, n) for c in places(source, captions)]
        indices = torch.cat([evenly(source), *further]).unique()
        guided = type(source)(**{**vars(source.options), "w": w})
        tensors[f"indices {w:g}"] = indices
        tensors[f"images {w:g}"] = guided.sample(indices, side)
    header = {"model": source.identity(), "training": training(source)}
    files.save_tensors(files.root() / FILE, tensors, header)
    _load.cache_clear()


@cache
def _load() -> tuple[dict[str, Tensor], dict[str, Any]]:
    return files.load_tensors(files.root() / FILE)


def _kept(w: float) -> tuple[list[int], Tensor]:
    """Indices and images under one guidance."""
    tensors, _ = _load()
    nothing: list[int] = []
    if f"indices {w:g}" not in tensors:
        return nothing, torch.empty(0)
    return tensors[f"indices {w:g}"].tolist(), tensors[f"images {w:g}"]
