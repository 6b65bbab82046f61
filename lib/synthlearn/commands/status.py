"""``status``: which records are fresh, stale or missing."""

from argparse import Namespace

from . import arguments
from .command import Command
from .selection import (
    add_selection,
    add_settings,
    add_what,
    experiments,
    measurings,
    profile_of,
    trials,
)

UNKNOWN = 360.0  # seconds of a job of a kind that has no record (chosen here)


def _add_arguments(parser: arguments.Parser) -> None:
    add_selection(parser)
    add_settings(parser)
    add_what(parser)


def _status(args: Namespace) -> int:
    from ..core import files
    from ..study import store

    profile = profile_of(args)
    jobs = measurings(args, profile)
    jobs += [] if args.what else experiments(args, profile)
    jobs += trials(args, profile)
    counts = {"fresh": 0, "stale": 0, "missing": 0}
    seconds = 0.0
    for job in jobs:
        state = store.state(job)
        counts[state] += 1
        if state != "fresh":
            seconds += job.seconds() or UNKNOWN
        print(f"{state:8s} {job.title}")
    summary = ", ".join(f"{n} {state}" for state, n in counts.items())
    print(f"{summary}; about {seconds / 60:.0f} core-minutes to run")
    sizes = sorted(files.disk_use().items())
    used = ", ".join(f"{folder} {size / 1e6:,.0f} MB" for folder, size in sizes)
    print(f"{files.runs()}: {used or 'empty'}; can be made again, make clean removes it")
    return 0


STATUS = Command(
    "status",
    "show which records are fresh, stale or missing",
    _add_arguments,
    _status,
    needs_checkout=True,
)
