"""Sentences whose results are computed, and the boxes that chapters open and close with."""

import math
import re
from html import escape

from ..core import stats
from ..study import Profile, Runs, get_row
from ..study.jobs import baseline, runs_of
from ..study.records import MAIN
from ..study.units import Units
from .captions import Records
from .html import Html, count, percent, points, span

ALONE = "(one encoder of each; the interval is over test images alone)"
HIGHER = "{what} is {size} points {span} {word} with {a} than with {b}"
ALIKE = "{a} and {b} cannot be told apart{runs}: the difference in {what} is {difference} points"
WAY = "{share} of the way from the untrained encoder to real images"


def compare(
    a: Runs | None,
    b: Runs | None,
    name_a: str = "",
    name_b: str = "",
    probe: str = MAIN,
    where: str = "",
) -> str:
    """Which of two rows teaches more, as a clause with the difference and its interval; that they
    cannot be told apart where the interval holds 0. It says so where one of them has one run alone.
    ``where`` comes before it. Empty where one of them has no run.

    >>> compare(runs["dead_leaves-mixed"], runs["random"])  # doctest: +SKIP
    'top-1 is 4.1 points [3.1, 5.0] higher with dead leaves, mixed than with untrained encoder'
    """
    if a is None or b is None:
        return ""
    few = f"{len(a)} and {len(b)} runs" if len(a) != len(b) else f"{count(len(a), 'run')} each"
    names = (name_a or a.row.title, name_b or b.row.title)
    e = a.difference(b, probe)
    text = in_words(e, *names, runs=f" with {few}", where=where)
    single = [name for name, runs in zip(names, (a, b), strict=True) if len(runs) == 1]
    if e.p > stats.LEVEL or not single:
        return text
    each = "one run each" if len(single) == 2 else f"one run of {escape(single[0])}"
    return f"{text} ({each})"


def compare_units(
    measured: Units,
    a: str,
    b: str,
    name_a: str = "",
    name_b: str = "",
    what: str = "top-1",
    where: str = "",
) -> str:
    """As :func:`compare`, of two rows in a part of a measurement; empty where one of them was not
    measured. Where nothing is known of how far encoders lie apart, it says so.

    >>> compare_units(units.part(memory, "1000"), "real", "random")  # doctest: +SKIP
    """
    if not {a, b} <= measured.values.keys():
        return ""
    names = (name_a or get_row(a).title, name_b or get_row(b).title)
    e = measured.apart(a, b)
    return in_words(e, *names, what=what, where=where) + alone(e)


def alone(*estimates: stats.Estimate) -> str:
    """What stands after a sentence on differences of which only the test images' share is known.

    >>> alone(stats.Estimate(0.1, 0.01, 9, 1, 100, "images")) == f" {ALONE}"
    True
    """
    known = any("encoder" in e.over or "run" in e.over for e in estimates)
    return "" if known else f" {ALONE}"


def in_words(
    e: stats.Estimate,
    name_a: str,
    name_b: str,
    what: str = "top-1",
    runs: str = "",
    where: str = "",
) -> str:
    """A difference as a clause, with its interval; that two things cannot be told apart where the
    interval holds 0. ``where`` comes before it.

    >>> e = stats.Estimate(mean=0.04, error=0.01, df=100, runs=3, n=1000)
    >>> in_words(e, "leaves", "noise")
    'top-1 is 4.0 points <small>[2.0, 6.0]</small> higher with leaves than with noise'
    """
    names = {"a": escape(name_a), "b": escape(name_b)}
    if e.p > stats.LEVEL:
        return where + ALIKE.format(runs=runs, what=what, difference=points(e), **names)
    sign = 1 if e.mean > 0 else -1
    low, high = sorted((sign * e.low, sign * e.high))
    word = "higher" if sign > 0 else "lower"
    ends, size = span(percent(low), percent(high)), percent(abs(e.mean))
    return where + HIGHER.format(what=what, size=size, span=ends, word=word, **names)


