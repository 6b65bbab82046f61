"""``verify``: recorded rows and measurements run again and compared."""

from argparse import Namespace
from typing import Any

from . import arguments
from .arguments import Meaning, word
from .command import Command, use_device
from .selection import (
    add_selection,
    add_what,
    experiments,
    measurings,
    profile_of,
    row_names,
    trials,
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
    from ..study import versions

    jobs = [] if args.what else experiments(args, profile)
    if args.what or not row_names(args, profile):
        jobs += measurings(args, profile)
    jobs = [job for job in (*jobs, *trials(args, profile)) if job.path.exists()]
    jobs = [job for job in jobs if _can_run(job)]
    differs = False
    for name, same, confirmed in versions.confirm(profile, args.against, jobs):
        differs |= not same
        answer = "same" if same else "DIFFERS"
        print(f"{answer}  {name}: {confirmed} records confirmed", flush=True)
    return int(differs)


def _can_run(job: Any) -> bool:
    """Whether what a job needs is installed; says what is left out."""
    from ..learn import reference

    here = reference.spec() not in job.spec.content.values() or reference.is_here()
    if not here:
        print(f"left out {job.title}: needs the extra `reference`", flush=True)
    return here


def _verify(args: Namespace) -> int:
    from ..study import comparison, store

    profile = profile_of(args)
    use_device(profile.device)
    if args.against:
        return _compare_versions(args, profile)
    jobs = [] if args.whole else measurings(args, profile)
    jobs += [] if args.what else experiments(args, profile)
    comparisons = []
    for job in jobs:
        if job.path.exists() and _can_run(job):
            one = store.replay(job, args.whole)
            comparisons.append(one)
            print(f"{one.word:7s}  {job.title}, asked {one.asked}: {one.numbers}", flush=True)
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
