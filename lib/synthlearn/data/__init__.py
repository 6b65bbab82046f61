"""Real image sets, sources of pictures by index, pools and streams of them, and export.

``source(name, **options)`` makes any source, ``load(name, split)`` reads a real set;
``stream.batches`` turns a source into the batches of a training.
"""

from ..core.source import Source
from . import datasets, export, stream
from .datasets import Folder, ImageSet, RealImages, both, load
from .sources import source, source_class
from .stream import batches, pool

__all__ = [
    "Folder",
    "ImageSet",
    "RealImages",
    "Source",
    "batches",
    "both",
    "datasets",
    "export",
    "load",
    "pool",
    "source",
    "source_class",
    "stream",
]
