"""The page on measuring: the same run on two kinds of device."""

import numpy as np

from ...core import intervals, stats
from ...study import Run, get_row, store
from .. import figures
from ..figures import INK
from ..html import Html, table


def device_figure() -> Html:
    """Accuracies of the same row and seed on two kinds of device, one against the other: a mark per
    pair, colour by family; on the line they agree.
    """
    pairs = store.device_pairs()
    figure, axis = figures.new(width=4.6, height=4.2)
    families: dict[str, list[tuple[Run, Run]]] = {}
    for pair in pairs:
        families.setdefault(get_row(pair[0].row).family, []).append(pair)
    for family, members in families.items():
        x, y = ([100 * pair[i].main.top1 for pair in members] for i in (0, 1))
        colour, label = figures.COLOURS[family], family.replace("_", " ")
        axis.plot(x, y, "o", color=colour, label=label, markersize=6)
    axis.axline((45, 45), slope=1, color=INK, linewidth=1, linestyle="--")
    axis.set_xlabel("top-1 on a processor, %")
    axis.set_ylabel("top-1 on a GPU, %")
    axis.legend(labelcolor=INK, fontsize=8, frameon=False, ncols=2)
    words = "; ".join(
        f"{get_row(first.row).title} seed {first.seed}: "
        f"{100 * first.main.top1:.1f} and {100 * twin.main.top1:.1f}"
        for first, twin in pairs
    )
    alt = f"The same run on two kinds of device. {words}."
    return figures.svg(
        figure, alt, "Each mark is one row and seed, run twice; dashed: equal accuracy."
    )


def device_table() -> Html:
    """How far the same run lies apart on two devices, beside how far runs of one row do that differ
    in their seed.
    """
    pairs, rows = store.device_pairs(), _accuracies()
    apart = np.array([twin.main.top1 - first.main.top1 for first, twin in pairs])
    mean, low, high = (100 * value for value in intervals.paired_t(apart))
    one_run = 100 * float(apart.std(ddof=1)) / 2**0.5
    seeds = 100 * stats.pooled(rows.values()).variance ** 0.5
    repeated = sum(len(values) > 1 for values in rows.values())
    n = int(np.median([first.main.n for first, _ in pairs]))
    p = float(np.mean([first.main.top1 for first, _ in pairs]))
    images = 100 * (p * (1 - p) / n) ** 0.5
    body = [
        [
            "the same run on two devices: mean difference",
            f"{mean:+.2f} <small>[{low:+.2f}, {high:+.2f}]</small>",
            f"{len(pairs)} pairs",
        ],
        [
            "one run, from those pairs: standard deviation",
            f"{one_run:.2f}",
            f"{len(pairs)} pairs",
        ],
        [
            "runs of one row by other seeds: standard deviation",
            f"{seeds:.2f}",
            f"{repeated} rows",
        ],
        ["test images alone: standard error", f"{images:.2f}", f"{n:,} images"],
    ]
    note = "Pairs have the same recipe of pictures, weights at the start, order and views; "
    return table(["what", "points of top-1", "from"], body, f"{note}only rounding differs.")


def _accuracies() -> dict[str, list[float]]:
    """Accuracies of the committed runs of each trained row."""
    rows: dict[str, list[float]] = {}
    for run in store.committed(Run, "cpu"):
        if get_row(run.row).trained:
            rows.setdefault(run.row, []).append(run.main.top1)
    return rows
