"""The HTML of pages: figures with a caption, tables, and numbers as text."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from ..core import stats
from ..core.errors import ParameterError
from . import jupyter

# The start of any tag but ours: their names, and attributes whose values can neither leave their
# quotes nor name another host or a script
ATTRIBUTE = (
    r" (?:(?:class|id)='[\w .+-]*'|href='(?!/)[\w./#+-]*'|style='background:#[0-9A-Fa-f]{6}')"
)
FOREIGN_TAG = re.compile(rf"<(?!/?(?:a|b|br|code|details|i|small|span|summary)(?:{ATTRIBUTE})*>)")
# A minus sign typed as a hyphen; a space before a per cent sign, after ±, around the equals sign of
# a letter and its number, or in an interval but for those of tables, whose columns must stay
# narrow. Tags, code, drawings and scripts match as a whole and are left alone
TYPED = re.compile(
    r"<(code|pre|script|style|svg)\b.*?</\1>|<[^>]*>|(?<![\w.)-])-(?=\d)"
    r"|(?<=\d) (?=%)|(?<=±) (?=\d)|(?<=\b\w) (?== \d)|(?<=\b\w =) (?=\d)"
    r"|(?<=\d,) (?=[-+]?[\d.]+\](?!</small>))",
    re.DOTALL,
)
EXPONENTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SET = {"-": "\N{MINUS SIGN}", " ": "\N{NO-BREAK SPACE}"}
LETTERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
LETTERS += ["eleven", "twelve"]


class Html:
    """What a notebook shows as HTML; its text form is the alternative text."""

    def __init__(self, content: str, alt: str) -> None:
        self.content, self.alt = content, alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        content = typeset(jupyter.for_jupyter(self.content))
        return {"text/html": content, "text/plain": self.alt}


def typeset(content: str) -> str:
    """HTML with true minus signs, and with intervals and units that stay on one line.

    >>> typeset("<p>-0.3 <code>-1</code></p>")
    '<p>−0.3 <code>-1</code></p>'
    """
    return TYPED.sub(lambda match: SET.get(match[0], match[0]), content)


def figure(inside: str, alt: str, caption: str) -> Html:
    """A figure with its caption.

    Raises: ParameterError without ``alt``, what a reader who cannot see it should know.
    """
    if not alt.strip():
        raise ParameterError("alt = '': every figure needs an alternative text; say what it shows")
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Html(f'<figure class="synthlearn">{inside}{below}</figure>', alt)


def table(
    header: Sequence[str],
    body: Sequence[Sequence[str]],
    caption: str = "",
    sortable: bool = False,
    filters: Sequence[str] = (),
    stacked: bool = False,
) -> Html:
    """A table of cells that may hold our markup (:func:`cell`).

    filters: headings whose values a reader may choose from. stacked: on a phone each line's first
    cell stands above the others.

    Raises: ValueError if a line has not one cell per heading.
    """
    for line in body:
        if len(line) != len(header):
            cells = f"{len(line)} cells under {len(header)} headings"
            raise ValueError(f"a table's line has {cells}: {line[0]}")
    head = "".join(
        f"<th scope='col'{' data-filter' * (heading in filters)}>{cell(heading)}</th>"
        for heading in header
    )
    lines = "".join(
        "<tr>" + "".join(f"<td>{cell(text)}</td>" for text in line) + "</tr>" for line in body
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    kind = f"synthlearn{' sortable' * sortable}{' stacked' * stacked}"
    inside = f"{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody>"
    return Html(f'<div class="scroll"><table class="{kind}">{inside}</table></div>', caption)


def cell(text: str) -> str:
    """A table's cell as it goes into a page: text with the few tags that this package writes;
    whatever else opens a tag is shown, not obeyed.
    """
    return FOREIGN_TAG.sub("&lt;", text)


def percent(share: float) -> str:
    """A share as per cent with one decimal.

    >>> percent(0.4567)
    '45.7'
    """
    return f"{100 * share:z.1f}"


def minutes(seconds: float) -> str:
    """Seconds as minutes with one decimal.

    >>> minutes(90), minutes(0.2)
    ('1.5', '< 0.1')
    """
    return "< 0.1" if 0 < seconds < 3 else f"{seconds / 60:.1f}"


def scientific(value: float, digits: int = 2) -> str:
    """A number as a power of ten.

    >>> scientific(2.11e17), scientific(0.00009918)
    ('2.1\xa0×\xa010¹⁷', '9.9\xa0×\xa010⁻⁵')
    """
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}\xa0×\xa010{str(int(exponent)).translate(EXPONENTS)}"


def interval(e: stats.Estimate) -> str:
    """Mean and 95 % interval in per cent."""
    return f"{percent(e.mean)} {span(percent(e.low), percent(e.high))}"


def points(e: stats.Estimate) -> str:
    """A difference and its interval in percentage points."""
    mean, low, high = (f"{100 * value:+z.1f}" for value in (e.mean, e.low, e.high))
    return f"{mean} {span(low, high)}"


def span(low: str, high: str) -> str:
    """The ends of an interval, set small."""
    return f"<small>[{low}, {high}]</small>"


def nothing(text: str) -> Html:
    """What stands in a table's or figure's place while there is nothing to show: one sentence.

    >>> nothing("No run is recorded yet.").alt
    'No run is recorded yet.'
    """
    return Html(f"<p class='note'>{escape(text)}</p>", text)


def join(*parts: Html) -> Html:
    """Several things below each other, as one output of a cell."""
    return Html("".join(part.content for part in parts), " ".join(part.alt for part in parts))


def folded(summary: str, *parts: Html) -> Html:
    """Things that are shown when the line ``summary`` is opened."""
    inside = join(*parts)
    head = f"<summary>{escape(summary)}</summary>"
    return Html(f'<details class="more">{head}{inside.content}</details>', inside.alt)


def spelled(n: int) -> str:
    """A number in letters up to twelve, in figures beyond.

    >>> spelled(4), spelled(1200)
    ('four', '1,200')
    """
    return LETTERS[n] if 0 <= n < len(LETTERS) else f"{n:,}"


def count(n: int, noun: str) -> str:
    """A number with its noun, plural where it has to be.

    >>> count(1, "claim"), count(1200, "claim")
    ('1 claim', '1,200 claims')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def runs_in_words(runs: int) -> str:
    """How many runs, in a sentence: "one run", "3 runs"; a dash for none."""
    return f"{run_count(runs)}{' runs' * (runs > 1)}"


def run_count(runs: int) -> str:
    """How many runs a number stands on, for a table; a dash where none does."""
    return "–" if not runs else "one run" if runs == 1 else str(runs)
