"""``measure``: the further measurements of trained encoders that are not fresh."""

from argparse import Namespace

from . import arguments
from .command import Command, use_device
from .selection import add_selection, add_what, measurement_jobs


def _add_arguments(parser: arguments.Parser) -> None:
    add_selection(parser)
    add_what(parser)


def _measure(args: Namespace) -> int:
    from ..study import measurements

    selected = measurement_jobs(args)
    use_device(selected[0][2].device)
    for what, row, profile, seed in selected:
        results = measurements.measurement(what, row, profile, seed)["results"]
        values = ", ".join(
            f"{name} {part.get('top1', part.get('value')):.3f}" for name, part in results.items()
        )
        print(f"{what} of {row.name} seed {seed}: {values}", flush=True)
    return 0


MEASURE = Command(
    "measure",
    "make the further measurements of trained encoders that are not fresh: "
    "transfer, layers, few_shot, fine_tuning, properties",
    _add_arguments,
    _measure,
    needs_checkout=True,
    resumes=True,
)
