"""``measure``: the further measurements of trained encoders that are not fresh."""

from argparse import Namespace

from . import arguments
from .command import Command, use_device
from .selection import add_selection, add_what, measurings, profile_of


def _add_arguments(parser: arguments.Parser) -> None:
    add_selection(parser)
    add_what(parser)


def _measure(args: Namespace) -> int:
    from ..study import store

    profile = profile_of(args)
    selected = measurings(args, profile)
    use_device(profile.device)
    for job in selected:
        results = store.get(job).results
        values = ", ".join(f"{name} {part.number:.3f}" for name, part in results.items())
        print(f"{job.title}: {values}", flush=True)
    return 0


MEASURE = Command(
    "measure",
    "make the further measurements of workflow/measurements.toml that are not fresh",
    _add_arguments,
    _measure,
    needs_checkout=True,
    resumes=True,
)
