"""``properties``: images compared with real ones in features of an encoder."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..core.errors import ParameterError
from . import arguments
from .arguments import MANY, Meaning, whole, word
from .command import (
    Command,
    add_device,
    add_seed,
    add_source,
    source_name,
    source_options,
    use_device,
)
from .pretrain import NO_GENERATOR

INCEPTION = "inception:"  # before the file of torchvision's Inception v3
MEANINGS = (Meaning("option", lambda args: args.generator is not None, NO_GENERATOR),)


def _add_arguments(parser: arguments.Parser) -> None:
    add_source(parser)
    parser.add_argument(
        "--encoder",
        type=word,
        required=True,
        metavar="FILE|random|reference|timm:NAME|inception:FILE",
        help="as for `probe`, the ImageNet classifier of the extra `reference`, or torchvision's "
        "Inception v3 from its file: "
        "only then may the Fréchet distance be called FID",
    )
    parser.add_argument(
        "--data",
        type=word,
        metavar="SET|DIR",
        help="the real images, as for `probe` (default: the profile's)",
    )
    parser.add_argument(
        "--n",
        type=whole(1, MANY),
        help="images, and as many real ones twice: all values depend on it "
        "(default: 2000, or half of the test images)",
    )
    add_seed(parser, "of the images and of the views")
    add_device(parser)


def _profile(args: Namespace) -> Any:
    """The profile with the data of the arguments."""
    from .. import study

    settings = dict(args.set)
    if args.data is not None and "data" in settings:
        raise ParameterError("--data and --set data: give one of them")
    return study.resolve(
        args.profile, **(settings if args.data is None else {**settings, "data": args.data})
    )


def _number(args: Namespace, most: int, why: str) -> int:
    """How many images to compare. Raises ParameterError for a number outside the bounds."""
    from ..measure import properties

    n = min(properties.IMAGES, most) if args.n is None else args.n
    if not properties.LEAST <= n <= most:
        raise ParameterError(f"--n {n}: must lie between {properties.LEAST} and {most}, {why}")
    return int(n)


def _encoder(args: Namespace, profile: Any) -> Any:
    """The encoder of the arguments, on the CPU."""
    from ..learn import encoders
    from ..learn.reference import NAME, Reference
    from ..measure import inception

    if args.encoder.startswith(INCEPTION):
        return inception.Inception(Path(args.encoder.removeprefix(INCEPTION)))
    if args.encoder == NAME:
        return Reference()
    return encoders.load(args.encoder, profile.width, profile.crop, args.seed)


def _properties(args: Namespace) -> int:
    from .. import data
    from ..data import datasets
    from ..measure import probe, properties

    p = _profile(args)
    test = datasets.load(p.data, "test", p.crop)
    source = data.source(source_name(args), **source_options(args))
    n = _number(args, *properties.largest_sample(source, test, p.data))
    encoder = _encoder(args, p).to(use_device(args.device))
    indices = source.spread(n) if isinstance(source, data.Folder) else range(n)
    pictures = source.sample(indices, p.image_size, args.seed, "cpu")
    tap = encoder.last_convolution
    real = probe.large_enough(properties.two_samples(test, n, p.data).images, p.crop)
    parts = properties.compare(encoder, tap, pictures, real, p.views(), args.seed)
    answer = {
        "source": source.name,
        "data": p.data,
        "encoder": args.encoder,
        "tap": tap,
        "n": n,
        "properties": {name: part.to_json() for name, part in parts},
    }
    print(json.dumps(answer))
    return 0


PROPERTIES = Command(
    "properties",
    "compare images with real ones in features of an encoder, and print one JSON object",
    _add_arguments,
    _properties,
    MEANINGS,
)
