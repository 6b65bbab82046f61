"""Many rows in one process and a given time: which come first, and which still fit."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..core import deadline
from ..core.errors import OutOfTime
from . import run
from .profiles import Profile
from .rows import Row

Job = tuple[Row, Profile, int]  # a row in a profile, and its seed
SHOWN = 8  # jobs by name in a line
RESERVE, LARGEST = (
    0.1,
    20.0,
)  # share of the time that is left for measuring and writing what has been trained; seconds


@dataclass
class Stretch:
    """What became of the jobs: made, cut off (the next call goes on there) and left."""

    made: list[Job] = field(default_factory=list)
    cut: list[Job] = field(default_factory=list)
    left: list[Job] = field(default_factory=list)

    def __str__(self) -> str:
        parts = (("made", self.made), ("cut off, to go on", self.cut), ("left", self.left))
        return "; ".join(
            f"{len(jobs)} {what}{f' ({listed(jobs)})' if jobs else ''}" for what, jobs in parts
        )


def listed(jobs: Sequence[Job]) -> str:
    """The first jobs by name and seed."""
    return ", ".join(f"{row.name} s{seed}" for row, _, seed in jobs[:SHOWN]) + (
        f" … and {len(jobs) - SHOWN} more" if len(jobs) > SHOWN else ""
    )


def rank(row: Row) -> int:
    """0: a row of the paper's table, 1: another source of images, 2: a variant."""
    return 0 if row.published else 1 if row.kind == "text2image" or "." not in row.name else 2


def by_priority(jobs: Iterable[Job]) -> list[Job]:
    """Jobs without a fresh record, the most telling first: the paper's table for all of its seeds, other sources, variants.

    Within a rank one seed of all rows comes after the other.
    """
    return sorted(
        (job for job in jobs if run.state(*job) != "fresh"), key=lambda job: (rank(job[0]), job[2])
    )


def stretch(jobs: Sequence[Job], seconds: float, made: Callable[[Job, dict], None]) -> Stretch:
    """Make records, in order, while the time that is left is longer than the row's estimate.

    A job that would not fit waits; when none fits any more the first one that waits is begun, and cut off when the time is over: its checkpoint
    stays. ``made`` is called with each record.
    """
    found, waiting = Stretch(), []
    known = _Estimates()
    with deadline.within(seconds - min(LARGEST, RESERVE * seconds)):
        for job in jobs:
            if deadline.left() < known.of(job):
                waiting.append(job)
            else:
                _make(job, found, known, made)
        for job in waiting:
            if not deadline.passed() and not found.cut:
                _make(job, found, known, made)
            else:
                found.left.append(job)
    return found


class _Estimates:
    """Seconds of a job: what the records of its profile say, else what this process has seen of its kind."""

    def __init__(self) -> None:
        self.seen: dict[str, list[float]] = {}

    def of(self, job: Job) -> float:
        """Seconds, 0 for a kind that nobody has seen."""
        row, profile, _ = job
        seen = self.seen.get(row.kind, [])
        return sum(seen) / len(seen) if seen else run.estimate(row, profile, 0.0)

    def saw(self, job: Job, seconds: float) -> None:
        """Note how long one took."""
        self.seen.setdefault(job[0].kind, []).append(seconds)


def _make(job: Job, found: Stretch, known: _Estimates, made: Callable[[Job, dict], None]) -> None:
    began = time.monotonic()
    try:
        record = run.record(*job)
    except OutOfTime:
        found.cut.append(job)
        return
    known.saw(job, time.monotonic() - began)
    found.made.append(job)
    made(job, record)
