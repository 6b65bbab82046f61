"""What a command is, and the arguments that several commands share."""

import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import arguments
from .arguments import SEEDS, Meaning, device, folder, option, whole, word

ENCODER = "FILE|random|timm:NAME"


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        name: as it is called.
        help: a line that says what it does, without a capital and a full stop.
        add_arguments: gives a parser the command's arguments.
        handle: does what the arguments ask for, prints, and returns the exit status.
        meanings: where an argument means something, see :data:`arguments.Meaning`.
        needs_checkout: whether it works in a checkout of the project alone.
        resumes: whether the same call goes on where it was interrupted.
    """

    name: str
    help: str
    add_arguments: Callable[[arguments.Parser], None]
    handle: Callable[[Namespace], int]
    meanings: tuple[Meaning, ...] = ()
    needs_checkout: bool = False
    resumes: bool = False


def add_option(parser: arguments.Parser, flag: str, metavar: str, help_: str) -> None:
    """An argument NAME=VALUE that may be given several times."""
    parser.add_argument(flag, type=option, action="append", default=[], metavar=metavar, help=help_)


def add_seed(parser: arguments.Parser, help_: str) -> None:
    """``--seed`` of a command that is no study's."""
    parser.add_argument("--seed", type=whole(*SEEDS), default=0, help=help_)


def add_source(parser: arguments.Parser, row: bool = False) -> None:
    """Arguments that name a source of images and the profile's settings; ``row``: a row of the
    study will do for a source."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--generator", type=word, metavar="NAME", help="see `list`")
    group.add_argument("--folder", type=folder, metavar="DIR", help="any folder of images")
    group.add_argument(
        "--real",
        type=word,
        metavar="SET",
        help="the training images of a real set, labels hidden unless a method needs them",
    )
    if row:
        group.add_argument(
            "--row", type=word, metavar="ROW", help="a row of the study, with all its settings"
        )
    add_option(parser, "--option", "NAME=VALUE", "an option of the generator, see `list`")
    parser.add_argument("--profile", type=word, default="smoke", help="smoke, cpu, gpu or paper")
    add_option(
        parser,
        "--set",
        "FIELD=VALUE",
        "replace a field of the profile, as in epochs=20 or method=simclr; see `profiles`",
    )


def source_name(args: Namespace) -> str:
    """Name of the source that the arguments name."""
    if args.generator is not None:
        return str(args.generator)
    return "folder" if args.folder is not None else "real"


def source_options(args: Namespace) -> dict[str, Any]:
    """Options of the source that the arguments name."""
    if args.generator is not None:
        return dict(args.option)
    place = {"path": str(args.folder)} if args.folder is not None else {"data": args.real}
    return {**place, **dict(args.option)}


def add_device(parser: arguments.Parser) -> None:
    """``--device`` of a command that is no study's."""
    parser.add_argument(
        "--device",
        type=device,
        default="auto",
        help="cpu, cuda or cuda:N; auto: a card where there is one",
    )


def use_device(name: str) -> str:
    """The device that a name means; says on stderr which it is."""
    from ..core import machine
    from ..core.options import the_device

    used = the_device(name)
    print(f"device: {used} ({machine.device_name(used)})", file=sys.stderr)
    return used
