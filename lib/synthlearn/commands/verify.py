"""``verify``: recorded rows and measurements run again and compared."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from . import arguments
from .arguments import Meaning, word
from .command import Command, use_device
from .selection import (
    add_selection,
    add_what,
    jobs,
    measurement_jobs,
    profile_of,
    row_names,
    searches,
)

EPILOG = """A record is of this kind of machine where processor, libraries and the bits of their
arithmetic are the same: then every number must be equal. Elsewhere a start must meet the first
point of the loss up to rounding, and a whole run (--whole) or a further measurement must lie within
what two runs of a row differ by. What is equal to the bit or up to rounding confirms its record for
the code at hand; the rest confirms none. The exit status is 1 when a comparison to the bit or up to
rounding fails, or more of the others do than chance explains."""
MEANINGS = (
    Meaning(
        "what", lambda args: not args.whole, "--whole is of rows alone; leave one of the two out"
    ),
    Meaning(
        "measure",
        lambda args: not (args.whole or args.what or args.against),
        "is of rows whose first steps are compared, not with --whole, --what or --against",
    ),
    Meaning(
        "whole",
        lambda args: not args.against,
        "--against compares starts alone; leave one of the two out",
    ),
    Meaning(
        "seed",
        lambda args: not args.against,
        "--against compares starts of seed 0 and confirms all seeds",
    ),
)


def _add_arguments(parser: arguments.Parser) -> None:
    add_selection(parser)
    add_what(parser)
    parser.epilog = EPILOG
    parser.add_argument("--measure", action="store_true", help="measure kept encoders again too")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="rows alone: train each to its end and probe it. Else the first steps are compared, "
        "which takes seconds, and the first part of each further measurement, for which an "
        "encoder is trained where none is kept",
    )
    parser.add_argument(
        "--against",
        type=word,
        metavar="COMMIT",
        help="instead: run short starts under this commit's library and under this one, on this "
        "machine, and confirm the records of what gives the same bits; "
        "needs no pools and no encoders",
    )


def _compare_versions(args: Namespace, profile: Any) -> int:
    """Starts under another commit's library and under this one; 1 where any differs."""
    from ..study import measurements, versions

    rows = {row.name: row for row, _, _ in ([] if args.what else jobs(args))}
    whats = args.what or ([] if row_names(args) else list(measurements.plans()))
    search = next(iter(searches(args)), None)
    compared = versions.confirm(profile, args.against, list(rows.values()), whats, search)
    failed = False
    for name, same, count in compared:
        failed |= not same
        word_ = "same" if same else "DIFFERS"
        print(f"{word_}  {name.removeprefix('what:')}: {count} records confirmed", flush=True)
    return int(failed)


def _replays(args: Namespace) -> Iterator[tuple[str, list[Any]]]:
    """What has a record, and the comparisons of its replay with it."""
    from ..study import measurements, run

    for what, row, profile, seed in [] if args.whole else measurement_jobs(args):
        if measurements.path(what, row, profile, seed).exists():
            compared = measurements.replay(what, row, profile, seed)
            yield f"{what} of {row.name} seed {seed}", [compared]
    for row, profile, seed in [] if args.what else jobs(args):
        if run.path(row, profile, seed).exists():
            if args.whole:
                yield f"{row.name} seed {seed}", run.rerun(row, profile, seed)
            else:
                yield f"{row.name} seed {seed}", run.replay(row, profile, seed, args.measure)


def _verify(args: Namespace) -> int:
    from ..study import comparison

    profile = profile_of(args)
    use_device(profile.device)
    if args.against:
        return _compare_versions(args, profile)
    comparisons: list[comparison.Comparison] = []
    for description, compared in _replays(args):
        comparisons.extend(compared)
        for one in compared:
            print(f"{one.word:7s}  {description}, asked {one.asked}: {one.said}", flush=True)
    print(comparison.summary(comparisons))
    return int(comparison.failed(comparisons))


VERIFY = Command(
    "verify",
    "run recorded rows again and compare: to the bit on the record's kind of machine, "
    "elsewhere within what rounding and chance explain",
    _add_arguments,
    _verify,
    MEANINGS,
    needs_checkout=True,
)
