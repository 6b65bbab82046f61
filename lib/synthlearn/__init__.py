"""Pre-train vision encoders on images that no camera took, and measure what they learned."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import book, data, generators, study
    from .core import augment
    from .generators import generator
    from .generators.annotations import annotate
    from .learn import encoders, losses, train
    from .measure import probe

# what a reader calls, and where it lives
FACE = {
    "augment": "core.augment",
    "book": "book",
    "data": "data",
    "encoders": "learn.encoders",
    "generators": "generators",
    "losses": "learn.losses",
    "probe": "measure.probe",
    "study": "study",
    "train": "learn.train",
}
# functions of it, and where they live
FUNCTIONS = {"annotate": "generators.annotations", "generator": "generators"}
__all__ = [
    "annotate",
    "augment",
    "book",
    "data",
    "encoders",
    "generator",
    "generators",
    "losses",
    "probe",
    "study",
    "train",
]


def __getattr__(name: str) -> Any:
    """``sl.generator``, ``sl.annotate`` and the modules, on first use.

    They bring torch, torchvision, matplotlib and scipy: a command's help needs none of them, and
    a command that is interrupted while they load can say so.
    """
    if name in FUNCTIONS:
        return getattr(importlib.import_module(f".{FUNCTIONS[name]}", __name__), name)
    if name in FACE:
        return importlib.import_module(f".{FACE[name]}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
