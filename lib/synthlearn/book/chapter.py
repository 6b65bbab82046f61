# ruff: noqa: D103
"""Old names, for pages that are still to be moved."""

import dataclasses
from typing import Any

from ..core import stats
from ..study.jobs import baseline
from .captions import Records, chance, line_note, provenance
from .captions import intervals_over as over
from .captions import last_batches as last_batches
from .captions import record_link as recorded
from .html import cell, interval, percent, points, run_count, table
from .html import count as counted
from .plots import draw_line, styles
from .published import published as _published
from .published import published_shares as _shares
from .published import published_updates
from .tables import SECONDARY, secondary
from .verdicts import claim_table, verdicts

__all__ = [
    "SECONDARY",
    "Records",
    "baseline",
    "cell",
    "chance",
    "claim_table",
    "counted",
    "draw_line",
    "interval",
    "last_batches",
    "line_note",
    "over",
    "percent",
    "points",
    "provenance",
    "published",
    "published_shares",
    "published_updates",
    "recorded",
    "runs_of",
    "secondary",
    "styles",
    "table",
    "verdicts",
]


def runs_of(e: stats.Estimate) -> str:
    return run_count(e.runs)


def published() -> dict[str, dict[str, Any]]:
    return {name: dataclasses.asdict(each) for name, each in _published().items()}


def published_shares() -> dict[str, tuple[dict[str, Any], float, float, bool]]:
    return {
        name: (dataclasses.asdict(s.best), s.left, s.share, s.is_bound)
        for name, s in _shares().items()
    }
