"""Every generator in pictures: thumbnails on an axis of accuracy, a tile and a sheet of each."""

import math
from dataclasses import MISSING
from html import escape

from ...core import stats
from ...core.image import to_tiles
from ...core.source import Source
from ...generators import default_options, generator, generator_class, names
from ...study import Experiment, Profile, Row, all_rows, get_row
from .. import figures
from ..captions import Records, record_link
from ..html import Html, figure, interval, percent, table
from .benchmarks import generator_speeds
from .stored import one_protocol, study_profile

# One set of each kind that the index shows, chosen by what they are; the leaderboard has them all.
KINDS = (
    *("noise-white", "stat-spectrum_color", "dead_leaves-mixed", "fractals-sigma"),
    *("stylegan-oriented", "feature_vis-dead_leaves", "programs-100", "collage-found"),
)
TILE_BYTES = 4_000  # of a picture among all generators, before some loss is taken
PICTURE = 3  # of a source, that is its thumbnail
TICK = 2  # per cent between ticks
CAPTION = (
    "Top-1 on CIFAR-10 by a linear classifier on the frozen network, one set of each kind; the "
    "thumbnail stands at the mean, the bar is the 95 % interval over runs and test images. "
    "Dashed: the untrained network, and the same network trained on real images."
)
NOTHING = "The study's records are not there: make study PROFILE=cpu."
Estimates = dict[str, stats.Estimate]


def thumbnails(rows: Records, profile: Profile, size: int = 56) -> Html:
    """A set of each kind as a thumbnail, as the profile makes it, on an axis of accuracy, best
    first; the random encoder and real images as lines.
    """
    every = one_protocol(rows, profile)
    sources: Estimates = {name: every[name].accuracy() for name in KINDS if name in every}
    bounds: Estimates = {name: rows[name].accuracy() for name in ("random", "real") if name in rows}
    if not sources or len(bounds) < 2:
        return table(["state"], [["no committed records yet"]], NOTHING)
    axis = _Axis({**sources, **bounds}, study_profile(profile))
    lines = [axis.bound(name) for name in bounds]
    for name in sorted(sources, key=lambda name: -sources[name].mean):
        source = Experiment(get_row(name), profile, 0).source()
        picture = source.sample([PICTURE], size, 0, "cpu")[0].permute(1, 2, 0).numpy()
        lines.append(axis.source(name, figures.image_tag(picture, get_row(name).title)))
    each = ", ".join(f"{get_row(n).title} {percent(e.mean)} %" for n, e in axis.every.items())
    alt = f"Sources on an axis of accuracy: {each}."
    inside = f'<div class="axis" role="img" aria-label="{escape(alt)}">{"".join(lines)}</div>'
    return figure(f"{inside}{axis.ticks()}", alt, CAPTION)


class _Axis:
    """An axis of accuracy in HTML, from the least to the largest end of some rows' intervals."""

    def __init__(self, every: Estimates, profile: Profile) -> None:
        self.every, self.profile = every, profile
        self.least = min(e.low for e in every.values())
        self.largest = max(e.high for e in every.values())

    def at(self, value: float) -> float:
        """Where a value lies, per cent of the axis."""
        return 100 * (value - self.least) / (self.largest - self.least)

    def bound(self, name: str) -> str:
        """A line across all others."""
        line = f"<div class='bound' style='left:{self.at(self.every[name].mean):.1f}%'></div>"
        return f"{line}<div class='line heading'>{self.label(name)}</div>"

    def source(self, name: str, picture: str) -> str:
        """A line of its own, with a picture and its interval."""
        e = self.every[name]
        left, width = self.at(e.low), self.at(e.high) - self.at(e.low)
        bar = f"<div class='interval' style='left:{left:.1f}%;width:{width:.1f}%'></div>"
        mark = f"<div class='source' style='left:{self.at(e.mean):.1f}%'>{picture}</div>"
        return f"<div class='line'>{bar}{mark}{self.label(name)}</div>"

    def ticks(self) -> str:
        """Whole per cents along the axis."""
        first, last = math.ceil(100 * self.least), math.floor(100 * self.largest)
        each = "".join(
            f"<span style='left:{self.at(value / 100):.1f}%'>{value} %</span>"
            for value in range(first, last + 1, TICK)
        )
        return f"<div class='ticks'>{each}</div>"

    def label(self, name: str) -> str:
        """Title and accuracy, on the side where there is room."""
        e = self.every[name]
        side = f"left:calc({self.at(e.high):.1f}% + 0.7rem)"
        if self.at(e.mean) > 45:
            side = f"right:calc({100 - self.at(e.low):.1f}% + 0.7rem)"
        accuracy = f"<b>{percent(e.mean)} %</b> [{percent(e.low)}, {percent(e.high)}]"
        link = record_link(accuracy, name, self.profile)
        return f"<span style='{side}'>{escape(get_row(name).title)}<br>{link}</span>"


