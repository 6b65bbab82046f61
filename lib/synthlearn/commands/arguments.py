"""Arguments of the command line: what each kind may be, and which mean something together."""

import argparse
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import DataError, ParameterError

# Bounds of the library, once more, so that help needs no torch; a test holds the two together.
# Whole numbers of 64 bits: core/options.py.
SEEDS = (-(2**63), 2**63 - 1)
# Side of an image in pixels: core/image.py.
SIZES = (8, 1024)
# Side of the random encoder's input in pixels: learn/encoders.py.
INPUTS = (32, 512)
# Width of the random encoder: learn/networks.py.
WIDTHS = (1 / 32, 4.0)
# Maps of images: generators/annotations.py.
LABELS = ("instances", "order", "edges")
# Numbers of images and neighbours at most (chosen here).
MANY = 10**9
# Bytes of a file's name at most, as on most file systems.
LONGEST_PART = 255
# Bytes of a path at most: Linux's PATH_MAX without the null that ends it.
LONGEST = 4095
# Bytes of the name of a file that we write: others are made beside it (chosen here).
LONGEST_TARGET = 200
# Characters of a value in a message, as in core/options.py.
SHOWN = 60
# Characters of a whole number of 64 bits, with its sign.
DIGITS = 20


@dataclass(frozen=True)
class Meaning:
    """Where an argument means something: anywhere else it would do nothing, and is refused.

    Args:
        argument: its name in the namespace.
        applies: whether it means something beside the other arguments.
        otherwise: what to say where it does not; names of arguments in braces are filled in.
    """

    argument: str
    applies: Callable[[argparse.Namespace], bool]
    otherwise: str


def _refuse_dashes(parser: Any, values: Any, option_string: Any) -> None:
    """Refuse "--" as a value: argparse takes it away before the value is read."""
    if values == []:
        parser.error(f"{option_string}: '--' is no value")


class Once(argparse.Action):
    """Store a value, and that it was given; twice is refused, since the first would do nothing."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """As argparse calls it."""
        _refuse_dashes(parser, values, option_string)
        given: frozenset[str] = getattr(namespace, "given", frozenset())
        if self.dest in given:
            parser.error(f"{option_string}: given twice")
        namespace.given = given | {self.dest}
        setattr(namespace, self.dest, values)


class Several(argparse.Action):
    """Collect values, and that they were given; one that comes twice is refused.

    Of NAME=VALUE the name must not come twice.
    """

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """As argparse calls it."""
        _refuse_dashes(parser, values, option_string)
        kept = getattr(namespace, self.dest) or []
        name = values[0] if isinstance(values, tuple) else values
        if name in [each[0] if isinstance(each, tuple) else each for each in kept]:
            parser.error(f"{option_string} {name}: given twice")
        namespace.given = getattr(namespace, "given", frozenset()) | {self.dest}
        setattr(namespace, self.dest, [*kept, values])


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults where there are any, and epilogs as they are written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # 0 is a default that is worth telling, though it equals False
        none = action.default in (None, [], ()) or action.default is False
        if action.required or none or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ParameterErrors of one line; names of arguments are to be whole."""

    def __init__(self, prog: str, **more: Any) -> None:
        super().__init__(prog, allow_abbrev=False, formatter_class=Help, **more)
        self.register("action", None, Once)
        self.register("action", "append", Several)

    def error(self, message: str) -> Any:
        """Raise ParameterError."""
        message = re.sub(r"^argument ([^ :]+): ", r"\1 ", message)
        raise ParameterError(f"{message}; see {self.prog} --help")


def _cut(text: str) -> str:
    """A value in a message, cut off where it is long."""
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r} …"


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number in a range, ends included."""

    def read(text: str) -> int:
        fits = re.fullmatch(r"[+-]?\d+", text, re.ASCII) and len(text) <= DIGITS
        if not fits or not least <= int(text) <= most:
            allowed = "of 64 bits" if (least, most) == SEEDS else f"from {least:,} to {most:,}"
            raise argparse.ArgumentTypeError(f"{_cut(text)}: must be a whole number {allowed}")
        return int(text)

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """A number in a range, ends included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{_cut(text)}: must be a number from {least:g} to {most:g}"
            )
        return value

    return read


