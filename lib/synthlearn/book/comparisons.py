"""Pairs of rows that a page compares: their differences, drawn, and what can be said of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import matplotlib as mpl

from ..core import stats
from ..study import Profile, get_row, rows_of, units
from ..study.jobs import runs_of
from . import figures
from .html import Html, count, points, spelled
from .sentences import alone

NAMED = 3  # pairs that a sentence names, at most; chosen here
NONE = "None of these pairs is recorded in this profile."
CLEAR, UNCLEAR = ("supported", "✓ differ"), ("undecided", "? cannot be told apart")


@dataclass(frozen=True)
class Pair:
    """A row less another: their difference, and the family of the first, for its colour."""

    difference: stats.Estimate
    family: str


Pairs = Mapping[str, Pair]


def pairs(profile: Profile, names: Mapping[str, tuple[str, str]]) -> dict[str, Pair]:
    """Pairs by label, of those whose rows the profile has and whose runs are recorded.

    names: label → the two rows.

    >>> sl.book.pairs(p, {"mild jitter": ("real.mild", "real")})  # doctest: +SKIP
    """
    there = {row.name for row in rows_of(profile)}
    every = {}
    for label, both in names.items():
        runs = [runs_of(get_row(name), profile) for name in both if name in there]
        if len(runs) == len(both) and runs[0] and runs[1]:
            every[label] = Pair(runs[0].difference(runs[1]), runs[0].row.family)
    return every


def measured_pairs(
    parts: Mapping[str, units.Units], names: Mapping[str, tuple[str, str]]
) -> dict[str, Pair]:
    """Pairs of rows in parts of a measurement, of those that were measured.

    parts: label → a part's units. names: label → the two rows, in every part.

    >>> sl.book.measured_pairs({"conv3": conv3}, {"leaves − real": ("dead_leaves-mixed", "real")})
    ... # doctest: +SKIP
    """
    every = {}
    for part, of in parts.items():
        for label, (a, b) in names.items():
            if a in of.values and b in of.values:
                text = ": ".join(filter(None, (part, label)))
                every[text] = Pair(of.apart(a, b), get_row(a).family)
    return every


def differences_figure(pairs: Pairs, caption: str, what: str = "top-1") -> Html:
    """Each pair's difference with its interval, its label above the line; zero is a line across.

    >>> sl.book.differences_figure(pairs, "Mild minus strong jitter.")  # doctest: +SKIP
    """
    if not pairs:
        return Html(f"<p>{NONE}</p>", NONE)
    figure, axis = figures.new(height=0.55 * len(pairs) + 1.0)
    words = []
    with mpl.rc_context(figures.STYLE):
        for i, (label, pair) in enumerate(pairs.items()):
            e, colour = pair.difference, figures.COLOURS[pair.family]
            inside = colour if e.runs > 1 else "none"
            ends = [100 * e.low, 100 * e.high]
            axis.plot([0, 0], [i - 0.2, i + 0.3], color=figures.INK, linewidth=1.2, alpha=0.7)
            axis.plot(ends, [i, i], color=colour, linewidth=2.5, solid_capstyle="butt")
            axis.plot(100 * e.mean, i, "o", color=colour, markersize=8, markerfacecolor=inside)
            place = (0, i - 0.36)
            axis.annotate(label, place, xycoords=("axes fraction", "data"), va="center")
            words.append(f"{label}: {100 * e.mean:+z.1f} points")
    # faint behind the labels, clear beside the dots
    axis.axvline(0, color=figures.INK, linewidth=1, alpha=0.2)
    axis.set_ylim(len(pairs) - 0.6, -0.7)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(f"difference in {what}, points")
    over = " or ".join(dict.fromkeys(pair.difference.over for pair in pairs.values()))
    alone = any(pair.difference.runs == 1 for pair in pairs.values())
    unit = _unit(next(iter(pairs.values())).difference)
    hollow = f"; hollow: one of the two has one {unit}" * alone
    note = f"{caption} 95 % intervals over {over}{hollow}."
    return figures.svg(figure, f"Differences. {'; '.join(words)}.", note)


def differences(pairs: Pairs, why: str = "Neither paper makes a claim about this") -> Html:
    """What can be said of each pair, a line each: whether they differ, by Holm's procedure over
    the page's pairs.

    >>> sl.book.differences(pairs)  # doctest: +SKIP
    """
    if not pairs:
        return Html(f"<p>{NONE}</p>", NONE)
    estimates = {label: pair.difference for label, pair in pairs.items()}
    clear = stats.holm([e.p for e in estimates.values()])
    lines, words = "", []
    for (label, e), differ in zip(estimates.items(), clear, strict=True):
        kind, mark = CLEAR if differ else UNCLEAR
        few = f"at least {count(e.runs, _unit(e))} of each" if e.runs > 1 else f"one {_unit(e)}"
        lines += f"<li><b class='{kind}'>{mark}</b> {escape(label)}: {points(e)} points"
        lines += f" <small>({few})</small></li>"
        words.append(f"{label}: {mark[2:]}")
    note = f"{why}, so there is no verdict; these are the page's own "
    note += f"{spelled(len(pairs))} {'comparisons' if len(pairs) > 1 else 'comparison'}, "
    note += "by Holm's procedure at 5 % over them."
    alone = zip(estimates.values(), clear, strict=True)
    if any(e.p <= stats.LEVEL and not differ for e, differ in alone):
        note += " An interval that excludes 0 is not enough where so many are asked at once."
    content = f"<ul class=\"verdicts\">{lines}</ul><p class='note'>{escape(note)}</p>"
    return Html(content, f"{'; '.join(words)}. {note}")


def _unit(e: stats.Estimate) -> str:
    """What an estimate's runs are: of a measurement, encoders."""
    return "encoder" if "encoder" in e.over else "run"


