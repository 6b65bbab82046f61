"""The page on layers and fine-tuning."""

from collections.abc import Mapping, Sequence
from html import escape

import torch

from ...core import stats
from ...core.image import MEAN, STD
from ...generators import generator
from ...learn.networks import SmallAlexNet
from ...study import get_row, units
from .. import sheets
from ..comparisons import Pairs
from ..html import Html, percent, span

SIDE = 64  # of the image whose activations are drawn
CHANNELS = 7  # of each layer that are drawn
DRAWN = 60  # side of a drawn map in pixels


def best_layers(by_layer: Mapping[str, units.Units], rows: Sequence[str]) -> str:
    """The layer that is best for each of some rows, and its top-1, as a clause.

    >>> sl.book.pages.layers.best_layers(by_layer, ("random", "real"))  # doctest: +SKIP
    """
    parts = []
    for row in rows:
        every = {name: of.estimate(row) for name, of in by_layer.items() if row in of.values}
        if every:
            best = max(every, key=lambda name: every[name].mean)
            title = escape(get_row(row).title)
            e = every[best]
            ends = span(percent(e.low), percent(e.high))
            parts.append(f"<i>{title}</i> {percent(e.mean)} % {ends} at {best}")
    return f"top-1 at each one's best layer: {'; '.join(parts)}" if parts else ""


def lead_by_layer(ahead: Pairs, title: str) -> str:
    """At which layers real images lie above a set, and at which below, by single tests, as a
    clause; empty where nothing is measured.

    >>> sl.book.pages.layers.lead_by_layer(ahead, "dead leaves")  # doctest: +SKIP
    """
    if not ahead:
        return ""
    clear = {name: pair.difference for name, pair in ahead.items()}
    clear = {name: e for name, e in clear.items() if e.p <= stats.LEVEL}
    above = [name for name, e in clear.items() if e.mean > 0]
    below = [name for name, e in clear.items() if e.mean < 0]
    parts = [f"ahead of {escape(title)} at {', '.join(above)}"] if above else []
    parts += [f"behind at {', '.join(below)}"] if below else []
    if not parts:
        return f"at no layer can real images be told from {escape(title)}"
    rest = ", and cannot be told from them elsewhere" * (len(clear) < len(ahead))
    return f"by single tests, real images are {' and '.join(parts)}{rest}"


def activations_figure() -> Html:
    """Maps of some channels of each convolution for one image, in an untrained encoder: smaller
    and smaller, so that a place of a late map sees more of the image.

    >>> sl.book.pages.layers.activations_figure()  # doctest: +SKIP
    """
    image = generator("dead_leaves-mixed").sample([4], size=SIDE)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, STD))
    encoder = SmallAlexNet(width=1 / 4, input_size=SIDE).eval()
    a, rows = (image.float() / 255 - mean) / std, {"image": image}
    with torch.no_grad():
        for number, convolution in enumerate(encoder.conv, start=1):
            a = convolution(a)
            varied = a[0].flatten(1).std(1).topk(CHANNELS).indices
            maps = torch.stack([sheets.grey(a[0, channel]) for channel in varied.tolist()])
            rows[f"conv{number}: {a.shape[-1]}²"] = maps
    drawn = {
        name: torch.nn.functional.interpolate(each.float(), DRAWN, mode="nearest").byte()
        for name, each in rows.items()
    }
    note = "One image and seven maps of each convolution of an untrained encoder. From layer to "
    note += "layer a map has fewer places (31 times 31, then 15 times 15 …), and each sees more "
    note += "of the image."
    return sheets.rows(drawn, "Maps of activations of one image of dead leaves", note)