def several(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Some of the allowed names, each once, with commas between them."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if len({*names}) < len(names) or not {*names} <= {*allowed}:
            must = f"must be of {', '.join(allowed)}, each once, with commas between them"
            raise argparse.ArgumentTypeError(f"{_cut(text)}: {must}")
        return names

    return read


def word(text: str) -> str:
    """A name or a path: not empty, and of a length that files may have."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: must not be empty")
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{_cut(text)}: must not hold a null character")
    parts = [len(os.fsencode(part)) for part in text.split("/")]
    if max(parts) > LONGEST_PART or len(os.fsencode(text)) > LONGEST:
        raise argparse.ArgumentTypeError(
            f"{_cut(text)}: is too long; names have at most {LONGEST_PART} bytes, paths {LONGEST}"
        )
    return text


def folder(text: str) -> Path:
    """A folder to read images from, below the root."""
    path = Path(word(text))
    from ..data import folders

    try:
        folders.check_no_maps(path)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if path.resolve() == Path(path.resolve().anchor):
        raise argparse.ArgumentTypeError(
            f"{_cut(text)}: must be a folder below the root, not all that there is"
        )
    return path


def image_file(text: str) -> Path:
    """A file to read."""
    return Path(word(text))


def target(text: str) -> Path:
    """A file or folder to write, with a name of its own."""
    path = Path(word(text))
    if path.name in ("", ".."):
        raise argparse.ArgumentTypeError(
            f"{text!r}: must end with a name of its own, "
            f"as in results/{text.strip('./') or 'first'}"
        )
    if len(os.fsencode(path.name)) > LONGEST_TARGET:
        raise argparse.ArgumentTypeError(
            f"{_cut(path.name)}: must have at most {LONGEST_TARGET} bytes"
        )
    return path


def encoder_file(text: str) -> Path:
    """A file for an encoder, whose name says the same to ``--encoder`` afterwards."""
    path = target(text)
    if path.suffix.lower() in (".pt", ".pth"):
        raise argparse.ArgumentTypeError(
            f"{text!r}: the file will be of safetensors, no pickle; "
            f"call it {path.with_suffix('.safetensors')}"
        )
    if text in ("random", "reference") or text.startswith(("timm:", "inception:")):
        raise argparse.ArgumentTypeError(
            f"{text!r}: means another encoder to --encoder; "
            f"call it {text.partition(':')[0]}.safetensors"
        )
    return path


def device(text: str) -> str:
    """A kind of device that the study computes on; whether it is here, its user checks."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{_cut(text)}: must be auto, cpu, cuda or cuda:N")
    return text


def option(text: str) -> tuple[str, Any]:
    """NAME=VALUE with a JSON value of finite numbers, or a word."""
    name, sign, value = text.partition("=")
    if not sign or not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or not value.strip():
        raise argparse.ArgumentTypeError(f"{_cut(text)}: must be NAME=VALUE, as in points=50000")
    try:
        read = json.loads(
            value,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_finite,
            object_pairs_hook=_object,
        )
        return name, word(read) if isinstance(read, str) else read
    except json.JSONDecodeError:
        return name, word(value)
    except RecursionError as error:
        raise argparse.ArgumentTypeError(f"{name}: its value is nested too deeply") from error
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{name} = {error}") from error


def _integer(text: str) -> int:
    return whole(*SEEDS)(text)


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise argparse.ArgumentTypeError(f"{_cut(text)}: must be a finite number")
    return float(text)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise argparse.ArgumentTypeError(
            f"{', '.join(name for name, _ in pairs)}: a name is given twice"
        )
    return mapping


def check(args: argparse.Namespace) -> None:
    """Raise ParameterError for an argument that would do nothing beside the others."""
    for meaning in args.meanings:
        given = meaning.argument in args.given or getattr(args, meaning.argument) is True
        if given and not meaning.applies(args):
            flag = "--" + meaning.argument.rstrip("_").replace("_", "-")
            raise ParameterError(f"{flag}: {meaning.otherwise.format(**vars(args))}")
