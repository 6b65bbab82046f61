"""Visual memories: how much they hold, what is lost with a class, who their neighbours are."""

from dataclasses import replace
from html import escape

import torch

from ...data import datasets
from ...data.image_set import ImageSet
from ...measure import memory
from ...measure.visual_memory import INFLUENTIAL, WITHOUT_CLASS, Influence, WithoutClass
from ...study import Experiment, Profile, get_row, units
from ...study.measuring import Measured
from .. import sheets
from ..captions import Records, encoder_title, intervals_over_encoders
from ..html import Html, interval, percent, table
from ..plots import lines_figure
from ..sheets import contact_sheet

ENLARGED = 6  # times that a digit is shown larger than it is
NOTE = (
    "Entries that matter: whose removal, each alone, changes any of {decisions:,} decisions, of "
    "{entries:,} entries. Means over encoders; {over} The linear probe: over all runs of its row."
)


def figure(measured: Measured) -> Html:
    """Accuracy of a visual memory by how many images of each class it holds."""
    sizes = {
        name: [
            replace(r, results={size: part for size, part in r.results.items() if size.isdigit()})
            for r in records
        ]
        for name, records in measured.items()
    }
    caption = "Top-1 of neighbours in a memory;"
    return lines_figure(sizes, "images of each class in the memory", caption)


def facts(measured: Measured, rows: Records) -> Html:
    """The whole memory beside a linear probe, what happens when a class goes, and how many entries
    any decision hangs on.
    """
    whole = units.part(measured, units.largest_memory(measured))
    before = units.part(measured, WITHOUT_CLASS, "before")
    after = units.part(measured, WITHOUT_CLASS, "top1")
    of_removed = units.part(measured, WITHOUT_CLASS, "of_removed")
    matter = units.part(measured, INFLUENTIAL, "value")

    def mean(part: units.Units, name: str) -> str:
        return percent(part.estimate(name).mean)

    body = [
        [
            escape(encoder_title(name, whole)),
            interval(whole.estimate(name)),
            percent(rows[name].accuracy().mean),
            f"{mean(before, name)} → {mean(after, name)}",
            mean(of_removed, name),
            mean(matter, name),
        ]
        for name in measured
    ]
    results = next(iter(measured.values()))[0].results
    gone, few = results[WITHOUT_CLASS], results[INFLUENTIAL]
    assert isinstance(gone, WithoutClass) and isinstance(few, Influence)
    header = [
        "encoder",
        "memory of all, %",
        "linear probe, %",
        f"without “{gone.removed}”: the other classes, %",
        "images of it called so, %",
        "entries that matter, %",
    ]
    over = intervals_over_encoders(whole)
    return table(header, body, NOTE.format(decisions=few.n, entries=few.entries, over=over))


def neighbour_sheet(name: str, profile: Profile, asked: int = 5, k: int = 8) -> Html:
    """Digits, each before the entries that decide what it is: a memory of digits by a row's
    encoder, which has seen none of them.
    """
    encoder = Experiment(get_row(name), profile, 0).encoder()
    assert encoder is not None
    training, test = (datasets.load("digits", split) for split in datasets.SPLITS)
    tap = memory.maker(encoder, name)["layer"]
    held = _memory(training, memory.embed(encoder, training.images, tap))
    queries = memory.embed(encoder, test.images[:asked], tap)
    nearest, called = held.query(queries, k), held.classify(queries, k)
    lines = []
    for i in range(asked):
        near = [int(entry) for entry, _, _ in nearest[i]]
        lines.append(torch.cat((test.images[i : i + 1], training.images[near])))
    tiles = sheets.enlarge(torch.cat(lines), ENLARGED)
    each = [f"a {test.classes[test.labels[i]]} is called {c}" for i, c in enumerate(called)]
    text = ", ".join(each)
    alt = f"Each line: a digit, and the {k} entries nearest to it. {text}."
    return contact_sheet(tiles, alt, f"From the top: {text}.", k + 1)


def _memory(images: ImageSet, entries: torch.Tensor) -> memory.Memory:
    """A memory of all images of a set, by their features (n, d)."""
    held = memory.Memory({}, entries.shape[1])
    classes = [images.classes[c] for c in images.labels.tolist()]
    held.add([f"{i:06d}" for i in range(len(images))], classes, entries)
    return held
