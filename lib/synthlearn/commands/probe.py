"""``probe``: what a frozen encoder makes of labelled real images."""

import json
from argparse import Namespace

from . import arguments
from .arguments import INPUTS, MANY, WIDTHS, Meaning, number, whole, word
from .command import ENCODER, Command, add_device, add_seed, use_device

OF_RANDOM = "is of the random encoder; {encoder} has its own"
MEANINGS = (
    Meaning("width", lambda args: args.encoder == "random", OF_RANDOM),
    Meaning("size", lambda args: args.encoder == "random", OF_RANDOM),
)


def _add_arguments(parser: arguments.Parser) -> None:
    parser.add_argument(
        "--encoder",
        type=word,
        required=True,
        metavar=ENCODER,
        help="a file of `pretrain`, an untrained encoder, or a timm model "
        "(timm:NAME@FILE for local weights)",
    )
    parser.add_argument(
        "--data",
        type=word,
        required=True,
        metavar="SET|DIR",
        help="a set's name, or an ImageFolder with train/ and test/ (or val/)",
    )
    parser.add_argument(
        "--per-class", type=whole(0, MANY), default=0, help="training images per class; 0 is all"
    )
    parser.add_argument("--width", type=number(*WIDTHS), default=0.25, help="of the random encoder")
    parser.add_argument(
        "--size", type=whole(*INPUTS), default=32, help="input side of the random encoder"
    )
    add_seed(parser, "of the random encoder and of the held-out fifth of train")
    add_device(parser)


def _probe(args: Namespace) -> int:
    from ..core import intervals, options
    from ..data import datasets
    from ..learn import encoders
    from ..measure import probe

    options.whole("seed", args.seed)
    datasets.locate(args.data)
    encoder = encoders.load(args.encoder, args.width, args.size, args.seed)
    encoder = encoder.to(use_device(args.device))
    size = encoder.options["input_size"]
    train, test = datasets.both(args.data, round(size * probe.RESIZE))
    results = {}
    measured = probe.measure(encoder, train.first(args.per_class), test, args.seed)
    for name, result in measured.items():
        low, high = intervals.wilson(int(result.correct.sum()), len(test))
        note = {"note": result.note} if result.note else {}
        results[name] = {"top1": result.top1, "low": low, "high": high} | note
    metric = next(iter(results))
    answer = {
        "encoder": args.encoder,
        "data": test.name,
        "n": len(test),
        "metric": metric,
        **results[metric],
        "all": results,
    }
    print(json.dumps(answer))
    return 0


PROBE = Command(
    "probe",
    "measure a frozen encoder on labelled real images and print one JSON object",
    _add_arguments,
    _probe,
    MEANINGS,
)
