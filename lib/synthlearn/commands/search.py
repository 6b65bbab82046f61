"""``search``: a generator's options, by successive halving."""

from argparse import Namespace

from . import arguments
from .arguments import whole, word
from .command import Command


def _add_arguments(parser: arguments.Parser) -> None:
    parser.add_argument(
        "--search",
        type=word,
        default="collage",
        metavar="NAME",
        help="which of workflow/search.toml",
    )
    parser.add_argument("--profile", type=word, default="cpu", help="smoke or cpu")
    parser.add_argument(
        "--jobs", type=whole(1, 1024), default=1, help="tries side by side, a core each"
    )


def _search(args: Namespace) -> int:
    from .. import study
    from ..study import search

    one = search.get_search(args.search, args.profile)
    rungs = search.search_all(one, study.with_data(args.profile), args.jobs)
    for place, rung in enumerate(rungs, 1):
        for point, right in rung:
            options = ", ".join(f"{name} {value}" for name, value in one.options(point).items())
            print(f"rung {place}, point {point}: {100 * right.mean():.1f} %  ({options})")
    for point, share in search.choices(rungs[-1]).items():
        print(f"point {point} is chosen in {100 * share:.0f} % of draws of seeds and images")
    return 0


SEARCH = Command(
    "search",
    "search for a generator's options by successive halving; "
    "tries that have a record are not made again",
    _add_arguments,
    _search,
    needs_checkout=True,
    resumes=True,
)
