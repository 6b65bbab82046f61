"""Plots of a chapter's rows: accuracies, curves of training, parts of a measurement."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
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
    chance,
    encoder_title,
    intervals_over,
    intervals_over_encoders,
    last_batches,
    run_title,
)
from .figures import INK
from .html import Html, percent
from .published import published
from .tables import rank_by_groups

KEY = (
    "Filled: ours, with 95 % intervals; dashed line: the random encoder; dotted: chance. "
    "Hollow: the paper's, on its own axis above."
)
TERMS = (
    "loss",
    "align",
    "uniform",
    "above_floor",
)  # curves that are plotted, where all rows have them
MARKERS = "os^Dv<>P*X"  # matplotlib's, by row


@dataclass(frozen=True)
class Bar:
    """A row on an axis of accuracy; ``published``: the paper's number, in per cent."""

    label: str
    family: str
    accuracy: stats.Estimate
    published: float | None = None


def accuracies(
    bars: Sequence[Bar], floor: float, chance: float | None, alt: str, caption: str = ""
) -> Html:
    """Horizontal accuracy axis: filled markers with intervals are ours, hollow diamonds the paper's
    (own axis above, its protocol differs).

    floor: the random encoder's accuracy, a dashed line. chance: a dotted one.
    """
    with mpl.rc_context(figures.STYLE):
        figure, axis = figures.new(height=0.42 * len(bars) + 1.5)
        upper = axis.twiny()
        upper.set_visible(any(bar.published is not None for bar in bars))
        for i, bar in enumerate(bars):
            _draw_bar(axis, upper, i, bar)
        axis.axvline(100 * floor, color=INK, linewidth=1, linestyle="--", alpha=0.7)
        if chance is not None:
            axis.axvline(100 * chance, color=INK, linewidth=1, linestyle=":", alpha=0.7)
        axis.set_yticks(range(len(bars)), [bar.label for bar in bars])
        axis.invert_yaxis()
        axis.set_xlabel("● ours: top-1, %")
        if upper.get_visible():
            upper.set_xlabel("◇ the paper's: ImageNet-100 top-1, %")
            upper.tick_params(labelsize=9)
            upper.spines["top"].set_visible(True)
    return figures.svg(figure, alt, caption)


def _draw_bar(axis: Axes, upper: Axes, i: int, bar: Bar) -> None:
    e, colour = bar.accuracy, figures.COLOURS[bar.family]
    ends = [100 * e.low, 100 * e.high]
    axis.plot(ends, [i, i], color=colour, linewidth=2.5, solid_capstyle="butt")
    axis.plot(100 * e.mean, i, "o", color=colour, markersize=8)
    if bar.published is not None:
        at = bar.published
        upper.plot(at, i, "D", markerfacecolor="none", markeredgecolor=INK, markersize=7)


def accuracy_figure(records: Records, profile: Profile) -> Html:
    """The rows' accuracies beside the paper's numbers."""
    paper, bars = published(), []
    for name, runs in records.items():
        row, e = get_row(name), runs.accuracy()
        theirs = paper[row.published].value if row.published else None
        bars.append(Bar(run_title(row, e), row.family, e, theirs))
    floor = (records.get("random") or baseline(profile)).accuracy().mean
    words = accuracies_in_words(records)
    alt = f"Accuracy with intervals. {words}; random encoder {percent(floor)} %."
    note = f"{KEY} Intervals are over {intervals_over(records)}."
    return accuracies(bars, floor, chance(profile.data), alt, note)


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
    over = intervals_over(every)
    note = f"95 % intervals over {over}; dashed line: the untrained encoder."
    return accuracies(bars, low, None, alt, note)


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
    """Loss and its terms over training, for the rows that were trained: the terms that all of them
    have.
    """
    trained = {name: runs for name, runs in records.items() if runs.first.curves}
    terms = [term for term in TERMS if all(term in r.first.curves for r in trained.values())]
    # a chapter's rows are one family: its colour would not tell them apart
    colours = itertools.cycle(figures.LINES)
    lines = {name: (next(colours), get_row(name).title) for name in trained}
    ends = {
        get_row(name).title: np.mean([run.curves["loss"][-1] for run in runs])
        for name, runs in trained.items()
    }
    words = "; ".join(f"{title} ends at loss {loss:.2f}" for title, loss in ends.items())
    note = f"Training: the loss and its terms, mean over runs. {last_batches(trained)}".strip()
    return curves(trained, terms, lines, f"Training curves. {words}.", note)


def curves(
    records: Mapping[str, Runs],
    names: Sequence[str],
    styles: Mapping[str, tuple[str, str]],
    alt: str,
    caption: str = "",
) -> Html:
    """Training curves: one panel per name (loss, align, uniform), one line per row (mean over
    runs).

    styles: row → (colour, label).
    """
    width = 3.1 * len(names) + 0.8
    figure, axes = figures.new(len(names), width=width, height=3.0, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        dashes = itertools.cycle(("-", "--", ":", "-."))
        for (row, runs), dash in zip(records.items(), dashes, strict=False):
            colour, label = styles[row]
            values = np.mean([run.curves[name] for run in runs], axis=0)
            steps = runs.first.curves["step"]
            axis.plot(steps, values, color=colour, linestyle=dash, label=label)
        axis.set_title(name.replace("_", " "), fontsize=11, color=INK)
        axis.set_xlabel("step")
    with mpl.rc_context(figures.STYLE):
        _legend_below(figure, *axes[0][0].get_legend_handles_labels())
    return figures.svg(figure, alt, caption)


def _legend_below(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """A legend under all panels, in as many columns as its longest label leaves room for."""
    longest = max(map(len, labels))
    columns = 1 if longest > 36 else 2 if longest > 24 else 4
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        labelcolor=INK,
    )


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
