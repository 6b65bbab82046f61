"""The study: rows, profiles, experiments, their records, and what these say.

``get_row``, ``resolve`` and ``Experiment`` make an experiment of a row, a profile and a seed;
``chapter`` and ``measured`` give a chapter its records. The rest is asked of its own module:
``store`` (fresh, stale, get, replay), ``jobs`` (all of a profile), ``claims`` (verdicts), ``runs``
and ``units`` (accuracies and differences), ``search``, ``schedule``, ``versions``.
"""

from .experiment import Experiment
from .jobs import chapter
from .measuring import measured
from .profiles import Profile, Settings, resolve, with_data
from .records import MeasurementRecord, Record, Run
from .rows import Row, all_rows, get_row, rows_of
from .runs import Runs

__all__ = [
    "Experiment",
    "MeasurementRecord",
    "Profile",
    "Record",
    "Row",
    "Run",
    "Runs",
    "Settings",
    "all_rows",
    "chapter",
    "get_row",
    "measured",
    "resolve",
    "rows_of",
    "with_data",
]
