"""Which rows, seeds and further measurements of the study the arguments of a command mean."""

from argparse import Namespace
from typing import Any

from ..core.errors import ParameterError
from . import arguments
from .arguments import SEEDS, device, whole, word
from .command import add_option


def add_selection(parser: arguments.Parser) -> None:
    """Arguments that select rows and seeds of a profile, and the device."""
    parser.add_argument("--profile", type=word, default="cpu", help="smoke, cpu, gpu or paper")
    parser.add_argument(
        "--row", type=word, action="append", help="only this row; may be given several times"
    )
    parser.add_argument(
        "--chapter", type=word, help="only the rows that this chapter tells, as in 04_fractals"
    )
    parser.add_argument("--seed", type=whole(*SEEDS), help="only this seed")
    parser.add_argument(
        "--device",
        type=device,
        help="auto, cpu, cuda or cuda:N, in place of the profile's; "
        "a record of either counts, and says which it was",
    )


def add_settings(parser: arguments.Parser) -> None:
    """``--set``: fields of the profile."""
    add_option(
        parser,
        "--set",
        "FIELD=VALUE",
        "replace a field of the profile; such records are yours, below runs/, "
        "and none of the study's",
    )


def add_what(parser: arguments.Parser) -> None:
    """``--what``: further measurements."""
    parser.add_argument(
        "--what",
        type=word,
        action="append",
        help="only this further measurement, and no rows; may be given several times",
    )


def profile_of(args: Namespace) -> Any:
    """The profile of the arguments, with their settings and their device."""
    from .. import study

    settings = dict(getattr(args, "set", ()))
    if args.device is not None:
        if "device" in settings:
            raise ParameterError("--device and --set device: give one of them")
        settings["device"] = args.device
    return study.with_data(args.profile, **settings)


def row_names(args: Namespace, profile: Any) -> list[str]:
    """Names of the rows that are given, one by one or by their chapter; none means all."""
    from .. import study

    rows = study.rows_of(profile)
    of_chapter = [row.name for row in rows if row.chapter == args.chapter]
    if args.chapter is not None and not of_chapter:
        known = ", ".join(sorted({row.chapter for row in rows}))
        raise ParameterError(
            f"--chapter {args.chapter}: tells no row of this profile; chapters with rows: {known}"
        )
    return list(dict.fromkeys([study.get_row(name).name for name in args.row or ()] + of_chapter))


def experiments(args: Namespace, profile: Any) -> list[Any]:
    """Rows with their seeds. Raises ParameterError when there are none."""
    from .. import study
    from ..study import jobs

    names = row_names(args, profile)
    rows = [study.get_row(name) for name in names] if names else study.rows_of(profile)
    every = [job for row in rows for job in jobs.every_seed(row, profile)]
    selected = [job for job in every if args.seed in (None, job.seed)]
    if not selected:
        last = max(job.seed for job in every)
        raise ParameterError(
            f"--seed {args.seed}: these rows have seeds 0 to {last} in the profile {profile.name}"
        )
    return selected


def measurings(args: Namespace, profile: Any) -> list[Any]:
    """The planned further measurements.

    Raises: ParameterError for an unknown one, or when none is planned of what the arguments name.
    """
    from ..measure.base import MEASUREMENTS
    from ..study import measuring

    names, plans = row_names(args, profile), measuring.plans()
    for what in args.what or ():
        if what not in plans and what in MEASUREMENTS:
            entry = f'[{what}] with rows = ["random"] and smoke = ["random"]'
            raise ParameterError(f"--what {what}: has no entry in {measuring.FILE}; add {entry}")
        if what not in plans:
            raise ParameterError(f"--what {what}: must be one of {', '.join(plans)}")
    selected = [
        measuring.Measuring(what, experiment)
        for what in args.what or plans
        for experiment in plans[what].experiments(profile)
        if args.seed in (None, experiment.seed) and (not names or experiment.row.name in names)
    ]
    if not selected and (args.what or args.command == "measure"):
        raise ParameterError(
            "no further measurement of these rows and seeds is planned in the profile "
            f"{profile.name}: see workflow/measurements.toml"
        )
    return selected


def trials(args: Namespace, profile: Any) -> list[Any]:
    """Trials of all searches; none where the arguments select rows or measurements."""
    from ..study import jobs

    everything = not (row_names(args, profile) or args.what)
    return list(jobs.trials(profile)) if everything else []
