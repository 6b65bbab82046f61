"""Accuracy along a setting: a line of rows for each method."""

from collections.abc import Iterable, Mapping

from ..core import stats
from ..study import Profile, get_row
from ..study.jobs import baseline, runs_of
from . import figures
from .captions import Records, line_note
from .html import Html, join, nothing, percent
from .plots import draw_line
from .tables import ablation

REAL = "real.simclr_sharp"  # what synthetic images are held against
NAMED = 3  # rows without a run that a note names, at most; chosen here
Lines = Mapping[str, Mapping[float, str]]  # title of a line → value of the setting → row


def chosen(rows: Records, profile: Profile, *names: str) -> Records:
    """Runs of those rows that the profile has, in this order; other chapters' too. As in a chapter,
    rows of the study's own profiles that have none yet are left out.
    """
    every = {
        name: rows.get(name) or runs_of(get_row(name), profile)
        for name in names
        if profile.name in get_row(name).profiles
    }
    return {name: runs for name, runs in every.items() if runs}


def _missing(own: Records, profile: Profile, names: Iterable[str]) -> list[str]:
    """Those rows that the profile has but that are not among those with a run."""
    return [n for n in names if n not in own and profile.name in get_row(n).profiles]


def variants(rows: Records, profile: Profile, *names: str, against: str) -> Html:
    """Those rows beside the row ``against``, as :func:`ablation` shows them, and below it which of
    them have no run yet.

    >>> sl.book.variants(runs, p, "learned.clip", "learned.clip_m1", against="real.clip")
    ... # doctest: +SKIP
    """
    own = chosen(rows, profile, *names)
    shown = ablation(own, profile, against=against)
    titles = [get_row(name).title for name in _missing(own, profile, names)]
    if not titles:
        return shown
    which = "; ".join(titles) if len(titles) <= NAMED else f"{len(titles)} of {len(names)} rows"
    return join(shown, nothing(f"Not recorded yet: {which}."))


def along(
    rows: Records,
    profile: Profile,
    label: str,
    lines: Lines,
    bound: str = REAL,
    what: str = "SimCLR on the real images",
) -> Html:
    """Accuracy with intervals along a setting, logarithmic: title of a line → value → row; dotted:
    the row ``bound``, which is ``what``. The caption names the rows of the profile without a run.
    """
    figure, axis = figures.new(height=3.4)
    each, gaps, every = [], [], list[stats.Estimate]()
    for (title, of_line), mark, colour in zip(lines.items(), "os^D", figures.LINES, strict=False):
        own = chosen(rows, profile, *of_line.values())
        missing = _missing(own, profile, of_line.values())
        if at := [f"{x:,g}" for x, name in sorted(of_line.items()) if name in missing]:
            gaps.append(f"{title} at {label} = {', '.join(at)}")
        estimates = {x: own[name].accuracy() for x, name in sorted(of_line.items()) if name in own}
        if not estimates:
            continue
        draw_line(axis, list(estimates), list(estimates.values()), colour, mark, title)
        every += estimates.values()
        values = ", ".join(f"{x:g}: {percent(e.mean)} %" for x, e in estimates.items())
        each.append(f"{title}: {values}")
    if not every:
        text = f"No run along {label} has been made yet."
        return nothing(text)
    floor = (rows.get(bound) or baseline(profile, bound)).accuracy().mean
    axis.axhline(100 * floor, color=figures.INK, linestyle=":", linewidth=1)
    axis.set_xscale("log")
    ticks = sorted({x for of_line in lines.values() for x in of_line})
    axis.set_xticks(ticks, [f"{x:,g}" for x in ticks])
    axis.minorticks_off()
    margin = (ticks[-1] / ticks[0]) ** 0.05
    axis.set_xlim(ticks[0] / margin, ticks[-1] * margin)
    axis.set_xlabel(label)
    axis.set_ylabel("top-1, %")
    figures.legend(axis)
    alt = f"Accuracy along {label}. {'; '.join(each)}; {what} {percent(floor)} %."
    note = f"{line_note(every)}; dotted: {what}."
    return figures.svg(figure, alt, note + f" Not recorded yet: {'; '.join(gaps)}." * bool(gaps))
