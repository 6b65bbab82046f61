"""Many rows in one process and a given time: which come first, and which still fit."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..core import deadline
from ..core.errors import OutOfTime
from . import store
from .experiment import Experiment
from .records import Run
from .rows import Row

SHOWN = 8  # experiments by name in a line
# share of the time that is left for measuring and writing what has been trained; its most, seconds
RESERVE = 0.1
LARGEST = 20.0


@dataclass
class Stretch:
    """What became of the experiments: made, cut off (the next call goes on there) and left."""

    made: list[Experiment] = field(default_factory=list)
    cut: list[Experiment] = field(default_factory=list)
    left: list[Experiment] = field(default_factory=list)

    def __str__(self) -> str:
        parts = (("made", self.made), ("cut off, to go on", self.cut), ("left", self.left))
        return "; ".join(
            f"{len(each)} {what}{f' ({listed(each)})' if each else ''}" for what, each in parts
        )


def listed(experiments: Sequence[Experiment]) -> str:
    """The first experiments by name and seed."""
    first = ", ".join(f"{e.row.name} s{e.seed}" for e in experiments[:SHOWN])
    return first + (f" … and {len(experiments) - SHOWN} more" if len(experiments) > SHOWN else "")


def rank(row: Row) -> int:
    """0: a row of the paper's table, 1: another source of images, 2: a variant."""
    if row.published:
        return 0
    return 1 if row.kind == "text2image" or not row.is_variant else 2


def by_priority(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Experiments without a fresh record, the most telling first: the paper's table for all of its
    seeds, other sources, variants.

    Within a rank one seed of all rows comes after the other.
    """
    missing = [e for e in experiments if store.state(e) != "fresh"]
    return sorted(missing, key=lambda e: (rank(e.row), e.seed))


def stretch(
    experiments: Sequence[Experiment], seconds: float, made: Callable[[Experiment, Run], None]
) -> Stretch:
    """Make records, in order, while the time that is left is longer than the row's estimate.

    An experiment that would not fit waits; when none fits any more the first one that waits is
    begun,
    and cut off when the time is over: its checkpoint stays. ``made`` is called with each record.
    """
    outcome, waiting = Stretch(), list[Experiment]()
    known = _Estimates()
    with deadline.within(seconds - min(LARGEST, RESERVE * seconds)):
        for experiment in experiments:
            if deadline.left() < known.of(experiment):
                waiting.append(experiment)
            else:
                _make(experiment, outcome, known, made)
        for experiment in waiting:
            if not deadline.passed() and not outcome.cut:
                _make(experiment, outcome, known, made)
            else:
                outcome.left.append(experiment)
    return outcome


class _Estimates:
    """Seconds of an experiment: what this process has seen of its kind, else what records say."""

    def __init__(self) -> None:
        self.seen: dict[str, list[float]] = {}

    def of(self, experiment: Experiment) -> float:
        """Seconds, 0 for a kind that nobody has seen."""
        seen = self.seen.get(experiment.row.kind, [])
        return sum(seen) / len(seen) if seen else experiment.seconds() or 0.0

    def saw(self, experiment: Experiment, seconds: float) -> None:
        """Note how long one took."""
        self.seen.setdefault(experiment.row.kind, []).append(seconds)


def _make(
    experiment: Experiment,
    outcome: Stretch,
    known: _Estimates,
    made: Callable[[Experiment, Run], None],
) -> None:
    began = time.monotonic()
    try:
        record = store.get(experiment)
    except OutOfTime:
        outcome.cut.append(experiment)
        return
    known.saw(experiment, time.monotonic() - began)
    outcome.made.append(experiment)
    made(experiment, record)
