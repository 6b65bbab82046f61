"""``status``: which records are fresh, stale or missing."""

from argparse import Namespace
from collections.abc import Iterator

from . import arguments
from .command import Command
from .selection import (
    add_selection,
    add_settings,
    add_what,
    jobs,
    measurement_jobs,
    profile_of,
    searches,
)


def _add_arguments(parser: arguments.Parser) -> None:
    add_selection(parser)
    add_settings(parser)
    add_what(parser)


def _states(args: Namespace) -> Iterator[tuple[str, str, float]]:
    """State and description of each record, and the seconds that it takes to make."""
    from ..study import measurements, run, search

    for what, row, profile, seed in measurement_jobs(args):
        state = measurements.state(what, row, profile, seed)
        yield state, f"{what} of {row.name} seed {seed}", measurements.estimate(what, profile)
    for row, profile, seed in [] if args.what else jobs(args):
        state = run.state(row, profile, seed)
        yield state, f"{row.name} seed {seed}", run.estimate(row, profile)
    for one in searches(args):
        for _, record, state in search.made(one, profile_of(args)):
            spec = record["spec"]
            pictures = f"{spec['source']['n_images']:,} images"
            yield state, f"{record['row']} of the search, {pictures}, seed {spec['seed']}", 0.0


def _status(args: Namespace) -> int:
    from ..core import files

    counts = {"fresh": 0, "stale": 0, "missing": 0}
    seconds = 0.0
    for state, description, estimate in _states(args):
        counts[state] += 1
        seconds += estimate * (state != "fresh")
        print(f"{state:8s} {description}")
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
