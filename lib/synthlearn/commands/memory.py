"""``memory``: a visual memory in a folder, built, changed and asked."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..core.errors import ParameterError
from . import arguments
from .arguments import MANY, Meaning, folder, image_file, target, whole, word
from .command import ENCODER, Command, add_device, use_device

NEEDED: dict[str, tuple[str, ...]] = {
    "build": ("encoder", "images"),
    "add": ("encoder", "images"),
    "query": ("encoder",),
    "remove": (),
}
MEANINGS = (
    Meaning("encoder", lambda args: args.action != "remove", "removing needs no encoder"),
    Meaning(
        "images",
        lambda args: args.action != "remove",
        "what is to go is named by --class or --name",
    ),
    Meaning(
        "image",
        lambda args: args.action == "query",
        "is of query; {action} takes a whole folder, --images",
    ),
    Meaning("class_", lambda args: args.action == "remove", "is of remove"),
    Meaning("name", lambda args: args.action == "remove", "is of remove"),
    Meaning("neighbours", lambda args: args.action == "query", "is of query"),
    Meaning("force", lambda args: args.action == "build", "is of build"),
)


def _add_arguments(parser: arguments.Parser) -> None:
    parser.add_argument(
        "action",
        choices=("build", "add", "remove", "query"),
        help="build: a new one from a folder; add: more images; remove: images or a class; "
        "query: the class of images, and the entries that decide it",
    )
    parser.add_argument(
        "--memory", type=target, required=True, metavar="DIR", help="folder of the memory"
    )
    parser.add_argument(
        "--encoder",
        type=word,
        metavar=ENCODER,
        help="as for `probe`; the one that the memory was built with",
    )
    parser.add_argument(
        "--images",
        type=folder,
        metavar="DIR",
        help="build, add: images in DIR/CLASS/FILE; query: every image below DIR",
    )
    parser.add_argument(
        "--image",
        type=image_file,
        action="append",
        metavar="FILE",
        help="query: an image; may be given several times",
    )
    parser.add_argument(
        "--class", type=word, dest="class_", metavar="NAME", help="remove: a whole class"
    )
    parser.add_argument(
        "--name",
        type=word,
        action="append",
        metavar="CLASS/FILE",
        help="remove: one image; may be given several times",
    )
    parser.add_argument(
        "--neighbours", type=whole(1, MANY), default=20, help="query: how many entries decide"
    )
    parser.add_argument(
        "--force", action="store_true", help="build: replace a memory that is there already"
    )
    add_device(parser)


def _check(args: Namespace) -> None:
    """Raise ParameterError where an action lacks what it needs."""
    for name in NEEDED[args.action]:
        if getattr(args, name) is None:
            raise ParameterError(f"memory {args.action}: needs --{name}")
    if args.action == "query" and not (args.image or args.images):
        raise ParameterError("memory query: needs --image or --images")
    if args.action == "remove" and not (args.class_ or args.name):
        raise ParameterError("memory remove: needs --class or --name")


def _memory(args: Namespace) -> int:
    from ..core import files
    from ..learn import encoders
    from ..measure import memory

    _check(args)
    if args.action == "remove":
        return _print_size(args.memory, memory.remove(args.memory, args.name or (), args.class_))
    if args.action == "build" and not args.force:
        memory.refuse_existing(args.memory)
    held = None if args.action == "build" else memory.Memory.load(args.memory)
    if args.action != "query":
        files.check_target(args.memory / memory.INDEX if args.memory.exists() else args.memory)
    encoder = encoders.load(args.encoder).to(use_device(args.device))
    made_by = memory.maker(encoder, args.encoder)
    if held is not None:
        _check_encoder(args, held, made_by)
    if args.action == "query":
        return _query(args, held, encoder)
    entries = memory.read_folder(args.images, encoder, made_by)
    if args.action == "build":
        return _print_size(args.memory, memory.build(args.memory, made_by, entries, args.force))
    with memory.changing(args.memory) as held:  # as it is now, after the images were read
        _check_encoder(args, held, made_by)
        held.add(*entries)
    return _print_size(args.memory, held)


def _check_encoder(args: Namespace, held: Any, made_by: dict[str, Any]) -> None:
    """Raise ParameterError for another encoder than the memory's."""
    if held.made_by != made_by:
        raise ParameterError(
            f"--encoder {args.encoder}: not the one that {args.memory} was built with; "
            "embeddings of two encoders cannot be compared"
        )


def _query(args: Namespace, held: Any, encoder: Any) -> int:
    """Print one JSON object for each image."""
    from ..data import folders
    from ..measure import memory

    paths = [*(args.image or ()), *(folders.Folder(args.images).files if args.images else ())]
    embedded = memory.read(paths, encoder, held.made_by["layer"])
    classes = held.classify(embedded, args.neighbours)
    neighbours = held.query(embedded, args.neighbours)
    for path, class_, entries in zip(paths, classes, neighbours, strict=True):
        answer = {
            "image": str(path),
            "class": class_,
            "neighbours": [[name, round(cosine, 4)] for name, _, cosine in entries],
        }
        print(json.dumps(answer, ensure_ascii=False))
    return 0


def _print_size(path: Path, held: Any) -> int:
    print(f"{path}: {len(held):,} images of {len(set(held.classes))} classes")
    return 0


MEMORY = Command(
    "memory",
    "a visual memory: classify images by the nearest of those that it holds; "
    "classes and images come and go without training",
    _add_arguments,
    _memory,
    MEANINGS,
)