def tell_apart(pairs: Pairs, what: str) -> str:
    """How many of some pairs differ, as a clause; empty where there is none.

    >>> sl.book.tell_apart(pairs, "of views")  # doctest: +SKIP
    'two of the four comparisons of views show a difference (mild − strong; none − strong)'
    """
    if not pairs:
        return ""
    clear = stats.holm([pair.difference.p for pair in pairs.values()])
    if len(clear) == 1:
        return f"the one comparison {what} shows {'a' if clear[0] else 'no'} difference"
    number = {0: "none", len(clear): "each"}.get(sum(clear), spelled(sum(clear)))
    verb = "shows" if sum(clear) <= 1 or number == "each" else "show"
    text = f"{number} of the {spelled(len(clear))} comparisons {what} {verb} a difference"
    return text + _named([label for label, differ in zip(pairs, clear, strict=True) if differ])


def _named(labels: Sequence[str]) -> str:
    """A few labels in brackets, after the number of them; empty for none and for many."""
    return f" ({'; '.join(map(escape, labels))})" if 0 < len(labels) <= NAMED else ""


def beside(pairs: Pairs, what: str, floor: str) -> str:
    """How many of some pairs' first rows teach more than their second, and how many less, by Holm's
    procedure, as a clause; empty where there is no pair. It names the procedure where a single
    interval would count one more.

    >>> sl.book.beside(pairs, "sets", "no training")  # doctest: +SKIP
    'of six sets, none teaches more than no training, and four teach less'
    """
    if not pairs:
        return ""
    each = [pair.difference for pair in pairs.values()]
    clear = stats.holm([e.p for e in each])
    above, below = (
        [
            label
            for is_clear, (label, pair) in zip(clear, pairs.items(), strict=True)
            if is_clear and sign * pair.difference.mean > 0
        ]
        for sign in (1, -1)
    )
    more, less = len(above), len(below)

    if len(each) == 1:
        (label,) = pairs
        verbs = {(1, 0): f"{label} teaches more than", (0, 1): f"{label} teaches less than"}
        text = verbs.get((more, less), f"{label} cannot be told from")
        return f"{text} {floor}{alone(*each)}"

    def teach(number: int) -> str:
        word = {0: "none", len(each): "all"}.get(number, spelled(number))
        return f"{word} {'teaches' if number < 2 else 'teach'}"

    up, down = (_named(labels) if len(labels) < len(each) else "" for labels in (above, below))
    text = f"of {spelled(len(each))} {what}, {teach(more)} more than {floor}{up}"
    text += f", and {teach(less)} less{down}" * (less > 0)
    if any(e.p <= stats.LEVEL and not is_clear for is_clear, e in zip(clear, each, strict=True)):
        text += f", by Holm's procedure over the {spelled(len(each))}"
    return text + alone(*each)
