"""Visual memories: how much they hold, what is lost with a class, who their neighbours are."""

from collections.abc import Mapping
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
from ..sheets import rows

ENLARGED = 6  # times that a digit is shown larger than it is
ASKED = 200  # digits that are looked up for the sheet, some of which it shows
DECIDE = 8  # neighbours that decide there
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


def whole(measured: Measured) -> units.Units:
    """Top-1 of the largest memory, by row and encoder."""
    return units.part(measured, units.largest_memory(measured))


def named_in_words(measured: Measured, titles: Mapping[str, str]) -> str:
    """How many new images the largest memory names rightly, seen by some encoders, as a clause;
    empty where none was measured.

    titles: row → its encoder in words.

    >>> named_in_words(measured, {"random": "an untrained encoder"})  # doctest: +SKIP
    """
    part, few = whole(measured), next(iter(measured.values()))[0].results[INFLUENTIAL]
    assert isinstance(few, Influence)
    shares = {
        title: f"{percent(part.estimate(row).mean)} %"
        for row, title in titles.items()
        if row in part.values
    }
    if not shares:
        return ""
    (title, share), *others = shares.items()
    text = f"a memory of {few.entries:,} real images names {share} of new ones rightly with {title}"
    return text + "".join(f", {other} with {one}" for one, other in others)


def facts(measured: Measured, records: Records) -> Html:
    """The whole memory beside a linear probe, what happens when a class goes, and how many entries
    any decision hangs on.
    """
    largest = whole(measured)
    before = units.part(measured, WITHOUT_CLASS, "before")
    after = units.part(measured, WITHOUT_CLASS, "top1")
    matter = units.part(measured, INFLUENTIAL, "value")

    def mean(part: units.Units, name: str) -> str:
        return percent(part.estimate(name).mean)

    body = [
        [
            escape(encoder_title(name, largest)),
            interval(largest.estimate(name)),
            percent(records[name].accuracy().mean),
            f"{mean(before, name)} → {mean(after, name)}",
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
        f"other classes, without “{gone.removed}”, %",
        "entries that matter, %",
    ]
    over = intervals_over_encoders(largest)
    return table(header, body, NOTE.format(decisions=few.n, entries=few.entries, over=over))


def neighbour_sheet(name: str, profile: Profile, right: int = 4, wrong: int = 2) -> Html:
    """Digits that a memory names rightly and wrongly, each before the entries that decide: a memory
    of digits by a row's encoder, which has seen none of them.

    >>> neighbour_sheet("dead_leaves-mixed", p)  # doctest: +SKIP
    """
    encoder = Experiment(get_row(name), profile, 0).encoder()
    assert encoder is not None
    training, test = (datasets.load("digits", split) for split in datasets.SPLITS)
    held = _memory(training, memory.embed(encoder, training.images, encoder.main_tap))
    queries = memory.embed(encoder, test.images[:ASKED], encoder.main_tap)
    called = held.classify(queries, DECIDE)
    true = [test.classes[c] for c in test.labels[:ASKED].tolist()]
    hits = [i for i in range(len(called)) if called[i] == true[i]]
    misses = [i for i in range(len(called)) if called[i] != true[i]]
    lines = {}
    for i in hits[:right] + misses[:wrong]:
        near = [int(entry) for entry, *_ in held.query(queries[i : i + 1], DECIDE)[0]]
        tiles = torch.cat((test.images[i : i + 1], training.images[near]))
        verb = "is called" if called[i] == true[i] else "is wrongly called"
        lines[f"a {true[i]} {verb} {called[i]}"] = sheets.enlarge(tiles, ENLARGED)
    alt = f"A digit, then the {DECIDE} digits of the memory that are nearest to it"
    caption = f"{alt}. Of the first {len(called)}, {len(hits)} are called correctly."
    return rows(lines, alt, caption)


def _memory(images: ImageSet, entries: torch.Tensor) -> memory.Memory:
    """A memory of all images of a set, by their features (n, d)."""
    held = memory.Memory({}, entries.shape[1])
    classes = [images.classes[c] for c in images.labels.tolist()]
    held.add([f"{i:06d}" for i in range(len(images))], classes, entries)
    return held
