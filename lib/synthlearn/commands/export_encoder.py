"""``export-encoder``: an encoder's weights for timm, torchvision or plain torch."""

from argparse import Namespace

from . import arguments
from .arguments import encoder_file, image_file
from .command import Command


def _add_arguments(parser: arguments.Parser) -> None:
    parser.add_argument(
        "--encoder",
        type=image_file,
        required=True,
        metavar="FILE",
        help="a file of `pretrain` or of the study",
    )
    parser.add_argument(
        "--to",
        choices=("timm", "torchvision", "torch"),
        required=True,
        help="the library that will load it: timm or torchvision for a ResNet or ViT, torch, as an "
        "nn.Sequential, for a SmallAlexNet",
    )
    parser.add_argument(
        "--out",
        type=encoder_file,
        required=True,
        metavar="FILE.safetensors",
        help="where the weights go; a model card, FILE.md, says how to load them",
    )


def _export_encoder(args: Namespace) -> int:
    from ..study import sharing

    print(sharing.share(args.encoder, args.to, args.out), end="")
    return 0


EXPORT_ENCODER = Command(
    "export-encoder",
    "write an encoder's weights for timm, torchvision or plain torch, with a model card",
    _add_arguments,
    _export_encoder,
)
