"""Every generator in pictures: thumbnails on an axis of accuracy, a tile and a sheet of each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass
from html import escape

import torch
from torch import Tensor

from ...core import stats
from ...core.image import to_tiles
from ...core.source import Source
from ...generators import default_options, generator, names
from ...study import Experiment, Profile, Row, all_rows, get_row
from .. import figures
from ..captions import Records, record_link
from ..html import Html, figure, interval, nothing, percent
from ..sheets import NAMED
from .benchmarks import generator_speeds
from .stored import FAMILIES, one_protocol, study_profile

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
    "Dashed: the untrained encoder (the papers' random encoder), and one trained on real images."
)
REST = "not in the study"  # heading of the sets without a row
# What a reader should look at, by family
LOOK = {
    "programs": "Look for what repeats: a program of a few instructions draws waves, grids and "
    "folds, sharp and smooth at once. Both sets begin with the same images: one returns to its "
    "hundred programs, the other goes on to new ones.",
    "formulas": "Look at how much of an image is one line: rings that grow, points in space seen "
    "from a side, waves that meet. Every parameter can be a label.",
    "feature_vis": "Look for what a network likes: marks of one kind, repeated. They are not the "
    "paper's images; its recipe made them with a smaller network.",
    "own": "Look for leaves, textures and mixing at once: its options were found by search.",
    "stylegan": "Compare the rows: smooth blobs; grain; texture in patches; streaks and edges. "
    "The network is the same, its weights are drawn differently.",
    "mixture": "Look for seams: boxes cut from another image, two images seen through each other, "
    "leaves coloured by k-means. In the mixtures of sets each image is of one set.",
    "dead_leaves": "Look at edges, and at what hides what. Only shapes and their filling differ.",
    "fractals": "Look at the outlines, detailed at every size: grey on black, or coloured and "
    "several in an image.",
    "statistical": "Look for what is missing: there are no objects and, but for wavelets, no "
    "edges. Colours and roughness change from image to image.",
    "noise": "Look for structure; there is almost none. These sets are controls.",
}
NOTHING = "The study's records are not there: make study PROFILE=cpu."
Estimates = dict[str, stats.Estimate]


def thumbnails(rows: Records, profile: Profile, size: int = 56) -> Html:
    """A set of each kind as a thumbnail, as the profile makes it, on an axis of accuracy, best
    first; the untrained encoder and real images as lines.
    """
    every = one_protocol(rows, profile)
    sources: Estimates = {name: every[name].accuracy() for name in KINDS if name in every}
    bounds: Estimates = {name: rows[name].accuracy() for name in ("random", "real") if name in rows}
    if not sources or len(bounds) < 2:
        return nothing(NOTHING)
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


@dataclass(frozen=True)
class Set:
    """A set of the gallery: a registered generator, its row of the study if it has one, and its
    accuracy if that was run.
    """

    generator: str
    row: Row | None
    accuracy: stats.Estimate | None

    @property
    def anchor(self) -> str:
        """Where a link finds it on the page."""
        return f"set-{self.row.name if self.row else self.generator}"

    @property
    def title(self) -> str:
        """What it is called."""
        return self.row.title if self.row else self.generator

    def source(self, profile: Profile) -> Source:
        """Where its images come from, as the profile makes them."""
        if self.row:
            return Experiment(self.row, profile, 0).source()
        return generator(self.generator)

    def facts(self) -> list[str]:
        """Its accuracy and how fast it is made, in a few words each."""
        if self.row is None:
            words = []
        else:
            words = [interval(self.accuracy) if self.accuracy else "no record yet"]
        speed = generator_speeds().get(self.generator)
        return [*words, f"{speed:,.0f} images/s"] if speed else words


def families(rows: Records) -> dict[str, list[Set]]:
    """All sets by family, the family of the best set first, and within it the best set first; sets
    without a record last, and after them those that the study does not have.
    """
    every: dict[str, list[Set]] = {}
    for name, row in generators_with_rows():
        runs = rows.get(row.name) if row else None
        each = Set(name, row, runs.accuracy() if runs else None)
        every.setdefault(row.family if row else REST, []).append(each)
    ordered = {family: sorted(sets, key=_worth) for family, sets in every.items()}
    return dict(sorted(ordered.items(), key=lambda item: (item[0] == REST, _worth(item[1][0]))))


def _worth(each: Set) -> float:
    return -each.accuracy.mean if each.accuracy else 1.0


def images(rows: Records, profile: Profile, n: int = 5, size: int = 96) -> dict[str, Tensor]:
    """The first images of every set as the profile makes them: anchor → uint8 (n, 3, s, s)."""
    every = [each for sets in families(rows).values() for each in sets]
    return {each.anchor: each.source(profile).sample(range(n), size, 0, "cpu") for each in every}


def tiles(rows: Records, every: Mapping[str, Tensor]) -> Html:
    """A tile for every set, which tells what it is on hover or tap and leads to its images.

    every: as :func:`images` gives them; a tile shows the one least like those before it, as
    mixtures share images with their parts.
    """
    cells: list[str] = []
    shown: list[Tensor] = []
    for each in (each for sets in families(rows).values() for each in sets):
        image = _least_like(every[each.anchor], shown)
        shown.append(image)
        cells.append(_tile(each, image))
    alt = f"Tiles of {len(cells)} sets of images with accuracy and speed."
    return Html(f"<div class='glance'>{''.join(cells)}</div>", alt)


def _least_like(images: Tensor, shown: Sequence[Tensor]) -> Tensor:
    """Of images uint8 (n, 3, s, s) the one farthest from the nearest of those shown, (3, s, s); the
    first where none is."""
    if not shown:
        return images[0]
    apart = torch.cdist(images.float().flatten(1), torch.stack(list(shown)).float().flatten(1))
    return images[int(apart.amin(1).argmax())]


def _tile(each: Set, image: Tensor) -> str:
    small = figures.image_tag(
        image.permute(1, 2, 0).numpy(), f"an image of {each.title}", most=TILE_BYTES
    )
    text = "<br>".join([f"<b>{escape(each.title)}</b>", *each.facts()])
    return f"<a href='#{escape(each.anchor)}'>{small}<span>{text}</span></a>"


def sheets(rows: Records, every: Mapping[str, Tensor]) -> Html:
    """Every family with what to look at, and a row of images of each of its sets beside its name,
    accuracy and speed; best first.

    every: as :func:`images` gives them.
    """
    parts = []
    for family, sets in families(rows).items():
        lines = "".join(_line(each, every[each.anchor]) for each in sets)
        heading = escape(FAMILIES.get(family, family.replace("_", " ")))
        look = f"<p>{LOOK[family]}</p>" if family in LOOK else ""
        title = f"<h3>{heading[:1].upper()}{heading[1:]}</h3>"
        parts.append(f"{title}{look}<figure class='synthlearn'>{lines}</figure>")
    return Html("".join(parts), f"Images of {len(parts)} families of sets, best first.")


def _line(each: Set, images: Tensor) -> str:
    """A set's name and facts beside its images."""
    title = f"<b>{escape(each.title)}</b>"
    if each.row:
        title = f"<a href='{escape(each.row.chapter)}.html'>{title}</a>"
    text = "<br>".join([title, *(f"<small>{fact}</small>" for fact in each.facts())])
    image = figures.image_tag(to_tiles(images, len(images)).numpy(), f"images of {each.title}")
    return (
        f"<div class='named' id='{escape(each.anchor)}' style='{NAMED}'>"
        f"<span style='flex: 0 0 11rem'>{text}</span>"
        f"<div style='flex: 1 1 16rem; min-width: 0'>{image}</div></div>"
    )


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
