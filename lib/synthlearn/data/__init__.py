"""Real image sets, sources of pictures by index, pools and streams of them; and, in ``export``,
pictures for other trainers.

``source(name, **options)`` makes any source, ``load(name, split)`` reads a real set, and
``batches`` turns a source into the pictures of a training.
"""

from ..core.source import Source
from . import datasets, stream
from .datasets import both, load
from .folders import Folder
from .image_set import ImageSet
from .real import RealImages
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
    "load",
    "pool",
    "source",
    "source_class",
    "stream",
]
