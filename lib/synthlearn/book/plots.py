"""Plots of a chapter's rows: accuracies, curves of training, parts of a measurement."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..core import stats
from ..learn import losses
from ..learn.encoders import OUTPUT
from ..study import Profile, Runs, get_row, units
from ..study.jobs import baseline, runs_of
from ..study.measuring import Measured
from . import figures
from .captions import (
    Records,
    accuracies_in_words,
    base_of,
    encoder_title,
    intervals_over,
    intervals_over_encoders,
    last_batches,
    run_title,
)
from .figures import INK
from .html import Html, percent
from .published import RANDOM, REAL, published
from .tables import rank_by_groups

LONGEST = 42  # letters of a name that fit into a panel
PAPERS = (
    "Filled: ours. Hollow: the paper's on ImageNet-100, its bars read off a figure (± 0.2)."
    " Each panel runs from its own untrained encoder to its own real images."
)
TERMS = {"align": "alignment", "uniform": "uniformity"}  # what the main loss is the sum of
RANDOM_ROW = "random"  # the untrained encoder
DASHES = ("-", "--", ":", "-.")
MARKERS = "os^Dv<>P*X"  # matplotlib's, by row


@dataclass(frozen=True)
class Bar:
    """A row on an axis of accuracy; ``published``: the paper's number, in per cent."""

    label: str
    family: str
    accuracy: stats.Estimate
    published: float | None = None


def accuracies(bars: Sequence[Bar], marks: Mapping[str, float], alt: str, caption: str) -> Html:
    """A panel of accuracies with intervals, and beside it one of the paper's numbers, of the bars
    that have one, in the same order.

    marks: lines across of ours, label → accuracy: the untrained encoder, real images.
    """
    if any(bar.published is not None for bar in bars):
        panels = [accuracy_panel(bars, marks, "ours: top-1, %"), _published_panel(bars)]
    else:
        panels = [accuracy_panel(bars, marks, "top-1, %")]
    return figures.row_of(panels, alt, caption)


