"""The study: rows, profiles, records, claims, and statistics over records."""

from .inference import metric
from .measurements import measured
from .profiles import Profile, resolve, with_data
from .records import read_all
from .rows import Row, row, rows, wanted
from .run import chapter, method_of, prepare, record, source_of, trained_encoder

__all__ = [
    "Profile",
    "Row",
    "chapter",
    "measured",
    "method_of",
    "metric",
    "prepare",
    "read_all",
    "record",
    "resolve",
    "row",
    "rows",
    "source_of",
    "trained_encoder",
    "wanted",
    "with_data",
]
