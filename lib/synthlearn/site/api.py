"""Docstrings as the pages of the API show them: a Sphinx extension, named in ``_config.yml``.

Our docstrings are plain text with a few words that open a part: ``Args:``, ``Raises:``,
``Returns:``, and examples after ``>>>``. Here they become reStructuredText that says the same.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

NAMED = re.compile(r"(Raises|Returns|Yields): ")
ARGUMENT = re.compile(r"(?:    )?([a-z]\w*(?:, [a-z]\w*)*): (.*)")
LITERAL = re.compile(r"(``.+?``|(?<!\w)\*\w+\*(?!\w))")  # code, or an emphasised word
FIELD = "Alias for field number"  # docstring that Python gives to a field of a named tuple
ROLE = re.compile(r":(?:func|class|data|meth|mod|attr):`~?\.*([^`]+)`")


def setup(app: Any) -> dict[str, bool]:
    """Have autodoc show docstrings by :func:`restructured`, and no words of Python's own."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured(lines)


def _signature(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: Any
) -> tuple[str | None, Any]:
    """A signature that Sphinx can read: a default that a dataclass makes is no expression."""
    return (signature and signature.replace("<factory>", "...")), returns


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a named tuple, which its own docstring tells of."""
    return True if (getattr(thing, "__doc__", "") or "").startswith(FIELD) else None


def restructured(lines: Sequence[str]) -> list[str]:
    """A docstring's lines, without their common indent, as reStructuredText.

    >>> print("\\n".join(restructured(["Of |x|.", "", "Args:", "    x: one", "        number."])))
    Of \\|x\\|.
    <BLANKLINE>
    - **x**: one number.
    <BLANKLINE>
    """
    text: list[str] = []
    for block in _blocks(lines):
        if block[0].startswith(">>>"):
            text += [*block, ""]
            continue
        arguments = _arguments(block)
        if arguments:
            text += [f"- **{name}**: {_escaped(meaning)}" for name, meaning in arguments]
            text.append("")
            continue
        for paragraph in _paragraphs(block):
            bold = NAMED.sub(r"**\1:** ", paragraph) if NAMED.match(paragraph) else None
            head, _, rest = (bold or "").partition(":** ")
            text += [f"{head}:** {_escaped(rest)}" if bold else _escaped(paragraph), ""]
    return text


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Runs of lines without an empty one."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def _arguments(block: Sequence[str]) -> list[tuple[str, str]]:
    """Names and meanings of a block that tells of nothing but arguments or fields; else none."""
    lines = block[1:] if block[0] == "Args:" else block
    if not lines or not ARGUMENT.fullmatch(lines[0]):
        return []
    indent = len(lines[0]) - len(lines[0].lstrip())
    pairs: list[tuple[str, str]] = []
    for line in lines:
        named = ARGUMENT.fullmatch(line)
        if named and len(line) - len(line.lstrip()) == indent:
            pairs.append((named[1], named[2]))
        else:
            name, meaning = pairs[-1]
            pairs[-1] = (name, f"{meaning} {line.strip()}")
    return pairs


def _paragraphs(block: Sequence[str]) -> Iterator[str]:
    """A block's paragraphs and items of lists, each one line: a new one starts at Raises and the
    like, and at a dash.
    """
    paragraph = ""
    for line in block:
        if paragraph and (NAMED.match(line) or line.startswith("- ")):
            yield paragraph
            paragraph = ""
        paragraph = f"{paragraph} {line.strip()}".strip()
    yield paragraph


def _escaped(text: str) -> str:
    """Plain text as reStructuredText: markup is only what stands between double
    backticks, and a word between asterisks.
    """
    parts = LITERAL.split(ROLE.sub(r"``\1``", text))
    return "".join(
        part if LITERAL.fullmatch(part) else re.sub(r"([\\|*_`])", r"\\\1", part) for part in parts
    )