def tiles(rows: Records, profile: Profile, n: int = 5, size: int = 96) -> Html:
    """Every generator: a tile that tells on hover or tap, and below a sheet of ``n`` pictures as
    the profile makes them, what it is, its accuracy if it is a row, and its measured speed.
    """
    speeds = generator_speeds()
    every, sheets = [], []
    for name, row in generators_with_rows():
        facts = [_accuracy(rows, row)]
        if name in speeds:
            facts.append(f"{speeds[name]:,.0f} pictures/s at 128 px")
        source: Source = Experiment(row, profile, 0).source() if row else generator(name)
        tile, sheet = _tile_and_sheet(name, row, source, facts, n, size)
        every.append(tile)
        sheets.append(sheet)
    alt = f"Tiles and sheets of {len(sheets)} generators with accuracy and speed."
    return Html(f"<div class='glance'>{''.join(every)}</div>{''.join(sheets)}", alt)


def _accuracy(rows: Records, row: Row | None) -> str:
    if row is None:
        return "no row in the study"
    return f"{interval(rows[row.name].accuracy())} %" if row.name in rows else "no record yet"


def _tile_and_sheet(
    name: str, row: Row | None, source: Source, facts: list[str], n: int, size: int
) -> tuple[str, str]:
    """A generator's tile, which links to its sheet, and the sheet."""
    label = row.title if row else name
    anchor = escape(f"set-{row.name if row else name}")
    pictures = source.sample(range(n), size, 0, "cpu")
    title = f"<b>{escape(label)}</b>"
    parts = [f"{title} <code>{escape(name)}</code>", *facts]
    if row:
        parts.append(f"<a href='{escape(row.chapter)}.html'>chapter</a>")
    what = (generator_class(name).__doc__ or "").strip().splitlines()[0].replace("``", "")
    image = figures.image_tag(to_tiles(pictures, n).numpy(), f"{n} pictures of {label}")
    below = f"<figcaption>{' · '.join(parts)}<br>{escape(what)}</figcaption>"
    sheet = f"<figure class='synthlearn' id='{anchor}'>{image}{below}</figure>"
    first = pictures[0].permute(1, 2, 0).numpy()
    small = figures.image_tag(first, f"a picture of {label}", most=TILE_BYTES)
    return f"<a href='#{anchor}'>{small}<span>{title}<br>{'<br>'.join(facts)}</span></a>", sheet


def generators_with_rows() -> list[tuple[str, Row | None]]:
    """Registered generators with their rows: one with several rows is there for each, one without
    a row once unless it needs options.
    """
    pairs: list[tuple[str, Row | None]] = []
    for name in names():
        if name == "text2image":  # it needs a model
            continue
        own = [
            row
            for row in all_rows().values()
            if row.kind == "generator" and not row.is_variant and row.source_name == name
        ]
        needs_options = MISSING in default_options(name).values()
        pairs += [(name, row) for row in own] or ([] if needs_options else [(name, None)])
    return pairs
