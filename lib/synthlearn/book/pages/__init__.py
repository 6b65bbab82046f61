"""What one page alone needs, a module per page: ``sl.book.pages.lengths.length_table(...)``."""

from . import devices, feature_vis, lengths, properties

__all__ = ["devices", "feature_vis", "lengths", "properties"]
