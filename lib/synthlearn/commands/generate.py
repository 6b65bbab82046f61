"""``generate``: images of a generator, written to files."""

from argparse import Namespace

from . import arguments
from .arguments import LABELS, MANY, SIZES, several, target, whole, word
from .command import Command, add_device, add_option, add_seed, use_device


def _add_arguments(parser: arguments.Parser) -> None:
    parser.add_argument("--generator", type=word, required=True, metavar="NAME", help="see `list`")
    add_option(
        parser,
        "--option",
        "NAME=VALUE",
        "an option of the generator, see `list`; may be given several times",
    )
    parser.add_argument("--n", type=whole(1, MANY), default=1000, help="number of images")
    parser.add_argument("--size", type=whole(*SIZES), default=128, help="side in pixels")
    add_seed(parser, "another seed is another set")
    parser.add_argument(
        "--out",
        type=target,
        required=True,
        metavar="DIR",
        help="folder to write to; images that are there already are kept",
    )
    parser.add_argument(
        "--format",
        choices=("imagefolder", "webdataset"),
        default="imagefolder",
        help="PNG files in class folders, or tar shards of 1,000 with .cls members",
    )
    parser.add_argument(
        "--labels",
        type=several(LABELS),
        default=(),
        metavar="NAMES",
        help="maps to write beside each image: instances, order, edges, or several with commas",
    )
    add_device(parser)


def _generate(args: Namespace) -> int:
    from ..core import checked
    from ..data import export
    from ..generators import generator

    source = generator(args.generator, **dict(args.option))
    device = use_device(args.device)
    checked.spec_of(source)
    checked.check_labels(source, args.n)
    with checked.painting(source):
        print(
            export.write(
                source, args.n, args.size, args.seed, args.out, args.format, device, args.labels
            )
        )
    return 0


GENERATE = Command(
    "generate",
    "write images of a generator to a folder or to webdataset shards",
    _add_arguments,
    _generate,
    resumes=True,
)
