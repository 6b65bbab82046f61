"""Real image sets, sources of pictures by index, pools and streams of them, and export."""

from . import datasets, export, stream

__all__ = ["datasets", "export", "stream"]
