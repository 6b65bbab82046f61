"""synthlearn: pre-train vision encoders on images that no camera took, and measure what they learned."""

import importlib
from types import ModuleType

from . import generators, losses, methods
from .generators import generator

__all__ = ["book", "generator", "generators", "losses", "methods", "stream", "study"]


def __getattr__(name: str) -> ModuleType:
    """``sl.stream``, ``sl.study`` and ``sl.book`` on first use: they bring torchvision, matplotlib and scipy, which a user of the generators need not load."""
    if name in ("study", "book", "stream"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