def accuracy_panel(bars: Sequence[Bar], marks: Mapping[str, float], label: str) -> Figure:
    """The left panel of :func:`accuracies` alone; ``label``: of its axis."""
    ends = [100 * end for bar in bars for end in (bar.accuracy.low, bar.accuracy.high)]
    percents = {label: 100 * value for label, value in marks.items()}
    figure, axis, places = _panel(bars, percents, ends)
    for bar, y in zip(bars, places, strict=True):
        e, colour = bar.accuracy, figures.COLOURS[bar.family]
        ends = [100 * e.low, 100 * e.high]
        axis.plot(ends, [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
        axis.plot(100 * e.mean, y, "o", color=colour, markersize=8)
    axis.set_xlabel(label)
    return figure


def _published_panel(bars: Sequence[Bar]) -> Figure:
    paper = published()
    marks = {"untrained": paper[RANDOM].value, "real": paper[REAL[0]].value}
    # a name without a mark says nothing
    own = [bar for bar in bars if bar.published is not None]
    values = [bar.published for bar in own if bar.published is not None]
    figure, axis, places = _panel(own, marks, values)
    for value, y in zip(values, places, strict=True):
        axis.plot(value, y, "D", markerfacecolor="none", markeredgecolor=INK, markersize=7)
    axis.set_xlabel("the paper's: top-1, %")
    return figure


def _panel(
    bars: Sequence[Bar], marks: Mapping[str, float], ends: Sequence[float]
) -> tuple[Figure, Axes, list[float]]:
    """A panel with a line for each bar, its name above the line, and labelled marks across; the
    places of the lines.

    ends: what the axis has to reach besides the marks.
    """
    names = [textwrap.wrap(bar.label, LONGEST) for bar in bars]
    # a name of two lines takes room above its own dots
    steps = [0.42 * (len(name) - 1) + (i > 0) for i, name in enumerate(names)]
    places = [float(y) for y in np.cumsum(steps)]
    tall = places[-1] + 1 if places else 0.0
    figure, axis = figures.new(width=figures.PANEL, height=0.5 * tall + 1.3)
    low, high = min([*marks.values(), *ends]), max([*marks.values(), *ends])
    axis.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    with mpl.rc_context(figures.STYLE):
        for name, y in zip(names, places, strict=True):
            place = (0, y - 0.14)
            text = axis.annotate(
                "\n".join(name),
                place,
                xycoords=("axes fraction", "data"),
                va="bottom",
                fontsize=10.5,
            )
            text.set_in_layout(False)  # a long one must not squeeze the axis
        for i, (label, at) in enumerate(marks.items()):
            # faint behind the names, clear beside the dots
            axis.axvline(at, color=INK, linewidth=1, alpha=0.2)
            for y in places:
                axis.plot([at, at], [y - 0.12, y + 0.2], color=INK, linewidth=1.2, alpha=0.7)
            share = (at - axis.get_xlim()[0]) / np.ptp(axis.get_xlim())
            # outside where there is room, else between the marks
            side = "right" if share > (0.7 if i else 0.3) else "left"
            _beside(axis, f"{label} {at:.1f}", at, -1.1 - 0.45 * i, side)
    axis.set_ylim(tall - 0.5, -0.9 - 0.45 * len(marks))
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    return figure, axis, places


def _beside(axis: Axes, text: str, x: float, y: float, side: str) -> None:
    """A text just right (``side`` "left", where it is held) or left of a place."""
    away = (4 if side == "left" else -4, 0)
    axis.annotate(
        text, (x, y), xytext=away, textcoords="offset points", ha=side, va="center", fontsize=10.5
    )


def accuracy_figure(records: Records, profile: Profile) -> Html:
    """The rows' accuracies, from the untrained encoder to real images, beside the paper's."""
    paper, bars = published(), []
    for name, runs in records.items():
        row, e = get_row(name), runs.accuracy()
        theirs = paper[row.published].value if row.published else None
        bars.append(Bar(run_title(row, e), row.family, e, theirs))
    marks = _marks(records, profile)
    words = accuracies_in_words(records)
    ends = "; ".join(f"{label} {percent(value)} %" for label, value in marks.items())
    alt = f"Accuracy with intervals. {words}; {ends}."
    note = PAPERS * any(bar.published is not None for bar in bars)
    note += f" Lines: 95 % intervals over {intervals_over(records)}."
    return accuracies(bars, marks, alt, note.strip())


def _marks(records: Records, profile: Profile, floor: str = "random") -> dict[str, float]:
    """Accuracy of the untrained encoder, and of real images where there is a run."""
    marks = {"untrained": (records.get(floor) or baseline(profile, floor)).accuracy().mean}
    if real := records.get("real") or runs_of(get_row("real"), profile):
        marks["real"] = real.accuracy().mean
    return marks


def ablation_figure(records: Records, profile: Profile, floor: str = "random") -> Html:
    """Variants and the rows that they vary on one axis of accuracy, the untrained encoder as a
    line; variants alone where ``floor`` is another network's.
    """
    every: dict[str, Runs] = {}
    for name in records:
        base = base_of(name)
        of_base = records.get(base) or runs_of(get_row(base), profile)
        if of_base and base not in every and floor == "random" != base:
            every[base] = of_base
        if name != floor:
            every[name] = records[name]
    bars = []
    for name, runs in every.items():
        row, e = get_row(name), runs.accuracy()
        bars.append(Bar(run_title(row, e), row.family, e))
    low = (records.get(floor) or baseline(profile, floor)).accuracy().mean
    words = accuracies_in_words(every)
    alt = f"Accuracy with intervals. {words}; untrained encoder {percent(low)} %."
    note = f"95 % intervals over {intervals_over(every)}; vertical line: the untrained encoder."
    return accuracies(bars, {"untrained": low}, alt, note)


def draw_line(
    axis: Axes,
    x: Sequence[float],
    estimates: Sequence[stats.Estimate],
    colour: str,
    marker: str,
    label: str,
) -> None:
    """A line of accuracies in per cent with their intervals along ``x``; a mark that stands on one
    run is hollow.
    """
    mean = [100 * e.mean for e in estimates]
    axis.errorbar(x, mean, yerr=_error_bars(estimates), color=colour, capsize=3)
    for at, y, e in zip(x, mean, estimates, strict=True):
        inside = colour if e.runs > 1 else "none"
        axis.plot(at, y, marker, color=colour, markersize=7, markerfacecolor=inside)
    axis.plot([], [], marker + "-", color=colour, label=label)


def _error_bars(estimates: Sequence[stats.Estimate]) -> list[list[float]]:
    below = [100 * (e.mean - e.low) for e in estimates]
    return [below, [100 * (e.high - e.mean) for e in estimates]]


def styles(records: Records) -> dict[str, tuple[str, str]]:
    """Colour and label of each row."""
    rows = [get_row(name) for name in records]
    return {row.name: (figures.COLOURS[row.family], row.title) for row in rows}


def training(records: Records) -> Html:
    """Alignment and uniformity over training, for the rows that were trained; the loss alone where
    not all of them have these terms.
    """
    trained = {name: runs for name, runs in records.items() if runs.first.curves}
    both = all(runs.first.curves.keys() >= set(TERMS) for runs in trained.values())
    terms = tuple(TERMS) if both else ("loss",)
    # a chapter's rows are one family: its colour would not tell them apart
    colours = itertools.cycle(figures.LINES)
    lines = {name: (next(colours), get_row(name).title) for name in trained}
    ends = {
        get_row(name).title: np.mean([run.curves["loss"][-1] for run in runs])
        for name, runs in trained.items()
    }
    words = "; ".join(f"{title} ends at loss {loss:.2f}" for title, loss in ends.items())
    what = "the two terms of the loss" if both else "the loss"
    note = f"Training: {what}, mean over runs; lower is better. {last_batches(trained)}".strip()
    return curves(trained, terms, lines, f"Training curves. {words}.", note)


def curves(
    records: Mapping[str, Runs],
    names: Sequence[str],
    styles: Mapping[str, tuple[str, str]],
    alt: str,
    caption: str = "",
) -> Html:
    """Training curves: one panel per name (loss, align, uniform), one line per row (mean over
    runs), and one legend below.

    styles: row → (colour, label).
    """
    dashes = itertools.cycle(("-", "--", ":", "-."))
    legend = {
        row: figures.Line(label, colour, next(dashes)) for row, (colour, label) in styles.items()
    }
    panels = []
    for name in names:
        figure, axis = figures.new(width=figures.PANEL, height=2.5)
        for row, runs in records.items():
            values = np.mean([run.curves[name] for run in runs], axis=0)
            line = legend[row]
            axis.plot(runs.first.curves["step"], values, color=line.colour, linestyle=line.dash)
        axis.set_title(TERMS.get(name, name.replace("_", " ")), fontsize=11, color=INK)
        axis.set_xlabel("update")
        panels.append(figure)
    return figures.row_of(panels, alt, caption, [legend[row] for row in records])


def terms_figure(records: Records) -> Html:
    """Alignment against uniformity over training, seed 0 of each row that has both; dotted: points
    drawn at random on the sphere.
    """
    both = {
        name: runs
        for name, runs in records.items()
        if {"align", "uniform"} <= runs.first.curves.keys()
    }
    figure, axis = figures.new(height=3.6)
    words = []
    for (name, runs), marker, colour in zip(both.items(), "os^Dv<", figures.LINES, strict=False):
        title = get_row(name).title
        uniform, align = (runs.first.curves[term] for term in ("uniform", "align"))
        axis.plot(uniform, align, color=colour, linewidth=1, alpha=0.8, label=title)
        axis.plot(uniform[-1], align[-1], marker, color=colour, markersize=9)
        words.append(f"{title} ends at uniformity {uniform[-1]:.2f}, alignment {align[-1]:.2f}")
    axis.axvline(losses.uniform_limit(OUTPUT), linestyle=":", color=INK)
    axis.set_xlabel("uniformity (left: spread out)")
    axis.set_ylabel("alignment (down: views agree)")
    figures.legend(axis)
    note = f"Seed 0 of each row; the last point is marked. {last_batches(both)}".strip()
    alt = f"Alignment against uniformity over training. {'; '.join(words)}."
    return figures.svg(figure, alt, note)


def lines_figure(measured: Measured, label: str, caption: str, rows: Sequence[str] = ()) -> Html:
    """Top-1 of the parts of a measurement (layers, numbers of examples) as one line per row.

    rows: to draw, those of them that were measured; all where none is given.
    """
    figure, axis = figures.new(height=3.4)
    parts = {name: units.part(measured, name) for name in units.parts(measured)}
    first, words, legend = next(iter(parts.values())), [], []
    names = [name for name in measured if name in rows or not rows]
    families = [get_row(name).family for name in names]
    for i, (name, marker) in enumerate(zip(names, itertools.cycle(MARKERS), strict=False)):
        row, estimates = get_row(name), [each.estimate(name) for each in parts.values()]
        top1 = [100 * e.mean for e in estimates]
        # rows of a family share a colour, so they differ by their dashes
        dash = DASHES[families[:i].count(row.family) % len(DASHES)]
        beside = 0.5 * (i - (len(names) - 1) / 2) / max(len(names), 1)
        axis.errorbar(
            [at + beside for at in range(len(parts))],
            top1,
            yerr=_error_bars(estimates),
            marker=marker,
            linestyle=dash,
            color=figures.COLOURS[row.family],
            linewidth=1.5,
            capsize=2,
        )
        title = encoder_title(name, first)
        legend.append(figures.Line(title, figures.COLOURS[row.family], dash))
        values = (f"{part} {value:.1f}" for part, value in zip(parts, top1, strict=True))
        words.append(f"{row.title}: {', '.join(values)}")
    ticks = [f"{int(part):,}" if part.isdigit() else part for part in parts]
    axis.set_xticks(range(len(parts)), ticks)
    axis.set_xlabel(label)
    axis.set_ylabel("top-1, %")
    note = f"{caption} {intervals_over_encoders(first)}"
    return figures.row_of([figure], f"{caption} {'; '.join(words)}.", note, legend)


def transfer_figure(measured: Measured, rows: Sequence[str] = ()) -> Html:
    """Group means of transfer, a panel per group, best overall first; across: the untrained
    encoder.

    rows: to draw, those of them that were measured; all where none is given.
    """
    groups = {group: units.group(measured, group) for group in units.groups(measured)}
    first, words, panels = next(iter(groups.values())), [], []
    order = [name for name in rank_by_groups(groups) if name in rows or not rows]
    for group, each in groups.items():
        bars = [
            Bar(encoder_title(name, first), get_row(name).family, each.estimate(name))
            for name in order
            if name != RANDOM_ROW
        ]
        floor = {}
        if RANDOM_ROW in each.values:
            floor = {"untrained": each.estimate(RANDOM_ROW).mean}
        panel = accuracy_panel(bars, floor, f"{group}: gain over chance, %")
        panels.append(panel)
        words += [f"{bar.label} {group} {100 * bar.accuracy.mean:.1f}" for bar in bars]
    note = "(top-1 − chance)/(1 − chance), mean over the group's tasks; "
    note += intervals_over_encoders(first)
    return figures.row_of(panels, f"Transfer by group: {'; '.join(words)}.", note)
