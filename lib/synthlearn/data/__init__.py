"""Real image sets, sources of images by index, pools and streams of them; and, in ``export`` and
``torch_sets``, images for other trainers.

``source(name, **options)`` makes any source, ``load(name, split)`` reads a real set, and
``batches`` turns a source into the images of a training; ``Images``, ``Stream`` and
``DeviceLoader`` are data sets for a training that is not ours, ``MixIn`` a transform.
"""

from ..core.source import Source
from . import datasets, stream
from .datasets import both, load
from .folders import Folder
from .image_set import ImageSet
from .mix_in import MixIn
from .real import RealImages
from .sources import source, source_class
from .stream import batches, pool
from .torch_sets import DeviceLoader, Images, Stream

__all__ = [
    "DeviceLoader",
    "Folder",
    "ImageSet",
    "Images",
    "MixIn",
    "RealImages",
    "Source",
    "Stream",
    "batches",
    "both",
    "datasets",
    "load",
    "pool",
    "source",
    "source_class",
    "stream",
]