def way(runs: Runs, profile: Profile) -> str:
    """How far a row goes from the untrained encoder to real images, as a clause; empty where there
    is no run on real images, or where that way may be nothing.
    """
    real = runs_of(get_row("real"), profile)
    share = share_of_way(runs, baseline(profile), real) if real else None
    if share is None:
        return ""
    return WAY.format(share=share_in_words(share))


def share_in_words(share: tuple[float, float, float]) -> str:
    """A share with its interval, in per cent.

    >>> share_in_words((0.52, 0.41, 0.65))
    '52 % <small>[41, 65]</small>'
    """
    mean, low, high = (f"{100 * each:.0f}" for each in share)
    return f"{mean} % {span(low, high)}"


def share_of_way(
    runs: Runs, floor: Runs, ceiling: Runs, probe: str = MAIN
) -> tuple[float, float, float] | None:
    """How far a row goes from one to another, with Fieller's 95 % interval; None where the whole
    way may be nothing.
    """
    top, low, high = runs.part(1.0, probe), floor.part(-1.0, probe), ceiling.part(1.0, probe)
    gone, whole = stats.contrast([top, low]), stats.contrast([high, low])
    share = stats.ratio(gone, whole, stats.contrast([top, (-1.0, *high[1:])]))
    return share if math.isfinite(share[2]) else None


def best(records: Records) -> str:
    """Which of several rows has the highest top-1, and which cannot be told from it, by single
    tests at 5 %, as a sentence.
    """
    first, *others = sorted(records, key=lambda name: -records[name].accuracy().mean)
    runs = records[first]
    e = runs.accuracy()
    ends = span(percent(e.low), percent(e.high))
    text = f"The highest top-1 is that of {_title(first)}, {percent(e.mean)} % {ends}"
    alike = [name for name in others if runs.difference(records[name]).p > stats.LEVEL]
    if not alike:
        return f"{text}, above each of the other {len(others)}." if others else f"{text}."
    *some, last = map(_title, alike)
    titles = f"{', '.join(some)} or {last}" if some else last
    return f"{text}. It cannot be told from that of {titles}."


def _title(name: str) -> str:
    """A row's title, which may hold a comma, set apart from its sentence."""
    return f"<i>{escape(get_row(name).title)}</i>"


def in_short(*sentences: str, sure: str = "", unsure: str = "") -> Html:
    """The box that a chapter opens with: its answer in two or three sentences, and what we are sure
    of and what not. Empty sentences are left out.
    """
    parts = [f"Sure {sure}" if sure else "", f"unsure {unsure}" if unsure else ""]
    trust = "; ".join(part for part in parts if part)
    last = f"<p class='trust'>{trust[:1].upper()}{trust[1:]}.</p>" if trust else ""
    return _box("in-short", "In short", _sentences(sentences), last)


def learned(*sentences: str) -> Html:
    """The box that a chapter closes with: what a reader can repeat to a colleague, a line each."""
    return _box("learned", "", _sentences(sentences))


def _sentences(sentences: tuple[str, ...]) -> str:
    every = [_finished(text) for text in sentences if text.strip(" .")]
    return "".join(f"<p>{text}</p>" for text in every)


def _finished(text: str) -> str:
    """A clause as a sentence: capital first, full stop last."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


BARS = {  # left of a box, also where the book's styles are not, as in Jupyter
    "in-short": "4px solid var(--pst-color-primary, #0072b2)",
    "learned": "2px solid var(--pst-color-border, #999)",
}


def _box(kind: str, heading: str, *paragraphs: str) -> Html:
    title = f"<p class='title'><b>{heading}</b></p>" if heading else ""
    style = f"border-left: {BARS[kind]}; padding-left: 1.2rem"
    content = f'<div class="{kind}" style="{style}">{title}{"".join(paragraphs)}</div>'
    return Html(content, re.sub(r"<[^>]+>", "", content.replace("</p>", " ")))
