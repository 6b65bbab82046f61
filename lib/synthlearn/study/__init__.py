"""The study: rows, profiles, records, claims, and statistics over records."""

from .profiles import Profile, resolve
from .records import read_all
from .rows import Row, row, rows
from .run import chapter, record

__all__ = ["Profile", "Row", "chapter", "read_all", "record", "resolve", "row", "rows"]
