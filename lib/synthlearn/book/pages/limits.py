"""Limits of text-to-image images: what they cost, which classes lose by them, rare classes."""

from collections.abc import Sequence
from html import escape

import numpy as np

from ...core import stats
from ...data import datasets
from ...measure.long_tail import ARMS, MOSAICS, REPEATED, SAMPLES, VARIED
from ...study import MeasurementRecord, Profile, get_row
from ...study.jobs import baseline
from ...study.records import Cost
from .. import figures
from ..captions import Records
from ..html import Html, percent, table

PARTS = {"head": "head: 3 classes", "middle": "middle: 4", "tail": "tail: 3", "top1": "all"}
COSTS = (
    "source",
    "on",
    "ms per image",
    "generation, s",
    "training, s",
    "share of generation",
    "runs that made their own",
)
COSTS_NOTE = (
    "Means over the runs that made their images themselves: on the H100 beside eight to fourteen "
    "others; on one core, of different processors."
)
RARE_NOTE = (
    "Accuracy in per cent, mean over {draws} draws of which class is rare [least, largest]; test "
    "images balanced."
)


def costs(rows: Records) -> Html:
    """Seconds of generation and of training of rows, by kind of device."""
    body = []
    for name, runs in rows.items():
        for device, place in (("cpu", "one core"), ("cuda", "H100, shared")):
            made = [
                run.cost
                for run in runs
                if run.spec.device == device and (run.cost.pool_seconds or 0) > 1
            ]
            if made:
                body.append([escape(get_row(name).title), place, *_seconds(made)])
    return table(COSTS, body or [["–"] * len(COSTS)], COSTS_NOTE)


def _seconds(cost: Sequence[Cost]) -> list[str]:
    pool = float(np.mean([c.pool_seconds for c in cost]))
    train = float(np.mean([c.train_seconds for c in cost]))
    return [
        f"{1000 * pool / (cost[0].images or 0):.1f}",
        f"{pool:,.0f}",
        f"{train:,.0f}",
        f"{percent(pool / (pool + train))} %",
        str(len(cost)),
    ]


def classes_figure(rows: Records, profile: Profile, a: str, b: str) -> Html:
    """Accuracy of each class with one row's features against another's, with intervals: who loses
    by the exchange.
    """
    test = datasets.load(profile.data, "test")
    each = [rows.get(name) or baseline(profile, name) for name in (a, b)]
    parts = by_class([runs.outcomes() for runs in each], test.labels.numpy())
    lost = [stats.contrast([of_a, (-1.0, *of_b[1:])]) for of_a, of_b in zip(*parts, strict=True)]
    order = sorted(range(len(lost)), key=lambda c: lost[c].mean)
    share = {
        name: [stats.contrast([p]) for p in of] for name, of in zip((a, b), parts, strict=True)
    }
    figure, axis = figures.new(height=4.2)
    for name, aside, mark, colour in zip((b, a), (-0.14, 0.14), "os", figures.LINES, strict=False):
        for i, c in enumerate(order):
            e, at = share[name][c], i + aside
            axis.plot([100 * e.low, 100 * e.high], [at, at], color=colour, linewidth=2)
            axis.plot(100 * e.mean, at, mark, color=colour)
    axis.set_yticks(range(len(order)), [test.classes[c] for c in order])
    axis.set_xlabel("top-1 within the class, %")
    words = "; ".join(
        f"{test.classes[c]} {percent(share[a][c].mean)} against {percent(share[b][c].mean)} %"
        for c in order
    )
    titles = f"{get_row(a).title} against {get_row(b).title}"
    legend = [
        figures.Line(get_row(name).title, colour)
        for name, colour in zip((b, a), figures.LINES, strict=False)
    ]
    clear = stats.holm([e.p for e in lost])
    less, more = (
        [test.classes[c] for c in order if clear[c] and sign * lost[c].mean > 0] for sign in (-1, 1)
    )
    note = (
        "Top-1 within each class, mean over runs; lines: 95 % intervals over "
        f"{lost[0].over} of the class. The class that loses most is at the bottom. By Holm's "
        f"procedure over the classes, accuracy with {get_row(a).title} is lower on "
        f"{_listed(less)} and higher on {_listed(more)}."
    )
    return figures.row_of([figure], f"Accuracy by class, {titles}: {words}.", note, legend)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def by_class(outcomes: Sequence[np.ndarray], labels: np.ndarray) -> list[list[stats.Part]]:
    """Of each row's ``outcomes`` bool (runs, images), its parts of a contrast class by class: as
    many as ``labels`` int (images,) has.

    Runs lie further apart within a class than over all: their spread is pooled over the classes
    and the rows.
    """
    classes = range(int(labels.max()) + 1)
    right = [[of_row[:, labels == c] for c in classes] for of_row in outcomes]
    spread = stats.pooled(of.mean(1) for of_row in right for of in of_row)
    return [[(1.0, of, spread) for of in of_row] for of_row in right]


def rare_in_words(records: Sequence[MeasurementRecord]) -> str:
    """Accuracy on the rare classes, filled up by samples, mosaics or repetition, as a clause.

    >>> rare_in_words(sl.study.measured("long_tail", p)["dead_leaves-mixed"])  # doctest: +SKIP
    """
    repeated, varied, mosaics, samples = (
        percent(float(np.mean(_right(records, arm, "tail"))))
        for arm in (REPEATED, VARIED, MOSAICS, SAMPLES)
    )
    return (
        f"of the test images of the three rarest classes a classifier gets {repeated} % right when "
        f"their few training images are repeated, {varied} % with random views of these, "
        f"{mosaics} % with mosaics of these, and {samples} % with samples of a network that has "
        "learned from all images of each class"
    )


def rare_table(records: Sequence[MeasurementRecord]) -> Html:
    """Accuracy on head, middle and tail classes of each way to train, mean over seeds with the
    range of the seeds.
    """
    body = []
    for arm in ARMS:
        cells = []
        for part in PARTS:
            values = _right(records, arm, part)
            mean, low, high = float(np.mean(values)), min(values), max(values)
            cells.append(f"{percent(mean)} <small>[{percent(low)}, {percent(high)}]</small>")
        body.append([arm, *cells])
    note = RARE_NOTE.format(draws=len(records))
    return table(["training images", *PARTS.values()], body, note)


def _right(records: Sequence[MeasurementRecord], arm: str, part: str) -> list[float]:
    """Share of a part's test images that an arm names rightly, by record."""
    return [float(getattr(record.results[arm], part)) for record in records]
