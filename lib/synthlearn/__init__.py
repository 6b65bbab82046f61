"""synthlearn: pre-train vision encoders on images that no camera took, and measure what they learned."""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import book, generators, losses, methods, stream, study
    from .generators import generator

__all__ = ["book", "generator", "generators", "losses", "methods", "stream", "study"]


def __getattr__(name: str) -> Any:
    """``sl.generator`` and the modules, on first use.

    They bring torch, torchvision, matplotlib and scipy: a command's help needs none of them, and
    a command that is interrupted while they load can say so.
    """
    if name == "generator":
        return importlib.import_module(".generators", __name__).generator
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
