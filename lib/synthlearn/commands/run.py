"""``run``: the rows of the study that have no fresh record."""

import sys
from argparse import Namespace
from typing import Any

from . import arguments
from .arguments import number
from .command import Command, use_device
from .selection import Job, add_selection, add_settings, jobs


def _add_arguments(parser: arguments.Parser) -> None:
    add_selection(parser)
    add_settings(parser)
    parser.add_argument(
        "--minutes",
        type=number(0.01, 10_000),
        help="stop in time: rows by priority while one still fits, in one process that "
        "keeps graphs and pictures from row to row; what is cut off goes on in the next call",
    )


def _print_record(job: Job, record: dict[str, Any]) -> None:
    """One line: the accuracies of a record with their intervals, in percent."""
    from ..core import progress

    row, _, seed = job
    accuracies = ", ".join(
        f"{name} {100 * part['top1']:.1f} % [{100 * part['low']:.1f}, {100 * part['high']:.1f}]"
        for name, part in record["results"].items()
    )
    progress.say(f"{row.name} seed {seed}: {accuracies}")
    sys.stdout.flush()


def _run(args: Namespace) -> int:
    from ..study import run, schedule

    selected = jobs(args)
    use_device(selected[0][1].device)
    if args.minutes is None:
        for job in selected:
            _print_record(job, run.record(*job))
        return 0
    order = schedule.by_priority(selected)
    listed = f", in this order: {schedule.listed(order)}" if order else ""
    print(f"to make, of {len(selected)}: {len(order)}{listed}", flush=True)
    print(schedule.stretch(order, 60 * args.minutes, _print_record))
    return 0


RUN = Command(
    "run",
    "run rows of the study that have no fresh record",
    _add_arguments,
    _run,
    needs_checkout=True,
    resumes=True,
)
