"""Plots of a chapter's rows: accuracies, curves of training, parts of a measurement."""

import itertools
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

KEY = "Left: ours, with 95 % intervals."
PAPERS = (
    " Right, hollow: the paper's on ImageNet-100, its bars read off a figure (± 0.2)."
    " Each panel runs from its own untrained encoder to its own real images."
)
TERMS = ("align", "uniform")  # what the main loss is the sum of
MARKERS = "os^Dv<>P*X"  # matplotlib's, by row


@dataclass(frozen=True)
class Bar:
    """A row on an axis of accuracy; ``published``: the paper's number, in per cent."""

    label: str
    family: str
    accuracy: stats.Estimate
    published: float | None = None


def accuracies(bars: Sequence[Bar], marks: Mapping[str, float], alt: str, caption: str) -> Html:
    """A panel of accuracies with intervals, and beside it one of the paper's numbers, where a bar
    has one, in the same order.

    marks: dashed lines of ours, label → accuracy: the untrained encoder, real images.
    """
    panels = [_accuracy_panel(bars, marks)]
    if any(bar.published is not None for bar in bars):
        panels.append(_published_panel(bars))
    return figures.row_of(panels, alt, caption)


def _accuracy_panel(bars: Sequence[Bar], marks: Mapping[str, float]) -> Figure:
    ends = [100 * end for bar in bars for end in (bar.accuracy.low, bar.accuracy.high)]
    figure, axis = _panel(bars, {label: 100 * value for label, value in marks.items()}, ends)
    for i, bar in enumerate(bars):
        e, colour = bar.accuracy, figures.COLOURS[bar.family]
        ends = [100 * e.low, 100 * e.high]
        axis.plot(ends, [i, i], color=colour, linewidth=2.5, solid_capstyle="butt")
        axis.plot(100 * e.mean, i, "o", color=colour, markersize=8)
    axis.set_xlabel("ours: top-1, %")
    return figure


def _published_panel(bars: Sequence[Bar]) -> Figure:
    paper = published()
    marks = {"untrained": paper[RANDOM].value, "real": paper[REAL[0]].value}
    figure, axis = _panel(bars, marks, [bar.published for bar in bars if bar.published is not None])
    for i, bar in enumerate(bars):
        if bar.published is not None:
            axis.plot(
                bar.published, i, "D", markerfacecolor="none", markeredgecolor=INK, markersize=7
            )
    axis.set_xlabel("the paper's: top-1, %")
    return figure


def _panel(
    bars: Sequence[Bar], marks: Mapping[str, float], ends: Sequence[float]
) -> tuple[Figure, Axes]:
    """A panel with a line for each bar, its name above the line, and labelled dashed marks.

    ends: what the axis has to reach besides the marks.
    """
    figure, axis = figures.new(width=figures.PANEL, height=0.5 * len(bars) + 1.3)
    low, high = min([*marks.values(), *ends]), max([*marks.values(), *ends])
    axis.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    floor = next(iter(marks.values()))
    start = (
        floor if floor < low + 0.3 * (high - low) else low
    )  # names begin right of the first mark
    with mpl.rc_context(figures.STYLE):
        for i, bar in enumerate(bars):
            _beside(axis, bar.label, start, i - 0.3, "left")
        for i, (label, at) in enumerate(marks.items()):
            axis.axvline(at, color=INK, linewidth=1, linestyle="--", alpha=0.6)
            side = "right" if i else "left"
            _beside(axis, f"{label} {at:.1f}", at, -0.75 - 0.5 * i, side)
    axis.set_ylim(len(bars) - 0.5, -0.8 - 0.5 * len(marks))
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    return figure, axis


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
    beside = PAPERS * any(bar.published is not None for bar in bars)
    return accuracies(bars, marks, alt, f"{KEY}{beside} Intervals over {intervals_over(records)}.")


def _marks(records: Records, profile: Profile, floor: str = "random") -> dict[str, float]:
    """Accuracy of the untrained encoder, and of real images where there is a run."""
    marks = {"untrained": (records.get(floor) or baseline(profile, floor)).accuracy().mean}
    if real := records.get("real") or runs_of(get_row("real"), profile):
        marks["real"] = real.accuracy().mean
    return marks


def ablation_figure(records: Records, profile: Profile, floor: str = "random") -> Html:
    """Variants and the rows that they vary on one axis of accuracy, the untrained encoder as a
    line.
    """
    every: dict[str, Runs] = {}
    for name in records:
        base = base_of(name)
        of_base = records.get(base) or runs_of(get_row(base), profile)
        if of_base and base not in every and base != base_of(floor):
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
    note = f"95 % intervals over {intervals_over(every)}; dashed: the untrained encoder."
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
    terms = TERMS if both else ("loss",)
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
        axis.set_title(name.replace("_", " "), fontsize=11, color=INK)
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
    axis.legend(labelcolor=INK, frameon=False, fontsize=9)
    note = f"Seed 0 of each row; the last point is marked. {last_batches(both)}".strip()
    alt = f"Alignment against uniformity over training. {'; '.join(words)}."
    return figures.svg(figure, alt, note)


def lines_figure(measured: Measured, label: str, caption: str) -> Html:
    """Top-1 of the parts of a measurement (layers, numbers of examples) as one line per row."""
    figure, axis = figures.new(width=7.2, height=3.6)
    parts = {name: units.part(measured, name) for name in units.parts(measured)}
    first, words = next(iter(parts.values())), []
    for name, marker in zip(measured, itertools.cycle(MARKERS), strict=False):
        row, estimates = get_row(name), [each.estimate(name) for each in parts.values()]
        top1 = [100 * e.mean for e in estimates]
        axis.errorbar(
            list(parts),
            top1,
            yerr=_error_bars(estimates),
            marker=marker,
            color=figures.COLOURS[row.family],
            label=encoder_title(name, first),
            linewidth=1.5,
            capsize=2,
        )
        values = (f"{part} {value:.1f}" for part, value in zip(parts, top1, strict=True))
        words.append(f"{row.title}: {', '.join(values)}")
    axis.set_xlabel(label)
    axis.set_ylabel("top-1, %")
    axis.legend(labelcolor=INK, fontsize=8, ncols=2, frameon=False)
    note = f"{caption} {intervals_over_encoders(first)}"
    return figures.svg(figure, f"{caption} {'; '.join(words)}.", note)


def transfer_figure(measured: Measured) -> Html:
    """Group means of transfer, a panel per group, best overall first."""
    groups = {group: units.group(measured, group) for group in units.groups(measured)}
    first, order = next(iter(groups.values())), rank_by_groups(groups)
    height, words = 0.3 * len(order) + 1.2, []
    figure, axes = figures.new(len(groups), width=7.6, height=height, sharey=True, squeeze=False)
    for axis, (group, each) in zip(axes[0], groups.items(), strict=True):
        for i, name in enumerate(order):
            row, e = get_row(name), each.estimate(name)
            colour = figures.COLOURS[row.family]
            axis.plot([100 * e.low, 100 * e.high], [i, i], color=colour, linewidth=2)
            axis.plot(100 * e.mean, i, "o", color=colour)
            words.append(f"{row.title} {group} {100 * e.mean:.1f}")
        axis.set_title(group, fontsize=11, color=INK)
        axis.set_xlabel("gain over chance, %")
    axes[0][0].set_yticks(range(len(order)), [encoder_title(name, first) for name in order])
    axes[0][0].invert_yaxis()
    note = "(top-1 − chance)/(1 − chance), mean over the group's tasks; "
    note += intervals_over_encoders(first)
    return figures.svg(figure, f"Transfer by group: {'; '.join(words)}.", note)
