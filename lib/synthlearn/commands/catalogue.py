"""What there is to choose from, as text: generators, fields of the profiles, methods, encoders."""

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from typing import Any

from ..core.options import between
from ..generators import default_options, generator_class, names
from ..learn import encoders
from ..learn.methods import METHODS
from ..study import profiles

KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    list: "a list",
    dict: "a mapping",
}
# how a required option is written on the command line
WRITTEN: dict[tuple[str, Any], str] = {
    ("parts", list): """'["noise-white", "dead_leaves-mixed"]'""",
    ("parts", dict): """'{"noise-white": 1, "dead_leaves-mixed": 3}'""",
    ("encoder", str): "encoder.safetensors, a file of `pretrain`",
}
ENCODERS = {
    encoders.SMALL_ALEXNET: "the noise paper's, of any width",
    "resnet18": "for small images where the crop is small",
    "resnet50": "the large one of the noise paper",
    "vit": "a small vision transformer (needs timm)",
}
MEASURED = """\
    FILE                 a file of `pretrain`, or a .pth file of the authors' released encoders
    random               an untrained SmallAlexNet
    timm:NAME            a model of timm with its hub weights; \
timm:NAME@FILE: with weights from a file
    reference            an ImageNet classifier (`properties` alone; needs the extra `reference`)
    inception:FILE       torchvision's Inception v3 (`properties` alone)"""


def generators() -> Iterator[str]:
    """Lines on each generator: what it paints, and its options with defaults, types and bounds."""
    for name in names():
        cls = generator_class(name)
        yield name
        yield f"    {_first_line(cls)}"
        yield from _options(cls.Options, default_options(name))


def settings() -> Iterator[str]:
    """Lines on the fields of the profiles side by side, the methods with their options, and the
    encoders.
    """
    yield (
        "Fields of a profile (--set FIELD=VALUE, or -p FIELD VALUE for a chapter), "
        "and their values in each:"
    )
    yield ""
    every = [profiles.defaults(name) for name in profiles.NAMES]
    rows = [(field, *(str(getattr(p, field)) for p in every)) for field in profiles.FIELDS]
    rows.insert(0, ("", *profiles.NAMES))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"    {cells}  {profiles.meaning(row[0])}".rstrip()
    yield ""
    yield "Methods (--set method=NAME; their options: --method-option NAME=VALUE):"
    for name, method in METHODS.items():
        yield ""
        yield f"  {name}"
        yield f"    {_first_line(method)}"
        yield from _options(
            method.Options, {f.name: f.default for f in dataclasses.fields(method.Options)}
        )
    yield ""
    yield "Encoders to train (--set encoder=NAME):"
    yield from (f"    {name:20s} {what}" for name, what in ENCODERS.items())
    yield ""
    yield "Encoders to measure (--encoder):"
    yield MEASURED


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or "").split("\n", 1)[0]


def _options(kind: Any, defaults: dict[str, Any]) -> Iterator[str]:
    """A line for each option: name, default or that it is required, and what it may be."""
    for field in dataclasses.fields(kind):
        allowed = _allowed(kind, field)
        if defaults[field.name] is dataclasses.MISSING:
            written = WRITTEN.get((field.name, typing.get_origin(field.type) or field.type))
            yield f"      {field.name} (required): {allowed}" + (
                f", as in {written}" if written else ""
            )
        else:
            yield f"      {field.name} = {defaults[field.name]!r}   ({allowed})"


def _allowed(kind: Any, field: "dataclasses.Field[Any]") -> str:
    """What an option may be, in words."""
    name, type_ = field.name, typing.get_origin(field.type) or field.type
    if name in kind.allowed:
        return " | ".join(map(str, kind.allowed[name]))
    bounds = between(kind.at_least.get(name), kind.at_most.get(name))
    return KINDS.get(type_, str(type_)) + bounds
