"""The page on measuring: the same run on two kinds of device."""

import numpy as np
import torch
from matplotlib.colors import ListedColormap

from ...core import intervals, rng, stats
from ...measure import few_shot
from ...study import Run, get_row, store
from .. import figures
from ..figures import INK
from ..html import Html, table
from .stored import FAMILIES


def device_figure() -> Html:
    """Accuracies of the same row and seed on two kinds of device, one against the other: a mark per
    pair, colour by family; on the line they agree.
    """
    pairs = store.device_pairs()
    figure, axis = figures.new(width=4.4, height=4.2)
    families: dict[str, list[tuple[Run, Run]]] = {}
    legend: list[figures.Line] = []
    for pair in pairs:
        families.setdefault(get_row(pair[0].row).family, []).append(pair)
    for family, members in families.items():
        x, y = ([100 * pair[i].main.top1 for pair in members] for i in (0, 1))
        colour, label = figures.COLOURS[family], FAMILIES[family]
        axis.plot(x, y, "o", color=colour, markersize=6)
        legend.append(figures.Line(label, colour))
    axis.axline((45, 45), slope=1, color=INK, linewidth=1, linestyle="--")
    axis.set_xlabel("top-1 on a processor, %")
    axis.set_ylabel("top-1 on a GPU, %")
    words = "; ".join(
        f"{get_row(first.row).title} seed {first.seed}: "
        f"{100 * first.main.top1:.1f} and {100 * twin.main.top1:.1f}"
        for first, twin in pairs
    )
    alt = f"The same run on two kinds of device. {words}."
    note = "Each dot is one run, made on both; dashed: equal accuracy."
    return figures.row_of([figure], alt, note, legend)


def apart_in_words() -> str:
    """How far a run lies from its twin on another device, beside how far seeds lie apart.

    >>> apart_in_words()  # doctest: +SKIP
    """
    _, rounding, seeds = _spreads()
    return (
        f"rounding alone, on another kind of processor, moves a run by {rounding:.1f} points "
        f"(standard deviation), another seed by {seeds:.1f}"
    )


def _spreads() -> tuple[np.ndarray, float, float]:
    """Differences of twins; standard deviations, in points, of one run by rounding and by seed."""
    apart = np.array([twin.main.top1 - first.main.top1 for first, twin in store.device_pairs()])
    one_run = 100 * float(apart.std(ddof=1)) / 2**0.5
    return apart, one_run, 100 * stats.pooled(_accuracies().values()).variance ** 0.5


def device_table() -> Html:
    """How far the same run lies apart on two devices, beside how far runs of one row do that differ
    in their seed.
    """
    pairs, rows = store.device_pairs(), _accuracies()
    apart, one_run, seeds = _spreads()
    mean, low, high = (100 * value for value in intervals.paired_t(apart))
    repeated = sum(len(values) > 1 for values in rows.values())
    n = int(np.median([first.main.n for first, _ in pairs]))
    p = float(np.mean([first.main.top1 for first, _ in pairs]))
    images = 100 * (p * (1 - p) / n) ** 0.5
    body = [
        [
            "the same run on two devices: mean difference",
            f"{mean:+z.2f} <small>[{low:+z.2f}, {high:+z.2f}]</small>",
            f"{len(pairs)} pairs",
        ],
        [
            "one run, from those pairs: standard deviation",
            f"{one_run:.2f}",
            f"{len(pairs)} pairs",
        ],
        [
            "runs that differ in their seed alone: standard deviation",
            f"{seeds:.2f}",
            f"{repeated} kinds of run",
        ],
        ["test images alone: standard error", f"{images:.2f}", f"{n:,} images"],
    ]
    note = "Pairs have the same recipe of images, weights at the start, order and views; "
    return table(["what", "points of top-1", "over"], body, f"{note}only rounding differs.")


def _accuracies() -> dict[str, list[float]]:
    """Accuracies of the committed runs of each trained row."""
    rows: dict[str, list[float]] = {}
    for run in store.committed(Run, "cpu"):
        if get_row(run.row).trained:
            rows.setdefault(run.row, []).append(run.main.top1)
    return rows


def classifiers_figure() -> Html:
    """What two classifiers make of the same few examples of three made-up classes, in two
    dimensions.

    >>> sl.book.pages.devices.classifiers_figure()  # doctest: +SKIP
    """
    labels = torch.arange(3).repeat(5)
    centres = torch.tensor([[1.2, 0.3], [0.2, 1.3], [1.4, 1.5]])
    x = centres[labels] + 0.35 * rng.normal(rng.key("classes", 0), (15, 2))
    line = torch.linspace(-0.6, 2.6, 120)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
    colours = [figures.LINES[i] for i in (0, 1, 2)]
    drawn = []
    for name, classify in (("nearest mean", few_shot.nearest_mean), ("ridge", few_shot.ridge)):
        figure, axis = figures.new(width=figures.PANEL, height=3.0)
        regions = classify(x, labels, grid, 3).reshape(120, 120)
        axis.imshow(
            regions.numpy(),
            origin="lower",
            extent=(-0.6, 2.6, -0.6, 2.6),
            cmap=ListedColormap(colours),
            alpha=0.25,
            interpolation="nearest",
        )
        for label, mark in enumerate("os^"):
            axis.plot(*x[labels == label].T.tolist(), mark, color=colours[label], markersize=7)
        axis.set_title(name, fontsize=11, color=INK)
        axis.set_xticks([])
        axis.set_yticks([])
        drawn.append(figure)
    note = "Five examples each of three made-up classes; the ground has the colour of the answer. "
    note += "Nearest means compare directions alone, so their borders run through the origin."
    alt = "Two classifiers' regions for three classes: wedges from the origin, and straight cuts."
    return figures.row_of(drawn, alt, note)
