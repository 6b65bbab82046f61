"""``pretrain``: an encoder from a generator, a folder, a real set or a row of the study."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from ..core.errors import ParameterError
from . import arguments
from .arguments import Meaning, encoder_file
from .command import (
    Command,
    add_option,
    add_seed,
    add_source,
    source_name,
    source_options,
    use_device,
)

EPILOG = (
    "Fields of --set with their values in each profile, methods with their options, encoders: "
    "python -m synthlearn profiles"
)
OF_THE_ROW = (
    "--row {row} has its own, and --option and --method-option cannot change it; "
    "name a source with --generator, --folder or --real"
)
NO_GENERATOR = "is of a generator; a folder and a real set have none"
MEANINGS = (
    Meaning("option", lambda args: args.row is None, OF_THE_ROW),
    Meaning("method_option", lambda args: args.row is None, OF_THE_ROW),
    Meaning("option", lambda args: args.generator is not None, NO_GENERATOR),
)


def _add_arguments(parser: arguments.Parser) -> None:
    parser.epilog = EPILOG
    add_source(parser, row=True)
    add_option(
        parser,
        "--method-option",
        "NAME=VALUE",
        "an option of the method, as in temperature=0.2; see `profiles`",
    )
    add_seed(parser, "of the initial weights, the images and the views")
    parser.add_argument(
        "--out",
        type=encoder_file,
        required=True,
        metavar="FILE.safetensors",
        help="where the encoder goes; an interrupted run goes on from FILE.safetensors.checkpoint",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace an encoder that is there already"
    )


def _row(args: Namespace, profile: Any) -> Any:
    """The row of the study that the arguments name, or one made of them.

    Raises: ParameterError for a row that trains nothing, and for settings that would not reach it.
    """
    from .. import study

    if args.row is None:
        return _new_row(args)
    row = study.get_row(args.row)
    if not row.trained:
        raise ParameterError(
            f"--row {row.name}: it trains nothing (kind {row.kind}); "
            "name a source with --generator, --folder or --real"
        )
    for field, value in args.set:
        if (own := getattr(row.settings(profile), field)) != value:
            raise ParameterError(
                f"--set {field}={value}: the row {row.name} has {field} = {own} of its own; "
                "name its source with --generator instead"
            )
    return row


def _new_row(args: Namespace) -> Any:
    """A row that is none of the study's, of the source that the arguments name."""
    from .. import study

    name = str(args.generator or args.folder or args.real)
    return study.Row(
        name,
        name,
        family="",
        chapter="",
        source=source_name(args),
        options=source_options(args),
        method_options=dict(args.method_option),
    )


def _check_places(args: Namespace, checkpoint: Path) -> None:
    """Raise ParameterError or DataError where the encoder or its checkpoint cannot be written."""
    from ..core import files

    if args.out.is_file() and not args.force:
        raise ParameterError(
            f"--out {args.out}: is there already; choose another name, or replace it with --force"
        )
    for path in (args.out, checkpoint):
        files.check_target(path)


def _pictures(experiment: Any) -> tuple[Any, Any]:
    """Source and batches of an experiment; of several processes the first makes the images."""
    from ..core import checked, distributed
    from ..study import assembly, contracts

    def read() -> tuple[Any, Any]:
        source = experiment.source()
        checked.spec_of(source)
        contracts.check_source(source, experiment.row, experiment.settings)
        with checked.painting(source):
            return source, assembly.batches(source, experiment.settings, experiment.pool_seed)

    distributed.start()
    if distributed.first():
        read()
    distributed.wait()
    return read()


def _pretrain(args: Namespace) -> int:
    from .. import study
    from ..core import checked, distributed, files
    from ..data import datasets
    from ..learn import encoders
    from ..study import assembly, contracts

    profile = study.resolve(args.profile, **dict(args.set))
    if "data" in dict(args.set):  # the profile's own images are the probe's: not needed here
        datasets.locate(profile.data)
    experiment = study.Experiment(_row(args, profile), profile, args.seed)
    row, settings = experiment.row, experiment.settings
    checkpoint = args.out.with_name(args.out.name + ".checkpoint")
    _check_places(args, checkpoint)
    assembly.prepare(settings.threads)
    use_device(settings.device)
    source, images = _pictures(experiment)
    training = contracts.training(row, settings, args.seed, source, images)
    described = {
        "source": checked.spec_of(source),
        "profile": {**vars(settings)},
        "method_options": dict(row.method_options),
        "seed": args.seed,
    }
    trained = contracts.train(training, checkpoint, files.digest(described))
    if distributed.first():
        encoders.save(args.out, training.method.encoder, {"training": described})
        checkpoint.unlink(missing_ok=True)  # not before: nothing is lost when the disk is full
        print(f"{args.out}: {trained.seconds:.1f} s, loss {trained.curves['loss'][-1]:.3f}")
    return 0


PRETRAIN = Command(
    "pretrain",
    "pre-train an encoder on a generator, a folder or a real set, and save it",
    _add_arguments,
    _pretrain,
    MEANINGS,
    resumes=True,
)
