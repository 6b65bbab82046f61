"""``list`` and ``profiles``: what there is to choose from."""

from argparse import Namespace

from . import arguments
from .command import Command


def _no_arguments(parser: arguments.Parser) -> None:
    pass


def _list(args: Namespace) -> int:
    from . import catalogue

    print("\n".join(catalogue.generators()))
    return 0


def _profiles(args: Namespace) -> int:
    from . import catalogue

    print("\n".join(catalogue.settings()))
    return 0


LIST = Command(
    "list",
    "list the generators with their options: defaults, types and bounds",
    _no_arguments,
    _list,
)
PROFILES = Command(
    "profiles",
    "list the fields of the profiles with their values, the methods with their options, "
    "and the encoders",
    _no_arguments,
    _profiles,
)
