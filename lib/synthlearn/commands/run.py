"""``run``: the rows of the study that have no fresh record."""

import sys
from argparse import Namespace
from typing import Any

from . import arguments
from .arguments import number
from .command import Command, use_device
from .selection import add_selection, add_settings, experiments, profile_of


def _add_arguments(parser: arguments.Parser) -> None:
    add_selection(parser)
    add_settings(parser)
    parser.add_argument(
        "--minutes",
        type=number(0.01, 10_000),
        help="stop in time: rows by priority while one still fits, in one process that "
        "keeps graphs and images from row to row; what is cut off goes on in the next call",
    )


def _print_run(experiment: Any, run: Any) -> None:
    """One line: the accuracies of a run with their intervals, in percent."""
    from ..core import progress

    accuracies = ", ".join(
        f"{name} {100 * result.top1:.1f} % [{100 * result.low:.1f}, {100 * result.high:.1f}]"
        for name, result in run.results.items()
    )
    progress.say(f"{experiment.title}: {accuracies}")
    sys.stdout.flush()


def _run(args: Namespace) -> int:
    from ..study import schedule, store

    profile = profile_of(args)
    selected = experiments(args, profile)
    use_device(profile.device)
    if args.minutes is None:
        for experiment in selected:
            _print_run(experiment, store.get(experiment))
        return 0
    order = schedule.by_priority(selected)
    listed = f", in this order: {schedule.listed(order)}" if order else ""
    print(f"to make, of {len(selected)}: {len(order)}{listed}", flush=True)
    print(schedule.stretch(order, 60 * args.minutes, _print_run))
    return 0


RUN = Command(
    "run",
    "run rows of the study that have no fresh record",
    _add_arguments,
    _run,
    needs_checkout=True,
    resumes=True,
)
