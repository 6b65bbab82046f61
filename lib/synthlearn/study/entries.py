"""Entries of the study's TOML files, checked before they are used: fields and their types."""

from collections.abc import Mapping
from typing import Any

from ..core.errors import ParameterError
from ..core.options import shown

WORDS = {str: "a text", int: "a whole number", list: "a list of texts", dict: "a table"}
EXAMPLES = {str: '"…"', int: "1", list: '["…"]', dict: "{ … }"}
Fields = Mapping[str, type]


def check(where: str, entry: Any, must: Fields, may: Fields) -> None:
    """Raise ParameterError unless an entry is a table with all fields of ``must`` and none but
    these and those of ``may``, each of its type."""
    if not isinstance(entry, dict):
        raise ParameterError(f"{where} = {shown(entry)}: must be a table, under [NAME]")
    for name, value in entry.items():
        kind = {**must, **may}.get(name)
        if kind is None:
            raise ParameterError(f"{where} has {name!r}; allowed are {names(must, may)}")
        good = isinstance(value, kind) and not isinstance(value, bool)
        if kind is list and good:
            good = all(isinstance(each, str) for each in value)
        if not good:
            raise ParameterError(f"{where}: {name} = {shown(value)}: must be {WORDS[kind]}")
    for name, kind in must.items():
        if name not in entry:
            raise ParameterError(f"{where} has no {name}; add {name} = {EXAMPLES[kind]}")


def names(must: Fields, may: Fields) -> str:
    """All fields, sorted, for a message."""
    return ", ".join(sorted({**must, **may}))
